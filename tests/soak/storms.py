"""G-R6: outages, from a second to ten minutes. G-R7: a failing server is not called at full speed."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.soak.stage import Figures, Stage, stage

from webwx.sandbox.core import SandboxCore

if TYPE_CHECKING:
    from tests.soak.stage import Run

    from webwx.protocol.http import Park, Request, Response
    from webwx.sandbox.world import World

SPEED = 25.0

OUTAGES = (("refused", 1), ("reset_before", 10), ("refused", 30), ("blackhole", 60), ("reset_before", 600))
"""Fault of every request, and its duration in seconds of the SDK's clock."""

LONGEST_PAUSE = 30.0 * 1.2
"""Maximum of seconds between two attempts; the next attempt then notices the end of an outage."""

GROWTH = 1.5
"""Maximum ratio of a pause to the sum of all earlier pauses, by doubling and jitter."""

LONGEST_POLL = 35.0
"""Seconds after which a poll without an answer times out."""

REACTION = 25.0
"""Seconds in which the first attempt after an outage must receive the waiting message: one second of a busy machine."""

MOST = 10
"""Maximum of attempts per minute during an outage; in its first seconds they are more frequent."""

MOST_IN_A_STORM = 12
"""Maximum of polls per minute, and of fetches."""

STORMS = ("sticky_selector", "html_page", "ret:ret=1,endpoint=webwxsync")


class Counting(SandboxCore):
    """A server that counts its calls."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.calls: Counter[str] = Counter()

    def answer(self, request: Request, parked: Park | None = None) -> Response | Park:
        if parked is None:
            self.calls[request.path] += 1
        return super().answer(request, parked)


async def run_outages(run: Run) -> Figures:
    """Interrupt the network and restore it, repeatedly."""
    figures, problems = [], []
    async with stage(run, hold_seconds=0.2) as play:
        await play.start(speed=SPEED)
        for outage, seconds in OUTAGES * run.scaled(1, 5):
            play.say()
            await play.until_all_handled()
            before = sum(play.proxy.counts.values())
            if outage == "refused":
                play.proxy.start_outage(seconds / SPEED)
            else:
                play.proxy.set("reset_at_connect", outage)
            await asyncio.sleep(seconds / SPEED)
            play.proxy.faults.reset()
            attempts = sum(play.proxy.counts.values()) - before
            back = time.monotonic()
            play.say()
            await play.until_all_handled()
            took = (time.monotonic() - back) * SPEED
            figures.append(f"{outage} {seconds} s: back after {took:.1f} s")
            pause = min(1 + seconds * GROWTH, LONGEST_PAUSE)
            if took > (LONGEST_POLL if outage == "blackhole" else pause) + REACTION:
                problems.append(f"back {took:.1f} s after an outage of {seconds} s")
            if attempts > MOST * max(1, seconds / 60):
                problems.append(f"{attempts} attempts in an outage of {seconds} s")
        verdict = await play.finish()
    return Figures(f"{'; '.join(figures)}; {verdict}", (*problems, *verdict.problems))


async def run_storms(run: Run) -> Figures:
    """Send malformed answers for a minute of the SDK's clock, and count the calls."""
    figures, problems = [], []
    async with stage(run, make_sandbox=Counting) as play:
        assert isinstance(play.sandbox, Counting)
        await play.start(speed=5.0)
        play.say()
        await play.until_all_handled()
        for storm in STORMS:
            play.world.faults.add(storm)
            play.say()  # Without a message there would be no fetch.
            play.sandbox.calls.clear()
            used = _cpu(play)
            await asyncio.sleep(12)
            requests, used = max(play.sandbox.calls.values()), _cpu(play) - used
            play.world.faults.reset()
            await play.until_all_handled()
            name, share = storm.partition(":")[0], used / 60
            figures.append(f"{name}: {requests} calls of a kind a minute, {share:.1%} of a core")
            if requests > MOST_IN_A_STORM:
                problems.append(f"{requests} calls of a kind a minute with {name}")
            if share >= 0.05:
                problems.append(f"{share:.1%} of a core with {name}")
        verdict = await play.finish()
    return Figures(f"{'; '.join(figures)}; {verdict}", (*problems, *verdict.problems))


def _cpu(play: Stage) -> float:
    """Return the seconds of processor time that the process has used."""
    fields = Path(f"/proc/{play.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
