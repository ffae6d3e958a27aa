"""
The control API: the phones' and the friends' hands, over HTTP.

JSON in and out, on the server's own origin, loopback only. Errors are a 4xx with `{"error": one sentence}`, and
a `code` beside it where the phone's page says it in another language.

    GET  /control/accounts                                     {"accounts": [{"nickname", "id"}]}
    GET  /control/inbox?who=                                   {"nickname", "id", "chats": [chat]}
    POST /control/scan      {"who", "uuid"}                    {}
    POST /control/confirm   {"uuid"}                           {}
    POST /control/cancel    {"uuid"}                           {}
    POST /control/expire    {"uuid"}                           {}
    POST /control/refuse    {"endpoint", "ret", "times"}       {}
    POST /control/say       {"from", "to", "text"}             {"message_id"}
    POST /control/picture   {"from", "to", "name", "content"}  {"message_id", "md5"}
    POST /control/recall    {"from", "to", "message_id"}       {"message_id"}
    POST /control/read      {"who", "chat"}                    {}
    POST /control/open      {"who", "chat"}                    {}
    POST /control/close     {"who", "chat"}                    {}
    POST /control/create    {"who", "name", "people"}          {"chat"}
    POST /control/invite    {"who", "chat", "people"}          {}
    POST /control/remove    {"who", "chat", "people"}          {}
    POST /control/join      {"who", "chat", "by"}              {}
    POST /control/leave     {"who", "chat"}                    {}
    POST /control/rename    {"who", "chat", "name"}            {}
    POST /control/accept    {"who", "asked_by"}                {}
    POST /control/remark    {"who", "friend", "remark"}        {}
    POST /control/pin       {"who", "chat"}                    {}
    POST /control/unpin     {"who", "chat"}                    {}
    POST /control/block     {"who", "whom"}                    {}
    POST /control/unblock   {"who", "whom"}                    {}
    POST /control/wind      {"seconds"}                        {"now"}
    POST /control/save      {}                                 {"state"}
    POST /control/log-out   {"who"}                            {}
    POST /control/evict     {"who"}                            {}
    POST /control/offline   {"who"}                            {}
    POST /control/online    {"who"}                            {}
    GET  /control/wire?after=&endpoint=                        {"last", "exchanges": [exchange]}
    GET  /control/wire/exchange?number=                        exchange, with headers and bodies
    POST /control/wire/clear                                   {}

and one for every other kind of message, which `sending` lists, and those for faults, which `fault_verbs` lists.

A chat is `{"chat", "id", "unread", "messages"}`, a message `{"message_id", "from", "is_self", "kind", "text", "md5",
"size", "time", "recalled"}`. People are named by nickname, world id or `me`; a chat also by a chatroom's name or
`filehelper`. `content` is base64. An empty `uuid` is the newest code, an empty `message_id` the last message. `state`
is the whole world in base64, with the keys of every login.
An exchange has the fields of `wire_log.Exchange`; ask with `after` what has changed behind the `last` one answered.
`invite` adds friends at once, or sends each an invitation where a chatroom wants that. `evict` is another client that
logs in: the open login ends. A phone that is `offline` sends nothing, and its client's sends are refused with Ret 3.
`refuse` lays down what the next calls of an endpoint are answered with: a Ret, or `login`'s `window.code`. It is the
fault `ret` by another name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from webwx.protocol.codec import read_pairs, write_json
from webwx.protocol.hosts import is_this_machine
from webwx.protocol.http import Request, Response
from webwx.sandbox.fault_verbs import FAULT_VERBS, Nothing, Numbered
from webwx.sandbox.letters import MessageKind
from webwx.sandbox.membership import FEWEST
from webwx.sandbox.people import Chat, Message, Person
from webwx.sandbox.refusals import Impossible, Refused, code_of, explain
from webwx.sandbox.sending import SENDING_VERBS
from webwx.sandbox.state import save
from webwx.sandbox.view import recall_text
from webwx.sandbox.wire_log import Exchange, Opened
from webwx.sandbox.world import ME, World

if TYPE_CHECKING:
    from webwx.sandbox.faults import Faults

T = TypeVar("T")

PREFIX = "/control"

_LONGEST_WIND = 10 * 365 * 86400
"""Seconds: a clock beyond the year 9999 could date no answer."""


# -- what comes ------------------------------------------------------------------------------------------------------


class Who(msgspec.Struct, frozen=True):
    """Somebody."""

    who: str = ME


class Scan(msgspec.Struct, frozen=True):
    """Point a phone at a code."""

    who: str = ME
    uuid: str = ""


class Code(msgspec.Struct, frozen=True):
    """A scanned code."""

    uuid: str = ""


class Say(msgspec.Struct, frozen=True, kw_only=True):
    """Write a text."""

    sender: str = msgspec.field(name="from")
    to: str
    text: str


class SendPicture(msgspec.Struct, frozen=True, kw_only=True):
    """Send a picture."""

    sender: str = msgspec.field(name="from")
    to: str
    name: str = ""
    """For the reader's eyes; the platform keeps no names of pictures."""
    content: bytes


class Recall(msgspec.Struct, frozen=True, kw_only=True):
    """Take back a message."""

    sender: str = msgspec.field(name="from")
    to: str
    message_id: str = ""


class InChat(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody and a chat of theirs."""

    who: str = ME
    chat: str


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """Open an invitation."""

    who: str = ME
    chat: str
    by: str
    """The member who invited, who tells which chatroom is meant."""


class Create(msgspec.Struct, frozen=True, kw_only=True):
    """Open a chatroom."""

    who: str = ME
    name: str = ""
    """Empty: it is called by its members."""
    people: list[str]


class Members(InChat, frozen=True, kw_only=True):
    """People who come into a chatroom, or go."""

    people: list[str]


class Rename(InChat, frozen=True, kw_only=True):
    """Give a chatroom another name."""

    name: str


class Accept(msgspec.Struct, frozen=True, kw_only=True):
    """Accept a friend request."""

    who: str = ME
    asked_by: str


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody calls a friend."""

    who: str = ME
    friend: str
    remark: str = ""
    """Empty: none."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's blacklist."""

    who: str
    whom: str = ME


class Refuse(msgspec.Struct, frozen=True, kw_only=True):
    """Bad days for one call."""

    endpoint: str
    """Its name, such as `webwxsendmsg`."""
    ret: int
    times: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1


class Wind(msgspec.Struct, frozen=True, kw_only=True):
    """Move the clock forward."""

    seconds: float


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the log of the wire."""

    after: int = 0
    """The last change that is known."""
    endpoint: str = ""
    """Only this call; empty: all."""


# -- what goes -------------------------------------------------------------------------------------------------------


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who can log in."""

    nickname: str
    id: str


class Accounts(msgspec.Struct, frozen=True):
    """Everybody."""

    accounts: list[Account]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was sent or taken back."""

    message_id: str


class SentPicture(Sent, frozen=True, kw_only=True):
    """A picture that was sent."""

    md5: str


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """What was said on the wire."""

    last: int
    exchanges: list[Exchange]


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """A chatroom that was opened."""

    chat: str
    """Its world id."""


class Now(msgspec.Struct, frozen=True):
    """The world's time."""

    now: float


class InboxMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as a phone shows it; a recalled one is a grey line."""

    message_id: str
    sender: str = msgspec.field(name="from")
    is_self: bool
    kind: MessageKind
    text: str
    md5: str
    size: int
    time: float
    recalled: bool


class InboxChat(msgspec.Struct, frozen=True, kw_only=True):
    """A chat on a phone."""

    chat: str
    id: str
    unread: int
    messages: list[InboxMessage]


class Inbox(msgspec.Struct, frozen=True, kw_only=True):
    """What a phone shows."""

    nickname: str
    id: str
    chats: list[InboxChat]


class State(msgspec.Struct, frozen=True):
    """The whole world, for its owner alone."""

    state: bytes


# -- the verbs -------------------------------------------------------------------------------------------------------


def _accounts(world: World, _: Nothing) -> Accounts:
    """List who can log in; the first is `me`."""
    return Accounts([Account(nickname=person.nickname, id=person.id) for person in world.people.values()])


def _inbox(world: World, of: Who) -> Inbox:
    """Show somebody's phone."""
    person = world.person(of.who)
    return Inbox(
        nickname=person.nickname,
        id=person.id,
        chats=[_chat(world, person, key, chat) for key, chat in world.inbox(person.id).items()],
    )


def _scan(world: World, how: Scan) -> Nothing:
    world.scan(how.who, how.uuid)
    return Nothing()


def _confirm(world: World, which: Code) -> Nothing:
    world.confirm(which.uuid)
    return Nothing()


def _cancel(world: World, which: Code) -> Nothing:
    world.cancel(which.uuid)
    return Nothing()


def _expire(world: World, which: Code) -> Nothing:
    world.expire(which.uuid)
    return Nothing()


def _refuse(world: World, how: Refuse) -> Nothing:
    world.refuse_next(how.endpoint, how.ret, times=how.times)
    return Nothing()


def _say(world: World, what: Say) -> Sent:
    return Sent(message_id=world.say(what.sender, what.to, what.text).id)


def _picture(world: World, what: SendPicture) -> SentPicture:
    message = world.picture(what.sender, what.to, what.content)
    return SentPicture(message_id=message.id, md5=message.medium.md5 if message.medium else "")


def _recall(world: World, what: Recall) -> Sent:
    return Sent(message_id=world.recall(what.sender, what.to, what.message_id).id)


def _read(world: World, what: InChat) -> Nothing:
    world.read_chat(what.who, what.chat)
    return Nothing()


def _open(world: World, what: InChat) -> Nothing:
    world.open_chat(what.who, what.chat)
    return Nothing()


def _close(world: World, what: InChat) -> Nothing:
    world.close_chat(what.who, what.chat)
    return Nothing()


def _create(world: World, what: Create) -> Created:
    owner = world.person(what.who)
    people = [world.person(name) for name in what.people]
    if len(people) < FEWEST:
        raise Impossible(f"A chatroom is opened with {FEWEST} others at least.", "too-few")
    _check_addable(world, owner, people)
    return Created(chat=world.membership.open(owner, people, what.name).id)


def _invite(world: World, what: Members) -> Nothing:
    member = world.person(what.who)
    room, people = world.chatroom(member, what.chat), [world.person(name) for name in what.people]
    if world.membership.is_by_invitation(room):
        world.membership.invite(room, people, by=member)
    else:
        _check_addable(world, member, people)
        world.membership.admit(room, people, by=member)
    return Nothing()


def _check_addable(world: World, member: Person, people: list[Person]) -> None:
    for person in people:
        if not world.membership.can_add(member, person):
            raise Impossible(
                f"{member.nickname} cannot add {person.nickname}: they have to be each other's friends.",
                "no-mutual-friend",
            )


def _remove(world: World, what: Members) -> Nothing:
    member = world.person(what.who)
    room = world.chatroom(member, what.chat)
    if member is not room.owner:
        raise Impossible("Only the owner of a chatroom can put people out.", "no-owner")
    world.membership.remove(room, [world.person(name) for name in what.people], by=member)
    return Nothing()


def _join(world: World, what: Join) -> Nothing:
    member = world.person(what.by)
    world.membership.join(world.chatroom(member, what.chat), world.person(what.who), by=member)
    return Nothing()


def _leave(world: World, what: InChat) -> Nothing:
    member = world.person(what.who)
    world.membership.leave(world.chatroom(member, what.chat), member)
    return Nothing()


def _rename(world: World, what: Rename) -> Nothing:
    member = world.person(what.who)
    world.membership.rename(world.chatroom(member, what.chat), what.name, by=member)
    return Nothing()


def _accept(world: World, what: Accept) -> Nothing:
    if world.person(what.asked_by).id not in world.person(what.who).asked_by:
        raise Impossible(f"{what.asked_by} has not asked {what.who}.", "not-asked")
    world.accept_friend(what.who, what.asked_by)
    return Nothing()


def _remark(world: World, what: Remark) -> Nothing:
    person, friend = world.person(what.who), world.person(what.friend)
    if friend.id not in person.friends:
        raise Impossible(f"{friend.nickname} is no friend of {person.nickname}.", "no-friend")
    world.set_remark(person, friend.id, what.remark)
    return Nothing()


def _pin(world: World, what: InChat) -> Nothing:
    world.set_pinned(what.who, what.chat, is_pinned=True)
    return Nothing()


def _unpin(world: World, what: InChat) -> Nothing:
    world.set_pinned(what.who, what.chat, is_pinned=False)
    return Nothing()


def _block(world: World, how: Block) -> Nothing:
    world.set_blocked(how.who, how.whom, is_blocked=True)
    return Nothing()


def _unblock(world: World, how: Block) -> Nothing:
    world.set_blocked(how.who, how.whom, is_blocked=False)
    return Nothing()


def _wind(world: World, how: Wind) -> Now:
    if not 0 <= how.seconds <= _LONGEST_WIND:
        raise Impossible("The clock can only be wound forward, and by ten years at most.", "no-such-time")
    world.wind(how.seconds)
    return Now(world.now)


def _save(world: World, _: Nothing) -> State:
    return State(state=save(world))


def _log_out(world: World, of: Who) -> Nothing:
    world.log_out(of.who)
    return Nothing()


def _evict(world: World, of: Who) -> Nothing:
    world.evict(of.who)
    return Nothing()


def _offline(world: World, of: Who) -> Nothing:
    world.set_offline(of.who, is_offline=True)
    return Nothing()


def _online(world: World, of: Who) -> Nothing:
    world.set_offline(of.who, is_offline=False)
    return Nothing()


def _wire(world: World, behind: Behind) -> Wire:
    last = world.wire.changes  # read first: what changes meanwhile is told twice and not never
    return Wire(last=last, exchanges=world.wire.since(behind.after, behind.endpoint))


def _exchange(world: World, which: Numbered) -> Opened:
    return world.wire.open(which.number)


def _clear_wire(world: World, _: Nothing) -> Nothing:
    world.wire.clear()
    return Nothing()


def _on_faults(act: Callable[[Faults, Any], msgspec.Struct]) -> Callable[[World, Any], msgspec.Struct]:
    return lambda world, parameters: act(world.faults, parameters)


Verbs = Mapping[tuple[str, str], tuple[type[msgspec.Struct], Callable[[T, Any], msgspec.Struct]]]
"""By method and path: what comes, and what to do with it."""

_VERBS: Verbs[World] = {
    ("GET", "accounts"): (Nothing, _accounts),
    ("GET", "inbox"): (Who, _inbox),
    ("POST", "scan"): (Scan, _scan),
    ("POST", "confirm"): (Code, _confirm),
    ("POST", "cancel"): (Code, _cancel),
    ("POST", "expire"): (Code, _expire),
    ("POST", "refuse"): (Refuse, _refuse),
    ("POST", "say"): (Say, _say),
    ("POST", "picture"): (SendPicture, _picture),
    ("POST", "recall"): (Recall, _recall),
    ("POST", "read"): (InChat, _read),
    ("POST", "open"): (InChat, _open),
    ("POST", "close"): (InChat, _close),
    ("POST", "create"): (Create, _create),
    ("POST", "invite"): (Members, _invite),
    ("POST", "remove"): (Members, _remove),
    ("POST", "join"): (Join, _join),
    ("POST", "leave"): (InChat, _leave),
    ("POST", "rename"): (Rename, _rename),
    ("POST", "accept"): (Accept, _accept),
    ("POST", "remark"): (Remark, _remark),
    ("POST", "pin"): (InChat, _pin),
    ("POST", "unpin"): (InChat, _unpin),
    ("POST", "block"): (Block, _block),
    ("POST", "unblock"): (Block, _unblock),
    ("POST", "wind"): (Wind, _wind),
    ("POST", "save"): (Nothing, _save),
    ("POST", "log-out"): (Who, _log_out),
    ("POST", "evict"): (Who, _evict),
    ("POST", "offline"): (Who, _offline),
    ("POST", "online"): (Who, _online),
    ("GET", "wire"): (Behind, _wire),
    ("GET", "wire/exchange"): (Numbered, _exchange),
    ("POST", "wire/clear"): (Nothing, _clear_wire),
    **{("POST", name): verb for name, verb in SENDING_VERBS.items()},
    **{way: (kind, _on_faults(act)) for way, (kind, act) in FAULT_VERBS.items()},
}


# -- the door --------------------------------------------------------------------------------------------------------


def is_for(request: Request) -> bool:
    """Say whether a request is for this API."""
    return request.path == PREFIX or request.path.startswith(PREFIX + "/")


def answer(world: World, request: Request) -> Response:
    """Answer a request for this API."""
    return obey(_VERBS, world, request)


def obey(verbs: Verbs[T], on: T, request: Request) -> Response:
    """Do what a request wants done with something, or say in one sentence why not."""
    if not is_loopback(request.url):
        return _error(403, "The control API answers on loopback addresses only.")
    if not is_same_origin(request):
        return _error(403, "The control API answers no pages of other origins.")
    verb = verbs.get((request.method, request.path.removeprefix(PREFIX).strip("/")))
    if verb is None:
        return _error(404, f"There is no {request.method} {request.path} in the control API.")
    kind, act = verb
    try:
        parameters = (
            msgspec.convert(read_pairs(request.query), kind, strict=False)
            if request.method == "GET"
            else msgspec.json.decode(request.content or b"{}", type=kind)
        )
        return _json(200, act(on, parameters))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _error(400, f"The request cannot be read: {error}.")
    except (Impossible, Refused) as no:
        return _error(409, explain(no), code_of(no))


def is_loopback(url: str) -> bool:
    """
    Say whether an address is this machine's.

    A page elsewhere can make a browser call a loopback port, under its own name (`Host`) or from its own origin.
    """
    try:
        return is_this_machine(urlsplit(url).hostname or "")
    except ValueError:
        return False


def is_same_origin(request: Request) -> bool:
    """Say whether a request comes from no page at all, or from one of this very server: scheme, name and port."""
    there = urlsplit(request.url)
    return is_loopback(request.url) and request.header("Origin") in {"", f"{there.scheme}://{there.netloc}"}


def _json(status: int, value: object) -> Response:
    return Response(status=status, headers=(("Content-Type", "application/json"),), body=write_json(value))


def _error(status: int, sentence: str, code: str = "") -> Response:
    return _json(status, {"error": sentence} | ({"code": code} if code else {}))


# -- a phone's screen ------------------------------------------------------------------------------------------------


def _chat(world: World, viewer: Person, key: str, chat: Chat) -> InboxChat:
    return InboxChat(
        chat=_chat_name(world, key),
        id=key,
        unread=chat.unread,
        messages=[_message(viewer, message) for message in chat.messages],
    )


def _chat_name(world: World, key: str) -> str:
    if key in world.people:
        return world.people[key].nickname
    if key in world.chatrooms:
        return world.chatrooms[key].title
    return key


def _message(viewer: Person, message: Message) -> InboxMessage:
    medium = None if message.is_recalled else message.medium
    return InboxMessage(
        message_id=message.id,
        sender=message.sender.nickname,
        is_self=message.sender is viewer,
        kind="system" if message.is_recalled else message.kind,
        text=recall_text(message, viewer) if message.is_recalled else message.text,
        md5=medium.md5 if medium else "",
        size=len(medium.content) if medium else 0,
        time=message.time,
        recalled=message.is_recalled,
    )
