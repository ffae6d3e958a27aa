"""Contacts and chatrooms on the page: all actions between people."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from webwx.model.messages import FriendRequest
from webwx.sandbox.options import Options

if TYPE_CHECKING:
    from tests.browser.conftest import Program
    from tests.browser.user import BrowserUser

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


async def choose(hands: BrowserUser, action: str, *names: str) -> None:
    """Choose people in the open dialog, and press its button."""
    dialog = hands.page.get_by_role("dialog").last
    for name in names:
        await dialog.get_by_role("option", name=name, exact=True).click()
    await hands.button(action, dialog).click()
    await hands.see(dialog.get_by_role("option")).to_have_count(0)


async def test_a_chatroom_is_created_changed_renamed_and_left(hands: BrowserUser, world: World) -> None:
    await hands.rail("contacts").click()
    await hands.button("New chatroom").click()
    await hands.page.get_by_role("textbox", name="Name of the chatroom").fill("电影 <b>夜</b>")
    await choose(hands, "Create", "阿华", "张三")
    await hands.see(hands.page.get_by_role("heading", name="电影 <b>夜</b>")).to_be_visible()
    await hands.see(hands.log.get_by_text('你邀请"阿华、张三"加入了群聊')).to_be_visible()

    await hands.button("Details").click()
    details = hands.page.get_by_role("region", name="Details")
    members = details.get_by_role("list", name="Members").get_by_role("listitem")
    await hands.button("Invite", details).click()
    await choose(hands, "Invite", "Boss 李雷")
    await hands.see(members).to_have_text(["小小明owner", "阿阿华", "张张三", "李Boss"])
    await hands.button("Remove", details).click()
    await choose(hands, "Remove", "张三")
    await hands.see(members).to_have_count(3)
    await hands.button("Rename", details).click()
    await hands.page.get_by_role("textbox", name="Name of the chatroom").fill("戏剧")
    await hands.page.keyboard.press("Enter")
    await hands.see(details.get_by_role("heading", name="戏剧")).to_be_visible()
    await hands.keep("chatroom")
    await hands.button("Leave", details).click()
    await hands.button("Leave", hands.page.get_by_role("dialog", name="Leave 戏剧?")).click()
    await hands.see(hands.page.locator(".left-note")).to_be_visible()
    await hands.see(hands.page.get_by_role("textbox", name="Message")).to_be_hidden()
    assert [member.nickname for member in world.chatrooms["room2"].members] == ["阿华", "李雷"]


async def test_the_rows_of_no_list_overlap(hands: BrowserUser, world: World) -> None:
    for name in ("阿华", "张三", "李雷"):
        world.say(name, "me", "嗨")
    rows = hands.page.locator(".rows:visible").last.get_by_role("option")
    for view in ("chats", "contacts", "people"):
        if view == "people":
            await hands.page.get_by_role("button", name="Switch person").click()
        else:
            await hands.rail(view).click()
        await hands.see(rows.nth(2)).to_be_visible()
        boxes = sorted([box for row in await rows.all() if (box := await row.bounding_box())], key=lambda box: box["y"])
        for above, below in pairwise(boxes):
            assert above["y"] + above["height"] <= below["y"]


async def test_a_friend_request_is_accepted_and_the_friend_gets_a_remark_and_is_blocked(
    hands: BrowserUser, world: World
) -> None:
    world.add_person("韩梅梅", "hanmeimei")
    world.ask_friend("hanmeimei", "me", "我是韩梅梅 <i>")
    await hands.read_chat("韩梅梅")
    await hands.see(hands.message("我是韩梅梅 <i>")).to_be_visible()
    await hands.button("Accept: 韩梅梅").click()
    await hands.see(hands.message("我是韩梅梅 <i>")).to_contain_text("Accepted")
    await hands.button("Details").click()
    details = hands.page.get_by_role("region", name="Details")
    await hands.button("Remark", details).click()
    await hands.page.get_by_role("textbox", name="Remark").fill("梅梅")
    await hands.page.keyboard.press("Enter")
    await hands.see(details.get_by_role("heading", name="梅梅", exact=True)).to_be_visible()
    await hands.button("Block", details).click()
    await hands.see(hands.button("Unblock", details)).to_be_focused()
    assert world.person("me").blocked == {"hanmeimei"}


async def test_strangers_are_found_and_their_client_accepts_the_friend_request(
    hands: BrowserUser, program: Program, world: World
) -> None:
    for name, person_id in (("韩梅梅", "hanmeimei"), ("Alice", "alice")):
        world.add_person(name, person_id)
    world.add_chatroom("读书会", ["hanmeimei", "me", "ahua"], "books")
    world.say("阿华", "books", "在吗")
    await program.log_in(hands)
    await hands.be("韩梅梅")
    await hands.rail("contacts").click()
    search = hands.page.get_by_role("searchbox", name="Search: Contacts")
    await search.fill("ali")
    await hands.see(hands.row("Alice Not in your contacts")).to_be_visible()
    await search.fill("")

    await hands.read_chat("读书会")
    await hands.button("Profile of 阿华").click()
    details = hands.page.get_by_role("region", name="Details")
    await hands.see(details.get_by_role("heading", name="阿华")).to_be_visible()
    await hands.button("Back", details).click()
    await details.get_by_role("list", name="Members").get_by_role("button", name="小明").click()
    await hands.button("Add friend", details).click()
    await hands.page.get_by_role("textbox", name="Greeting").fill("我是韩梅梅")
    await hands.page.keyboard.press("Enter")
    await hands.see(hands.button("Add friend", details)).to_be_focused()
    request = await program.next(FriendRequest)
    assert (request.person.nickname, request.greeting) == ("韩梅梅", "我是韩梅梅")
    await program.client.accept_friend(request)
    await hands.see(hands.button("Remark", details)).to_be_visible()
    await details.press("Escape")
    await hands.see(details).to_be_hidden()
    await hands.see(hands.button("Profile of 阿华")).to_be_focused()


async def test_contacts_are_sorted_by_their_initials(hands: BrowserUser, world: World) -> None:
    for number, name in enumerate(("Bob", "99 Luft", "anna")):
        world.add_person(name, f"person{number}")
        world.befriend("me", f"person{number}")
    await hands.rail("contacts").click()
    await hands.button("Friends").click()
    rows = hands.page.locator(".list-pane").get_by_role("option")
    await hands.see(rows).to_have_text(
        ["A阿阿华", "aanna", "BBBob", "李Boss李雷", "P爬爬山周刊", "Z张张三", "#999 Luft"]
    )
    await rows.first.focus()
    await hands.page.keyboard.press("z")
    await hands.see(hands.row("张三")).to_be_focused()
    await hands.page.keyboard.press("ContextMenu")
    await hands.page.get_by_role("menuitem", name="Send message").click()
    await hands.see(hands.page.get_by_role("heading", name="张三")).to_be_visible()


async def test_a_person_joins_a_large_chatroom_by_an_invitation(hands: BrowserUser, world: World) -> None:
    world.options = Options(large_chatrooms="invited", invite_start_count=4)
    world.add_person("韩梅梅", "hanmeimei")
    world.befriend("me", "hanmeimei")
    await hands.rail("contacts").click()
    await hands.row("周末爬山").click()
    await hands.button("Invite").click()
    await choose(hands, "Invite", "韩梅梅")
    await hands.be("韩梅梅")
    await hands.read_chat("小明")
    await hands.button("Join").click()
    await hands.see(hands.message("邀请你加入群聊")).to_contain_text("Joined")
    await hands.see(hands.row("周末爬山")).to_be_visible()


async def test_a_phone_without_a_network_and_a_login_that_another_client_takes(
    hands: BrowserUser, program: Program
) -> None:
    login = program.begin()
    await hands.scan()
    await asyncio.wait_for(login, 20)
    await hands.page.get_by_role("switch", name="Phone offline").click()
    await hands.see(hands.page.get_by_text("This phone is offline")).to_be_visible()
    await hands.button("Go online").click()
    await hands.see(hands.page.get_by_text("This phone is offline")).to_be_hidden()
    await hands.button("Another client logs in").click()
    await hands.see(hands.page.get_by_text("小明 is logged in nowhere.")).to_be_visible()


async def test_after_advancing_the_clock_earlier_messages_cannot_be_recalled(hands: BrowserUser, world: World) -> None:
    world.say("me", "阿华", "too late")
    await hands.read_chat("阿华")
    await hands.page.get_by_role("button", name="Clock of the sandbox").click()
    await hands.button("Set it forward by 121 s").click()
    await hands.message("too late").hover()
    await hands.button("Message actions", hands.message("too late")).click()
    await hands.see(hands.page.get_by_role("menuitem")).to_have_text(
        ["Forward", "Quote", "Copy text", "Select several", "Delete"]
    )


async def test_the_avatar_of_a_chatroom_is_a_mosaic_of_its_first_nine_members(hands: BrowserUser, world: World) -> None:
    for number in range(10):
        world.add_person(f"{number}. member", f"member{number}")
    world.add_chatroom("Many", ["me", *(f"member{number}" for number in range(10))])
    members = len(world.person("me").rooms["hiking"].members)
    await hands.rail("contacts").click()
    await hands.button("Chatrooms").click()
    for name, tiles in (("周末爬山", members), ("Many", 9)):
        await hands.see(hands.row(name).locator(".is-mosaic > .avatar")).to_have_count(tiles)
