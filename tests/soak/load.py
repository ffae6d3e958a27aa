"""G-R10: how fast messages are stored and handled. G-R11: what stays in memory of them."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.soak.stage import Figures, Stage, stage

if TYPE_CHECKING:
    from tests.soak.stage import Run

SLOWEST = 500
"""Messages a second."""

WARM = 40_000
"""Messages after which every cache is full."""

MOST_GROWTH = 20.0
"""MiB from there on."""


async def run(run: Run) -> Figures:
    """Let the bot work through what waits for it, and watch it."""
    messages = run.scaled(80_000, 500_000)
    problems = []
    async with stage(run) as play:
        play.say(WARM)
        begun = time.monotonic()
        await play.start()
        await play.until_all_handled(300)
        rate = play.said / (time.monotonic() - begun)
        warm = _memory(play)
        while play.said < messages:
            play.say(WARM // 10)
            await play.until_all_handled(120)
        grown = _memory(play) - warm
        verdict = await play.finish()
    if rate < SLOWEST:
        problems.append(f"{rate:,.0f} messages a second")
    if grown > MOST_GROWTH:
        problems.append(f"it grew by {grown:.1f} MiB")
    return Figures(
        f"{rate:,.0f} messages a second from the server to the handler's end, with its start; "
        f"from {WARM:,} to {messages:,} messages it grew by {grown:.1f} MiB; {verdict}",
        (*problems, *verdict.problems),
    )


def _memory(play: Stage) -> float:
    """Give the MiB of the process."""
    rollup = Path(f"/proc/{play.pid}/smaps_rollup").read_text()
    found = re.search(r"^Rss:\s+(\d+) kB", rollup, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024
