"""The screen of the incoming files: a rule saves a file, and a failure is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import button, open_screen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from playwright.async_api import Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


async def create(page: Page, **fields: str) -> None:
    """Create a rule by its form, which opens it."""
    await open_screen(page, "Incoming files")
    await button(page, "New rule").click()
    form = page.get_by_role("dialog", name="New rule")
    await form.get_by_text("More options").click()
    for label, value in ({"Name": "scans", "Names of the files": "{sender} {name}", "Chats": ""} | fields).items():
        await form.get_by_label(label, exact=True).fill(value)
    await page.keyboard.press("Enter")
    await form.wait_for(state="detached")
    await page.get_by_role("heading", name=fields.get("Name", "scans")).wait_for()


async def test_a_rule_saves_a_file_which_appears_in_the_list(console: Page, world: World, tmp_path: Path) -> None:
    await create(console, Folder="phone")
    await console.get_by_text("Nothing has arrived yet").wait_for()
    world.file("ahua", "me", b"%PDF-1", "<b>报告.pdf")
    saved = console.get_by_role("row").filter(has_text="阿华 _b_报告.pdf")
    await saved.get_by_text("saved", exact=True).wait_for()
    assert (tmp_path / "incoming" / "phone" / "阿华 _b_报告.pdf").read_bytes() == b"%PDF-1"


async def test_a_file_that_cannot_be_saved_is_explained(console: Page, world: World, tmp_path: Path) -> None:
    await create(console)
    (tmp_path / "incoming").rmdir()
    world.file("ahua", "me", b"x", "a.txt")
    await console.get_by_text("will be retried", exact=True).wait_for()
    await console.get_by_text("disk that is not mounted").wait_for()
    await console.get_by_text("failing", exact=True).wait_for()


async def test_a_rule_that_is_not_valid_is_explained_in_its_form(console: Page) -> None:
    await open_screen(console, "Incoming files")
    await button(console, "New rule").click()
    form = console.get_by_role("dialog", name="New rule")
    await form.get_by_label("Name", exact=True).fill("n")
    await form.get_by_label("Folder").fill("../etc")
    await button(form, "Create rule").click()
    await form.get_by_role("alert").filter(has_text="'folder' is a path below the root").wait_for()


async def test_without_a_root_the_screen_says_what_to_set(console: Page) -> None:
    await console.route("**/incoming-file-rules", lambda route: route.fulfill(json={"root": None, "rules": []}))
    await open_screen(console, "Incoming files")
    await console.get_by_text("No folder is set up").wait_for()
    await console.get_by_text("[incoming_files]").wait_for()


async def test_a_rule_is_changed_disabled_and_deleted(console: Page) -> None:
    await create(console)
    await button(console, "Edit").click()
    form = console.get_by_role("dialog", name="scans")
    await form.get_by_label("voice messages").check()
    await button(form, "Save").click()
    await console.get_by_text("files, pictures, videos, voice messages").wait_for()
    await button(console, "Disable").click()
    await console.get_by_text("disabled", exact=True).wait_for()
    await button(console, "Delete").click()
    await button(console.get_by_role("dialog"), "Delete").click()
    await console.get_by_text("No rules yet").wait_for()


async def test_the_screen_is_chinese_and_fits_a_narrow_dark_window(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World
) -> None:
    await gateway.log_in(world)
    page = await open_console(locale="zh-CN", viewport={"width": 360, "height": 640}, color_scheme="dark")
    await page.goto(f"{gateway.url}/#/files")
    await button(page, "新建规则").click()
    form = page.get_by_role("dialog", name="新建规则")
    await form.get_by_label("名称", exact=True).fill("扫描件")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="扫描件").wait_for()
    world.file("me", "filehelper", b"x", "一个名字很长很长的文件的名字会换行而不是变宽.txt")
    await page.get_by_text("已保存").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
