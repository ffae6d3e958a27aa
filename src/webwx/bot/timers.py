"""
Timers: handlers that are called at certain times.

`every` measures elapsed time, even if the machine's clock is set, and `daily` follows the wall clock of a time zone.
The journal stores when each timer was last due and whether that call has ended. So a call that was interrupted by a
crash is made again with the same keys, and its sends are the same sends. Calls that were due while no process ran are
skipped, unless the timer has `catch_up`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from webwx.bot.chat_queues import DRAIN_TIMEOUT
from webwx.bot.failures import describe, trace
from webwx.bot.signatures import check_signature
from webwx.client.retry import retry
from webwx.client.scheduler import JobScheduler
from webwx.errors import LoggedOut, NotLoggedIn, StorageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.storage.base import AccountJournal

TimerHandler = Callable[["Context"], Awaitable[object]] | Callable[["SyncContext"], object]
"""Handler of a timer."""

Handler = TypeVar("Handler", bound=Callable[..., object])
T = TypeVar("T")

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAY = timedelta(days=1)

_LOOK = 60.0
"""Greatest number of seconds between two looks at the wall clock, which may be set at any time."""

_CLOCK_WAS_WRONG = 25 * 3600.0
"""Seconds that a daily timer's last call may lie in the future; beyond it, the clock was wrong at that call."""

_log = logging.getLogger("webwx.bot")


# -- schedules -------------------------------------------------------------------------------------------------------


class Schedule(Protocol):
    """The times at which a timer is due, in seconds since 1970; `last` is the latest one that was handled."""

    @property
    def is_wall_clock(self) -> bool:
        """Whether it follows the wall clock, not elapsed time."""
        ...

    @property
    def tolerance(self) -> float:
        """Seconds that `last` may lie in the future; beyond it, the clock was wrong and the schedule starts now."""
        ...

    def latest(self, now: float, last: float) -> float:
        """Return the latest time at which it was due; not after `last` if it was not due since."""
        ...

    def following(self, now: float, last: float) -> float:
        """Return the next time at which it is due."""
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
        """Return the latest time at which it was due."""
        return last + math.floor((now - last) / self.seconds) * self.seconds

    def following(self, now: float, last: float) -> float:
        """Return the next time at which it is due."""
        return self.latest(now, last) + self.seconds


@dataclass(frozen=True)
class Daily:
    """Due once a day, or on some weekdays, by the wall clock of a time zone."""

    at: time_of_day
    zone: tzinfo | None
    """Time zone; None: the machine's."""
    weekdays: frozenset[int]
    """0 is Monday."""
    is_wall_clock = True
    tolerance = _CLOCK_WAS_WRONG

    def __str__(self) -> str:
        days = "" if len(self.weekdays) == 7 else f" {','.join(_WEEKDAYS[day] for day in sorted(self.weekdays))}"
        return f"daily {self.at:%H:%M:%S}{f' {self.zone}' if self.zone else ''}{days}"

    def latest(self, now: float, last: float) -> float:
        """Return the latest time at which it was due."""
        del last
        day = _local(now, self.zone).date() + _DAY
        while (due := self._moment(day)) is None or due > now:
            day -= _DAY
        return due

    def following(self, now: float, last: float) -> float:
        """Return the next time at which it is due."""
        del last
        day = _local(now, self.zone).date() - _DAY
        while (due := self._moment(day)) is None or due <= now:
            day += _DAY
        return due

    def _moment(self, day: date) -> float | None:
        """Return the time at which it is due on a day; None on a weekday without one."""
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


def _local(moment: float, zone: tzinfo | None) -> datetime:
    """Return what the wall clock of a time zone shows."""
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None)


_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def _time_of_day(at: str) -> time_of_day:
    found = _TIME.fullmatch(at) if isinstance(at, str) else None
    if found is not None:
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        with suppress(ValueError):
            return time_of_day(hours, minutes, seconds)
    raise ValueError(f"{at!r} is not a time of day; write one like '08:30'.")


def _zone(timezone: str | tzinfo | None) -> tzinfo | None:
    if not isinstance(timezone, str):
        return timezone
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if not available_timezones():
            raise ValueError("This system has no time zone database; 'pip install tzdata' installs one.") from None
        raise ValueError(f"{timezone!r} is not a time zone; write one like 'Asia/Shanghai'.") from None


def _weekdays(names: Collection[Weekday]) -> frozenset[int]:
    if not set(names) <= set(_WEEKDAYS):
        raise ValueError(f"The weekdays cannot be {names!r}; give some of {', '.join(map(repr, _WEEKDAYS))}.")
    return frozenset(map(_WEEKDAYS.index, names))


# -- timers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Timer:
    """A handler and its schedule."""

    name: str
    """Name in the journal and in the keys of its sends; keep it when the program changes."""
    schedule: Schedule
    handler: TimerHandler
    catch_up: bool
    """Whether it is called once for all times that were due while no process ran."""


class TimerRegistry:
    """The timers of a bot, and the decorators that register them."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []
        """Timers in the order in which they were registered."""

    def every(
        self,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        catch_up: bool = False,
        name: str = "",
    ) -> Callable[[Handler], Handler]:
        """
        Call a handler after each interval, as in `@bot.every(minutes=5)`.

        The first call is one interval after the bot first ran, and a restart does not restart the interval. A handler
        is never called while its previous call is running: what is due meanwhile is skipped. Errors are passed to
        `on_error`, with None for the event, and the timer continues.

        Args:
            days: Days of the interval.
            hours: Hours of the interval.
            minutes: Minutes of the interval.
            seconds: Seconds of the interval; all four are added, to a second or more.
            catch_up: Call the handler once at the start if it was due while no process ran.
            name: Name in the journal; default: the function's name and the schedule.

        Raises:
            ValueError: The interval is less than a second, or the bot has a timer of this name already.
        """
        total = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        if total < 1:
            raise ValueError("The interval of a timer is a second or more, as in every(minutes=5).")
        return self._register(Every(total), catch_up, name)

    def daily(
        self,
        at: str,
        *,
        timezone: str | tzinfo | None = None,
        weekdays: Collection[Weekday] = _WEEKDAYS,
        catch_up: bool = False,
        name: str = "",
    ) -> Callable[[Handler], Handler]:
        """
        Call a handler once a day, as in `@bot.daily("08:30", timezone="Asia/Shanghai")`.

        The time is that of the zone's wall clock. If the clock is put forward over it, the call is made right after
        the change; if it occurs twice, at the first one. A clock that was set is noticed within a minute. For the
        handler see `every`.

        Args:
            at: Hours and minutes, or hours, minutes and seconds.
            timezone: A time zone such as `Asia/Shanghai`; None: the machine's.
            weekdays: Weekdays such as `("mon", "fri")`; default: all.
            catch_up: Call the handler once at the start if it was due while no process ran.
            name: Name in the journal; default: the function's name and the schedule.

        Raises:
            ValueError: The time, zone or weekday is invalid, or the bot has a timer of this name already.
        """
        days = _weekdays(weekdays)
        if not days:
            raise ValueError("A daily timer needs at least one weekday.")
        return self._register(Daily(_time_of_day(at), _zone(timezone), days), catch_up, name)

    def _register(self, schedule: Schedule, catch_up: bool, name: str) -> Callable[[Handler], Handler]:
        def note(handler: Handler) -> Handler:
            check_signature(handler, 1, "A timer's handler is called with a context")
            qualified: str = getattr(handler, "__qualname__", type(handler).__qualname__)
            own = name or f"{qualified.rpartition('<locals>.')[2]} {schedule}"
            if any(timer.name == own for timer in self.timers):
                raise ValueError(f"There is a timer {own!r} already; give this one another name with name=.")
            self.timers.append(Timer(own, schedule, handler, catch_up))
            return handler

        return note


# -- calling handlers ------------------------------------------------------------------------------------------------


class _TimerRecord(msgspec.Struct, frozen=True):
    """State of a timer in the journal."""

    due: float
    """Latest time at which it was due and was called or skipped."""
    is_done: bool


class _TimerState:
    """State of a timer in this process."""

    def __init__(self, timer: Timer) -> None:
        self.timer = timer
        self.last = 0.0
        """Latest time at which it was due and was called or skipped."""
        self.unfinished: float | None = None
        """Time of a call that an earlier process has begun and not ended."""


class Timers:
    """
    Calls the handlers of one bot's timers when they are due.

    Args:
        timers: The bot's timers.
        part: The account's part of the journal.
        call: Calls a timer's handler; the second argument is the prefix of the keys of its sends. Its errors are
            logged, and the timer continues; but after `LoggedOut` the call counts as unfinished, and the next `run`
            repeats it unless the timer is due again by then.
        bot: The bot's name.
        clock: The wall clock, in seconds since 1970.
        debug: Log the messages of exceptions, which may hold text of a chat.
    """

    def __init__(
        self,
        timers: Sequence[Timer],
        part: AccountJournal,
        call: Callable[[Timer, str], Awaitable[object]],
        *,
        bot: str,
        clock: Callable[[], float] = time.time,
        debug: bool = False,
    ) -> None:
        self._timers = timers
        self._part = part
        self._call = call
        self._bot = bot
        self._is_debug = debug
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._ahead = 0.0
        """Difference between the loop's clock and a time since 1970 that does not follow changes of the wall clock."""
        self._failure: asyncio.Future[None]
        self._scheduler = JobScheduler(self._fail)

    async def run(self) -> None:
        """Call handlers until this is cancelled; then running ones may take ten seconds to end."""
        self._ahead = self._clock() - self._loop.time()
        self._failure = self._loop.create_future()
        try:
            for timer in self._timers:
                state = await self._begin(timer)
                self._scheduler.schedule(timer.name, partial(self._call_if_due, state))
            await self._failure
        finally:
            await self._scheduler.close(grace=DRAIN_TIMEOUT)

    def _fail(self, _: str, error: BaseException) -> None:
        """End `run` with the error of a timer that is not its handler's."""
        if not self._failure.done():
            self._failure.set_exception(error)

    async def _begin(self, timer: Timer) -> _TimerState:
        """Continue where the last process was."""
        state = _TimerState(timer)
        kept = await self._use_journal(lambda: self._part.state(self._name(timer)))
        now = self._now(timer)
        if not kept:
            state.last = now
            await self._save(timer, state.last, is_done=True)
            return state
        record = msgspec.json.decode(kept, type=_TimerRecord)
        state.last = record.due
        missed = self._due(state, now)
        if missed is None and not record.is_done:
            state.unfinished = record.due
        elif missed is not None and not timer.catch_up:
            state.last = missed
        return state

    def _now(self, timer: Timer) -> float:
        return self._clock() if timer.schedule.is_wall_clock else self._loop.time() + self._ahead

    def _due(self, state: _TimerState, now: float) -> float | None:
        """Return the latest time at which a timer was due and was neither called nor skipped; None without one."""
        schedule = state.timer.schedule
        if state.last - now > schedule.tolerance:
            state.last = now
        latest = schedule.latest(now, state.last)
        return latest if latest > state.last else None

    async def _call_if_due(self, state: _TimerState) -> float:
        """Call a timer's handler if it is due; return the seconds until the next look."""
        timer = state.timer
        due, state.unfinished = state.unfinished, None
        if due is None:
            due = self._due(state, self._now(timer))
        if due is not None:
            state.last = due
            await self._fire(timer, due)
            skipped = self._due(state, self._now(timer))
            if skipped is not None:
                state.last = skipped
                _log.warning(
                    "%s: the timer %s was due again before its previous call had ended.", self._bot, timer.name
                )
        return self._seconds_left(state)

    def _seconds_left(self, state: _TimerState) -> float:
        schedule = state.timer.schedule
        now = self._now(state.timer)
        left = schedule.following(now, state.last) - now
        return min(left, _LOOK) if schedule.is_wall_clock else left

    async def _fire(self, timer: Timer, due: float) -> None:
        """Call a handler; store before it that the call has begun, and after it that the call has ended."""
        await self._save(timer, due, is_done=False)
        try:
            await self._call(timer, f"{self._bot}/{timer.name}/{due:.3f}")
        except BaseException as error:
            # Anything else that a handler raises is its failure, even a cancellation.
            if self._scheduler.is_closed or isinstance(error, KeyboardInterrupt):
                raise
            _log.error(
                "%s: the timer %s failed: %s.\n%s",
                self._bot, timer.name, describe(error), trace(error, with_messages=self._is_debug),
            )  # fmt: skip
            if isinstance(error, (LoggedOut, NotLoggedIn)):
                return
        await self._save(timer, due, is_done=True)

    # -- journal -----------------------------------------------------------------------------------------------------

    def _name(self, timer: Timer) -> str:
        return f"timers/{self._bot}/{timer.name}"

    async def _save(self, timer: Timer, due: float, *, is_done: bool) -> None:
        record = msgspec.json.encode(_TimerRecord(due, is_done))
        await self._use_journal(lambda: self._part.change_state(self._name(timer), lambda _: record))

    async def _use_journal(self, use: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Use the journal, and retry until it succeeds; log the first failure."""

        def is_worth_it(error: StorageError, failures: int) -> bool:
            if failures == 1:
                _log.error("%s: the journal fails and is retried until it succeeds: %s", self._bot, error)
            return True

        return await retry(use, StorageError, is_worth_it=is_worth_it)
