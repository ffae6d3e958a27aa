"""G-R11: how much memory messages, logins, contacts and files leave in use."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec
from tests.soak.stage import Figures, Stage, stage
from tests.soak.veteran import WARM_LOGINS, WEIGHTS, MemoryFigures

if TYPE_CHECKING:
    from tests.soak.stage import Run

WARM = 10_000
"""Messages after which every cache is full."""

MOST = {"logins": 20.0, "messages": 20.0, "files": 8.0}
"""Allowed growth in MiB after the caches are full."""

MEMBERS = 500

MEBIBYTE = 1024 * 1024

STUCK = 120.0
"""Seconds without a report after which the run fails."""

AHEAD = 10_000
"""Maximum of messages that are sent and not handled: the server has them all in memory."""


async def run(run: Run) -> Figures:
    """Run one process for a long time with many contacts."""
    people, rooms, logins = run.scaled(1_000, 10_000), run.scaled(10, 200), run.scaled(20, 200)
    messages, size = run.scaled(50_000, 1_000_000), run.scaled(64, 300)
    async with stage(run, auto_confirm=True, echo="on") as play:
        play.world.log_out("me")  # Accounts of other clients do not confirm logins.
        _populate(play, people, rooms)
        await play.start("veteran", logins=logins, warm=WARM, messages=messages, size=size * MEBIBYTE)
        ending = asyncio.create_task(play.end(None))
        before, moved_at = dict[str, MemoryFigures](), time.monotonic()
        while not ending.done():
            weights = _weights(play)
            handled = max((each.handled for each in weights.values()), default=0)
            if "logins" in weights and play.said < messages and play.said < handled + AHEAD:
                play.say(2_000)
            await asyncio.sleep(0.05)
            if weights != before:
                before, moved_at = weights, time.monotonic()
            elif time.monotonic() - moved_at > STUCK:
                play.kill()
        code, weights = await ending, _weights(play)
    problems = [f"it ended with code {code}"] if code else []
    grown = {}
    for name, most in MOST.items():
        if name not in weights or f"warm {name}" not in weights:
            problems.append(f"nothing was recorded of {name}")
            continue
        grown[name] = weights[name].mebibytes - weights[f"warm {name}"].mebibytes
        if grown[name] > most:
            problems.append(f"{name}: it grew by {grown[name]:.1f} MiB")
    growth = ", ".join(f"{name}: {mebibytes:+.1f} MiB" for name, mebibytes in grown.items())
    return Figures(
        f"{people:,} people, {rooms} chatrooms of {MEMBERS}, {logins} logins ({WARM_LOGINS} to warm up), "
        f"{messages:,} messages ({WARM:,}), {size} MiB up and down; {growth}",
        tuple(problems),
    )


def _populate(play: Stage, people: int, rooms: int) -> None:
    """Add friends and chatrooms to the world."""
    for number in range(people):
        play.world.add_person(f"Friend {number}", f"friend{number}")
        play.world.befriend("me", f"friend{number}")
    for room in range(rooms):
        members = [f"friend{(room * 97 + number) % people}" for number in range(MEMBERS - 1)]
        play.world.add_chatroom(f"Room {room}", ["me", *members], f"room{room}")


def _weights(play: Stage) -> dict[str, MemoryFigures]:
    """Return the last figures of each kind that the process has recorded."""
    path = play.folder / WEIGHTS
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return {each.after: each for line in lines for each in [msgspec.json.decode(line, type=MemoryFigures)]}
