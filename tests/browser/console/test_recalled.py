"""The screen of the recalled messages: their content, and how they are forwarded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import button, open_screen

if TYPE_CHECKING:
    from playwright.async_api import FilePayload, Page, Route

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


async def seen(page: Page, words: str) -> None:
    """Wait until the gateway has received a message, which is then among the live events."""
    await open_screen(page, "Live events")
    await page.get_by_role("option").filter(has_text=words).first.wait_for()


async def test_a_recalled_text_is_shown_and_forwarded(console: Page, world: World) -> None:
    world.say("ahua", "me", "never mind")
    await seen(console, "never mind")
    await open_screen(console, "Recalled")
    await console.get_by_text("Nothing was recalled").wait_for()
    world.recall("ahua", "me")
    entry = console.get_by_role("listitem").filter(has_text="阿华 recalled a message")
    await entry.get_by_text("never mind").wait_for()
    await entry.get_by_role("button", name="Send to File Transfer Helper").focus()
    await console.keyboard.press("Enter")
    await entry.get_by_text("Sent to File Transfer Helper").wait_for()
    assert [each.text for each in world.inbox("me")["filehelper"].messages] == ["never mind"]


async def test_a_recalled_picture_is_shown_if_the_gateway_has_it(
    console: Page, world: World, photo: FilePayload
) -> None:
    world.picture("ahua", "me", photo["buffer"])
    await seen(console, "Picture")
    await open_screen(console, "Chats")
    await console.get_by_role("option", name="阿华").first.click()
    shown = console.get_by_role("img", name="Picture from 阿华")
    await console.wait_for_function("picture => picture.naturalWidth > 0", arg=await shown.element_handle())
    world.recall("ahua", "me")
    await open_screen(console, "Recalled")
    await shown.wait_for()
    await console.wait_for_function("picture => picture.naturalWidth > 0", arg=await shown.element_handle())


async def test_a_forward_that_is_refused_is_explained(console: Page, world: World) -> None:
    world.say("ahua", "me", "not again")
    await seen(console, "not again")
    world.recall("ahua", "me")
    await open_screen(console, "Recalled")
    world.faults.add("ret:endpoint=webwxsendmsg,times=1,ret=1204")
    await button(console, "Send to File Transfer Helper").click()
    await console.get_by_role("alert").filter(has_text="1204").wait_for()
    await button(console, "Send to File Transfer Helper").click()
    await console.get_by_text("Sent to File Transfer Helper").first.wait_for()
    assert [each.text for each in world.inbox("me")["filehelper"].messages] == ["not again"]


async def test_a_forward_whose_answer_was_lost_is_repeated_without_a_second_message(
    console: Page, world: World
) -> None:
    world.say("ahua", "me", "only once")
    await seen(console, "only once")
    world.recall("ahua", "me")
    await open_screen(console, "Recalled")

    async def lose_answer(route: Route) -> None:
        await route.fetch()
        await route.fulfill(status=504, body="Gateway Timeout")

    await console.route("**/forward", lose_answer)
    await button(console, "Send to File Transfer Helper").click()
    await console.get_by_role("alert").filter(has_text="HTTP 504").wait_for()
    await console.unroute("**/forward")
    await button(console, "Send to File Transfer Helper").click()
    await console.get_by_text("Sent to File Transfer Helper").first.wait_for()
    assert [each.text for each in world.inbox("me")["filehelper"].messages] == ["only once"]
