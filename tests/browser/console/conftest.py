"""A gateway on a port with its accounts at a sandbox, and its console in a browser."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from tests.browser.console.console_user import ServedGateway
from tests.browser.network import PATIENCE
from tests.gateway.adapters.toy import build, importable

from webwx.client.accounts import Accounts
from webwx.client.sending.rate_limit import RateLimit
from webwx.gateway.app import Gateway
from webwx.gateway.config import FallbackTable, GatewayConfig, IncomingFilesTable, ListenTable
from webwx.gateway.ownership.sole import LocalGateway
from webwx.gateway.serve import listen, serve
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, Page, Response

    from webwx.sandbox.serve import RunningSandbox
    from webwx.sandbox.world import World


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(served: RunningSandbox, tmp_path: Path) -> AsyncIterator[ServedGateway]:
    """A gateway without accounts."""
    records = open_records(tmp_path / "gateway.db")
    port = LocalGateway(
        lambda on_state: Accounts(
            tmp_path, server=served.url, on_state=on_state,
            rate_limit=RateLimit(spacing=0, jitter=0, messages_per_minute=1000, uploads_per_hour=1000),
        ),
        tmp_path, records,
    )  # fmt: skip
    root = tmp_path / "incoming"
    root.mkdir()
    config = GatewayConfig(
        listen=ListenTable(port=0), incoming_files=IncomingFilesTable(root=str(root), keep_free=0),
        fallback=FallbackTable(command=(sys.executable, "-c", "import sys; sys.stdin.read()")),
    )  # fmt: skip
    gateway, listener, ready = Gateway(config, records, port, tmp_path / "files"), listen(config), asyncio.Event()
    serving = asyncio.ensure_future(serve(gateway, listener, ready.set))
    await ready.wait()
    yield ServedGateway(gateway, listener.url)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


@pytest.fixture
def with_notes(gateway: ServedGateway, tmp_path: Path) -> Iterator[None]:
    """Add the adapter of the documentation to the gateway."""
    folder = tmp_path / "toy"
    folder.mkdir()
    with importable(folder):
        gateway.gateway.programs.entries = build(folder)
        yield


@pytest_asyncio.fixture(loop_scope="session")
async def open_console(chromium: Browser, gateway: ServedGateway) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """Open the console in a new browser; at the end it fails if a page has logged an error, or asked for nonsense."""
    opened: list[BrowserContext] = []
    wrongs: list[str] = []

    async def open_page(**how: Any) -> Page:
        context = await chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-US"} | how)
        opened.append(context)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: wrongs.append(f"error: {error}"))
        page.on("console", lambda entry: wrongs.append(entry.text) if "Content Security Policy" in entry.text else None)
        page.on("request", lambda request: wrongs.append(request.url) if gateway.url not in request.url else None)
        page.on("response", lambda answer: wrongs.append(answer.url) if is_nonsense(answer) else None)
        await page.goto(await gateway.link())
        return page

    def is_nonsense(answer: Response) -> bool:
        """Return whether the gateway did not understand what the page wanted to read, which no user can cause."""
        return bool(answer.status == 400 and answer.request.method == "GET")

    yield open_page
    for context in opened:
        await context.close()
    assert wrongs == []


@pytest_asyncio.fixture(loop_scope="session")
async def console(gateway: ServedGateway, world: World, open_console: Callable[..., Awaitable[Page]]) -> Page:
    """The console of a gateway with one account, number 1, that is online; it follows the events."""
    await gateway.log_in(world)
    page = await open_console()
    await page.get_by_text("Live", exact=True).wait_for()
    return page
