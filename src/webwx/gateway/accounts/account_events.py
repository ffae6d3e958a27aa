"""Events of accounts with the names to show, and pages of them."""

from __future__ import annotations

import msgspec

from webwx.model.messages import Event  # msgspec reads the fields' types


class AccountEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event with the names that a reader in another process needs to show it."""

    account: int
    """Number of the account."""
    event: Event
    chat_name: str = ""
    """Name of the chat to show; empty if the event belongs to no chat."""
    sender_name: str = ""
    """Name of the author to show; empty without an author."""
    cursor: str = ""
    """Position of a reader of several accounts after this event: opaque; empty for an event of a consumer."""
    attempt: int = 1
    """Number of the attempt of a consumer at this event."""


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events of several accounts."""

    events: list[AccountEvent]
    cursor: str
    """Position after the last event: opaque."""
    lost: bool = False
    """Whether events after the given cursor were deleted before they were read."""
