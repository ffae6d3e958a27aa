"""G-R10: how fast messages are stored and handled."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import msgspec
from tests.soak.meter import STORED
from tests.soak.stage import Figures, stage

if TYPE_CHECKING:
    from tests.soak.stage import Run

SLOWEST = 500
"""Minimum of messages per second."""

LONGEST_STORE = 0.05
"""Time limit in seconds in which 99 of 100 batches are stored."""

LENIENT = 5.0
"""Factor on that limit for a machine with other work, such as in CI."""

AHEAD = 40_000
"""Messages that wait when the bot starts; also the maximum."""


async def run(run: Run) -> Figures:
    """Run the bot until it has handled the waiting messages, and measure it."""
    messages = run.scaled(80_000, 500_000)
    problems = []
    async with stage(run) as play:
        play.say(AHEAD)
        begun = time.monotonic()
        await play.start("metered")
        await play.until_all_handled(300)
        rate = play.said / (time.monotonic() - begun)
        while play.said < messages:
            play.say(AHEAD // 10)
            await play.until_all_handled(120)
        verdict = await play.finish()
    seconds = msgspec.json.decode((run.folder / STORED).read_bytes(), type=list[float])
    usual, slow = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
    if rate < SLOWEST:
        problems.append(f"{rate:,.0f} messages a second")
    if slow > LONGEST_STORE * (1.0 if run.is_release else LENIENT):
        problems.append(f"one batch in a hundred took {slow * 1e3:.0f} ms to be stored")
    return Figures(
        f"{rate:,.0f} messages a second from the server to the handler's end, with its start; {len(seconds):,} batches "
        f"stored in {usual * 1e3:.1f} ms each, one in a hundred in more than {slow * 1e3:.1f} ms; {verdict}",
        (*problems, *verdict.problems),
    )
