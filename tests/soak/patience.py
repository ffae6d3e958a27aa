"""G-R9: a handler that hangs does not block the polls, other chats or the event loop."""

from __future__ import annotations

import asyncio
import statistics
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
from tests.soak.patient import HANG, OPEN, WAITED, Waited
from tests.soak.stage import Figures, stage

from webwx.protocol.sync import SYNCCHECK
from webwx.sandbox.core import SandboxCore

if TYPE_CHECKING:
    from tests.soak.stage import Run

    from webwx.protocol.http import Park, Request, Response
    from webwx.sandbox.world import World

LONGEST_GAP = 30.0
"""Maximum of seconds between two polls."""

WAIT, LAG = 0.2, 0.02
"""Time limits in seconds for 99 of 100: the wait of a text in another chat, and the lateness of the event loop."""

LENIENT = 5.0
"""Factor on these two limits for a machine with other work, such as in CI."""

PAUSE = 0.06
"""Seconds between two rounds of three texts, which makes fifty a second."""


class PollRecorder(SandboxCore):
    """A server that records when each poll begins."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.polls: list[float] = []

    def answer(self, request: Request, parked: Park | None = None) -> Response | Park:
        if parked is None and SYNCCHECK.matches(request.method, request.path):
            self.polls.append(time.monotonic())
        return super().answer(request, parked)


async def run(run: Run) -> Figures:
    """Block the handler of one chat while fifty texts a second arrive."""
    seconds = run.scaled(20, 600)
    rounds = int(seconds / PAUSE)
    async with stage(run, make_sandbox=PollRecorder) as play:
        sandbox = play.sandbox
        assert isinstance(sandbox, PollRecorder)
        await play.start("patient", others=2 * rounds, hanging=rounds)
        await play.until(lambda: bool(sandbox.polls), 30)
        begun = time.monotonic()
        for number in range(rounds):
            play.world.say("ahua", "me", f"{HANG} {number}")
            for friend in ("lilei", "zhangsan"):
                play.world.say(friend, "me", str(time.monotonic()))
            await asyncio.sleep(max(0.0, begun + (number + 1) * PAUSE - time.monotonic()))
        (play.folder / OPEN).touch()
        code = await asyncio.wait_for(play.end(None), 120)
        polls = sandbox.polls
    waited = msgspec.json.decode((run.folder / WAITED).read_bytes(), type=Waited)
    gap = max(later - earlier for earlier, later in pairwise(polls))
    wait, lag = _slowest(waited.others), _slowest(waited.lags)
    leniency = 1.0 if run.is_release else LENIENT
    problems = [f"it ended with code {code}"] if code else []
    if gap >= LONGEST_GAP:
        problems.append(f"{gap:.1f} s between two polls")
    if wait >= WAIT * leniency:
        problems.append(f"other chats waited {wait * 1e3:.0f} ms")
    if lag >= LAG * leniency:
        problems.append(f"the loop was {lag * 1e3:.0f} ms late")
    return Figures(
        f"a handler that hangs for {seconds} s, {len(waited.others):,} texts of other chats meanwhile: at most "
        f"{gap:.1f} s between two polls, others waited {wait * 1e3:.1f} ms and the loop was {lag * 1e3:.1f} ms late "
        f"(p99); {waited.hung:,} texts that waited for the handler came in the end",
        tuple(problems),
    )


def _slowest(values: list[float]) -> float:
    """Return the value that 99 of 100 values are below."""
    return statistics.quantiles(values, n=100)[98]
