"""The lag of the gateway's event loop."""

from __future__ import annotations

import asyncio

from tests.client.virtual_loop import VirtualClockLoop, run_with_virtual_clock

from webwx.gateway.process.loop_lag_meter import LoopLagMeter


def test_the_longest_lag_of_the_last_minute_is_shown() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualClockLoop)
        meter = LoopLagMeter()
        assert meter.longest == 0
        measuring = asyncio.ensure_future(meter.run())
        await asyncio.sleep(0.5)
        loop.jump(3)  # the loop is blocked
        await asyncio.sleep(2)
        assert 2 < meter.longest <= 3
        assert repr(meter) == f"LoopLagMeter({meter.longest:.3f} s)"
        await asyncio.sleep(70)
        assert meter.longest < 0.1
        measuring.cancel()

    run_with_virtual_clock(test)
