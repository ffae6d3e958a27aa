"""Messages and sends as tools return them: short, with names and permanent numbers, and at most 40 kB together."""

from __future__ import annotations

import contextlib
import math
import mimetypes
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.errors import InvalidRequest, NotLoggedIn
from webwx.gateway.accounts.journal_lookup import named_events
from webwx.gateway.adapters.mcp.agent import time_text
from webwx.gateway.adapters.mcp.short_texts import first_part, short_name, short_text
from webwx.gateway.adapters.mcp.tool_values import (
    LinkInMessage,
    MediaOfMessage,
    MessageAuthor,
    NamedChat,
    ShownMessage,
)
from webwx.model.messages import (
    Event,
    FileMessage,
    ImageMessage,
    LinkMessage,
    LocationMessage,
    Message,
    MessageRecalled,
    QuoteMessage,
    StickerMessage,
    VideoMessage,
    VoiceMessage,
)
from webwx.model.summary import summarize, summarize_event
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webwx.client.client import AsyncClient
    from webwx.client.reading.recalled import Recalled
    from webwx.gateway.adapters.mcp.agent import Agent

S = TypeVar("S", bound=msgspec.Struct)

MOST_BYTES = 40_000
"""Maximum size of a structured result, in bytes of JSON."""

_FRAME = 5_000
"""Bytes that are left for what is around the items of a result, such as a cursor."""

SHORT_TEXT = 1_500
"""Maximum number of characters of a text in a list; its bytes are limited too (`short_texts`)."""

WHOLE_TEXT = 8_000
"""Maximum number of characters of a text that is returned alone."""

_RECALLS = 100
"""Number of recalls of a chat that are read at once."""

_URL = 1_200
"""Maximum number of characters of the address of a link."""

_ANY_TYPE = "application/octet-stream"

_TYPES: dict[type[Message], str] = {
    ImageMessage: "image/jpeg", VoiceMessage: "audio/mpeg", VideoMessage: "video/mp4", StickerMessage: "image/gif",
    LocationMessage: "image/jpeg", LinkMessage: "image/jpeg",
}  # fmt: skip
"""Media types that the platform delivers for most messages of a kind; of a link, that of its thumbnail."""

_MEDIA = (ImageMessage, VoiceMessage, VideoMessage, StickerMessage, FileMessage, LocationMessage)


class _ChatRecalls:
    """
    The recalls of one chat, which are read from the newest to that of the earliest message that is asked about.

    Args:
        client: Reads the journal.
        chat: Id of the chat.
    """

    def __init__(self, client: AsyncClient, chat: str) -> None:
        self._client = client
        self._chat = chat
        self._times: dict[str, int] = {}
        """Times of recalls by the ids of their messages."""
        self._before: int | None = None
        self._has_all = False
        self._read_to = math.inf
        """Time of the last recall that was read."""

    async def time_of(self, message: Message) -> int | None:
        """Return the time at which a message was recalled; None if it was not."""
        while not self._has_all and self._may_be_earlier(message):
            await self._read_more()
        return self._times.get(message.message_id)

    def _may_be_earlier(self, message: Message) -> bool:
        """Return whether an unread recall may be that of a message; one may have arrived late, or have a wrong time."""
        return self._before is None or self._before > message.number or self._read_to >= message.time

    async def _read_more(self) -> None:
        found: list[Recalled] = []
        with contextlib.suppress(InvalidRequest):  # no list of contacts has the chat
            found = await self._client.list_recalled(self._chat, limit=_RECALLS, before=self._before)
        for each in found:
            self._times.setdefault(each.notice.message_id, each.notice.time)
            self._before, self._read_to = each.notice.number, each.notice.time
        self._has_all = len(found) < _RECALLS


class MessageViews:
    """
    Makes the views of one call, so that each chat is looked up once.

    Args:
        agent: The agent.
        newest: All events behind the first one that is shown, if no other one can be the recall of a message; None: the
            recalls of each chat are read from the journal.
    """

    def __init__(self, agent: Agent, newest: Sequence[Event] | None = None) -> None:
        self._agent = agent
        self._chats: dict[str, NamedChat] = {}
        self._recalls: dict[str, _ChatRecalls] = {}
        self._newest_recalls = (
            None if newest is None
            else {(each.chat, each.message_id): each.time for each in newest if isinstance(each, MessageRecalled)}
        )  # fmt: skip

    async def of(
        self, entries: Sequence[Event | Outgoing], *, length: int = SHORT_TEXT, offset: int = 0
    ) -> list[ShownMessage]:
        """Return views of messages, recalls and sends; an entry of another kind is left out."""
        client = self._agent.client
        events = [each for each in entries if isinstance(each, Event)]
        names = {id(each.event): each.sender_name for each in await named_events(0, client, events)}
        views: list[ShownMessage] = []
        for entry in entries:
            match entry:
                case Message():
                    view = await self._of_message(entry, names[id(entry)])
                    recalled_at = await self._recalled_at(entry)
                    if recalled_at is not None:
                        view = msgspec.structs.replace(view, recalled_at=time_text(recalled_at))
                case MessageRecalled():
                    view = await self._of_recall(entry)
                case Outgoing():
                    view = await self._of_send(entry)
                case _:
                    continue
            views.append(_cut(view, length, offset))
        return views

    async def _chat(self, chat: str) -> NamedChat:
        if chat not in self._chats:
            self._chats[chat] = await self._agent.named(chat)
        return self._chats[chat]

    async def _of_message(self, message: Message, sender: str) -> ShownMessage:
        client = self._agent.client
        link = None
        if isinstance(message, LinkMessage):
            link = LinkInMessage(title=short_text(message.title), url=short_text(message.url, _URL))
        return ShownMessage(
            message_id=message.message_id,
            chat=await self._chat(message.chat),
            sender=await self._author(message, sender),
            is_self=message.is_self,
            by_webwx=message.is_self and await client.was_sent_here(message),
            time=time_text(message.time),
            kind=message.type.removeprefix("message."),
            text=text_of(message),
            quoted=short_text(message.quoted.text) if isinstance(message, QuoteMessage) else "",
            media=media_of(message),
            link=link,
        )

    async def _recalled_at(self, message: Message) -> int | None:
        """Return the time at which a message was recalled, which the journal has as an event of its own."""
        if self._newest_recalls is not None:
            return self._newest_recalls.get((message.chat, message.message_id))
        if message.chat not in self._recalls:
            self._recalls[message.chat] = _ChatRecalls(self._agent.client, message.chat)
        return await self._recalls[message.chat].time_of(message)

    async def _author(self, message: Message, name: str) -> MessageAuthor:
        if message.is_self:
            return MessageAuthor(name=own_name(self._agent.client))
        number = (await self._chat(message.sender)).number if message.sender else 0
        return MessageAuthor(number=number, name=short_name(name))

    async def _of_recall(self, recall: MessageRecalled) -> ShownMessage:
        original = recall.original
        if not isinstance(original, Message):
            chat = await self._chat(recall.chat)
            return ShownMessage(
                message_id=recall.message_id, chat=chat, sender=MessageAuthor(name=""), is_self=recall.is_self,
                by_webwx=False, time=time_text(recall.time), kind="recalled", text=recall.text,
                recalled_at=time_text(recall.time),
            )  # fmt: skip
        [named] = await named_events(0, self._agent.client, [original])
        view = await self._of_message(original, named.sender_name)
        return msgspec.structs.replace(view, recalled_at=time_text(recall.time))

    async def _of_send(self, row: Outgoing) -> ShownMessage:
        return ShownMessage(
            message_id="" if row.receipt is None else row.receipt.message_id,
            chat=await self._chat(row.chat),
            sender=MessageAuthor(name=own_name(self._agent.client)),
            is_self=True,
            by_webwx=True,
            time=time_text(row.created_at),
            kind=row.kind,
            text=row.text,
            send_state=row.state,
        )


def own_name(client: AsyncClient) -> str:
    """Return the name of the account itself."""
    try:
        return short_name(client.account.nickname)
    except NotLoggedIn:
        return "me"


def is_of(view: ShownMessage, author: str | int) -> bool:
    """Return whether a message was written by an author: a number, or a name; an empty name is everyone's."""
    number = view.sender.number
    return author in {"", view.sender.name, *((number, str(number)) if number else ())}


def text_of(message: Message) -> str:
    """Return what a message says: a text as it is, other content in words."""
    return message.text if isinstance(message, QuoteMessage) else summarize(message)


def words_of(event: Event) -> str:
    """Return what an event says, on one line."""
    return summarize_event(event)


def media_of(message: Message) -> MediaOfMessage | None:
    """Return the description of a message's media; None if it has none."""
    if not isinstance(message, _MEDIA):
        return None
    name = short_text(message.name) if isinstance(message, FileMessage) else ""
    return MediaOfMessage(
        kind=message.type.removeprefix("message."), name=name, bytes=max(0, int(getattr(message, "size", 0))),
        mime=media_type_of(message),
    )  # fmt: skip


def media_type_of(message: Message) -> str:
    """Return the media type that the media of a message have as far as the message itself says it."""
    if isinstance(message, FileMessage):
        return mimetypes.guess_type(message.name)[0] or _ANY_TYPE
    return next((each for kind, each in _TYPES.items() if isinstance(message, kind)), _ANY_TYPE)


def _cut(view: ShownMessage, length: int, offset: int) -> ShownMessage:
    rest = view.text[offset:]
    part = first_part(rest, length)
    if part == view.text:
        return view
    return msgspec.structs.replace(view, text=part, text_left=len(rest) - len(part))


def fitting(items: Sequence[S], room: int = MOST_BYTES - _FRAME) -> int:
    """
    Return how many of the first items fit into a result.

    At least one does: the texts of each were made short, so that none fills a result alone.
    """
    used = 0
    for count, item in enumerate(items):
        used += len(msgspec.json.encode(item)) + 1
        if used > room:
            return max(1, count)
    return len(items)
