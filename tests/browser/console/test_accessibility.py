"""Every screen of the console passes the rules of axe, in both languages and in a narrow window, and so do dialogs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.browser.console.console_user import button, open_screen
from tests.browser.console.test_events import row as event_row
from tests.browser.console.test_receivers import create as create_receiver
from tests.browser.console.test_webhooks import create as create_webhook
from tests.gateway.webhook_receiver import webhook_receiver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from axe_playwright_python.async_playwright import Axe
    from playwright.async_api import FilePayload, Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"label-content-name-mismatch": {"enabled": True}},
}
"""The rules of axe; the one named is experimental: what is shown is a part of the name for screen readers."""


@pytest.fixture
def axe() -> Axe:
    """The checker of the rules of accessibility."""
    module = pytest.importorskip(
        "axe_playwright_python.async_playwright", reason="axe is not here; `uv sync --group browser` brings it"
    )
    checker: Axe = module.Axe()
    return checker


@pytest.mark.parametrize(
    "how", [{"locale": "en-US"}, {"locale": "zh-CN", "viewport": {"width": 390, "height": 700}}], ids=["wide", "narrow"]
)
async def test_every_screen_passes_the_rules_of_axe(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World, axe: Axe, how: dict[str, Any]
) -> None:
    await gateway.log_in(world)
    world.say("ahua", "me", "hello")
    page = await open_console(**how)
    await page.get_by_role("navigation").wait_for()
    names = await page.locator(".nav-link > span:not(.badge)").all_text_contents()
    assert "Keys" in names or "密钥" in names
    found = []
    for name in names:
        await open_screen(page, name)
        await page.locator("#screen .quiet").wait_for(state="hidden")  # it has loaded
        results = await axe.run(page, options=RULES)
        place = await page.evaluate("location.hash")
        found += [
            (place, each["id"], [(node["html"][:160], node["failureSummary"][:160]) for node in each["nodes"]])
            for each in results.response["violations"]
        ]
    assert found == []


async def test_every_kind_of_dialog_passes_the_rules_of_axe(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World, axe: Axe, photo: FilePayload
) -> None:
    await gateway.log_in(world)
    page = await open_console(locale="en-US")
    found = []

    async def check() -> None:
        await page.locator("dialog[open]").wait_for()
        title = await page.locator("dialog[open] h2").inner_text()
        results = await axe.run(page, context="dialog[open]", options=RULES)
        found.append((title, [(each["id"], each["nodes"][0]["html"][:160]) for each in results.response["violations"]]))
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
    results = await axe.run(page, context=".conversation", options=RULES)
    found.append(("files", [(each["id"], each["nodes"][0]["html"][:160]) for each in results.response["violations"]]))
    await button(page, "Picture from 阿华").click()
    await page.get_by_role("dialog", name="Pictures").get_by_role("img").wait_for()
    results = await axe.run(page, context="dialog[open]", options=RULES)
    found.append(("viewer", [(each["id"], each["nodes"][0]["html"][:160]) for each in results.response["violations"]]))
    assert found == [(title, []) for title, _ in found]
