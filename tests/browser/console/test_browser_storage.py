"""Both pages go on in a browser that gives them no storage, as in a private window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import open_screen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page
    from tests.browser.console.console_user import ServedGateway
    from tests.browser.user import BrowserUser

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

REFUSE = """
for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("Access is denied.", "SecurityError"); } });
}
"""


async def test_the_console_goes_on_without_the_storage_of_the_browser(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World
) -> None:
    await gateway.log_in(world)
    page = await open_console()
    await page.context.add_init_script(REFUSE)
    await page.goto("about:blank")
    await page.goto(await gateway.link())
    await open_screen(page, "Chats")
    chat = page.get_by_role("listbox", name="Chats").get_by_role("option", name="File Transfer Helper")
    await chat.click()
    text = page.get_by_role("textbox", name="Message", exact=True)
    await text.fill("not sent yet")
    await open_screen(page, "Accounts")
    await open_screen(page, "Chats")
    await chat.click()
    await page.wait_for_function("text => text.value === 'not sent yet'", arg=await text.element_handle())
    await text.press("Enter")
    await page.get_by_role("log").get_by_text("not sent yet").wait_for()
    assert await page.evaluate("(() => { try { return localStorage.length; } catch { return null; } })()") is None


async def test_the_page_of_the_phones_goes_on_without_the_storage_of_the_browser(hands: BrowserUser) -> None:
    await hands.page.context.add_init_script(REFUSE)
    await hands.page.reload()
    await hands.be("阿华")
    await hands.begin_chat("小明")
    await hands.say("hello")
    await hands.see(hands.message("hello")).to_be_visible()
