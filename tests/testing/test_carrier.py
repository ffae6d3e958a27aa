from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from webwx.errors import Timeout
from webwx.protocol.http import Request, TimeLimit
from webwx.testing.carrier import Carrier
from webwx.testing.loop import WorldLoop
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from webwx.testing.sandbox import Sandbox


def test_an_answer_comes_from_another_loop_and_polls_are_not_counted(sandbox: Sandbox) -> None:
    async def ask() -> None:
        carrier = Carrier(asyncio.get_running_loop(), Timeouts())
        for time_limit, expected in ((TimeLimit.CALL, 1), (TimeLimit.POLL, 0)):
            request = Request(
                endpoint="accounts", method="GET", url=f"{sandbox.url}/control/accounts", time_limit=time_limit
            )
            asking = asyncio.create_task(carrier.send(request))
            await asyncio.sleep(0)
            assert expected == carrier.on_the_way
            assert (await asking).status == 200
        assert (carrier.on_the_way, carrier.calls) == (0, ["accounts"] * 2)
        await carrier.close()

    asyncio.run(ask())


def test_an_answer_that_never_arrives_times_out_by_the_virtual_clock(sandbox: Sandbox) -> None:
    sandbox.faults.on("blackhole", times=1)

    async def ask() -> None:
        carrier = Carrier(asyncio.get_running_loop(), Timeouts(call=30))
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WorldLoop)
        asking = asyncio.create_task(
            carrier.send(Request(endpoint="any", method="GET", url=f"{sandbox.url}/jslogin?appid=x"))
        )
        await asyncio.sleep(0)
        sandbox.world.clock.wind(31)
        with pytest.raises(Timeout, match="no answer in time"):
            await asking
        await carrier.close()

    with asyncio.Runner(loop_factory=lambda: WorldLoop(sandbox.world.clock.now)) as runner:
        runner.run(ask())
