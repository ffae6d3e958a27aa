from __future__ import annotations

from collections.abc import Callable

import pytest

from webwx.sandbox import contents
from webwx.sandbox.people import MessageContent
from webwx.sandbox.phone import screen
from webwx.sandbox.phone.screen import Bubble
from webwx.sandbox.world import World

Show = Callable[..., Bubble]


@pytest.fixture
def shown(world: World) -> Show:
    """Send content to the first person, and return the bubble on their phone."""

    def show(content: MessageContent, sender: str = "ahua") -> Bubble:
        message = world.send(sender, "me", content)
        return screen.bubbles(world.person("me"), [message])[0]

    return show


def test_a_text_is_shown_as_it_was_typed(shown: Show) -> None:
    bubble = shown(contents.text("<img src=x onerror=alert(1)>"))
    assert (
        bubble.kind, bubble.text, bubble.sender, bubble.mine,
    ) == ("text", "<img src=x onerror=alert(1)>", "ahua", False)  # fmt: skip


def test_the_type_of_a_picture_comes_from_its_first_bytes(shown: Show, world: World, png: bytes) -> None:
    bubble = shown(contents.image(world.media.add(png)))
    assert ("image/png", len(png)) == (bubble.type, bubble.size)


def test_a_voice_shows_its_duration(shown: Show, world: World) -> None:
    assert shown(contents.voice(world.person("ahua"), world.media.add(b"ID3"), 2500)).seconds == 2.5


def test_an_app_message_shows_the_fields_of_its_xml(shown: Show, world: World) -> None:
    ahua = world.person("ahua")
    link = shown(contents.link(ahua, "Title", "http://a.example/", "About"))
    assert (link.title, link.note, link.url) == ("Title", "About", "http://a.example/")
    quoted = world.say("me", "ahua", "original")
    assert shown(contents.quote(ahua, quoted, "x", "reply")).note == "小明: original"


def test_a_quote_in_a_text_looks_like_one(shown: Show, world: World) -> None:
    bubble = shown(contents.text_quote(world.say("me", "ahua", "original"), "reply"))
    assert (bubble.kind, bubble.text, bubble.title, bubble.note) == ("quote", "reply", "reply", "小明: original")


def test_a_quoted_picture_shows_no_xml(shown: Show, world: World, png: bytes) -> None:
    picture = world.picture("me", "ahua", png)
    assert shown(contents.quote(world.person("ahua"), picture, "x", "reply")).note == "小明"


def test_a_location_has_its_name_above_its_address(shown: Show) -> None:
    bubble = shown(contents.location(31.2, 121.5, "人民大道", "人民广场"))
    assert (bubble.title, bubble.text) == ("人民广场", "人民大道")


def test_a_person_and_a_friend_have_initials_by_which_lists_are_sorted(world: World) -> None:
    assert screen.face(world.person("ahua")).initials == "AH"
    assert screen.face(world.person("weekly")).public
    assert screen.friends(world.person("me"))["lilei"].initials == "BOSS"


def test_a_message_that_phones_do_not_forward_stays(shown: Show) -> None:
    assert shown(contents.call()).stays
    assert not shown(contents.text("在吗")).stays


def test_a_card_shows_the_name_of_its_person(shown: Show, world: World) -> None:
    assert shown(contents.card(world.person("lilei"))).about == "lilei"


def test_a_recalled_message_shows_none_of_its_content(world: World, png: bytes) -> None:
    message = world.file("ahua", "me", png, "secret.png")
    world.recall("ahua", "me", message.id)
    (bubble,) = screen.bubbles(world.person("me"), [message])
    assert (bubble.recalled, bubble.text, bubble.type, bubble.size) == (True, "", "", 0)


def test_the_list_of_chats_shows_one_line_of_a_message(world: World) -> None:
    world.say("ahua", "me", "长" * 5000)
    row = screen.row(world.person("me"), "ahua", world.person("me").chats["ahua"], 1)
    assert row.last.text == "长" * 80


def test_an_invitation_names_its_chatroom(world: World) -> None:
    world.membership.invite(world.chatrooms["hiking"], [world.person("ahua")], by=world.person("me"))
    (bubble,) = screen.bubbles(world.person("ahua"), world.inbox("ahua")["xiaoming"].messages)
    assert bubble.leads_to == "hiking"
