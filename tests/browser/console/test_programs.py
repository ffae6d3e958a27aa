"""The screen of the programs: create one, copy its configuration, switch it, replace its token, delete it."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.browser.console.console_user import button, open_screen

from webwx.gateway.accounts.journal_lookup import user_of
from webwx.gateway.adapters.confirmation import GRACE, LIFE, SendToConfirm
from webwx.gateway.adapters.program import Program, StoredProgram

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


async def ask(gateway: ServedGateway, text: str) -> None:
    """Ask the owner about a text to Boss, as the only program does."""
    [stored] = await gateway.gateway.programs.find()
    client = gateway.gateway.port.account(1).client
    boss, user = await client.who("Boss"), await user_of(client)
    wanted = SendToConfirm(text, boss.number, boss.name, is_group=False, kind="text", text=text, user=user)
    await gateway.gateway.confirmations.ask(Program(stored, None), wanted)


async def test_a_waiting_send_disappears_by_itself_when_its_time_is_over(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World
) -> None:
    app = gateway.gateway
    await gateway.log_in(world)
    made = await app.programs.create(
        StoredProgram(
            id="", name="assistant", adapter="mcp", account=1, digest="", created_at=0, options={"confirm": "phone"}
        )
    )
    await ask(gateway, "an unanswered text")

    async def age(**seconds: float) -> None:
        [asked] = await app.confirmations.stored.list(made.program.id)
        older = {name: getattr(asked, name) - each for name, each in seconds.items()}
        await app.confirmations.stored.change(asked, lambda stored: replace(stored, **older))

    await age(asked_at=LIFE)
    page = await open_console()
    await page.goto(f"{gateway.url}/#/programs/{made.program.id}")
    waiting = page.get_by_role("region", name="Waiting for you")
    await waiting.get_by_text("an unanswered text").wait_for()
    await age(created_at=LIFE + GRACE)
    await waiting.get_by_text("No send waits.").wait_for()


@pytest.mark.usefixtures("with_notes")
async def test_a_program_is_connected_switched_off_changed_and_deleted(console: Page, gateway: ServedGateway) -> None:
    await open_screen(console, "Connected programs")
    await button(console, "New program").click()
    form = console.get_by_role("dialog", name="New program")
    await form.get_by_label("Name").fill("notebook")
    await button(form, "Create program").click()
    made = console.get_by_role("dialog", name="Connect notebook")
    token = await made.get_by_label("Token", exact=True).inner_text()
    configuration = await made.get_by_label("Configuration for A notebook", exact=True).inner_text()
    assert configuration == f"address = {gateway.url}/note{token}"
    await made.get_by_role("button", name="Close").last.click()

    await console.get_by_role("link", name="notebook").click()
    assert token not in await console.content()
    await button(console, "Switch off").click()
    await button(console, "Switch on").click()
    await button(console, "Switch off").wait_for()
    await button(console, "Edit").click()
    form = console.get_by_role("dialog", name="notebook")
    await form.get_by_label("Chats that it sees").fill("filehelper, 12")
    await button(form, "Save").click()
    await console.get_by_text("Chats that it sees: File Transfer Helper, 12").wait_for()
    [stored] = await gateway.gateway.programs.find()
    assert (stored.enabled, stored.permissions.see) == (True, ("filehelper", 12))

    await button(console, "Replace token").click()
    await button(console.get_by_role("dialog", name="Replace the token of notebook?"), "Replace token").click()
    made = console.get_by_role("dialog", name="Connect notebook")
    renewed = await made.get_by_label("Token", exact=True).inner_text()
    assert renewed != token
    await made.get_by_role("button", name="Close").last.click()
    await button(console, "Delete").click()
    await button(console.get_by_role("dialog", name="Delete notebook?"), "Delete").click()
    await console.get_by_text("No programs yet").wait_for()


async def test_a_send_that_waits_for_the_owner_is_accepted(
    console: Page, gateway: ServedGateway, world: World
) -> None:  # fmt: skip
    await open_screen(console, "Connected programs")
    await button(console, "New program").click()
    form = console.get_by_role("dialog", name="New program")
    await form.get_by_label("Name").fill("assistant")
    await form.get_by_label("Sends to other people").select_option("phone")
    await button(form, "Create program").click()
    made = console.get_by_role("dialog", name="Connect assistant")
    await made.get_by_role("button", name="Close").last.click()
    [stored] = await gateway.gateway.programs.find()
    assert stored.options == {"confirm": "phone"}
    await ask(gateway, "a <b>text</b>")

    await console.get_by_role("link", name="assistant").click()
    waiting = console.get_by_role("region", name="Waiting for you")
    await waiting.get_by_text("a <b>text</b>").wait_for()
    await button(waiting, "Send it").click()
    await waiting.get_by_text("No send waits.").wait_for()
    async with asyncio.timeout(20):
        while "xiaoming" not in world.inbox("lilei"):  # noqa: ASYNC110 - no event marks what arrives at a phone
            await asyncio.sleep(0.02)
    assert [each.text for each in world.inbox("lilei")["xiaoming"].messages] == ["a <b>text</b>"]


async def test_a_chinese_console_tells_the_time_and_the_fields_in_chinese_in_a_browser_of_another_language(
    console: Page, gateway: ServedGateway
) -> None:
    await gateway.gateway.programs.create(
        StoredProgram(
            id="", name="assistant", adapter="mcp", account=1, digest="", created_at=0, options={"confirm": "phone"}
        )
    )
    await ask(gateway, "a text")
    await button(console, "中文").click()
    await open_screen(console, "已连接的程序")
    await console.get_by_role("link", name="assistant").click()
    await console.get_by_text(re.compile(r"^请在 \d\d:\d\d 之前")).wait_for()
    await console.get_by_text("状态：已启用", exact=True).wait_for()


async def test_a_send_that_waits_for_the_owner_is_counted_and_appears_without_a_reload(
    console: Page, gateway: ServedGateway
) -> None:
    await gateway.gateway.programs.create(
        StoredProgram(
            id="", name="assistant", adapter="mcp", account=1, digest="", created_at=0, options={"confirm": "phone"}
        )
    )
    await ask(gateway, "the first")
    link = console.get_by_role("navigation").get_by_role("link", name="Connected programs", exact=True)
    await console.wait_for_function(
        "link => link.title === 'Sends that wait for you: 1'", arg=await link.element_handle()
    )
    await open_screen(console, "Connected programs")
    await console.get_by_role("link", name="assistant").click()
    waiting = console.get_by_role("region", name="Waiting for you")
    await button(waiting, "Do not send it").focus()
    await waiting.get_by_text("the first").evaluate("text => { window.first = text; }")
    await ask(gateway, "the second")
    await waiting.get_by_text("the second").wait_for()
    assert await console.evaluate("first.isConnected && document.activeElement.textContent") == "Do not send it"
    await console.wait_for_function(
        "link => link.title === 'Sends that wait for you: 2'", arg=await link.element_handle()
    )
    await console.keyboard.press("Enter")
    await waiting.get_by_text("the first").wait_for(state="detached")
    await console.wait_for_function(
        "link => link.title === 'Sends that wait for you: 1'", arg=await link.element_handle()
    )
