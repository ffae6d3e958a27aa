"""The screen of the chats: its main task and its failure, by click and key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.browser.console.console_user import button, log_in, open_screen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


async def test_an_account_logs_in_sends_receives_and_recalls(
    open_console: Callable[..., Awaitable[Any]], world: World
) -> None:
    page = await open_console()
    await log_in(page, world)

    await open_screen(page, "Chats")
    await page.get_by_role("log", name="Messages with File Transfer Helper").wait_for()
    await page.get_by_label("Message", exact=True).fill("hello <b>phone</b>")
    await page.keyboard.press("Enter")
    sent = page.get_by_role("article").filter(has_text="hello <b>phone</b>")
    await sent.wait_for()
    await sent.get_by_role("button", name="Recall").click()
    await sent.get_by_text("recalled", exact=True).wait_for()

    world.say("me", "filehelper", "from the phone")
    await page.get_by_role("article").filter(has_text="from the phone").wait_for()
    from tests.browser.user import SHOTS  # needs Playwright

    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / "console.png", animations="disabled")


async def test_a_message_that_is_refused_is_explained(
    open_console: Callable[..., Awaitable[Any]], world: World
) -> None:
    page = await open_console()
    await log_in(page, world)
    await open_screen(page, "Chats")
    await page.get_by_label("Message", exact=True).fill("x" * 40_000)
    await button(page, "Send").click()
    await page.get_by_role("alert").filter(has_text=re.compile(r"\w")).wait_for()
