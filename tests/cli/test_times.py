"""Times as users type them."""

from __future__ import annotations

import datetime
import time

import click
import pytest

from webwx.cli.output import Screen
from webwx.cli.times import Moment, shown_time


def local(*parts: int) -> float:
    return datetime.datetime(*parts).astimezone().timestamp()  # type: ignore[arg-type]  # mypy takes any for a zone


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24", local(2026, 11, 24)),
        ("2026-11-24 10:30", local(2026, 11, 24, 10, 30)),
        ("2026-11-24T10:30:15", local(2026, 11, 24, 10, 30, 15)),
        ("2026-11-24T10:30:15+00:00", 1795516215.0),
    ],
)
def test_a_date_without_a_zone_is_in_the_zone_of_this_machine(text: str, moment: float) -> None:
    assert Moment().convert(text, None, None) == moment


def test_a_date_as_an_end_includes_the_whole_day() -> None:
    end = Moment(is_end=True).convert("2026-11-24", None, None)
    assert local(2026, 11, 25) - 1 < end < local(2026, 11, 25)
    assert Moment(is_end=True).convert("2026-11-24 10:30", None, None) == local(2026, 11, 24, 10, 30)


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("10m", 600), ("2h", 7200), ("30d", 30 * 86_400), ("2w", 14 * 86_400)]
)
def test_a_duration_counts_back_from_now(text: str, seconds: int) -> None:
    before = time.time()
    moment = Moment().convert(text, None, None)
    assert before - seconds <= moment <= time.time() - seconds


def test_a_time_of_day_is_today() -> None:
    midnight = datetime.datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    assert Moment().convert("00:00", None, None) in {midnight.timestamp(), midnight.timestamp() + 86_400}


@pytest.mark.parametrize("text", ["", "soon", "30", "30y", "2026-13-01", "25:00", "99999999d", "0001-01-01"])
def test_an_invalid_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(click.BadParameter, match="30d"):
        Moment().convert(text, None, None)


NOON = local(2026, 12, 1, 12)


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (0.0, ""),
        (NOON - 5, "just now"),
        (NOON - 150, "2 min ago"),
        (NOON - 3 * 3_600, "09:00"),
        (local(2026, 11, 30, 23), "yesterday"),
        (local(2026, 11, 26, 1), "5 days ago"),
        (local(2026, 11, 24, 23), "2026-11-24"),
        (NOON + 60, "2026-12-01"),
    ],
)
def test_a_terminal_shows_how_long_ago_a_time_was(moment: float, shown: str) -> None:
    assert shown_time(moment, Screen(width=80), NOON) == shown


def test_a_pipe_gets_date_and_time_of_day() -> None:
    assert shown_time(NOON - 5, Screen(), NOON) == "2026-12-01 11:59"


def test_a_time_that_is_not_known_is_empty() -> None:
    assert shown_time(0, Screen()) == ""
