"""The screen of the programs: create one, copy its configuration, switch it, replace its token, delete it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import button, open_screen

from webwx.gateway.accounts.journal_lookup import user_of
from webwx.gateway.adapters.confirmation import SendToConfirm
from webwx.gateway.adapters.program import Program

if TYPE_CHECKING:
    from playwright.async_api import Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


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
    client = gateway.gateway.port.account(1).client
    boss, user = await client.who("Boss"), await user_of(client)
    wanted = SendToConfirm("k", boss.number, boss.name, is_group=False, kind="text", text="a <b>text</b>", user=user)
    await gateway.gateway.confirmations.ask(Program(stored, None), wanted)

    await console.get_by_role("link", name="assistant").click()
    waiting = console.get_by_role("region", name="Waiting for you")
    await waiting.get_by_text("a <b>text</b>").wait_for()
    await button(waiting, "Send it").click()
    await waiting.get_by_text("No send waits.").wait_for()
    async with asyncio.timeout(20):
        while "xiaoming" not in world.inbox("lilei"):  # noqa: ASYNC110 - no event marks what arrives at a phone
            await asyncio.sleep(0.02)
    assert [each.text for each in world.inbox("lilei")["xiaoming"].messages] == ["a <b>text</b>"]
