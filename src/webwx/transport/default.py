"""The default transport: our own, or aiohttp if ours does not support the proxy or the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    import os

    from webwx.transport.runner import Transport


def default_transport(
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - a frozen value
    *,
    proxy: str | None = None,
    ca_file: str | os.PathLike[str] | None = None,
) -> Transport:
    """
    Return a transport over real HTTP for the running loop.

    Args:
        timeouts: Timeouts by kind of call.
        proxy: Address of a proxy, such as `http://127.0.0.1:8790`.
        ca_file: File of certificates to trust in place of the system's.
    """
    # TLS inside TLS needs more than a socket, and Windows' own loop cannot watch one.
    if (proxy and not proxy.lower().startswith("http://")) or not _can_watch(asyncio.get_running_loop()):
        from webwx.transport.aiohttp_transport import AiohttpTransport

        return AiohttpTransport(timeouts, proxy=proxy, ca_file=ca_file)
    from webwx.transport.http11 import Http11Transport

    return Http11Transport(timeouts, proxy=proxy, ca_file=ca_file)


def _can_watch(loop: asyncio.AbstractEventLoop) -> bool:
    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader
