"""Sends: one after another, and many in flight."""

from __future__ import annotations

import asyncio
import ssl
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from benchmarks import floor, ours, peer
from benchmarks.case import FLOOR, OURS, PEER, Case, Figures, Run

if TYPE_CHECKING:
    from collections.abc import Sequence

WARM = 20
"""Sends before the clock runs."""

PEER_IN_FLIGHT = 16
"""It gets no faster with more threads; one alone is its best."""


def _figures(figures: Figures, count: int, waits: Sequence[float] = ()) -> Figures:
    figures["per_second"] = count / figures["seconds"]
    figures["cpu_ms"] = figures["cpu"] / count * 1000
    figures["server_cpu_ms"] = figures["server_cpu"] / count * 1000
    if waits:
        figures["p50_ms"] = statistics.median(waits) * 1000
        figures["p99_ms"] = sorted(waits)[len(waits) * 99 // 100] * 1000
    return figures


def ours_in_turn(run: Run) -> Figures:
    """Send one after another."""

    async def main() -> Figures:
        async with ours.logged_in(run) as client:
            for number in range(WARM):
                await client.send_text("filehelper", f"warm {number}")
            waits = []
            with run.meter() as meter:
                for number in range(run.case.count):
                    begun = time.perf_counter()
                    await client.send_text("filehelper", f"message {number}")
                    waits.append(time.perf_counter() - begun)
            return _figures(meter.figures, run.case.count, waits)

    return asyncio.run(main())


def floor_in_turn(run: Run) -> Figures:
    """Make the same requests."""
    wire = floor.Wire(run)
    for number in range(WARM):
        wire.ask(floor.text_message(number))
    waits = []
    with run.meter() as meter:
        for number in range(run.case.count):
            begun = time.perf_counter()
            wire.ask(floor.text_message(number))
            waits.append(time.perf_counter() - begun)
    return _figures(meter.figures, run.case.count, waits)


def peer_in_turn(run: Run) -> Figures:
    """Send one after another."""
    core = peer.log_in(run)
    for number in range(WARM):
        core.send_msg(f"warm {number}", "filehelper")
    waits = []
    with run.meter() as meter:
        for number in range(run.case.count):
            begun = time.perf_counter()
            core.send_msg(f"message {number}", "filehelper")
            waits.append(time.perf_counter() - begun)
    return _figures(meter.figures, run.case.count, waits)


def ours_at_once(run: Run) -> Figures:
    """Send from several tasks, with one send of each in flight."""

    async def main() -> Figures:
        async with ours.logged_in(run) as client:
            numbers = iter(range(run.case.count))

            async def work() -> None:
                for number in numbers:
                    await client.send_text("filehelper", f"message {number}")

            await asyncio.gather(*(client.send_text("filehelper", "warm") for _ in range(run.case.in_flight)))
            with run.meter() as meter:
                await asyncio.gather(*(work() for _ in range(run.case.in_flight)))
            return _figures(meter.figures, run.case.count)

    return asyncio.run(main())


def floor_at_once(run: Run) -> Figures:
    """Make the same requests on the same number of sockets, and wait for all answers."""
    context = ssl.create_default_context(cafile=run.ca_file)
    wires = [floor.Wire(run, context) for _ in range(run.case.in_flight)]
    turns = -(-run.case.count // len(wires))
    with run.meter() as meter:
        for turn in range(turns):
            for wire in wires:
                wire.send(floor.text_message(turn))
            for wire in wires:
                wire.receive()
    return _figures(meter.figures, turns * len(wires))


def peer_at_once(run: Run) -> Figures:
    """Send from sixteen threads."""
    core, count = peer.log_in(run), -(-run.case.count // 4)  # it takes that much longer
    with ThreadPoolExecutor(PEER_IN_FLIGHT) as pool:
        list(pool.map(lambda _: core.send_msg("warm", "filehelper"), range(PEER_IN_FLIGHT)))
        with run.meter() as meter:
            list(pool.map(lambda number: core.send_msg(f"message {number}", "filehelper"), range(count)))
    return _figures(meter.figures, count)


AT_ONCE = {FLOOR: floor_at_once, OURS: ours_at_once, PEER: peer_at_once}

CASES = (
    Case(
        name="sends-1", about="texts, one after another", count=2_000,
        variants={FLOOR: floor_in_turn, OURS: ours_in_turn, PEER: peer_in_turn},
    ),
    Case(name="sends-16", about="texts, 16 in flight", count=4_000, in_flight=16, variants=AT_ONCE),
    Case(
        name="sends-64", about=f"texts, 64 in flight, the peer {PEER_IN_FLIGHT}", count=8_000, in_flight=64,
        variants=AT_ONCE,
    ),
)  # fmt: skip
