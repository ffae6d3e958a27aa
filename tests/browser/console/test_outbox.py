"""The screen of the outbox: states are explained, and a send is repeated or forgotten after a question."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import button, open_screen

from webwx.errors import WxError
from webwx.gateway.accounts.account_sends import TextContent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Locator, Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


def row(page: Page, words: str) -> Locator:
    return page.get_by_role("row").filter(has_text=words)


def texts(world: World) -> list[str]:
    return [each.text for each in world.inbox("me")["filehelper"].messages]


async def send(gateway: ServedGateway, text: str) -> None:
    """Send a text as a program does, with any outcome."""
    with contextlib.suppress(WxError):  # the outbox has the outcome
        await gateway.gateway.port.account(1).sends.send("filehelper", TextContent(text=text))


async def test_an_unknown_outcome_is_explained_and_sent_again_after_a_question(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    world.faults.add("empty:endpoint=webwxsendmsg,times=1")
    await send(gateway, "perhaps")
    await open_screen(console, "Outbox")
    await row(console, "perhaps").get_by_text("Unknown outcome").wait_for()
    await console.get_by_text("Messages that may or may not have arrived: 1").wait_for()
    await row(console, "perhaps").get_by_role("button", name="Send again").click()
    question = console.get_by_role("dialog", name="Send this message again?")
    await question.get_by_text("the other person gets it twice").wait_for()
    await console.keyboard.press("Enter")  # Cancel has the focus
    await question.wait_for(state="detached")
    assert texts(world) == ["perhaps"]
    await row(console, "perhaps").get_by_role("button", name="Send again").click()
    await question.get_by_role("button", name="Send again").click()
    await row(console, "perhaps").get_by_text("Sent", exact=True).wait_for()
    assert texts(world) == ["perhaps", "perhaps"]


async def test_an_unknown_outcome_is_sent_again_once_by_two_tabs_and_by_a_double_click(
    console: Page, open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World
) -> None:
    world.faults.add("empty:endpoint=webwxsendmsg,times=1")
    await send(gateway, "perhaps")
    pages = [console, await open_console()]
    for page in pages:
        await open_screen(page, "Outbox")
        await row(page, "perhaps").get_by_role("button", name="Send again").click()
    for page in pages:
        question = page.get_by_role("dialog", name="Send this message again?")
        await question.get_by_role("button", name="Send again").dblclick()
        await page.get_by_text("It was sent").wait_for()
        await row(page, "perhaps").get_by_text("Sent", exact=True).wait_for()
    assert texts(world) == ["perhaps", "perhaps"]


async def test_a_send_is_forgotten_by_key_after_a_question(console: Page, gateway: ServedGateway) -> None:
    await send(gateway, "done")
    await open_screen(console, "Outbox")
    await row(console, "done").get_by_role("button", name="Forget").focus()
    await console.keyboard.press("Enter")
    await console.get_by_role("dialog", name="Forget this message?").wait_for()
    await console.keyboard.press("Tab")
    await console.keyboard.press("Enter")
    await console.get_by_text("Deleted from the outbox").wait_for()
    await console.get_by_text("Nothing was sent yet").wait_for()


async def test_a_refused_send_can_be_repeated_and_a_second_refusal_is_explained(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    world.faults.add("ret:endpoint=webwxsendmsg,times=2,ret=1204")
    await send(gateway, "stubborn")
    await open_screen(console, "Outbox")
    await console.get_by_label("State").select_option("Not sent")
    failed = row(console, "stubborn")
    await failed.get_by_text("WeChat refused it (code 1204).").wait_for()
    for _ in range(2):
        await failed.get_by_role("button", name="Send again").click()
        await console.get_by_role("dialog").get_by_role("button", name="Send again").click()
        await (
            console.get_by_role("alert")
            .filter(has_text="1204")
            .or_(console.get_by_text("It was sent"))
            .first.wait_for()
        )
    await console.get_by_text("No message has this state").wait_for()
    await console.get_by_label("State").select_option("All states")
    await failed.get_by_text("Sent", exact=True).wait_for()
    assert texts(world) == ["stubborn"]


async def test_an_outbox_without_an_account_shows_the_next_step(open_console: Callable[..., Awaitable[Page]]) -> None:
    page = await open_console()
    await open_screen(page, "Outbox")
    await button(page, "Open accounts").click()
    await page.get_by_role("heading", name="Accounts").wait_for()
