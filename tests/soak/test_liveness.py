"""After each fault of the catalogue everything goes on, and nothing is lost; on a virtual clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.client.virtual_loop import VirtualClockLoop
from tests.soak.liveness import AFTERWARDS, Phase, life, live_through, rules_of

from webwx.sandbox.faults import FAULTS

if TYPE_CHECKING:
    from collections.abc import Coroutine

SEED = 4


def on_virtual_clock(work: Coroutine[None, None, list[str]]) -> list[str]:
    with asyncio.Runner(loop_factory=lambda: VirtualClockLoop(grace=0.002)) as runner:
        return runner.run(work)


def test_each_fault_of_the_catalogue_has_a_row_that_says_what_holds_afterwards() -> None:
    assert AFTERWARDS.keys() == FAULTS.keys()


@pytest.mark.parametrize("name", FAULTS)
def test_everything_goes_on_after(name: str) -> None:
    assert on_virtual_clock(live_through(name, SEED)) == []


async def problems_while(name: str) -> list[str]:
    """Return the problems that the oracles see while a fault does not end."""
    async with life(SEED) as made:
        await made.suffer(Phase((), 7.0))
        for rule in rules_of(name):
            made.world.faults.add(rule)
        await made.recover(name)
        return made.problems


async def problems_with_a_queued_send() -> list[str]:
    async with life(SEED) as made:
        await made.client.queue_text("filehelper", "later")
        await made.recover("nothing")
        return made.problems


def test_an_account_that_does_not_go_on_is_reported() -> None:
    (problem,) = on_virtual_clock(problems_while("html_page"))

    assert problem.startswith("120 s after html_page: the account is degraded; 1 messages were not handled")


def test_a_send_without_a_final_state_is_reported() -> None:
    (problem,) = on_virtual_clock(problems_with_a_queued_send())

    assert problem == "120 s after nothing: send 'later' is queued"
