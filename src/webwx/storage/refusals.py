"""Why an engine does nothing: another process owns the account, a value cannot be stored, the database is away."""

from __future__ import annotations

import msgspec

from webwx.errors import StorageError


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """
    The right of a process to change an account of a journal that several machines share.

    A takeover by another process raises the epoch of the account. A change with an earlier epoch is refused, also from
    a process that does not know of the takeover yet.
    """

    account: int
    """The account's number at the platform (`uin`)."""
    epoch: int
    """Number of takeovers of the account, that of this process included."""

    def __repr__(self) -> str:
        return f"Fence(epoch {self.epoch})"


class NotOwner(StorageError):
    """Another process owns the account now, so nothing was stored."""


class ChangeRefused(StorageError):
    """A value of the change cannot be stored, so nothing was stored; other changes may succeed."""


class DatabaseUnreachable(StorageError):
    """The database does not answer, or accepts no sessions now; the same call may succeed later."""
