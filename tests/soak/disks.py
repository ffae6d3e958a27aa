"""G-R3: a disk that fails for a while, system call by system call; and a disk that is really full."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.soak.checker import ANSWERED, CALLS, MARKS, SAID
from tests.soak.stage import Figures, stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.soak.stage import Run

SPEED = 10.0

SYSTEM_CALLS = ("pwrite64", "fdatasync", "ftruncate")
ERRORS = ("ENOSPC", "EIO")

DISK, BALLAST = 4 * 1024 * 1024, 3 * 1024 * 1024
"""Bytes of a small disk, and of a file that fills most of it."""


async def run(run: Run) -> Figures:
    """Make each system call fail from its n-th time on, then let it succeed again and check that the bot continues."""
    places = (1, 2, 3, 5, 8, 13, 21, 34) if not run.is_release else range(1, 301)
    problems: list[str] = []
    async with stage(run) as play:
        await play.start(speed=SPEED)
        play.say()
        await play.until_all_handled()
        cases = [(call, error, place) for call in SYSTEM_CALLS for error in ERRORS for place in places]
        for call, error, place in cases:
            async with play.tampered(call, f"error={error}:when={place}+"):
                for _ in range(3):
                    play.say(3)
                    await asyncio.sleep(0.05)
            if not await play.until_all_handled(30):
                problems.append(f"{call} {error} from {place} on: it did not go on by itself")
                break
        verdict = await play.finish()
    if problems:
        return Figures(str(verdict), (*problems, *verdict.problems))
    full = await _run_full(run)
    return Figures(
        f"{len(cases)} times a call failed for a while, and then did not; {verdict}; {full.text}",
        (*problems, *verdict.problems, *full.problems),
    )


async def _run_full(run: Run) -> Figures:
    """Fill a disk up, and free its space again."""
    folder = run.folder / "full"
    disk = folder / "disk"
    disk.mkdir(parents=True)
    with _mounted(disk) as why_not:
        if why_not:
            return Figures(f"no disk could be mounted here ({why_not})")
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(BALLAST))
        for name in (SAID, ANSWERED, CALLS, MARKS):  # The records of both sides have space elsewhere.
            (disk / name).symlink_to(folder / name)
        async with stage(run._replace(folder=disk)) as play:
            await play.start(speed=SPEED)
            handled, still = 0, 0
            while still < 20 and play.said < 20_000:
                play.say(50)
                await asyncio.sleep(0.05)
                still = still + 1 if play.handled() == handled else 0
                handled = play.handled()
            ballast.unlink()
            is_done = await play.until_all_handled(60)
            verdict = await play.finish()
        problems = list(verdict.problems)
        if play.said == 20_000:
            problems.append("the disk did not become full")
        if not is_done:
            problems.append("with room again, it did not go on by itself")
    return Figures(f"a disk that was full after {handled:,} messages, and had room again: {verdict}", tuple(problems))


@contextmanager
def _mounted(folder: Path) -> Iterator[str]:
    """Mount a small disk, and return why that is not possible; the text is empty on success."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "none", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        why_not = done.stderr.strip().splitlines()[-1] if done.returncode else ""
    except FileNotFoundError:
        why_not = "there is no mount"
    try:
        yield why_not
    finally:
        if not why_not:
            subprocess.run(["umount", folder], check=True)
