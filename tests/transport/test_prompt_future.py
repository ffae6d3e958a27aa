"""A future whose task goes on at once."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest

from webwx.transport.prompt_future import PromptFuture

_WHERE = ContextVar("where", default="outside")


@pytest.fixture
async def future() -> PromptFuture[str]:
    return PromptFuture(asyncio.get_running_loop())


async def in_a_callback(future: PromptFuture[str], outcome: str | Exception, task: asyncio.Task[str]) -> bool:
    """Set the future in a callback of the event loop; return whether the task was done before the callback ended."""
    loop = asyncio.get_running_loop()
    was_done = loop.create_future()

    def settle() -> None:
        if isinstance(outcome, str):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)
        was_done.set_result(task.done())

    loop.call_soon(settle)
    done: bool = await was_done
    return done


async def waiting(future: PromptFuture[str]) -> asyncio.Task[str]:
    """Return a task that waits for the future."""

    async def wait() -> str:
        _WHERE.set("inside")
        result = await future
        return f"{result} {_WHERE.get()}"

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    return task


async def test_the_task_goes_on_before_the_call_that_sets_a_result_returns(future: PromptFuture[str]) -> None:
    task = await waiting(future)
    assert await in_a_callback(future, "result", task)
    assert await task == "result inside"


async def test_the_task_goes_on_before_the_call_that_sets_an_error_returns(future: PromptFuture[str]) -> None:
    task = await waiting(future)
    assert await in_a_callback(future, ValueError("failed"), task)
    with pytest.raises(ValueError, match="failed"):
        await task


@pytest.mark.parametrize("outcome", ["result", ValueError("failed")], ids=["result", "error"])
async def test_an_outcome_that_nobody_awaits_yet_is_kept(future: PromptFuture[str], outcome: str | ValueError) -> None:
    if isinstance(outcome, str):
        future.set_result(outcome)
        assert await future == outcome
    else:
        future.set_exception(outcome)
        with pytest.raises(ValueError, match="failed"):
            await future


async def test_a_cancelled_task_ends_and_its_future_takes_no_result(future: PromptFuture[str]) -> None:
    task = await waiting(future)
    task.cancel()
    assert not task.done()  # The task that cancels it is running.
    with pytest.raises(asyncio.CancelledError):
        await task
    assert future.cancelled()
    assert not future.cancel()


async def test_a_future_that_nobody_awaits_can_be_cancelled(future: PromptFuture[str]) -> None:
    assert future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await future
