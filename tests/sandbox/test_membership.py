from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from webwx.protocol.codes import Ret
from webwx.sandbox.errors import Refused
from webwx.sandbox.options import Options
from webwx.sandbox.people import WorldPerson
from webwx.sandbox.world import World


def lines(world: World, who: str, chat: str) -> list[str]:
    return [message.text for message in world.inbox(who)[chat].messages]


@pytest.fixture
def people(world: World) -> dict[str, WorldPerson]:
    return {name: person for name, person in world.people.items() if not person.is_public}


def test_each_member_gets_a_notice_from_their_point_of_view(world: World, people: dict[str, WorldPerson]) -> None:
    room = world.membership.open(people["xiaoming"], [people["ahua"], people["lilei"]], "电影")
    assert lines(world, "me", room.id) == ['你邀请"阿华、李雷"加入了群聊']
    assert lines(world, "ahua", room.id) == ['"小明"邀请你和"李雷"加入了群聊']
    world.membership.add(room, [people["zhangsan"]], by=people["ahua"])
    assert lines(world, "me", room.id)[-1] == '"阿华"邀请"张三"加入了群聊'
    assert lines(world, "zhangsan", room.id) == ['"阿华"邀请你加入了群聊']


def test_members_are_not_added_again(world: World, people: dict[str, WorldPerson]) -> None:
    room = world.chatrooms["hiking"]
    world.membership.add(room, [people["ahua"]], by=people["lilei"])
    world.membership.join(room, people["ahua"], by=people["lilei"])
    assert list(room.members) == list(people.values())


def test_only_mutual_friends_can_be_added(world: World, people: dict[str, WorldPerson]) -> None:
    assert world.membership.can_add(people["xiaoming"], people["ahua"])
    world.unfriend("ahua", "me")
    assert not world.membership.can_add(people["xiaoming"], people["ahua"])
    assert not world.membership.can_add(people["ahua"], people["xiaoming"])


def test_people_who_blocked_the_account_cannot_be_added(world: World, people: dict[str, WorldPerson]) -> None:
    world.set_blocked("ahua", "me", is_blocked=True)
    assert not world.membership.can_add(people["xiaoming"], people["ahua"])
    assert world.membership.can_add(people["ahua"], people["xiaoming"])
    world.set_blocked("ahua", "me", is_blocked=False)
    assert world.membership.can_add(people["xiaoming"], people["ahua"])


def test_adding_no_one_notifies_no_one(world: World, people: dict[str, WorldPerson]) -> None:
    world.membership.add(world.chatrooms["hiking"], [], by=people["xiaoming"])
    assert world.inbox("me") == {}


@pytest.mark.parametrize(
    ("how", "count", "expected"), [("open", 40, False), ("invited", 39, False), ("invited", 40, True)]
)
def test_by_an_option_people_join_a_large_chatroom_by_invitation(
    world: World, how: Literal["open", "invited"], count: int, expected: bool
) -> None:
    world.options = Options(large_chatrooms=how)
    crowd = [world.add_person(f"人{number}").id for number in range(count)]
    assert world.membership.is_by_invitation(world.add_chatroom("大群", crowd)) is expected


def test_an_invitation_is_a_card_by_which_its_receiver_joins(world: World, people: dict[str, WorldPerson]) -> None:
    room = world.add_chatroom("电影", ["me", "ahua"])
    world.membership.invite(room, [people["lilei"]], by=people["xiaoming"])
    assert world.inbox("lilei")["xiaoming"].messages[-1].kind == "link"
    world.membership.join(room, people["lilei"], by=people["xiaoming"])
    assert lines(world, "me", room.id) == ['" 李雷"通过扫描你分享的二维码加入群聊']
    assert lines(world, "ahua", room.id) == ['" 李雷"通过扫描"小明"分享的二维码加入群聊']


def test_only_the_owner_removes_others(world: World, people: dict[str, WorldPerson]) -> None:
    room = world.chatrooms["hiking"]
    world.membership.remove(room, [people["ahua"], people["xiaoming"]], by=people["xiaoming"])
    assert [member.id for member in room.members] == ["xiaoming", "zhangsan", "lilei"]
    assert lines(world, "me", "hiking") == ['你将"阿华"移出了群聊']
    assert lines(world, "ahua", "hiking") == ['你被"小明"移出群聊']
    assert "hiking" not in world.inbox("lilei")
    with pytest.raises(Refused) as refused:
        world.membership.remove(room, [people["xiaoming"]], by=people["lilei"])
    assert refused.value.ret == Ret.SYSTEM_ERROR


def test_a_notice_has_the_new_name_in_curly_quotes(world: World, people: dict[str, WorldPerson]) -> None:
    world.membership.rename(world.chatrooms["hiking"], "周末游泳", by=people["ahua"])
    assert lines(world, "ahua", "hiking") == ["你修改群名为“周末游泳”"]
    assert lines(world, "me", "hiking") == ['"阿华"修改群名为“周末游泳”']


def test_the_next_member_becomes_owner_when_the_owner_leaves(world: World, people: dict[str, WorldPerson]) -> None:
    room = world.chatrooms["hiking"]
    world.membership.leave(room, people["xiaoming"])
    assert room.members[0] is people["ahua"]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda doors, room, one, who: doors.add(room, [one], by=who),
        lambda doors, room, one, who: doors.invite(room, [one], by=who),
        lambda doors, room, one, who: doors.join(room, one, by=who),
        lambda doors, room, one, who: doors.remove(room, [one], by=who),
        lambda doors, room, one, who: doors.rename(room, "x", by=who),
        lambda doors, room, one, who: doors.leave(room, who),
    ],
)
def test_a_person_who_is_not_a_member_changes_nothing(
    world: World, people: dict[str, WorldPerson], attempt: Callable[..., object]
) -> None:
    world.membership.leave(world.chatrooms["hiking"], people["lilei"])
    with pytest.raises(Refused) as refused:
        attempt(world.membership, world.chatrooms["hiking"], people["ahua"], people["lilei"])
    assert refused.value.ret == Ret.CHAT_GONE
