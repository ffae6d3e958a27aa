"""
Digests of bursts: up to a number of messages in a period are sent one by one, the others as one digest.

The state is a value. `offer` returns whether to send a message now; a message that is not sent is collected. At the
time `due_at`, `flush` returns all collected messages for one digest. A digest counts as one message of its period, so a
long burst becomes one digest per period.
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
    """The rule by which messages are combined into one."""

    messages: int = 10
    """Maximum number of messages that are sent one by one in a period; at least 1."""
    period: float = 60.0
    """Length of a period in seconds."""

    def __str__(self) -> str:
        return f"at most {self.messages} messages in {self.period:g} s, the rest as one digest"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Burst(Generic[Item]):
    """The messages that a receiver has sent in the last period, and those that it has collected."""

    sent: tuple[float, ...] = ()
    """Times of the messages of the last period."""
    collected: tuple[Item, ...] = ()
    """Messages that wait for the next digest, the oldest first."""

    def due_at(self, rule: DigestRule) -> float | None:
        """Return the time at which the collected messages may be sent; None if no messages are collected."""
        if not self.collected:
            return None
        return self.sent[-rule.messages] + rule.period if len(self.sent) >= rule.messages else 0.0

    def offer(self, item: Item, now: float, rule: DigestRule) -> tuple[Burst[Item], bool]:
        """Return the next state, and whether to send this item now; an item that is not sent is collected."""
        sent = self._recent(now, rule)
        if self.collected or len(sent) >= rule.messages:
            return replace(self, sent=sent, collected=(*self.collected, item)), False
        return replace(self, sent=(*sent, now)), True

    def flush(self, now: float, rule: DigestRule) -> tuple[Burst[Item], tuple[Item, ...]]:
        """Return the next state, and the messages of the digest; none before the digest is due."""
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
    """Time at which its request arrived: seconds since 1970."""


def digest(items: Sequence[Collected], rule: DigestRule, zone: tzinfo) -> OutgoingMessage:
    """Combine messages into one, in their order; a single message is not changed. The first line states the rule."""
    if len(items) == 1:
        return items[0].message
    lines = [f"{len(items)} messages ({rule})"]
    lines += [f"{local_time(item.at, zone)} {item.message.text}" for item in items]
    return shorten(OutgoingMessage("\n\n".join(lines), tuple(file for item in items for file in item.message.files)))
