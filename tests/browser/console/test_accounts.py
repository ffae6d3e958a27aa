"""The screen of the accounts: its main task and its failure, by click and key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import add_account, button, open_screen, see_code

from webwx.model.archive import Keep

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


async def test_an_account_name_that_is_not_valid_is_explained(open_console: Callable[..., Awaitable[Page]]) -> None:
    page = await open_console()
    await open_screen(page, "Accounts")
    await button(page, "Add account").click()
    name = page.get_by_role("dialog").get_by_label("Name")
    await name.fill("../x")
    await name.press("Enter")
    await page.get_by_role("alert").filter(has_text=re.compile("cannot name an account")).wait_for()
    assert await name.get_attribute("aria-invalid") == "true"
    assert await name.evaluate("field => field === document.activeElement")


async def test_a_login_is_stopped_and_an_account_is_logged_out(
    open_console: Callable[..., Awaitable[Page]], world: World
) -> None:
    page = await open_console()
    await open_screen(page, "Accounts")
    await add_account(page, "home")
    await button(page, "Log in").click()
    await see_code(page, "home")
    await button(page, "Stop").click()
    await button(page, "Log in").click()
    await see_code(page, "home")
    world.scan("me")
    world.confirm()
    await button(page, "Log out").click()
    await button(page.get_by_role("dialog", name="Log out home"), "Log out").click()
    await page.get_by_text("logged out", exact=True).wait_for()


async def test_a_reload_during_a_login_shows_the_code_again(
    open_console: Callable[..., Awaitable[Page]], world: World
) -> None:
    page = await open_console()
    await open_screen(page, "Accounts")
    await add_account(page, "home")
    await button(page, "Log in").click()
    await see_code(page, "home")
    await page.reload()
    await see_code(page, "home")
    other = await page.context.new_page()
    await other.goto(page.url)
    await see_code(other, "home")
    world.scan("me")
    for each in (page, other):
        await each.get_by_text("Scanned. Confirm on the phone.").wait_for()
    world.confirm()
    for each in (page, other):
        await each.get_by_text("online", exact=True).wait_for()


async def test_the_settings_of_a_new_account_decide_where_it_logs_in_and_what_is_archived(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World
) -> None:
    page = await open_console()
    await open_screen(page, "Accounts")
    await add_account(page, "helper")
    await button(page, "Settings").press("Enter")
    dialog = page.get_by_role("dialog", name="Settings of helper")
    await dialog.get_by_label("Name to show").fill("My phone")
    await dialog.get_by_label("Log in to").select_option("File Transfer Helper web")
    await dialog.get_by_label("Archive media").select_option("These kinds:")
    await dialog.get_by_label("Videos").check()
    await dialog.get_by_label("Chats").fill("妈妈, 阿华")
    await button(dialog, "Save").click()
    await page.get_by_role("heading", name="My phone").wait_for()
    await gateway.log_in(world, "helper")

    [status] = await gateway.gateway.port.list_accounts()
    assert (status.host, status.settings.host, status.label) == ("filehelper", "filehelper", "My phone")
    assert status.settings.keep == Keep(chats=("妈妈", "阿华"), kinds=("image", "video"))


async def test_settings_that_wait_for_the_next_login_are_explained(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World
) -> None:
    await gateway.log_in(world)
    page = await open_console()
    await open_screen(page, "Accounts")
    await button(page, "Settings").click()
    dialog = page.get_by_role("dialog", name="Settings of home")
    assert await dialog.get_by_label("Log in to").is_disabled()
    await dialog.get_by_label("Rate limit").select_option("Off")
    await dialog.get_by_label("Archive media").select_option("These kinds:")
    await dialog.get_by_label("Pictures").uncheck()
    await button(dialog, "Save").click()
    await dialog.get_by_role("alert").get_by_text("Tick at least one.").wait_for()
    await dialog.get_by_label("Archive media").select_option("Nothing")
    await button(dialog, "Save").click()
    await page.get_by_text("The new settings apply to the next login").wait_for()
