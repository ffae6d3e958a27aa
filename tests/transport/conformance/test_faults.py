"""All connection faults of the sandbox on a port, and the error that a caller gets for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webwx.errors import Timeout, TransportError
from webwx.protocol.http import Request
from webwx.sandbox.clock import SystemClock
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.faults import CATALOGUE, describe
from webwx.sandbox.serve import serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transport.conformance.conftest import Make

    from webwx.sandbox.world import World

BROKEN = {
    "refused": TransportError,
    "reset_at_connect": TransportError,
    "reset_before": TransportError,
    "reset_after": TransportError,
    "reset_midway": TransportError,
    "closed_in_head": TransportError,
    "closed_in_body": TransportError,
    "blackhole": Timeout,
    "lost_answer": Timeout,
    "late_answer": Timeout,
    "garbage_status": TransportError,
    "http_0_9": TransportError,
    "wrong_length": TransportError,
    "endless_chunks": Timeout,
    "gzip_wrong": TransportError,
}
"""Faults that leave no answer."""

HARMLESS = {"answer_twice", "request_twice", "sliced", "latency:seconds=0.01,jitter=0", "slow:rate=100000"}
"""Faults that leave an answer."""

LATER = {"stale_connection"}
"""Faults that affect the next request."""

URL = "/jslogin?appid=wx782c26e4c19acffb&fun=new"


def test_every_fault_of_the_connection_is_tested() -> None:
    catalogue = {describe(kind, "").name for kind in CATALOGUE["Connection"]}
    assert catalogue == (BROKEN.keys() & catalogue) | {each.partition(":")[0] for each in HARMLESS} | LATER


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_fault_of_the_connection_raises_its_error(
    make: Make, make_world: Callable[..., World], fault: str
) -> None:
    world = make_world(clock=SystemClock())
    served = await serve(SandboxCore(world))
    try:
        world.faults.add(fault)
        # Only a fault that is recognised by silence needs a short wait; on a busy machine another fault takes longer.
        transport = make(call=0.2 if BROKEN[fault] is Timeout else 30)
        with pytest.raises(BROKEN[fault]) as caught:
            await transport.send(Request(endpoint="jslogin", method="GET", url=served.url + URL + "&skey=secret"))
    finally:
        await served.close()
    assert type(caught.value) is BROKEN[fault]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("fault", sorted(HARMLESS))
async def test_a_fault_that_leaves_an_answer_leaves_the_expected_one(
    make: Make, make_world: Callable[..., World], fault: str
) -> None:
    world = make_world(clock=SystemClock())
    served = await serve(SandboxCore(world))
    try:
        transport = make()
        world.faults.add(fault)
        request = Request(endpoint="jslogin", method="GET", url=served.url + URL)
        answers = [await transport.send(request) for _ in range(3)]
    finally:
        await served.close()
    assert len({each.body for each in answers}) == 3  # One code for each.
    assert all(b"window.QRLogin.code = 200" in each.body for each in answers)
