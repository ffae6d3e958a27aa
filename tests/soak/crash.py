"""
`make demo-crash`: kill a bot repeatedly while its friends write, then check that no message was lost or handled twice.

`python -m tests.soak.crash [--kills N] [--seed N] [--storage URL]` prints a line for each kill, a SIGKILL at a random
moment, and finally the verdict of the offline checker. The journal is a file, or in the PostgreSQL database at the URL,
which has to be empty. A failed run keeps its folder.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.soak.checker import STORAGE, mark
from tests.soak.stage import Run, Stage, stage

if TYPE_CHECKING:
    from tests.soak.checker import Verdict

KILLS = 20

MOMENTS = ("its start", "it was ready", "its first message", "its first message", "its first message")
"""Events after which a kill may happen; one of them is drawn for each kill."""


async def crash(run: Run, kills: int) -> Verdict:
    """
    Print a line for each kill, let the bot catch up, and return the findings of the checker.

    Raises:
        RuntimeError: The bot ended before it was killed.
    """
    async with stage(run, echo="on") as play:
        async with play.writing():
            for kill in range(1, kills + 1):
                moment = await _run_and_kill(play)
                counts = f"{play.said:,} messages written so far, {play.handled():,} handled"
                print(f"kill {kill:>2}  {moment}: {counts}", flush=True)
        await play.start()
        return await play.finish()


async def _run_and_kill(play: Stage) -> str:
    """Start the bot, kill it at a random moment, and describe that moment."""
    moment = play.rng.choice(MOMENTS)
    await play.start()
    match moment:
        case "it was ready":
            await play.until_it_listens()
        case "its first message":
            await play.until_more_handled()
    pause = play.rng.uniform(0, 0.3)
    await asyncio.sleep(pause)
    code = await play.end(signal.SIGKILL)
    if code != -signal.SIGKILL:
        raise RuntimeError(f"The bot ended by itself, with code {code}; see bot.log in {play.folder}.")
    mark(play.folder)
    return f"{pause:.2f} s after {moment}"


def conclude(verdict: Verdict, run: Run, kills: int, seconds: float) -> int:
    """Print the verdict, and return the exit code; the folder is deleted unless the checker found a problem."""
    print(f"\n{kills} kills: {verdict} (seed {run.seed}, {seconds:.0f} s)")
    if not verdict.is_good:
        print(f"What each side wrote down is kept in {run.folder}.")
        return 1
    shutil.rmtree(run.folder)
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.crash")
    parser.add_argument("--kills", type=int, default=KILLS, metavar="N")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), metavar="N", help="repeat these moments")
    parser.add_argument("--storage", metavar="URL", help="an empty PostgreSQL database for the journal")
    given = parser.parse_args(arguments)
    run = Run(seed=given.seed, is_release=False, folder=Path(tempfile.mkdtemp(prefix="webwx-crash-")))
    if given.storage:
        (run.folder / STORAGE).write_text(given.storage)
    print(f"A bot with a journal is killed {given.kills} times (SIGKILL) while its friends write; seed {run.seed}.\n")
    begun = time.monotonic()
    verdict = asyncio.run(crash(run, given.kills))
    return conclude(verdict, run, given.kills, time.monotonic() - begun)


if __name__ == "__main__":
    sys.exit(main())
