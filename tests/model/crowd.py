"""
Generated people over several logins: the friends of one account, what each login shows of them, and what changes.

Many people share a name, many have nothing but a name, and some new people have the name of a friend who left.
Everything is generated from a seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from webwx.model.contacts import Contact, ContactId, Member

if TYPE_CHECKING:
    from collections.abc import Iterable

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红建国文斌宇浩然子轩梓涵欣怡雨晨佳慧思琪一诺博"
LATIN = [
    *(
        "Amy",
        "Anna",
        "Ben",
        "Bob",
        "Chris",
        "Cindy",
        "David",
        "Eric",
        "Frank",
        "Grace",
        "Helen",
        "Ivy",
        "Jack",
        "Jason",
    ),
    *("Jenny", "Kevin", "Kelly", "Leo", "Linda", "Lucy", "Mark", "Mike", "Nancy", "Oliver", "Peter", "Rose", "Sam"),
    *("Sunny", "Tina", "Tom", "Vivian", "Wendy", "Winnie", "Zoe"),
]
USUAL = [
    "A",
    ".",
    "小明",
    "阳光",
    "随缘",
    "。",
    "晴天",
    "Amy",
    "平安是福",
    "知足常乐",
    "静",
    "夏天",
    "一切随缘",
    "开心",
]
"""Nicknames that many people have."""
ROLES = ["房东", "快递", "妈妈", "老师", "中介", "物业", "装修", "客户", "王总", "李总", "房东2", "司机", "Boss"]
"""Remarks that a user gives to several people, one after the other."""
SIGNATURES = ["这个人很懒，什么都没留下", "Hello", "努力", "…", "微笑面对每一天"]
"""Signatures that many people have."""
CITIES = [
    "广东 深圳",
    "广东 广州",
    "北京 海淀",
    "上海 浦东",
    "浙江 杭州",
    "四川 成都",
    "湖北 武汉",
    "江苏 南京",
    "福建 厦门",
]


@dataclass(frozen=True)
class Person:
    """What the platform knows about a person."""

    number: int
    nickname: str
    remark: str = ""
    avatar: int = 0
    signature: str = ""
    region: str = ""
    sex: int = 0
    attr_status: int = 0


@dataclass(frozen=True)
class Room:
    number: int
    name: str
    members: tuple[int, ...]
    is_owner: bool = False


class Crowd:
    """
    The friends of one account.

    Args:
        size: Number of people at the beginning; there is one chatroom for every fifty.
        seed: Seed of all random choices.
        has_avatars: The server sends the number of each picture.
    """

    def __init__(self, size: int, seed: int, *, has_avatars: bool = True) -> None:
        self._random = random.Random(seed)
        self._has_avatars = has_avatars
        self._last = 0
        self.logins = 0
        self.people = {person.number: person for person in (self._new_person() for _ in range(size))}
        self.rooms: dict[int, Room] = {}
        for _ in range(size // 50):
            self._open(self._room())
        self._gone: list[Person] = []

    # -- people and chatrooms ----------------------------------------------------------------------------------------

    def _number(self) -> int:
        self._last += 1
        return self._last

    def _chance(self, part: float) -> bool:
        return self._random.random() < part

    def _nickname(self) -> str:
        draw = self._random.choice
        kind = self._random.random()
        if kind < 0.06:
            return draw(USUAL)
        if kind < 0.20:
            return draw(LATIN)
        if kind < 0.45:
            last = draw(SURNAMES) if self._chance(0.5) else str(self._random.randrange(1000))
            return draw(LATIN) + draw(["_", " ", ".", ""]) + last
        if kind < 0.60:
            return f"{draw(SURNAMES)}{draw(GIVEN)}"
        if kind < 0.85:
            return f"{draw(SURNAMES)}{draw(GIVEN)}{draw(GIVEN)}"
        return "".join(draw(GIVEN) for _ in range(self._random.randint(3, 6))) + draw(["", "🌸", "😀", "~"])

    def _remark(self) -> str:
        if not self._chance(0.6):
            return ""
        if self._chance(0.02):
            return self._random.choice(ROLES)
        name = f"{self._random.choice(SURNAMES)}{self._random.choice(GIVEN)}"
        if self._chance(0.75):
            name += self._random.choice(GIVEN)
        return name + (self._random.choice(["", "公司", "大学", "2班"]) if self._chance(0.3) else "")

    def _signature(self) -> str:
        kind = self._random.random()
        if kind < 0.5:
            return ""
        if kind < 0.65:
            return self._random.choice(SIGNATURES)
        return "".join(self._random.choice(GIVEN) for _ in range(self._random.randint(4, 12)))

    def _avatar(self) -> int:
        return 0 if self._chance(0.02) else self._random.randrange(600_000_000, 700_000_000)

    def _region(self) -> str:
        if self._chance(0.25):
            return ""
        return CITIES[0] if self._chance(0.45) else self._random.choice(CITIES)

    def _attr_status(self) -> int:
        usual = [102437, 4133, 33656871, 33788965, 102501, 235557, 33661221, 98407, 16881701, 2147586085]
        return usual[min(int(self._random.expovariate(0.4)), 9)] if self._chance(0.9) else self._random.getrandbits(18)

    def _new_person(self) -> Person:
        return Person(
            number=self._number(), nickname=self._nickname(), remark=self._remark(), avatar=self._avatar(),
            signature=self._signature(), region=self._region(), sex=self._random.choice([0, 1, 1, 1, 2, 2, 2]),
            attr_status=self._attr_status(),
        )  # fmt: skip

    def _new_namesake(self, gone: Person) -> Person:
        """Return a new person with the name of a person who left, sometimes with the user's remark as well."""
        one = replace(self._new_person(), nickname=gone.nickname)
        if gone.remark in ROLES or self._chance(0.1):
            one = replace(one, remark=gone.remark, nickname=self._nickname())
        return one

    def _room(self) -> Room:
        size = self._random.choice([3, 4, 5, 6, 8, 12, 20, 40])
        name = self._nickname() + "的群"
        if self._chance(0.5):
            name = self._random.choice(["", "家", "同学群", "项目组", "羽毛球", "Team"])
        room = Room(self._number(), name, self._some(size), is_owner=self._chance(0.15))
        if self.rooms and self._chance(0.2):  # some chatrooms have nearly the same members
            room = replace(room, members=self._some_of(self._random.choice(list(self.rooms.values())), 0.8))
        return room

    def _open(self, room: Room) -> None:
        self.rooms[room.number] = room

    def _some(self, size: int) -> tuple[int, ...]:
        return tuple(self._random.sample(sorted(self.people), min(size, len(self.people))))

    def _some_of(self, room: Room, part: float) -> tuple[int, ...]:
        """Return a part of the members of a chatroom, and other people in place of the rest."""
        staying = self._random.sample(room.members, int(len(room.members) * part))
        return tuple(dict.fromkeys([*staying, *self._some(len(room.members) - len(staying))]))

    # -- changes -----------------------------------------------------------------------------------------------------

    def change(self) -> None:
        """Change people and chatrooms as they change between two logins."""
        for number, person in list(self.people.items()):
            if self._chance(0.02):
                self._gone.append(self.people.pop(number))
                continue
            changes: dict[str, Any] = {}
            for name, part, new in (
                ("nickname", 0.05, self._nickname), ("remark", 0.03, self._remark), ("avatar", 0.10, self._avatar),
                ("signature", 0.05, self._signature), ("region", 0.02, self._region),
                ("attr_status", 0.05, self._attr_status),
            ):  # fmt: skip
                if self._chance(part):
                    changes[name] = new()
            if changes:
                self.people[number] = replace(person, **changes)
        for _ in range(len(self.people) * 3 // 100):
            is_namesake = self._gone and self._chance(0.25)
            one = self._new_namesake(self._random.choice(self._gone)) if is_namesake else self._new_person()
            self.people[one.number] = one
        self._meet()

    def _meet(self) -> None:
        """Rename chatrooms, change their members, and replace some by new chatrooms of the same name."""
        for number, room in list(self.rooms.items()):
            if self._chance(0.03):
                del self.rooms[number]
                self._open(replace(self._room(), name=room.name, members=self._some_of(room, 0.5)))
                continue
            members = {each for each in room.members if each in self.people and not self._chance(0.03)}
            if self._chance(0.2):
                members.add(self._random.choice(sorted(self.people)))
            name = self._nickname() if self._chance(0.05) else room.name
            self.rooms[number] = replace(room, name=name, members=tuple(sorted(members)))

    # -- what a login shows ------------------------------------------------------------------------------------------

    def log_in(self) -> tuple[list[Contact], dict[ContactId, int]]:
        """Return the contacts of a new login in random order, and the number of the person behind each."""
        self.logins += 1
        contacts = [*map(self._shown, self.people.values()), *map(self._shown_room, self.rooms.values())]
        self._random.shuffle(contacts)
        return contacts, {contact.id: int(contact.id.rpartition("-")[2]) for contact in contacts}

    def _id(self, number: int, prefix: str = "@") -> ContactId:
        return ContactId(f"{prefix}{self.logins}-{number}")

    def _shown(self, person: Person) -> Contact:
        return Contact(
            id=self._id(person.number), nickname=person.nickname, remark=person.remark,
            pinyin=sound(person.nickname), remark_pinyin=sound(person.remark),
            avatar=person.avatar if self._has_avatars else 0, signature=person.signature, region=person.region,
            sex=person.sex, attr_status=person.attr_status,
        )  # fmt: skip

    def _shown_room(self, room: Room) -> Contact:
        known = (self.people.get(each) for each in room.members)
        return Contact(
            id=self._id(room.number, "@@"), nickname=room.name, pinyin=sound(room.name), kind="chatroom",
            is_owner=room.is_owner,
            members=tuple(Member(id=self._id(each.number), nickname=each.nickname) for each in known if each),
        )  # fmt: skip


def sound(name: str) -> str:
    """Return a replacement for a name's pinyin: emoji and punctuation have no sound, and some names sound alike."""
    return "".join(
        chr(97 + ord(sign) % 200 // 8) if ord(sign) > 127 else sign.lower() for sign in name if sign.isalnum()
    )


def mistakes(results: Iterable[tuple[int, int, int]]) -> tuple[int, float]:
    """
    Judge results of identity matching, each a login, a person and the identity number that the person got.

    Return the number of contacts that were matched with another person, and the share of contacts of the previous login
    that kept their number.
    """
    wrong = again = known = 0
    person_of: dict[int, int] = {}
    numbers: dict[tuple[int, int], int] = {}
    for login, person, number in results:
        wrong += person_of.setdefault(number, person) != person
        numbers[login, person] = number
        before = numbers.get((login - 1, person))
        again += before is not None
        known += before == number
    return wrong, known / again
