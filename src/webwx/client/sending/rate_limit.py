"""
The rate limit of an account, and the limiter state that its processes share.

Each kind of action has a token bucket. The whole account has one circuit breaker: it opens when the platform answers
1205 (too often), and the next success closes it. Everything here is arithmetic on values; time and randomness are
arguments, and `rate_limiter` does the waiting.

Times are seconds since 1970 by one clock that all processes of an account share: the machine's, or for workers on
several machines the database's. If that clock is set back, every stored time moves back with it, so that nothing waits
longer.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

Kind = Literal["messages", "uploads", "contact_changes", "chatroom_changes", "friend_requests"]
"""Kinds of actions, each with its own bucket."""

WaitReason = Literal["rate_limit", "refused"]
"""Why an action waits: for the account's rate limit, or because the platform answered 1205 (too often)."""

FIRST_PAUSE = 10.0
"""Seconds of the first pause after the platform answered 1205 (too often); it doubles with each further refusal."""

LONGEST_PAUSE = 1800.0
"""Seconds of the longest such pause, without the jitter."""

_SPREAD = 0.1
"""Jitter of a pause as a fraction of it, so that the accounts of one machine do not resume together."""


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """
    Limits on the actions of an account; the defaults are below the rates at which refusals are known.

    Raises:
        ValueError: A number is out of range.
    """

    burst: int = 5
    """Messages that may be sent at once after a pause."""
    spacing: float = 1.5
    """Minimum seconds between messages after a burst."""
    jitter: float = 0.5
    """Maximum random seconds added to a wait."""
    messages_per_minute: int = 20
    uploads_per_hour: int = 20
    contact_changes_per_minute: int = 10
    """Maximum number of changes of contacts in a minute: remarks, pins, and accepted friend requests."""
    chatroom_changes_per_hour: int = 10
    """Maximum number of calls in an hour that create, rename or leave a chatroom, or change its members."""
    friend_requests_per_day: int = 10
    patience: float | None = None
    """Maximum seconds that a call waits; beyond that it raises `RateLimitReached`. None means no maximum."""

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in self.__struct_fields__ if name == "burst" or "_per_" in name}
        for name, count in counts.items():
            if count < 1:
                raise ValueError(f"{name!r} cannot be {count}; give 1 or more")
        for name, seconds in {"spacing": self.spacing, "jitter": self.jitter, "patience": self.patience or 0}.items():
            if not seconds >= 0:
                raise ValueError(f"{name!r} cannot be {seconds}; give 0 or more")


class RateLimitState(msgspec.Struct, frozen=True, kw_only=True):
    """What an account's rate limit allows now, over all processes that share its journal."""

    limit: RateLimit
    """The rate limit."""
    wait: float
    """Seconds until the next message may be sent; 0 means now."""
    next_at: float
    """Time at which the next message may be sent: seconds since 1970 (the client's clock)."""
    paused_until: float | None
    """End of the pause after a refusal by the platform: seconds since 1970; None without a pause."""
    refusals: int
    """Refusals (1205) since the last success."""
    messages_last_minute: int
    uploads_last_hour: int
    contact_changes_last_minute: int
    chatroom_changes_last_hour: int
    friend_requests_last_day: int

    @property
    def may_send(self) -> bool:
        """Whether a message may be sent now."""
        return self.wait == 0


class Limit(NamedTuple):
    """The limit of one kind of action."""

    most: int
    """Maximum number of actions within `period`."""
    period: float
    """Length of the window of time in seconds."""
    spacing: float
    """Minimum seconds between two actions."""
    burst: int = 1
    """Number of actions that may follow at once after a pause."""

    @property
    def credit(self) -> float:
        """Seconds by which an action may be ahead of even spacing."""
        return (self.burst - 1) * self.spacing


def limit_of(rate_limit: RateLimit, kind: Kind) -> Limit:
    """Return the limit of one kind. Changes that other people notice are spread evenly, without bursts."""
    match kind:
        case "messages":
            return Limit(rate_limit.messages_per_minute, 60, rate_limit.spacing, rate_limit.burst)
        case "uploads":
            return Limit(rate_limit.uploads_per_hour, 3600, rate_limit.spacing, rate_limit.burst)
        case "contact_changes":
            return Limit(rate_limit.contact_changes_per_minute, 60, rate_limit.spacing)
        case "chatroom_changes":
            return _spread(rate_limit.chatroom_changes_per_hour, 3600, 10)
        case "friend_requests":
            return _spread(rate_limit.friend_requests_per_day, 86_400, 60)


def _spread(count: int, period: float, spacing: float) -> Limit:
    return Limit(count, period, min(spacing, period / count))


class Bucket(msgspec.Struct, frozen=True):
    """Token bucket of one kind of action."""

    full_at: float = 0.0
    """Time at which a whole burst is available again, if no action comes before."""
    moments: tuple[float, ...] = ()
    """Times of the latest actions, past and reserved, in order."""

    def without(self, at: float, limit: Limit) -> Bucket:
        """Return this bucket without the action at that time."""
        if at not in self.moments:
            return self
        full_at = self.full_at - limit.spacing if at == self.moments[-1] else self.full_at
        index = self.moments.index(at)
        return Bucket(full_at, self.moments[:index] + self.moments[index + 1 :])

    def moved(self, seconds: float) -> Bucket:
        """Return this bucket with every time moved by that many seconds."""
        return Bucket(self.full_at + seconds, tuple(each + seconds for each in self.moments))


class Reservation(NamedTuple):
    """Permission for one action at a certain time."""

    at: float
    """Time at which the action may be taken: seconds since 1970."""
    wait: float
    """Seconds until then."""
    reason: WaitReason


class LimiterState(msgspec.Struct, frozen=True):
    """What the limiter stores of an account, for its next action and for its other processes."""

    seen_at: float = 0.0
    """Time of the last change: seconds since 1970."""
    buckets: dict[str, Bucket] = {}
    """Bucket of each kind that was used."""
    paused_until: float = 0.0
    """End of the latest pause: seconds since 1970."""
    refusals: int = 0
    """Refusals (1205) since the last success."""

    def at(self, now: float) -> LimiterState:
        """Return the state as of now; if the clock was set back, as if no time had passed."""
        back = now - self.seen_at
        if back >= 0:
            return msgspec.structs.replace(self, seen_at=now)
        buckets = {kind: bucket.moved(back) for kind, bucket in self.buckets.items()}
        return LimiterState(now, buckets, self.paused_until + back, self.refusals)

    def is_paused(self, now: float) -> bool:
        """Return whether the account is in a pause after a refusal."""
        return self.at(now).paused_until > now + _SAME_TIME

    def reserve(
        self, rate_limit: RateLimit, kind: Kind, now: float, jitter: float, instead_of: float = 0.0
    ) -> tuple[LimiterState, Reservation]:
        """
        Reserve the next possible time for an action; returns the new state and the reservation.

        Args:
            rate_limit: The account's rate limit.
            kind: Kind of the action.
            now: Seconds since 1970.
            jitter: Random number from 0 to 1: how much of the rate limit's jitter to add.
            instead_of: Time of an earlier reservation to drop.
        """
        limit, state = limit_of(rate_limit, kind), self.at(now)
        bucket = state.buckets.get(kind, Bucket()).without(instead_of, limit)
        # After a pause the bucket is empty, so no burst follows it.
        full_at = max(bucket.full_at, state.paused_until + limit.credit)
        moments = bucket.moments
        at = max(now, full_at - limit.credit, *moments[-1:])
        if len(moments) >= limit.most:
            at = max(at, moments[-limit.most] + limit.period)
        if at > now:
            late = jitter * rate_limit.jitter
            at, full_at = at + late, full_at + late
        times = (*(each for each in moments if each > now - limit.period), at)[-limit.most :]
        taken = Bucket(max(full_at, at) + limit.spacing, times)
        reason: WaitReason = "refused" if state.paused_until > now else "rate_limit"
        after = msgspec.structs.replace(state, buckets={**state.buckets, kind: taken})
        return after, Reservation(at, at - now, reason)

    def released(self, rate_limit: RateLimit, kind: Kind, at: float) -> LimiterState:
        """Return the state without the reservation at that time."""
        bucket = self.buckets.get(kind, Bucket()).without(at, limit_of(rate_limit, kind))
        return msgspec.structs.replace(self, buckets={**self.buckets, kind: bucket})

    def refused(self, now: float, jitter: float) -> LimiterState:
        """Return the state after a refusal (1205); `jitter` is a random number from 0 to 1."""
        state = self.at(now)
        if state.is_paused(now):
            return state  # that action was sent before the pause began
        refusals = state.refusals + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(refusals - 1, 30)) * (1 + _SPREAD * (2 * jitter - 1))
        return msgspec.structs.replace(state, paused_until=now + pause, refusals=refusals)

    def succeeded(self, now: float) -> LimiterState:
        """Return the state after a success."""
        state = self.at(now)
        return state if state.is_paused(now) else msgspec.structs.replace(state, refusals=0)

    def report(self, rate_limit: RateLimit, now: float) -> RateLimitState:
        """Return what the rate limit allows now."""
        state = self.at(now)
        _, reservation = state.reserve(rate_limit, "messages", now, 0.0)
        return RateLimitState(
            limit=rate_limit,
            wait=reservation.wait, next_at=reservation.at,
            paused_until=state.paused_until if state.is_paused(now) else None,
            refusals=state.refusals,
            messages_last_minute=state._count(rate_limit, "messages", now),
            uploads_last_hour=state._count(rate_limit, "uploads", now),
            contact_changes_last_minute=state._count(rate_limit, "contact_changes", now),
            chatroom_changes_last_hour=state._count(rate_limit, "chatroom_changes", now),
            friend_requests_last_day=state._count(rate_limit, "friend_requests", now),
        )  # fmt: skip

    def _count(self, rate_limit: RateLimit, kind: Kind, now: float) -> int:
        """Return the number of actions of a kind within its period."""
        period = limit_of(rate_limit, kind).period
        return sum(now - period < at <= now for at in self.buckets.get(kind, Bucket()).moments)


_SAME_TIME = 0.05
"""Seconds by which the machine's clock and the event loop's may differ about the end of a pause."""
