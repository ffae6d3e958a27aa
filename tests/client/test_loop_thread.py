"""The loop of the blocking clients: one per process, for any number of threads."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from webwx.client.loop_thread import run


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def fail() -> None:
    raise ValueError("test")


async def current_thread() -> threading.Thread:
    return threading.current_thread()


def test_the_result_of_a_coroutine_is_returned() -> None:
    assert run(double(21)) == 42


def test_an_error_is_raised_unchanged() -> None:
    with pytest.raises(ValueError, match="test"):
        run(fail())


def test_calls_of_several_threads_run_on_one_loop() -> None:
    with ThreadPoolExecutor(2) as threads:
        assert len(set(threads.map(lambda _: run(current_thread()), range(4)))) == 1


def test_the_loop_does_not_keep_the_process_from_ending() -> None:
    assert run(current_thread()).daemon


def test_a_timeout_of_the_call_is_raised() -> None:
    async def time_out() -> None:
        raise TimeoutError("test")

    with pytest.raises(TimeoutError, match="test"):
        run(time_out())


def test_an_interrupt_that_another_thread_handles_ends_the_wait() -> None:
    async def wait_for_ever() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        run(wait_for_ever())


def test_an_interrupt_cancels_the_call_and_is_raised_once_it_has_ended() -> None:
    ended = threading.Event()

    async def wait_for_ever() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            ended.set()

    with pytest.raises(KeyboardInterrupt):
        run(wait_for_ever())

    assert ended.is_set()
    assert run(double(1)) == 2
