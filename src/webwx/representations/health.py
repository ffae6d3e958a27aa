"""The health of an account as the API shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from webwx.representations.accounts import AccountState
from webwx.representations.route import ACCOUNT, ApiRoute, NoQuery
from webwx.storage.tables.outbox import State

LimitedKind = Literal["messages", "uploads", "contact_changes", "chatroom_changes", "friend_requests"]


class LimitedActionsView(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of action that the rate limit counts."""

    kind: LimitedKind
    used: int
    """Number of actions in the last period."""
    most: int
    """Maximum number of actions in a period."""
    period_seconds: int


class RateLimitView(msgspec.Struct, frozen=True, kw_only=True):
    """What the rate limit of an account allows now."""

    wait_seconds: float
    """Seconds until the next message may be sent; 0: now."""
    next_at: datetime | None
    """Time at which the next message may be sent; null: now."""
    paused_until: datetime | None
    """End of the pause after a refusal by the platform; null without a pause."""
    refusals: int
    """Refusals since the last success."""
    burst: int
    """Messages that may be sent at once after a pause."""
    spacing_seconds: float
    """Minimum seconds between messages after a burst."""
    jitter_seconds: float
    """Maximum random seconds added to a wait."""
    patience_seconds: float | None
    """Maximum seconds that a request waits before it is answered with 429; null: no maximum."""
    actions: list[LimitedActionsView]


class HealthView(msgspec.Struct, frozen=True, kw_only=True):
    """The health of an account."""

    account: int
    """Number of the account."""
    state: AccountState
    sync_age_seconds: float | None
    """Seconds since the last successful poll or fetch; null before the first one."""
    last_poll_seconds: float
    """Seconds that the platform held the last poll; 0 before the first one."""
    is_journal_readable: bool
    waiting_calls: int
    """Number of calls of the account that wait, because as many as allowed are in flight."""
    sends: dict[State, int]
    """Number of stored sends in each state."""
    rate_limit: RateLimitView | None
    """The rate limit; null before the first login, without a rate limit, or if the journal cannot be read."""


class LimitsView(msgspec.Struct, frozen=True, kw_only=True):
    """The largest sends that the gateway takes."""

    text_characters: int
    """Characters of a text."""
    upload_bytes: int
    """Bytes of a file."""
    image_bytes: int
    """Bytes of a picture that is sent as one."""
    video_bytes: int
    """Bytes of a video that is sent as one."""


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """The version of the gateway, and its limits."""

    version: str
    is_cluster: bool
    """Whether several machines share the accounts."""
    limits: LimitsView


SHOW_VERSION: ApiRoute[NoQuery, None, VersionView] = ApiRoute(
    method="GET", path="/version", scope="read", summary="Show the version", reply=VersionView,
)  # fmt: skip

SHOW_ACCOUNT_HEALTH: ApiRoute[NoQuery, None, HealthView] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/health", scope="read", summary="Show the health of an account", reply=HealthView,
    problems=(404,),
)  # fmt: skip
