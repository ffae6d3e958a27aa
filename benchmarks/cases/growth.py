"""
Growth of the cost: the same work with increasing sizes of one kind, as points of the plots.

    make bench CASES=growth && make bench-plots

Only our client is measured here; the other cases compare it with its floor.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from benchmarks import ours
from benchmarks.case import OURS, Case, Figures, Run, World
from benchmarks.cases.accounts import enter, waiting
from benchmarks.cases.receive import fill, filled, handle_texts, indexed
from benchmarks.memory import resident

if TYPE_CHECKING:
    from webwx import Event

TEXTS = 5_000

SECONDS = 8
"""For which messages come at a rate."""

OF_ALL = 200.0
"""Texts that come in a second to all accounts together."""


def day_of(run: Run) -> Figures:
    """Log in, receive texts through a journal, and read the history."""
    from webwx import SqliteJournal

    async def main() -> Figures:
        begun = time.perf_counter()
        path = filled(run) if run.case.rows else run.folder / "own.journal"
        journal = SqliteJournal(path)
        try:
            async with ours.logged_in(run, journal=journal) as client:
                login = time.perf_counter() - begun
                cpu = time.process_time()
                figures = await handle_texts(run, client)
                await indexed(path)
                cpu = time.process_time() - cpu
                begun = time.perf_counter()
                await client.search("报告", limit=50)
                search = time.perf_counter() - begun
                return figures | {
                    "login_seconds": login,
                    "per_second": run.world.texts / figures["seconds"],
                    "cpu_percent": figures["cpu"] / figures["seconds"] * 100,
                    "row_cpu_us": cpu / run.world.texts * 1e6,
                    "search_ms": search * 1000,
                    "mb": resident(),
                }
        finally:
            await journal.close()

    return asyncio.run(main())


def day_of_all(run: Run) -> Figures:
    """Receive texts that come to all accounts in turn, and then measure the accounts while they wait."""
    from webwx import SqliteJournal, TextMessage

    async def main() -> Figures:
        left, arrived = run.world.texts, asyncio.Event()

        def count(event: Event) -> None:
            nonlocal left
            left -= isinstance(event, TextMessage)
            if not left:
                arrived.set()

        async with AsyncExitStack() as stack:
            path = run.folder / "accounts.journal"
            journal = SqliteJournal(path)
            stack.push_async_callback(journal.close)
            await enter(run, stack, run.case.count, on_event=count, journal=journal)
            with run.meter() as meter:
                await arrived.wait()
                await indexed(path)
            return await waiting(run) | {"row_cpu_us": meter.figures["cpu"] / run.world.texts * 1e6}

    return asyncio.run(main())


def _day(axis: str, at: int, world: World, rows: int = 0) -> Case:
    return Case(
        name=f"growth-{axis}-{at}", about=f"{at:,} {axis}", axis=axis, at=at, world=world, rows=rows,
        prepare=fill if rows else None, variants={OURS: day_of},
    )  # fmt: skip


CASES = (
    *(_day("friends", each, World(friends=each, texts=TEXTS)) for each in (100, 1_000, 10_000, 100_000)),
    *(_day("chatrooms", each, World(chatrooms=each, members=100, texts=TEXTS)) for each in (0, 50, 200, 500, 1_000)),
    *(_day("rows", each, World(texts=TEXTS), rows=each) for each in (0, 20_000, 100_000, 1_000_000, 5_000_000)),
    *(_day("rate", each, World(texts=each * SECONDS, rate=each)) for each in (1, 10, 100, 1_000)),
    *(
        Case(
            name=f"growth-accounts-{each}", about=f"{each:,} accounts", axis="accounts", at=each, count=each,
            world=World(hold=5, texts=2_000, rate=OF_ALL, shares=each), variants={OURS: day_of_all},
        )
        for each in (1, 10, 100, 1_000)
    ),
)  # fmt: skip
"""Each axis from little to much."""
