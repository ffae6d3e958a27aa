"""Memory of one account with many friends, of each further account, and of a thousand waiting accounts."""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

from benchmarks import ours, peer
from benchmarks.case import JOURNALLESS, OURS, PEER, Case, Figures, Run, World
from benchmarks.memory import of_bare_imports, resident

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx import AsyncClient, Event

FIRST = 2
"""Accounts that load what all share, and are not counted."""

LAG_EVERY = 0.02
"""Seconds between two looks at how late the loop is."""


def ours_one(run: Run) -> Figures:
    """Log in, and measure the memory."""

    async def main() -> Figures:
        with run.meter() as meter:
            async with ours.logged_in(run) as client:
                assert sum(1 for _ in client.contacts) >= run.world.friends
                now = resident()
        return meter.figures | {"mb": now, "mb_above_imports": now - of_bare_imports()}

    return asyncio.run(main())


def peer_one(run: Run) -> Figures:
    """Log in, and measure the memory."""
    with run.meter() as meter:
        core = peer.log_in(run)
        assert len(core.memberList) >= run.world.friends
        now = resident()
    return meter.figures | {"mb": now, "mb_above_imports": now - of_bare_imports()}


async def enter(
    run: Run, stack: AsyncExitStack, count: int, on_event: Callable[[Event], object] = bool, **options: Any
) -> None:
    """Log accounts in, and let each wait for events."""
    for _ in range(count):
        client = await stack.enter_async_context(ours.logged_in(run, **options))
        task = asyncio.create_task(_listen(client, on_event))
        stack.push_async_callback(_end, task)
    # One turn for the last ones, until they wait as well.
    await asyncio.sleep(0.3)


async def _listen(client: AsyncClient, on_event: Callable[[Event], object]) -> None:
    async for event in client.events():
        on_event(event)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def ours_several(run: Run) -> Figures:
    """Log accounts in, all with one journal, and measure the memory that each adds while it waits for events."""
    from webwx import SqliteJournal

    async def main() -> Figures:
        async with AsyncExitStack() as stack:
            journal = SqliteJournal(run.folder / "accounts.journal")
            stack.push_async_callback(journal.close)
            await enter(run, stack, FIRST, journal=journal)
            before = resident()
            with run.meter() as meter:
                await enter(run, stack, run.case.count, journal=journal)
            return meter.figures | {"mb_each": (resident() - before) / run.case.count}

    return asyncio.run(main())


def peer_several(run: Run) -> Figures:
    """Log in account after account, and measure the memory that each adds while it waits for events."""
    peer.log_in(run)
    import itchat

    def enter(count: int) -> None:
        for _ in range(count):
            peer.log_in(run, itchat.new_instance())
        time.sleep(0.3)

    enter(FIRST - 1)
    before = resident()
    with run.meter() as meter:
        enter(run.case.count)
    return meter.figures | {"mb_each": (resident() - before) / run.case.count}


def ours_many(run: Run) -> Figures:
    """Measure a thousand idle accounts that wait for events."""
    from webwx import SqliteJournal

    async def main() -> Figures:
        async with AsyncExitStack() as stack:
            journal = SqliteJournal(run.folder / "accounts.journal")
            stack.push_async_callback(journal.close)
            await enter(run, stack, run.case.count, journal=journal)
            return await waiting(run)

    return asyncio.run(main())


async def waiting(run: Run) -> Figures:
    """Measure the accounts of this process while they wait for events."""
    await asyncio.sleep(run.world.hold * 0.2)  # until what follows a login is done
    lags = []
    with run.meter() as meter:
        end = time.perf_counter() + run.world.hold * 1.2
        while (begun := time.perf_counter()) < end:
            await asyncio.sleep(LAG_EVERY)
            lags.append(time.perf_counter() - begun - LAG_EVERY)
    lags.sort()
    figures = meter.figures
    return figures | {
        "cpu_percent": figures["cpu"] / figures["seconds"] * 100,
        "lag_p50_ms": statistics.median(lags) * 1000,
        "lag_p99_ms": lags[len(lags) * 99 // 100] * 1000,
        "mb": resident(),
    }


def logins_with(run: Run) -> Figures:
    """Log all accounts in, one after another, with one journal."""
    from webwx import SqliteJournal

    async def main() -> Figures:
        journal = SqliteJournal(run.folder / "accounts.journal")
        try:
            return await _log_in(run, journal=journal)
        finally:
            await journal.close()

    return asyncio.run(main())


def logins_without(run: Run) -> Figures:
    """Log all accounts in, one after another, without a journal."""
    return asyncio.run(_log_in(run))


async def _log_in(run: Run, **options: Any) -> Figures:
    async with AsyncExitStack() as stack:
        with run.meter() as meter:
            for _ in range(run.case.count):
                await stack.enter_async_context(ours.logged_in(run, **options))
        return meter.figures


def _several(name: str, friends: int, count: int) -> Case:
    return Case(
        name=name, about=f"each further account over TLS, {friends:,} friends; ours with the journal", count=count,
        world=World(friends=friends), variants={OURS: ours_several, PEER: peer_several},
    )  # fmt: skip


CASES = (
    Case(
        name="memory", about="5,000 friends, without the memory of the imports", world=World(friends=5_000),
        variants={OURS: ours_one, PEER: peer_one},
    ),
    _several("account-100", 100, 50),
    _several("account-5k", 5_000, 60),
    Case(
        name="accounts", about="1,000 accounts in one process, each with 100 friends and a poll that is held",
        count=1_000, world=World(friends=100), variants={OURS: ours_many},
    ),
    Case(
        name="logins", about="1,000 accounts log in, one after another; ours with the journal",
        count=1_000, world=World(friends=100), variants={JOURNALLESS: logins_without, OURS: logins_with},
    ),
)  # fmt: skip
