"""The console's stream of events in a browser, across restarts of the gateway."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from webwx.client.accounts import Accounts
from webwx.gateway.app import Gateway
from webwx.gateway.config import GatewayConfig, ListenTable
from webwx.gateway.ownership.sole import LocalGateway
from webwx.gateway.serve import listen, serve
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from webwx.sandbox.serve import RunningSandbox
    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

READ = """
async () => {
  const { openStream } = await import("/console/api.js");
  window.seen = [];
  const source = openStream("/events/stream?types=message.text");
  source.addEventListener("open", () => seen.push("open"));
  source.addEventListener("message", (event) => seen.push(JSON.parse(event.data).data.text));
  source.addEventListener("reset", () => seen.push("reset"));
}
"""


@contextlib.asynccontextmanager
async def serving(folder: Path, server: str, port: int) -> AsyncIterator[tuple[Gateway, str]]:
    """Serve a gateway on a folder; the next one continues where an earlier one was stopped."""
    records = open_records(folder / "gateway.db")
    accounts = LocalGateway(lambda on_state: Accounts(folder, server=server, on_state=on_state), folder, records)
    config = GatewayConfig(listen=ListenTable(port=port))
    gateway, listener, ready = Gateway(config, records, accounts, folder / "files"), listen(config), asyncio.Event()
    task = asyncio.ensure_future(serve(gateway, listener, ready.set))
    await ready.wait()
    try:
        yield gateway, listener.url
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def log_in(gateway: Gateway, world: World) -> None:
    account = await gateway.port.add_account("default")
    await account.logins.begin("qr")
    async for status in account.logins.watch():
        match status.state:
            case "code":
                world.scan("me")
            case "scanned":
                world.confirm()
            case _:
                pass


async def until_seen(page: Page, *expected: str) -> None:
    """Wait until the page has seen exactly these texts and signs."""
    await page.wait_for_function(
        "expected => JSON.stringify(seen) === JSON.stringify(expected)", arg=list(expected), timeout=60_000
    )


async def test_the_stream_misses_nothing_while_the_gateway_is_away_and_learns_that_events_are_gone(
    chromium: Browser, served: RunningSandbox, world: World, tmp_path: Path
) -> None:
    page = await (await chromium.new_context()).new_page()
    async with serving(tmp_path, served.url, 0) as (gateway, url):
        await log_in(gateway, world)
        await page.goto(f"{url}/#code={await gateway.sessions.create_code()}")
        await page.get_by_role("heading", name="Chats").wait_for(state="attached")
        await page.evaluate(READ)
        await until_seen(page, "open")
        world.say("阿华", "me", "one")
        await until_seen(page, "open", "one")
    port = int(url.rpartition(":")[2])
    world.say("阿华", "me", "two")
    async with serving(tmp_path, served.url, port):
        await until_seen(page, "open", "one", "open", "two")
        world.say("阿华", "me", "three")
        await until_seen(page, "open", "one", "open", "two", "three")
    for path in tmp_path.glob("logins/*.journal*"):
        path.unlink()
    async with serving(tmp_path, served.url, port):
        await until_seen(page, "open", "one", "open", "two", "three", "open", "reset")
        world.say("阿华", "me", "four")
        await until_seen(page, "open", "one", "open", "two", "three", "open", "reset", "four")
    await page.context.close()
