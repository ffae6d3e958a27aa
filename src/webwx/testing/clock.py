"""The clock of a test, which is moved instead of waiting."""

from __future__ import annotations

from datetime import datetime, timedelta
from datetime import time as time_of_day
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from webwx.testing.stage import WorldStage

_STEPS = 100
"""Maximum number of steps in which a move is made."""


class Clock:
    """
    The virtual clock of the world, which the bots under test use too.

    It starts at the present time and runs like any clock. Moving it makes time pass at once for timers, sleeps, rate
    limits, retry delays, and the platform's two minutes for a recall.
    """

    def __init__(self, stage: WorldStage) -> None:
        self._stage = stage

    def __repr__(self) -> str:
        return f"Clock({self.now:%Y-%m-%d %H:%M:%S})"

    @property
    def now(self) -> datetime:
        """Time of the clock, in this machine's time zone."""
        return datetime.fromtimestamp(self._stage.world.now).astimezone()

    def wind(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """
        Make time pass at once.

        Events that become due are handled in order before this returns, including answers. It stops at up to 100
        moments, so a timer that is due more often is sometimes skipped, as on a busy machine.

        Raises:
            ValueError: The duration is negative.
        """
        left = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        if left < 0:
            raise ValueError("A clock can only be moved forward.")
        shortest = left / _STEPS
        self._stage.settle()
        while left > 0:
            step = min(left, max(shortest, min(self._waits(), default=left)))
            left -= step
            self._stage.do(lambda world, step=step: world.wind(step))  # type: ignore[misc]  # a lambda's default
            for each in self._stage.at_work:
                each.check_clock()
            self._stage.settle()

    def _waits(self) -> list[float]:
        """Return the time until the next event, in the world and in each bot."""
        world = self._stage.world
        scripted = [] if world.scheduler.next is None else [world.scheduler.next - world.now]
        return scripted + [wait for each in self._stage.at_work if (wait := each.seconds_to_timer) is not None]

    def wind_to(self, moment: str | datetime, *, timezone: str | None = None) -> None:
        """
        Make time pass until a moment, as `wind` does.

        Args:
            moment: A time of day such as `08:30`, which means the next one, or a date and time.
            timezone: Zone of a time of day, such as `Asia/Shanghai`; None means this machine's.

        Raises:
            ValueError: The moment has passed, or is not valid.
        """
        now = self.now.astimezone(ZoneInfo(timezone) if timezone else None)
        if isinstance(moment, str):
            at = datetime.combine(now.date(), time_of_day.fromisoformat(moment), now.tzinfo)
            moment = at if at > now else at + timedelta(days=1)
        self.wind((moment.astimezone() - self.now).total_seconds())
