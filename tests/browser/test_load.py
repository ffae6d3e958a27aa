"""
Both pages with 300 chats and 5,000 messages stay below a number of elements, and make few of them at a time, wherever
the user goes; how long that takes is measured by `make bench CASES=page`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from benchmarks.pages import MESSAGES, MOST_MADE, MOST_NODES, busy_world, walk_console, walk_phones, write
from tests.browser.console.conftest import gateway as gateway
from tests.browser.console.test_chats import client_of
from tests.browser.network import PATIENCE

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route
    from tests.browser.console.console_user import ServedGateway
    from tests.secret_scanner import SecretScanner

    from webwx.sandbox.serve import RunningSandbox
    from webwx.sandbox.world import World

LONG = 400
"""Messages of the long chat: enough for several parts of it."""

pytestmark = [pytest.mark.verify, pytest.mark.timeout(400)]


@pytest.fixture
def world(secret_scanner: SecretScanner) -> World:
    """小明 with 300 more friends."""
    world = busy_world()
    secret_scanner.watch(world.issued)
    return world


async def test_both_pages_stay_small_with_many_chats_and_messages(
    chromium: Browser, served: RunningSandbox, world: World, gateway: ServedGateway
) -> None:
    await gateway.log_in(world)
    texts = write(world, messages=MESSAGES, long=LONG)
    client = client_of(gateway)
    while not await client.search(texts[1]):  # noqa: ASYNC110 - it is stored by the task of the account
        await asyncio.sleep(0.05)
    page = await chromium.new_page()
    page.set_default_timeout(PATIENCE)
    console = await walk_console(page, await gateway.link(), gateway.url, texts)
    phones = await walk_phones(page, f"{served.url}/phone", texts)
    await page.close()
    for walk in (console, phones):
        assert 500 < walk.nodes <= MOST_NODES
    assert 100 < walk.made <= MOST_MADE


async def test_the_document_is_ready_before_the_script_that_fills_it(chromium: Browser, served: RunningSandbox) -> None:
    page = await chromium.new_page()
    page.set_default_timeout(PATIENCE)
    is_ready = asyncio.Event()

    async def after_the_document(route: Route) -> None:
        await is_ready.wait()
        await route.continue_()

    await page.route("**/phone.js", after_the_document)
    # Else the browser lays out the page in the task of its last script, and this is the longest of all.
    await page.goto(f"{served.url}/phone", wait_until="domcontentloaded")
    is_ready.set()
    await page.get_by_role("navigation", name="Views").wait_for()
    await page.close()
