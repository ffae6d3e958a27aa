"""Held polls, each of which is woken separately."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from webwx.protocol.http import Park
from webwx.sandbox.clock import SystemClock, VirtualClock
from webwx.sandbox.long_polls import LongPolls

StartPoll = Callable[..., Awaitable[asyncio.Task[None]]]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def polls(clock: VirtualClock) -> LongPolls:
    return LongPolls(clock)


@pytest.fixture
async def park(polls: LongPolls, clock: VirtualClock) -> AsyncIterator[StartPoll]:
    """Start to wait for an account; the task ends when it is woken."""
    tasks = list[asyncio.Task[None]]()

    async def start(account: str, until: float = 25.0) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(polls.wait(Park(until=clock.now() + until, account=account))))
        await asyncio.sleep(0)
        return tasks[-1]

    yield start
    polls.close()
    await asyncio.gather(*tasks, return_exceptions=True)


async def woken(*tasks: asyncio.Task[None]) -> list[bool]:
    for _ in range(3):
        await asyncio.sleep(0)
    return [task.done() for task in tasks]


async def test_a_poll_is_woken_only_by_its_own_account(polls: LongPolls, park: StartPoll) -> None:
    mine, same, other, any_ = [await park(account) for account in ("me", "me", "ahua", "")]
    polls.wake("me")
    polls.wake("me")
    assert await woken(mine, same, other, any_) == [True, True, False, True]
    polls.wake("")
    assert await woken(other) == [True]


async def test_a_poll_that_was_given_up_is_forgotten(polls: LongPolls, park: StartPoll) -> None:
    mine, same = await park("me"), await park("me")
    mine.cancel()
    await woken()
    polls.wake("me")
    assert await woken(same) == [True]
    polls.wake("me")


async def test_a_poll_ends_at_its_deadline(polls: LongPolls, park: StartPoll) -> None:
    await (await park("me", until=0.0))


async def test_another_thread_may_wake_a_poll() -> None:
    polls = LongPolls(SystemClock())
    waiting = asyncio.create_task(polls.wait(Park(until=2e10, account="me")))
    await asyncio.sleep(0)
    await asyncio.to_thread(polls.wake, "me")
    await waiting


async def test_closing_cancels_held_polls(polls: LongPolls, park: StartPoll) -> None:
    mine = await park("me")
    polls.close()
    with pytest.raises(asyncio.CancelledError):
        await mine
