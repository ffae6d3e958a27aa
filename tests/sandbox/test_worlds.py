from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
import pytest

from webwx.protocol.appmsg import read_app
from webwx.sandbox.clock import SystemClock, VirtualClock
from webwx.sandbox.errors import Impossible
from webwx.sandbox.options import Options
from webwx.sandbox.pictures import avatar
from webwx.sandbox.world import World
from webwx.sandbox.worlds import open_world

FAMILY = """
seed = 7
start = 2024-05-01T09:00:00Z
clock = "stopped"
friends = "everybody"

[switches]
echo = "on"

[[people]]
id = "xiaoming"
nickname = "小明"
remarks = { "阿华" = "妈妈" }

[[people]]
id = "ahua"
nickname = "阿华"
alias = "ahua66"
sex = "female"
signature = "慢慢来"
province = "上海"
city = "浦东"
picture = "ahua.png"

[[people]]
nickname = "李雷"
blocks = ["me"]

[[chatrooms]]
id = "home"
name = "家"
members = "everybody"
names = { "阿华" = "妈" }

[[history]]
from = "me"
to = "家"
file = "plan.pdf"
at = 2024-05-01T08:00:00

[[history]]
from = "阿华"
to = "me"
picture = "ahua.png"
ago = "90m"
unread = true

[[history]]
from = "阿华"
to = "me"
text = "在吗"
ago = "2d 4h"

[[history]]
from = "阿华"
to = "me"
picture = true
ago = "1m"
recalled = true
unread = true
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "family.toml"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def family(write: Callable[[str], Path], tmp_path: Path) -> World:
    (tmp_path / "ahua.png").write_bytes(avatar("mother"))
    return open_world(write(FAMILY))


def test_people_are_as_in_the_file(family: World) -> None:
    me, ahua, lilei = family.people.values()
    assert family.person("me") is me
    assert (ahua.alias, ahua.sex, ahua.signature, ahua.province, ahua.city) == ("ahua66", 2, "慢慢来", "上海", "浦东")
    assert (ahua.picture_bytes, me.picture_bytes) == (avatar("mother"), avatar("xiaoming"))
    assert me.friends == {"ahua": "妈妈", lilei.id: ""}
    assert lilei.blocked == {"xiaoming"}


def test_a_picture_file_may_be_set_for_one_person(family: World) -> None:
    family.change_profile("ahua", is_new_picture=True)
    assert family.person("ahua").picture_bytes == avatar("ahua/2")


def test_chatrooms_are_as_in_the_file(family: World) -> None:
    room = family.chatrooms["home"]
    assert list(room.members) == list(family.people.values())
    assert room.names == {"ahua": "妈"}


def test_history_is_ordered_by_time_and_has_unread_counts(family: World) -> None:
    now = 1714554000.0
    assert family.now == now
    chats = family.inbox("me")
    assert [(m.kind, now - m.time, m.is_recalled) for m in chats["ahua"].messages] == [
        ("text", 2 * 86400 + 4 * 3600, False),
        ("image", 5400, False),
        ("image", 60, True),
    ]
    assert [(m.text, now - m.time) for m in chats["home"].messages] == [("plan.pdf", 3600)]
    assert [(key, chat.unread) for key, chat in chats.items()] == [("ahua", 2), ("home", 0)]
    assert family.inbox("阿华")["home"].unread == 0


PAPER = """
[[people]]
nickname = "小明"
friends = "everybody"

[[people]]
nickname = "阿华"

[[people]]
nickname = "晨报"
id = "paper"
account = "verified"

[[chatrooms]]
name = "一家"
id = "home"
members = "everybody"
saved = ["阿华"]

[[chatrooms]]
id = "all"
members = ["me", "阿华"]
saved = "everybody"

[[history]]
from = "paper"
to = "me"
articles = [{title = "一", url = "http://a", digest = "摘要", cover = "http://c"}, {title = "二", url = "http://b"}]
"""


def test_a_public_account_has_followers_and_articles_and_is_in_no_chatroom(write: Callable[[str], Path]) -> None:
    world = open_world(write(PAPER))
    me, ahua, paper = world.people.values()
    assert (me.verify_flag, paper.verify_flag) == (0, 24)
    assert "paper" in me.friends
    assert world.chatrooms["home"].members == (me, ahua)
    (message,) = world.inbox("me")["paper"].messages
    content = read_app(message.content.wire.content)
    assert content is not None
    assert [(each.title, each.url, each.digest, each.cover) for each in content.articles] == [
        ("一", "http://a", "摘要", "http://c"), ("二", "http://b", "", ""),
    ]  # fmt: skip


def test_the_file_names_who_saved_a_chatroom(write: Callable[[str], Path]) -> None:
    me, ahua, _ = open_world(write(PAPER)).people.values()
    assert (me.saved, ahua.saved) == ({"all"}, {"home", "all"})


def test_clock_options_and_seed_come_from_the_file(family: World, write: Callable[[str], Path]) -> None:
    assert isinstance(family.clock, VirtualClock)
    assert family.options == Options(echo="on")
    assert family.faults.seed == 7
    again = open_world(write(FAMILY))
    assert [media_file.content for media_file in again.media.all] == [
        media_file.content for media_file in family.media.all
    ]


def test_ids_are_new_in_each_run_unless_an_rng_is_given(write: Callable[[str], Path], family: World) -> None:
    # A journal that outlives a run would otherwise take messages of the next run as duplicates.
    def first_id(rng: Random | None) -> str:
        return open_world(write(FAMILY), rng=rng).delivery.messages[0].id

    assert first_id(None) != first_id(None)
    assert first_id(random.Random(7)) == first_id(random.Random(7))


def test_a_caller_can_change_options_and_seed(write: Callable[[str], Path], family: World) -> None:
    changed = open_world(write(FAMILY), change=lambda own: msgspec.structs.replace(own, fold_repeats=True), seed=8)
    assert changed.options == Options(echo="on", fold_repeats=True)
    assert changed.faults.seed == 8


def test_by_default_the_clock_runs_from_now_or_from_its_start(write: Callable[[str], Path]) -> None:
    text = '[[people]]\nnickname = "小明"\n'
    running = open_world(write(text))
    assert isinstance(running.clock, SystemClock)
    assert abs(running.now - SystemClock().now()) < 60
    old = open_world(write(f"start = 2001-01-01T00:00:00Z\n{text}"))
    assert 0 <= old.now - 978307200 < 60
    assert open_world(write(f'clock = "stopped"\n{text}')).now == VirtualClock().now()


def test_the_default_world_is_the_one_without_a_file() -> None:
    assert [person.nickname for person in open_world("default", seed=3).people.values()] == [
        "小明", "阿华", "张三", "李雷", "爬山周刊",
    ]  # fmt: skip


def test_the_big_world_has_ten_thousand_contacts_and_two_hundred_chatrooms_of_five_hundred() -> None:
    world = open_world("big")
    me = world.person("me")
    assert (me.nickname, len(me.friends), len(me.rooms)) == ("小明", 10_100, 200)
    assert {len(room.members) for room in world.chatrooms.values()} == {500}
    assert len({person.picture_bytes for person in list(world.people.values())[:1000]}) == 1000


ONE = 'people = [{nickname = "小明"}]\n'
TWO = 'friends = "everybody"\npeople = [{nickname = "小明"}, {nickname = "阿华"}]\n'
SAID = TWO + '[[history]]\nfrom = "me"\nto = "阿华"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("people = [", "it is not valid TOML: "),
        ("people = []", "people: there are no people"),
        (ONE + "x = 1", "object contains unknown field `x`."),
        ('people = [{nickname = "a", sex = "x"}]', "people[0].sex: invalid enum value 'x'."),
        ('people = [{nickname = "a", id = "x"}, {nickname = "b", id = "x"}]', "people[1]: the id 'x' is taken."),
        ('people = [{nickname = "a", friends = ["a"]}]', "people[0].friends[0]: a person cannot be their own friend."),
        ('people = [{nickname = "a", friends = ["x"]}]', "people[0].friends[0]: there is no person 'x'; "),
        (ONE[:-2].replace("}", ', remarks = {x = "y"}}') + "]", "people[0].remarks.x: there is no person 'x'; "),
        ('people = [{nickname = "a"}, {nickname = "b", remarks = {a = "y"}}]', "people[1].remarks.a: a is not a"),
        ('people = [{nickname = "a", blocks = ["a"]}]', "people[0].blocks[0]: a person cannot be on their own"),
        ('people = [{nickname = "a", picture = "no.png"}]', "people[0].picture: no.png cannot be read: "),
        ('people = [{nickname = "a", picture = "family.toml"}]', "people[0].picture: family.toml is not a PNG, JPEG"),
        (ONE + "chatrooms = [{members = []}]", "chatrooms[0].members: a chatroom needs at least one member."),
        (ONE + 'chatrooms = [{members = ["x"]}]', "chatrooms[0].members[0]: there is no person 'x'; "),
        (TWO + 'chatrooms = [{members = ["me"], names = {"阿华" = "x"}}]', "chatrooms[0].names.阿华: 阿华 is not in"),
        (
            'people = [{nickname = "a"}, {nickname = "b", account = "public"}]\nchatrooms = [{members = ["a", "b"]}]',
            "chatrooms[0].members[1]: b is a public account and cannot be in a chatroom.",
        ),
        (TWO + 'chatrooms = [{members = ["me"], saved = ["阿华"]}]', "chatrooms[0].saved[0]: 阿华 is in no chatroom"),
        (SAID, "history[0]: a message needs exactly one of 'text', 'picture', 'file' and 'articles'."),
        (SAID + 'text = "x"\nago = "soon"', "history[0].ago: 'soon' is not a time such as '2d 4h' or '90m'."),
        (SAID + 'text = "x"\nat = 2999-01-01T00:00:00Z', "history[0].at: this time is after the world's start."),
        (SAID + 'text = "x"\nat = 2001-01-01T00:00:00Z\nago = "1m"', "history[0]: a message can have 'at' or 'ago'"),
        (SAID + 'file = "no/plan.pdf"', "history[0].file: plan.pdf cannot be read: "),
        (SAID.replace('"me"', '"x"') + 'text = "x"', "history[0].from: there is no person 'x'; "),
        (SAID.replace('friends = "everybody"\n', "") + 'text = "x"', "history[0].to: nothing can be sent there: "),
        (ONE + "crowd = {people = 3, chatrooms = 1}", "crowd.members: a chatroom of these people has 2 to 4 members."),
    ],
)  # fmt: skip
def test_an_error_in_the_file_is_one_sentence_that_names_its_place(
    write: Callable[[str], Path], text: str, sentence: str
) -> None:
    with pytest.raises(Impossible) as caught:
        open_world(write(text))
    assert str(caught.value).startswith(f"family.toml: {sentence}")
    assert str(caught.value).endswith(".")


def test_an_unreadable_world_file_is_reported(write: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(Impossible, match=r"none.toml: it cannot be read: No such file or directory\."):
        open_world(tmp_path / "none.toml")
    path = write("")
    Path(path).write_bytes(b"\xff")
    with pytest.raises(Impossible, match="it is not UTF-8"):
        open_world(path)
