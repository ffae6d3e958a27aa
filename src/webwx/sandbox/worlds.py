"""
Worlds as files: the people, their friendships and their earlier messages, in TOML.

A file is read and validated completely before the world is built. People are named by id, nickname, or as `me`, the
first one. Two worlds come with the package: the default one, and a big one.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec.structs import asdict, replace

from webwx.protocol.appmsg import Article
from webwx.sandbox import contents
from webwx.sandbox.clock import SystemClock, VirtualClock
from webwx.sandbox.errors import Impossible, Refused, explain
from webwx.sandbox.fake_contacts import FakeContacts, add_fake_contacts
from webwx.sandbox.faults import FaultInjector
from webwx.sandbox.options import Options
from webwx.sandbox.people import PUBLIC, VERIFIED
from webwx.sandbox.pictures import avatar, picture_size
from webwx.sandbox.world import World, default_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from webwx.sandbox.clock import WorldClock
    from webwx.sandbox.people import MessageContent, WorldPerson

BUILTIN_WORLDS = ("default", "big")
"""Names of the worlds that come with the package."""

_SEXES = {"": 0, "male": 1, "female": 2}

_VERIFY_FLAGS = {"person": 0, "public": PUBLIC, "verified": VERIFIED}

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}

_AGO = re.compile(r"(?:\d{1,9}[dhms] ?)+")


class _WorldFileValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    """A table of a world file; unknown keys are refused."""


class PersonPlan(_WorldFileValue, frozen=True, kw_only=True):
    """A person."""

    nickname: str
    id: str = ""
    account: Literal["person", "public", "verified"] = "person"
    """Kind of account. A public account has followers and cannot log in; a verified one is public as well."""
    alias: str = ""
    sex: Literal["", "male", "female"] = ""
    signature: str = ""
    province: str = ""
    city: str = ""
    picture: str = ""
    """File with their picture, beside the world's file; empty: it is drawn from the id."""
    friends: list[str] | Literal["everybody"] = []
    """Friends of the person; friendship is mutual."""
    remarks: dict[str, str] = {}
    """Remarks for their friends."""
    blocks: list[str] = []
    """People on their blacklist."""


class ChatroomPlan(_WorldFileValue, frozen=True, kw_only=True):
    """A chatroom."""

    name: str = ""
    id: str = ""
    members: list[str] | Literal["everybody"]
    """Members of the chatroom, the owner first."""
    names: dict[str, str] = {}
    """Names of members in this chatroom."""
    saved: list[str] | Literal["everybody"] = []
    """People who have it in their contacts; the others have it only among their chats."""


class ArticlePlan(_WorldFileValue, frozen=True, kw_only=True):
    """An article of a public account."""

    title: str
    url: str
    digest: str = ""
    cover: str = ""


class MessagePlan(_WorldFileValue, frozen=True, kw_only=True):
    """An earlier message: a text, a picture, a file or articles."""

    sender: str
    to: str
    text: str = ""
    picture: str | bool = False
    """A file beside the world's file; true: a drawn picture."""
    file: str = ""
    """A file beside the world's file, or only the name of one."""
    articles: list[ArticlePlan] = []
    at: datetime | None = None
    """Time of the message; one without a time zone is in UTC."""
    ago: str = ""
    """Time before the world's start, such as `2d 4h` or `90m`."""
    recalled: bool = False
    unread: bool = False
    """Whether it is unread. Messages before it are unaffected; a later message that was read makes it read."""


class WorldPlan(_WorldFileValue, frozen=True, kw_only=True):
    """A whole world."""

    seed: int | None = None
    """Seed of its faults, its fake contacts and the drawn pictures; without a seed, faults differ in each run."""
    start: datetime | None = None
    """First time of its clock; by default the present time, or a fixed one if the clock stands still."""
    clock: Literal["running", "stopped"] = "running"
    """Whether its clock runs, or stands still until it is moved."""
    options: Options = msgspec.field(name="switches", default=Options())
    friends: Literal["listed", "everybody"] = "listed"
    """With `everybody`, all listed people are friends of each other."""
    people: list[PersonPlan]
    """People of the world; the first is `me`."""
    chatrooms: list[ChatroomPlan] = []
    history: list[MessagePlan] = []
    crowd: FakeContacts = FakeContacts()
    """Fake contacts."""


BIG = WorldPlan(
    people=[PersonPlan(nickname="小明", id="xiaoming")],
    crowd=FakeContacts(people=10_000, public=100, chatrooms=200, members=500),
)
"""A world with more people than any real account has."""


def read_world(path: Path) -> WorldPlan:
    """
    Read and validate a file.

    Raises:
        Impossible: The file cannot be read or is not a valid world; the message names the place.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=WorldPlan)
    except OSError as error:
        raise Impossible(f"{path.name}: it cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Impossible(f"{path.name}: it is not UTF-8.") from None
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        place = where.strip("`.")
        raise Impossible(f"{path.name}: {f'{place}: ' if place else ''}{_begun_small(what)}.") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Impossible(f"{path.name}: it is not valid TOML: {_begun_small(str(error))}.") from None


def open_world(
    source: str | Path,
    *,
    change: Callable[[Options], Options] = lambda own: own,
    seed: int | None = None,
    rng: Random | None = None,
) -> World:
    """
    Build the world of a file, or one that comes with the package.

    Args:
        source: `default`, `big`, or a file.
        change: Function that returns changed options.
        seed: Replaces the seed of the world.
        rng: Source of its ids and keys; None uses unpredictable ones, which differ in each run.

    Raises:
        Impossible: There is no such file, or something in it is not possible; the sentence names the place.
    """
    if source == "default":
        world = default_world(options=change(Options()), rng=rng)
        world.faults = FaultInjector(seed=seed)
        return world
    path = Path(source)
    plan = BIG if source == "big" else read_world(path)
    plan = replace(plan, seed=plan.seed if seed is None else seed, options=change(plan.options))
    try:
        return build(plan, path.parent, rng=rng)
    except Impossible as no:
        raise Impossible(f"{path.name}: {no}") from None


def build(plan: WorldPlan, folder: Path = Path(), *, rng: Random | None = None) -> World:
    """
    Build a world.

    Args:
        plan: Contents of the world.
        folder: Folder of its pictures and files.
        rng: Source of its ids and keys; None uses unpredictable ones.

    Raises:
        Impossible: Something in the plan is impossible; the message names the place.
    """
    world = World(options=plan.options, clock=_clock(plan), rng=rng)
    world.faults = FaultInjector(seed=plan.seed)
    if not plan.people:
        raise _Misplaced("people", "there are no people; add at least one. The first one is 'me'.")
    for number, person in enumerate(plan.people):
        with _named(f"people[{number}]"):
            _add_person(world, person, folder)
    for number, person in enumerate(plan.people):
        with _named(f"people[{number}]"):
            _befriend(world, list(world.people)[number], person, knows_all=plan.friends == "everybody")
    listed = list(world.people)
    for number, room in enumerate(plan.chatrooms):
        with _named(f"chatrooms[{number}]"):
            _add_chatroom(world, room, listed)
    add_fake_contacts(world, plan.crowd, Random(plan.seed or 0))  # noqa: S311 - of no secrets
    dates = [_date(message, number, world.now) for number, message in enumerate(plan.history)]
    for number in sorted(range(len(dates)), key=dates.__getitem__):
        with _named(f"history[{number}]"):
            _say(world, plan.history[number], dates[number], folder, f"{plan.seed or 0}/{number}")
    return world


def _clock(plan: WorldPlan) -> WorldClock:
    start = None if plan.start is None else _seconds(plan.start)
    if plan.clock == "running":
        return SystemClock(start)
    return VirtualClock() if start is None else VirtualClock(start)


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


# -- people and chatrooms --------------------------------------------------------------------------------------------


def _add_person(world: World, plan: PersonPlan, folder: Path) -> None:
    person = world.add_person(plan.nickname, plan.id)
    person.verify_flag = _VERIFY_FLAGS[plan.account]
    person.alias, person.signature, person.sex = plan.alias, plan.signature, _SEXES[plan.sex]
    person.province, person.city = plan.province, plan.city
    if plan.picture:
        with _named("picture"):
            person.portrait = _picture(folder / plan.picture)


def _befriend(world: World, who: str, plan: PersonPlan, *, knows_all: bool) -> None:
    own = world.people[who]
    is_listed = plan.friends != "everybody" and not knows_all
    for number, name in enumerate(plan.friends if is_listed else world.people):
        with _named(f"friends[{number}]"):
            friend = world.person(name)
            if friend is not own:
                world.befriend(who, friend.id, own.friends.get(friend.id, ""))
            elif is_listed:
                raise Impossible("A person cannot be their own friend.")
    for name, remark in plan.remarks.items():
        with _named(f"remarks.{name}"):
            friend = world.person(name)
            if friend.id not in own.friends:
                raise Impossible(f"{name} is not a friend of {plan.nickname}.")
            world.befriend(who, friend.id, remark)
    for number, name in enumerate(plan.blocks):
        with _named(f"blocks[{number}]"):
            world.set_blocked(who, name, is_blocked=True)


def _add_chatroom(world: World, plan: ChatroomPlan, listed: list[str]) -> None:
    if not plan.members:
        raise _Misplaced("members", "a chatroom needs at least one member.")
    members: list[WorldPerson] = []
    people = [each for each in listed if not world.people[each].is_public]
    for number, name in enumerate(people if plan.members == "everybody" else plan.members):
        with _named(f"members[{number}]"):
            members.append(world.person(name))
            if members[-1].is_public:
                raise Impossible(f"{name} is a public account and cannot be in a chatroom.")
    room = world.add_chatroom(plan.name, [member.id for member in members], plan.id)
    saved = [member.id for member in room.members] if plan.saved == "everybody" else plan.saved
    for number, name in enumerate(saved):
        with _named(f"saved[{number}]"):
            world.set_saved(name, room.id, is_saved=True)
    for name, shown in plan.names.items():
        with _named(f"names.{name}"):
            person = world.person(name)
            if not room.has(person):
                raise Impossible(f"{name} is not in {room.title}.")
            room.names[person.id] = shown


# -- history ---------------------------------------------------------------------------------------------------------


def _date(plan: MessagePlan, number: int, start: float) -> float:
    with _named(f"history[{number}]"):
        if plan.at is not None and plan.ago:
            raise Impossible("A message can have 'at' or 'ago', not both.")
        if plan.ago and not _AGO.fullmatch(plan.ago):
            raise _Misplaced("ago", f"{plan.ago!r} is not a time such as '2d 4h' or '90m'.")
        ago = sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d{1,9})([dhms])", plan.ago))
        moment = start - ago if plan.at is None else _seconds(plan.at)
        if moment > start:
            raise _Misplaced("at", "this time is after the world's start.")
        return moment


def _say(world: World, plan: MessagePlan, moment: float, folder: Path, look: str) -> None:
    with _named("from"):
        sender = world.person(plan.sender)
    content = _content(world, plan, sender, folder, look)
    with _named("to"):
        message = world.send(sender.id, plan.to, content)
    message.time = moment
    message.is_recalled = plan.recalled
    room = world.chatrooms.get(message.to)
    others = room.members if room else filter(None, [world.people.get(message.to)])
    for person in () if plan.unread else others:
        person.mark_read(message.chat_of(person))


def _content(world: World, plan: MessagePlan, sender: WorldPerson, folder: Path, look: str) -> MessageContent:
    if [bool(each) for each in (plan.text, plan.picture, plan.file, plan.articles)].count(True) != 1:
        raise Impossible("A message needs exactly one of 'text', 'picture', 'file' and 'articles'.")
    if plan.text:
        return contents.text(plan.text)
    if plan.articles:
        first = plan.articles[0]
        articles = tuple(Article(**asdict(each)) for each in plan.articles)
        return contents.link(sender, first.title, first.url, first.digest, articles)
    if plan.file:
        path = folder / plan.file
        with _named("file"):
            content = _bytes(path) if "/" in plan.file or path.exists() else plan.file.encode()
        return contents.file(sender, world.media.add(content, path.name))
    with _named("picture"):
        content = avatar(look) if plan.picture is True else _picture(folder / str(plan.picture))
    return contents.image(world.media.add(content))


def _picture(path: Path) -> bytes:
    content = _bytes(path)
    if picture_size(content) == (0, 0):
        raise Impossible(f"{path.name} is not a PNG, JPEG or GIF.")
    return content


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Impossible(f"{path.name} cannot be read: {error.strerror}.") from None


# -- mistakes --------------------------------------------------------------------------------------------------------


class _Misplaced(Impossible):
    """An error at a known place of a world file."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place
        self.what = what


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Add the place in the file to an error."""
    try:
        yield
    except _Misplaced as no:
        raise _Misplaced(f"{place}.{no.place}", no.what) from None
    except (Impossible, Refused) as no:
        raise _Misplaced(place, _begun_small(explain(no))) from None


def _begun_small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
