"""The health of accounts as numbers; `/metrics` has the same numbers in the format of Prometheus."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from litestar import Router

from webwx.errors import NoJournal, NotLoggedIn, StorageError
from webwx.gateway.api.cluster import InjectedCluster
from webwx.gateway.api.parameters import AccountNumber, InjectedConfig, InjectedPort
from webwx.gateway.api.serve_route import serve
from webwx.protocol.codes import MAX_FILE, MAX_IMAGE, MAX_TEXT, MAX_VIDEO
from webwx.representations.health import (
    SHOW_ACCOUNT_HEALTH,
    SHOW_VERSION,
    HealthView,
    LimitedActionsView,
    LimitedKind,
    LimitsView,
    RateLimitView,
    VersionView,
)
from webwx.representations.times import moment, optional_moment

if TYPE_CHECKING:
    from webwx.client.sending.rate_limit import RateLimitState


@serve(SHOW_VERSION)
async def show_version(cluster: InjectedCluster, config: InjectedConfig) -> VersionView:
    """Return the version of the gateway, whether several machines share its accounts, and the largest sends."""
    upload = min(config.limits.upload, MAX_FILE)
    limits = LimitsView(
        text_characters=MAX_TEXT, upload_bytes=upload, image_bytes=min(upload, MAX_IMAGE),
        video_bytes=min(upload, MAX_VIDEO),
    )  # fmt: skip
    return VersionView(version=version("webwx"), is_cluster=cluster is not None, limits=limits)


@serve(SHOW_ACCOUNT_HEALTH)
async def show_account_health(number: AccountNumber, port: InjectedPort) -> HealthView:
    """Return the age of the last sync of an account, the counts of its sends by state, and its rate limit."""
    account = port.account(number)
    measured, status = await account.client.measure(), await account.status()
    try:
        limited = await (await account.owned()).rate_limit_state()
    except (NotLoggedIn, NoJournal, StorageError):
        limited = None
    return HealthView(
        account=number, state=status.state, sync_age_seconds=measured.sync_age, last_poll_seconds=measured.last_poll,
        is_journal_readable=measured.is_journal_readable, waiting_calls=measured.waiting_calls, sends=measured.sends,
        rate_limit=None if limited is None else view_of_limit(limited),
    )  # fmt: skip


def view_of_limit(state: RateLimitState) -> RateLimitView:
    """Return the state of a rate limit as the API shows it."""
    limit = state.limit
    counts: tuple[tuple[LimitedKind, int, int, int], ...] = (
        ("messages", state.messages_last_minute, limit.messages_per_minute, 60),
        ("uploads", state.uploads_last_hour, limit.uploads_per_hour, 3600),
        ("contact_changes", state.contact_changes_last_minute, limit.contact_changes_per_minute, 60),
        ("chatroom_changes", state.chatroom_changes_last_hour, limit.chatroom_changes_per_hour, 3600),
        ("friend_requests", state.friend_requests_last_day, limit.friend_requests_per_day, 86_400),
    )
    return RateLimitView(
        wait_seconds=state.wait, next_at=moment(state.next_at) if state.wait else None,
        paused_until=optional_moment(state.paused_until), refusals=state.refusals, burst=limit.burst,
        spacing_seconds=limit.spacing, jitter_seconds=limit.jitter, patience_seconds=limit.patience,
        actions=[
            LimitedActionsView(kind=kind, used=used, most=most, period_seconds=period)
            for kind, used, most, period in counts
        ],
    )  # fmt: skip


health_router = Router("/", route_handlers=[show_version, show_account_health], tags=["monitoring"])
