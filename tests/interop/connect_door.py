"""
A proxy that answers CONNECT and ends TLS with a certificate of a test CA, so that an unmodified client with a fixed
host name reaches the gateway.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTS = ("qyapi.weixin.qq.com", "sctapi.ftqq.com", "www.pushplus.plus", "hooks.slack.com", "api.day.app")
"""Names for which the proxy has a certificate."""


@contextlib.contextmanager
def open_door(gateway: tuple[str, int], folder: Path) -> Iterator[dict[str, str]]:
    """Run the proxy, and yield the environment variables with which a client uses and trusts it."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*HOSTS).configure_cert(context)
    certificate = folder / "door-ca.pem"
    ca.cert_pem.write_to_path(certificate)

    class Door(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += self.request.recv(1)
            name = head.split()[1].rpartition(b":")[0].decode()
            assert name in HOSTS, name
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with (
                context.wrap_socket(self.request, server_side=True) as client,
                socket.create_connection(gateway) as server,
            ):
                back = threading.Thread(target=copy, args=(server, client), daemon=True)
                back.start()
                copy(client, server)
                back.join(10)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Door) as proxy:
        proxy.daemon_threads = True
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{proxy.server_address[1]}"
        trusted = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), str(certificate))
        try:
            yield {"HTTPS_PROXY": url, "https_proxy": url, **trusted}
        finally:
            proxy.shutdown()


def copy(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until the end of the source, and end the target."""
    with contextlib.suppress(OSError):
        while part := source.recv(65_536):
            target.sendall(part)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
