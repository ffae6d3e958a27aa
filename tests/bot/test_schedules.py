"""Schedules: when a timer is due, in every time zone."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from webwx.bot.schedules import Daily
from webwx.bot.timers import TimerRegistry


async def tick(ctx: object) -> None:
    """Do nothing, at the right time."""


def dues(daily: Daily, since: datetime, days: int) -> list[str]:
    """Return the time of day at which a timer is due after some days, by the local clock."""
    moment, until = since.timestamp(), (since + timedelta(days=days)).timestamp()
    found = []
    while (moment := daily.following(moment, 0)) < until:
        assert daily.latest(moment, 0) == moment
        assert daily.latest(moment - 0.5, 0) < moment
        found.append(datetime.fromtimestamp(moment, daily.zone).strftime("%d %H:%M:%S %Z"))
    return found


def schedule_of(at: str, timezone: str) -> Daily:
    table = TimerRegistry()
    table.daily(at, timezone=timezone)(tick)
    schedule = table.timers[0].schedule
    assert isinstance(schedule, Daily)
    return schedule


def test_a_time_that_the_clock_leaps_over_comes_right_after() -> None:
    since = datetime(2026, 3, 7, tzinfo=ZoneInfo("America/New_York"))
    expected = ["07 02:30:00 EST", "08 03:00:00 EDT", "09 02:30:00 EDT"]
    assert dues(schedule_of("02:30", "America/New_York"), since, 3) == expected


def test_a_time_that_comes_twice_is_due_with_the_first() -> None:
    since = datetime(2026, 10, 31, tzinfo=ZoneInfo("America/New_York"))
    expected = ["31 01:30:00 EDT", "01 01:30:00 EDT", "02 01:30:00 EST"]
    assert dues(schedule_of("01:30", "America/New_York"), since, 3) == expected


def test_a_day_that_a_zone_leaves_out_is_made_up_for_at_its_end() -> None:
    since = datetime(2011, 12, 29, tzinfo=ZoneInfo("Pacific/Apia"))
    expected = ["29 08:30:00 -10", "31 00:00:00 +14", "31 08:30:00 +14"]
    assert dues(schedule_of("08:30", "Pacific/Apia"), since, 3) == expected
