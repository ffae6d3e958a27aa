"""G-R17: `kill -9` of a bot that counts in the state of each chat: each message is counted once, in order."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from tests.soak.checker import check_states, mark
from tests.soak.stage import Figures, stage

if TYPE_CHECKING:
    from tests.soak.stage import Run

SPEED = 10.0

LIVES = 4
"""Number of kills after which the bot may run long enough to handle more messages."""


async def run(run: Run) -> Figures:
    """Kill the bot many times, let it catch up, and compare the states with the messages."""
    kills = run.scaled(20, 200)
    async with stage(run, echo="on") as play:
        async with play.writing(0.02):
            for kill in range(kills):
                await play.start("state", speed=SPEED)
                if kill % LIVES:
                    await play.until_more_handled()
                await asyncio.sleep(play.rng.uniform(0, 0.15))
                await play.end(signal.SIGKILL)
                mark(play.folder)
        await play.start("state", speed=SPEED)
        verdict = await play.finish()
    figures, problems = check_states(run.folder)
    return Figures(f"{kills} kills; {figures}; {verdict}", (*verdict.problems, *problems))
