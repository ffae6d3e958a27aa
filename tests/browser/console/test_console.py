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
    await page.get_by_role("heading", name="First steps").wait_for()
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
    await page.get_by_role("heading", name="开始使用").wait_for()
    await open_screen(page, "聊天")
    await page.get_by_text("还没有账号").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await button(page, "EN").click()
    await page.get_by_text("No accounts yet").wait_for()


async def test_the_screens_are_in_three_groups_and_a_number_says_where_to_look(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    groups = console.get_by_role("navigation").get_by_role("group")
    assert [await each.get_attribute("aria-label") for each in await groups.all()] == ["Messages", "Programs", "System"]
    link = console.get_by_role("link", name="Accounts", exact=True)
    assert not await link.locator(".badge").is_visible()
    world.log_out("me")
    await gateway.gateway.port.account(1).check()
    await link.locator(".badge").wait_for()
    assert await link.get_attribute("title") == "Accounts that are not online: 1"


async def test_the_links_of_the_screens_stay_where_they_have_appeared(console: Page) -> None:
    await console.add_init_script("""
        window.places = new Set();
        const look = () => {
            const link = document.querySelector('.nav-link[href="#/keys"]');
            if (link) places.add(link.getBoundingClientRect().top);
            requestAnimationFrame(look);
        };
        look();
    """)
    await console.reload()
    await console.get_by_role("link", name="First steps").wait_for()
    await console.get_by_text("Live", exact=True).wait_for()
    await console.wait_for_function("() => places.size > 0")
    assert await console.evaluate("places.size") == 1


async def test_in_a_narrow_window_every_screen_is_reached_without_scrolling_sideways(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World
) -> None:
    await gateway.log_in(world)
    page = await open_console(viewport={"width": 390, "height": 700})
    await page.get_by_role("navigation").wait_for()
    for name in await page.locator(".nav-link > span:not(.badge)").all_text_contents():
        await open_screen(page, name)
        link = page.get_by_role("navigation").get_by_role("link", name=name, exact=True)
        box = await link.bounding_box()
        assert box is not None
        assert (box["x"] >= 0, box["x"] + box["width"] <= 390) == (True, True), name
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


async def test_a_group_opens_the_screen_that_was_last_open_there(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World
) -> None:
    await gateway.log_in(world)
    page = await open_console(viewport={"width": 390, "height": 700})
    await open_screen(page, "Webhooks")
    await open_screen(page, "Health")
    await page.locator(".nav-tab", has_text="Programs").click()
    await page.get_by_role("heading", name="Webhooks", level=2).wait_for()


async def test_a_console_with_a_login_begins_with_the_chats(console: Page) -> None:
    await console.get_by_role("heading", name="Chats", level=2).wait_for(state="attached")


async def test_a_button_switches_between_light_and_dark_for_good(console: Page) -> None:
    await button(console, "Dark").click()
    assert await console.evaluate("document.documentElement.dataset.theme") == "dark"
    await console.reload()
    await button(console, "Light").wait_for()
    assert await console.evaluate("document.documentElement.dataset.theme") == "dark"
