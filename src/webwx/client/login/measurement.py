"""Measurements of one account for a monitor, read on request: nothing is counted while the account works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.client.state import LoginState
from webwx.errors import NoJournal, NotLoggedIn, StorageError
from webwx.storage.tables.outbox import State

if TYPE_CHECKING:
    from webwx.client.login.session import ClientSession
    from webwx.client.people.identity_updates import IdentityUpdates
    from webwx.client.sending.rate_limiter import Limiter
    from webwx.client.sync.sync_loop import SyncLoop


class AccountMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an account at one moment, in numbers."""

    state: LoginState
    sync_age: float | None
    """Seconds since the last successful poll or fetch; None before the first one."""
    last_poll: float
    """Seconds that the server held the last poll; 0 before the first one."""
    rate_limit_wait: float
    """Seconds until the rate limit allows the next message; 0 means now, or that there is no limit."""
    waiting_calls: int
    """Number of calls that wait, because as many as allowed are in flight: of sends, uploads, downloads and others."""
    sends: dict[State, int]
    """Number of stored sends in each state; empty without a journal."""
    is_journal_readable: bool
    """Whether the journal could be read; if not, `sends` is empty and `rate_limit_wait` is 0."""


class Measurements:
    """
    Measures one account.

    Args:
        session: The account's session.
        sync: The account's sync loop.
        updates: Returns the part of the journal that can be read.
        limiter: The account's rate limiter.
    """

    def __init__(self, session: ClientSession, sync: SyncLoop, updates: IdentityUpdates, limiter: Limiter) -> None:
        self._session = session
        self._sync = sync
        self._updates = updates
        self._limiter = limiter

    async def measure(self) -> AccountMeasurement:
        """Return the present state of the account in numbers."""
        sends, wait, is_journal_readable = dict[State, int](), 0.0, True
        try:
            limits = await self._limiter.state()
            wait = 0.0 if limits is None else limits.wait
            sends = await (await self._updates.readable_part()).outbox.count()
        except (NotLoggedIn, NoJournal):
            pass
        except StorageError:
            is_journal_readable = False
        liveness = self._session.liveness
        last = liveness.last_sync_at
        return AccountMeasurement(
            state=liveness.state, sync_age=None if last is None else max(0.0, self._session.now() - last),
            last_poll=self._sync.last_poll, rate_limit_wait=wait, waiting_calls=self._session.waiting_calls,
            sends=sends, is_journal_readable=is_journal_readable,
        )  # fmt: skip
