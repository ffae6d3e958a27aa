"""
The database's clock as this machine knows it, for times that the next owner of an account reads.

The clocks of two machines may differ by hours. The times in an account's limiter state are therefore by the clock of
the database, which all workers share.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class DatabaseClock:
    """
    The machine's clock, corrected by its difference from the database's clock.

    Args:
        machine: Returns seconds since 1970 by the machine's clock.
    """

    def __init__(self, machine: Callable[[], float] = time.time) -> None:
        self._machine = machine
        self._offset: float | None = None
        """Seconds by which the database's clock is ahead; None before the first answer of the database."""

    def __repr__(self) -> str:
        return f"DatabaseClock({self._offset or 0.0:+.3f} s)"

    def __call__(self) -> float:
        """Return seconds since 1970 by the database's clock; until the first adjustment by the machine's."""
        return self._machine() + (self._offset or 0.0)

    def machine_time(self) -> float:
        """Return seconds since 1970 by the machine's clock."""
        return self._machine()

    def adjust(self, database_time: float, *, asked_at: float) -> None:
        """
        Adjust this clock to an answer of the database.

        The answer was made at a time between the question and now. As long as the difference that is in use is possible
        under that condition, it stays, so a slow answer does not disturb the clock.

        Args:
            database_time: Seconds since 1970 in the answer.
            asked_at: Machine time of the question.
        """
        least, most = database_time - self._machine(), database_time - asked_at
        middle = (least + most) / 2
        self._offset = middle if self._offset is None else max(least, min(self._offset, most))
