"""Schedules: when a timer is due, in every time zone."""

from __future__ import annotations

import re
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from webwx.bot.schedules import MACHINE_ZONE, Cron, Daily, Schedule
from webwx.bot.timers import TimerRegistry
from webwx.installation import install_command


async def tick(ctx: object) -> None:
    """Do nothing."""


def dues(schedule: Schedule, since: datetime, days: int) -> list[str]:
    """Return the times of day at which a timer is due over some days, by the local clock."""
    moment, until = since.timestamp(), (since + timedelta(days=days)).timestamp()
    found = []
    while (moment := schedule.following(moment, 0)) < until:
        assert schedule.latest(moment, 0.0) == moment
        assert schedule.latest(moment - 0.5, 0) < moment
        found.append(datetime.fromtimestamp(moment, since.tzinfo).strftime("%d %H:%M:%S %Z"))
    return found


def schedule_of(at: str, timezone: str) -> Daily:
    table = TimerRegistry()
    table.daily(at, timezone=timezone)(tick)
    schedule = table.timers[0].schedule
    assert isinstance(schedule, Daily)
    return schedule


def test_a_time_that_the_clock_skips_is_due_right_afterwards() -> None:
    since = datetime(2026, 3, 7, tzinfo=ZoneInfo("America/New_York"))
    expected = ["07 02:30:00 EST", "08 03:00:00 EDT", "09 02:30:00 EDT"]
    assert dues(schedule_of("02:30", "America/New_York"), since, 3) == expected


def test_a_time_that_occurs_twice_is_due_once() -> None:
    since = datetime(2026, 10, 31, tzinfo=ZoneInfo("America/New_York"))
    expected = ["31 01:30:00 EDT", "01 01:30:00 EDT", "02 01:30:00 EST"]
    assert dues(schedule_of("01:30", "America/New_York"), since, 3) == expected


def test_a_time_on_a_skipped_day_is_due_at_its_end() -> None:
    since = datetime(2011, 12, 29, tzinfo=ZoneInfo("Pacific/Apia"))
    expected = ["29 08:30:00 -10", "31 00:00:00 +14", "31 08:30:00 +14"]
    assert dues(schedule_of("08:30", "Pacific/Apia"), since, 3) == expected


# -- cron ------------------------------------------------------------------------------------------------------------

NEW_YORK = ZoneInfo("America/New_York")


def cron(expression: str, zone: ZoneInfo | None = NEW_YORK) -> Cron:
    return Cron(expression, zone)


def test_cron_expression_is_due_at_its_times() -> None:
    since = datetime(2026, 6, 5, 16, 50, tzinfo=NEW_YORK)  # A Friday.
    expected = ["08 16:00:00 EDT", "08 16:15:00 EDT", "08 16:30:00 EDT", "08 16:45:00 EDT"]
    assert dues(cron("*/15 16 * * mon-fri"), since, 3) == expected


def test_cron_expression_with_six_fields_begins_with_the_second() -> None:
    since = datetime(2026, 6, 5, 12, tzinfo=NEW_YORK)
    assert dues(cron("30 0 9 * * *"), since, 1) == ["06 09:00:30 EDT"]


def test_cron_time_that_the_clock_skips_is_due_right_afterwards() -> None:
    since = datetime(2026, 3, 7, tzinfo=NEW_YORK)
    assert dues(cron("30 2 * * *"), since, 3) == ["07 02:30:00 EST", "08 03:00:00 EDT", "09 02:30:00 EDT"]


def test_cron_time_that_occurs_twice_is_due_once() -> None:
    since = datetime(2026, 10, 31, tzinfo=NEW_YORK)
    assert dues(cron("30 1 * * *"), since, 3) == ["31 01:30:00 EDT", "01 01:30:00 EDT", "02 01:30:00 EST"]


def test_hourly_cron_expression_follows_elapsed_time_through_both_changes() -> None:
    spring, autumn = datetime(2026, 3, 8, tzinfo=NEW_YORK), datetime(2026, 11, 1, tzinfo=NEW_YORK)
    for day in (spring, autumn):
        times, moment = [day.timestamp()], day.timestamp()
        while len(times) < 6:
            moment = cron("0 * * * *").following(moment, 0.0)
            times.append(moment)
        assert all(after - before == 3600.0 for before, after in pairwise(times))


def test_a_time_in_the_second_of_two_equal_hours_is_followed_by_a_later_one() -> None:
    second = datetime(2026, 11, 1, 1, 10, tzinfo=NEW_YORK, fold=1).timestamp()
    due = cron("45 1 * * *").following(second, 0.0)
    assert datetime(2026, 11, 2, 1, 45, tzinfo=NEW_YORK) == datetime.fromtimestamp(due, NEW_YORK)


@pytest.mark.parametrize(
    ("expression", "latest"),
    [
        ("* * * * *", (2026, 6, 5, 12, 30)),
        ("0 * * * *", (2026, 6, 5, 12, 0)),
        ("0 9 * * *", (2026, 6, 5, 9, 0)),
        ("0 0 1 * *", (2026, 6, 1, 0, 0)),
        ("0 0 1 1 *", (2026, 1, 1, 0, 0)),
        ("0 0 29 2 *", (2024, 2, 29, 0, 0)),
    ],
)
def test_latest_time_of_a_rare_schedule_is_found(expression: str, latest: tuple[int, ...]) -> None:
    now = datetime(2026, 6, 5, 12, 30, 7, tzinfo=NEW_YORK)
    found = cron(expression).latest(now.timestamp(), 0.0)
    assert datetime(*latest, tzinfo=NEW_YORK) == datetime.fromtimestamp(found, NEW_YORK)  # type: ignore[arg-type,misc]  # five numbers


def test_latest_time_is_never_before_the_last_that_was_handled() -> None:
    now = datetime(2026, 6, 5, 12, 30, tzinfo=NEW_YORK).timestamp()
    assert now - 60 == cron("0 9 * * *").latest(now, now - 60)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no time.tzset")
def test_cron_without_a_time_zone_follows_the_clock_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        for first in (datetime(2026, 3, 7, tzinfo=NEW_YORK), datetime(2026, 10, 31, tzinfo=NEW_YORK)):
            for expression in ("30 2 * * *", "30 1 * * *", "0 * * * *", "*/20 1 * * *"):
                expected = dues(cron(expression), first, 3)
                assert expected == dues(cron(expression, None), first, 3)
        noon = datetime(2026, 6, 5, 16, tzinfo=UTC).astimezone(MACHINE_ZONE)
        assert (noon.hour, noon.tzname(), noon.dst()) == (12, "EDT", None)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "wrong number of fields"),
        ("* * * *", "wrong number of fields"),
        ("60 * * * *", "bad minute"),
        ("* * * * monday", "bad day-of-week"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("@daily", "wrong number of fields"),
    ],
)
def test_invalid_cron_expression_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"is not a cron expression: {reason}"):
        TimerRegistry().cron(expression)


def test_cron_expression_that_is_never_due_is_refused() -> None:
    with pytest.raises(ValueError, match=r"The cron expression '0 0 \*/30 2 mon#2' is never due"):
        TimerRegistry().cron("0 0 */30 2 mon#2")


def test_cron_without_its_extra_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cronsim", None)
    with pytest.raises(ValueError, match=re.escape(f"need the package cronsim: {install_command('cron')}.")):
        TimerRegistry().cron("0 9 * * *")


# -- names -----------------------------------------------------------------------------------------------------------


def test_weekly_is_daily_on_one_weekday() -> None:
    table = TimerRegistry()
    table.weekly("mon", "09:00", timezone="Asia/Shanghai")(tick)
    (timer,) = table.timers
    assert timer.name == "tick daily 09:00:00 Asia/Shanghai mon"


def test_cron_timer_is_named_after_its_expression() -> None:
    table = TimerRegistry()
    table.cron("0  9 * * mon", timezone="Asia/Shanghai")(tick)
    assert [timer.name for timer in table.timers] == ["tick cron 0 9 * * mon Asia/Shanghai"]
