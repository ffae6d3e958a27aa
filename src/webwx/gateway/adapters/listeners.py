"""
Listeners that belong to one adapter each: an address and a port beside those of the gateway.

A request that arrives there gets the adapter's path, `/adapters/<name>/`, before anything looks at it. So it passes the
same checks as at the gateway's own address, and nothing but the adapter can be reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from litestar.enums import ScopeType

from webwx.gateway.adapters.registry import PREFIX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from litestar.types import ASGIApp, Receive, Scope, Send

_REQUESTS = frozenset({ScopeType.HTTP, ScopeType.WEBSOCKET})


class AdapterListeners:
    """
    The application of all listeners: it finds out for which adapter a request has arrived.

    Args:
        app: Answers the requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._names: dict[int, str] = {}
        """Names of adapters by the ports of their listeners."""
        self._urls: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"AdapterListeners({', '.join(self._urls)})"

    @property
    def urls(self) -> Mapping[str, str]:
        """The addresses of the listeners for programs of this machine, by the names of their adapters."""
        return self._urls

    def add(self, name: str, port: int, url: str) -> None:
        """
        Add a listener.

        Args:
            name: Name of the adapter.
            port: Its port, which no other listener of the gateway has.
            url: Its address for programs of this machine.
        """
        self._names[port] = name
        self._urls[name] = url

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a request."""
        server = scope.get("server") if self._names and scope["type"] in _REQUESTS else None
        name = None if server is None else self._names.get(server[1] or 0)
        return self._app(scope if name is None else _of_adapter(name, scope), receive, send)


def _of_adapter(name: str, scope: Scope) -> Scope:
    """Return a request with the path that it has at the gateway's own address."""
    prefix = f"{PREFIX}{name}"
    path, raw = f"{prefix}{scope['path']}", prefix.encode() + scope["raw_path"]
    return cast("Scope", {**scope, "path": path, "raw_path": raw})
