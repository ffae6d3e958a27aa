"""
The sends that other processes store or change in the same journal.

Only a reader of changed sends looks for them; without one, nothing is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.storage.tables.outbox import Outgoing

LOOK_EVERY: Final = 0.5
"""Seconds between two looks at the fingerprint of a journal."""

NEWEST: Final = 100
"""Number of the newest sends whose changes are found."""


class SendsOfOthers:
    """
    Finds the changed sends of one account. A first look notes the sends that exist.

    Args:
        fingerprint: Returns what `Journal.fingerprint` returns of the account.
        newest: Returns the newest sends, up to `NEWEST`.
        since: The present time; a send that changes later is found by the first look as well.
    """

    def __init__(
        self, fingerprint: Callable[[], object], newest: Callable[[], Awaitable[list[Outgoing]]], since: float
    ) -> None:
        self._fingerprint = fingerprint
        self._newest = newest
        self._since = since
        self._last: object = object()
        """The fingerprint before the last reading."""
        self._known: dict[int, tuple[str, float]] = {}
        """The state of each of the newest sends, and the time of its change."""

    def __repr__(self) -> str:
        return f"SendsOfOthers({len(self._known)} known)"

    async def look(self) -> list[int]:
        """
        Return the numbers of the sends that have changed since the last look, the earliest change first.

        The sends of this process are among them. Nothing is read if the journal has not changed.

        Raises:
            StorageError: The journal cannot be read; the next look finds the changes.
        """
        present = self._fingerprint()
        if present is None or present == self._last:
            return []
        found = sorted(await self._newest(), key=lambda send: send.changed_at)
        known = self._known
        self._known = {send.number: (send.state, send.changed_at) for send in found}
        # The process of a send that is `sending` may die, which changes no fingerprint.
        self._last = object() if any(send.state == "sending" for send in found) else present
        return [
            number
            for number, state in self._known.items()
            if (known[number] != state if number in known else state[1] > self._since)
        ]
