"""The default transport: our own, or aiohttp where ours does not work."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from webwx.transport.aiohttp_transport import AiohttpTransport
from webwx.transport.default import default_transport
from webwx.transport.http11 import Http11Transport


@pytest.mark.parametrize(
    ("proxy", "kind"),
    [
        (None, Http11Transport),
        ("http://127.0.0.1:3128", Http11Transport),
        ("HTTP://127.0.0.1:3128", Http11Transport),
        ("https://127.0.0.1:3128", AiohttpTransport),
    ],
)
async def test_a_proxy_over_tls_needs_aiohttp(proxy: str | None, kind: type) -> None:
    assert type(default_transport(proxy=proxy)) is kind


def test_a_loop_without_socket_readers_needs_aiohttp() -> None:
    class LikeOnWindows(asyncio.SelectorEventLoop):
        """A loop without readers for sockets, which does not announce it."""

        add_reader = asyncio.AbstractEventLoop.add_reader

        def _add_reader(self, *arguments: object) -> None:
            """Refuse every reader; the loop itself uses this method for its pipe."""

    async def choose() -> type:
        return type(default_transport())

    with asyncio.Runner(loop_factory=LikeOnWindows) as runner:
        assert runner.run(choose()) is AiohttpTransport


def test_our_transport_does_not_import_aiohttp() -> None:
    program = "import sys; import webwx.transport.default, webwx.transport.http11; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
