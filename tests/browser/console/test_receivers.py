"""The screen of the receivers: create each kind, use its recipes, test, replace the address, and the fallback."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import button, open_screen

from webwx.gateway.notify.registry import RECEIVERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Locator, Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


async def create(page: Page, kind: str, name: str) -> Locator:
    """Create a receiver by its form, and return the dialog with its address."""
    await button(page, "New address").click()
    form = page.get_by_role("dialog", name="New address")
    await form.get_by_label("Name").fill(name)
    await form.get_by_label("Program").select_option(kind)
    await button(form, "Create address").click()
    return page.get_by_role("dialog", name=f"Point {name} here")


async def sent(gateway: ServedGateway) -> list[str]:
    """Return the texts in the outbox, the oldest first."""
    return [row.text for row in reversed(await gateway.gateway.port.account(1).client.list_sends())]


async def test_a_receiver_is_created_its_recipe_works_and_a_test_arrives(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    await open_screen(console, "Notifications")
    made = await create(console, "ntfy", "alerts")
    address = await made.get_by_label("Address", exact=True).inner_text()
    command = await made.get_by_label("curl", exact=True).inner_text()
    await button(made, "Copy: curl").click()
    assert await console.evaluate("getSelection().toString()") == command
    await made.get_by_role("button", name="Close").last.focus()
    await console.keyboard.press("Enter")
    assert await run(command) == 0
    assert await sent(gateway) == ["Backup\n\nfinished"]
    assert address not in await console.content()
    await button(console.get_by_role("row").filter(has_text="alerts"), "Send a test").click()
    await console.get_by_text("The test message is in the outbox.").wait_for()
    assert len(await sent(gateway)) == 2


async def run(command: str) -> int:
    """Run a command in a shell, as a user who has copied it, and return its exit code."""
    process = await asyncio.create_subprocess_shell(
        command.replace("curl ", "curl --fail --silent --show-error ", 1), stdout=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


async def test_the_command_of_every_kind_sends_a_message(console: Page, gateway: ServedGateway) -> None:
    await open_screen(console, "Notifications")
    count = 0
    for kind in RECEIVERS:
        made = await create(console, kind, kind)
        await made.get_by_label("Address", exact=True).wait_for()
        commands = await made.locator("pre").all_inner_texts()
        await made.get_by_role("button", name="Close").last.click()
        await made.wait_for(state="detached")
        for command in commands:
            if command.startswith("curl "):
                assert await run(command) == 0, command
                count += 1
                assert len(await sent(gateway)) == count, command
    assert count >= len(RECEIVERS) - 1  # GitHub's requests need a signature


async def test_the_recipe_of_github_has_the_fields_of_its_form_in_both_languages(console: Page) -> None:
    await open_screen(console, "Notifications")
    made = await create(console, "github", "repository")
    address = await made.get_by_label("Address", exact=True).inner_text()
    assert await made.get_by_label("Payload URL", exact=True).inner_text() == address
    assert await made.get_by_label("Content type", exact=True).inner_text() == "application/json"
    await made.get_by_text("as Secret the secret of this address").wait_for()
    await made.get_by_role("button", name="Close").last.click()
    await button(console, "中文").click()
    await console.get_by_role("link", name="repository").click()
    await console.get_by_text("Secret 填写此地址的签名密钥").wait_for()
    assert await console.get_by_label("Content type", exact=True).inner_text() == "application/json"


async def test_a_receiver_that_cannot_be_created_is_explained(console: Page) -> None:
    await open_screen(console, "Notifications")
    await button(console, "New address").click()
    form = console.get_by_role("dialog", name="New address")
    await form.get_by_label("Name").fill("n")
    await form.get_by_text("More options").click()
    await form.get_by_label("Time zone").fill("Mars/Olympus")
    await console.keyboard.press("Enter")
    await form.get_by_role("alert").filter(has_text="no time zone").wait_for()


async def test_a_receiver_is_changed_gets_a_new_address_and_is_deleted(console: Page) -> None:
    await open_screen(console, "Notifications")
    made = await create(console, "bark", "phone")
    first = await made.get_by_label("curl", exact=True).inner_text()
    await made.get_by_role("button", name="Close").last.click()
    await console.get_by_role("link", name="phone").click()
    await console.get_by_text("TOKEN/Backup/finished").wait_for()
    await button(console, "Edit").click()
    form = console.get_by_role("dialog", name="phone")
    await form.get_by_label("Messages per minute").fill("3")
    await button(form, "Save").click()
    await console.get_by_text("3 per minute").wait_for()
    await button(console, "Replace address").click()
    await button(console.get_by_role("dialog"), "Replace address").click()
    again = console.get_by_role("dialog", name="Point phone here")
    assert await again.get_by_label("curl", exact=True).inner_text() != first
    await console.keyboard.press("Enter")
    await button(console, "Delete").click()
    await console.get_by_role("dialog").get_by_role("button", name="Cancel").press("Tab")
    await console.keyboard.press("Enter")
    await console.get_by_text("No notification addresses yet").wait_for()


async def test_the_fallback_is_shown_and_tested(console: Page) -> None:
    await open_screen(console, "Notifications")
    await console.get_by_text("Set up: a command.").wait_for()
    await button(console, "Test it").click()
    await console.get_by_text("a command has worked.").wait_for()


async def test_without_an_account_the_screen_says_what_to_do(open_console: Callable[..., Awaitable[Page]]) -> None:
    page = await open_console()
    await open_screen(page, "Notifications")
    await button(page, "New address").click()
    await page.get_by_role("alert").filter(has_text="Add an account").wait_for()


async def test_the_screen_is_chinese_and_fits_a_narrow_dark_window(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World
) -> None:
    await gateway.log_in(world)
    page = await open_console(locale="zh-CN", viewport={"width": 360, "height": 640}, color_scheme="dark")
    await page.goto(f"{gateway.url}/#/receivers")
    await button(page, "新建地址").click()
    form = page.get_by_role("dialog", name="新建地址")
    await form.get_by_label("名称", exact=True).fill("监控")
    await form.get_by_label("程序").select_option("alertmanager")
    await button(form, "创建地址").click()
    made = page.get_by_role("dialog", name="将 监控 指向此处")
    await made.get_by_text("webhook_configs").wait_for()
    assert await made.evaluate("element => element.scrollWidth <= element.clientWidth")
    await page.keyboard.press("Escape")
    await page.get_by_role("link", name="监控").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
