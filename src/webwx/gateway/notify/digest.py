"""
Bursts folded into digests: at most a number of messages in a period, the rest collected and sent as one.

The state is a value. Offer each notification with the time; what comes back is to be sent now. When `due_at` has come,
`flush` returns the digest of all that was collected. A digest counts as one message of its period, so a burst that
goes on becomes one digest per period.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from webwx.gateway.notify.message import OutgoingMessage, local_time, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

Item = TypeVar("Item")


class DigestRule(NamedTuple):
    """When messages are combined into one."""

    messages: int = 10
    """Messages sent one by one in a period; at least 1."""
    period: float = 60.0
    """Seconds of a period."""

    def __str__(self) -> str:
        return f"at most {self.messages} messages in {self.period:g} s, the rest as one digest"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Burst(Generic[Item]):
    """What a receiver has sent in the last period, and what it has collected."""

    sent: tuple[float, ...] = ()
    """Times of the messages of the last period."""
    collected: tuple[Item, ...] = ()
    """What waits for the next digest, oldest first."""

    def due_at(self, rule: DigestRule) -> float | None:
        """Return the time at which the collected ones may be sent; None when there are none."""
        if not self.collected:
            return None
        return self.sent[-rule.messages] + rule.period if len(self.sent) >= rule.messages else 0.0

    def offer(self, item: Item, now: float, rule: DigestRule) -> tuple[Burst[Item], bool]:
        """Return the next state, and whether to send this item now; otherwise it is collected."""
        sent = self._recent(now, rule)
        if self.collected or len(sent) >= rule.messages:
            return replace(self, sent=sent, collected=(*self.collected, item)), False
        return replace(self, sent=(*sent, now)), True

    def flush(self, now: float, rule: DigestRule) -> tuple[Burst[Item], tuple[Item, ...]]:
        """Return the next state, and what goes into a digest now; empty before it is due."""
        due_at = self.due_at(rule)
        if due_at is None or now < due_at:
            return self, ()
        return Burst(sent=(*self._recent(now, rule), now)), self.collected

    def _recent(self, now: float, rule: DigestRule) -> tuple[float, ...]:
        return tuple(at for at in self.sent if now < at + rule.period)


class Collected(NamedTuple):
    """A message that waits for a digest."""

    message: OutgoingMessage
    at: float
    """When its request arrived, in seconds since 1970."""


def digest(items: Sequence[Collected], rule: DigestRule, zone: tzinfo) -> OutgoingMessage:
    """Fold messages into one, in their order; a single one stays as it is. The first line states the rule."""
    if len(items) == 1:
        return items[0].message
    lines = [f"{len(items)} messages ({rule})"]
    lines += [f"{local_time(item.at, zone)} {item.message.text}" for item in items]
    return shorten(OutgoingMessage("\n\n".join(lines), tuple(file for item in items for file in item.message.files)))
