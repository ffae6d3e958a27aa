"""Threads for plain functions: as many as needed, and none that delays the end of the process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial

import pytest
from tests.client.virtual_loop import until

from webwx.bot.threads import Threads, is_any_at_work, is_asynchronous, wait_for


@pytest.fixture
def gate() -> threading.Event:
    """An event for which the functions of a test wait."""
    return threading.Event()


async def test_function_runs_in_a_thread_and_its_result_is_returned() -> None:
    threads = Threads(4)
    assert await threads.run(lambda: threading.current_thread().name) == "webwx handler"
    threads.end()


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), StopIteration(), asyncio.CancelledError()])
async def test_exception_of_a_function_is_raised_where_it_is_awaited(error: BaseException) -> None:
    def fail() -> None:
        raise error

    threads = Threads(1)
    with pytest.raises(BaseException) as caught:
        await threads.run(fail)
    # A coroutine may not end with a StopIteration, so Python wraps it.
    assert error in {caught.value, caught.value.__cause__}
    assert await threads.run(lambda: 7) == 7
    threads.end()


async def test_many_functions_run_at_once_up_to_the_limit(gate: threading.Event) -> None:
    begun: list[int] = []

    def wait() -> int:
        begun.append(threading.get_ident())
        gate.wait(60)
        return threading.get_ident()

    threads = Threads(3)
    calls = [asyncio.ensure_future(threads.run(wait)) for _ in range(5)]
    await until(lambda: len(begun) == 3)
    gate.set()
    assert set(begun) == set(await asyncio.gather(*calls))
    assert len(set(begun)) == 3
    assert len(begun) == 5
    threads.end()


async def test_function_counts_as_working_except_while_it_waits_for_the_event_loop(gate: threading.Event) -> None:
    loop, answer, has_asked = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def ask() -> None:
        gate.wait(60)
        asked = asyncio.run_coroutine_threadsafe(answer.wait(), loop)
        has_asked.set()
        wait_for(asked)

    threads = Threads(1)
    calls = [asyncio.ensure_future(threads.run(ask)), asyncio.ensure_future(threads.run(lambda: True))]
    await asyncio.sleep(0)
    assert is_any_at_work()
    gate.set()
    await asyncio.to_thread(has_asked.wait, 60)
    await until(lambda: not is_any_at_work())
    answer.set()
    await asyncio.gather(*calls)
    assert not is_any_at_work()
    threads.end()


async def test_threads_are_used_again() -> None:
    threads = Threads(9)
    names = {await threads.run(threading.get_ident) for _ in range(20)}
    assert len(names) == 1
    threads.end()


async def test_cancelled_call_that_has_not_started_is_never_made(gate: threading.Event) -> None:
    begun = []
    threads = Threads(1)
    first = asyncio.ensure_future(threads.run(lambda: gate.wait(60)))
    second = asyncio.ensure_future(threads.run(lambda: begun.append(2)))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    gate.set()
    await first
    assert await threads.run(lambda: 3) == 3
    assert begun == []
    threads.end()


def test_a_function_that_never_returns_does_not_prevent_the_end_of_the_process() -> None:
    program = """
import asyncio, threading
from webwx.bot.threads import Threads

async def main():
    begun = threading.Event()
    call = asyncio.ensure_future(Threads(1).run(lambda: (begun.set(), threading.Event().wait())))
    while not begun.is_set():
        await asyncio.sleep(0)

asyncio.run(main())
print("ended")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "ended\n"


async def test_plain_handler_that_returns_a_coroutine_raises() -> None:
    async def later(number: int) -> None:
        raise AssertionError

    threads, done = Threads(1), list[int]()
    await threads.call(done.append, 7)
    assert done == [7]
    with pytest.raises(TypeError, match="write it as `async def`"):
        await threads.call(lambda number: later(number), 7)
    threads.end()


def test_every_callable_that_returns_a_coroutine_is_asynchronous() -> None:
    class Asynchronous:
        async def __call__(self) -> None:
            raise AssertionError

        async def method(self) -> None:
            raise AssertionError

    class Plain:
        def __call__(self) -> None:
            raise AssertionError

    made = Asynchronous()
    functions: list[Callable[..., object]] = [made, made.method, partial(made.method)]
    others: list[Callable[..., object]] = [Plain(), len, lambda: made.method(), Plain]
    assert all(map(is_asynchronous, functions))
    assert not any(map(is_asynchronous, others))
