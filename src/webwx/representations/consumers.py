"""Consumers: the frames of their WebSocket, and their dead letters."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from webwx.representations.events import EventView


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="hello", forbid_unknown_fields=True):
    """The first message of a client: it selects the events to send, and the position to begin at."""

    after: str | None = None
    """Cursor to continue from; null: only new events."""
    consumer: str | None = None
    """Name of a consumer, whose position is stored; a consumer reads one account only."""
    accounts: list[str] | None = None
    """Numbers or names of the accounts; null: all."""
    types: list[str] = []
    """Types of events, or patterns of types; empty: all."""


class Ack(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="ack", forbid_unknown_fields=True):
    """A message of a client with a consumer, which acknowledges an event."""

    number: int
    confirm: bool = False
    """Whether to answer `acknowledged` once this and all earlier acknowledgements are stored."""


class EventFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="event"):
    """An event for a client."""

    event: EventView
    cursor: str
    """Cursor after this event; empty for a consumer."""


class OtherFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Any other message to a client."""

    op: Literal[
        "ready",
        "reset",
        "account.state",
        "webhook.disabled",
        "webhook.failing",
        "webhook.test",
        "acknowledged",
        "error",
    ]
    cursor: str | None = None
    data: object = None


class DeadLetterView(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a consumer has given up."""

    event: EventView
    attempts: int
    error: str
    """Type of the last error and where it was raised."""
    time: datetime


class DeadLetterPage(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters, the newest first."""

    dead_letters: list[DeadLetterView]
