"""What is done with messages that are there: forwarded, deleted and selected, by mouse, key and long press."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from webwx.model.contacts import is_chatroom
from webwx.model.messages import HistoryMessage, TextMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import FilePayload, Locator
    from tests.browser.conftest import Program
    from tests.browser.user import BrowserUser

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


async def test_messages_are_forwarded_deleted_and_selected(hands: BrowserUser, program: Program, world: World) -> None:
    await program.log_in(hands)
    for_others = [world.say("阿华", "me", text) for text in ("one", "two", "three")]
    keyboard, menu = hands.page.keyboard, hands.page.get_by_role("menu", name="Message actions")
    await hands.be("阿华")
    await hands.read_chat("小明")
    await hands.see(hands.message("three")).to_be_visible()

    await hands.message("one").click(button="right")
    await menu.get_by_role("menuitem", name="Forward").click()
    chosen = hands.page.get_by_role("dialog", name="Forward to")
    await chosen.get_by_role("option", name="周末爬山").click()
    await chosen.get_by_role("option", name="张三").click()
    await hands.button("Forward", chosen).click()
    await hands.see(hands.page.get_by_role("status").filter(has_text="Forwarded")).to_be_visible()
    assert world.inbox("张三")["ahua"].messages[-1].text == "one"
    *_, forward = [await program.next(TextMessage) for _ in range(4)]
    assert (forward.text, is_chatroom(forward.chat)) == ("one", True)

    await hands.message("three").focus()
    await keyboard.press("Shift+F10")
    await hands.see(menu).to_be_visible()
    await keyboard.press("Escape")
    await hands.see(hands.message("three")).to_be_focused()
    await keyboard.press("ContextMenu")
    await menu.get_by_role("menuitem", name="Select several").click()
    await hands.see(hands.message("three")).to_be_focused()
    await keyboard.press("ArrowUp")
    await keyboard.press("Space")
    await hands.see(hands.page.get_by_role("status").filter(has_text="2 selected")).to_be_visible()
    await hands.keep("selected")
    await hands.button("Delete").click()
    question = hands.page.get_by_role("dialog", name="Delete 2 messages?")
    await hands.see(hands.button("Cancel", question)).to_be_focused()
    await hands.button("Delete", question).click()
    await hands.see(hands.log.get_by_role("article")).to_have_count(1)
    await hands.see(hands.message("one")).to_be_focused()
    await hands.see(hands.page.get_by_role("textbox", name="Message")).to_be_visible()
    assert [message.id for message in world.inbox("me")["ahua"].messages] == [message.id for message in for_others]


async def test_a_long_press_opens_the_menus_of_a_chat_and_of_a_message(
    new_hands: Callable[..., Awaitable[BrowserUser]], world: World
) -> None:
    world.say("阿华", "me", "pressed")
    hands = await new_hands(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    touch = await hands.page.context.new_cdp_session(hands.page)

    async def hold(x: float, y: float) -> None:
        await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        await hands.see(hands.page.get_by_role("menu")).to_be_visible()
        await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    async def middle(element: Locator) -> tuple[float, float]:
        await hands.see(element).to_be_visible()
        box = await element.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    await hold(*await middle(hands.row("阿华")))
    await hands.page.get_by_role("menuitem", name="Pin").tap()
    await hands.see(hands.row("阿华")).to_have_accessible_name(re.compile("pressed pinned 1 unread"))
    await hands.row("阿华").tap()
    await hold(*await middle(hands.message("pressed").locator(".bubble")))
    await hands.page.get_by_role("menuitem", name="Delete").tap()
    await hands.button("Delete", hands.page.get_by_role("dialog", name="Delete this message?")).tap()
    await hands.see(hands.page.get_by_text("Nothing has been said here")).to_be_visible()
    await hands.button("Back").tap()
    await hands.see(hands.page.get_by_text("No chats yet")).to_be_visible()


async def test_an_emoji_of_the_panel_is_sent_as_its_code_and_shown_as_unicode(
    hands: BrowserUser, program: Program
) -> None:
    await program.log_in(hands)
    await hands.be("阿华")
    await hands.begin_chat("小明")
    keyboard, text = hands.page.keyboard, hands.page.get_by_role("textbox", name="Message")
    await text.fill("hi !")
    await keyboard.press("ArrowLeft")
    await hands.button("Emoji").press("Enter")
    await hands.see(hands.button("[微笑]")).to_be_focused()
    await keyboard.press("ArrowRight")
    await keyboard.press("ArrowDown")
    await keyboard.press("ArrowUp")
    await keyboard.press("ArrowLeft")
    await hands.keep("emoji")
    await keyboard.press("Enter")
    await hands.see(text).to_have_value("hi [微笑]!")
    await keyboard.press("Enter")
    await hands.see(hands.message("hi 🙂!")).to_be_visible()
    assert (await program.next(TextMessage)).text == "hi [微笑]!"
    await hands.say("[旺柴][constructor]")
    await hands.see(hands.row("小明")).to_contain_text("[旺柴][constructor]")
    await hands.button("Emoji").click()
    await keyboard.press("Escape")
    await hands.see(hands.button("Emoji")).to_be_focused()


async def test_the_exact_time_is_shown_while_the_pointer_is_over_a_message_or_a_time(
    hands: BrowserUser, world: World
) -> None:
    message = world.say("阿华", "me", "hello")
    await hands.read_chat("阿华")
    exact = await hands.page.evaluate(
        "time => new Intl.DateTimeFormat('en', { dateStyle: 'full', timeStyle: 'medium' }).format(time * 1000)",
        message.time,
    )
    for place in (
        hands.message("hello").locator(".bubble"),
        hands.log.locator("time"),
        hands.row("阿华").locator("time"),
    ):
        await hands.see(place).to_have_attribute("title", exact)


async def test_several_messages_are_forwarded_as_one_and_opened_in_a_panel(
    hands: BrowserUser, program: Program, world: World, photo: FilePayload
) -> None:
    await program.log_in(hands)
    world.say("阿华", "me", "<b>one</b>")
    world.picture("阿华", "me", photo["buffer"])
    world.say("me", "阿华", "three")
    await hands.read_chat("阿华")
    await hands.message("one").click(button="right")
    await hands.page.get_by_role("menuitem", name="Select several").click()
    as_one = hands.button("Forward as one")
    await hands.see(as_one).to_be_disabled()
    await hands.log.get_by_role("article").nth(1).click()
    await hands.message("three").click()
    await as_one.click()
    chosen = hands.page.get_by_role("dialog", name="Forward to")
    await chosen.get_by_role("option", name="张三").click()
    await hands.button("Forward", chosen).click()
    await hands.see(chosen).to_have_count(0)
    received = await program.next(HistoryMessage)
    assert [(item.sender_name, item.text) for item in received.items] == [
        ("阿华", "<b>one</b>"), ("阿华", "[Picture]"), ("小明", "three"),
    ]  # fmt: skip

    await hands.be("张三")
    await hands.read_chat("小明")
    await hands.button("Open: Chat history of 小明 and 阿华").click()
    panel = hands.page.get_by_role("dialog", name="Chat history of 小明 and 阿华")
    lines = panel.get_by_role("listitem")
    await hands.see(lines).to_have_count(3)
    await hands.see(lines.first).to_contain_text("<b>one</b>")
    await hands.see(lines.nth(1)).to_contain_text("[Picture]")
    await hands.see(lines.last).to_contain_text("小明")
    await hands.keep("history")
    await hands.page.keyboard.press("Escape")
    await hands.see(hands.button("Open: Chat history of 小明 and 阿华")).to_be_focused()


async def test_a_member_is_mentioned_by_key_and_by_mouse(hands: BrowserUser, program: Program, world: World) -> None:
    await program.log_in(hands)
    await hands.be("阿华")
    await hands.begin_chat("周末爬山")
    text, keyboard = hands.page.get_by_role("textbox", name="Message"), hands.page.keyboard
    members = hands.page.get_by_role("listbox", name="Members")
    await text.press_sequentially("mail me@example.com, @")
    await hands.see(members.get_by_role("option")).to_have_text(["小小明", "张张三", "李李雷"])
    await keyboard.press("ArrowDown")
    await hands.see(members.get_by_role("option", selected=True)).to_have_text("张张三")
    await keyboard.press("Escape")
    await hands.see(members).to_have_count(0)
    await hands.see(text).to_be_focused()
    await text.press_sequentially("小")
    await keyboard.press("Enter")
    await text.press_sequentially("and @zs")
    await members.get_by_role("option", name="张三").click()
    await hands.see(text).to_have_value("mail me@example.com, @小明\u2005and @张三\u2005")
    await keyboard.type(" @")
    await hands.see(members).to_be_visible()
    await keyboard.press("Home")  # the caret is no longer at the @
    await hands.see(members).to_have_count(0)
    await keyboard.press("End")
    for _ in range(2):
        await keyboard.press("Backspace")
    await hands.keep("mentions")
    await keyboard.press("Enter")
    received = await program.next(TextMessage)
    assert received.text == "mail me@example.com, @小明\u2005and @张三"
