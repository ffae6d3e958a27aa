"""The health of accounts as numbers; `/metrics` has the same numbers in the format of Prometheus."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec
from litestar import Router, get

from webwx.client.rate_limit import Kind
from webwx.errors import NoJournal, NotLoggedIn, StorageError
from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import AccountNumber, InjectedPort
from webwx.representations.accounts import AccountState
from webwx.representations.times import optional_moment
from webwx.storage.base import State

if TYPE_CHECKING:
    from webwx.client.rate_limit import RateLimitState


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """The version of the gateway."""

    version: str


class LimitedActionsView(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of action that the rate limit counts."""

    kind: Kind
    used: int
    """Number of actions in the last period."""
    most: int
    """Maximum number of actions in a period."""
    period_seconds: int


class RateLimitView(msgspec.Struct, frozen=True, kw_only=True):
    """What the rate limit of an account allows now."""

    wait_seconds: float
    """Seconds until the next message may be sent; 0: now."""
    paused_until: datetime | None
    """End of the pause after a refusal by the platform; null without a pause."""
    refusals: int
    """Refusals since the last success."""
    actions: list[LimitedActionsView]


class HealthView(msgspec.Struct, frozen=True, kw_only=True):
    """The health of an account."""

    account: int
    """Number of the account."""
    state: AccountState
    sync_age_seconds: float | None
    """Seconds since the last successful poll or fetch; null before the first one."""
    is_journal_readable: bool
    sends: dict[State, int]
    """Number of stored sends in each state."""
    rate_limit: RateLimitView | None
    """The rate limit; null before the first login, without a rate limit, or if the journal cannot be read."""


@get("/version", scope="read", summary="Show the version", responses=problems())
async def show_version() -> VersionView:
    """Return the version of the gateway."""
    return VersionView(version=version("webwx"))


@get("/accounts/{account:str}/health", scope="read", summary="Show the health of an account", responses=problems(404))
async def show_account_health(number: AccountNumber, port: InjectedPort) -> HealthView:
    """Return the age of the last sync of an account, the counts of its sends by state, and its rate limit."""
    account = port.account(number)
    measured, status = await account.measure(), await account.status()
    try:
        limited = await account.rate_limit()
    except (NotLoggedIn, NoJournal, StorageError):
        limited = None
    return HealthView(
        account=number, state=status.state, sync_age_seconds=measured.sync_age,
        is_journal_readable=measured.is_journal_readable, sends=measured.sends,
        rate_limit=None if limited is None else view_of_limit(limited),
    )  # fmt: skip


def view_of_limit(state: RateLimitState) -> RateLimitView:
    """Return the state of a rate limit as the API shows it."""
    limit = state.limit
    counts: tuple[tuple[Kind, int, int, int], ...] = (
        ("messages", state.messages_last_minute, limit.messages_per_minute, 60),
        ("uploads", state.uploads_last_hour, limit.uploads_per_hour, 3600),
        ("contact_changes", state.contact_changes_last_minute, limit.contact_changes_per_minute, 60),
        ("chatroom_changes", state.chatroom_changes_last_hour, limit.chatroom_changes_per_hour, 3600),
        ("friend_requests", state.friend_requests_last_day, limit.friend_requests_per_day, 86_400),
    )
    return RateLimitView(
        wait_seconds=state.wait, paused_until=optional_moment(state.paused_until), refusals=state.refusals,
        actions=[
            LimitedActionsView(kind=kind, used=used, most=most, period_seconds=period)
            for kind, used, most, period in counts
        ],
    )  # fmt: skip


health_router = Router("/", route_handlers=[show_version, show_account_health], tags=["monitoring"])
