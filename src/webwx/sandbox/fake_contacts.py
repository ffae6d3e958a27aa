"""
Fake contacts: people, public accounts and chatrooms that are generated from a seed.

Every fake contact is a friend of `me` and of no other person, and `me` is in every chatroom, as in a large account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from webwx.sandbox.errors import Impossible
from webwx.sandbox.people import ME, PUBLIC, VERIFIED

if TYPE_CHECKING:
    from random import Random

    from webwx.sandbox.people import WorldPerson
    from webwx.sandbox.world import World

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
_GIVEN = "伟芳娜敏静强磊军洋勇艳杰娟涛明超霞平刚桂英华玉兰建国志文斌红梅春燕海峰雪晨宇欣怡子涵浩然梓轩一诺思远嘉豪若曦"
_REGIONS = (
    ("北京", "海淀"), ("北京", "朝阳"), ("上海", "浦东"), ("上海", "徐汇"), ("广东", "广州"), ("广东", "深圳"),
    ("浙江", "杭州"), ("江苏", "南京"), ("四川", "成都"), ("湖北", "武汉"), ("陕西", "西安"), ("福建", "厦门"),
)  # fmt: skip
_SIGNATURES = ("慢慢来", "早睡早起", "在路上", "keep going", "不忘初心", "今天也要加油 <3", "听海 & 看山")
_TITLES = ("老师", "同事", "邻居", "快递", "房东", "客户")
_ROOMS = ("徒步", "读书", "羽毛球", "业主", "家长", "校友", "美食", "摄影", "项目", "团购")
_PUBLISHERS = ("日报", "周刊", "小站", "服务号", "俱乐部")
_NICKNAMED = ("群主小号", "潜水员", "管理员", "新人")

_ONE_IN = 8
"""One in this many people has a rare attribute."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]


class FakeContacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of people, public accounts and chatrooms to generate."""

    people: _Count = 0
    public: _Count = 0
    """Number of public accounts that `me` follows."""
    chatrooms: _Count = 0
    members: _Count = 40
    """Number of people in each chatroom, including `me`."""


def add_fake_contacts(world: World, wanted: FakeContacts, rng: Random) -> None:
    """
    Generate people, public accounts and chatrooms, and add them to a world.

    Raises:
        Impossible: There are too few people for the chatrooms.
    """
    if wanted.chatrooms and not 2 <= wanted.members <= wanted.people + 1:
        raise Impossible(f"crowd.members: a chatroom of these people has 2 to {wanted.people + 1:,} members.")
    me = world.person(ME)
    people = [_make_person(world, rng) for _ in range(wanted.people)]
    for person in people:
        world.befriend(me.id, person.id, rng.choice(_TITLES) + person.nickname if _seldom(rng) else "")
    for number in range(wanted.chatrooms):
        others = rng.sample(people, wanted.members - 1)
        members = [others[0], me, *others[1:]]
        room = world.add_chatroom(f"{rng.choice(_ROOMS)} {number + 1} 群", [member.id for member in members])
        me.saved.add(room.id)  # else the first snapshot would hold every member of each
        room.names.update({member.id: rng.choice(_NICKNAMED) for member in others if _seldom(rng)})
    for _ in range(wanted.public):
        account = world.add_person(rng.choice(_ROOMS) + rng.choice(_PUBLISHERS))
        account.verify_flag = rng.choice((PUBLIC, VERIFIED))
        account.province, account.city = rng.choice(_REGIONS)
        world.befriend(me.id, account.id)


def _make_person(world: World, rng: Random) -> WorldPerson:
    given = "".join(rng.choices(_GIVEN, k=rng.choice((1, 2, 2))))
    person = world.add_person(rng.choice(_SURNAMES) + given)
    person.sex = rng.randrange(3)
    person.province, person.city = rng.choice(_REGIONS)
    if _seldom(rng):
        person.signature = rng.choice(_SIGNATURES)
    if _seldom(rng):
        person.alias = f"wx_{rng.randrange(10**8):08}"
    return person


def _seldom(rng: Random) -> bool:
    return rng.randrange(_ONE_IN) == 0
