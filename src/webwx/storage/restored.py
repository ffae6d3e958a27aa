"""
The contract of a restore: what is done to a shared database that was restored to an earlier moment.

Such a database does not know what happened after that moment: numbers that were assigned, messages that were sent,
events that were handled. So numbers go on beyond all that may have been assigned; a send that was not finished has an
unknown outcome; and an event that is older than the reset is not handled before a person has decided about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class UnknownSend(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="unknown_send"):
    """A send that was `queued` or `sending` at the moment of the restore, and is `unknown` now."""

    account: str
    """Name of the account's last login; empty for none."""
    number: int
    """The send's number in the outbox of its account."""
    kind: str
    """Kind of content: `text`, `image`, `file`, ..."""
    key: str
    """Idempotency key of the caller; empty for none."""
    created_at: float
    """Time at which the send was stored, in seconds since 1970."""

    def __repr__(self) -> str:
        return f"UnknownSend({self.number}, {self.kind})"


class RestoredReset(msgspec.Struct, frozen=True, kw_only=True):
    """What a reset after a restore has changed."""

    accounts: int
    """Number of accounts."""
    sends: tuple[UnknownSend, ...]
    """The sends that are `unknown` now, in the order of their accounts and numbers."""

    def __repr__(self) -> str:
        return f"RestoredReset({self.accounts} accounts, {len(self.sends)} sends)"


class HeldWork(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="held"):
    """What is held for one consumer of an account."""

    account: str
    """Name of the account's last login; empty for none."""
    consumer: str
    """Name of the consumer; for timers, of their bot."""
    events: int
    """Number of events."""
    timers: int
    """Number of calls that a bot has scheduled once, and that were due before the reset."""

    def __repr__(self) -> str:
        return f"HeldWork({self.consumer!r}, {self.events} events, {self.timers} timers)"


class RestoredStorage(Protocol):
    """
    A shared database after its restore, open in `async with`; no call has a time limit.

    The filters of `release` and `drop`: name of an account, with or without the place of its login, and name of a
    consumer; empty for all. Every method raises `StorageError` if the database cannot be used.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def reset(self) -> RestoredReset:
        """
        Continue after the restore, in one transaction, while no process uses the database.

        All workers are removed. Epochs and numbers skip those that may have been assigned after the moment of the
        restore. Unfinished sends become `unknown`. Events that no consumer has acknowledged, and timers that are due,
        are held; so are events that arrive later, but whose message is from before the return of this call. The media
        archive holds nothing.
        """
        ...

    async def held(self) -> list[HeldWork]:
        """Return what is held, for each consumer."""
        ...

    async def release(self, account: str = "", consumer: str = "") -> HeldWork:
        """
        Deliver held events and call held timers, and return how many; running processes notice within a minute.

        Without a consumer, holding ends for the accounts: events that arrive later are delivered, however old.
        """
        ...

    async def drop(self, account: str = "", consumer: str = "") -> HeldWork:
        """Forget held events and timers, which are never delivered then, and return how many. Messages stay stored."""
        ...
