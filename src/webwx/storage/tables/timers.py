"""The calls of handlers that an account's bots have scheduled."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from webwx.model.contacts import ContactId

TimerOutcome = Literal["done", "failed", "cancelled"]


class StoredTimer(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled call of a bot's handler."""

    number: int
    bot: str
    """Name of the bot."""
    handler: str
    """Name of the handler."""
    key: str
    """Idempotency key: a second timer with the same key is the same timer."""
    name: str = ""
    """Name for the bot's own use, by which timers are found and cancelled; several may have the same."""
    chat: ContactId = ContactId("")
    """Chat that the call is for, with its id when the timer was made; empty for none."""
    payload: bytes = b"null"
    """Data for the handler, as JSON."""
    due_at: float
    """Time of the next attempt at the call, in seconds since 1970."""
    state: Literal["waiting", TimerOutcome] = "waiting"
    failures: int = 0
    """Number of failed attempts at the call."""
    created_at: float
    changed_at: float

    @property
    def data(self) -> Any:
        """Data for the handler, decoded."""
        return msgspec.json.decode(self.payload)

    def __repr__(self) -> str:
        return f"StoredTimer({self.number}, {self.handler}, {self.state})"


class TimerQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions for timers to find: the timers that wait and meet all of them, the next one first."""

    bot: str
    """The bot's name."""
    number: int | None = None
    """The timer's number."""
    name: str | None = None
    """The timer's name."""
    due_until: float | None = None
    """Due at this time or before, in seconds since 1970."""
    limit: int = 100
    """Maximum number of timers."""

    def __repr__(self) -> str:
        return "TimerQuery(***)"
