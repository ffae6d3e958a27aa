"""
Failures of an account, which are not failures of its handlers.

While the network, the platform or the database of an account fails, every handler that sends fails too. Such a failure
counts no attempt: the account waits until it is well again. A failure counts if the account is well: if the journal can
be written, or if polls succeed meanwhile.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from webwx.client.state import LoginState
from webwx.errors import (
    ApiError,
    InvalidRequest,
    LoggedOut,
    NotLoggedIn,
    ProtocolError,
    RateLimitReached,
    SendOutcomeUnknown,
    StorageError,
    TransportError,
)
from webwx.storage.refusals import ChangeRefused

if TYPE_CHECKING:
    from collections.abc import Hashable

    from webwx.client.client import AsyncClient
    from webwx.client.reading.subscription import Subscription

WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds after which an account that waits is tried again, after each failure in a row."""

AGAIN = 5.0
"""Seconds after which the call of a timer or a time-out is tried again, after a failure of the account."""

_REMEMBERED = 10_000
"""Number of failing events and timers that are remembered."""


class FailureMeaning(enum.Enum):
    """What a failure means."""

    COUNTS = enum.auto()
    """It is a failure of the handler."""
    IS_REPEATED = enum.auto()
    """It may have been a short failure of the account, which is well again: the attempt is made again."""
    WAITS = enum.auto()
    """It is a failure of the account, which has to wait."""


class AccountHealth:
    """
    Distinguishes failures of an account from those of its handlers.

    Args:
        client: The account's client.
        subscription: A consumer of the account.
    """

    def __init__(self, client: AsyncClient, subscription: Subscription) -> None:
        self._client = client
        self._subscription = subscription
        self.suspected: dict[Hashable, float | None] = {}
        """Events and timers with a failure that may be the account's, and the last sync before it."""

    def __repr__(self) -> str:
        return f"AccountHealth({len(self.suspected)} suspected)"

    async def judge(self, what: Hashable, error: BaseException) -> FailureMeaning:
        """
        Return what a failure means.

        Args:
            what: The event or timer, for which `forget` is called when it is done.
            error: What the handler has raised.
        """
        if not self._may_be_of_account(error):
            return FailureMeaning.COUNTS
        is_first, last_sync = what not in self.suspected, self.suspected.get(what)
        if is_first and len(self.suspected) >= _REMEMBERED:
            del self.suspected[next(iter(self.suspected))]
        self.suspected[what] = self._client.last_sync_at
        if not await self._is_well(error, last_sync):
            return FailureMeaning.WAITS
        return FailureMeaning.IS_REPEATED if is_first else FailureMeaning.COUNTS

    async def counts(self, what: Hashable, error: BaseException) -> bool:
        """Return whether a failure is one of the handler; for the arguments see `judge`."""
        return await self.judge(what, error) is FailureMeaning.COUNTS

    def forget(self, what: Hashable) -> None:
        """Forget the failures of an event or timer that is done."""
        self.suspected.pop(what, None)

    @property
    def is_online(self) -> bool:
        """Whether nothing is known that keeps the account from sending."""
        return self._client.state is LoginState.ONLINE or not self._subscription.is_synced_here

    async def can_store(self) -> bool:
        """Return whether the journal can be written now."""
        try:
            await self._subscription.check_storage()
        except (StorageError, TransportError):
            return False
        return True

    def _may_be_of_account(self, error: BaseException) -> bool:
        """Return whether a failure of the account may have caused an error."""
        match error:
            case BaseExceptionGroup():
                return all(self._may_be_of_account(each) for each in error.exceptions)
            case ChangeRefused() | SendOutcomeUnknown() | InvalidRequest() | RateLimitReached():
                return False
            case StorageError() | TransportError() | NotLoggedIn() | LoggedOut():
                return True
            case ApiError() | ProtocolError():
                return not self.is_online
            case _:
                return False

    async def _is_well(self, error: BaseException, last_sync: float | None) -> bool:
        """
        Return whether the account is well although a handler has failed.

        Args:
            error: The error of the handler.
            last_sync: Time of the last sync before the previous failure of the same event; None for the first one.
        """
        if not self.is_online:
            return False
        if isinstance(error, StorageError) or not self._subscription.is_synced_here:
            return await self.can_store()
        synced_at = self._client.last_sync_at
        return last_sync is None or (synced_at is not None and synced_at > last_sync)
