"""A running gateway, the ways in which a user reaches it, and `curl` as its client."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from tests.cli.conftest import Shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Sandbox
    from tests.forks import Forks

PATIENCE = 120.0
"""Seconds after which a test gives up waiting for an event; a machine without other work needs a tenth of one."""

NAME = "wx.example.org"
"""The host name under which clients call a gateway that has a certificate."""


class Certificate(NamedTuple):
    """Files of a certificate."""

    folder: Path

    @property
    def chain(self) -> Path:
        return self.folder / "chain.pem"

    @property
    def key(self) -> Path:
        return self.folder / "key.pem"

    @property
    def both(self) -> Path:
        """The private key and the chain in one file."""
        return self.folder / "both.pem"

    @property
    def authority(self) -> Path:
        """The certificate of the authority, which clients trust."""
        return self.folder / "authority.pem"


class User(Shell):
    """A user with an empty home folder, a phone and friends."""

    def __init__(self, home: Path, sandbox: Sandbox, record: Callable[[str, str], None], forks: Forks) -> None:
        super().__init__(home, sandbox.url, record, forks)
        self.sandbox = sandbox

    def write(self, text: str) -> None:
        """Write to File Transfer Helper with the phone."""
        self.sandbox.say("xiaoming", "filehelper", text)

    def shown(self) -> list[str]:
        """Return the texts and file names in File Transfer Helper on the phone."""
        messages = self.sandbox.chat("xiaoming", "filehelper")["messages"]
        return [each.get("text") or each.get("name") or "" for each in messages]


class Answer(NamedTuple):
    """An answer of the gateway."""

    status: int
    body: str

    @property
    def value(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class ServedGateway:
    """
    A gateway as its clients see it.

    Args:
        user: Its user, who has the phone.
        url: The address for clients, without a `/` at its end.
        key: A key with the scope `admin`.
        certificate: The certificate that clients see; None: they use no TLS.
    """

    def __init__(self, user: User, url: str, key: str, certificate: Certificate | None = None) -> None:
        self.user = user
        self.url = url
        self.key = key
        self.certificate = certificate
        self.port = urlsplit(url).port or 0

    def curl(self, path: str, *options: str | Path, key: str | None = None) -> Answer:
        """Run `curl` with a path of the gateway, and return the answer."""
        trusted = ["--cacert", str(self.certificate.authority)] if self.certificate else []
        done = subprocess.run(
            [
                "curl", "--silent", "--show-error", "--max-time", str(PATIENCE), *trusted,
                "--resolve", f"{NAME}:{self.port}:127.0.0.1", "--header", f"Authorization: Bearer {key or self.key}",
                "--write-out", "\n%{http_code}", *options, f"{self.url}{path}",
            ],
            capture_output=True, check=False, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        body, _, status = done.stdout.rpartition("\n")
        return Answer(int(status), body)

    def get(self, path: str) -> Any:
        """Return the answer to a request below `/api/v1` that has to succeed."""
        answer = self.curl(f"/api/v1{path}")
        assert answer.status == 200, answer
        return answer.value

    def post(self, path: str, body: object) -> Any:
        """Return the answer to a request with JSON below `/api/v1` that has to succeed."""
        answer = self.curl(f"/api/v1{path}", "--json", json.dumps(body))
        assert answer.status in {200, 201}, answer
        return answer.value

    def wait_until_online(self) -> None:
        """Wait until every account is online."""
        deadline = time.monotonic() + PATIENCE
        while self.curl("/readyz?require=online").status != 200:
            assert time.monotonic() < deadline, self.curl("/api/v1/accounts")
            time.sleep(0.1)

    @contextmanager
    def event_stream(self, path: str) -> Iterator[Iterator[str]]:
        """Read a stream of server-sent events with `curl`; yield its lines."""
        trusted = ["--cacert", str(self.certificate.authority)] if self.certificate else []
        command = [
            "curl", "--silent", "--show-error", "--no-buffer", "--max-time", str(PATIENCE), *trusted,
            "--resolve", f"{NAME}:{self.port}:127.0.0.1", "--header", f"Authorization: Bearer {self.key}",
            f"{self.url}/api/v1{path}",
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reading:
            assert reading.stdout is not None
            try:
                yield iter(reading.stdout.readline, "")
            finally:
                reading.terminate()


def program(name: str) -> str:
    """Return the path of a program of the system; without it, the test is skipped."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not here; Debian's package has the same name")
    return found


def free_port() -> int:
    """Return a port that no server uses."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def log_in(user: User, account: str = "work") -> None:
    """Log an account in, which the phones of the sandbox confirm."""
    done = user.run("login", "--account", account)
    assert done.code == 0, done


@contextmanager
def gateway(user: User, settings: str = "", *options: str) -> Iterator[ServedGateway]:
    """
    Start a gateway as its user does; it ends with the block.

    Args:
        user: The user; its accounts are logged in.
        settings: Content of `gateway.toml`.
        options: Options of `webwx serve`.
    """
    user.settings.home.mkdir(mode=0o700, exist_ok=True)  # the logins may be in a database
    (user.settings.home / "gateway.toml").write_text(settings)
    made = user.run("serve", "key", "create", "--name", "journey", "--scopes", "admin", "--json")
    with user.start_process("serve", "--port", "0", "--json", *options) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, process.communicate()
            yield ServedGateway(user, json.loads(line)["url"], made.line["key"])
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


@contextmanager
def own_tls(user: User, certificate: Certificate) -> Iterator[ServedGateway]:
    """Start a gateway that ends TLS itself."""
    settings = f'[listen]\nhosts = ["{NAME}"]\n[tls]\ncertificate = "{certificate.chain}"\nkey = "{certificate.key}"\n'
    with gateway(user, settings) as plain:
        served = ServedGateway(user, f"https://{NAME}:{plain.port}", plain.key, certificate)
        served.wait_until_online()
        yield served


@contextmanager
def caddy(user: User, certificate: Certificate) -> Iterator[ServedGateway]:
    """Start a gateway behind Caddy."""

    def command(port: int, inner: int) -> list[str | Path]:
        file = certificate.folder / f"Caddyfile-{port}"
        file.write_text(
            "{\n  admin off\n  auto_https off\n}\n"
            f"https://:{port} {{\n  tls {certificate.chain} {certificate.key}\n  reverse_proxy 127.0.0.1:{inner}\n}}\n"
        )
        return [program("caddy"), "run", "--adapter", "caddyfile", "--config", file]

    with _behind(user, certificate, command) as served:
        yield served


@contextmanager
def haproxy(user: User, certificate: Certificate) -> Iterator[ServedGateway]:
    """Start a gateway behind HAProxy."""

    def command(port: int, inner: int) -> list[str | Path]:
        file = certificate.folder / f"haproxy-{port}.cfg"
        file.write_text(
            "defaults\n  mode http\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n"
            "  timeout tunnel 1h\n"
            f"frontend tls\n  bind 127.0.0.1:{port} ssl crt {certificate.both} alpn h2,http/1.1\n"
            "  option forwardfor\n  http-request set-header X-Forwarded-Proto https\n  default_backend gateway\n"
            f"backend gateway\n  server one 127.0.0.1:{inner}\n"
        )
        return [program("haproxy"), "-db", "-q", "-f", file]

    with _behind(user, certificate, command) as served:
        yield served


@contextmanager
def nginx(user: User, certificate: Certificate) -> Iterator[ServedGateway]:
    """Start a gateway behind nginx."""

    def command(port: int, inner: int) -> list[str | Path]:
        return _nginx(certificate, port, _nginx_location().replace("127.0.0.1:8791", f"127.0.0.1:{inner}"))

    with _behind(user, certificate, command) as served:
        yield served


def _nginx(certificate: Certificate, port: int, locations: str, *, has_tls: bool = True) -> list[str | Path]:
    """Write the configuration of an nginx, and return its command."""
    folder = certificate.folder / f"nginx-{port}"
    folder.mkdir()
    owner = "user root;" if os.geteuid() == 0 else ""
    key = f"ssl_certificate {certificate.chain}; ssl_certificate_key {certificate.key};"
    tls = f" ssl; http2 on; {key}" if has_tls else ";"
    places = " ".join(f"{each}_temp_path {folder};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"{owner} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;\n"
        f"events {{}}\nhttp {{\n  access_log off; {places}\n"
        f"  server {{\n    listen 127.0.0.1:{port}{tls}\n{locations}\n  }}\n}}\n"
    )
    return [program("nginx"), "-e", folder / "errors", "-c", folder / "nginx.conf"]


def _nginx_location() -> str:
    """Return the location that the page about the gateway shows."""
    page = (Path(__file__).parents[2] / "docs/howto/run-the-gateway.md").read_text()
    return page.partition("```nginx\n")[2].partition("```")[0]


@contextmanager
def below_a_path(user: User, certificate: Certificate, proxy: str) -> Iterator[ServedGateway]:
    """
    Start a gateway below `/wx` of its name.

    Args:
        user: The user.
        certificate: The proxy's certificate.
        proxy: Caddy and nginx remove the path from requests, HAProxy keeps it.
    """

    def command(port: int, inner: int) -> list[str | Path]:
        if proxy == "nginx":
            location = _nginx_location().replace("location / {", "location /wx/ {")
            return _nginx(certificate, port, location.replace("127.0.0.1:8791;", f"127.0.0.1:{inner}/;"))
        file = certificate.folder / f"{proxy}-{port}"
        if proxy == "haproxy":
            file.write_text(
                "defaults\n  mode http\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n"
                f"frontend tls\n  bind 127.0.0.1:{port} ssl crt {certificate.both} alpn h2,http/1.1\n"
                "  option forwardfor\n  http-request set-header X-Forwarded-Proto https\n"
                "  use_backend gateway if { path /wx } || { path_beg /wx/ }\n"
                f"backend gateway\n  server one 127.0.0.1:{inner}\n"
            )
            return [program("haproxy"), "-db", "-q", "-f", file]
        file.write_text(
            "{\n  admin off\n  auto_https off\n  grace_period 1s\n}\n"
            f"https://:{port} {{\n  tls {certificate.chain} {certificate.key}\n  redir /wx /wx/\n"
            f"  handle_path /wx/* {{\n    reverse_proxy 127.0.0.1:{inner}\n  }}\n  respond 404\n}}\n"
        )
        return [program("caddy"), "run", "--adapter", "caddyfile", "--config", file]

    with _behind(user, certificate, command, "/wx") as served:
        yield served


@contextmanager
def sandbox_below_a_path(user: User, certificate: Certificate) -> Iterator[str]:
    """Serve the user's sandbox below `/webwx` of another server too, by nginx; yield its address there."""
    port = free_port()
    location = _nginx_location().replace("location / {", "location /webwx/ {")
    location = location.replace("http://127.0.0.1:8791;", f"{user.sandbox.url}/;")
    with _running(_nginx(certificate, port, location, has_tls=False), user.environment):
        _wait_for_port(port)
        yield f"http://127.0.0.1:{port}/webwx"


WAYS = {"own-tls": own_tls, "caddy": caddy, "haproxy": haproxy, "nginx": nginx}
"""The ways in which a gateway is reached from other machines."""


@contextmanager
def _behind(
    user: User, certificate: Certificate, command: Callable[[int, int], list[str | Path]], path: str = ""
) -> Iterator[ServedGateway]:
    """
    Start a gateway and a proxy before it.

    Args:
        user: The user.
        certificate: The proxy's certificate.
        command: Returns the command of the proxy for its port and the port of the gateway.
        path: Path below which the proxy serves the gateway.
    """
    folders = {"HOME": str(certificate.folder), "XDG_DATA_HOME": str(certificate.folder)}
    with gateway(user, f'[listen]\nbehind_proxy = "127.0.0.1"\nhosts = ["{NAME}"]\npath = "{path}"\n') as inner:
        port = free_port()
        with _running(command(port, inner.port), user.environment | folders):
            served = ServedGateway(user, f"https://{NAME}:{port}{path}", inner.key, certificate)
            _wait_for_port(port)
            served.wait_until_online()
            yield served


@contextmanager
def _running(command: list[str | Path], environment: dict[str, str]) -> Iterator[None]:
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        assert time.monotonic() < deadline, port
        time.sleep(0.05)
