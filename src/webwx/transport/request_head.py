"""The head of a request, as it is sent, and its site."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from webwx.transport.addresses import Site
from webwx.transport.failures import Failures

if TYPE_CHECKING:
    from webwx.protocol.http import Buffer, Request
    from webwx.transport.addresses import Proxy

_ADDRESS = re.compile(r"(https?://([^/?#@\s]+))((?:[/?][^#\s]*)?)")


_JOINED = 16 * 1024
"""Maximum size in bytes of a body that is written together with its head."""


class RequestHead(msgspec.Struct, frozen=True):
    """The head of requests that differ only in their body."""

    site: Site
    lines: bytes
    """The head up to the length of the body."""
    is_post: bool
    """Whether the length is sent even for an empty body."""

    def __repr__(self) -> str:
        return "Head(***)"


def write_head(request: Request, proxy: Proxy | None = None) -> RequestHead:
    """
    Write a request head, with only those headers added that HTTP itself requires.

    Args:
        request: The request.
        proxy: The proxy: it reads the head of a request without TLS, and only a tunnel with TLS.

    Raises:
        InvalidRequest: The address is not valid, or a server could read another request.
    """
    parts = _ADDRESS.fullmatch(request.url)
    if parts is None:
        raise Failures(request.endpoint).malformed()
    origin, host, path = parts.groups()
    try:
        site = _site(origin)
    except ValueError:  # a port that is no number
        raise Failures(request.endpoint).malformed() from None
    target, headers = path if path.startswith("/") else f"/{path}", request.headers
    if proxy is not None and not site.is_tls:
        target, headers = origin + target, headers + proxy.headers
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines.append("Accept-Encoding: gzip, deflate")
    written = "\r\n".join(lines)
    ends = len(lines) - 1
    if written.count("\r") != ends or written.count("\n") != ends or "\0" in written:
        raise Failures(request.endpoint).malformed()
    return RequestHead(site, f"{written}\r\n".encode("utf-8", "surrogateescape"), request.method == "POST")


def write_out(head: RequestHead, request: Request) -> tuple[Buffer, ...]:
    """Return the buffers to write: the head with the length of its body, joined with a small body."""
    body = request.body
    if isinstance(body, bytes) and 0 < len(body) <= _JOINED:  # nearly always, and at once this takes half as long
        return (head.lines + _length(len(body)) + body,)
    first, *others = (body,) if isinstance(body, bytes) else body
    size = len(first) + sum(map(len, others))
    start = head.lines + (_length(size) if size or head.is_post else b"\r\n")
    return (start + first, *others) if len(first) <= _JOINED else (start, first, *others)


@lru_cache(maxsize=256)  # texts are about as long as each other
def _length(size: int) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % size


@lru_cache(maxsize=256)
def _site(origin: str) -> Site:
    parts = urlsplit(origin)
    is_tls = parts.scheme == "https"
    return Site(parts.hostname or "", parts.port or (443 if is_tls else 80), is_tls)
