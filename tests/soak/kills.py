"""G-R2: `kill -9`, at random moments and at each system call of a commit. G-R13: SIGTERM, at random moments."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from typing import TYPE_CHECKING

from tests.soak.checker import mark
from tests.soak.stage import Figures, Stage, stage

if TYPE_CHECKING:
    from tests.soak.stage import Run

SPEED = 10.0

LIVES = 4
"""Number of kills after which the bot may run long enough to catch up."""

COMMIT = ("pwrite64", "fdatasync")
"""The system calls of a commit."""

LONGEST_END = 12.0
"""Time limit in seconds for a process to end on SIGTERM, for a release: others run beside those of a pull request."""


async def run_kills(run: Run) -> Figures:
    """Kill the bot many times, and compare all records afterwards."""
    if shutil.which("strace") is None:
        return Figures("", ("strace is needed for kills at a system call, and is not installed",))
    at_random, at_calls = run.scaled(160, 1_500), run.scaled(40, 500)
    async with stage(run, echo="on") as play:
        async with play.writing(0.02):
            for kill in range(at_random):
                await play.start(speed=SPEED)
                if kill % LIVES == 0:
                    await play.until_more_handled()
                await asyncio.sleep(play.rng.uniform(0, 0.15))
                await play.end(signal.SIGKILL)
                mark(play.folder)
            killed = [await _kill_at(play, COMMIT[at % 2], 1 + at // 2) for at in range(at_calls)]
        await play.start(speed=SPEED)
        verdict = await play.finish()
    return Figures(
        f"{at_random} kills at random moments and {sum(killed)} at a system call of a commit; {verdict}",
        verdict.problems,
    )


async def _kill_at(play: Stage, call: str, nth: int) -> bool:
    """Have the kernel kill a bot at its n-th system call of a name in one thread."""
    await play.start(speed=SPEED, is_held=True)
    ended = False
    async with play.tampered(call, f"signal=SIGKILL:when={nth}"):
        play.go()
        ending = asyncio.ensure_future(play.end(None))
        try:
            ended = await asyncio.wait_for(asyncio.shield(ending), 5) == -signal.SIGKILL
        except TimeoutError:
            play.kill()
            await ending
    (play.folder / "go").unlink()
    mark(play.folder)
    return ended


async def run_terminations(run: Run) -> Figures:
    """End the bot by SIGTERM many times under load, and compare all records afterwards."""
    times, took, problems = run.scaled(100, 1_000), [], []
    async with stage(run, echo="on") as play:
        async with play.writing(0.02):
            for _ in range(times):
                await play.start()
                await play.until_it_listens()
                await asyncio.sleep(play.rng.uniform(0, 0.1))
                begun = time.monotonic()
                code = await play.end()
                took.append(time.monotonic() - begun)
                mark(play.folder)
                if code:
                    problems.append(f"it ended with code {code}")
        await play.start()
        verdict = await play.finish()
    longest = max(took)
    if run.is_release and longest > LONGEST_END:
        problems.append(f"it took {longest:.1f} s to end")
    return Figures(
        f"{times} times SIGTERM, the longest end took {longest:.2f} s; {verdict}", (*problems, *verdict.problems)
    )
