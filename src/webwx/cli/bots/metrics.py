"""`webwx run --metrics`: metrics for Prometheus over HTTP, in the event loop of the bots."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from webwx.bot.metrics import CONTENT_TYPE
from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.language import _

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.bot.metrics import Metrics

_PATIENCE = 10.0
"""Seconds in which a request must have arrived."""

_LONGEST = 8_192
"""Longest request in bytes."""

_ADDRESS = re.compile(r"(?:(?P<host>[^:\[\]]+|\[[0-9A-Fa-f:.]+\]):)?(?P<port>\d{1,5})")


class Address(NamedTuple):
    """The address of a listening server."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """
    Return the address of `HOST:PORT` or `PORT`; without a host, only this machine can connect.

    Raises:
        BadInput: The text is not an address.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise BadInput(_("--metrics cannot be {text!r}; write an address such as 127.0.0.1:9100.").format(text=text))
    return Address((found["host"] or "127.0.0.1").strip("[]"), int(found["port"]))


@asynccontextmanager
async def serving(metrics: Metrics, address: Address) -> AsyncIterator[str]:
    """
    Serve metrics inside `async with`, which returns their URL.

    Raises:
        CommandFailed: The address is in use or is not of this machine.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.LimitOverrunError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(await _response(metrics, head.split(b"\r\n", 1)[0]))
            await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, address.host, address.port, limit=_LONGEST)
    except OSError as error:
        # asyncio replaces the system's text by its own; the number of an unknown name is negative.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        raise CommandFailed(
            _("--metrics cannot use {address}: {reason}.").format(address=address, reason=reason.lower())
        ) from None
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://{Address(address.host, port)}/metrics"


async def _response(metrics: Metrics, request: bytes) -> bytes:
    """Return the response to the first line of a request."""
    method, _, rest = request.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if path != b"/metrics":
        return _page("404 Not Found", b"The metrics are at /metrics.\n")
    if method not in {b"GET", b"HEAD"}:
        return _page("405 Method Not Allowed", b"Use GET.\n", "Allow: GET, HEAD\r\n")
    page = _page("200 OK", await metrics.text(), content_type=CONTENT_TYPE)
    return page.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == b"HEAD" else page


def _page(status: str, body: bytes, more: str = "", *, content_type: str = "text/plain; charset=utf-8") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        f"{more}Connection: close\r\n\r\n"
    )
    return head.encode() + body
