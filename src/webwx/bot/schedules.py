"""
Schedules: the times at which a timer is due.

`Every` measures elapsed time, even if the machine's clock is set; `Daily` and `Cron` follow the wall clock of a time
zone. The library cronsim reads cron expressions, in the way of Debian's cron.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from typing import TYPE_CHECKING, Literal, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from webwx.installation import install_command

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAY = timedelta(days=1)

_CLOCK_WAS_WRONG = 25 * 3600.0
"""Maximum number of seconds that a timer's last call may lie in the future; beyond it, the clock was wrong."""

_WINDOWS = (300.0, 7_200.0, 2 * 86_400.0, 62 * 86_400.0, 2 * 366 * 86_400.0, 51 * 366 * 86_400.0)
"""Lengths in seconds of the windows in which the latest time of a cron expression is searched, one after the other."""

_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)


class Schedule(Protocol):
    """The times at which a timer is due, in seconds since 1970; `last` is the latest one that was handled."""

    @property
    def is_wall_clock(self) -> bool:
        """Whether the schedule follows the wall clock, not elapsed time."""
        ...

    @property
    def tolerance(self) -> float:
        """Seconds that `last` may lie in the future; beyond it, the clock was wrong and the schedule starts now."""
        ...

    def latest(self, now: float, last: float) -> float:
        """Return the latest time at which the timer was due; not after `last` if it was not due since."""
        ...

    def following(self, now: float, last: float) -> float:
        """Return the next time at which the timer is due."""
        ...


@dataclass(frozen=True)
class Every:
    """Due each time that an interval has passed."""

    seconds: float
    is_wall_clock = False
    tolerance = 0.0

    def __str__(self) -> str:
        return f"every {self.seconds:g} s"

    def latest(self, now: float, last: float) -> float:
        """Return the latest time at which the function was due."""
        return last + math.floor((now - last) / self.seconds) * self.seconds

    def following(self, now: float, last: float) -> float:
        """Return the next time at which the timer is due."""
        return self.latest(now, last) + self.seconds


@dataclass(frozen=True)
class Daily:
    """Due once a day, or on some weekdays, by the wall clock of a time zone."""

    at: time_of_day
    zone: tzinfo | None
    """Time zone; None: the machine's."""
    weekdays: frozenset[int]
    """Numbers of the weekdays; 0 is Monday."""
    is_wall_clock = True
    tolerance = _CLOCK_WAS_WRONG

    def __str__(self) -> str:
        days = "" if len(self.weekdays) == 7 else f" {','.join(WEEKDAYS[day] for day in sorted(self.weekdays))}"
        return f"daily {self.at:%H:%M:%S}{f' {self.zone}' if self.zone else ''}{days}"

    def latest(self, now: float, last: float) -> float:
        """Return the latest time at which the function was due."""
        del last
        day = _local(now, self.zone).date() + _DAY
        while (due := self._moment(day)) is None or due > now:
            day -= _DAY
        return due

    def following(self, now: float, last: float) -> float:
        """Return the next time at which the function is due."""
        del last
        day = _local(now, self.zone).date() - _DAY
        while (due := self._moment(day)) is None or due <= now:
            day += _DAY
        return due

    def _moment(self, day: date) -> float | None:
        """Return the time at which the timer is due on a day; None if it is not due on this weekday."""
        if day.weekday() not in self.weekdays:
            return None
        wanted = datetime.combine(day, self.at)
        moment = wanted.replace(tzinfo=self.zone).timestamp()  # the first one, if this time occurs twice
        if _local(moment, self.zone) == wanted:
            return moment
        # The clock is put forward over this time: use the first second after the change.
        before = wanted.replace(tzinfo=self.zone, fold=1).timestamp()
        seconds = range(math.floor(before), math.floor(moment))
        return float(seconds[0] + bisect_left(seconds, True, key=lambda second: _local(second, self.zone) >= wanted))


class Cron:
    """
    Due at the times of a cron expression, by the wall clock of a time zone.

    Args:
        expression: Five fields (minute, hour, day of month, month, day of week), or six with the second first.
        zone: Time zone; None: the machine's.

    Raises:
        ValueError: The expression is invalid or never due, or `webwx[cron]` is not installed.
    """

    is_wall_clock = True
    tolerance = _CLOCK_WAS_WRONG

    def __init__(self, expression: str, zone: tzinfo | None) -> None:
        try:
            from cronsim import CronSim, CronSimError
        except ModuleNotFoundError:
            raise ValueError(f"Cron expressions need the package cronsim: {install_command('cron')}.") from None
        self._zone = zone
        self._fields = " ".join(expression.split())
        self._times_after = CronSim
        try:
            is_ever_due = next(self._times_after(self._fields, _ANY_DAY), None) is not None
        except CronSimError as error:
            raise ValueError(f"{expression!r} is not a cron expression: {str(error).lower()}.") from None
        if not is_ever_due:
            raise ValueError(f"The cron expression {expression!r} is never due.")

    def __str__(self) -> str:
        return f"cron {self._fields}{f' {self._zone}' if self._zone else ''}"

    def latest(self, now: float, last: float) -> float:
        """Return the latest time at which the function was due."""
        for window in _WINDOWS:
            due = last
            for moment in self._times(now - window):
                if moment > now:
                    break
                due = moment
            if due > last or now - window <= last:
                return due
        return last

    def following(self, now: float, last: float) -> float:
        """Return the next time at which the function is due."""
        del last
        return next(self._times(now))

    def _times(self, after: float) -> Iterator[float]:
        """Yield the times at which the timer is due after a moment."""
        start = datetime.fromtimestamp(after, MACHINE_ZONE if self._zone is None else self._zone)
        for each in self._times_after(self._fields, start):
            moment = each.timestamp()
            if moment > after:  # an hour that occurs twice: the library begins with the first one
                yield moment


class MachineZone(tzinfo):
    """The machine's time zone with its past and future changes, which Python offers only for naive times."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        """Return the difference to UTC."""
        return None if when is None else when.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, when: datetime | None) -> timedelta | None:
        """Return None: the part of the difference that is daylight-saving time is not known."""
        del when
        return None

    def tzname(self, when: datetime | None) -> str | None:
        """Return the zone's abbreviation."""
        return None if when is None else when.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, when: datetime) -> datetime:
        """Return a time of UTC in this zone."""
        return datetime.fromtimestamp(when.replace(tzinfo=UTC).timestamp()).replace(tzinfo=self)


MACHINE_ZONE = MachineZone()


def _local(moment: float, zone: tzinfo | None) -> datetime:
    """Return the date and time that the wall clock of a time zone shows."""
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None)


_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def parse_time(at: str) -> time_of_day:
    """
    Return the time of day of a text such as `08:30`.

    Raises:
        ValueError: The text is not a time of day.
    """
    found = _TIME.fullmatch(at) if isinstance(at, str) else None
    if found is not None:
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        with suppress(ValueError):
            return time_of_day(hours, minutes, seconds)
    raise ValueError(f"{at!r} is not a time of day; write one like '08:30'.")


def parse_zone(timezone: str | tzinfo | None) -> tzinfo | None:
    """
    Return a time zone by its name; None for that of the machine.

    Raises:
        ValueError: There is no such time zone.
    """
    if not isinstance(timezone, str):
        return timezone
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if not available_timezones():
            raise ValueError("This system has no time zone database; 'pip install tzdata' installs one.") from None
        raise ValueError(f"{timezone!r} is not a time zone; write one like 'Asia/Shanghai'.") from None


def parse_weekdays(names: Collection[Weekday]) -> frozenset[int]:
    """
    Return the numbers of weekdays by their names; 0 is Monday.

    Raises:
        ValueError: A name is not in `WEEKDAYS`.
    """
    if not set(names) <= set(WEEKDAYS):
        raise ValueError(f"The weekdays cannot be {names!r}; give some of {', '.join(map(repr, WEEKDAYS))}.")
    return frozenset(map(WEEKDAYS.index, names))
