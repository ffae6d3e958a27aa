"""The phone in a browser: what a person does with it, and what a client receives."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.browser.network import lose_answer

from webwx.errors import RateLimited
from webwx.model.messages import ImageMessage, MessageRecalled, TextMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Browser, FilePayload
    from tests.browser.conftest import Program
    from tests.browser.user import BrowserUser

    from webwx.sandbox.serve import RunningSandbox
    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

WEBWX = Path(sys.executable).with_name("webwx")


async def test_the_command_line_logs_in_when_its_code_is_scanned_and_confirmed(
    hands: BrowserUser, tmp_path: Path
) -> None:
    login = await asyncio.create_subprocess_exec(
        WEBWX, "login", "--server", hands.url, env={"WEBWX_HOME": str(tmp_path), "PATH": ""},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await hands.rail("phone").click()
    await hands.button("Scan with 小明’s phone").click()
    await hands.see(hands.page.get_by_role("status").filter(has_text="Scanned by 小明")).to_be_visible()
    await hands.keep("login")
    await hands.button("Confirm").click()
    said, _ = await asyncio.wait_for(login.communicate(), 20)
    assert said.decode() == "Logged in as 小明.\n"


async def test_a_login_that_is_cancelled_or_expires_shows_its_next_code(hands: BrowserUser, program: Program) -> None:
    login = program.begin()
    await hands.rail("phone").click()
    code = hands.page.get_by_role("img", name="QR code of the login")
    shown = set()
    for refuse in ("Cancel login", "Expire now", "Confirm"):
        await hands.see(code).to_be_visible()
        shown.add(await code.get_attribute("src"))
        await hands.button("Scan with 小明’s phone").click()
        await hands.button(refuse).click()
    assert (await asyncio.wait_for(login, 20)).nickname == "小明"
    assert len(shown) == 3
    await hands.see(hands.page.get_by_text("No login is waiting")).to_be_visible()


async def test_the_selected_one_of_two_waiting_logins_is_scanned(hands: BrowserUser, program: Program) -> None:
    await hands.rail("phone").click()
    codes = hands.page.get_by_role("article", name="Login at")
    first = program.begin()
    await hands.see(codes).to_have_count(1)
    second = program.begin()
    await hands.see(codes).to_have_count(2)
    older = hands.page.get_by_role("article", name=re.compile("no. 1$"))
    await hands.see(codes.first.get_by_role("img", name="QR code of the login")).to_have_js_property("complete", True)
    await hands.see(older.get_by_text("asked for at")).to_be_visible()
    await hands.button("Scan with 小明’s phone", older).click()
    await hands.button("Confirm", older).click()
    await asyncio.wait_for(first, 20)
    assert not second.done()


async def test_messages_arrive_on_both_sides_and_marking_one_as_read_clears_its_badge(
    hands: BrowserUser, program: Program
) -> None:
    await program.log_in(hands)
    await program.client.send_text("阿华", "Are you there?")
    await hands.be("阿华")
    await hands.rail("chats").click()
    await hands.see(hands.row("小明")).to_have_accessible_name(re.compile("1 unread"))
    await hands.read_chat("小明")
    await hands.see(hands.message("Are you there?")).to_be_visible()
    await hands.see(hands.row("小明")).not_to_have_accessible_name(re.compile("unread"))

    await hands.say("Yes! 在的 🎉")
    received = await program.next(TextMessage)
    assert received.text == "Yes! 在的 🎉"
    await hands.be("小明")
    await hands.rail("chats").click()
    await hands.see(hands.row("阿华")).to_have_accessible_name(re.compile("1 unread"))
    await hands.keep("unread")
    await program.client.mark_read("阿华")
    await hands.see(hands.row("阿华")).not_to_have_accessible_name(re.compile("unread"))


async def test_only_messages_of_a_chat_in_view_are_read(hands: BrowserUser, world: World) -> None:
    await hands.begin_chat("阿华")
    await hands.see(hands.page.get_by_text("Nothing has been said here")).to_be_visible()
    world.say("阿华", "me", "seen")
    await hands.see(hands.message("seen")).to_be_visible()
    await hands.see(hands.rail("chats")).to_have_accessible_name("Chats")
    await hands.see(hands.row("阿华")).not_to_have_accessible_name(re.compile("unread"))

    await hands.rail("wire").click()
    await hands.page.set_viewport_size({"width": 390, "height": 800})
    await hands.see(hands.log).to_be_hidden()
    world.say("阿华", "me", "behind a tool")
    await hands.see(hands.rail("chats")).to_have_accessible_name("Chats 1 unread")
    await hands.rail("wire").click()
    await hands.see(hands.message("behind a tool")).to_be_visible()
    await hands.button("Back").click()
    await hands.see(hands.rail("chats")).to_have_accessible_name("Chats")

    world.say("阿华", "me", "in the list")
    await hands.see(hands.row("阿华")).to_have_accessible_name(re.compile("1 unread"))


async def test_each_side_recalls_and_the_recalled_picture_is_forwarded(
    hands: BrowserUser, program: Program, photo: FilePayload
) -> None:
    await program.log_in(hands)
    receipt = await program.client.send_text("阿华", "oops")
    await hands.be("阿华")
    await hands.read_chat("小明")
    await hands.see(hands.message("oops")).to_be_visible()
    await program.client.recall(receipt)
    await hands.see(hands.log.get_by_text("小明 recalled a message")).to_be_visible()
    await hands.see(hands.message("oops")).to_have_count(0)

    await hands.attach("Picture", photo)
    shown = hands.log.get_by_role("img", name="Picture from 阿华")
    await hands.see(shown).to_be_visible()
    await program.next(ImageMessage)
    await hands.recall(hands.log.get_by_role("article").last)
    await hands.see(hands.log.get_by_text("You recalled a message")).to_be_visible()
    recalled = await program.next(MessageRecalled)

    await program.client.forward(recalled.original, "张三")
    await hands.be("张三")
    await hands.read_chat("小明")
    sent_on = hands.log.get_by_role("img", name="Picture from 小明")
    await hands.see(sent_on).to_be_visible()
    await hands.see(sent_on).to_have_js_property("naturalWidth", 480)
    await hands.keep("sent-on")


async def test_a_voice_has_its_real_duration_and_an_unreadable_one_has_a_second(hands: BrowserUser) -> None:
    await hands.begin_chat("阿华")
    sound = io.BytesIO()
    with wave.open(sound, "wb") as spoken:
        spoken.setparams((1, 1, 8000, 0, "NONE", ""))
        spoken.writeframes(b"\x80" * 20_000)
    for content, length in ((sound.getvalue(), "2.5 s"), (b"\x02#!SILK_V3", "1 s")):
        await hands.attach("Voice", {"name": "spoken", "mimeType": "audio/wav", "buffer": content})
        await hands.see(hands.log.get_by_role("article").last).to_contain_text(length)


async def test_a_large_file_is_sent(hands: BrowserUser, tmp_path: Path) -> None:
    with (large := tmp_path / "large.bin").open("wb") as content:
        content.truncate(80 * 1024 * 1024)
    await hands.begin_chat("阿华")
    await hands.attach("File", large)
    last = hands.log.get_by_role("article").last
    await hands.see(last).to_contain_text("large.bin")
    await hands.see(last).to_contain_text("80.0 MB")


async def test_a_chinese_page_shows_refusals_in_chinese(
    new_hands: Callable[..., Awaitable[BrowserUser]], world: World
) -> None:
    world.say("阿华", "me", "在吗？")
    hands = await new_hands(locale="zh-CN")
    await hands.row("阿华").click()
    await hands.rail("phone").click()
    await hands.page.get_by_role("switch", name="手机离线").click()
    await hands.rail("chats").click()
    await hands.page.get_by_role("textbox", name="消息").fill("在")
    await hands.page.keyboard.press("Enter")
    await hands.see(hands.page.get_by_role("alert")).to_have_text("这部手机已离线，请先恢复在线。")
    hands.wrongs.remove("console: Failed to load resource: the server responded with a status of 409 (Conflict)")


async def test_a_fault_is_switched_on_and_off(hands: BrowserUser, program: Program) -> None:
    await program.log_in(hands)
    await hands.rail("faults").click()
    await hands.page.get_by_role("searchbox", name="Search faults").fill("refused with the return code")
    ret = hands.page.locator("article.fault:visible")
    await hands.see(ret).to_have_count(1)
    await hands.button("Options of ret").click()
    await ret.get_by_label("How many times").fill("2")
    await ret.get_by_label("Call").select_option("webwxsendmsg")
    await ret.get_by_role("textbox", name="ret").fill("1205")
    await hands.button("Switch on", ret).click()
    await hands.see(ret.get_by_role("switch")).to_be_checked()
    with pytest.raises(RateLimited):
        await program.client.send_text("阿华", "too much")
    await hands.see(ret).to_contain_text("×1")
    await hands.see(hands.page.locator(".rule")).to_contain_text("ret=1205 · webwxsendmsg · hit 1 of 2 times")
    await hands.keep("faults")
    await ret.get_by_role("switch").click()
    await hands.see(ret.get_by_role("switch")).not_to_be_checked()
    await program.client.send_text("阿华", "fine again")

    await hands.page.get_by_label("Seed", exact=True).fill("7")
    await hands.button("Set").click()
    await hands.see(hands.page.get_by_role("status").filter(has_text="The seed is 7.")).to_be_visible()
    await ret.get_by_role("switch").click()
    await hands.see(ret.get_by_role("switch")).to_be_checked()
    await hands.button("Reset").click()
    await hands.see(ret.get_by_role("switch")).not_to_be_checked()
    await hands.see(ret).not_to_contain_text("×1")


async def test_the_traffic_is_filtered_paused_opened_and_explained(hands: BrowserUser, program: Program) -> None:
    await hands.rail("wire").click()
    await hands.see(hands.page.get_by_text("No requests yet")).to_be_visible()
    await program.log_in(hands)
    exchanges = hands.page.get_by_role("list", name="Requests and answers, the newest first")
    await hands.see(exchanges.get_by_role("link", name="webwxinit")).to_be_visible()
    await hands.see(
        exchanges.get_by_role("listitem").filter(has_text="synccheck").filter(has_text="waiting")
    ).to_be_visible()
    await program.client.send_text("阿华", "Is this seen?")
    await hands.page.get_by_label("Any call").select_option("webwxsendmsg")
    sent = exchanges.get_by_role("listitem")
    await hands.see(sent).to_have_count(1)
    await hands.see(sent).to_contain_text("200 · ret 0")
    await hands.button(re.compile("^webwxsendmsg, request"), sent).click()
    await hands.see(sent.locator("pre").first).to_contain_text('"Content": "Is this seen?"')
    await hands.see(sent.locator("pre").first).to_contain_text('"Skey": "***"')
    await hands.keep("wire")

    await hands.button("Pause").click()
    await program.client.send_text("阿华", "unseen")
    await hands.see(hands.button("Continue (1 new)")).to_be_visible()
    await hands.see(sent).to_have_count(1)
    await hands.button("Continue (1 new)").click()
    await hands.see(sent).to_have_count(2)

    async with hands.page.expect_popup() as opened:
        await sent.first.get_by_role("link", name="webwxsendmsg").click()
    explained = await opened.value
    await hands.see(explained.locator("section:target h3")).to_have_text("webwxsendmsg")
    await hands.page.get_by_label("Any call").select_option("")
    await hands.button("Clear").click()
    await hands.see(exchanges.get_by_role("link", name="webwxinit")).to_have_count(0)


async def test_a_long_traffic_is_shown_in_parts(hands: BrowserUser) -> None:
    for _ in range(120):
        await hands.page.request.get(f"{hands.url}/jslogin?appid=wx782c26e4c19acffb")
    await hands.rail("wire").click()
    await hands.see(hands.page.locator(".wire").get_by_role("status")).to_have_text("120 of 120")
    exchanges = hands.page.locator(".exchange")
    await hands.see(exchanges).to_have_count(50)
    await hands.button("Show 50 earlier").click()
    await hands.see(hands.page.locator(":focus")).to_have_attribute("aria-label", "jslogin, request #70")
    await hands.page.request.get(f"{hands.url}/jslogin?appid=wx782c26e4c19acffb")
    await hands.see(hands.page.locator(".wire").get_by_role("status")).to_have_text("121 of 121")
    await hands.see(exchanges.first).to_have_attribute("data-number", "70")  # what is read stays
    await hands.button("Show 20 earlier").click()
    await hands.see(exchanges).to_have_count(20)
    await hands.button("Show the newest").click()
    await hands.see(hands.page.locator(":focus")).to_have_attribute("aria-label", "jslogin, request #121")
    await hands.see(exchanges).to_have_count(50)


async def test_actions_of_a_client_appear_on_the_phone_and_in_the_traffic_at_once(
    hands: BrowserUser, program: Program, photo: FilePayload
) -> None:
    await program.log_in(hands)
    await hands.be("阿华")
    await hands.begin_chat("周末爬山")
    await hands.say("周六早上八点，老地方见？")
    await hands.begin_chat("小明")
    await hands.say("The view from last time:")
    await hands.attach("Picture", photo)
    await program.next(ImageMessage)
    await program.client.send_text("阿华", "Lovely! 真好看 🌄")
    await program.client.recall(await program.client.send_text("阿华", "@all wrong chat, sorry"))
    await program.client.send_text("阿华", "See you on Saturday.")
    await hands.rail("wire").click()
    await hands.see(hands.message("See you on Saturday.")).to_be_visible()
    await hands.see(hands.log.get_by_text("小明 recalled a message")).to_be_visible()
    await hands.see(hands.log.get_by_role("img", name="Picture from 阿华")).to_have_js_property("naturalWidth", 480)
    await hands.see(hands.page.locator(".exchange").filter(has_text="webwxrevokemsg")).to_contain_text("ret 0")
    await hands.keep("main")


async def test_every_action_is_possible_by_keyboard(hands: BrowserUser, program: Program) -> None:
    keyboard = hands.page.keyboard

    async def walk_to(name: str) -> None:
        """Press Tab until the focused element has this name."""
        for _ in range(60):
            label = "(e => e.getAttribute('aria-label') || e.innerText)(document.activeElement)"
            if (await hands.page.evaluate(label)).startswith(name):
                return
            await keyboard.press("Tab")
        pytest.fail(f"Tab never comes to {name}")

    login = program.begin()
    await keyboard.press("Alt+3")
    await hands.see(hands.button(re.compile("^Scan with"))).to_be_visible()
    await walk_to("Scan with")
    await keyboard.press("Enter")
    await hands.see(hands.button("Confirm")).to_be_visible()
    await walk_to("Confirm")
    await keyboard.press("Enter")
    await asyncio.wait_for(login, 20)

    await program.client.send_text("filehelper", "a note")
    await keyboard.press("Alt+1")
    await hands.see(hands.row("File Transfer Helper")).to_be_visible()
    await walk_to("File Transfer Helper")
    await keyboard.press("Enter")
    await hands.see(hands.page.get_by_role("textbox", name="Message")).to_be_focused()
    await keyboard.type("by hand")
    await keyboard.press("Enter")
    await hands.see(hands.message("by hand")).to_be_visible()
    await keyboard.press("ArrowUp")
    await keyboard.press("Enter")
    await hands.see(hands.page.get_by_role("menuitem", name="Recall")).to_be_focused()
    await keyboard.press("Enter")
    await hands.see(hands.log.get_by_text("You recalled a message")).to_be_visible()

    await walk_to("Traffic")
    await keyboard.press("Enter")
    await hands.see(hands.page.get_by_role("list", name="Requests and answers, the newest first")).to_be_visible()
    await walk_to("webwx")
    first = await hands.page.locator(":focus").get_attribute("aria-label")
    await keyboard.press("ArrowDown")
    assert await hands.page.locator(":focus").get_attribute("aria-label") != first
    await keyboard.press("Enter")
    await hands.see(hands.page.locator(":focus")).to_have_attribute("aria-expanded", "true")
    await keyboard.press("Tab")
    await hands.see(hands.page.locator(":focus")).to_have_attribute("href", re.compile("/phone/wire#webwx"))
    await keyboard.press("ArrowUp")
    assert first == await hands.page.locator(":focus").get_attribute("aria-label")


async def test_a_repeated_enter_in_the_phone_view_logs_no_one_out(hands: BrowserUser, program: Program) -> None:
    keyboard = hands.page.keyboard
    login = program.begin()
    await hands.scan()
    await asyncio.wait_for(login, 20)
    await hands.rail("chats").click()
    await keyboard.press("Alt+3")
    await hands.see(hands.page.get_by_role("heading", name="Scan a login code")).to_be_focused()
    await keyboard.press("Enter")
    await keyboard.press("Tab")
    await hands.see(hands.button("Log out")).to_be_focused()

    question = hands.page.get_by_role("dialog", name="Log 小明 out of the web client?")
    await keyboard.press("Enter")
    await hands.see(hands.button("Cancel", question)).to_be_focused()
    await hands.keep("log-out")
    await keyboard.press("Enter")
    await hands.see(question).to_have_count(0)
    await hands.see(hands.page.get_by_text("Open since")).to_be_visible()

    await hands.button("Log out").click()
    await hands.button("Log out", question).click()
    await hands.see(hands.page.get_by_text("小明 is logged in nowhere.")).to_be_visible()


async def test_a_chat_opens_although_its_row_is_redrawn_while_the_button_is_pressed(
    hands: BrowserUser, world: World
) -> None:
    world.say("张三", "me", "before")
    row = hands.row("张三")
    await row.hover()
    await hands.page.mouse.down()
    world.say("张三", "me", "meanwhile")
    await hands.see(row).to_contain_text("meanwhile")
    await hands.page.mouse.up()
    await hands.see(hands.page.get_by_role("heading", name="张三")).to_be_visible()


async def test_emoji_are_in_colour_and_digits_are_not(hands: BrowserUser, world: World) -> None:
    world.say("阿华", "me", "😀☕")
    world.say("张三", "me", "#10 © ☎")
    for name, is_coloured in (("阿华", True), ("张三", False)):
        await hands.read_chat(name)
        shot = await hands.log.locator(".words").screenshot()
        _, saturation, brightness = Image.open(io.BytesIO(shot)).convert("HSV").split()
        colours = zip(saturation.tobytes(), brightness.tobytes(), strict=True)
        assert is_coloured is any(saturated * bright > 100 * 255 for saturated, bright in colours)


@pytest.mark.parametrize("is_by_key", [False, True], ids=["click", "key"])
async def test_a_search_finds_messages_of_any_age(hands: BrowserUser, world: World, is_by_key: bool) -> None:
    world.say("me", "张三", "Where is the KEY?")
    world.say("阿华", "me", "the key is under the mat " + "x" * 200)
    for number in range(130):
        world.say("阿华", "me", f"word {number}")
    world.recall("me", "张三", world.say("me", "张三", "another key").id)
    await hands.see(hands.row("阿华")).to_be_visible()
    search = hands.page.get_by_role("searchbox", name="Search chats and messages")
    await search.fill("Key")
    await hands.see(hands.page.locator(".list-pane").get_by_role("option")).to_have_count(2)
    await hands.see(hands.row("阿华").locator("mark")).to_have_text("key")
    await hands.keep("search")
    if is_by_key:
        await hands.page.keyboard.press("ArrowDown")
        await hands.page.keyboard.press("Enter")
    else:
        await hands.row("阿华").click()
    await hands.see(hands.message("the key is under the mat")).to_be_focused()
    await hands.see(hands.message("the key is under the mat")).to_be_in_viewport()
    await hands.keep("found")

    await hands.row("张三").click()
    await hands.see(hands.message("Where is the KEY?")).to_be_focused()
    world.say("李雷", "me", "I have the key.")
    await hands.see(hands.row("Boss")).to_be_visible()
    await search.fill("no such words")
    await hands.see(hands.page.get_by_text("Nothing found")).to_be_visible()
    await search.fill("")
    await hands.see(hands.row("Boss")).to_contain_text("I have the key.")


async def test_files_are_pasted_and_dropped_sent_in_order_and_tried_again_without_a_second_message(
    hands: BrowserUser, world: World, photo: FilePayload
) -> None:
    await hands.begin_chat("阿华")
    carry = """([kind, name, type, content]) => {
        const carried = new DataTransfer();
        const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
        carried.items.add(new File([bytes], name, { type }));
        const how = { bubbles: true, cancelable: true };
        document.querySelector("[role=log]").dispatchEvent(
            kind === "paste"
                ? new ClipboardEvent(kind, { clipboardData: carried, ...how })
                : new DragEvent(kind, { dataTransfer: carried, ...how }),
        );
    }"""
    picture = base64.b64encode(photo["buffer"]).decode()
    await hands.page.evaluate(carry, ["paste", "shot.png", "image/png", picture])
    await hands.see(hands.to_send.locator("canvas")).to_be_visible()
    await hands.page.evaluate(carry, ["dragover", "a.txt", "text/plain", "YQ=="])
    await hands.see(hands.page.get_by_text("Drop files here to send them to 阿华")).to_be_visible()
    for name in ("a.txt", "b.txt", "c.txt"):
        await hands.page.evaluate(carry, ["drop", name, "text/plain", "YQ=="])
    await hands.page.evaluate(carry, ["drop", "nothing.txt", "text/plain", ""])
    await hands.see(hands.to_send).to_have_count(5)
    await hands.see(hands.to_send.get_by_role("alert")).to_have_text("It is empty.")
    await hands.button("Remove b.txt").click()
    await hands.button("Remove nothing.txt").click()
    await hands.see(hands.to_send).to_have_count(3)
    await hands.keep("files-to-send")

    await hands.page.route("**/control/file?*name=a.txt*", lose_answer)
    text = hands.page.get_by_role("textbox", name="Message")
    await text.fill("and a text")
    await text.press("Enter")
    await hands.see(hands.message("and a text")).to_be_visible()
    await hands.see(hands.to_send.get_by_role("alert")).to_have_text("The sandbox does not answer.")
    await hands.page.unroute("**/control/file?*name=a.txt*")
    await hands.button("Try again").click()
    await hands.see(hands.to_send).to_have_count(0)
    sent = [each.text or each.kind for each in world.inbox("me")["ahua"].messages]
    assert sent == ["image", "a.txt", "c.txt", "and a text"]
    hands.wrongs.remove("console: Failed to load resource: net::ERR_FAILED")


async def test_a_picture_opens_in_the_viewer_and_escape_returns_to_it(
    hands: BrowserUser, world: World, photo: FilePayload
) -> None:
    webp = io.BytesIO()
    Image.open(io.BytesIO(photo["buffer"])).save(webp, "WEBP")
    world.picture("阿华", "me", photo["buffer"])
    world.picture("me", "阿华", webp.getvalue())
    world.file("阿华", "me", webp.getvalue(), "sunset.webp")
    await hands.read_chat("阿华")
    small = hands.button("Picture from 阿华: sunset.webp")
    await small.click()
    viewer = hands.page.get_by_role("dialog", name="Pictures")
    await hands.see(viewer.get_by_role("status")).to_have_text("Picture from 阿华: sunset.webp · 3 of 3")
    await hands.keep("viewer")
    for words in ("Picture from 小明 · 2 of 3", "Picture from 阿华 · 1 of 3"):
        await hands.page.keyboard.press("ArrowLeft")
        await hands.see(viewer.get_by_role("status")).to_have_text(words)
        await hands.see(viewer.get_by_role("img")).to_have_js_property("naturalWidth", 480)
    await hands.see(hands.button("Previous picture", viewer)).to_have_count(0)
    await hands.page.keyboard.press("Escape")
    await hands.see(viewer).to_have_count(0)
    await hands.see(small).to_be_focused()


async def test_an_upload_from_a_phone_is_cancelled(hands: BrowserUser, world: World) -> None:
    await hands.begin_chat("阿华")
    await hands.page.route("**/control/file?*", lambda _: None)  # it never arrives
    await hands.attach("File", {"name": "large.bin", "mimeType": "application/octet-stream", "buffer": b"0" * 4096})
    await hands.see(hands.page.get_by_role("progressbar", name="Uploading large.bin")).to_be_visible()
    await hands.button("Cancel large.bin").click()
    await hands.see(hands.to_send).to_have_count(0)
    assert "ahua" not in world.inbox("me")


async def test_a_draft_survives_a_reload_and_belongs_to_one_person_and_chat(hands: BrowserUser, world: World) -> None:
    world.say("阿华", "me", "hello")
    world.say("张三", "me", "hello")
    await hands.read_chat("阿华")
    text = hands.page.get_by_role("textbox", name="Message")
    await text.fill("not sent yet")
    await hands.page.reload()
    await hands.see(text).to_have_value("not sent yet")
    await hands.read_chat("张三")
    await hands.see(text).to_have_value("")
    await hands.read_chat("阿华")
    await hands.see(text).to_have_value("not sent yet")
    await text.press("Enter")
    await hands.see(hands.message("not sent yet")).to_be_visible()
    await hands.page.reload()
    await hands.see(hands.message("not sent yet")).to_be_visible()
    await hands.see(text).to_have_value("")


async def test_drafts_of_people_and_chats_that_do_not_exist_are_forgotten(hands: BrowserUser) -> None:
    places = ["xiaoming/ahua", "xiaoming/gone", "another/ahua", "ahua/filehelper"]
    await hands.page.evaluate(
        """places => {
            for (const place of places) localStorage.setItem(`webwx.phone.drafts/${place}`, "a draft");
            localStorage.setItem("webwx.phone.drafts", JSON.stringify(places));
        }""",
        places,
    )
    await hands.page.reload()
    await hands.page.wait_for_function("() => JSON.parse(localStorage.getItem('webwx.phone.drafts')).length < 4")
    kept = await hands.page.evaluate("Object.keys(localStorage).filter((key) => key.includes('drafts/')).sort()")
    assert kept == ["webwx.phone.drafts/ahua/filehelper", "webwx.phone.drafts/xiaoming/ahua"]


async def test_a_fling_to_the_top_reads_back_to_the_first_message(hands: BrowserUser, world: World) -> None:
    for number in range(300):
        world.say("阿华", "me", f"message {number:03d}")
    await hands.read_chat("阿华")
    await hands.see(hands.message("message 299")).to_be_visible()
    # The momentum of a fling goes on while older messages are added above.
    await hands.page.evaluate("""() => {
        const scroller = document.querySelector(".scroller");
        window.fling = new MutationObserver(() => (scroller.scrollTop = 0));
        fling.observe(scroller, { childList: true, subtree: true });
        scroller.scrollTop = 0;
    }""")
    await hands.see(hands.message("message 000")).to_be_visible()
    shown = await hands.log.get_by_role("article").locator(".bubble").all_inner_texts()
    assert shown == [f"message {number:03d}" for number in range(100)]  # the newest ones are taken off the page
    await hands.page.evaluate("""() => {
        const scroller = document.querySelector(".scroller");
        fling.disconnect();
        const down = new MutationObserver(() => (scroller.scrollTop = scroller.scrollHeight));
        down.observe(scroller, { childList: true, subtree: true });
        scroller.scrollTop = scroller.scrollHeight;
    }""")
    await hands.see(hands.message("message 299")).to_be_visible()


async def test_a_text_that_is_too_long_is_refused_and_not_lost(hands: BrowserUser) -> None:
    await hands.begin_chat("阿华")
    text = hands.page.get_by_role("textbox", name="Message")
    await text.fill("好" * 16_001)
    await hands.page.keyboard.press("Enter")
    await hands.see(hands.page.get_by_role("alert")).to_have_text(
        "The text has 16,001 characters; one message takes at most 16,000."
    )
    await hands.see(text).to_have_value("好" * 16_001)
    await hands.page.keyboard.press("Backspace")
    await hands.button("Send").click()
    await hands.see(hands.message("好" * 16_000)).to_be_visible()
    hands.wrongs.remove("console: Failed to load resource: the server responded with a status of 409 (Conflict)")


@pytest.mark.parametrize(("width", "is_by_touch"), [(390, True), (1024, True), (390, False)])
async def test_opening_a_chat_on_a_phone_raises_no_keyboard(
    new_hands: Callable[..., Awaitable[BrowserUser]], world: World, width: int, is_by_touch: bool
) -> None:
    world.say("阿华", "me", "在吗？")
    hands = await new_hands(viewport={"width": width, "height": 800}, has_touch=is_by_touch, is_mobile=is_by_touch)
    text = hands.page.get_by_role("textbox", name="Message")
    await (hands.row("阿华").tap() if is_by_touch else hands.row("阿华").click())
    await hands.see(hands.message("在吗？")).to_be_visible()
    await hands.see(text).not_to_be_focused()
    await hands.page.reload()
    await hands.see(hands.message("在吗？")).to_be_visible()
    await hands.see(text).not_to_be_focused()
    await (text.tap() if is_by_touch else text.click())
    await hands.see(text).to_be_focused()
    await hands.say("在")


async def test_chinese_labels_are_those_of_the_platform(
    new_hands: Callable[..., Awaitable[BrowserUser]], program: Program
) -> None:
    hands = await new_hands(locale="zh-CN")
    for _ in range(2):
        program.begin()
    await hands.rail("phone").click()
    await hands.see(hands.page.get_by_role("article", name=re.compile("^登录.* · #[12]$"))).to_have_count(2)
    await hands.page.get_by_role("button", name=re.compile("^沙箱时钟 ")).click()
    await hands.see(hands.page.get_by_role("dialog", name="拨快时钟")).to_be_visible()
    await hands.page.keyboard.press("Escape")
    await hands.rail("wire").click()
    await hands.see(hands.page.get_by_role("button", name="jslogin，请求 #1", exact=True)).to_be_visible()
    await hands.rail("contacts").click()
    await hands.page.get_by_role("option", name="阿华").click()
    await hands.button("发消息").click()
    await hands.button("添加附件").click()
    await hands.see(hands.page.get_by_role("menu", name="添加附件")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "width", "language", "scheme"),
    [("light", 1280, "en-US", "light"), ("dark-chinese", 1280, "zh-CN", "dark"), ("narrow", 390, "en-US", "light"),
     ("narrow-dark-chinese", 390, "zh-CN", "dark")],
)  # fmt: skip
async def test_the_page_fits_every_window_in_both_languages_and_both_themes(
    new_hands: Callable[..., Awaitable[BrowserUser]], world: World, name: str, width: int, language: str, scheme: str
) -> None:
    world.say("阿华", "me", "周末去爬山吗？🏔️")
    world.say("张三", "hiking", "The weather will be fine.")
    hands = await new_hands(viewport={"width": width, "height": 800}, locale=language, color_scheme=scheme)
    is_chinese = language == "zh-CN"
    await hands.see(hands.page.locator("html")).to_have_attribute("lang", "zh-CN" if is_chinese else "en")
    assert await hands.page.evaluate("getComputedStyle(document.documentElement).colorScheme") == scheme
    await hands.row("阿华").click()
    await hands.see(hands.message("周末去爬山吗？")).to_be_visible()
    await fits(hands, f"chat-{name}")
    for tool in ("wire", "faults"):
        await hands.page.keyboard.press("Escape")
        await hands.rail(tool).click()
        await hands.see(hands.page.locator(".aside").get_by_role("heading", level=2)).to_be_visible()
        await fits(hands, f"{tool}-{name}")
    assert ("搜索故障" if is_chinese else "Search faults") == await hands.page.get_by_role(
        "searchbox"
    ).last.get_attribute("aria-label")


async def fits(hands: BrowserUser, name: str) -> None:
    """Check that nothing is wider than the window."""
    await hands.keep(name)
    wide = await hands.page.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => e.checkVisibility() &&"
        " e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.rows, pre, .scrolls'))"
        ".map(e => e.tagName + '.' + e.className)"
    )
    assert wide == []
    await hands.see(hands.page.get_by_role("main")).to_have_count(1)
    await hands.see(hands.page.get_by_role("heading", level=1)).to_have_count(1)


async def test_the_page_has_its_theme_before_its_other_scripts(chromium: Browser, served: RunningSandbox) -> None:
    context = await chromium.new_context(color_scheme="dark")
    page = await context.new_page()
    await page.route("**/phone/static/phone.js", lambda route: route.abort())
    await page.goto(f"{served.url}/phone")
    await page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    assert await page.locator("header").count() == 0
    await context.close()


async def test_the_clock_shows_no_time_before_the_sandbox_tells_it(chromium: Browser, served: RunningSandbox) -> None:
    context = await chromium.new_context()
    page = await context.new_page()
    clock = page.locator(".clock-time")
    await page.route_web_socket("**/phone/live", lambda _: None)
    await page.goto(f"{served.url}/phone")
    await clock.wait_for(state="attached")
    assert await clock.inner_text() == ""
    await context.close()
