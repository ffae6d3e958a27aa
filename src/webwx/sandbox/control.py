"""
The control API: the actions of the phones, over HTTP.

JSON in and out, on the server's own origin, loopback only. An error is a 4xx with `{"error": one sentence}`, and with a
`code` if the phone's page shows the sentence in another language.

    GET  /control/accounts                                     {"accounts": [{"nickname", "id"}]}
    GET  /control/limits                                       {"upload_bytes"}
    GET  /control/inbox?who=                                   {"nickname", "id", "chats": [chat]}
    POST /control/save                                         {"state"}
    GET  /control/wire?after=&endpoint=                        {"last", "exchanges": [exchange]}
    GET  /control/wire/exchange?number=                        exchange, with headers and bodies
    POST /control/wire/clear                                   {}

The calls of the phone actions are in `action_table`, and those of the faults in `fault_routes`.

A chat is `{"chat", "id", "unread", "messages"}`, a message `{"message_id", "from", "is_self", "kind", "text", "md5",
"size", "time", "recalled"}`. People are named by nickname, world id or `me`; a chat also by a chatroom's name or
`filehelper`. `content` is base64; a large file is sent as it is, as `application/octet-stream`, with the other fields
in the query. An empty `uuid` is the newest code, an empty `message_id` the last message. `state` is the whole world in
base64, with the keys of every login. A request with an `Idempotency-Key` that was carried out gets the same answer when
it is repeated, and is not carried out again. An exchange has the fields of `traffic.Exchange`; with `after`, the answer
has the changes after a number, such as the `last` of an earlier answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from webwx.protocol.codec import read_pairs, write_json
from webwx.protocol.codes import MAX_FILE
from webwx.protocol.hosts import host_name, is_this_machine
from webwx.protocol.http import Request, Response
from webwx.sandbox.action_table import ACTIONS
from webwx.sandbox.errors import Impossible, Refused, code_of, explain
from webwx.sandbox.fault_routes import FAULT_ROUTES, NoParameters, Numbered
from webwx.sandbox.people import MessageKind, WorldChat, WorldMessage, WorldPerson
from webwx.sandbox.state import save
from webwx.sandbox.traffic import Exchange, ExchangeDetails
from webwx.sandbox.view import recall_text
from webwx.sandbox.world import ME, World

if TYPE_CHECKING:
    from webwx.sandbox.faults import FaultInjector

T = TypeVar("T")

PREFIX = "/control"

UPLOAD_TYPE = "application/octet-stream"
"""Content-Type of a file's content."""

MAX_UPLOAD = MAX_FILE
"""Maximum size in bytes of a file that a phone sends."""

_DONE = 200

_MOST_KEYS = 1000
"""Number of the newest idempotency keys whose answers are kept."""


# -- what comes ------------------------------------------------------------------------------------------------------


class PersonParameter(msgspec.Struct, frozen=True):
    """A person."""

    who: str = ME


class TrafficQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A position in the recorded traffic."""

    after: int = 0
    """Number of the last change that the caller knows."""
    endpoint: str = ""
    """Only this call; empty: all."""


# -- what goes -------------------------------------------------------------------------------------------------------


class AccountSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A person who can log in."""

    nickname: str
    id: str


class AccountList(msgspec.Struct, frozen=True):
    """All people."""

    accounts: list[AccountSummary]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a phone sends at most."""

    upload_bytes: int
    """Bytes of a file."""


class TrafficReport(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded exchanges."""

    last: int
    exchanges: list[Exchange]


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
    """The whole world; it contains secrets."""

    state: bytes


# -- the verbs -------------------------------------------------------------------------------------------------------


def _accounts(world: World, _: NoParameters) -> AccountList:
    """List the people who can log in; the first is `me`."""
    people = (person for person in world.people.values() if not person.is_public)
    return AccountList([AccountSummary(nickname=person.nickname, id=person.id) for person in people])


def _limits(_world: World, _: NoParameters) -> Limits:
    return Limits(upload_bytes=MAX_UPLOAD)


def _inbox(world: World, of: PersonParameter) -> Inbox:
    """Show a person's phone."""
    person = world.person(of.who)
    return Inbox(
        nickname=person.nickname,
        id=person.id,
        chats=[_chat(world, person, key, chat) for key, chat in world.inbox(person.id).items()],
    )


def _save(world: World, _: NoParameters) -> State:
    return State(state=save(world))


def _wire(world: World, behind: TrafficQuery) -> TrafficReport:
    last = world.traffic.changes  # read first: a change meanwhile is then reported twice rather than lost
    return TrafficReport(last=last, exchanges=world.traffic.since(behind.after, behind.endpoint))


def _exchange(world: World, which: Numbered) -> ExchangeDetails:
    return world.traffic.open(which.number)


def _clear_wire(world: World, _: NoParameters) -> NoParameters:
    world.traffic.clear()
    return NoParameters()


def _on_faults(act: Callable[[FaultInjector, Any], msgspec.Struct]) -> Callable[[World, Any], msgspec.Struct]:
    return lambda world, parameters: act(world.faults, parameters)


Verbs = Mapping[tuple[str, str], tuple[type[msgspec.Struct], Callable[[T, Any], object]]]
"""Handlers by method and path, each with the type of its input."""

_VERBS: Verbs[World] = {
    ("GET", "accounts"): (NoParameters, _accounts),
    ("GET", "limits"): (NoParameters, _limits),
    ("GET", "inbox"): (PersonParameter, _inbox),
    ("POST", "save"): (NoParameters, _save),
    ("GET", "wire"): (TrafficQuery, _wire),
    ("GET", "wire/exchange"): (Numbered, _exchange),
    ("POST", "wire/clear"): (NoParameters, _clear_wire),
    **{("POST", name): (action.request, action.run) for name, action in ACTIONS.items()},
    **{way: (kind, _on_faults(act)) for way, (kind, act) in FAULT_ROUTES.items()},
}


# -- requests ----------------------------------------------------------------------------------------------------------


def is_for(request: Request) -> bool:
    """Return whether a request is for this API."""
    return request.path == PREFIX or request.path.startswith(PREFIX + "/")


def answer(world: World, request: Request) -> Response:
    """Answer a request for this API; one that repeats the key of an earlier one gets the earlier answer."""
    key = request.header("Idempotency-Key")
    if key in world.keyed_answers and is_same_origin(request):
        return world.keyed_answers[key]
    response = execute(_VERBS, world, request)
    if key and response.status == _DONE:
        world.keyed_answers[key] = response
        for oldest in tuple(world.keyed_answers)[:-_MOST_KEYS]:
            del world.keyed_answers[oldest]
    return response


def execute(verbs: Verbs[T], on: T, request: Request) -> Response:
    """Execute a request of this API; a failure becomes an answer with one sentence."""
    if not is_loopback(request.url):
        return _error(403, "The control API answers on loopback addresses only.")
    if not is_same_origin(request):
        return _error(403, "The control API answers no pages of other origins.")
    verb = verbs.get((request.method, request.path.removeprefix(PREFIX).strip("/")))
    if verb is None:
        return _error(404, f"There is no {request.method} {request.path} in the control API.")
    kind, act = verb
    try:
        return _json(200, act(on, _parameters(request, kind)))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _error(400, f"The request cannot be read: {error}.")
    except (Impossible, Refused) as no:
        return _error(409, explain(no), code_of(no))


def _parameters(request: Request, kind: type[msgspec.Struct]) -> msgspec.Struct:
    if request.method == "GET":
        return msgspec.convert(read_pairs(request.query), kind, strict=False)
    if is_upload(request):
        return msgspec.convert({**read_pairs(request.query), "content": request.content}, kind, strict=False)
    return msgspec.json.decode(request.content or b"{}", type=kind)


def is_upload(request: Request) -> bool:
    """Return whether a request's body is the content of a file, with its fields in the query."""
    return is_for(request) and request.method == "POST" and request.header("Content-Type") == UPLOAD_TYPE


def too_large(limit: int) -> Response:
    """Return the answer to a request of this API with too large a body."""
    return _error(413, f"That is more than the {limit:,} bytes that this sandbox takes at once.")


def is_loopback(url: str) -> bool:
    """
    Return whether an address is this machine's.

    A web page elsewhere can make a browser call a loopback port, with the page's own host name or from its own origin.
    """
    try:
        return is_this_machine(host_name(urlsplit(url).netloc))
    except ValueError:
        return False


def is_same_origin(request: Request) -> bool:
    """Return whether a request comes from no page, or from a page of this server (same scheme, name and port)."""
    there = urlsplit(request.url)
    return is_loopback(request.url) and request.header("Origin") in {"", f"{there.scheme}://{there.netloc}"}


def _json(status: int, value: object) -> Response:
    return Response(status=status, headers=(("Content-Type", "application/json"),), body=write_json(value))


def _error(status: int, sentence: str, code: str = "") -> Response:
    return _json(status, {"error": sentence} | ({"code": code} if code else {}))


# -- a phone's screen ------------------------------------------------------------------------------------------------


def _chat(world: World, viewer: WorldPerson, key: str, chat: WorldChat) -> InboxChat:
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


def _message(viewer: WorldPerson, message: WorldMessage) -> InboxMessage:
    media_file = None if message.is_recalled else message.media_file
    return InboxMessage(
        message_id=message.id,
        sender=message.sender.nickname,
        is_self=message.sender is viewer,
        kind="system" if message.is_recalled else message.kind,
        text=recall_text(message, viewer) if message.is_recalled else message.text,
        md5=media_file.md5 if media_file else "",
        size=len(media_file.content) if media_file else 0,
        time=message.time,
        recalled=message.is_recalled,
    )
