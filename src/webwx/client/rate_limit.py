"""
An account's pace: how fast it may act, and what is remembered of how it did.

Each kind of action has a bucket, and the whole account one circuit, which opens when the platform says "too often" and
is closed by the next success. All of it is arithmetic on values: whoever asks brings the time and the dice, and
`governor` does the waiting.

The times are those of the machine's clock, which all processes of an account share. It may be set back: then every
moment goes back with it, so nothing waits longer than what is before it justifies.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

Kind = Literal["messages", "uploads", "contact_changes", "chatroom_changes", "friend_requests"]
"""What is counted apart."""

Why = Literal["pace", "refused"]
"""Why something waits: for the account's pace, or because the platform has said that it was too often."""

FIRST_PAUSE = 10.0
"""Seconds that an account is still for when the platform says "too often" (1205); twice as long each time after."""

LONGEST_PAUSE = 1800.0
"""Seconds that no such pause is longer than, apart from the jitter."""

_SPREAD = 0.1
"""Part by which a pause is shorter or longer, so that accounts of one machine do not come back at once."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """
    How fast an account may act; the defaults keep a distance from what people have seen refused.

    Raises:
        ValueError: A number cannot be.
    """

    burst: int = 5
    """Messages that may leave at once after a silence."""
    spacing: float = 1.5
    """Seconds between messages after that, at least."""
    jitter: float = 0.5
    """Seconds by which whatever has to wait may wait longer, by chance."""
    messages_per_minute: int = 20
    uploads_per_hour: int = 20
    contact_changes_per_minute: int = 10
    """Remarks, pins, and requests of others that are accepted."""
    chatroom_changes_per_hour: int = 10
    """Chatrooms that are opened, renamed and left, and people who are added, invited or removed, call by call."""
    friend_requests_per_day: int = 10
    patience: float | None = None
    """Seconds that a call waits at most: one that would have to wait longer raises `RateLimited`; None: for ever."""

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in self.__struct_fields__ if name == "burst" or "_per_" in name}
        for name, count in counts.items():
            if count < 1:
                raise ValueError(f"{name!r} cannot be {count}; give 1 or more")
        for name, seconds in {"spacing": self.spacing, "jitter": self.jitter, "patience": self.patience or 0}.items():
            if not seconds >= 0:
                raise ValueError(f"{name!r} cannot be {seconds}; give 0 or more")


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """How an account stands with its pace, over all processes that share its journal."""

    wait: float
    """Seconds until a message may leave; 0: it may now."""
    next_at: float
    """When that is: seconds since 1970, by this machine's clock."""
    paused_until: float | None
    """Until when everything waits because the platform said "too often"; None: it does not."""
    refusals: int
    """How often it has said so since the last success."""
    messages_last_minute: int
    uploads_last_hour: int
    contact_changes_last_minute: int
    chatroom_changes_last_hour: int
    friend_requests_last_day: int

    @property
    def may_send(self) -> bool:
        """A message may leave now."""
        return self.wait == 0


class Limit(NamedTuple):
    """What holds for one kind."""

    most: int
    """At most so many..."""
    period: float
    """...in so many seconds."""
    spacing: float
    """Seconds between two, at least."""
    burst: int = 1
    """How many may leave at once all the same, after a silence."""

    @property
    def credit(self) -> float:
        """Seconds by which an action may be ahead of an even spacing."""
        return (self.burst - 1) * self.spacing


def limit_of(pace: Pace, kind: Kind) -> Limit:
    """Give what a pace allows of one kind. Changes that people take notice of are spread, and never come in bursts."""
    match kind:
        case "messages":
            return Limit(pace.messages_per_minute, 60, pace.spacing, pace.burst)
        case "uploads":
            return Limit(pace.uploads_per_hour, 3600, pace.spacing, pace.burst)
        case "contact_changes":
            return Limit(pace.contact_changes_per_minute, 60, pace.spacing)
        case "chatroom_changes":
            return _spread(pace.chatroom_changes_per_hour, 3600, 10)
        case "friend_requests":
            return _spread(pace.friend_requests_per_day, 86_400, 60)


def _spread(count: int, period: float, spacing: float) -> Limit:
    return Limit(count, period, min(spacing, period / count))


class Bucket(msgspec.Struct, frozen=True):
    """What is remembered of one kind."""

    full_at: float = 0.0
    """When a whole burst may leave again, if nothing does before."""
    moments: tuple[float, ...] = ()
    """When the last ones left or will leave, in order."""

    def without(self, moment: float, limit: Limit) -> Bucket:
        """Give it as it would be if nothing left then."""
        if moment not in self.moments:
            return self
        full_at = self.full_at - limit.spacing if moment == self.moments[-1] else self.full_at
        at = self.moments.index(moment)
        return Bucket(full_at, self.moments[:at] + self.moments[at + 1 :])

    def moved(self, seconds: float) -> Bucket:
        """Give it with everything so much later."""
        return Bucket(self.full_at + seconds, tuple(each + seconds for each in self.moments))


class Place(NamedTuple):
    """A place in the queue of an account."""

    moment: float
    """When its owner may go."""
    wait: float
    """Seconds until then."""
    why: Why


class Standing(msgspec.Struct, frozen=True):
    """What is remembered of an account, from one action to the next and from one process to the next."""

    seen_at: float = 0.0
    """When it was last changed."""
    buckets: dict[str, Bucket] = {}
    """By kind."""
    paused_until: float = 0.0
    """When the circuit was or will be ready for a first attempt."""
    refusals: int = 0
    """How often the platform has said "too often" since the last success."""

    def at(self, now: float) -> Standing:
        """Give it as of now; where the clock was set back, as if no time had passed."""
        back = now - self.seen_at
        if back >= 0:
            return msgspec.structs.replace(self, seen_at=now)
        buckets = {kind: bucket.moved(back) for kind, bucket in self.buckets.items()}
        return Standing(now, buckets, self.paused_until + back, self.refusals)

    def is_paused(self, now: float) -> bool:
        """Say whether the platform has said "too often", and the pause for it is not over."""
        return self.at(now).paused_until > now + _SAME_TIME

    def place(self, pace: Pace, kind: Kind, now: float, dice: float, instead_of: float = 0.0) -> tuple[Standing, Place]:
        """
        Give the next place of a kind, and how the account stands once it is taken.

        Args:
            pace: How fast it may act.
            kind: Of what.
            now: The time.
            dice: From 0 to 1, how much of the jitter.
            instead_of: The moment of a place that is not needed any more.
        """
        limit, standing = limit_of(pace, kind), self.at(now)
        bucket = standing.buckets.get(kind, Bucket()).without(instead_of, limit)
        # Behind a pause there is no burst: it begins with an empty bucket.
        full_at = max(bucket.full_at, standing.paused_until + limit.credit)
        moments = bucket.moments
        moment = max(now, full_at - limit.credit, *moments[-1:])
        if len(moments) >= limit.most:
            moment = max(moment, moments[-limit.most] + limit.period)
        if moment > now:
            late = dice * pace.jitter
            moment, full_at = moment + late, full_at + late
        kept = (*(each for each in moments if each > now - limit.period), moment)[-limit.most :]
        taken = Bucket(max(full_at, moment) + limit.spacing, kept)
        why: Why = "refused" if standing.paused_until > now else "pace"
        after = msgspec.structs.replace(standing, buckets={**standing.buckets, kind: taken})
        return after, Place(moment, moment - now, why)

    def given_back(self, pace: Pace, kind: Kind, moment: float) -> Standing:
        """Give how the account stands once a place is free again."""
        bucket = self.buckets.get(kind, Bucket()).without(moment, limit_of(pace, kind))
        return msgspec.structs.replace(self, buckets={**self.buckets, kind: bucket})

    def refused(self, now: float, dice: float) -> Standing:
        """Give how the account stands once the platform has said "too often"."""
        standing = self.at(now)
        if standing.is_paused(now):
            return standing  # that one had left before, and says nothing new
        refusals = standing.refusals + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(refusals - 1, 30)) * (1 + _SPREAD * (2 * dice - 1))
        return msgspec.structs.replace(standing, paused_until=now + pause, refusals=refusals)

    def succeeded(self, now: float) -> Standing:
        """Give how the account stands once something went well."""
        standing = self.at(now)
        return standing if standing.is_paused(now) else msgspec.structs.replace(standing, refusals=0)

    def pacing(self, pace: Pace, now: float) -> Pacing:
        """Tell a user of it."""
        standing = self.at(now)
        _, place = standing.place(pace, "messages", now, 0.0)
        return Pacing(
            wait=place.wait, next_at=place.moment,
            paused_until=standing.paused_until if standing.is_paused(now) else None,
            refusals=standing.refusals,
            messages_last_minute=standing._count(pace, "messages", now),
            uploads_last_hour=standing._count(pace, "uploads", now),
            contact_changes_last_minute=standing._count(pace, "contact_changes", now),
            chatroom_changes_last_hour=standing._count(pace, "chatroom_changes", now),
            friend_requests_last_day=standing._count(pace, "friend_requests", now),
        )  # fmt: skip

    def _count(self, pace: Pace, kind: Kind, now: float) -> int:
        """Count what of a kind has left within its period."""
        period = limit_of(pace, kind).period
        return sum(now - period < moment <= now for moment in self.buckets.get(kind, Bucket()).moments)


_SAME_TIME = 0.05
"""Seconds by which the clock of the machine and that of an event loop may disagree about the end of a pause."""
