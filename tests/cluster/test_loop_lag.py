"""The lag of an event loop, as another thread sees it."""

from __future__ import annotations

import asyncio

from webwx.cluster.loop_lag import LoopLag


async def test_the_lag_is_the_time_until_the_loop_answers() -> None:
    now = 5.0
    lag = LoopLag(asyncio.get_running_loop(), lambda: now)
    lag.ask()
    now = 8.0
    lag.ask()
    assert lag.unanswered == 3.0
    await asyncio.sleep(0)
    assert (lag.unanswered, lag.take_longest(), lag.take_longest()) == (0.0, 3.0, 0.0)


def test_a_closed_loop_does_not_answer() -> None:
    now = 5.0
    loop = asyncio.new_event_loop()
    lag = LoopLag(loop, lambda: now)
    loop.close()
    lag.ask()
    now = 6.0
    assert (lag.take_longest(), repr(lag)) == (1.0, "LoopLag(1.000 s)")
