"""
What every engine counts alike for a consumer: acknowledged entries, attempts at entries, crashes, and revivals.

The classes here know no database. An engine passes them what it has read, and stores what they hold. They have no lock:
an engine that changes them in several threads holds its own one.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from webwx.model.contacts import ContactId
from webwx.protocol.codec import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from webwx.storage.entries import Entry
    from webwx.storage.tables.conversations import ConversationRow

_SET_ASIDE = ("dead", "held")
"""States of a failure whose entry is acknowledged, and delivered again only on request."""

_PASSED = (*_SET_ASIDE, "revived")
"""States of a failure whose entry does not stop the position."""


class ConsumerState(NamedTuple):
    """The stored state of a consumer when it was opened."""

    acked: int
    """All entries up to this number are acknowledged."""
    started: int
    """Entries up to this number may have been delivered."""
    ahead: frozenset[int]
    """Entries after `acked` that are acknowledged too."""
    attempts: dict[int, int]
    """Number of failed attempts at each unacknowledged entry."""
    crashes: dict[int, int]
    """Number of crashes by entry, for entries that were handled in isolation."""
    has_crashed: bool
    """Whether the last process that had the consumer open ended without closing it."""
    revived: frozenset[int]
    """Dead letters that are to be delivered again."""
    isolated_to: int
    """Unacknowledged entries up to this number were in flight when a process before the last one crashed."""

    @property
    def isolated_to_now(self) -> int:
        """The value of `isolated_to` to store for the process that opens the consumer."""
        return max(self.isolated_to, self.started if self.has_crashed else 0)


def state_of(
    *, acked: int, started: int, is_open: bool, isolated_to: int, ahead: Iterable[int],
    failures: Collection[tuple[int, int, str]], crashes: Mapping[int, int],
) -> ConsumerState:  # fmt: skip
    """
    Return the state of a consumer from its rows.

    Args:
        acked: As in the state.
        started: As in the state.
        is_open: Whether the last process that had it open has not closed it.
        isolated_to: As in the state.
        ahead: Acknowledged entries after `acked`.
        failures: Number, attempts and state of each entry with a failed attempt, in the order of their numbers; those
            after `acked`, and the revived ones.
        crashes: As in the state.
    """
    return ConsumerState(
        acked=acked,
        started=started,
        # A process may have crashed between the storing of such a row and the acknowledgement of its entry.
        ahead=frozenset(ahead) | {number for number, _, state in failures if state in _PASSED},
        attempts={number: attempts for number, attempts, state in failures if state not in _SET_ASIDE},
        crashes=dict(crashes),
        has_crashed=is_open,
        revived=frozenset(number for number, _, state in failures if state == "revived"),
        isolated_to=isolated_to,
    )


class Acknowledgements:
    """
    The position of a consumer: which of the delivered entries are acknowledged.

    Args:
        acked: All entries up to this number are acknowledged.
        ahead: Later entries that are acknowledged too.
    """

    def __init__(self, acked: int, ahead: Iterable[int]) -> None:
        self.acked = acked
        self.ahead = set(ahead)
        self.last_delivered = acked
        """Number of the last entry that was delivered, without revived ones."""
        self._delivered: list[int] = []
        """Delivered entries after `acked`, in order."""

    def __repr__(self) -> str:
        return f"Acknowledgements({self.acked}, {len(self.ahead)} ahead)"

    def deliver(self, entries: Iterable[Entry]) -> None:
        """Note delivered entries, without revived ones, which do not change the position."""
        numbers = [entry.number for entry in entries if entry.number > self.last_delivered]
        if numbers:
            self._delivered += numbers
            self.last_delivered = numbers[-1]

    def add(self, numbers: Collection[int]) -> None:
        """Acknowledge entries, and advance `acked` past all entries that are acknowledged without a gap."""
        self.ahead.update(number for number in numbers if number > self.acked)
        passed = list(takewhile(self.ahead.__contains__, self._delivered))
        if passed:
            self.acked = passed[-1]
            self.ahead.difference_update(passed)
            del self._delivered[: len(passed)]
        if not self._delivered and self.ahead:  # an earlier process has acknowledged these
            self.ahead = {each for each in self.ahead if each > self.acked}


class EarlierAttempts:
    """
    The attempts at a consumer's entries: those that have failed, and those that a crash or `close` has interrupted.

    Args:
        known: The stored state of the consumer.
        may_have_begun: Returns whether an earlier process may have passed an entry to a handler.
    """

    def __init__(self, known: ConsumerState, may_have_begun: Callable[[int], bool]) -> None:
        self.failed = dict(known.attempts)
        """Number of failed attempts by entry."""
        self.crashes = dict(known.crashes)
        """Crashes of earlier processes by entry."""
        self.poison_markers: set[int] = set()
        """Entries against which a crash of this process counts."""
        self.unstored_crashes: dict[int, int] = {}
        """Crash counts that are not stored; 0 deletes the row."""
        self._known = known
        self._may_have_begun = may_have_begun

    def __repr__(self) -> str:
        return f"EarlierAttempts({len(self.failed)} failed, {len(self.crashes)} crashed)"

    def annotate(self, entries: Iterable[Entry], *, is_revived: bool = False) -> Iterable[Entry]:
        """Yield stored entries with their numbers of earlier attempts and crashes."""
        for entry in entries:
            failed = self.failed.get(entry.number, 0)
            is_again = self._may_have_begun(entry.number)
            if failed or is_again:
                # An attempt that was interrupted by a crash or by `close` was not counted.
                if is_revived:
                    crashes = self._crashes_of_revived(entry.number)
                    interrupted = max(0, crashes - 1)
                else:
                    crashes = self._crashes_of(entry.number)
                    interrupted = crashes or int(is_again)
                yield msgspec.structs.replace(
                    entry, redelivered=is_again, attempt=failed + interrupted + 1, crashes=crashes
                )
            else:
                yield entry

    def _crashes_of(self, number: int) -> int:
        """Return the number of processes that crashed while an entry was in flight, as far as is known."""
        if number in self.crashes:
            return self.crashes[number]
        known = self._known
        return int(number <= known.isolated_to) + int(known.has_crashed) if self._may_have_begun(number) else 0

    def _crashes_of_revived(self, number: int) -> int:
        """Return the number of crashes for a dead letter; one that was in flight in a crash is isolated at once."""
        return self.crashes.get(number, 2 if self._known.has_crashed and number in self._known.revived else 0)

    def recount(self, number: int, stored: int | None, *, has_lived_on: bool) -> int:
        """
        Return the number of crashes of an entry again.

        Args:
            number: The entry.
            stored: The stored number; None: none is stored.
            has_lived_on: Whether the process that seemed to have crashed last has lived on.
        """
        known, is_crash = self._known, self._known.has_crashed and not has_lived_on
        counted = 0 if stored is None else stored
        if stored is None and self._may_have_begun(number):
            counted = int(number <= known.isolated_to) + int(is_crash)
        self.crashes[number] = counted
        return counted

    def count_at_end(self, number: int) -> int:
        """Return the number of attempts at an entry that becomes a dead letter."""
        return max(1, self.failed.get(number, 0) + self.crashes.get(number, 0))

    def add_poison_marker(self, number: int) -> None:
        """Count a crash from now on against an entry."""
        self.poison_markers.add(number)
        self.unstored_crashes[number] = self._crashes_of(number) + 1

    def remove_poison_marker(self, number: int) -> None:
        """Count no crash against an entry any more."""
        self.poison_markers.discard(number)
        self.unstored_crashes[number] = self.crashes.get(number, 0)

    def forget_crashes(self, number: int) -> None:
        """Remove the poison marker and the crashes of an entry that was acknowledged."""
        if number in self.poison_markers or number in self.crashes:
            self.poison_markers.discard(number)
            self.crashes.pop(number, None)
            self.unstored_crashes[number] = 0

    def forget_failed(self, numbers: Iterable[int]) -> None:
        """Remove the failed attempts at entries whose acknowledgement is stored."""
        for number in numbers if self.failed else ():
            self.failed.pop(number, None)


class Revival(NamedTuple):
    """A dead letter that is to be delivered again."""

    time: float
    """Time of the revival, in seconds since 1970, which distinguishes it from an earlier revival of the same entry."""
    attempts: int
    """Number of attempts so far."""


class Revivals:
    """
    The dead letters of a consumer that are to be delivered again.

    Args:
        is_look_due: Whether there may be some already.
    """

    def __init__(self, *, is_look_due: bool = True) -> None:
        self.is_look_due = is_look_due
        """Whether the rows of revived dead letters must be read."""
        self.waiting: list[int] = []
        """Revived entries that were not delivered yet."""
        self._times: dict[int, float] = {}
        """Times of the revivals that were delivered or will be, by entry."""

    def __repr__(self) -> str:
        return f"Revivals({len(self.waiting)})"

    def without(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return entries without those that were delivered as revived ones, or will be."""
        return [entry for entry in entries if entry.number not in self._times] if self._times else entries

    def add(self, found: Mapping[int, Revival], unstored: Collection[int], attempts: EarlierAttempts) -> None:
        """
        Note revived dead letters, unless they were noted before.

        Args:
            found: The rows.
            unstored: Entries whose acknowledgement is not stored; the rows were read before that.
            attempts: Gets their numbers of attempts.
        """
        for number, revival in found.items():
            if number in unstored:
                self.is_look_due = True
            elif self._times.get(number) != revival.time:
                self._times[number] = revival.time
                attempts.failed[number] = revival.attempts
                self.waiting.append(number)

    def state_after_failure(self, number: int, now: float) -> tuple[Literal["trying", "revived"], float]:
        """
        Return the state and the time to store after a failed attempt at an entry.

        A revived entry stays `revived` until it is acknowledged: the cursor has passed it already.
        """
        revived_at = self._times.get(number)
        return ("trying", now) if revived_at is None else ("revived", revived_at)


def cleaned(row: ConversationRow) -> ConversationRow:
    """Return a row whose texts can be stored."""
    key, step, chat = clean_text(row.key), clean_text(row.step), ContactId(clean_text(row.chat))
    if (key, step, chat) == (row.key, row.step, row.chat):
        return row
    return msgspec.structs.replace(row, key=key, step=step, chat=chat)
