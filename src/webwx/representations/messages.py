"""Messages of the journal: history, search and recalls."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from webwx.representations.contacts import Who
from webwx.representations.events import EventView
from webwx.representations.route import ACCOUNT, ApiRoute, Before, Chat, Limit, NoQuery, RouteQuery, Since, Until
from webwx.representations.sends import OutboxEntry, SendView


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An event, or a send that the journal does not have as an event."""

    event: EventView | None = None
    send: OutboxEntry | None = None
    before: str
    """Value of `before` for the entries that are older than this one."""


class HistoryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Messages, the newest first."""

    entries: list[HistoryEntry]
    before: str | None
    """Value of `before` for the next page; null on the last page."""


class MessageOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message of the account was written."""

    sent_here: bool
    """Whether the gateway has sent it; false for a message from the phone, and for one of another person."""


class RecalledEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A recall, and the way to forward its message."""

    event: EventView
    way: Literal["by_content", "by_upload", "none"]
    """`none`: the message cannot be forwarded any more."""


class RecalledPage(msgspec.Struct, frozen=True, kw_only=True):
    """Recalls, the newest first."""

    recalled: list[RecalledEntry]
    before: int | None
    """Parameter `before` of the next page; None after the last page."""


class Forwarding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The recipient to whom a message is forwarded."""

    to: Who


# -- routes ------------------------------------------------------------------------------------------------------------


class MessagesQuery(RouteQuery, frozen=True, kw_only=True):
    """Which messages are read."""

    chat: Chat = None
    q: Annotated[str | None, msgspec.Meta(description="Words that must all be in the message")] = None
    before: Annotated[
        str | None, msgspec.Meta(description="`before` of the previous page, or of one of its entries")
    ] = None
    since: Since = 0
    until: Until = 0
    limit: Limit = 50


class RecalledQuery(RouteQuery, frozen=True, kw_only=True):
    """Which recalls are listed."""

    chat: Chat = None
    before: Before = None
    limit: Limit = 50


READ_MESSAGES: ApiRoute[MessagesQuery, None, HistoryPage] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/messages", scope="read", summary="Read messages", query=MessagesQuery,
    reply=HistoryPage, problems=(404, 422, 424, 503),
)  # fmt: skip

LIST_RECALLED: ApiRoute[RecalledQuery, None, RecalledPage] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/recalled", scope="read", summary="List recalls", query=RecalledQuery,
    reply=RecalledPage, problems=(404, 422, 424, 503),
)  # fmt: skip

SHOW_MESSAGE: ApiRoute[NoQuery, None, EventView] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/messages/{{event:int}}", scope="read", summary="Show an event", reply=EventView,
    problems=(404, 424, 503),
)  # fmt: skip

FIND_MESSAGE: ApiRoute[NoQuery, None, EventView] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/messages/by-id/{{message_id}}", scope="read", summary="Find a message",
    reply=EventView, problems=(404, 424, 503),
)  # fmt: skip

SHOW_ORIGIN: ApiRoute[NoQuery, None, MessageOrigin] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/messages/{{event:int}}/origin", scope="read",
    summary="Show where a message was written", reply=MessageOrigin, problems=(404, 422, 424, 503),
)  # fmt: skip

FORWARD_MESSAGE: ApiRoute[NoQuery, Forwarding, SendView] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/messages/{{event:int}}/forward", scope="send", summary="Forward a message",
    body=Forwarding, reply=SendView, problems=(404, 409, 422, 424, 502, 503, 504), created=True,
)  # fmt: skip

RECALL_MESSAGE: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/messages/{{event:int}}/recall", scope="manage", summary="Recall a message",
    reply=type(None), problems=(404, 409, 422, 424, 502, 503, 504),
)  # fmt: skip

DOWNLOAD_MEDIA: ApiRoute[NoQuery, None, bytes] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/messages/{{event:int}}/media", scope="read:media", summary="Download media",
    reply=bytes, problems=(404, 416, 424, 502, 503, 504), is_signable=True,
)  # fmt: skip

SHOW_THUMBNAIL: ApiRoute[NoQuery, None, bytes] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/messages/{{event:int}}/thumbnail", scope="read:media", summary="Show a thumbnail",
    reply=bytes, problems=(404, 424, 502, 503, 504),
)  # fmt: skip
