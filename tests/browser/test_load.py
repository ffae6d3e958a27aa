"""Both pages with 300 chats and many messages stay below a number of elements, wherever the user scrolls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from benchmarks.pages import MOST_NODES, busy_world, walk_console, walk_phones, write
from tests.browser.console.conftest import gateway as gateway

if TYPE_CHECKING:
    from playwright.async_api import Browser
    from tests.browser.console.console_user import ServedGateway
    from tests.secret_scanner import SecretScanner

    from webwx.sandbox.serve import RunningSandbox
    from webwx.sandbox.world import World

MESSAGES = 1_000
"""Enough for a chat of several parts; the benchmark of the pages has 5,000."""

pytestmark = [pytest.mark.verify, pytest.mark.timeout(180)]


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
    texts = write(world, messages=MESSAGES)
    page = await chromium.new_page()
    page.set_default_timeout(45_000)  # until all messages are stored
    console = await walk_console(page, await gateway.link(), gateway.url, texts)
    phones = await walk_phones(page, f"{served.url}/phone", texts)
    await page.close()
    assert 500 < console.nodes <= MOST_NODES
    assert 500 < phones.nodes <= MOST_NODES
