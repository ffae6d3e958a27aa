"""Receiving: texts that wait at the server reach a handler that does nothing."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from benchmarks import floor, harness, ours, peer
from benchmarks.case import FLOOR, OURS, PEER, Case, Figures, Run, World
from benchmarks.machine import fdatasync_p50

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from webwx import AsyncClient, Context, Event, SqliteJournal

TEXTS = 20_000

STREAM = 250_000
"""Texts of a stream long enough that deferred work, such as indexing, has to keep up."""

MILLION = 1_000_000

SETTLED = 0.3
"""Seconds after the first poll in which a bot does what it leaves for an idle moment, such as room in the log."""

_UNINDEXED = "SELECT (SELECT max(number) FROM entries) > (SELECT number FROM indexed)"


def _figures(figures: Figures, texts: int) -> Figures:
    figures["per_second"] = texts / figures["seconds"]
    figures["cpu_us"] = figures["cpu"] / texts * 1e6
    figures["server_cpu_us"] = figures["server_cpu"] / texts * 1e6
    return figures


def ours_without(run: Run) -> Figures:
    """Receive the texts from the stream of events."""

    async def handle(event: Event) -> None:
        del event

    async def take(client: AsyncClient) -> None:
        left = run.world.texts
        async for event in client.events(include_all=False):
            await handle(event)
            left -= 1
            if not left:
                break

    async def main() -> Figures:
        async with ours.logged_in(run) as client:
            work = asyncio.create_task(take(client))
            await ours.listening(run, work)
            with run.meter() as meter:
                await work
            return _figures(meter.figures, run.world.texts)

    return asyncio.run(main())


def ours_with(run: Run) -> Figures:
    """Receive with a bot and a journal, until all messages are stored, handled and acknowledged."""
    from webwx import SqliteJournal

    async def main() -> Figures:
        path = filled(run) if run.case.rows else run.folder / "own.journal"
        journal = SqliteJournal(path)
        try:
            async with ours.logged_in(run, journal=journal) as client:
                rows = await _rows(journal, client)
                figures = _figures(await handle_texts(run, client), run.world.texts)
                await indexed(path)
                return figures | {"rows": rows, "fdatasync_ms": fdatasync_p50(run.shared)}
        finally:
            await journal.close()

    return asyncio.run(main())


def ours_until_indexed(run: Run) -> Figures:
    """Run a bot with a journal; the clock stops when every text is stored, acknowledged and indexed."""
    from webwx import SqliteJournal

    async def main() -> Figures:
        path = run.folder / "own.journal"
        journal = SqliteJournal(path)
        try:
            async with ours.logged_in(run, journal=journal) as client:
                figures = await handle_texts(run, client, lambda: indexed(path))
                return _figures(figures, run.world.texts) | {"rows": 0, "fdatasync_ms": fdatasync_p50(run.shared)}
        finally:
            await journal.close()

    return asyncio.run(main())


async def _nothing() -> None:
    pass


async def handle_texts(run: Run, client: AsyncClient, afterwards: Callable[[], Awaitable[None]] = _nothing) -> Figures:
    """
    Run a bot and measure it, once it is idle, until it has handled all texts and has ended.

    Args:
        run: The run that is measured.
        client: The client of the bot; its login is open.
        afterwards: More work that belongs to the measured time.
    """
    from webwx import Bot, TextMessage

    bot, left, done = Bot(client=client), run.world.texts, asyncio.Event()

    @bot.on(TextMessage)
    async def handle(ctx: Context, event: Event) -> None:
        nonlocal left
        del ctx, event
        left -= 1
        if not left:
            done.set()

    work = asyncio.create_task(bot.start())
    await ours.listening(run, work)
    await asyncio.sleep(SETTLED)
    with run.meter() as meter:
        await asyncio.wait((work, asyncio.create_task(done.wait())), return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        await afterwards()
    return meter.figures


async def _rows(journal: SqliteJournal, client: AsyncClient) -> int:
    return (await journal.account(client.account.uin).stats()).entries


async def indexed(path: Path) -> None:
    """Wait until all indexes are filled, so that the next run begins without pending work."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        while db.execute(_UNINDEXED).fetchone()[0]:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)


def filled(run: Run) -> Path:
    """Return the path of the journal that is filled once and grows with each run."""
    return run.shared / f"{run.case.rows}-rows-{run.world.friends}-friends.journal"


def fill(run: Run, batch: int = 1_000) -> None:
    """
    Make sure that the journal has its rows; the first time takes a minute or more.

    Args:
        run: The run that needs it.
        batch: Number of messages in a batch: what is read later is unpacked batch by batch.
    """
    path = filled(run)
    part = path.with_suffix(".part")
    if path.exists():
        return
    for each in run.shared.glob(f"{part.name}*"):
        each.unlink()
    world = World(friends=run.world.friends, texts=run.case.rows, batch=batch)
    with harness.server(world, run.folder) as where:
        asyncio.run(_fill(run.at(world, where), part))
    part.rename(path)


async def _fill(run: Run, path: Path) -> None:
    from webwx import SqliteJournal

    journal = SqliteJournal(path)
    try:
        async with ours.logged_in(run, journal=journal) as client:
            await handle_texts(run, client)
            await indexed(path)
    finally:
        await journal.close()


def floor_of(run: Run) -> Figures:
    """Make the same requests, and parse their JSON."""
    wire = floor.Wire(run)
    position = int(re.findall(rb'"Val": (\d+)', wire.ask(floor.fetch(0)))[0])
    left = run.world.texts
    with run.meter() as meter:
        while left:
            wire.ask(floor.check(position))
            answer = json.loads(wire.ask(floor.fetch(position)))
            left -= len(answer["AddMsgList"])
            position = answer["SyncCheckKey"]["List"][0]["Val"]
    return _figures(meter.figures, run.world.texts)


def peer_of(run: Run) -> Figures:
    """Receive with a registered function."""
    core = peer.log_in(run)
    left = run.world.texts

    def handle(message: object) -> None:
        nonlocal left
        del message
        left -= 1

    core.msg_register("Text")(handle)
    with run.meter() as meter:
        core.run(blockThread=False)
        peer.wait_for(lambda: not left)
    return _figures(meter.figures, run.world.texts)


def _cases() -> list[Case]:
    cases = []
    for friends, short in ((100, "100"), (5_000, "5k"), (50_000, "50k")):
        world = World(friends=friends, texts=TEXTS)
        # What it takes grows with the number of friends, for 50,000 to minutes.
        theirs = {PEER: peer_of} if friends <= 5_000 else {}
        cases += [
            Case(
                name=f"receive-{short}", about=f"{friends:,} friends, no journal", world=world,
                variants={FLOOR: floor_of, OURS: ours_without, **theirs},
            ),
            Case(
                name=f"receive-{short}-journal", about=f"{friends:,} friends, an empty journal", world=world,
                variants={FLOOR: floor_of, OURS: ours_with}, journal=True,
            ),
            Case(
                name=f"receive-{short}-million", about=f"{friends:,} friends, 1 M rows in the journal", world=world,
                variants={FLOOR: floor_of, OURS: ours_with}, journal=True, rows=MILLION, prepare=fill,
            ),
        ]  # fmt: skip
    cases.append(
        Case(
            name="stream", about="100 friends, an empty journal, until all is indexed", world=World(texts=STREAM),
            variants={FLOOR: floor_of, OURS: ours_until_indexed}, journal=True,
        )
    )  # fmt: skip
    return cases


CASES = tuple(_cases())
