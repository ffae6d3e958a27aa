"""Times as users type them, a date, a time of day, or an age, and as they are shown."""

from __future__ import annotations

import datetime
import re
import time
from typing import TYPE_CHECKING

import click

from webwx.cli.language import _

if TYPE_CHECKING:
    from typing import Any

    from webwx.cli.output import Screen

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_DAYS_OF_A_WEEK = 7
_DAY = re.compile(r"\d{4}-\d\d-\d\d")

EXAMPLES = "2026-11-24, '2026-11-24 10:30', 10:30 (today) or 30d (ago; also s, m, h, w)"
"""Examples for help texts."""


def shown_time(seconds: float, screen: Screen, now: float | None = None) -> str:
    """
    Return a time in this machine's time zone: on a terminal as a person says it, in a pipe as date and time of day.

    Args:
        seconds: Seconds since 1970; 0: an empty text.
        screen: Where it is shown.
        now: The present time.
    """
    if not seconds:
        return ""
    when = datetime.datetime.fromtimestamp(seconds).astimezone()
    if screen.width is None:
        return f"{when:%Y-%m-%d %H:%M}"
    present = datetime.datetime.fromtimestamp(time.time() if now is None else now).astimezone()
    age, days = present.timestamp() - seconds, (present.date() - when.date()).days
    if age < 0 or days > _DAYS_OF_A_WEEK - 1:
        return f"{when:%Y-%m-%d}"
    if age < _SECONDS["m"]:
        return _("just now")
    if age < _SECONDS["h"]:
        return _("{minutes} min ago").format(minutes=int(age // _SECONDS["m"]))
    if days == 0:
        return f"{when:%H:%M}"
    return _("yesterday") if days == 1 else _("{days} days ago").format(days=days)


def clock_time(seconds: float, clock: str) -> str:
    """Format a time in this machine's time zone."""
    return time.strftime(clock, time.localtime(seconds))


class Moment(click.ParamType[float]):
    """
    Seconds since 1970, parsed from text.

    Args:
        is_end: Whether a date without a time of day means the end of that day.
    """

    name = "TIME"

    def __init__(self, *, is_end: bool = False) -> None:
        self._is_end = is_end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse a time in this machine's time zone."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        if ago := _AGO.fullmatch(text):
            return time.time() - int(ago[1]) * _SECONDS[ago[2]]
        try:
            return self._read(text).timestamp()
        except (ValueError, OverflowError, OSError):
            self.fail(
                _("{text!r} is not a time; write one such as {examples}.").format(text=text, examples=EXAMPLES),
                param,
                ctx,
            )

    def _read(self, text: str) -> datetime.datetime:
        if _DAY.fullmatch(text):
            day = datetime.datetime.fromisoformat(text).astimezone()
            return day + datetime.timedelta(days=1, microseconds=-1) if self._is_end else day
        if ":" in text and "-" not in text:
            today = datetime.datetime.now().astimezone().date()
            return datetime.datetime.combine(today, datetime.time.fromisoformat(text)).astimezone()
        return datetime.datetime.fromisoformat(text).astimezone()
