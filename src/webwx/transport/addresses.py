"""Addresses of requests: a site, and the proxy in front of it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from webwx.protocol.http import Headers


class Site(NamedTuple):
    """The host and port of a server, and whether it speaks TLS."""

    host: str
    port: int
    is_tls: bool


class Proxy:
    """A proxy that is reached over plain HTTP."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host = parts.hostname or ""
        self.port = parts.port or 80
        self.headers: Headers = ()
        """Credentials for the proxy, if its address has any."""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self.headers = (("Proxy-Authorization", f"Basic {base64.b64encode(pair).decode()}"),)


def proxy_place(address: str | None) -> str:
    """Return the host and port of a proxy's address, without its credentials; empty without a proxy."""
    if not address:
        return ""
    parts = urlsplit(address)
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
