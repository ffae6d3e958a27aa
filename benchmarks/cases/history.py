"""The history of one chat: pages of it by position and by time, and a search in it."""

from __future__ import annotations

import asyncio
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import ours
from benchmarks.case import OURS, Case, Figures, Run, World
from benchmarks.cases.receive import fill, filled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CALLS = 100
"""Calls of each kind; the median counts."""


def _fill(run: Run) -> None:
    fill(run, batch=100)


def pages_of(run: Run) -> Figures:
    """Read pages of the chat that has all messages of the journal."""
    from webwx import SqliteJournal, TextMessage

    async def p50(call: Callable[[], Awaitable[object]]) -> float:
        times = []
        for _ in range(CALLS):
            begun = time.perf_counter()
            await call()
            times.append(time.perf_counter() - begun)
        return statistics.median(times) * 1000

    async def main() -> Figures:
        journal = SqliteJournal(filled(run))
        try:
            async with ours.logged_in(run, journal=journal) as client:
                messages = [each for each in await client.history(limit=2) if isinstance(each, TextMessage)]
                if not messages:  # a run that only warms up
                    return {}
                chat, number = messages[-1].chat, messages[-1].number
                [middle] = await client.history(chat, limit=1, before=number // 2)
                assert isinstance(middle, TextMessage)
                with run.meter() as meter:
                    figures = {
                        "newest_ms": await p50(partial(client.history, chat, limit=50)),
                        "middle_ms": await p50(partial(client.history, chat, limit=50, before=middle.number)),
                        "until_ms": await p50(partial(client.history, chat, limit=50, until=middle.time)),
                        "search_ms": await p50(partial(client.search, "报告", chat=chat, limit=50)),
                    }
                return meter.figures | figures
        finally:
            await journal.close()

    return asyncio.run(main())


CASES = tuple(
    Case(
        name=f"history-{short}", about=f"pages of 50 messages of a chat that has {rows:,}", rows=rows,
        world=World(friends=1), prepare=_fill, variants={OURS: pages_of},
    )
    for short, rows in (("10k", 10_000), ("million", 1_000_000))
)  # fmt: skip
