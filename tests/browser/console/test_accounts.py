"""The screen of the accounts: its main task and its failure, by click and key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.browser.console.console_user import button

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


async def test_an_account_name_that_is_not_valid_is_explained(open_console: Callable[..., Awaitable[Any]]) -> None:
    page = await open_console()
    await page.get_by_label("Name of a new account").fill("../x")
    await button(page, "Add account").click()
    await page.get_by_role("alert").filter(has_text=re.compile(r"\w")).wait_for()


async def test_a_login_is_stopped_and_an_account_is_logged_out(
    open_console: Callable[..., Awaitable[Any]], world: World
) -> None:
    page = await open_console()
    await page.get_by_label("Name of a new account").fill("home")
    await button(page, "Add account").click()
    await button(page, "Log in").click()
    await page.get_by_role("img", name="Login code of home").wait_for()
    await button(page, "Stop").click()
    await button(page, "Log in").click()
    await page.get_by_role("img", name="Login code of home").wait_for()
    world.scan("me")
    world.confirm()
    await button(page, "Log out").click()
    await button(page, "Log out now").click()
    await page.get_by_text("logged out", exact=True).wait_for()
