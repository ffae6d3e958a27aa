"""A proxy that decrypts TLS with certificates of its own, as those of companies do; it fetches from the real hosts."""

from __future__ import annotations

import shutil
import ssl
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import trustme

if TYPE_CHECKING:
    from pathlib import Path


class InterceptingProxy:
    """
    A running proxy.

    Args:
        folder: Folder for the file of its certificate.
    """

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA(organization_name="a company")
        self.certificate = folder / "company.pem"
        """The certificate that its clients must trust."""
        self._authority.cert_pem.write_to_path(str(self.certificate))
        self.hosts: set[str] = set()
        """Hosts that were asked for something."""
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> InterceptingProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def context(self, host: str) -> ssl.SSLContext:
        """Return a TLS context with a certificate for a host."""
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._authority.issue_cert(host).configure_cert(context)
            self._contexts[host] = context
        return self._contexts[host]


class _Handler(BaseHTTPRequestHandler):
    proxy: InterceptingProxy
    protocol_version = "HTTP/1.1"
    host = ""

    def do_CONNECT(self) -> None:
        self.host = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):  # a client that does not trust the certificate ends the handshake
            self.connection = self.proxy.context(self.host).wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", buffering=0)
            self.close_connection = False

    def do_GET(self) -> None:
        self.proxy.hosts.add(self.host)
        kept = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection", "te"}}
        request = urllib.request.Request(f"https://{self.host}{self.path}", headers=kept, method=self.command)
        try:
            answer: Any = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in {"connection", "transfer-encoding", "keep-alive"}:
                    self.send_header(name, value)
            if answer.headers["Content-Length"] is None:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            shutil.copyfileobj(answer, self.wfile)

    def do_HEAD(self) -> None:
        self.do_GET()

    def finish(self) -> None:
        """Close the connection inside TLS too."""
        super().finish()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Write no log."""
