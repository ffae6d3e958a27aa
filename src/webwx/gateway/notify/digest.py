"""
Digests of bursts: up to a number of messages in a period are sent one by one, the others as one digest.

The state is a value. `offer` returns whether to send a message now; a message that is not sent is collected. At the
time `due_at`, `flush` returns all collected messages for one digest. A digest counts as one message of its period, so a
long burst becomes one digest per period.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from webwx.gateway.notify.message import OutgoingMessage, local_time, shorten
from webwx.gateway.notify.notification import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

Item = TypeVar("Item")

MOST_NAMES = 5
"""Maximum number of names at the beginning of a digest."""
LONGEST_NAME = 60
"""Maximum number of characters of such a name."""

_SIGNS = [severity.value for severity in Severity if severity.value]
_NUMBERS = re.compile(r"^\[\d+ \w+(?:, \d+ \w+)*\] ?")
"""Numbers of alerts in the title of a group, such as `[2 firing, 1 resolved]`."""


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


def _opening(texts: Sequence[str], rule: DigestRule) -> list[str]:
    signs = Counter(_sign_of(text) for text in texts)
    shown = [f"{number} {sign}" for sign in _SIGNS if (number := signs[sign])]
    if shown and (others := signs[""]):
        shown.append(f"{others} other{'' if others == 1 else 's'}")
    names = Counter(_name_of(text) for text in texts)
    repeated = [f"{number} × {name}" for name, number in names.most_common(MOST_NAMES) if number > 1 and name]
    return [f"{len(texts)} messages{': ' if shown else ''}{', '.join(shown)} ({rule})", *repeated]


def _sign_of(text: str) -> str:
    """Return the sign of the severity at the beginning of a text; empty without one."""
    return next((sign for sign in _SIGNS if text.startswith(sign)), "")


def _name_of(text: str) -> str:
    """Return the first line of a text without its severity, and without the numbers of alerts of a group."""
    line = text.removeprefix(_sign_of(text)).strip().partition("\n")[0]
    name = _NUMBERS.sub("", line)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


class Collected(NamedTuple):
    """A message that waits for a digest."""

    message: OutgoingMessage
    at: float
    """Time at which its request arrived: seconds since 1970."""


def digest(items: Sequence[Collected], rule: DigestRule, zone: tzinfo) -> OutgoingMessage:
    """
    Combine messages into one, in their order; a single message is not changed.

    It opens with the number of messages of each severity and the rule, and with the names that occur several times.
    """
    if len(items) == 1:
        return items[0].message
    lines = ["\n".join(_opening([item.message.text for item in items], rule))]
    lines += [f"{local_time(item.at, zone)} {item.message.text}" for item in items]
    return shorten(OutgoingMessage("\n\n".join(lines), tuple(file for item in items for file in item.message.files)))
