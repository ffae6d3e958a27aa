"""Calls from other threads to an event loop: they are made in order, and none is left."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from webwx.storage.postgres.loop_calls import LoopCalls


async def test_calls_of_several_threads_are_all_made_in_the_order_of_each_thread() -> None:
    loop = asyncio.get_running_loop()
    calls, made, all_made = LoopCalls(loop), list[tuple[int, int]](), asyncio.Event()

    def note(thread: int, number: int) -> None:
        assert asyncio.get_running_loop() is loop
        made.append((thread, number))
        if len(made) == 4_000:
            all_made.set()

    def add(thread: int) -> None:
        for number in range(1_000):
            calls.add(partial(note, thread, number))

    threads = [threading.Thread(target=add, args=(thread,)) for thread in range(4)]
    for each in threads:
        each.start()
    async with asyncio.timeout(60):
        await all_made.wait()
    for each in threads:
        each.join()
    for thread in range(4):
        assert [number for each, number in made if each == thread] == list(range(1_000))


async def test_calls_that_are_added_together_wake_the_loop_once() -> None:
    class CountingLoop:
        def __init__(self) -> None:
            self.scheduled: list[object] = []

        def call_soon_threadsafe(self, callback: object) -> None:
            self.scheduled.append(callback)

    loop = CountingLoop()
    calls = LoopCalls(loop)  # type: ignore[arg-type]
    for _ in range(3):
        calls.add(lambda: None)
    assert len(loop.scheduled) == 1


def test_a_closed_loop_refuses_calls() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    calls = LoopCalls(loop)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            calls.add(lambda: None)
