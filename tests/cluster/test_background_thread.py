"""A coroutine in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading

import pytest

from webwx.cluster.background_thread import BackgroundThread


async def test_a_coroutine_in_a_thread_is_cancelled_when_it_is_stopped() -> None:
    begun, log = threading.Event(), list[str]()

    async def work() -> None:
        log.append(threading.current_thread().name)
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    thread = BackgroundThread(work)
    begun.wait()
    await thread.stop()
    assert log == ["webwx lease", "cancelled"]


@pytest.mark.parametrize("times", [1, 2])
async def test_a_coroutine_that_has_ended_can_be_stopped(times: int) -> None:
    async def work() -> None:
        pass

    thread = BackgroundThread(work)
    for _ in range(times):
        await thread.stop()


async def test_the_thread_does_not_keep_the_process_alive() -> None:
    thread = BackgroundThread(lambda: asyncio.sleep(3600), "lonely")
    assert [each.daemon for each in threading.enumerate() if each.name == "lonely"] == [True]
    await thread.stop()


async def test_a_coroutine_can_be_stopped_before_it_has_begun() -> None:
    await BackgroundThread(lambda: asyncio.sleep(3600)).stop()
