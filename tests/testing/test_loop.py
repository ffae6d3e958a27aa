from __future__ import annotations

import asyncio
import time

from webwx.sandbox.clock import VirtualClock
from webwx.testing.loop import WorldLoop


def running_loop() -> WorldLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WorldLoop)
    return loop


def test_a_sleep_ends_when_the_clock_is_advanced() -> None:
    clock = VirtualClock()

    async def sleep() -> float:
        loop = running_loop()
        begun = loop.time()
        sleeping = asyncio.create_task(asyncio.sleep(120))
        await asyncio.sleep(0)
        clock.wind(120)
        loop.check_clock()
        await sleeping
        return loop.time() - begun

    with asyncio.Runner(loop_factory=lambda: WorldLoop(clock.now)) as runner:
        assert runner.run(sleep()) == 120


def test_an_idle_loop_is_detected_with_its_next_timer() -> None:
    clock = VirtualClock()
    seen: list[tuple[bool, float | None]] = []

    def look(loop: WorldLoop) -> None:
        while not loop.is_resting:
            time.sleep(0)
        seen.append((loop.is_resting, loop.seconds_to_timer))
        clock.wind(60)
        loop.check_clock()

    async def rest() -> None:
        loop = running_loop()
        assert not loop.is_resting
        looking = loop.run_in_executor(None, look, loop)
        assert loop.in_threads == 1
        await asyncio.sleep(60)
        await looking
        assert loop.in_threads == 0
        assert loop.arrivals > 0

    with asyncio.Runner(loop_factory=lambda: WorldLoop(clock.now)) as runner:
        runner.run(rest())
    assert seen == [(True, 60)]
