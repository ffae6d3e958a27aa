"""
Timers: handlers that are called by the clock.

`every` goes by elapsed time, whatever happens to the machine's clock, and `daily` by the wall clock of a zone. The
journal keeps of each timer when it was last due and whether that is done with. So a call that a dead process left
unfinished is made again under the same name, and its sends are the same sends; what was due while no process ran is
skipped, unless the timer wants to catch up.
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
from webwx.bot.router import check_signature
from webwx.client.retry import retry
from webwx.client.scheduler import JobScheduler
from webwx.errors import LoggedOut, NotLoggedIn, StorageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.storage.base import AccountJournal

TimerHandler = Callable[["Context"], Awaitable[object]] | Callable[["SyncContext"], object]
"""What a timer calls."""

Handler = TypeVar("Handler", bound=Callable[..., object])
T = TypeVar("T")

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAY = timedelta(days=1)

_LOOK = 60.0
"""Seconds after which the wall clock is looked at again, since it may be put forward or back."""

_CLOCK_WAS_WRONG = 25 * 3600.0
"""Seconds that a daily timer's last call may lie in the future; beyond it, the clock of that time was wrong."""

_log = logging.getLogger("webwx.bot")


# -- when ------------------------------------------------------------------------------------------------------------


class Schedule(Protocol):
    """When a timer is due. Moments are seconds since 1970; `last` is the last one that is dealt with."""

    @property
    def is_wall_clock(self) -> bool:
        """It goes by the wall clock, not by elapsed time."""
        ...

    @property
    def tolerance(self) -> float:
        """Seconds that `last` may lie in the future; beyond it, the clock was wrong and all begins anew."""
        ...

    def latest(self, now: float, last: float) -> float:
        """Give when it was due last; nothing after `last` when it was not due since."""
        ...

    def following(self, now: float, last: float) -> float:
        """Give when it is due next."""
        ...


@dataclass(frozen=True)
class Every:
    """Again and again after so much time."""

    seconds: float
    is_wall_clock = False
    tolerance = 0.0

    def __str__(self) -> str:
        return f"every {self.seconds:g} s"

    def latest(self, now: float, last: float) -> float:
        """Give when it was due last."""
        return last + math.floor((now - last) / self.seconds) * self.seconds

    def following(self, now: float, last: float) -> float:
        """Give when it is due next."""
        return self.latest(now, last) + self.seconds


@dataclass(frozen=True)
class Daily:
    """Once on each day, or on some weekdays, by the wall clock of a zone."""

    at: time_of_day
    zone: tzinfo | None
    """None: the machine's."""
    weekdays: frozenset[int]
    """0 is Monday."""
    is_wall_clock = True
    tolerance = _CLOCK_WAS_WRONG

    def __str__(self) -> str:
        days = "" if len(self.weekdays) == 7 else f" {','.join(_WEEKDAYS[day] for day in sorted(self.weekdays))}"
        return f"daily {self.at:%H:%M:%S}{f' {self.zone}' if self.zone else ''}{days}"

    def latest(self, now: float, last: float) -> float:
        """Give when it was due last."""
        del last
        day = _local(now, self.zone).date() + _DAY
        while (due := self._moment(day)) is None or due > now:
            day -= _DAY
        return due

    def following(self, now: float, last: float) -> float:
        """Give when it is due next."""
        del last
        day = _local(now, self.zone).date() - _DAY
        while (due := self._moment(day)) is None or due <= now:
            day += _DAY
        return due

    def _moment(self, day: date) -> float | None:
        """Give when it is due on a day; None on one that is left out."""
        if day.weekday() not in self.weekdays:
            return None
        wanted = datetime.combine(day, self.at)
        moment = wanted.replace(tzinfo=self.zone).timestamp()  # of two, the first
        if _local(moment, self.zone) == wanted:
            return moment
        # The clock is put forward over it: the first second after that.
        before = wanted.replace(tzinfo=self.zone, fold=1).timestamp()
        seconds = range(math.floor(before), math.floor(moment))
        return float(seconds[0] + bisect_left(seconds, True, key=lambda second: _local(second, self.zone) >= wanted))


def _local(moment: float, zone: tzinfo | None) -> datetime:
    """Give what the wall clock of a zone shows."""
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None)


_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def _time_of_day(at: str) -> time_of_day:
    found = _TIME.fullmatch(at) if isinstance(at, str) else None
    if found is not None:
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        with suppress(ValueError):
            return time_of_day(hours, minutes, seconds)
    raise ValueError(f"{at!r} is no time of day; write one as '08:30'.")


def _zone(timezone: str | tzinfo | None) -> tzinfo | None:
    if not isinstance(timezone, str):
        return timezone
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if not available_timezones():
            raise ValueError("This system knows no time zones; 'pip install tzdata' brings them.") from None
        raise ValueError(f"{timezone!r} is no time zone; one is called, for instance, 'Asia/Shanghai'.") from None


def _weekdays(names: Collection[Weekday]) -> frozenset[int]:
    if not set(names) <= set(_WEEKDAYS):
        raise ValueError(f"The weekdays cannot be {names!r}; give some of {', '.join(map(repr, _WEEKDAYS))}.")
    return frozenset(map(_WEEKDAYS.index, names))


# -- what ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Timer:
    """A handler and when it is called."""

    name: str
    """Names it in the journal and in the keys of its sends, so it should stay when the program changes."""
    schedule: Schedule
    handler: TimerHandler
    catch_up: bool
    """What was due while no process ran is made up for, once."""


class TimerRegistry:
    """Where timers are noted down."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []
        """In the order in which they were noted."""

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
        Call a handler again and again, after so much time, as in `@bot.every(minutes=5)`.

        The first call comes when that much has passed since the bot first ran, and a restart does not begin it anew. A
        handler that takes longer than that is not called a second time beside itself: what was due meanwhile is
        skipped. Its errors go to `on_error`, with None for the event, and the timer goes on.

        Args:
            days: Added to the others.
            hours: Added to the others.
            minutes: Added to the others.
            seconds: Added to the others; together they make a second or more.
            catch_up: When it was due while no process ran, call it once as soon as one does.
            name: Names it in the journal; by default the function's name and the schedule do.

        Raises:
            ValueError: That is less than a second, or the bot has this timer already.
        """
        total = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        if total < 1:
            raise ValueError("A timer needs a second or more between two calls, as in every(minutes=5).")
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

        It goes by the wall clock of the zone. Where that is put forward over the time, the call comes right after;
        where a time comes twice, with the first. When the clock is set, that is noticed within a minute. For the
        handler see `every`.

        Args:
            at: Hours and minutes, and seconds if you like.
            timezone: Such as `Asia/Shanghai`; None: the machine's.
            weekdays: Such as `("mon", "fri")`; all by default.
            catch_up: When it was due while no process ran, call it once as soon as one does.
            name: Names it in the journal; by default the function's name and the schedule do.

        Raises:
            ValueError: There is no such time, zone or weekday, or the bot has this timer already.
        """
        days = _weekdays(weekdays)
        if not days:
            raise ValueError("A daily timer without a weekday would never be due.")
        return self._register(Daily(_time_of_day(at), _zone(timezone), days), catch_up, name)

    def _register(self, schedule: Schedule, catch_up: bool, name: str) -> Callable[[Handler], Handler]:
        def note(handler: Handler) -> Handler:
            check_signature(handler, 1, "A timer's function is called with a context")
            qualified: str = getattr(handler, "__qualname__", type(handler).__qualname__)
            own = name or f"{qualified.rpartition('<locals>.')[2]} {schedule}"
            if any(timer.name == own for timer in self.timers):
                raise ValueError(f"There is a timer {own!r} already; give this one a name of its own with name=.")
            self.timers.append(Timer(own, schedule, handler, catch_up))
            return handler

        return note


# -- at work ---------------------------------------------------------------------------------------------------------


class _TimerRecord(msgspec.Struct, frozen=True):
    """What the journal keeps of a timer."""

    due: float
    """When it was last due, as far as that is dealt with."""
    is_done: bool


class _TimerState:
    """Where a timer is."""

    def __init__(self, timer: Timer) -> None:
        self.timer = timer
        self.last = 0.0
        """The last moment at which it was due and that is dealt with, or on its way."""
        self.unfinished: float | None = None
        """The moment of a call that another process has begun and not ended."""


class Timers:
    """
    The timers of one bot.

    Args:
        timers: All of them.
        part: Where it is kept what was called.
        call: Calls a timer's handler, whose sends have keys that begin with the text given. What it raises is logged,
            and the timer goes on; but after a `LoggedOut` the call is not done with, and the next `run` makes it again
            unless the timer is due anew by then.
        bot: The bot's name.
        clock: The wall clock: seconds since 1970.
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
        """From the loop's clock to a time since 1970 that nobody sets."""
        self._failure: asyncio.Future[None]
        self._scheduler = JobScheduler(self._fail)

    async def run(self) -> None:
        """Call them until it is cancelled; then handlers that run may take ten seconds to end."""
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
        """Give the moment at which a timer was due and that is not dealt with; of several the latest."""
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
                _log.warning("%s: the timer %s was due again before it had ended.", self._bot, timer.name)
        return self._seconds_left(state)

    def _seconds_left(self, state: _TimerState) -> float:
        schedule = state.timer.schedule
        now = self._now(state.timer)
        left = schedule.following(now, state.last) - now
        return min(left, _LOOK) if schedule.is_wall_clock else left

    async def _fire(self, timer: Timer, due: float) -> None:
        """Call a handler, and keep that it is called and that it is done."""
        await self._save(timer, due, is_done=False)
        try:
            await self._call(timer, f"{self._bot}/{timer.name}/{due:.3f}")
        except BaseException as error:
            # These two are ours; whatever else a handler raises is its own, even a cancellation.
            if self._scheduler.is_closed or isinstance(error, KeyboardInterrupt):
                raise
            _log.error(
                "%s: the timer %s failed: %s.\n%s",
                self._bot, timer.name, describe(error), trace(error, with_messages=self._is_debug),
            )  # fmt: skip
            if isinstance(error, (LoggedOut, NotLoggedIn)):
                return
        await self._save(timer, due, is_done=True)

    # -- keeping -----------------------------------------------------------------------------------------------------

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
