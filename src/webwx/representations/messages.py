"""Messages of the journal: history, search and recalls."""

from __future__ import annotations

import msgspec

from webwx.representations.contacts import Who
from webwx.representations.events import EventView
from webwx.representations.sends import OutboxEntry


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
    way: str
    """`by_content`, `by_upload`, or `none`: the message cannot be forwarded any more."""


class RecalledPage(msgspec.Struct, frozen=True, kw_only=True):
    """Recalls, the newest first."""

    recalled: list[RecalledEntry]
    before: int | None
    """Parameter `before` of the next page; None after the last page."""


class Forwarding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The recipient to whom a message is forwarded."""

    to: Who
