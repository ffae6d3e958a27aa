"""The frame of the console: its main task and its failure, by click and key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import button, open_screen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


async def test_a_used_link_opens_no_session(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway
) -> None:
    page = await open_console()
    await page.get_by_role("heading", name="Accounts").wait_for()
    assert "code" not in page.url
    await button(page, "End session").click()
    await page.get_by_text("webwx serve pair").wait_for()
    await page.goto(f"{gateway.url}/#code=wrong")
    await page.wait_for_url(f"{gateway.url}/")
    await page.get_by_role("heading", name="This browser has no session").wait_for()


async def test_the_console_is_chinese_in_a_chinese_browser_and_fits_a_narrow_dark_window(
    open_console: Callable[..., Awaitable[Page]], world: World
) -> None:
    page = await open_console(locale="zh-CN", viewport={"width": 360, "height": 640}, color_scheme="dark")
    await page.get_by_role("heading", name="账号").wait_for()
    await open_screen(page, "聊天")
    await page.get_by_text("还没有账号").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await button(page, "EN").click()
    await page.get_by_text("No accounts yet").wait_for()
