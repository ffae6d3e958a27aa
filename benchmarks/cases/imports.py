"""The start: imports, a bot's first text, and the help of the command line; the floor is the start of Python."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.case import FLOOR, OURS, PEER, Case, Figures, Run, World

_WEBWX = str(Path(sys.executable).with_name("webwx"))


def start(run: Run, *command: str, tells_time: bool = False) -> Figures:
    """Start a process a number of times, and measure until its end, or the time that it prints; the CPU is its own."""
    waits, before = [], _cpu_of_ended()
    with run.meter() as meter:
        for _ in range(run.case.count):
            begun = time.clock_gettime(time.CLOCK_MONOTONIC)
            printed = subprocess.run(command, check=True, capture_output=True).stdout
            until = float(printed) if tells_time else time.clock_gettime(time.CLOCK_MONOTONIC)
            waits.append(until - begun)
    return meter.figures | {"ms": statistics.median(waits) * 1000, "cpu": _cpu_of_ended() - before}


def _cpu_of_ended() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def floor_of(run: Run) -> Figures:
    """Start Python."""
    return start(run, sys.executable, "-c", "pass")


def ours_import(run: Run) -> Figures:
    """Import webwx."""
    return start(run, sys.executable, "-c", "import webwx")


def client_import(run: Run) -> Figures:
    """Import the client."""
    return start(run, sys.executable, "-c", "from webwx import AsyncClient")


_FIRST_MESSAGE = """
import asyncio, sys, time
from webwx import AsyncClient, Bot, SqliteJournal, TextMessage

async def main(url, ca_file, path):
    async with SqliteJournal(path) as journal, AsyncClient(server=url, ca_file=ca_file, journal=journal) as client:
        await client.login(show_qr=lambda code: None)
        bot = Bot(client=client)

        @bot.on(TextMessage)
        async def end(ctx, message):
            print(time.clock_gettime(time.CLOCK_MONOTONIC))
            running.cancel()

        running = asyncio.create_task(bot.start())
        await asyncio.wait([running])

asyncio.run(main(*sys.argv[1:]))
"""


def first_message(run: Run) -> Figures:
    """Start a bot with a journal of its own, which logs in and ends at its first text; measure until it has this."""
    run.ask_server("release")  # every login finds the text, which waits
    command = (sys.executable, "-c", _FIRST_MESSAGE, run.url, run.ca_file, str(run.folder / "own.journal"))
    return start(run, *command, tells_time=True)


def peer_import(run: Run) -> Figures:
    """Import itchat."""
    return start(run, sys.executable, "-c", "import itchat")


def ours_help(run: Run) -> Figures:
    """Print the help."""
    return start(run, _WEBWX, "--help")


CASES = (
    Case(
        name="import", about="until the process has ended", count=10,
        variants={FLOOR: floor_of, OURS: ours_import, PEER: peer_import},
    ),
    Case(
        name="import-client", about="`from webwx import AsyncClient`, until the process has ended", count=10,
        variants={FLOOR: floor_of, OURS: client_import},
    ),
    Case(
        name="first-message", about="a bot with a journal, which ends after its first text", world=World(texts=1),
        count=10, variants={FLOOR: floor_of, OURS: first_message},
    ),
    Case(
        name="help", about="`webwx --help`, until the process has ended", count=10,
        variants={FLOOR: floor_of, OURS: ours_help},
    ),
)  # fmt: skip
