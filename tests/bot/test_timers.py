"""Timers: each due time once, despite changes of the clock and restarts of the process."""

from __future__ import annotations

import asyncio
import logging
import sys
import zoneinfo
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.bot.conftest import until as soon
from tests.client.virtual_loop import SteppedLoop, run_with_virtual_clock, until

from webwx.bot.bot import Bot
from webwx.bot.failures import FailureReports
from webwx.bot.timers import TimerRegistry, Timers
from webwx.errors import LoggedOut, StorageError
from webwx.sandbox.options import Options
from webwx.storage.login import LoginMemory
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from pathlib import Path

    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.bot.timers import Timer
    from webwx.model.messages import Event
    from webwx.sandbox.world import World

HOUR = 3600.0
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()  # A Tuesday.


class TimerJournal:
    """The small part of a journal that timers use."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}
        self.storage_errors = 0
        """Number of the next calls that raise an error."""

    async def state(self, name: str) -> bytes:
        self._store()
        return self.states.get(name, b"")

    async def change_state(self, name: str, change: Callable[[bytes], bytes]) -> bytes:
        self._store()
        self.states[name] = change(self.states.get(name, b""))
        return self.states[name]

    def _store(self) -> None:
        if self.storage_errors:
            self.storage_errors -= 1
            raise StorageError("The disk is full.")


class Stage:
    """A system clock that a test can set, and a record of calls with their times."""

    def __init__(self, kept: Any = None, at: float = NOON) -> None:
        self.kept: Any = kept or TimerJournal()
        """An account's part of a journal, or what timers use of one."""
        self.table = TimerRegistry()
        self.at = at
        self.calls: list[tuple[float, str]] = []
        """Calls by the system clock, in seconds after noon, each with its key."""
        self.clock: Callable[[], float] = self.now
        """Values that are passed to timers."""
        self._begun = asyncio.get_running_loop().time()

    def now(self) -> float:
        """Return the time of the system clock."""
        return self.at + asyncio.get_running_loop().time() - self._begun

    @property
    def times(self) -> list[int]:
        """Return the times of the calls, in whole seconds after noon."""
        return [round(time) for time, _ in self.calls]

    @property
    def keys(self) -> list[str]:
        return [key for _, key in self.calls]

    async def call(self, timer: Timer, key: str) -> None:
        """Call the handler, as a bot does."""
        self.calls.append((self.now() - NOON, key))
        if asyncio.iscoroutinefunction(timer.handler):
            handler: Callable[..., Awaitable[None]] = timer.handler
            await handler(None)

    @asynccontextmanager
    async def process(self) -> AsyncIterator[None]:
        """Run a process with these timers, which ends as on SIGTERM."""
        timers = Timers(
            self.table.timers, self.kept, self.call, bot="bot", clock=self.clock, reports=FailureReports()
        )  # fmt: skip
        running = asyncio.ensure_future(timers.run())
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def run(self, seconds: float) -> None:
        """Run a process for some seconds."""
        async with self.process():
            await asyncio.sleep(seconds)


def played(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run_with_virtual_clock(work)


async def tick(ctx: object) -> None:
    """Do nothing."""


# -- every -----------------------------------------------------------------------------------------------------------


def test_every_calls_after_each_interval() -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.every(minutes=5)(tick)
        await stage.run(1000)
        assert stage.times == [300, 600, 900]
        assert len(set(stage.keys)) == 3
        assert stage.keys[0] == f"bot/tick every 300 s/{NOON + 300:.3f}"

    played(main)


def test_every_adds_its_units() -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.every(days=1, hours=1, minutes=1, seconds=1)(tick)
        await stage.run(100_000)
        assert stage.times == [90_061]

    played(main)


def test_restart_does_not_restart_the_interval() -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.every(minutes=5)(tick)
        for _ in range(4):
            await stage.run(160)
        assert stage.times == [300, 600]

    played(main)


@pytest.mark.parametrize("jump", [-86_400, -HOUR, -1, 1, HOUR, 86_400])
def test_every_follows_elapsed_time_when_the_clock_is_set(jump: float) -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.every(minutes=5)(tick)
        async with stage.process():
            await asyncio.sleep(450)
            stage.at += jump
            await asyncio.sleep(500)
        assert stage.times == [300, 600 + jump, 900 + jump]
        assert len(set(stage.keys)) == 3

    played(main)


@pytest.mark.parametrize("jump", [-86_400 * 365, -86_400, -HOUR])
def test_no_timer_is_stuck_when_the_clock_was_set_back_between_two_processes(jump: float) -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.every(minutes=5)(tick)
        await stage.run(450)
        stage.at += jump
        await stage.run(310)
        assert len(stage.calls) == 2

    played(main)


def test_each_call_has_its_own_key_although_the_clock_stands_still() -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.every(minutes=5)(tick)
        stage.clock = lambda: NOON
        await stage.run(1000)
        assert len(set(stage.keys)) == 3

    played(main)


@pytest.mark.parametrize("interval", [{}, {"seconds": 0.5}, {"minutes": -5}])
def test_an_interval_of_less_than_a_second_is_refused(interval: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="The interval of a timer must be at least a second"):
        TimerRegistry().every(**interval)


# -- missed due times ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("catch_up", "expected"), [(False, [300, 1200]), (True, [300, 1100, 1200])])
def test_calls_due_while_no_process_ran_are_skipped_or_made_once(catch_up: bool, expected: list[int]) -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.every(minutes=5, catch_up=catch_up)(tick)
        await stage.run(350)
        await asyncio.sleep(750)
        await stage.run(200)
        assert stage.times == expected

    played(main)


@pytest.mark.parametrize(("catch_up", "expected"), [(False, []), (True, [5 * 86_400])])
def test_daily_timer_with_catch_up_is_called_once(catch_up: bool, expected: list[int]) -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.daily("08:30", timezone="UTC", catch_up=catch_up)(tick)
        await stage.run(10)
        stage.at += 5 * 86_400 - 10
        await stage.run(100)
        assert stage.times == expected

    played(main)


def test_a_new_timer_has_no_missed_calls() -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.daily("08:30", timezone="UTC", catch_up=True)(tick)
        stage.table.every(hours=1, catch_up=True)(tick)
        await stage.run(1000)
        assert stage.calls == []

    played(main)


# -- a process that dies ---------------------------------------------------------------------------------------------


def killed_while_calling(kind: str) -> Callable[[], Coroutine[Any, Any, None]]:
    async def main() -> None:
        stage = Stage()

        async def hang(ctx: object) -> None:
            await asyncio.Event().wait()

        getattr(stage.table, kind)(**WHEN[kind], name="tick")(hang)
        await stage.run(350)
        stage.table.timers.clear()
        getattr(stage.table, kind)(**WHEN[kind], name="tick")(tick)
        await stage.run(50)
        await stage.run(50)
        first, again = stage.keys
        assert first == again == f"bot/tick/{NOON + 300:.3f}"

    return main


WHEN: dict[str, dict[str, Any]] = {
    "every": {"minutes": 5},
    "daily": {"at": "12:05", "timezone": "UTC"},
}


@pytest.mark.parametrize("kind", ["every", "daily"])
def test_a_call_that_a_dead_process_left_unfinished_is_repeated_once_with_its_key(kind: str) -> None:
    played(killed_while_calling(kind))


def test_a_call_that_was_left_unfinished_long_ago_is_skipped() -> None:
    async def main() -> None:
        stage = Stage()

        @stage.table.every(minutes=5)
        async def hang(ctx: object) -> None:
            await asyncio.Event().wait()

        await stage.run(350)
        await asyncio.sleep(900)
        await stage.run(10)
        assert stage.times == [300]

    played(main)


def test_a_call_interrupted_by_the_end_of_a_login_is_repeated_in_the_next_one() -> None:
    async def main() -> None:
        stage = Stage()

        @stage.table.every(minutes=5)
        async def send(ctx: object) -> None:
            if len(stage.calls) == 1:
                raise LoggedOut("Logged out on the phone.", reason="phone")

        await stage.run(350)
        await stage.run(100)
        assert len(set(stage.keys)) == 1
        assert len(stage.calls) == 2

    played(main)


def test_end_waits_for_a_running_handler_and_then_cancels_it() -> None:
    async def main() -> None:
        ends: list[tuple[str, int]] = []
        stage = Stage()

        @stage.table.every(seconds=10)
        async def short(ctx: object) -> None:
            await asyncio.sleep(5)
            ends.append(("short", round(stage.now() - NOON)))

        @stage.table.every(seconds=10)
        async def long(ctx: object) -> None:
            try:
                await asyncio.sleep(500)
            finally:
                ends.append(("long", round(stage.now() - NOON)))

        await stage.run(11)
        assert ends == [("short", 15), ("long", 21)]

    played(main)


async def test_timer_continues_in_the_next_process_with_a_real_journal(tmp_path: Path) -> None:
    keys: list[str] = []
    for minutes, calls in ((0, 0), (9, 1), (9.5, 0)):
        journal = SqliteJournal(tmp_path / "me.journal", retention_days=0)
        part = journal.account(7)
        stage = Stage(part, at=NOON + 60 * minutes)
        stage.table.every(minutes=5, catch_up=True, name="tick")(tick)
        async with asyncio.timeout(60), stage.process():
            while len(stage.calls) < calls or b"true" not in await part.state("timers/bot/tick"):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        await journal.close()
        keys += stage.keys
    assert len(keys) == 1


# -- running ---------------------------------------------------------------------------------------------------------


def test_handler_is_not_called_while_its_previous_call_is_running(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        stage = Stage()
        at_once: list[int] = [0, 0]

        @stage.table.every(minutes=5)
        async def slow(ctx: object) -> None:
            at_once[0] += 1
            at_once[1] = max(at_once)
            await asyncio.sleep(700)
            at_once[0] -= 1

        await stage.run(2000)
        assert at_once[1] == 1
        assert stage.times == [300, 1200]

    played(main)
    assert "the timer slow every 300 s was due again before its previous call had ended" in caplog.text


def test_slow_timer_delays_no_other() -> None:
    async def main() -> None:
        stage = Stage()

        @stage.table.every(minutes=1)
        async def slow(ctx: object) -> None:
            await asyncio.Event().wait()

        stage.table.every(minutes=2)(tick)
        await stage.run(500)
        assert stage.times == [60, 120, 240, 360, 480]

    played(main)


@pytest.mark.parametrize("error", [ValueError("secret"), asyncio.CancelledError(), SystemExit(1)])
def test_error_of_a_timer_is_logged_without_its_text_and_the_timer_continues(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        stage = Stage()

        @stage.table.every(minutes=5)
        async def fail(ctx: object) -> None:
            raise error

        await stage.run(700)
        assert stage.times == [300, 600]

    played(main)
    first, _ = [record for record in caplog.records if record.name == "webwx.bot"]
    assert first.levelno == logging.ERROR
    assert f"bot: the timer fail every 300 s failed: {type(error).__name__} at test_timers.py:" in first.getMessage()
    assert "secret" not in caplog.text


def test_failing_journal_is_retried_until_it_succeeds() -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.every(minutes=5)(tick)
        async with stage.process():
            await asyncio.sleep(200)
            stage.kept.storage_errors = 3
            await until(lambda: len(stage.calls) == 1)
            assert 301 < stage.times[0] < 310
            stage.kept.storage_errors = 3  # Now the next call cannot be recorded.
            await asyncio.sleep(500)
        assert [601 < time < 610 for time in stage.times[1:]] == [True]

    played(main)


def test_without_timers_run_waits_until_it_is_cancelled() -> None:
    async def main() -> None:
        await Stage().run(1000)

    played(main)


def test_timers_are_checked_no_more_often_than_needed() -> None:
    async def main() -> None:
        stage, asked = Stage(), 0

        def counted() -> float:
            nonlocal asked
            asked += 1
            return stage.now()

        stage.clock = counted
        stage.table.daily("08:30", timezone="UTC")(tick)
        await stage.run(HOUR)
        assert asked < 3 * 60 + 10

    played(main)


# -- daily -----------------------------------------------------------------------------------------------------------


def test_daily_follows_the_wall_clock_of_its_time_zone() -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.daily("08:30", timezone="Asia/Shanghai")(tick)
        await stage.run(3 * 86_400)
        assert stage.times == [12.5 * HOUR + day * 86_400 for day in range(3)]

    played(main)


def test_daily_can_exclude_weekdays() -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.daily("12:30", timezone="UTC", weekdays=("fri", "mon"))(tick)
        await stage.run(10 * 86_400)
        assert stage.times == [HOUR / 2 + day * 86_400 for day in (3, 6)]

    played(main)


@pytest.mark.parametrize("jump", [-86_400, -7200, -2])
def test_a_clock_that_is_set_back_causes_no_second_call(jump: float) -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.daily("12:05", timezone="UTC")(tick)
        async with stage.process():
            await asyncio.sleep(301)
            stage.at += jump
            await asyncio.sleep(7300)
        assert stage.times == [300]

    played(main)


def test_a_clock_that_is_set_ahead_causes_one_call_within_a_minute() -> None:
    async def main() -> None:
        stage = Stage()
        stage.table.daily("08:30", timezone="UTC")(tick)
        async with stage.process():
            await asyncio.sleep(30)
            stage.at += 5 * 86_400
            await asyncio.sleep(61)
            assert len(stage.calls) == 1
            await asyncio.sleep(600)
        assert len(stage.calls) == 1

    played(main)


def test_a_daily_timer_continues_after_a_clock_that_was_years_ahead() -> None:
    async def main() -> None:
        stage = Stage(at=NOON + 1000 * 86_400)
        stage.table.daily("12:05", timezone="UTC")(tick)
        await stage.run(400)
        stage.at -= 1000 * 86_400 + 400
        await stage.run(400)
        assert len(stage.calls) == 2

    played(main)


def test_daily_without_a_time_zone_follows_the_clock_of_the_machine() -> None:
    table = TimerRegistry()
    table.daily("08:30:15")(tick)
    due = table.timers[0].schedule.following(NOON, NOON)
    assert datetime.fromtimestamp(due).strftime("%H:%M:%S") == "08:30:15"
    assert NOON < due <= NOON + 90_000


@pytest.mark.parametrize("at", ["", "8", "24:00", "08:60", "08:30:61", "0830", "08:30+08:00", "8.30"])
def test_invalid_time_of_day_is_refused(at: str) -> None:
    with pytest.raises(ValueError, match="is not a time of day; write one like '08:30'"):
        TimerRegistry().daily(at)


@pytest.mark.parametrize("timezone", ["Asia/Shangai", "Asia", "", "/etc/passwd", "../zoneinfo"])
def test_invalid_time_zone_is_refused(timezone: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone; write one like 'Asia/Shanghai'"):
        TimerRegistry().daily("08:30", timezone=timezone)


def test_error_without_a_time_zone_database_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("tzdata")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "tzdata", None)
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[])
    ZoneInfo.clear_cache()
    try:
        with pytest.raises(
            ValueError, match=r"^This system has no time zone database; 'pip install tzdata' installs one\.$"
        ):
            TimerRegistry().daily("08:30", timezone="Asia/Shanghai")
    finally:
        zoneinfo.reset_tzpath(to=before)


@pytest.mark.parametrize("weekdays", ["mon", ("Monday",), (0,)])
def test_invalid_weekday_is_refused(weekdays: Any) -> None:
    with pytest.raises(ValueError, match="The weekdays cannot be"):
        TimerRegistry().daily("08:30", weekdays=weekdays)


def test_daily_timer_without_a_weekday_is_refused() -> None:
    with pytest.raises(ValueError, match="needs at least one weekday"):
        TimerRegistry().daily("08:30", weekdays=())


# -- in a bot --------------------------------------------------------------------------------------------------------


def sent(world: World) -> list[str]:
    """Return the texts of the account to 阿华."""
    chat = world.inbox("ahua").get("xiaoming")
    return [] if chat is None else [message.text for message in chat.messages]


@asynccontextmanager
async def at_work(bot: Bot, *, cancellations: int = 1) -> AsyncIterator[None]:
    running = asyncio.ensure_future(bot.start())
    try:
        yield
    finally:
        for _ in range(cancellations):
            running.cancel()
            await asyncio.sleep(0.01)
        with suppress(asyncio.CancelledError):
            await running


def test_both_kinds_of_handlers_can_send_and_errors_are_reported_without_an_event(
    open_client: OpenClient, world: World
) -> None:
    async def main(loop: SteppedLoop) -> None:
        async with open_client() as client:
            bot, handled = Bot(client=client), []

            @bot.every(minutes=1)
            async def asynchronous(ctx: Context) -> None:
                await ctx.send_text("阿华", "one")

            @bot.every(minutes=2)
            def plain(ctx: SyncContext) -> None:
                ctx.send_text("阿华", "two")
                raise KeyError("secret")

            @bot.on_error
            def failed(ctx: SyncContext, event: Event | None, error: BaseException) -> None:
                handled.append((event, type(error)))

            async with at_work(bot):
                await soon(lambda: bot.counts.in_flight == 0)
                while len(sent(world)) < 3:
                    loop.ahead += 10
                    await asyncio.sleep(0.02)
                await soon(lambda: handled == [(None, KeyError)])
            assert sent(world) == ["one", "one", "two"] or sent(world) == ["one", "two", "one"]

    SteppedLoop.run(main)


def test_sends_of_a_crashed_process_are_not_repeated(open_client: OpenClient, world: World) -> None:
    world.options = Options(hold_seconds=0.01)  # So that polls let no hours pass.

    async def main(loop: SteppedLoop) -> None:
        store = LoginMemory()
        is_hanging = asyncio.Event()
        for process in ("first", "second", "third"):
            async with open_client(store=store) as client:
                bot = Bot(client=client)

                @bot.every(hours=1)
                async def tick(ctx: Context, process: str = process) -> None:
                    await ctx.send_text("阿华", "before")
                    if process == "first":
                        is_hanging.set()
                        await asyncio.Event().wait()
                    await ctx.send_text("阿华", f"after, in the {process}")

                async with at_work(bot, cancellations=2):
                    if process == "first":
                        while not is_hanging.is_set():
                            loop.ahead += 60
                            await asyncio.sleep(0.02)
                    else:
                        await soon(lambda: len(sent(world)) == 2)
        assert sent(world) == ["before", "after, in the second"]

    SteppedLoop.run(main)


# -- names -----------------------------------------------------------------------------------------------------------


def test_daily_without_parentheses_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a time of day"):
        TimerRegistry().daily(tick)  # type: ignore[arg-type]  # that is the mistake


def test_timer_handler_with_an_event_argument_is_refused() -> None:
    def handler(ctx: Context, event: object) -> None:
        raise AssertionError

    with pytest.raises(TypeError, match=r"is called with a context; .*handler does not take 1 argument\."):
        TimerRegistry().every(minutes=5)(handler)


def test_one_function_may_have_several_timers() -> None:
    table = TimerRegistry()
    assert table.daily("08:30")(table.daily("18:00", timezone="UTC", weekdays=("sun", "mon"))(tick)) is tick
    assert [timer.name for timer in table.timers] == ["tick daily 18:00:00 UTC mon,sun", "tick daily 08:30:00"]


def test_second_timer_of_the_same_name_is_refused() -> None:
    table = TimerRegistry()
    table.every(minutes=5)(tick)
    with pytest.raises(ValueError, match=r"'tick every 300 s' already; give this one another name with name="):
        table.every(minutes=5)(tick)
    table.every(minutes=5, name="second")(tick)


def test_any_callable_can_be_a_timer() -> None:
    table = TimerRegistry()
    table.every(minutes=5)(partial(tick))
    assert table.timers[0].name == "partial every 300 s"
