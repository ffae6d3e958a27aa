"""All of the phones' page passes the rules of axe in both themes, languages and widths, menus and dialogs included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from webwx.sandbox import contents

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import FilePayload
    from tests.browser.axe import AccessibilityChecker
    from tests.browser.conftest import Program
    from tests.browser.user import BrowserUser

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


@pytest.mark.parametrize(
    "how", [{"locale": "en-US"}, {"locale": "zh-CN", "viewport": {"width": 390, "height": 700}}], ids=["wide", "narrow"]
)
async def test_all_of_the_phones_page_passes_the_rules_of_axe(
    new_hands: Callable[..., Awaitable[BrowserUser]], program: Program, world: World, photo: FilePayload,
    accessibility: AccessibilityChecker, how: dict[str, Any],
) -> None:  # fmt: skip
    hello = world.say("ahua", "me", "hello")
    world.say("me", "ahua", "hello yourself")
    world.quote("ahua", "me", hello.id, "again")
    world.picture("ahua", "me", photo["buffer"])
    world.send("ahua", "me", contents.history(world.person("ahua"), "History", ("张三: 在吗", "李雷: 在")))
    world.file("ahua", "me", b"a", "notes.txt")
    hands = await new_hands(**how)
    page = hands.page
    address = page.url.partition("#")[0]
    program.begin()  # a login waits for a phone

    async def go(place: str) -> None:
        await page.evaluate("place => { location.hash = place; }", place)

    await go("xiaoming/chats/ahua")
    await hands.see(hands.message("notes.txt")).to_be_visible()
    await accessibility.check(page, "a conversation")
    await hands.message("hello yourself").first.hover()
    await hands.message("hello yourself").first.get_by_role("button").last.click()
    await page.get_by_role("menu").wait_for()
    await accessibility.check(page, "the menu of a message")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name=re.compile("^(Open|查看): ")).click()
    await page.get_by_role("dialog").wait_for()
    await accessibility.check(page, "a merged history", within="dialog[open]")
    await page.keyboard.press("Escape")
    await page.route("**/control/say", lambda route: route.abort())
    for text in ("not sent", "waiting"):
        await page.get_by_role("textbox", name=re.compile("^(Message|消息)$")).fill(text)
        await page.keyboard.press("Enter")
    await page.locator(".tray-file").nth(1).wait_for()
    await accessibility.check(page, "unsent texts")
    await go("xiaoming/chats/hiking")
    await page.get_by_role("textbox", name=re.compile("^(Message|消息)$")).press_sequentially("@")
    await page.locator(".mention").first.wait_for()
    await accessibility.check(page, "members to mention")
    await page.keyboard.press("Escape")
    for place, shown in (
        ("xiaoming/contacts", page.get_by_role("option", name="阿华")),
        ("xiaoming/contacts/ahua", page.get_by_role("heading", name="阿华")),
        ("xiaoming/device", page.get_by_role("img", name=re.compile("QR code|二维码"))),
    ):
        await go(place)
        await hands.see(shown.first).to_be_visible()
        await accessibility.check(page, place)
    for tool, shown in (("wire", page.get_by_role("link", name="jslogin")), ("faults", page.get_by_role("switch"))):
        await hands.rail(tool).click()
        await hands.see(shown.first).to_be_visible()
        await accessibility.check(page, tool)
        await page.goto(f"{address}#xiaoming/contacts")
        await page.reload()
        await hands.see(hands.rail("chats")).to_be_visible()
    for name in ("^(Switch person|切换人物)", "^(Clock of|沙箱时钟)", "^(New chatroom|发起群聊)"):
        await page.get_by_role("button", name=re.compile(name)).first.click()
        await page.get_by_role("dialog").wait_for()
        await accessibility.check(page, name, within="dialog[open]")
        await page.keyboard.press("Escape")
        await page.get_by_role("dialog").wait_for(state="detached")
    hands.wrongs.remove("console: Failed to load resource: net::ERR_FAILED")
    assert accessibility.found == []
