"""Chat queues: each entry is handled once, in the order of its chat, also after errors of handlers."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import re
import sys
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bot.recorded_subscription import RecordedSubscription, delivered, run_until_done
from tests.client.virtual_loop import VirtualClockLoop, run_with_virtual_clock, until

from webwx.bot.account_health import AccountHealth
from webwx.bot.chat_queues import ChatQueues, DeliveryCounts, is_last_attempt
from webwx.client.client import AsyncClient
from webwx.errors import ConnectFailed, LoggedOut

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator
    from contextvars import Context

    from webwx.client.reading.delivered import Deferred, Delivered

    _T = TypeVar("_T")

    Handle = Callable[[Delivered, int], Awaitable[bool]]


Ts = TypeVarTuple("Ts")


async def ignore(entry: Delivered, attempt: int) -> bool:
    return False


async def end(running: asyncio.Task[None]) -> None:
    """Cancel queues, and check that they end as cancelled."""
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


class RecordingHandler:
    """A handler that records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []
        """Number and attempt of each call."""

    async def __call__(self, entry: Delivered, attempt: int) -> bool:
        self.calls.append((entry.entry.number, attempt))
        return False

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in self.calls]


class GatedHandler(RecordingHandler):
    """A handler that waits in certain chats until it is released."""

    def __init__(self, *closed: str) -> None:
        super().__init__()
        self.open = {chat: asyncio.Event() for chat in closed}
        self.inside = 0

    async def __call__(self, entry: Delivered, attempt: int) -> bool:
        await super().__call__(entry, attempt)
        if entry.entry.chat in self.open:
            self.inside += 1
            await self.open[entry.entry.chat].wait()
            self.inside -= 1
        return False


class TestOrder:
    async def test_a_chat_is_handled_in_the_order_of_arrival(self) -> None:
        inside: list[int] = []
        most = 0

        async def handle(entry: Delivered, attempt: int) -> bool:
            nonlocal most
            inside.append(entry.entry.number)
            most = max(most, len(inside))
            await asyncio.sleep(0)
            inside.remove(entry.entry.number)
            return False

        subscription = RecordedSubscription(*(delivered(number) for number in range(1, 50)))
        await run_until_done(ChatQueues(subscription, handle), subscription)
        assert most == 1
        assert list(range(1, 50)) == subscription.acked

    def test_a_waiting_chat_does_not_delay_another(self) -> None:
        async def work() -> None:
            handle = GatedHandler("@slow")
            subscription = RecordedSubscription(
                delivered(1, "@slow"), *(delivered(number, f"@{number}") for number in range(2, 100))
            )
            running = asyncio.create_task(ChatQueues(subscription, handle).run())
            await until(lambda: len(subscription.acked) == 98)
            assert 1 not in subscription.acked
            handle.open["@slow"].set()
            await until(lambda: 1 in subscription.acked)
            await end(running)

        run_with_virtual_clock(work)

    async def test_entries_without_a_chat_have_their_own_queue(self) -> None:
        handle = GatedHandler("")
        subscription = RecordedSubscription(delivered(1, ""), delivered(2, ""), delivered(3, "@a"))
        running = asyncio.create_task(ChatQueues(subscription, handle).run())
        await asyncio.sleep(0.01)
        assert subscription.acked == [3]
        handle.open[""].set()
        await asyncio.sleep(0.01)
        assert subscription.acked == [3, 1, 2]
        await end(running)

    async def test_chats_take_turns(self) -> None:
        """A long queue in one chat does not delay later entries of other chats."""
        subscription = RecordedSubscription(
            *(delivered(number, "@loud") for number in range(1, 10)), delivered(10, "@quiet")
        )
        await run_until_done(ChatQueues(subscription, ignore), subscription)
        assert subscription.acked[:3] == [1, 10, 2]

    async def test_empty_queue_is_removed(self) -> None:
        subscription = RecordedSubscription(*(delivered(number, f"@{number}") for number in range(1, 2_000)))
        queues = ChatQueues(subscription, ignore)
        await run_until_done(queues, subscription)
        assert queues.counts.in_flight == 0
        gc.collect()
        left = [each for each in gc.get_objects() if type(each).__module__ == ChatQueues.__module__]
        assert len(left) < 100


class TestTasks:
    async def test_a_handler_that_never_waits_needs_no_task_per_entry(self) -> None:
        made = 0
        loop = asyncio.get_running_loop()

        def count(
            loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, _T] | Generator[Any, None, _T], **rest: Any
        ) -> asyncio.Task[_T]:
            nonlocal made
            made += 1
            return asyncio.Task(work, loop=loop, **rest)

        subscription = RecordedSubscription(*(delivered(number, f"@{number % 50}") for number in range(1, 5_000)))
        queues = ChatQueues(subscription, ignore)
        loop.set_task_factory(count)
        try:
            await run_until_done(queues, subscription)
        finally:
            loop.set_task_factory(None)
        assert made < 10

    async def test_a_queue_of_fast_handlers_gives_others_their_turn(self) -> None:
        """Half a second of work in steps of half a millisecond; other tasks run after each step."""
        loop = asyncio.get_running_loop()
        turns = 0

        async def handle(entry: Delivered, attempt: int) -> bool:
            begun = loop.time()
            while loop.time() - begun < 0.0005:
                pass
            return False

        def turn() -> None:
            nonlocal turns
            turns += 1
            loop.call_soon(turn)

        loop.call_soon(turn)
        subscription = RecordedSubscription(*(delivered(number) for number in range(1, 1_000)))
        running = asyncio.create_task(ChatQueues(subscription, handle).run())
        await until(lambda: len(subscription.acked) == 999)
        assert turns > 500
        await end(running)

    def test_workers_end_after_a_burst(self) -> None:
        async def work() -> None:
            handle = GatedHandler(*(f"@{number}" for number in range(500)))
            subscription = RecordedSubscription(*(delivered(number + 1, f"@{number}") for number in range(500)))
            running = asyncio.create_task(ChatQueues(subscription, handle).run())
            await until(lambda: handle.inside == 500)
            assert len(asyncio.all_tasks()) > 500
            for door in handle.open.values():
                door.set()
            await until(lambda: len(subscription.acked) == 500)
            assert len(asyncio.all_tasks()) < 30
            await end(running)

        run_with_virtual_clock(work)


class NotesMarkers(RecordingHandler):
    """A handler that takes a second, and records the entries with a poison marker and the number of running calls."""

    def __init__(self, subscription: RecordedSubscription) -> None:
        super().__init__()
        self.poisoned: dict[int, set[int]] = {}
        self.beside: dict[int, int] = {}
        self._subscription = subscription
        self._inside = 0

    async def __call__(self, entry: Delivered, attempt: int) -> bool:
        await super().__call__(entry, attempt)
        self.poisoned[entry.entry.number] = set(self._subscription.poisoned)
        self.beside[entry.entry.number] = self._inside
        self._inside += 1
        await asyncio.sleep(1)
        self._inside -= 1
        return False


def isolated(number: int, chat: str = "@friend", *, crashes: int = 2) -> Delivered:
    return delivered(number, chat, attempt=crashes + 1, redelivered=True, crashes=crashes)


class TestDeaths:
    def test_entries_with_two_crashes_are_handled_first_and_in_isolation_with_a_poison_marker(self) -> None:
        async def work() -> None:
            subscription = RecordedSubscription(
                delivered(1, "@a"), isolated(2, "@b"), delivered(3, "@c"), isolated(4, "@d"), isolated(5, "@d")
            )
            seen = NotesMarkers(subscription)
            await run_until_done(ChatQueues(subscription, seen), subscription)
            assert seen.numbers == [2, 4, 5, 1, 3]
            assert seen.poisoned == {2: {2}, 4: {4}, 5: {5}, 1: set(), 3: set()}
            assert seen.beside == {2: 0, 4: 0, 5: 0, 1: 0, 3: 1}
            assert subscription.poisoned == set()

        run_with_virtual_clock(work)

    def test_after_one_crash_there_is_neither_isolation_nor_a_poison_marker(self) -> None:
        async def work() -> None:
            subscription = RecordedSubscription(isolated(1, "@a", crashes=1), isolated(2, "@b", crashes=1))
            seen = NotesMarkers(subscription)
            await run_until_done(ChatQueues(subscription, seen), subscription)
            assert seen.poisoned == {1: set(), 2: set()}
            assert seen.beside == {1: 0, 2: 1}

        run_with_virtual_clock(work)

    def test_entry_with_as_many_crashes_as_attempts_becomes_a_dead_letter(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def work() -> None:
            for attempts, calls in (1, []), (3, []), (4, [1]):
                subscription = RecordedSubscription(isolated(1, crashes=3), delivered(2))
                seen = NotesMarkers(subscription)
                queues = ChatQueues(subscription, seen, attempts=attempts)
                await run_until_done(queues, subscription)
                assert seen.numbers == [*calls, 2]
                assert queues.counts.dead == 1 - len(calls)
                if not calls:
                    assert subscription.dead == {1: "the process crashed 3 times while it was handled"}

        run_with_virtual_clock(work)
        assert "bot: event 1 is given up, since the process crashed 3 times while it was handled." in caplog.messages

    @pytest.mark.parametrize(("crashes", "calls"), [(3, [2]), (2, [2, 1])])
    def test_entry_is_given_up_only_after_living_processes_could_take_their_crashes_back(
        self, crashes: int, calls: list[int]
    ) -> None:
        async def work() -> None:
            loop = asyncio.get_running_loop()
            began = loop.time()
            subscription = RecordedSubscription(isolated(1, "@a", crashes=3), delivered(2, "@b"))
            subscription.crash_grace = 300.0
            subscription.crashes = {1: 3}
            seen = NotesMarkers(subscription)
            queues = ChatQueues(subscription, seen)
            running = asyncio.create_task(run_until_done(queues, subscription))
            await asyncio.sleep(299)
            assert (seen.numbers, queues.counts.dead) == ([2], 0)
            subscription.crashes = {1: crashes}
            await running
            assert loop.time() - began >= 300
            assert calls == seen.numbers
            assert queues.counts.dead == 2 - len(calls)

        run_with_virtual_clock(work)

    def test_isolated_entry_is_always_tried_until_a_crash_counts_against_it_alone(self) -> None:
        async def work() -> None:
            subscription = RecordedSubscription(isolated(1))
            seen = NotesMarkers(subscription)
            await run_until_done(ChatQueues(subscription, seen, attempts=1), subscription)
            assert seen.calls == [(1, 3)]

        run_with_virtual_clock(work)

    def test_slow_isolated_entry_loses_its_poison_marker_and_delays_no_other(self) -> None:
        async def work() -> None:
            loop = asyncio.get_running_loop()
            begun: dict[int, float] = {}
            poisoned: dict[int, set[int]] = {}
            subscription = RecordedSubscription(
                isolated(1, "@slow"), isolated(2, "@slow"), isolated(3, "@b"), delivered(4, "@c")
            )

            async def handle(entry: Delivered, attempt: int) -> bool:
                begun[entry.entry.number], poisoned[entry.entry.number] = loop.time(), set(subscription.poisoned)
                if entry.entry.chat == "@slow":
                    await asyncio.sleep(60)
                return False

            await run_until_done(ChatQueues(subscription, handle), subscription)
            assert poisoned == {1: {1}, 3: {3}, 4: set(), 2: {2}}
            assert list(begun) == [1, 3, 4, 2]
            assert 5 <= begun[4] < 7

        run_with_virtual_clock(work)

    def test_isolated_entry_that_takes_some_seconds_keeps_its_poison_marker_meanwhile(self) -> None:
        async def work() -> None:
            subscription = RecordedSubscription(isolated(1, "@slow"), delivered(2, "@b"))
            poisoned: list[set[int]] = []

            async def handle(entry: Delivered, attempt: int) -> bool:
                if entry.entry.chat == "@slow":
                    await asyncio.sleep(4)  # a sweep passes meanwhile
                    poisoned.append(set(subscription.poisoned))
                return False

            await asyncio.sleep(1000)  # the clock of a loop does not begin at 0
            await run_until_done(ChatQueues(subscription, handle), subscription)
            assert poisoned == [{1}]

        run_with_virtual_clock(work)

    def test_isolation_ends_when_the_handler_only_fails(self) -> None:
        async def work() -> None:
            poisoned: list[set[int]] = []
            subscription = RecordedSubscription(isolated(1, "@a"), delivered(2, "@b"))

            async def handle(entry: Delivered, attempt: int) -> bool:
                if entry.entry.number == 1:
                    poisoned.append(set(subscription.poisoned))
                    raise ValueError
                assert subscription.poisoned == set()
                return False

            await run_until_done(ChatQueues(subscription, handle), subscription)
            assert poisoned == [{1}, set(), set()]
            assert (list(subscription.dead), subscription.acked) == ([1], [2])

        run_with_virtual_clock(work)

    def test_deferred_entry_is_isolated_as_well(self) -> None:
        async def work() -> None:
            subscription = RecordedSubscription(isolated(1, "@a"), *(isolated(number, "@a") for number in range(2, 5)))
            poisoned: dict[int, set[int]] = {}

            async def handle(entry: Delivered, attempt: int) -> bool:
                poisoned[entry.entry.number] = set(subscription.poisoned)
                await asyncio.sleep(10 if entry.entry.number == 1 else 0)
                return False

            subscription.deleted.add(3)
            await run_until_done(ChatQueues(subscription, handle, in_flight=3), subscription)
            assert 2 in subscription.read_numbers
            assert poisoned == {1: {1}, 2: {2}, 4: {4}}

        run_with_virtual_clock(work)


class ReferencedSubscription(RecordedSubscription):
    """Counts the entries that were read again and are still in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._again: list[Delivered] = []

    async def read_again(self, entries: Collection[Deferred]) -> dict[int, Delivered]:
        found = await super().read_again(entries)
        self._again += found.values()
        return found

    @property
    def held(self) -> int:
        (references_of_one,) = [sys.getrefcount(each) for each in [object()]]
        return sum(sys.getrefcount(each) > references_of_one for each in self._again)


class BrokenSubscription(RecordedSubscription):
    """A subscription whose acknowledgements raise an error that no code expects."""

    def ack(self, number: int) -> None:
        raise ZeroDivisionError


class TestFailures:
    @pytest.mark.parametrize(
        "error",
        [ValueError, type("Odd", (BaseException,), {}), asyncio.CancelledError, SystemExit, GeneratorExit, MemoryError],
        ids=lambda error: error.__name__,
    )
    def test_any_exception_is_retried_and_then_given_up(self, error: type[BaseException]) -> None:
        async def work() -> None:
            seen = RecordingHandler()

            async def handle(entry: Delivered, attempt: int) -> bool:
                await seen(entry, attempt)
                if entry.entry.number == 1:
                    raise error
                return False

            subscription = RecordedSubscription(delivered(1), delivered(2), delivered(3, "@other"))
            queues = ChatQueues(subscription, handle)
            await run_until_done(queues, subscription)
            assert subscription.acked == [3, 2]
            assert list(subscription.dead) == [1]
            assert seen.calls == [(1, 1), (3, 1), (1, 2), (1, 3), (2, 1)]
            assert (queues.counts.delivered, queues.counts.failed, queues.counts.dead) == (2, 3, 1)

        run_with_virtual_clock(work)

    def test_endless_recursion_in_a_handler_is_a_failure_like_any_other(self) -> None:
        async def work() -> None:
            def fall(depth: int) -> int:
                return fall(depth + 1) + 1

            async def handle(entry: Delivered, attempt: int) -> bool:
                if entry.entry.number == 1:
                    fall(0)
                return False

            subscription = RecordedSubscription(delivered(1), delivered(2))
            await run_until_done(ChatQueues(subscription, handle), subscription)
            assert subscription.acked == [2]
            assert subscription.dead[1].startswith("RecursionError at test_chat_queues.py:")

        run_with_virtual_clock(work)

    def test_handler_that_cancels_its_task_affects_no_other(self) -> None:
        async def work() -> None:
            async def handle(entry: Delivered, attempt: int) -> bool:
                if entry.entry.number == 1:
                    task = asyncio.current_task()
                    assert task is not None
                    task.cancel()
                else:
                    await asyncio.sleep(1)
                return False

            subscription = RecordedSubscription(
                delivered(1, "@bad"), *(delivered(number, f"@{number}") for number in range(2, 9))
            )
            queues = ChatQueues(subscription, handle)
            await run_until_done(queues, subscription)
            assert list(range(1, 9)) == sorted(subscription.acked)
            assert queues.counts.failed == 0

        run_with_virtual_clock(work)

    def test_pauses_between_attempts_grow(self) -> None:
        async def work() -> None:
            loop = asyncio.get_running_loop()
            times: list[float] = []

            async def handle(entry: Delivered, attempt: int) -> bool:
                times.append(loop.time())
                raise ValueError

            subscription = RecordedSubscription(delivered(1))
            await run_until_done(ChatQueues(subscription, handle, attempts=6), subscription)
            pauses = [round(later - earlier) for earlier, later in pairwise(times)]
            assert pauses == [1, 4, 16, 60, 60]

        run_with_virtual_clock(work)

    def test_other_chats_continue_while_one_waits_for_its_next_attempt(self) -> None:
        async def work() -> None:
            loop = asyncio.get_running_loop()
            done: dict[int, float] = {}

            async def handle(entry: Delivered, attempt: int) -> bool:
                if entry.entry.number == 1:
                    raise ValueError
                done[entry.entry.number] = loop.time()
                return False

            subscription = RecordedSubscription(delivered(1, "@bad"), delivered(2, "@good"), delivered(3, "@bad"))
            await run_until_done(ChatQueues(subscription, handle), subscription)
            assert done[2] == 0
            assert 5 <= done[3] < 6

        run_with_virtual_clock(work)

    def test_a_failure_is_logged_with_its_stack_frames_and_without_its_message(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def work() -> None:
            async def handle(entry: Delivered, attempt: int) -> bool:
                raise ValueError("text of a private message")

            subscription = RecordedSubscription(delivered(41))
            await run_until_done(ChatQueues(subscription, handle, attempts=2), subscription)

        caplog.set_level(logging.DEBUG, "webwx")
        run_with_virtual_clock(work)
        lines = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
        first, second = lines
        assert re.sub(r":\d+\.$", ":….", first.splitlines()[0]) == (
            "bot: event 41 failed (attempt 1 of 2): ValueError at test_chat_queues.py:…."
        )
        assert second.startswith("bot: event 41 is a dead letter after 2 failures; the last one was ValueError at ")
        assert 'raise ValueError("text of a private message")' in first  # The source line, but not the message.
        assert first.splitlines()[-2] == "ValueError"

    def test_an_interrupt_is_not_a_failure_of_the_handler(self) -> None:
        async def work() -> None:
            async def handle(entry: Delivered, attempt: int) -> bool:
                raise KeyboardInterrupt

            subscription = RecordedSubscription(delivered(1))
            with pytest.raises(asyncio.CancelledError):
                await ChatQueues(subscription, handle).run()
            assert subscription.failures == {}

        with pytest.raises(KeyboardInterrupt):
            run_with_virtual_clock(work)

    def test_an_attempt_of_an_earlier_process_counts(self) -> None:
        async def work() -> None:
            seen = RecordingHandler()

            async def handle(entry: Delivered, attempt: int) -> bool:
                await seen(entry, attempt)
                raise ValueError

            subscription = RecordedSubscription(delivered(1, attempt=4, redelivered=True))
            await run_until_done(ChatQueues(subscription, handle, attempts=2), subscription)
            assert seen.calls == [(1, 4), (1, 5)]

        run_with_virtual_clock(work)

    def test_failure_after_the_end_of_the_login_is_not_counted_and_is_repeated(self) -> None:
        async def work() -> None:
            gone = LoggedOut("The phone has ended it.", reason="phone")

            async def handle(entry: Delivered, attempt: int) -> bool:
                raise gone

            subscription = RecordedSubscription(delivered(1), delivered(2))
            subscription.end = gone
            queues = ChatQueues(subscription, handle, is_over=lambda: True)
            with pytest.raises(LoggedOut):
                await queues.run()
            assert (subscription.acked, subscription.failures, subscription.dead) == ([], {}, {})
            assert queues.counts.in_flight == 0

        run_with_virtual_clock(work)

    def test_a_failing_journal_is_tried_again_and_no_attempt_is_lost(self, caplog: pytest.LogCaptureFixture) -> None:
        async def work() -> None:
            seen = RecordingHandler()

            async def handle(entry: Delivered, attempt: int) -> bool:
                await seen(entry, attempt)
                if attempt < 3:
                    subscription.storage_errors = 4
                    raise ValueError
                return False

            subscription = RecordedSubscription(delivered(1))
            subscription.storage_errors = 2
            await run_until_done(ChatQueues(subscription, handle), subscription)
            assert seen.calls == [(1, 1), (1, 2), (1, 3)]
            assert subscription.acked == [1]

        run_with_virtual_clock(work)
        failures = [record for record in caplog.records if "the journal fails" in record.getMessage()]
        assert len(failures) == 3  # Once for each time that it began to fail.

    async def test_internal_error_is_raised_by_run(self) -> None:
        with pytest.raises(ZeroDivisionError):
            await ChatQueues(BrokenSubscription(delivered(1)), ignore).run()

    def test_an_internal_error_does_not_wait_for_running_handlers(self) -> None:
        async def work() -> None:
            begun = asyncio.get_running_loop().time()
            subscription = BrokenSubscription(delivered(1, "@slow"), delivered(2))
            with pytest.raises(ZeroDivisionError):
                await ChatQueues(subscription, GatedHandler("@slow")).run()
            assert asyncio.get_running_loop().time() - begun < 1
            assert not subscription.is_stopped

        run_with_virtual_clock(work)


class TimerLoop(VirtualClockLoop):
    """A loop that counts its timers."""

    timers = 0

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(when, callback, *args, context=context)


def test_queues_without_entries_have_no_timer() -> None:
    loop = TimerLoop()

    async def work() -> None:
        subscription = RecordedSubscription(delivered(1))
        running = asyncio.ensure_future(ChatQueues(subscription, ignore).run())
        await asyncio.sleep(10.0)
        assert subscription.acked == [1]
        before = loop.timers
        await asyncio.sleep(3_600.0)
        assert loop.timers == before + 1  # that of the line above
        await end(running)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work())


class TestSlow:
    def test_a_handler_that_runs_longer_than_30_s_is_reported_once(self, caplog: pytest.LogCaptureFixture) -> None:
        async def work() -> None:
            async def handle(entry: Delivered, attempt: int) -> bool:
                await asyncio.sleep({1: 29.0, 2: 600.0}[entry.entry.number])
                return False

            subscription = RecordedSubscription(delivered(1, "@a"), delivered(2, "@b"))
            queues = ChatQueues(subscription, handle)
            await run_until_done(queues, subscription)
            assert queues.counts.slow == 1
            assert subscription.acked == [1, 2]

        run_with_virtual_clock(work)
        assert [record.getMessage() for record in caplog.records if record.name == "webwx.bot"] == [
            "bot: event 2 has been in its handler for more than 30 s."
        ]

    def test_a_handler_beyond_the_time_limit_is_cancelled_and_counts_as_failed(self) -> None:
        async def work() -> None:
            async def handle(entry: Delivered, attempt: int) -> bool:
                if entry.entry.number == 1:
                    await asyncio.Event().wait()
                return False

            subscription = RecordedSubscription(delivered(1), delivered(2))
            await run_until_done(ChatQueues(subscription, handle, attempts=2, time_limit=5), subscription)
            assert subscription.failures == {1: ["no end within 5 s"] * 2}
            assert subscription.acked == [2]

        run_with_virtual_clock(work)

    def test_handler_that_returns_after_the_time_limit_has_succeeded(self) -> None:
        async def work() -> None:
            async def handle(entry: Delivered, attempt: int) -> bool:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(60)
                return False

            subscription = RecordedSubscription(delivered(1), delivered(2))
            await run_until_done(ChatQueues(subscription, handle, time_limit=5), subscription)
            assert subscription.acked == [1, 2]

        run_with_virtual_clock(work)


class TestRoom:
    def test_the_number_of_entries_in_memory_is_bounded(self) -> None:
        async def work() -> None:
            handle = GatedHandler(*(f"@{number}" for number in range(40)))
            subscription = RecordedSubscription(*(delivered(number + 1, f"@{number % 40}") for number in range(400)))
            queues = ChatQueues(subscription, handle, in_flight=10)
            running = asyncio.create_task(queues.run())
            await asyncio.sleep(5)
            assert 10 == queues.counts.in_flight == handle.inside
            assert sum(subscription.asked) < 400
            for door in handle.open.values():
                door.set()
            await until(lambda: len(subscription.acked) == 400)
            await end(running)

        run_with_virtual_clock(work)

    def test_a_chat_whose_handler_hangs_does_not_use_the_space_of_others(self) -> None:
        """
        Ten thousand entries wait in one chat, a hundred fit into memory, and another chat is handled within two
        seconds.
        """

        async def work() -> None:
            loop = asyncio.get_running_loop()
            handle = GatedHandler("@slow")
            slow = [delivered(number, "@slow") for number in range(1, 10_001)]
            subscription = RecordedSubscription(*slow, delivered(10_001, "@other"))
            queues = ChatQueues(subscription, handle, in_flight=100)
            running = asyncio.create_task(queues.run())
            await until(lambda: 10_001 in subscription.acked)
            assert loop.time() < 3
            assert (queues.counts.in_flight, queues.counts.deferred) == (1, 9_999)
            handle.open["@slow"].set()
            await until(lambda: len(subscription.acked) == 10_001)
            assert [10_001, *range(1, 10_001)] == subscription.acked
            assert list(range(2, 10_001)) == subscription.read_numbers
            assert (queues.counts.in_flight, queues.counts.deferred) == (0, 0)
            await end(running)

        run_with_virtual_clock(work)

    def test_entries_that_wait_in_several_chats_are_read_at_once(self) -> None:
        """Entries of one batch mostly belong to several chats, and the batch is unpacked for each read."""

        async def work() -> None:
            chats = [f"@{number}" for number in range(4)]
            handle = GatedHandler(*chats)
            entries = [delivered(number, chats[number % 4]) for number in range(1, 21)]
            subscription = RecordedSubscription(*entries)
            running = asyncio.create_task(ChatQueues(subscription, handle, in_flight=20).run())
            await asyncio.sleep(3)
            for door in handle.open.values():
                door.set()
            await until(lambda: len(subscription.acked) == 20)
            assert [list(range(5, 21))] == [sorted(read) for read in subscription.reads]
            await end(running)

        run_with_virtual_clock(work)

    def test_no_more_entries_are_read_ahead_than_may_be_in_memory(self) -> None:
        """Chats one after another handle one entry after their entries were deferred, and hang again at the next."""

        async def work() -> None:
            gates = {number: asyncio.Event() for first in range(1, 121, 30) for number in (first, first + 1)}

            async def handle(entry: Delivered, attempt: int) -> bool:
                if entry.entry.number in gates:
                    await gates[entry.entry.number].wait()
                return False

            subscription = ReferencedSubscription()
            running = asyncio.create_task(ChatQueues(subscription, handle, in_flight=12).run())
            for first in range(1, 121, 30):
                subscription.put(*(delivered(number, f"@{first}") for number in range(first, first + 30)))
                await asyncio.sleep(3)
                gates[first].set()
                await until(lambda first=first: first + 1 in subscription.shown)  # type: ignore[misc]
                assert subscription.held <= 12 + len(subscription.shown) - len(subscription.acked)
            for gate in gates.values():
                gate.set()
            await until(lambda: len(subscription.acked) == 120)
            for first in range(1, 121, 30):
                of_chat = range(first, first + 30)
                assert list(of_chat) == [number for number in subscription.acked if number in of_chat]
            await end(running)

        run_with_virtual_clock(work)

    def test_no_entry_of_a_gateway_is_deferred_since_it_cannot_be_read_again(self) -> None:
        async def work() -> None:
            handle = GatedHandler("@slow")
            subscription = RecordedSubscription(*(delivered(number, "@slow") for number in range(1, 9)))
            subscription.is_synced_here = False
            queues = ChatQueues(subscription, handle, in_flight=4)
            running = asyncio.create_task(queues.run())
            await asyncio.sleep(5)
            assert (queues.counts.in_flight, queues.counts.deferred) == (4, 0)
            handle.open["@slow"].set()
            await until(lambda: len(subscription.acked) == 8)
            assert subscription.read_numbers == []
            await end(running)

        run_with_virtual_clock(work)

    def test_deferred_entry_keeps_its_attempt_and_redelivered(self) -> None:
        async def work() -> None:
            flags: dict[int, tuple[int, bool]] = {}
            handle = GatedHandler("@slow")

            async def look(entry: Delivered, attempt: int) -> bool:
                flags[entry.entry.number] = attempt, entry.event.redelivered
                await handle(entry, attempt)
                return False

            subscription = RecordedSubscription(
                delivered(1, "@slow"), delivered(2, "@slow", attempt=2, redelivered=True), delivered(3, "@slow")
            )
            running = asyncio.create_task(ChatQueues(subscription, look, in_flight=3).run())
            await asyncio.sleep(3)
            handle.open["@slow"].set()
            await until(lambda: len(subscription.acked) == 3)
            assert subscription.read_numbers == [2, 3]
            assert flags == {1: (1, False), 2: (2, True), 3: (1, False)}
            await end(running)

        run_with_virtual_clock(work)

    def test_deferred_entry_that_was_deleted_is_skipped(self) -> None:
        async def work() -> None:
            handle = GatedHandler("@slow")
            subscription = RecordedSubscription(*(delivered(number, "@slow") for number in range(1, 5)))
            running = asyncio.create_task(ChatQueues(subscription, handle, in_flight=4).run())
            await asyncio.sleep(3)
            subscription.deleted = {2, 3}
            handle.open["@slow"].set()
            await until(lambda: len(subscription.acked) == 4)
            assert handle.numbers == [1, 4]
            await end(running)

        run_with_virtual_clock(work)

    def test_a_queue_with_progress_is_not_deferred(self) -> None:
        """A long queue of fast handlers is full at every check, but no entry must be read twice."""

        async def work() -> None:
            async def handle(entry: Delivered, attempt: int) -> bool:
                await asyncio.sleep(0.01)
                return False

            subscription = RecordedSubscription(*(delivered(number) for number in range(1, 500)))
            await run_until_done(ChatQueues(subscription, handle, in_flight=10), subscription)
            assert subscription.read_numbers == []

        run_with_virtual_clock(work)


class TestEnd:
    def test_running_handlers_end_and_no_more_entries_are_taken(self) -> None:
        async def work() -> None:
            handle = GatedHandler("@slow")
            subscription = RecordedSubscription(delivered(1, "@slow"), delivered(2, "@slow"))
            queues = ChatQueues(subscription, handle)
            running = asyncio.create_task(queues.run())
            await until(lambda: handle.inside == 1)
            running.cancel()
            await asyncio.sleep(5)
            assert subscription.is_stopped
            subscription.put(delivered(3))
            handle.open["@slow"].set()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert subscription.acked == [1, 2]
            assert queues.counts.in_flight == 0

        run_with_virtual_clock(work)

    def test_after_ten_seconds_a_handler_is_cancelled_and_its_entry_is_redelivered(self) -> None:
        async def work() -> None:
            loop = asyncio.get_running_loop()
            handle = GatedHandler("@slow")
            subscription = RecordedSubscription(delivered(1, "@slow"), delivered(2, "@slow"), delivered(3))
            queues = ChatQueues(subscription, handle)
            running = asyncio.create_task(queues.run())
            await until(lambda: handle.inside == 1)
            begun = loop.time()
            await end(running)
            assert 10 <= loop.time() - begun < 10.1
            assert subscription.acked == [3]
            assert subscription.failures == {}
            assert queues.last_handled == 3

        run_with_virtual_clock(work)

    async def test_no_entry_counts_as_handled_before_a_handler_is_called(self) -> None:
        health = AccountHealth(AsyncClient(), RecordedSubscription())
        queues = ChatQueues(RecordedSubscription(delivered(1)), ignore, health=health)
        assert queues.last_handled == 0

    def test_entries_behind_a_running_handler_do_not_delay_the_end_while_the_account_waits(self) -> None:
        async def work() -> None:
            gated, has_failed = GatedHandler("@slow"), asyncio.Event()

            async def handle(entry: Delivered, attempt: int) -> bool:
                if entry.entry.chat == "@failing":
                    has_failed.set()
                    raise ConnectFailed("There is no connection.")
                await gated(entry, attempt)
                return False

            subscription = RecordedSubscription(delivered(1, "@slow"), delivered(2, "@slow"), delivered(3, "@failing"))
            health = AccountHealth(AsyncClient(), subscription)  # a client without a login is not online
            running = asyncio.create_task(ChatQueues(subscription, handle, health=health).run())
            await has_failed.wait()
            await until(lambda: gated.inside == 1)
            running.cancel()
            await until(lambda: subscription.is_stopped)
            gated.open["@slow"].set()
            began = asyncio.get_running_loop().time()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert asyncio.get_running_loop().time() - began < 1
            assert gated.numbers == subscription.acked == [1]

        run_with_virtual_clock(work)

    def test_a_second_cancellation_does_not_wait(self) -> None:
        async def work() -> None:
            loop = asyncio.get_running_loop()
            handle = GatedHandler("@slow")
            subscription = RecordedSubscription(delivered(1, "@slow"))
            running = asyncio.create_task(ChatQueues(subscription, handle).run())
            await until(lambda: handle.inside == 1)
            begun = loop.time()
            running.cancel()
            await asyncio.sleep(0.1)
            await end(running)
            assert loop.time() - begun < 0.2
            assert subscription.acked == []

        run_with_virtual_clock(work)

    def test_after_an_interrupt_no_handler_is_waited_for(self) -> None:
        gated = GatedHandler("@slow")

        async def handle(entry: Delivered, attempt: int) -> bool:
            if entry.entry.chat == "@blocking":
                await until(lambda: gated.inside == 1)
                raise KeyboardInterrupt
            return await gated(entry, attempt)

        async def work() -> None:
            await ChatQueues(subscription, handle).run()

        subscription = RecordedSubscription(delivered(1, "@slow"), delivered(2, "@blocking"))
        with contextlib.closing(VirtualClockLoop()) as loop:
            running = loop.create_task(work())
            with pytest.raises(KeyboardInterrupt):
                loop.run_until_complete(running)
            begun = loop.time()
            running.cancel()  # as `asyncio.run` does
            with pytest.raises(asyncio.CancelledError):
                loop.run_until_complete(running)
            assert loop.time() - begun < 1
        assert subscription.acked == []

    def test_no_task_is_left_by_a_handler_that_returns_when_it_is_cancelled(self) -> None:
        async def work() -> None:
            inside = asyncio.Event()

            async def handle(entry: Delivered, attempt: int) -> bool:
                inside.set()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
                return False

            running = asyncio.create_task(ChatQueues(RecordedSubscription(delivered(1)), handle).run())
            await inside.wait()
            running.cancel()
            await asyncio.sleep(0.1)
            await end(running)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        run_with_virtual_clock(work)

    @pytest.mark.parametrize("iterations", range(6))
    def test_no_task_is_left_if_cancellations_arrive_beside_the_check_for_slow_handlers(self, iterations: int) -> None:
        async def work() -> None:
            async def handle(entry: Delivered, attempt: int) -> bool:
                return False

            async def iterate(times: int) -> None:
                for _ in range(times):
                    await asyncio.sleep(0)

            running = asyncio.create_task(ChatQueues(RecordedSubscription(delivered(1)), handle).run())
            await asyncio.sleep(1)  # the check begins in this iteration of the loop
            running.cancel()
            await iterate(iterations)
            while not running.done():
                running.cancel()
                await iterate(1)
            await asyncio.sleep(1)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        run_with_virtual_clock(work)

    def test_a_handler_that_ignores_cancellation_does_not_delay_the_end(self) -> None:
        async def work() -> None:
            loop = asyncio.get_running_loop()
            is_let_go = False

            async def handle(entry: Delivered, attempt: int) -> bool:
                while not is_let_go:
                    try:
                        await asyncio.sleep(1)
                    except asyncio.CancelledError:
                        continue
                return False

            subscription = RecordedSubscription(delivered(1))
            running = asyncio.create_task(ChatQueues(subscription, handle).run())
            await asyncio.sleep(1)
            begun = loop.time()
            await end(running)
            assert loop.time() - begun < 11
            is_let_go = True
            await asyncio.sleep(2)

        run_with_virtual_clock(work)

    def test_the_end_does_not_wait_for_further_attempts(self) -> None:
        async def work() -> None:
            loop = asyncio.get_running_loop()

            async def handle(entry: Delivered, attempt: int) -> bool:
                raise ValueError

            subscription = RecordedSubscription(delivered(1))
            running = asyncio.create_task(ChatQueues(subscription, handle).run())
            await until(lambda: 1 in subscription.failures)
            begun = loop.time()
            await end(running)
            assert loop.time() - begun < 0.2
            assert (subscription.acked, subscription.dead) == ([], {})

        run_with_virtual_clock(work)

    def test_running_handlers_end_when_the_subscription_ends(self) -> None:
        async def work() -> None:
            async def handle(entry: Delivered, attempt: int) -> bool:
                await asyncio.sleep(3)
                return False

            subscription = RecordedSubscription(delivered(1), delivered(2))
            subscription.end = LoggedOut("The phone has ended it.", reason="phone")
            with pytest.raises(LoggedOut):
                await ChatQueues(subscription, handle).run()
            assert subscription.acked == [1, 2]

        run_with_virtual_clock(work)


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 300),
    chats=st.integers(1, 12),
    room=st.integers(1, 40),
    attempts=st.integers(1, 4),
)
def test_each_entry_is_acknowledged_once_and_in_order_for_any_handler(
    seed: int, count: int, chats: int, room: int, attempts: int
) -> None:
    """
    Handlers return, wait, fail and cancel themselves at random; the journal fails; more entries arrive at the same
    time.
    """

    async def work() -> None:
        dice = random.Random(seed)
        inside: set[str] = set()
        order: dict[str, list[int]] = defaultdict(list)
        counts = DeliveryCounts()

        async def handle(entry: Delivered, attempt: int) -> bool:
            number, chat = entry.entry.number, str(entry.entry.chat)
            assert chat not in inside
            inside.add(chat)
            try:
                assert counts.in_flight <= room
                if attempt == 1:
                    order[chat].append(number)
                assert order[chat][-1] == number
                if dice.random() < 0.5:
                    await asyncio.sleep(dice.choice([0, 0, 0.1, 3, 40]))
                if dice.random() < 0.2:
                    raise dice.choice([ValueError, asyncio.CancelledError, SystemExit])
                if dice.random() < 0.1:
                    subscription.storage_errors += 1
                if dice.random() < 0.1:
                    task = asyncio.current_task()
                    assert task is not None
                    task.cancel()
            finally:
                inside.discard(chat)
            return False

        entries = [delivered(number, f"@{dice.randrange(chats)}") for number in range(1, count + 1)]
        subscription = RecordedSubscription(*entries[: count // 2])
        queues = ChatQueues(subscription, handle, attempts=attempts, in_flight=room, counts=counts)
        asyncio.get_running_loop().call_later(2, lambda: subscription.put(*entries[count // 2 :]))
        subscription.count = count
        await run_until_done(queues, subscription)

        assert len(subscription.acked) == len(set(subscription.acked))
        assert set(subscription.acked).isdisjoint(subscription.dead)
        assert list(range(1, count + 1)) == sorted([*subscription.acked, *subscription.dead])
        for chat, numbers in order.items():
            assert [each.entry.number for each in entries if each.entry.chat == chat] == numbers
        assert all(len(subscription.failures[number]) == attempts for number in subscription.dead)
        assert all(
            len(errors) < attempts
            for number, errors in subscription.failures.items()
            if number not in subscription.dead
        )
        assert (len(subscription.acked), len(subscription.dead)) == (counts.delivered, counts.dead)
        assert (counts.in_flight, counts.deferred) == (0, 0)

    run_with_virtual_clock(work)


@pytest.mark.parametrize(
    ("attempt", "fields", "expected"),
    [
        (1, {}, False),
        (3, {}, True),
        (3, {"redelivered": True}, False),
        (4, {"redelivered": True}, True),
        (4, {"redelivered": True, "crashes": 2}, False),
        (5, {"redelivered": True, "crashes": 2}, True),
    ],
)
def test_last_attempt_is_marked_before_it_fails(attempt: int, fields: dict[str, Any], expected: bool) -> None:
    """An attempt that an end or a crash interrupted is not a failure, so it is not counted."""
    entry = msgspec.structs.replace(delivered(1).entry, attempt=attempt, **fields)
    assert is_last_attempt(entry, attempt, 3) is expected
