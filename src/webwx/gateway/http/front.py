"""
The first check of every request and upgrade: its host name and its origin.

A web page can make a browser call a server on this machine. Its requests carry the page's origin, or a host name that
an attacker's name server resolves to this machine; both are refused here. The check comes before any handler, so it
covers unknown paths as well.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from litestar.enums import ScopeType

from webwx.gateway.config import is_loopback
from webwx.gateway.http.refusals import refuse
from webwx.gateway.problems import GatewayProblem, answer_of
from webwx.protocol.hosts import host_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar.types import ASGIApp, Receive, Scope, Send
    from litestar.types.asgi_types import HTTPScope, Message, WebSocketScope

    from webwx.gateway.config import GatewayConfig

_CHECKED = frozenset({"http", "websocket"})

SECURITY_HEADERS = (
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""Headers of every answer, unless the handler has set them."""


class Front:
    """
    The outermost application: it refuses foreign hosts and origins, and adds security headers to every answer.

    Args:
        app: The application that handles what passes.
        config: The gateway's configuration.
        serves_vendor: Function of a host name, a method and a path that returns whether a receiver serves the request.
            Clients with a fixed host name of a vendor reach the gateway through a proxy.
    """

    def __init__(
        self, app: ASGIApp, config: GatewayConfig, serves_vendor: Callable[[str, str, str], bool] = lambda *_: False
    ) -> None:
        self._app = app
        own = [table.host for table in config.adapters.values()]
        self._hosts = {host.lower() for host in (*config.listen.hosts, config.listen.host, *own)}
        self._origins = {origin.rstrip("/").lower() for origin in config.listen.origins}
        self._root = config.listen.path
        self._serves_vendor = serves_vendor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request or an upgrade, and pass it on; pass on everything else, such as the server's start."""
        if scope["type"] not in _CHECKED:
            await self._app(scope, receive, send)
            return
        send, path = _with_headers(send, self._root), scope["path"]
        scope = self._below_root(scope)
        try:
            self.check(scope)
        except GatewayProblem as refusal:
            await refuse(scope, send, answer_of(refusal))
            return
        if self._root and path == self._root and scope["type"] == ScopeType.HTTP:
            await _redirect(send, "/")
        else:
            await self._app(scope, receive, send)

    def _below_root(self, scope: HTTPScope | WebSocketScope) -> HTTPScope | WebSocketScope:
        """Return a request without the path below which a proxy serves the gateway, if the proxy has kept it."""
        if not self._root:
            return scope
        below = {**scope, "app_root_path": self._root}  # the framework puts it into the addresses of this gateway
        if scope["path"].startswith(f"{self._root}/"):
            below["path"] = scope["path"].removeprefix(self._root)
            below["raw_path"] = scope["raw_path"].removeprefix(self._root.encode())
        return cast("HTTPScope | WebSocketScope", below)

    def check(self, scope: HTTPScope | WebSocketScope) -> None:
        """
        Check the host name and the origin of a request.

        Raises:
            GatewayProblem: The gateway does not serve the name, or the origin is another site.
        """
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        host = hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
        if not self._is_served(host_name(host), scope):
            raise GatewayProblem("wrong-host", "Use the address that 'webwx serve' prints, or add the name to 'hosts'.")
        for name, value in scope["headers"]:
            if name == b"origin" and not self._is_own(value.decode("latin-1").lower(), host):
                raise GatewayProblem("bad-origin", "Pages of other sites are refused, except those in 'origins'.")

    def _is_served(self, name: str, scope: HTTPScope | WebSocketScope) -> bool:
        if name in self._hosts or is_loopback(name):
            return True
        method = scope["method"] if scope["type"] == ScopeType.HTTP else ""
        return self._serves_vendor(name, method, scope["path"])

    def _is_own(self, origin: str, host: str) -> bool:
        return origin in self._origins or origin in {f"http://{host}", f"https://{host}"}


def client_address(scope: HTTPScope | WebSocketScope) -> str:
    """Return the caller's IP address in its usual form; empty if it is unknown."""
    client = scope.get("client")
    return "" if client is None else _usual_form(client[0])


@lru_cache(1_000)
def _usual_form(text: str) -> str:
    """Return an IP address in its usual form; empty if the text is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


async def _redirect(send: Send, path: str) -> None:
    headers = [(b"location", path.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 308, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _with_headers(send: Send, root: str) -> Send:
    """Return a function that adds the security headers to an answer, and the path of the gateway to its `Location`."""

    def send_with_headers(message: Message) -> Awaitable[None]:  # no coroutine of its own: streams send a lot
        if message["type"] == "http.response.start" or message["type"] == "websocket.http.response.start":
            headers = [
                (name, root.encode() + value if name.lower() == b"location" and value.startswith(b"/") else value)
                for name, value in message.get("headers", ())
            ]
            present = {name.lower() for name, _ in headers}
            message["headers"] = [*headers, *((name, value) for name, value in SECURITY_HEADERS if name not in present)]
        return send(message)

    return send_with_headers
