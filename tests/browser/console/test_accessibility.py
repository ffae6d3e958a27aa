"""Every screen of the console passes the rules of axe in both themes, languages and widths, and so do dialogs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.browser.console.console_user import button, open_screen
from tests.browser.console.test_events import row as event_row
from tests.browser.console.test_focus import ask_owner
from tests.browser.console.test_receivers import create as create_receiver
from tests.browser.console.test_webhooks import create as create_webhook
from tests.browser.console.test_workers import leases as leases
from tests.gateway.webhook_receiver import webhook_receiver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import FilePayload, Page
    from tests.browser.axe import AccessibilityChecker
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = [pytest.mark.verify, pytest.mark.timeout(180)]

WIDTHS = pytest.mark.parametrize("width", [1280, 390])


@pytest.mark.parametrize(
    "how", [{"locale": "en-US"}, {"locale": "zh-CN", "viewport": {"width": 390, "height": 700}}], ids=["wide", "narrow"]
)
async def test_every_screen_passes_the_rules_of_axe(
    open_console: Callable[..., Awaitable[Page]],
    gateway: ServedGateway,
    world: World,
    accessibility: AccessibilityChecker,
    how: dict[str, Any],
) -> None:
    await gateway.log_in(world)
    world.say("ahua", "me", "hello")
    page = await open_console(**how)
    await page.get_by_role("navigation").wait_for()
    names = await page.locator(".nav-link > span:not(.badge)").all_text_contents()
    assert "Keys" in names or "密钥" in names
    assert len(names) >= 10
    for name in names:
        await open_screen(page, name)
        await page.locator("#screen .quiet").wait_for(state="hidden")  # it has loaded
        await accessibility.check(page, await page.evaluate("location.hash"))
    assert accessibility.found == []


async def test_every_kind_of_dialog_passes_the_rules_of_axe(
    open_console: Callable[..., Awaitable[Page]],
    gateway: ServedGateway,
    world: World,
    accessibility: AccessibilityChecker,
    photo: FilePayload,
) -> None:
    await gateway.log_in(world)
    page = await open_console(locale="en-US")

    async def check() -> None:
        await page.locator("dialog[open]").wait_for()
        title = await page.locator("dialog[open] h2").inner_text()
        await accessibility.check(page, title, within="dialog[open]")
        await page.keyboard.press("Escape")
        await page.locator("dialog[open]").wait_for(state="detached")

    async def check_buttons(*names: str) -> None:
        for name in names:
            await button(page.locator("#screen"), name).first.click()
            await check()

    await open_screen(page, "Accounts")
    await check_buttons("Settings", "Add account", "Log out")
    await open_screen(page, "Keys")
    await check_buttons("New key")
    await open_screen(page, "Live events")
    world.say("ahua", "me", "hello")
    await event_row(page, "hello").press("Enter")
    await check()
    await open_screen(page, "Health")
    await check_buttons("End all sessions")
    await open_screen(page, "Webhooks")
    await check_buttons("New webhook")
    async with webhook_receiver() as receiver:
        await create_webhook(page, receiver.url)
    await page.get_by_role("link", name="n8n").click()
    await check_buttons("Edit", "Replace secret", "Delete")
    await open_screen(page, "Notifications")
    await check_buttons("New address")
    await create_receiver(page, "github", "builds")
    await check()
    await page.get_by_role("link", name="builds").click()
    await check_buttons("Edit", "Delete")
    await open_screen(page, "Incoming files")
    await check_buttons("New rule")

    world.picture("ahua", "me", photo["buffer"])
    await open_screen(page, "Chats")
    await page.get_by_role("option", name=re.compile("^阿华")).click()
    nothing: FilePayload = {"name": "nothing.txt", "mimeType": "text/plain", "buffer": b""}
    await page.locator(".chosen-file").set_input_files([photo, nothing])
    await page.get_by_role("list", name="Files to send").get_by_text("It is empty.").wait_for()
    await accessibility.check(page, "files", within=".conversation")
    await button(page, "Picture from 阿华").click()
    await page.get_by_role("dialog", name="Pictures").get_by_role("img").wait_for()
    await accessibility.check(page, "viewer", within="dialog[open]")
    assert accessibility.found == []


@WIDTHS
async def test_programs_refusals_and_events_that_were_given_up_pass_the_rules_of_axe(
    open_console: Callable[..., Awaitable[Page]],
    gateway: ServedGateway,
    world: World,
    accessibility: AccessibilityChecker,
    width: int,
) -> None:
    await gateway.log_in(world)
    page = await open_console(locale="en-US", viewport={"width": width, "height": 800})
    await ask_owner(gateway, "Shall I come?")
    await open_screen(page, "Connected programs")
    await page.get_by_role("link", name="assistant").click()
    await page.get_by_text("Shall I come?").wait_for()
    await accessibility.check(page, "a send that waits")
    for name in ("Edit", "Replace token"):
        await button(page, name).click()
        await page.locator("dialog[open]").wait_for()
        await accessibility.check(page, name, within="dialog[open]")
        await page.keyboard.press("Escape")
    await open_screen(page, "Accounts")
    await button(page, "Add account").click()
    await page.get_by_role("dialog").get_by_label("Name").fill("../x")
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").filter(has_text="cannot name an account").wait_for()
    await accessibility.check(page, "a refusal", within="dialog[open]")
    await page.keyboard.press("Escape")
    async with gateway.gateway.port.account(1).events.consume("bot") as consumer:
        world.say("ahua", "me", "hello")  # a new consumer begins with the next event
        for event in await consumer.take():
            await consumer.give_up(event.event.number, "ValueError in bot.py:7")
    await open_screen(page, "Health")
    await page.get_by_role("table", name="Events that were given up").wait_for()
    await accessibility.check(page, "events that were given up")
    assert accessibility.found == []


@WIDTHS
@pytest.mark.usefixtures("leases")
async def test_the_screen_of_the_workers_passes_the_rules_of_axe(
    open_console: Callable[..., Awaitable[Page]], accessibility: AccessibilityChecker, width: int
) -> None:
    page = await open_console(viewport={"width": width, "height": 800})
    await open_screen(page, "Workers")
    await page.get_by_role("table", name="Workers").locator("tr[data-key=one]").wait_for()
    await accessibility.check(page, "workers")
    await button(page, "Hand over accounts").first.click()
    await page.locator("dialog[open]").wait_for()
    await accessibility.check(page, "hand over", within="dialog[open]")
    assert accessibility.found == []
