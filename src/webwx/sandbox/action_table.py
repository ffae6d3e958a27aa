"""
The table of phone actions, from which the control API and the commands of `webwx phone` are made.

An action is a method of the world, or a function here, if the action is more than one call. Its parameters are the
fields of `POST /control/NAME` and the arguments of `webwx phone NAME`, in this order. The docstring of a function is
the help of the command, and a `dict` that it returns is the answer. A trailing underscore of a parameter is dropped. A
parameter with an `option` is an option of the command. `bytes` are base64 in JSON and a file on the command line.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from webwx.protocol.codes import MAX_TEXT, MessageType
from webwx.sandbox import contents
from webwx.sandbox.errors import Impossible
from webwx.sandbox.membership import MIN_OTHERS
from webwx.sandbox.people import WorldMessage, WorldPerson
from webwx.sandbox.world import ME, World

Answer = dict[str, object]

_LONGEST_WIND = 10 * 365 * 86400
"""Maximum seconds of one move: a clock after the year 9999 could not be written as a date."""


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of an action."""

    name: str
    """Name in JSON, and of the command's argument or option."""
    kind: Any
    """Type of the parameter, such as `str` or `Literal["call", "end"]`."""
    default: Any
    """Default value; `msgspec.NODEFAULT` for a parameter without a default."""
    meta: msgspec.Meta
    """Limits of a number, and the marks of `option`, `shown_as` and `Text`."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """A phone action."""

    name: str
    """Last part of the path, and name of the command."""
    help: str
    """One sentence, with the arguments in capitals."""
    parameters: tuple[Parameter, ...]
    request: type[msgspec.Struct]
    """Type of a request's body: the parameters."""
    act: Callable[..., object]
    examples: tuple[str, ...]
    """Arguments of the examples in the command's help."""
    sentence: str
    """Template of the sentence that the command prints, from the arguments and the answer."""
    without: tuple[str, str] | None
    """Name of an argument or a part of the answer, and the template of the sentence if that is missing or empty."""
    facts: Mapping[str, bool | str]
    """
    Fields that the command adds to the answer for `--json`: field name, and name of the parameter that holds its value.
    """

    def run(self, world: World, request: msgspec.Struct) -> Answer:
        """
        Act in a world.

        Raises:
            Impossible: There is no such person, chat, code or message, or the action makes no sense there.
            Refused: The platform refuses it.
        """
        answer = self.act(world, **msgspec.structs.asdict(request))
        return answer if isinstance(answer, dict) else {}


ACTIONS: dict[str, Action] = {}
"""The actions by their names."""


def _action(
    name: str,
    *examples: str,
    sentence: str,
    without: tuple[str, str] | None = None,
    facts: Mapping[str, bool | str] | None = None,
) -> Callable[[Callable[..., Answer | None]], Callable[..., Answer | None]]:
    """Add a function to the table, with its docstring as help."""

    def add(act: Callable[..., Answer | None]) -> Callable[..., Answer | None]:
        _add(act, name, *examples, help=inspect.getdoc(act) or "", sentence=sentence, without=without, facts=facts)
        return act

    return add


def _add(
    act: Callable[..., object],
    name: str,
    *examples: str,
    help: str,  # noqa: A002 - as in click
    sentence: str,
    without: tuple[str, str] | None = None,
    facts: Mapping[str, bool | str] | None = None,
) -> None:
    """Add a method of the world, or a function here, to the table."""
    _world, *fields = inspect.signature(act, eval_str=True).parameters.values()
    ACTIONS[name] = Action(
        name=name,
        help=help,
        parameters=tuple(_parameter(field) for field in fields),
        request=msgspec.defstruct(
            name,
            [(field.name, field.annotation, _default(field)) for field in fields],
            frozen=True, kw_only=True, rename=_without_underscore,
        ),
        act=act,
        examples=examples,
        sentence=sentence,
        without=without,
        facts=facts or {},
    )  # fmt: skip


def _parameter(field: inspect.Parameter) -> Parameter:
    kind, meta = field.annotation, msgspec.Meta()
    if get_origin(kind) is Annotated:
        kind, meta = get_args(kind)
    return Parameter(name=_without_underscore(field.name), kind=kind, default=_default(field), meta=meta)


def _default(field: inspect.Parameter) -> Any:
    return msgspec.NODEFAULT if field.default is field.empty else field.default


def _without_underscore(name: str) -> str:
    return name.rstrip("_")


def option(help: str, **limits: Any) -> msgspec.Meta:  # noqa: A002 - as in click
    """Make a parameter an option of the command."""
    return msgspec.Meta(description=help, **limits)


def shown_as(name: str) -> msgspec.Meta:
    """Show an argument under another name in the help."""
    return msgspec.Meta(title=name)


Text = Annotated[str, msgspec.Meta(extra={"is_free_text": True})]
"""A text that may look like an option of the command."""


# -- logins ----------------------------------------------------------------------------------------------------------


_add(
    World.scan, "scan", "阿华", help="Point WHO's phone at the login code UUID, or at the newest one.",
    sentence="Scanned; 'webwx phone confirm' lets the login through.", facts={"scanned": True},
)  # fmt: skip

_add(
    World.confirm, "confirm", "", help="Confirm the login that was scanned.",
    sentence="Confirmed.", facts={"confirmed": True},
)  # fmt: skip

_add(
    World.cancel, "cancel", "", help="Reject the login that was scanned.",
    sentence="Cancelled.", facts={"cancelled": True},
)  # fmt: skip

_add(
    World.expire, "expire", "", help="Expire a login code.",
    sentence="Expired.", facts={"expired": True},
)  # fmt: skip

_add(
    World.log_out, "log-out", "", help="Log WHO's web client out on the phone: it receives ret 1100.",
    sentence="{who} is logged out.", facts={"logged_out": True},
)  # fmt: skip

_add(
    World.evict, "evict", "", help="Log in another client as WHO; WHO's current client receives ret 1101.",
    sentence="Another client has taken {who}'s login.", facts={"evicted": True},
)  # fmt: skip


# -- chats -----------------------------------------------------------------------------------------------------------


@_action("say", '阿华 me "Are you there?"', sentence="Sent to {to} (message {message_id}).")
def say(world: World, *, from_: str, to: str, text: Text) -> Answer:
    """Write TEXT on FROM's phone."""
    _check_length(text)
    return {"message_id": world.say(from_, to, text).id}


def _check_length(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise Impossible(
            f"The text has {len(text):,} characters; one message takes at most {MAX_TEXT:,}.", "text-too-long"
        )


@_action("recall", "阿华 me", sentence="Recalled message {message_id}.")
def recall(world: World, *, from_: str, to: str, message_id: Annotated[str, shown_as("ID")] = "") -> Answer:
    """Recall a message of FROM in the chat TO: the message ID, or the last one."""
    return {"message_id": world.recall(from_, to, message_id).id}


@_action("forward", "阿华 张三 4600000000000000001", sentence="Forwarded to {to}.", facts={"forwarded": "ids"})
def forward(world: World, *, from_: str, to: str, ids: list[str]) -> Answer:
    """Forward the messages IDS that are on FROM's phone to the chat TO."""
    return {"message_ids": [message.id for message in world.forward(from_, to, ids)]}


@_action("delete", "me 阿华 4600000000000000001", sentence="Deleted on {who}'s phone.", facts={"deleted": "ids"})
def delete(world: World, *, who: str = ME, chat: str, ids: tuple[str, ...] = ()) -> None:
    """Delete the messages IDS of CHAT on WHO's phone only, or all of them without IDS."""
    world.delete_messages(who, chat, ids)


_add(
    World.open_chat, "open", "me 阿华", help="Open CHAT on WHO's phone, which clears its unread count.",
    sentence="{who} has opened {chat}.", facts={"opened": True},
)  # fmt: skip

_add(
    World.close_chat, "close", "me 阿华", help="Go back from CHAT to the list of chats on WHO's phone.",
    sentence="{who} has closed {chat}.", facts={"closed": True},
)  # fmt: skip


@_action("read", "me 阿华", sentence="{who} has read {chat}.", facts={"read": True})
def read(world: World, *, who: str = ME, chat: str, message_id: Annotated[str, shown_as("ID")] = "") -> None:
    """Read CHAT on WHO's phone without opening it: up to the message ID, or completely."""
    world.read_chat(who=who, chat=chat, message_id=message_id)


@_action("pin", "me 阿华", sentence="{who} has pinned {chat}.", facts={"pinned": True})
def pin(world: World, *, who: str = ME, chat: str) -> None:
    """Pin CHAT to the top of WHO's list."""
    world.set_pinned(who, chat, is_pinned=True)


@_action("unpin", "me 阿华", sentence="{who} has {chat} pinned no more.", facts={"pinned": False})
def unpin(world: World, *, who: str = ME, chat: str) -> None:
    """Unpin CHAT on WHO's phone."""
    world.set_pinned(who, chat, is_pinned=False)


# -- friends ---------------------------------------------------------------------------------------------------------


@_action("accept", "阿华 me", sentence="{who} and {asked_by} are friends now.", facts={"accepted": True})
def accept(world: World, *, who: str = ME, asked_by: Annotated[str, shown_as("FROM")]) -> None:
    """Accept FROM's friend request as WHO."""
    if world.person(asked_by).id not in world.person(who).asked_by:
        raise Impossible(f"{asked_by} has sent {who} no friend request.", "not-asked")
    world.accept_friend(who, asked_by)


@_action(
    "remark", "me 阿华 花花", sentence="{who} calls {friend} {remark}.", without=("remark", "{friend} has no remark."),
    facts={"remark": "remark"},
)  # fmt: skip
def set_remark(world: World, *, who: str = ME, friend: str, remark: Text = "") -> None:
    """Set WHO's REMARK for FRIEND, or remove it."""
    person, other = world.person(who), world.person(friend)
    if other.id not in person.friends:
        raise Impossible(f"{other.nickname} is not a friend of {person.nickname}.", "no-friend")
    world.set_remark(person, other.id, remark)


@_action("block", "阿华", sentence="{who} has blocked {whom}.", facts={"blocked": True})
def block(world: World, *, who: str, whom: str = ME) -> None:
    """Put WHOM on WHO's blacklist, against messages and additions to chatrooms."""
    world.set_blocked(who, whom, is_blocked=True)


@_action("unblock", "阿华", sentence="{who} has {whom} on the blacklist no more.", facts={"blocked": False})
def unblock(world: World, *, who: str, whom: str = ME) -> None:
    """Take WHOM off WHO's blacklist."""
    world.set_blocked(who, whom, is_blocked=False)


# -- chatrooms -------------------------------------------------------------------------------------------------------


@_action(
    "create", "me 电影 阿华 张三", sentence="{name} is open ({chat}).",
    without=("name", "The chatroom is open ({chat})."),
)  # fmt: skip
def create(world: World, *, who: str = ME, name: str = "", people: list[str]) -> Answer:
    """Create a chatroom called NAME as WHO with PEOPLE, at least two."""
    owner, others = world.person(who), [world.person(each) for each in people]
    if len(others) < MIN_OTHERS:
        raise Impossible(f"A chatroom needs at least {MIN_OTHERS} others.", "too-few")
    _check_addable(world, owner, others)
    return {"chat": world.membership.open(owner, others, name).id}


@_action("invite", "me 电影 李雷", sentence="{who} has invited {people} to {chat}.", facts={"invited": "people"})
def invite(world: World, *, who: str = ME, chat: str, people: list[str]) -> None:
    """Add PEOPLE to the chatroom CHAT as WHO, or invite them if it is large."""
    member = world.person(who)
    room, others = world.chatroom(member, chat), [world.person(each) for each in people]
    if world.membership.is_by_invitation(room):
        world.membership.invite(room, others, by=member)
    else:
        _check_addable(world, member, others)
        world.membership.add(room, others, by=member)


def _check_addable(world: World, member: WorldPerson, others: list[WorldPerson]) -> None:
    for person in others:
        if not world.membership.can_add(member, person):
            raise Impossible(
                f"{member.nickname} cannot add {person.nickname}: both must be friends of each other.",
                "no-mutual-friend",
            )


@_action("remove", "me 电影 李雷", sentence="{people} is out of {chat}.", facts={"removed": "people"})
def remove(world: World, *, who: str = ME, chat: str, people: list[str]) -> None:
    """Remove PEOPLE from the chatroom CHAT as WHO, its owner."""
    member = world.person(who)
    room = world.chatroom(member, chat)
    if member is not room.owner:
        raise Impossible("Only the owner of a chatroom can remove people.", "no-owner")
    world.membership.remove(room, [world.person(each) for each in people], by=member)


@_action("join", "张三 电影 me", sentence="{who} is in {chat} now.", facts={"joined": True})
def join(world: World, *, who: str = ME, chat: str, by: Annotated[str, shown_as("FROM")]) -> None:
    """Open FROM's invitation to the chatroom CHAT as WHO."""
    member = world.person(by)
    world.membership.join(world.chatroom(member, chat), world.person(who), by=member)


@_action("rename", "阿华 周末爬山 周末游泳", sentence="{chat} is called {name} now.", facts={"renamed": True})
def rename(world: World, *, who: str = ME, chat: str, name: Text) -> None:
    """Rename the chatroom CHAT to NAME as WHO."""
    member = world.person(who)
    world.membership.rename(world.chatroom(member, chat), name, by=member)


@_action("leave", "阿华 周末爬山", sentence="{who} has left {chat}.", facts={"left": True})
def leave(world: World, *, who: str = ME, chat: str) -> None:
    """Leave the chatroom CHAT as WHO."""
    member = world.person(who)
    world.membership.leave(world.chatroom(member, chat), member)


# -- sending ---------------------------------------------------------------------------------------------------------


_SENT = "Sent to {to} (message {message_id}, md5 {md5})."
_WITHOUT_MD5 = ("md5", "Sent to {to} (message {message_id}).")


def _sent(message: WorldMessage) -> Answer:
    return {"message_id": message.id, "md5": message.media_file.md5 if message.media_file else ""}


@_action("picture", "阿华 me holiday.jpg", sentence=_SENT, without=_WITHOUT_MD5)
def picture(world: World, *, from_: str, to: str, content: bytes) -> Answer:
    """Send the picture FILE from FROM's phone."""
    return _sent(world.picture(from_, to, content))


@_action("file", "阿华 me report.pdf", sentence=_SENT, without=_WITHOUT_MD5)
def file(
    world: World, *, from_: str, to: str, content: bytes,
    name: Annotated[str, option("Name of the file for the receiver; by default that of FILE.")],
) -> Answer:  # fmt: skip
    """Send FILE from FROM's phone."""
    return _sent(world.file(from_, to, content, name))


@_action("video", "阿华 me waves.mp4 --seconds 12", sentence=_SENT, without=_WITHOUT_MD5)
def video(
    world: World, *, from_: str, to: str, content: bytes,
    seconds: Annotated[int, option("Duration to show, in seconds.")] = 1,
    short: Annotated[bool, option("Send the short video of old phones.")] = False,
) -> Answer:  # fmt: skip
    """Send the video FILE from FROM's phone."""
    return _sent(world.video(from_, to, content, seconds=seconds, is_short=short))


@_action("voice", "阿华 me hello.mp3 --seconds 2.5", sentence=_SENT, without=_WITHOUT_MD5)
def voice(
    world: World, *, from_: str, to: str, content: bytes,
    seconds: Annotated[float, option("Duration to show, in seconds.")] = 1.0,
) -> Answer:  # fmt: skip
    """Send the mp3 FILE as a voice message from FROM's phone."""
    return _sent(world.voice(from_, to, content, milliseconds=int(seconds * 1000)))


_GAMES = {"rock-paper-scissors": 1, "dice": 2}


@_action("sticker", "阿华 me cat.gif", sentence=_SENT, without=_WITHOUT_MD5)
def sticker(
    world: World, *, from_: str, to: str, content: bytes,
    game: Annotated[Literal["", "rock-paper-scissors", "dice"], option("Game of the sticker.")] = "",
    result: Annotated[int, option("Result of the game, as numbered by the platform.")] = 1,
) -> Answer:  # fmt: skip
    """Send the GIF FILE as a sticker from FROM's phone."""
    played = {"game": _GAMES[game], "result": result} if game else {}
    return _sent(world.send(from_, to, contents.sticker(world.person(from_), world.media.add(content), **played)))


@_action("store-sticker", "阿华 me", sentence=_SENT, without=_WITHOUT_MD5)
def store_sticker(world: World, *, from_: str, to: str) -> Answer:
    """Send a sticker of the store, which the web cannot download."""
    return _sent(world.send(from_, to, contents.store_sticker()))


@_action("location", "阿华 me 39.908722 116.397499 天安门", sentence=_SENT, without=_WITHOUT_MD5)
def location(
    world: World, *, from_: str, to: str, latitude: float, longitude: float, label: Text,
    name: Annotated[str, option("Name of the place.")] = "[位置]",
) -> Answer:  # fmt: skip
    """Send the place at LATITUDE and LONGITUDE, with the address LABEL."""
    return _sent(world.send(from_, to, contents.location(latitude, longitude, label, name)))


@_action("live-location", "阿华 me", sentence=_SENT, without=_WITHOUT_MD5)
def live_location(world: World, *, from_: str, to: str) -> Answer:
    """Begin to share FROM's location."""
    return _sent(world.send(from_, to, contents.live_location(world.person(from_))))


@_action("card", "阿华 me 李雷", sentence=_SENT, without=_WITHOUT_MD5)
def card(world: World, *, from_: str, to: str, person: str) -> Answer:
    """Recommend PERSON."""
    return _sent(world.send(from_, to, contents.card(world.person(person))))


@_action("ask", '李雷 me "我是李雷"', sentence=_SENT, without=_WITHOUT_MD5)
def ask(world: World, *, from_: str, to: str, greeting: Text = "") -> Answer:
    """Send a friend request from FROM to TO."""
    return _sent(world.ask_friend(from_, to, greeting))


_CALLS = {"call": MessageType.CALL, "invite": MessageType.CALL_INVITE, "end": MessageType.CALL_ENDED}


@_action("call", "阿华 me", sentence=_SENT, without=_WITHOUT_MD5)
def call(world: World, *, from_: str, to: str, type_: Literal["call", "invite", "end"] = "call") -> Answer:
    """Call TO, or end a call."""
    return _sent(world.send(from_, to, contents.call(_CALLS[type_])))


@_action("link", "阿华 me 标题 https://example.org/", sentence=_SENT, without=_WITHOUT_MD5)
def link(
    world: World, *, from_: str, to: str, title: Text, url: Text,
    description: Annotated[str, option("Text below the title.")] = "",
) -> Answer:  # fmt: skip
    """Send a link."""
    return _sent(world.send(from_, to, contents.link(world.person(from_), title, url, description)))


@_action("music", "阿华 me 茉莉花 https://example.org/song --artist 民歌", sentence=_SENT, without=_WITHOUT_MD5)
def music(
    world: World, *, from_: str, to: str, title: Text, url: Text,
    artist: Annotated[str, option("Name of the artist.")] = "",
    sound_url: Annotated[str, option("Address of the sound.")] = "",
) -> Answer:  # fmt: skip
    """Send a piece of music."""
    return _sent(world.send(from_, to, contents.music(world.person(from_), title, artist, url, sound_url)))


@_action("mini-program", "阿华 me 拼车 --program 出行", sentence=_SENT, without=_WITHOUT_MD5)
def mini_program(
    world: World, *, from_: str, to: str, title: Text,
    program: Annotated[str, option("Name of the mini program.")] = "",
    page: Annotated[str, option("Page that the mini program opens.")] = "",
) -> Answer:  # fmt: skip
    """Send a mini program's card."""
    return _sent(world.send(from_, to, contents.mini_program(world.person(from_), title, program, page)))


@_action("quote", '阿华 me 4600000000000000001 "Yes!"', sentence=_SENT, without=_WITHOUT_MD5)
def quote(world: World, *, from_: str, to: str, message_id: Annotated[str, shown_as("ID")], text: Text) -> Answer:
    """Reply to the message ID with TEXT."""
    _check_length(text)
    return _sent(world.quote(from_, to, message_id, text))


@_action("history", "阿华 me 群聊的聊天记录 '张三: 在吗' '李雷: 在'", sentence=_SENT, without=_WITHOUT_MD5)
def history(world: World, *, from_: str, to: str, title: Text, lines: tuple[str, ...] = ()) -> Answer:
    """Send several messages merged into one."""
    return _sent(world.send(from_, to, contents.history(world.person(from_), title, lines)))


@_action("group-note", "阿华 周末爬山 报名 '阿华 2 人' 小华", sentence=_SENT, without=_WITHOUT_MD5)
def group_note(world: World, *, from_: str, to: str, title: Text, entries: tuple[str, ...] = ()) -> Answer:
    """Send a group note (接龙) with its entries."""
    return _sent(world.send(from_, to, contents.group_note(world.person(from_), title, entries)))


@_action("transfer", "阿华 me --amount ￥9.90 --note 午饭", sentence=_SENT, without=_WITHOUT_MD5)
def transfer(
    world: World, *, from_: str, to: str, description: Text = "",
    amount: Annotated[str, option("Amount with its currency.")] = "",
    note: Annotated[str, option("Note of the sender.")] = "",
    state: Annotated[
        Literal["offered", "accepted", "returned"], option("Whether it is an offer, or the answer to one.")
    ] = "offered",
) -> Answer:  # fmt: skip
    """Send a simulated transfer of money."""
    content = contents.transfer(world.person(from_), description, amount, note, state)
    return _sent(world.send(from_, to, content))


@_action("red-packet", "阿华 周末爬山 新年快乐", sentence=_SENT, without=_WITHOUT_MD5)
def red_packet(world: World, *, from_: str, to: str, wish: Text = "恭喜发财，大吉大利") -> Answer:
    """Send a simulated red packet."""
    return _sent(world.send(from_, to, contents.red_packet(world.person(from_), wish)))


@_action("notice", "me 周末爬山 '\"阿华\"修改群名为“周末游泳”'", sentence=_SENT, without=_WITHOUT_MD5)
def notice(
    world: World, *, from_: str, to: str, text: Text,
    xml: Annotated[str, option("XML of the notice (<sysmsg>); by default it is plain text.")] = "",
) -> Answer:  # fmt: skip
    """Show the grey line TEXT on FROM's phone, in the chat TO."""
    return _sent(world.notify(from_, to, contents.system_xml(xml, text) if xml else contents.system(text)))


@_action("raw", "阿华 me 49 '<msg><appmsg>…</appmsg></msg>' --app-type 16", sentence=_SENT, without=_WITHOUT_MD5)
def raw(
    world: World, *, from_: str, to: str, type_: int, content: Text = "",
    app_type: Annotated[int, option("AppMsgType of a message of type 49.")] = 0,
) -> Answer:  # fmt: skip
    """Send a message of any MsgType TYPE with the unescaped CONTENT."""
    return _sent(world.send(from_, to, contents.raw(type_, app_type, content)))


# -- the network and the clock ---------------------------------------------------------------------------------------


@_action("offline", "", sentence="{who}'s phone is offline; 'webwx phone online' ends that.", facts={"offline": True})
def go_offline(world: World, *, who: str = ME) -> None:
    """Disconnect WHO's phone from the network; sends are refused with Ret 3."""
    world.set_offline(who, is_offline=True)


@_action("online", "", sentence="{who}'s phone is online.", facts={"offline": False})
def go_online(world: World, *, who: str = ME) -> None:
    """Restore the network of WHO's phone."""
    world.set_offline(who, is_offline=False)


@_action(
    "refuse", "webwxsendmsg 1205", "login 500 --times 3", sentence="The next {endpoint} is answered with {ret}.",
    facts={"endpoint": "endpoint", "ret": "ret", "times": "times"},
)  # fmt: skip
def refuse(
    world: World, *, endpoint: Annotated[str, shown_as("CALL")], ret: int,
    times: Annotated[int, option("Number of calls.", ge=1, le=1000)] = 1,
) -> None:  # fmt: skip
    """Refuse the next CALL with the return code RET."""
    world.refuse_next(endpoint, ret, times=times)


@_action(
    "wind", "121    # the two minutes for a recall are over",
    sentence="The sandbox's clock is {seconds:g} s further on.",
)  # fmt: skip
def wind(world: World, *, seconds: float) -> Answer:
    """Move the sandbox's clock forward by SECONDS, instead of waiting."""
    if not 0 <= seconds <= _LONGEST_WIND:
        raise Impossible("The clock can only be moved forward, by at most ten years.", "no-such-time")
    world.wind(seconds)
    return {"now": world.now}
