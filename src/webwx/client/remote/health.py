"""The health of an account of a gateway: its measurements and its rate limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.client.login.measurement import AccountMeasurement
from webwx.client.sending.rate_limit import RateLimit, RateLimitState
from webwx.client.state import LoginState
from webwx.errors import NotLoggedIn, StorageError
from webwx.representations.health import SHOW_ACCOUNT_HEALTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.client.remote.calls import GatewayCalls
    from webwx.representations.health import HealthView


class RemoteHealth:
    """
    Reads the health of an account from its gateway.

    Args:
        calls: Calls of the gateway.
        clock: Returns seconds since 1970.
    """

    def __init__(self, calls: GatewayCalls, clock: Callable[[], float]) -> None:
        self._calls = calls
        self._clock = clock

    def __repr__(self) -> str:
        return f"RemoteHealth({self._calls!r})"

    async def measure(self) -> AccountMeasurement:
        """Return the state of the account in numbers, as the gateway sees it."""
        health = await self._read()
        return AccountMeasurement(
            state=LoginState(health.state), sync_age=health.sync_age_seconds, last_poll=health.last_poll_seconds,
            rate_limit_wait=0.0 if health.rate_limit is None else health.rate_limit.wait_seconds, sends=health.sends,
            waiting_calls=health.waiting_calls, is_journal_readable=health.is_journal_readable,
        )  # fmt: skip

    async def state(self) -> RateLimitState | None:
        """
        Return what the account's rate limit allows now; None without a rate limit.

        Raises:
            NotLoggedIn: The account was never logged in at the gateway.
            StorageError: The gateway cannot read its journal.
        """
        health = await self._read()
        limited = health.rate_limit
        if limited is None:
            if not health.is_journal_readable:
                raise StorageError("The gateway cannot read the journal of this account.")
            if health.state == "new":
                raise NotLoggedIn("The account was never logged in at the gateway.")
            return None
        most = {action.kind: action.most for action in limited.actions}
        used = {action.kind: action.used for action in limited.actions}
        return RateLimitState(
            limit=RateLimit(
                burst=limited.burst, spacing=limited.spacing_seconds, jitter=limited.jitter_seconds,
                messages_per_minute=most["messages"], uploads_per_hour=most["uploads"],
                contact_changes_per_minute=most["contact_changes"],
                chatroom_changes_per_hour=most["chatroom_changes"],
                friend_requests_per_day=most["friend_requests"], patience=limited.patience_seconds,
            ),
            wait=limited.wait_seconds,
            next_at=self._clock() if limited.next_at is None else limited.next_at.timestamp(),
            paused_until=None if limited.paused_until is None else limited.paused_until.timestamp(),
            refusals=limited.refusals, messages_last_minute=used["messages"], uploads_last_hour=used["uploads"],
            contact_changes_last_minute=used["contact_changes"],
            chatroom_changes_last_hour=used["chatroom_changes"], friend_requests_last_day=used["friend_requests"],
        )  # fmt: skip

    async def _read(self) -> HealthView:
        return await self._calls.call(SHOW_ACCOUNT_HEALTH)
