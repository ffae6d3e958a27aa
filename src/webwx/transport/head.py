"""The head of a request as it stands on the wire, and where it goes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from webwx.transport.failures import Failures

if TYPE_CHECKING:
    from webwx.protocol.http import Headers, Request

_ADDRESS = re.compile(r"(https?://([^/?#@\s]+))((?:[/?][^#\s]*)?)")


class Site(NamedTuple):
    """A place that requests go to."""

    host: str
    port: int
    is_tls: bool


class Address(NamedTuple):
    """An address in its parts."""

    site: Site
    origin: str
    host: str
    """As its header has it."""
    path: str
    """With the query."""


def read_address(request: Request) -> Address:
    """
    Say where a request goes.

    Raises:
        RefusedLocally: Its address is none.
    """
    parts = _ADDRESS.fullmatch(request.url)
    if parts is None:
        raise Failures(request.endpoint).malformed()
    origin, host, path = parts.groups()
    try:
        return Address(_site(origin), origin, host, path if path.startswith("/") else f"/{path}")
    except ValueError:  # a port that is no number
        raise Failures(request.endpoint).malformed() from None


@lru_cache(maxsize=256)
def _site(origin: str) -> Site:
    parts = urlsplit(origin)
    is_tls = parts.scheme == "https"
    return Site(parts.hostname or "", parts.port or (443 if is_tls else 80), is_tls)


def write_head(request: Request, address: Address, proxy: Headers | None = None) -> bytes:
    """
    Write a head, with nothing added but what HTTP itself needs.

    Args:
        request: Whose.
        address: Where it goes.
        proxy: Headers for the proxy that has to read this head; None: there is none, or it only sees a tunnel.

    Raises:
        RefusedLocally: It would be read as another one.
    """
    target, headers = address.path, request.headers
    if proxy is not None:
        target, headers = address.origin + target, headers + proxy
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {address.host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines.append("Accept-Encoding: gzip, deflate")
    body = request.body
    size = len(body) if isinstance(body, bytes) else sum(map(len, body))
    if size or request.method == "POST":
        lines.append(f"Content-Length: {size}")
    head = "\r\n".join(lines)
    ends = len(lines) - 1
    if head.count("\r") != ends or head.count("\n") != ends or "\0" in head:
        raise Failures(request.endpoint).malformed()
    return f"{head}\r\n\r\n".encode("utf-8", "surrogateescape")
