"""
Timers: handlers that are called at certain times.

The journal stores when each timer was last due and whether that call has ended. So a call that was interrupted by a
crash is made again with the same keys, and its sends are the same sends. Calls that were due while no process ran are
skipped, unless the timer has `catch_up`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Never, TypeVar

import msgspec

from webwx.bot.chat_queues import DRAIN_TIMEOUT
from webwx.bot.journal import use_journal
from webwx.bot.log_fields import log_fields
from webwx.bot.one_shot_timers import TimerCounts
from webwx.bot.schedules import WEEKDAYS, Cron, Daily, Every, parse_time, parse_weekdays, parse_zone
from webwx.bot.signatures import check_injectable
from webwx.client.scheduler import JobScheduler
from webwx.errors import LoggedOut, NotLoggedIn

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import tzinfo

    from webwx.bot.context import Context
    from webwx.bot.failures import FailureReports
    from webwx.bot.one_shot_timers import OneShotHandler
    from webwx.bot.schedules import Schedule, Weekday
    from webwx.bot.sync_context import SyncContext
    from webwx.storage.base import AccountJournal

TimerHandler = Callable[["Context"], Awaitable[object]] | Callable[["SyncContext"], object]
"""Handler of a timer."""

Handler = TypeVar("Handler", bound=Callable[..., object])

_CHECK_EVERY = 60.0
"""Maximum number of seconds between two checks of the wall clock, which may be set at any time."""

_log = logging.getLogger("webwx.bot")


# -- timers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Timer:
    """A handler and its schedule."""

    name: str
    """Name in the journal and in the keys of its sends; keep it when the program changes."""
    schedule: Schedule
    handler: TimerHandler
    catch_up: bool
    """Whether the handler is called once for all times that were due while no process ran."""


class TimerRegistry:
    """The timers of a bot, and the decorators that register them."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []
        """Timers in the order in which they were registered."""
        self.timer_handlers: dict[str, OneShotHandler] = {}
        """Handlers of one-shot timers by their names."""

    def every(
        self,
        *unitless: Never,
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
            unitless: Nothing: a number needs a unit, as in `minutes=5`.
            days: Days of the interval.
            hours: Hours of the interval.
            minutes: Minutes of the interval.
            seconds: Seconds of the interval; all four are added, to a second or more.
            catch_up: Call the handler once at the start if it was due while no process ran.
            name: Name in the journal; default: the function's name and the schedule.

        Raises:
            TypeError: A number has no unit.
            ValueError: The interval is less than a second, or the bot has a timer of this name already.
        """
        if unitless:
            raise TypeError("The interval of a timer needs a unit, as in @bot.every(minutes=5) or every(seconds=30).")
        total = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        if total < 1:
            raise ValueError("The interval of a timer must be at least a second, as in every(minutes=5).")
        return self._register(Every(total), catch_up, name)

    def daily(
        self,
        at: str,
        *,
        timezone: str | tzinfo | None = None,
        weekdays: Collection[Weekday] = WEEKDAYS,
        catch_up: bool = False,
        name: str = "",
    ) -> Callable[[Handler], Handler]:
        """
        Call a handler once a day, as in `@bot.daily("08:30", timezone="Asia/Shanghai")`.

        The time is that of the zone's wall clock. If the change to summer time skips it, the call is made right after
        the change; if it occurs twice, at the first one. If the clock was set, the timer is adjusted within a minute.
        For the handler see `every`.

        Args:
            at: Hours and minutes, or hours, minutes and seconds.
            timezone: A time zone such as `Asia/Shanghai`; None: the machine's.
            weekdays: Weekdays such as `("mon", "fri")`; default: all.
            catch_up: Call the handler once at the start if it was due while no process ran.
            name: Name in the journal; default: the function's name and the schedule.

        Raises:
            ValueError: The time, zone or weekday is invalid, or the bot has a timer of this name already.
        """
        days = parse_weekdays(weekdays)
        if not days:
            raise ValueError("A daily timer needs at least one weekday.")
        return self._register(Daily(parse_time(at), parse_zone(timezone), days), catch_up, name)

    def weekly(
        self,
        weekday: Weekday,
        at: str,
        *,
        timezone: str | tzinfo | None = None,
        catch_up: bool = False,
        name: str = "",
    ) -> Callable[[Handler], Handler]:
        """
        Call a handler once a week, as in `@bot.weekly("mon", "09:00")`; `daily` takes several weekdays.

        Args:
            weekday: One of `mon`, `tue`, `wed`, `thu`, `fri`, `sat` and `sun`.
            at: As for `daily`.
            timezone: As for `daily`.
            catch_up: Call the handler once at the start if it was due while no process ran.
            name: Name in the journal; default: the function's name and the schedule.

        Raises:
            ValueError: The time, zone or weekday is invalid, or the bot has a timer of this name already.
        """
        return self.daily(at, timezone=timezone, weekdays=(weekday,), catch_up=catch_up, name=name)

    def cron(
        self, expression: str, *, timezone: str | tzinfo | None = None, catch_up: bool = False, name: str = ""
    ) -> Callable[[Handler], Handler]:
        """
        Call a handler at the times of a cron expression, as in `@bot.cron("*/15 9-17 * * mon-fri")`.

        Needs `webwx[cron]`. As in Debian's cron, a time that the change to summer time skips is due right after the
        change, and a time that occurs twice is due once; an expression that begins with `*`, has `*` as its hour, or
        has six fields follows the elapsed time through both changes. If the clock was set, the timer is adjusted
        within a minute. For the handler see `every`.

        Args:
            expression: Minute, hour, day of the month, month, and day of the week; with six fields the first is the
                second.
            timezone: A time zone such as `Asia/Shanghai`; None: the machine's.
            catch_up: Call the handler once at the start if it was due while no process ran.
            name: Name in the journal; default: the function's name and the schedule.

        Raises:
            ValueError: The expression or zone is invalid, `webwx[cron]` is not installed, or the bot has a timer of
                this name already.
        """
        return self._register(Cron(expression, parse_zone(timezone)), catch_up, name)

    def timer(self, *bare: Never, name: str = "") -> Callable[[Handler], Handler]:
        """
        Register a handler of one-shot timers: `@bot.timer()` above `async def remind(ctx, data)`.

        It is called for the timers that `ctx.call_later` and `ctx.call_at` make, with a context of their chat and with
        their data. If it raises, it is called again after a delay, as for an event; the error is passed to `on_error`,
        with None for the event.

        Args:
            bare: Nothing: the decorator is written with parentheses.
            name: Name in the journal; keep it when the program changes. Default: the function's name.

        Raises:
            TypeError: The decorator has no parentheses, or the function does not take these arguments.
            ValueError: The bot has such a handler of this name already.
        """
        if bare:
            raise TypeError("The decorator of a one-shot timer's handler has parentheses: write @bot.timer().")

        def note(handler: Handler) -> Handler:
            check_injectable(handler, 2, "A one-shot timer's handler is called with a context and the timer's data")
            own = name or _name_of(handler)
            if own in self.timer_handlers:
                raise ValueError(f"There is a timer handler {own!r} already; give this one another name with name=.")
            self.timer_handlers[own] = handler
            return handler

        return note

    def _register(self, schedule: Schedule, catch_up: bool, name: str) -> Callable[[Handler], Handler]:
        def note(handler: Handler) -> Handler:
            check_injectable(handler, 1, "A timer's handler is called with a context")
            own = name or f"{_name_of(handler)} {schedule}"
            if any(timer.name == own for timer in self.timers):
                raise ValueError(f"There is a timer {own!r} already; give this one another name with name=.")
            self.timers.append(Timer(own, schedule, handler, catch_up))
            return handler

        return note


def _name_of(handler: Callable[..., object]) -> str:
    qualified: str = getattr(handler, "__qualname__", type(handler).__qualname__)
    return qualified.rpartition("<locals>.")[2]


# -- calling handlers ------------------------------------------------------------------------------------------------


class _TimerRecord(msgspec.Struct, frozen=True):
    """State of a timer in the journal."""

    due: float
    """Latest due time for which the function was called or skipped."""
    is_done: bool


class _TimerState:
    """State of a timer in this process."""

    def __init__(self, timer: Timer) -> None:
        self.timer = timer
        self.last = 0.0
        """Latest due time for which the function was called or skipped."""
        self.unfinished: float | None = None
        """Time of a call that an earlier process has begun and not ended."""


class Timers:
    """
    Calls the handlers of one bot's timers when they are due.

    Args:
        timers: The bot's timers.
        part: The account's part of the journal.
        call: Calls a timer's handler; the second argument is the prefix of the keys of its sends. Its errors are
            logged, and the timer continues; but after `LoggedOut` the call counts as unfinished: the next `run` repeats
            it, unless the timer is due again by then.
        bot: The bot's name.
        clock: The wall clock, in seconds since 1970.
        counts: Counters to use.
        reports: Texts about failures.
    """

    def __init__(
        self,
        timers: Sequence[Timer],
        part: AccountJournal,
        call: Callable[[Timer, str], Awaitable[object]],
        *,
        bot: str,
        clock: Callable[[], float] = time.time,
        counts: TimerCounts | None = None,
        reports: FailureReports,
    ) -> None:
        self._counts = counts or TimerCounts()
        self._timers = timers
        self._part = part
        self._call = call
        self._bot = bot
        self._reports = reports
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._ahead = 0.0
        """Seconds to add to the loop's time to get the time since 1970, without later changes of the wall clock."""
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
        """End `run` with an error of a timer that its handler did not cause."""
        if not self._failure.done():
            self._failure.set_exception(error)

    async def _begin(self, timer: Timer) -> _TimerState:
        """Restore the state of a timer that the last process stored."""
        state = _TimerState(timer)
        kept = await use_journal(self._bot, lambda: self._part.state(self._name(timer)))
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
        """Return the latest due time of a timer that was neither called nor skipped; None if there is no such time."""
        schedule = state.timer.schedule
        if state.last - now > schedule.tolerance:
            state.last = now
        latest = schedule.latest(now, state.last)
        return latest if latest > state.last else None

    async def _call_if_due(self, state: _TimerState) -> float:
        """Call a timer's handler if it is due; return the seconds until the next check."""
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
                    "%s: the timer %s was due again before its previous call had ended.", self._bot, timer.name,
                    extra=log_fields(self._bot, timer=timer.name),
                )  # fmt: skip
        return self._seconds_left(state)

    def _seconds_left(self, state: _TimerState) -> float:
        schedule = state.timer.schedule
        now = self._now(state.timer)
        left = schedule.following(now, state.last) - now
        return min(left, _CHECK_EVERY) if schedule.is_wall_clock else left

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
                "%s: the timer %s failed: %s",
                self._bot, timer.name, self._reports.text(error),
                extra=log_fields(self._bot, timer=timer.name),
            )  # fmt: skip
            self._counts.failed += 1
            if isinstance(error, (LoggedOut, NotLoggedIn)):
                return
        else:
            self._counts.done += 1
        await self._save(timer, due, is_done=True)

    # -- journal -----------------------------------------------------------------------------------------------------

    def _name(self, timer: Timer) -> str:
        return f"timers/{self._bot}/{timer.name}"

    async def _save(self, timer: Timer, due: float, *, is_done: bool) -> None:
        record = msgspec.json.encode(_TimerRecord(due, is_done))
        await use_journal(self._bot, lambda: self._part.change_state(self._name(timer), lambda _: record))
