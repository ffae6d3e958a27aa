"""The screen of the chats: messages are read, sent, found and recalled, and failures are explained."""

from __future__ import annotations

import asyncio
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.browser.console.console_user import button, open_screen
from tests.browser.network import lose_answer
from tests.client.reading.test_message_page import store_sends

from webwx.errors import ApiError
from webwx.gateway.accounts.account_sends import TextContent
from webwx.gateway.accounts.local_account import LocalAccount
from webwx.model.contacts import FILEHELPER
from webwx.sandbox.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import APIResponse, FilePayload, Locator, Page, Request, Route
    from tests.browser.console.console_user import ServedGateway

    from webwx.client.client import AsyncClient
    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

HELPER = "File Transfer Helper"


def message(page: Page, words: str) -> Locator:
    """A message, or a send, in the open chat."""
    return page.get_by_role("log").get_by_role("article").filter(has_text=words)


def chat(page: Page, name: str) -> Locator:
    """A row of the list of chats, or a result of the search."""
    return page.get_by_role("listbox", name="Chats").get_by_role("option", name=re.compile(name))


def field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message", exact=True)


async def open_chat(page: Page, name: str) -> None:
    await open_screen(page, "Chats")
    await chat(page, f"^{name}").click()
    await page.get_by_role("log", name=f"Messages with {name}").wait_for()


async def see_value(page: Page, words: str) -> None:
    """Wait until the field has this text."""
    await page.wait_for_function("words => document.querySelector('textarea').value === words", arg=words)


async def attach(page: Page, *files: FilePayload) -> None:
    """Pick files to send, and wait until all are shown."""
    async with page.expect_file_chooser() as chooser:
        await button(page, "Attach files").click()
    await (await chooser.value).set_files(list(files))
    await to_send(page).filter(has_text=files[-1]["name"]).wait_for()


def to_send(page: Page) -> Locator:
    """The files that will be sent."""
    return page.get_by_role("list", name="Files to send").get_by_role("listitem")


def client_of(gateway: ServedGateway) -> AsyncClient:
    """Return the client of account number 1, which runs in this process."""
    account = gateway.gateway.port.account(1)
    assert isinstance(account, LocalAccount)
    assert account.client is not None
    return account.client


def texts(world: World, who: str, other: str) -> list[str]:
    return [each.text for each in world.inbox(who)[other].messages]


async def test_a_text_is_sent_by_enter_and_recalled(console: Page, world: World) -> None:
    await open_chat(console, HELPER)
    await field(console).fill("hello <b>phone</b>")
    await console.keyboard.press("Shift+Enter")
    await console.keyboard.type("second line")
    await console.keyboard.press("Enter")
    sent = message(console, "hello <b>phone</b>")
    await sent.get_by_text("Sent", exact=True).wait_for()
    assert texts(world, "me", "filehelper") == ["hello <b>phone</b>\nsecond line"]
    assert await field(console).input_value() == ""

    await chat(console, "^File Transfer Helper .* hello").wait_for()
    await sent.get_by_text("left to recall it").wait_for()
    await button(console, "Recall").focus()
    await console.keyboard.press("Enter")
    await sent.get_by_text("Recalled", exact=True).wait_for()
    assert await button(console, "Recall").count() == 0


async def test_after_two_minutes_a_message_cannot_be_recalled_which_is_explained(console: Page) -> None:
    await open_chat(console, HELPER)
    await console.clock.install()
    await field(console).fill("stays")
    await button(console, "Send").click()
    await message(console, "stays").get_by_role("button", name="Recall").wait_for()
    await console.clock.fast_forward("02:02")
    await message(console, "stays").get_by_text("WeChat allows it for two minutes").wait_for()
    assert await button(console, "Recall").count() == 0


async def test_a_message_that_was_typed_on_the_phone_is_recalled(console: Page, world: World) -> None:
    await open_chat(console, HELPER)
    world.say("me", "filehelper", "typed on the phone")
    own = message(console, "typed on the phone")
    await own.get_by_role("button", name="Recall").click()
    await own.get_by_text("Recalled", exact=True).wait_for()


async def test_the_keyboard_moves_between_the_field_the_messages_and_the_list(console: Page, world: World) -> None:
    world.say("ahua", "me", "first")
    world.say("ahua", "me", "last")
    await open_chat(console, "阿华")
    await message(console, "last").wait_for()
    await field(console).focus()
    for key, words in (("ArrowUp", "last"), ("ArrowUp", "first"), ("End", "last")):
        await console.keyboard.press(key)
        await console.wait_for_function("words => document.activeElement.innerText.includes(words)", arg=words)
    await console.keyboard.press("ArrowDown")
    await console.wait_for_function("() => document.activeElement.matches('textarea')")
    await console.keyboard.press("Escape")
    await console.wait_for_function("() => document.activeElement.getAttribute('role') === 'option'")


async def test_messages_arrive_while_the_page_is_open(console: Page, world: World) -> None:
    await open_chat(console, HELPER)
    world.say("me", "filehelper", "from the phone")
    await message(console, "from the phone").wait_for()
    world.say("ahua", "me", "are you there?")
    await chat(console, "^阿华 .* 1 new").click()
    await message(console, "are you there?").wait_for()
    await chat(console, "^阿华 .* are you there").wait_for()
    await button(console, "Mark as read").click()
    await console.get_by_text("Marked as read on the phone").wait_for()


HIDE = """isHidden => {
    Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
"""Hide the page, as by another tab over it, or show it again."""


async def test_messages_are_unread_until_they_are_in_view_or_read_on_the_phone(console: Page, world: World) -> None:
    async def see_unread(name: str, words: str, page: Page = console) -> None:
        await page.wait_for_function(
            """([name, words]) => [...document.querySelectorAll(".list-pane .row")].some((row) =>
                row.textContent.includes(name) && (row.querySelector(".badge")?.textContent ?? "") === words)""",
            arg=[name, words],
        )

    for number in range(30):
        world.say("zhangsan", "me", f"line {number}")
    await open_screen(console, "Chats")
    await chat(console, "^张三 .* line 29").wait_for()
    await see_unread("张三", "30")
    await chat(console, "^张三").click()
    await message(console, "line 29").wait_for()
    await see_unread("张三", "")

    await console.evaluate(
        """() => new Promise((done) => {
          const scroller = document.querySelector(".conversation .scroller");
          scroller.addEventListener("scroll", done, { once: true });
          scroller.scrollTop = 0;
        })"""
    )
    await message(console, "line 0").wait_for()
    world.say("zhangsan", "me", "below what is in view")
    await see_unread("张三", "1")
    await button(console, "New messages").click()
    await see_unread("张三", "")

    await console.evaluate(HIDE, True)
    world.say("zhangsan", "me", "while the page is hidden")
    await message(console, "while the page is hidden").wait_for()
    await see_unread("张三", "1")
    await console.evaluate(HIDE, False)
    await see_unread("张三", "")

    await open_screen(console, "Keys")  # the chat stays the last one, but is not in view
    for number in range(120):
        world.say("zhangsan", "me", f"later {number}")
    world.say("ahua", "me", "one for the phone")
    await console.wait_for_function("() => document.title.startsWith('(99+) ')")
    await open_screen(console, "Chats")
    await see_unread("张三", "99+")
    await see_unread("阿华", "1")
    other = await console.context.new_page()
    await other.goto(console.url)
    await see_unread("张三", "99+", other)
    await console.reload()
    await see_unread("张三", "99+")
    await see_unread("阿华", "1")
    world.open_chat(who="me", chat="阿华")
    for page in (console, other):
        await see_unread("阿华", "", page)
    await chat(other, "^张三").click()
    await message(other, "later 119").wait_for()
    for page in (console, other):
        await see_unread("张三", "", page)
    await console.reload()
    await chat(console, "^张三 .* later 119").wait_for()
    await see_unread("张三", "")


async def test_a_picture_is_shown_and_a_file_is_a_download_with_name_and_size(
    console: Page, world: World, photo: FilePayload
) -> None:
    world.picture("ahua", "me", photo["buffer"])
    world.file("ahua", "me", b"x" * 2048, "report.txt")
    await open_chat(console, "阿华")
    picture = console.get_by_role("img", name="Picture from 阿华")
    await picture.wait_for()
    await console.wait_for_function("picture => picture.naturalWidth > 0", arg=await picture.element_handle())
    link = console.get_by_role("link", name="report.txt 2.0 KB")
    async with console.expect_download() as begun:
        await link.click()
    download = await begun.value
    assert download.suggested_filename == "report.txt"
    assert Path(await download.path()).read_bytes() == b"x" * 2048


async def test_pictures_of_a_chat_are_viewed_by_keys_and_forwarded(
    console: Page, world: World, photo: FilePayload
) -> None:
    webp = io.BytesIO()
    Image.open(io.BytesIO(photo["buffer"])).resize((2400, 1600)).save(webp, "WEBP")
    world.picture("ahua", "me", photo["buffer"])
    world.file("ahua", "me", b"RIFF no picture", "broken.webp")
    world.file("ahua", "me", webp.getvalue(), "large.webp")
    await open_chat(console, "阿华")
    await console.get_by_role("link", name="broken.webp").wait_for()
    small = button(console, "Picture from 阿华: large.webp")
    await console.wait_for_function("img => img.naturalWidth === 2400", arg=await small.locator("img").element_handle())

    await small.focus()
    await console.keyboard.press("Enter")
    viewer = console.get_by_role("dialog", name="Pictures")
    picture = viewer.get_by_role("img", name="large.webp")
    await viewer.get_by_text("2 of 2").wait_for()
    width = "img => Math.round(img.getBoundingClientRect().width)"
    await console.wait_for_function(f"img => img.naturalWidth === 2400 && ({width})(img) <= innerWidth",
                                    arg=await picture.element_handle())  # fmt: skip
    await console.keyboard.press("+")
    await console.wait_for_function(f"img => ({width})(img) === 2400", arg=await picture.element_handle())
    await console.keyboard.press("-")
    await console.keyboard.press("ArrowLeft")
    await viewer.get_by_text("1 of 2").wait_for()
    await button(viewer, "To File Transfer Helper").click()
    await viewer.get_by_text("Forwarded to File Transfer Helper").wait_for()
    assert [each.kind for each in world.inbox("me")["filehelper"].messages] == ["image"]
    async with console.expect_download() as begun:
        await viewer.get_by_role("link", name="Save").click()
    assert Path(await (await begun.value).path()).stat().st_size > 0
    await console.keyboard.press("Escape")
    await viewer.wait_for(state="detached")
    await console.wait_for_function("button => document.activeElement === button", arg=await small.element_handle())


async def test_the_members_of_a_chatroom_are_named(console: Page, world: World) -> None:
    world.say("zhangsan", "周末爬山", "see you at eight")
    await open_chat(console, "周末爬山")
    await message(console, "see you at eight").get_by_text("张三", exact=True).wait_for()


async def test_another_account_is_chosen(console: Page, gateway: ServedGateway, world: World) -> None:
    await gateway.log_in(world, "work", "ahua")
    await open_screen(console, "Accounts")
    await open_screen(console, "Chats")
    await console.get_by_label("Account").select_option("work · 阿华")
    await console.wait_for_url("**/#/chats/2")
    await console.get_by_text("Live", exact=True).wait_for()
    world.say("me", "ahua", "to the other account")
    await chat(console, "^小明 .* 1 new").click()
    await message(console, "to the other account").wait_for()
    await field(console).fill("answer")
    await console.keyboard.press("Enter")
    await message(console, "answer").get_by_text("Sent", exact=True).wait_for()
    assert texts(world, "ahua", "xiaoming") == ["to the other account", "answer"]


async def test_the_history_of_an_account_that_is_logged_out_can_be_read(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    await open_chat(console, HELPER)
    world.say("me", "filehelper", "remember this")
    await message(console, "remember this").wait_for()
    await gateway.gateway.port.account(1).client.logout()
    await console.reload()
    await message(console, "remember this").wait_for()
    await field(console).fill("too late")
    await console.keyboard.press("Enter")
    await console.get_by_role("alert").filter(has_text="Not sent").wait_for()


async def test_a_queued_text_is_shown_as_such_until_it_is_sent(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    account = gateway.gateway.port.account(1)
    world.log_out("me")
    assert (await account.check()).state == "logged_out"
    await account.sends.enqueue("filehelper", "in a moment")
    await open_chat(console, HELPER)
    await console.get_by_text("logged out", exact=True).wait_for()
    queued = message(console, "in a moment")
    await queued.get_by_text("Queued", exact=True).wait_for()
    await queued.get_by_text("sent as soon as the account is online").wait_for()
    await gateway.log_in(world)
    await console.get_by_text("online", exact=True).wait_for()
    await queued.get_by_text("Sent", exact=True).wait_for()
    assert texts(world, "me", "filehelper") == ["in a moment"]


async def test_older_messages_are_read_on_demand(console: Page, world: World, gateway: ServedGateway) -> None:
    for number in range(100):
        world.say("ahua", "me", f"message {number:03d}")
    await open_screen(console, "Chats")
    await chat(console, "^阿华 .*message 099").wait_for()  # all are stored: none comes while the chat is read
    await open_chat(console, "阿华")
    await message(console, "message 099").wait_for()
    assert await message(console, "message 000").count() == 0
    for first in ("040", "010", "000"):
        await button(console, "Show earlier messages").dispatch_event("click")  # a click would scroll, and read as well
        await message(console, f"message {first}").wait_for()
    assert await console.get_by_role("log").get_by_role("article").count() == 100
    await button(console, "Show earlier messages").wait_for(state="hidden")


async def test_all_of_many_notifications_are_read_back(console: Page, world: World, gateway: ServedGateway) -> None:
    client = client_of(gateway)
    outbox = client.subscribe("reads").part.outbox
    await store_sends(outbox, FILEHELPER, [world.clock.now()] * 260, str)
    await open_chat(console, HELPER)
    await message(console, "alert 259").wait_for()
    await console.wait_for_function("""() => {
        const scroller = document.querySelector(".conversation .scroller");
        const bubbles = [...scroller.querySelectorAll(".bubble")].map((bubble) => bubble.innerText);
        bubbles.forEach((bubble) => (window.read ??= new Set()).add(bubble));
        scroller.scrollTop = 0;
        return bubbles[0] === "alert 0";
    }""")
    await button(console, "Show earlier messages").wait_for(state="hidden")
    assert await console.evaluate("() => [...read].sort()") == sorted(f"alert {number}" for number in range(260))


async def test_a_long_chat_shows_a_part_of_what_was_read(console: Page, world: World, gateway: ServedGateway) -> None:
    client = client_of(gateway)
    await store_sends(client.subscribe("reads").part.outbox, FILEHELPER, [world.clock.now()] * 700, str)
    await open_chat(console, HELPER)
    await message(console, "alert 699").wait_for()
    walk = """([place, words]) => {
        const scroller = document.querySelector(".conversation .scroller");
        const bubbles = [...scroller.querySelectorAll(".bubble")].map((bubble) => bubble.innerText);
        window.most = Math.max(window.most ?? 0, bubbles.length);
        bubbles.forEach((bubble) => (window.read ??= new Set()).add(bubble));
        if (bubbles.at(place) === words) return true;
        scroller.scrollTop = place ? scroller.scrollHeight : 0;
        return false;
    }"""
    await console.wait_for_function(walk, arg=[0, "alert 0"])
    assert await console.evaluate("[read.size, most <= 100]") == [700, True]
    await console.evaluate("read.clear()")
    await console.wait_for_function(walk, arg=[-1, "alert 699"])
    assert await console.evaluate("[read.size, most <= 100]") == [700, True]

    await console.wait_for_function(walk, arg=[0, "alert 0"])
    world.say("me", "filehelper", "from the phone")
    await button(console, "New messages").click()
    await message(console, "from the phone").wait_for()


async def test_a_send_of_another_program_appears_in_every_open_tab(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    other = await console.context.new_page()
    await other.goto(gateway.url)
    await other.get_by_text("Live", exact=True).wait_for()
    for page in (console, other):
        await open_chat(page, HELPER)
        await page.get_by_text("No messages yet").wait_for()
    world.refuse_next("webwxsendmsg", 1204)
    account = gateway.gateway.port.account(1)
    with pytest.raises(ApiError):
        await account.sends.send("filehelper", TextContent(text="from a script"), key="k")
    for page in (console, other):
        await message(page, "from a script").get_by_text("Not sent", exact=True).wait_for()
    await account.sends.send("filehelper", TextContent(text="from a script"), key="k")
    for page in (console, other):
        await message(page, "from a script").get_by_text("Sent", exact=True).wait_for()
        await chat(page, "^File Transfer Helper .* from a script").wait_for()


async def test_a_chat_with_pictures_opens_at_its_newest_message(
    console: Page, world: World, photo: FilePayload
) -> None:
    for _ in range(30):
        world.picture("ahua", "me", photo["buffer"])
    world.say("ahua", "me", "the newest")
    await open_chat(console, HELPER)
    # A picture makes the content grow while the event of an earlier scrolling is on its way.
    await console.evaluate(
        "() => document.addEventListener('load', () => document.querySelector('.conversation .scroller')"
        "?.dispatchEvent(new Event('scroll')), true)"
    )
    await chat(console, "^阿华").click()
    await message(console, "the newest").wait_for()
    await console.wait_for_function("""() => {
        const scroller = document.querySelector(".conversation .scroller");
        const end = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
        return end < 2 && [...scroller.querySelectorAll(".bubble img")].slice(-3).every((picture) => picture.complete);
    }""")


CARRY = """([kind, ...names]) => {
    const carried = new DataTransfer();
    for (const name of names) carried.items.add(new File([name], name, { type: "text/plain" }));
    const log = document.querySelector("[role=log]");
    const how = { bubbles: true, cancelable: true };
    log.dispatchEvent(
        kind === "paste"
            ? new ClipboardEvent(kind, { clipboardData: carried, ...how })
            : new DragEvent(kind, { dataTransfer: carried, ...how }),
    );
}"""
"""Drag files over the messages, drop or paste them there."""


async def test_files_are_picked_dropped_and_pasted_and_sent_in_their_order(
    console: Page, world: World, photo: FilePayload
) -> None:
    await open_chat(console, HELPER)
    await attach(console, {"name": "one.txt", "mimeType": "text/plain", "buffer": b"1"}, photo)
    await to_send(console).locator("canvas").wait_for()
    await console.evaluate(CARRY, ["dragover", "two.txt"])
    await console.get_by_text(f"Drop files here to send them to {HELPER}").wait_for()
    await console.evaluate(CARRY, ["drop", "two.txt", "three.txt"])
    await console.get_by_text("Drop files here").wait_for(state="hidden")
    await console.evaluate(CARRY, ["paste", "four.txt"])
    await to_send(console).filter(has_text="four.txt").wait_for()
    await button(console, "Remove three.txt").focus()
    await console.keyboard.press("Enter")
    await console.wait_for_function("() => document.activeElement.ariaLabel === 'Remove four.txt'")
    assert "filehelper" not in world.inbox("me")

    await field(console).fill("and a text")
    await console.keyboard.press("Enter")
    await message(console, "and a text").get_by_text("Sent", exact=True).wait_for()
    await message(console, "sunset.png").locator("canvas").wait_for()
    assert await to_send(console).count() == 0
    sent = [each.text or each.kind for each in world.inbox("me")["filehelper"].messages]
    assert sent == ["one.txt", "image", "two.txt", "four.txt", "and a text"]


async def test_a_file_that_is_dropped_on_a_screen_without_messages_does_not_leave_the_page(console: Page) -> None:
    await open_screen(console, "Keys")
    left = await console.evaluate("""() => ["dragover", "drop"].filter((kind) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["a"], "a.txt"));
        const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
        document.querySelector("main").dispatchEvent(event);
        return !event.defaultPrevented;
    })""")
    assert left == []


async def test_a_refused_file_keeps_its_place_and_is_sent_once(console: Page, world: World) -> None:
    await open_chat(console, HELPER)
    first: FilePayload = {"name": "first.txt", "mimeType": "text/plain", "buffer": b"1"}
    await attach(console, first, {"name": "second.txt", "mimeType": "text/plain", "buffer": b"2"})
    await console.route(
        "**/api/v1/uploads?name=first.txt", lambda route: route.fulfill(status=507, json={"detail": "Full"})
    )
    await button(console, "Send").click()
    await message(console, "second.txt").get_by_text("Sent", exact=True).wait_for()
    refused = message(console, "first.txt")
    await refused.get_by_role("alert").filter(has_text="Not sent: Full").wait_for()
    names = console.get_by_role("log").get_by_role("article").locator(".attached-name")
    assert await names.all_inner_texts() == ["first.txt", "second.txt"]
    await console.unroute("**/api/v1/uploads?name=first.txt")
    await button(console, "Try again").click()
    await refused.get_by_text("Sent", exact=True).wait_for()
    await console.wait_for_function("() => document.activeElement !== document.body")
    assert [each.text for each in world.inbox("me")["filehelper"].messages] == ["second.txt", "first.txt"]


async def test_an_upload_is_cancelled(console: Page, world: World) -> None:
    await open_chat(console, HELPER)
    await console.route("**/api/v1/uploads?*", lambda _: None)  # it never arrives
    await attach(console, {"name": "large.bin", "mimeType": "application/octet-stream", "buffer": b"0" * 4096})
    await button(console, "Send").click()
    await console.get_by_role("progressbar", name="Uploading large.bin").wait_for()
    await button(console, "Cancel").click()
    await message(console, "large.bin").wait_for(state="detached")
    assert "filehelper" not in world.inbox("me")


async def test_a_file_that_cannot_be_sent_is_refused_before_anything_is_sent(
    console: Page, gateway: ServedGateway
) -> None:
    await open_chat(console, HELPER)
    await attach(console, {"name": "nothing.txt", "mimeType": "text/plain", "buffer": b""})
    await to_send(console).get_by_role("alert").filter(has_text="It is empty.").wait_for()
    assert await button(console, "Send").is_disabled()
    shown = await console.evaluate(
        "fetch('console/limits.js').then(() => import('/console/limits.js'))"
        ".then(({ largest }) => [largest('image/png'), largest('text/plain')])"
    )
    assert shown == [20 * 1024**2, 1024**3]


async def test_a_refused_text_is_explained_and_can_be_edited(console: Page, world: World) -> None:
    await open_chat(console, HELPER)
    await field(console).fill("x" * 16_001)
    await button(console, "Send").click()
    await console.get_by_role("alert").filter(has_text=re.compile("Not sent: .*16")).wait_for()
    await button(console, "Edit").click()
    assert await field(console).input_value() == "x" * 16_001
    assert await console.get_by_role("log").get_by_role("article").count() == 0
    assert "filehelper" not in world.inbox("me")


async def test_an_unknown_outcome_is_explained_and_not_sent_again(console: Page, world: World) -> None:
    await open_chat(console, HELPER)
    world.faults.add("empty:endpoint=webwxsendmsg,times=1")
    await field(console).fill("perhaps")
    await console.keyboard.press("Enter")
    sent = message(console, "perhaps")
    await sent.get_by_text("Unknown outcome", exact=True).wait_for()
    await sent.get_by_text("it may have arrived").wait_for()
    await sent.get_by_role("link", name="Open the outbox").click()
    await console.get_by_role("heading", name="Outbox").wait_for()
    assert texts(world, "me", "filehelper") == ["perhaps"]


async def test_a_text_that_wechat_refuses_is_shown_as_failed_and_sent_again(console: Page, world: World) -> None:
    await open_chat(console, HELPER)
    world.faults.add("ret:endpoint=webwxsendmsg,times=1,ret=1204")
    await field(console).fill("second try")
    await console.keyboard.press("Enter")
    sent = message(console, "second try")
    await sent.get_by_text("Not sent", exact=True).wait_for()
    await sent.get_by_role("button", name="Send again").click()
    await sent.get_by_text("Sent", exact=True).wait_for()
    assert texts(world, "me", "filehelper") == ["second try"]


async def test_a_request_without_an_answer_is_repeated_without_a_second_message(console: Page, world: World) -> None:
    await open_chat(console, HELPER)

    await console.route("**/accounts/1/messages", lose_answer)
    await field(console).fill("once")
    await console.keyboard.press("Enter")
    await message(console, "once").get_by_text("The gateway has not answered").wait_for()
    assert await message(console, "once").count() == 1  # not again as the send, which the stream reports
    await console.unroute("**/accounts/1/messages")
    await button(console, "Try again").click()
    await message(console, "once").get_by_text("Sent", exact=True).wait_for()
    assert await message(console, "once").count() == 1
    assert texts(world, "me", "filehelper") == ["once"]

    async def lose_answer_at_a_proxy(route: Route) -> None:
        await route.fetch()
        await route.fulfill(status=504, body="Gateway Timeout")

    await console.route("**/accounts/1/messages", lose_answer_at_a_proxy)
    await field(console).fill("again only once")
    await console.keyboard.press("Enter")
    await message(console, "again only once").get_by_text("Not sent: HTTP 504").wait_for()
    await console.unroute("**/accounts/1/messages")
    await button(console, "Try again").click()
    await button(console, "Try again").wait_for(state="hidden")
    await message(console, "again only once").get_by_text("Sent", exact=True).wait_for()
    assert texts(world, "me", "filehelper") == ["once", "again only once"]


async def test_messages_are_found_in_all_chats_and_in_one(console: Page, world: World) -> None:
    world.say("ahua", "me", "the backup is ready")
    world.say("me", "filehelper", "backup list")
    await open_chat(console, HELPER)
    await message(console, "backup list").wait_for()
    search = console.get_by_role("searchbox", name="Search chats and messages")
    await search.fill("backup")
    await chat(console, "^File Transfer Helper .* backup list").wait_for()
    await chat(console, "^阿华 .* the backup is ready").wait_for()
    await search.press("ArrowDown")
    await chat(console, "^阿华 .* the backup is ready").click()
    await message(console, "the backup is ready").wait_for()
    await console.wait_for_function("() => document.activeElement.textContent.includes('the backup is ready')")
    await button(console, "Go to the newest messages").click()
    await button(console, "Go to the newest messages").wait_for(state="hidden")

    await button(console, "Search in this chat").click()
    await console.get_by_role("searchbox", name="Search in 阿华").fill("backup")
    await chat(console, "^阿华 .* the backup is ready").wait_for()
    assert await chat(console, "backup list").count() == 0
    await console.keyboard.press("Escape")
    await chat(console, "周末爬山").wait_for()
    await search.fill("no such words")
    await console.get_by_text("Nothing found").wait_for()


async def test_a_draft_survives_a_reload_and_ends_with_its_chat_or_session(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    world.say("ahua", "me", "are you there?")
    await open_chat(console, "阿华")
    await field(console).fill("not sent\nyet")
    await console.reload()
    await message(console, "are you there?").wait_for()
    await see_value(console, "not sent\nyet")
    await chat(console, f"^{HELPER}").click()
    await console.get_by_role("log", name=f"Messages with {HELPER}").wait_for()
    await see_value(console, "")
    await field(console).fill("secret")
    await chat(console, "^阿华").click()
    await see_value(console, "not sent\nyet")
    await field(console).press("Enter")
    await message(console, "not sent").get_by_text("Sent", exact=True).wait_for()
    kept = "JSON.stringify(Object.entries(localStorage).filter(([key]) => /^webwx.(drafts|unread)/.test(key)))"
    assert "not sent" not in await console.evaluate(kept)
    other = await console.context.new_page()  # another tab, which learns that the session has ended
    await other.goto(gateway.url)
    await open_chat(other, HELPER)
    await see_value(other, "secret")
    await field(other).fill("secret, and more")
    await button(console, "End session").click()
    for page in (console, other):
        await page.get_by_text("This browser has no session").wait_for()
    assert await console.evaluate(kept) == "[]"


async def test_a_draft_ends_with_a_session_that_another_browser_has_ended(
    console: Page, gateway: ServedGateway
) -> None:
    await open_chat(console, HELPER)
    await field(console).fill("secret")
    await gateway.gateway.sessions.end_all()
    await console.get_by_text("This browser has no session").wait_for()
    assert "secret" not in await console.evaluate("JSON.stringify(localStorage)")


async def test_a_failure_to_load_the_chats_is_explained(console: Page) -> None:
    await open_screen(console, "Keys")
    await console.route("**/api/v1/accounts", lambda route: route.abort())
    await open_screen(console, "Chats")
    await console.get_by_text("This could not be loaded").wait_for()
    await console.unroute("**/api/v1/accounts")
    await button(console, "Try again").click()
    await chat(console, HELPER).wait_for()


async def test_in_a_narrow_window_a_chat_covers_the_list(
    gateway: ServedGateway, world: World, open_console: Callable[..., Awaitable[Page]]
) -> None:
    await gateway.log_in(world)
    page = await open_console(viewport={"width": 360, "height": 640}, color_scheme="dark")
    await open_screen(page, "Chats")
    await chat(page, HELPER).focus()
    await page.keyboard.press("Enter")
    await field(page).fill("small")
    await page.keyboard.press("Enter")
    await message(page, "small").get_by_text("Sent", exact=True).wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await button(page, "Back").click()
    await chat(page, HELPER).wait_for()
    await page.wait_for_function("() => document.activeElement.getAttribute('role') === 'option'")


async def test_the_recent_chats_are_shown_before_the_answer_about_others(console: Page, world: World) -> None:
    world.say("ahua", "me", "hello")
    await open_chat(console, "阿华")
    place = json.dumps(f"1/@{0:064x}")
    await console.evaluate(
        f"() => {{ localStorage.setItem('webwx.drafts', JSON.stringify([{place}]));"
        f" localStorage.setItem('webwx.drafts/' + {place}, 'a draft'); }}"
    )
    held: asyncio.Future[Route] = asyncio.get_running_loop().create_future()
    await console.route(f"**/contacts/%40{0:064x}", lambda route: held.set_result(route), times=1)
    await console.reload()
    route = await held
    await chat(console, "阿华").wait_for()
    await message(console, "hello").wait_for()
    await route.continue_()
    await console.wait_for_function("() => localStorage.getItem('webwx.drafts') === '[]'")


async def test_an_answer_that_is_older_than_a_message_does_not_replace_its_line(console: Page, world: World) -> None:
    world.clock = VirtualClock(world.clock.now())  # both are of the same second
    world.say("ahua", "me", "older")
    await open_chat(console, "阿华")
    await message(console, "older").wait_for()
    await open_screen(console, "Keys")
    held: asyncio.Future[tuple[Route, APIResponse]] = asyncio.get_running_loop().create_future()

    async def hold(route: Route) -> None:
        held.set_result((route, await route.fetch()))

    await console.route("**/messages?limit=200", hold, times=1)
    await open_screen(console, "Chats")
    route, older = await held
    world.say("ahua", "me", "newer")
    await chat(console, "阿华").filter(has_text="newer").wait_for()
    async with console.expect_response("**/api/v1/accounts/1/chats"):
        await route.fulfill(response=older)
    await console.evaluate("() => new Promise(requestAnimationFrame)")
    assert "newer" in await chat(console, "阿华").inner_text()


async def test_many_chats_that_do_not_exist_are_asked_for_a_few_at_a_time_and_forgotten(console: Page) -> None:
    gone = [f"@{number:064x}" for number in range(60)]
    kept = {"cursor": "", "accounts": [[1, [[chat, [1]] for chat in gone], []]]}
    drafts = [f"1/{gone[0]}", "7/filehelper", "1/filehelper"]
    await console.add_init_script(
        f"""if (!sessionStorage.begun) {{
            sessionStorage.begun = "yes";
            const kept = JSON.parse(localStorage.getItem("webwx.unread") ?? "{{}}");
            localStorage.setItem("webwx.unread", JSON.stringify({{ ...{json.dumps(kept)}, cursor: kept.cursor }}));
            localStorage.setItem("webwx.drafts", '{json.dumps(drafts)}');
            for (const place of {json.dumps(drafts)}) localStorage.setItem(`webwx.drafts/${{place}}`, "a draft");
        }}"""
    )
    on_way: set[Request] = set()
    most, asked = 0, set()

    def begin(request: Request) -> None:
        nonlocal most
        if "/contacts/%40" in request.url:
            on_way.add(request)
            asked.add(request.url)
            most = max(most, len(on_way))

    console.on("request", begin)
    for end in ("requestfinished", "requestfailed"):
        console.on(end, lambda request: on_way.discard(request))
    await open_screen(console, "Chats")
    await console.reload()
    await console.wait_for_function(
        """() => JSON.parse(localStorage.getItem("webwx.unread")).accounts.every(([, unread]) => unread.length === 0)
            && localStorage.getItem("webwx.drafts") === '["1/filehelper"]'"""
    )
    assert len(asked) == len(gone)
    assert most <= 3
