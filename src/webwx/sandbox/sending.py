"""
The control API's verbs that send: every kind of message a phone can send, one struct and one function each.

All take `from` and `to` and give `{"message_id", "md5"}`; `content` is base64, other fields are named below.

    POST /control/file           name, content            POST /control/link           title, url, description
    POST /control/video          seconds, content, short  POST /control/music          title, artist, url, sound_url
    POST /control/voice          seconds, content         POST /control/mini-program   title, program, page
    POST /control/sticker        content, game, result    POST /control/quote          message_id, text
    POST /control/store-sticker                           POST /control/history        title, lines
    POST /control/location       latitude, longitude,     POST /control/live-location
                                 label, name              POST /control/transfer       description
    POST /control/card           person                   POST /control/red-packet     wish
    POST /control/call           type                     POST /control/notice         text, xml
    POST /control/ask            greeting                 POST /control/raw            type, app_type, content

In `notice` nobody sends: `from` is whose phone shows the line, `to` the chat it stands in. `ask` needs no friend. `raw`
sends any MsgType with any text as its content. `game` is `rock-paper-scissors` or `dice`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from webwx.protocol.codes import MessageType
from webwx.sandbox import letters

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.sandbox.people import Message
    from webwx.sandbox.world import World


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """From a phone to a chat."""

    sender: str = msgspec.field(name="from")
    to: str


class SendFile(Sending, frozen=True, kw_only=True):
    """A file."""

    name: str
    content: bytes


class SendVideo(Sending, frozen=True, kw_only=True):
    """A video."""

    content: bytes
    seconds: int = 1
    short: bool = False


class SendVoice(Sending, frozen=True, kw_only=True):
    """Something spoken."""

    content: bytes
    seconds: float = 1.0


class SendSticker(Sending, frozen=True, kw_only=True):
    """A sticker, perhaps one that played."""

    content: bytes
    game: Literal["", "rock-paper-scissors", "dice"] = ""
    result: int = 1
    """Of the game, when there is one."""


class SendLocation(Sending, frozen=True, kw_only=True):
    """A place."""

    latitude: float
    longitude: float
    label: str
    name: str = "[位置]"


class SendCard(Sending, frozen=True, kw_only=True):
    """Somebody's card."""

    person: str


class Ask(Sending, frozen=True, kw_only=True):
    """A friend request."""

    greeting: str = ""


class Call(Sending, frozen=True, kw_only=True):
    """A call."""

    type: Literal["call", "invite", "end"] = "call"


class SendLink(Sending, frozen=True, kw_only=True):
    """A link."""

    title: str
    url: str
    description: str = ""


class SendMusic(Sending, frozen=True, kw_only=True):
    """A piece of music."""

    title: str
    artist: str = ""
    url: str
    sound_url: str = ""


class SendMiniProgram(Sending, frozen=True, kw_only=True):
    """A mini program's card."""

    title: str
    program: str = ""
    page: str = ""


class Quote(Sending, frozen=True, kw_only=True):
    """A reply."""

    message_id: str
    text: str


class SendHistory(Sending, frozen=True, kw_only=True):
    """Several messages as one."""

    title: str
    lines: tuple[str, ...] = ()


class Transfer(Sending, frozen=True, kw_only=True):
    """Money."""

    description: str = ""


class SendRedPacket(Sending, frozen=True, kw_only=True):
    """A red packet."""

    wish: str = "恭喜发财，大吉大利"


class Notice(Sending, frozen=True, kw_only=True):
    """A line of the platform."""

    text: str
    xml: str = ""


class SendRaw(Sending, frozen=True, kw_only=True):
    """Anything."""

    type: int
    app_type: int = 0
    content: str = ""


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was sent."""

    message_id: str
    md5: str = ""
    """Of its picture, file, video, voice or sticker."""


# -- one function for each -------------------------------------------------------------------------------------------


def _file(world: World, what: SendFile) -> Message:
    return world.file(what.sender, what.to, what.content, what.name)


def _video(world: World, what: SendVideo) -> Message:
    return world.video(what.sender, what.to, what.content, seconds=what.seconds, is_short=what.short)


def _voice(world: World, what: SendVoice) -> Message:
    return world.voice(what.sender, what.to, what.content, milliseconds=int(what.seconds * 1000))


_GAMES = {"rock-paper-scissors": 1, "dice": 2}


def _sticker(world: World, what: SendSticker) -> Message:
    played = {"game": _GAMES[what.game], "result": what.result} if what.game else {}
    letter = letters.sticker(world.person(what.sender), world.media.add(what.content), **played)
    return world.send(what.sender, what.to, letter)


def _store_sticker(world: World, what: Sending) -> Message:
    return world.send(what.sender, what.to, letters.store_sticker())


def _location(world: World, what: SendLocation) -> Message:
    return world.send(what.sender, what.to, letters.location(what.latitude, what.longitude, what.label, what.name))


def _card(world: World, what: SendCard) -> Message:
    return world.send(what.sender, what.to, letters.card(world.person(what.person)))


def _ask(world: World, what: Ask) -> Message:
    return world.ask_friend(what.sender, what.to, what.greeting)


_CALLS = {"call": MessageType.CALL, "invite": MessageType.CALL_INVITE, "end": MessageType.CALL_ENDED}


def _call(world: World, what: Call) -> Message:
    return world.send(what.sender, what.to, letters.call(_CALLS[what.type]))


def _link(world: World, what: SendLink) -> Message:
    letter = letters.link(world.person(what.sender), what.title, what.url, what.description)
    return world.send(what.sender, what.to, letter)


def _music(world: World, what: SendMusic) -> Message:
    letter = letters.music(world.person(what.sender), what.title, what.artist, what.url, what.sound_url)
    return world.send(what.sender, what.to, letter)


def _mini_program(world: World, what: SendMiniProgram) -> Message:
    letter = letters.mini_program(world.person(what.sender), what.title, what.program, what.page)
    return world.send(what.sender, what.to, letter)


def _quote(world: World, what: Quote) -> Message:
    person = world.person(what.sender)
    chat = world.real_id(world.chat_id(person, what.to))
    letter = letters.quote(person, world.post.message(what.message_id, person), chat, what.text)
    return world.send(what.sender, what.to, letter)


def _history(world: World, what: SendHistory) -> Message:
    return world.send(what.sender, what.to, letters.history(world.person(what.sender), what.title, what.lines))


def _live_location(world: World, what: Sending) -> Message:
    return world.send(what.sender, what.to, letters.live_location(world.person(what.sender)))


def _transfer(world: World, what: Transfer) -> Message:
    return world.send(what.sender, what.to, letters.transfer(world.person(what.sender), what.description))


def _red_packet(world: World, what: SendRedPacket) -> Message:
    return world.send(what.sender, what.to, letters.red_packet(world.person(what.sender), what.wish))


def _notice(world: World, what: Notice) -> Message:
    letter = letters.system_xml(what.xml, what.text) if what.xml else letters.system(what.text)
    return world.notify(what.sender, what.to, letter)


def _raw(world: World, what: SendRaw) -> Message:
    return world.send(what.sender, what.to, letters.raw(what.type, what.app_type, what.content))


_SENDING: dict[str, tuple[type[Sending], Callable[[World, Any], Message]]] = {
    "file": (SendFile, _file),
    "video": (SendVideo, _video),
    "voice": (SendVoice, _voice),
    "sticker": (SendSticker, _sticker),
    "store-sticker": (Sending, _store_sticker),
    "location": (SendLocation, _location),
    "live-location": (Sending, _live_location),
    "card": (SendCard, _card),
    "ask": (Ask, _ask),
    "call": (Call, _call),
    "link": (SendLink, _link),
    "music": (SendMusic, _music),
    "mini-program": (SendMiniProgram, _mini_program),
    "quote": (Quote, _quote),
    "history": (SendHistory, _history),
    "transfer": (Transfer, _transfer),
    "red-packet": (SendRedPacket, _red_packet),
    "notice": (Notice, _notice),
    "raw": (SendRaw, _raw),
}


def _answering(send: Callable[[World, Any], Message]) -> Callable[[World, Any], msgspec.Struct]:
    def act(world: World, what: Sending) -> SentMessage:
        message = send(world, what)
        return SentMessage(message_id=message.id, md5=message.medium.md5 if message.medium else "")

    return act


SENDING_VERBS = {name: (kind, _answering(send)) for name, (kind, send) in _SENDING.items()}
"""By the name in the path: what comes, and what to do with it."""
