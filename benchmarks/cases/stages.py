"""
The stages of receiving a message, without a network, to measure a change of one of them.

They use parts that no user sees, and have neither floor nor peer.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from collections import defaultdict
from contextlib import closing
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, cast

from benchmarks.answers import ResponseParser, own_id
from benchmarks.case import OURS, Case, Figures, Run, World
from benchmarks.machine import fdatasync_p50

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx import Context, Event
    from webwx.client.reading.delivered import Delivered
    from webwx.client.reading.subscription import Subscription
    from webwx.storage.entries import Arrival

HANDLERS = 20
"""Of the bot, the last of which is the one that fits."""


def bodies(world: World) -> Iterator[bytes]:
    """Yield the responses of the reference server, batch by batch."""
    answers = ResponseParser(world, "https://127.0.0.1")
    return (answers.batch(number).partition(b"\r\n\r\n")[2] for number in range(-(-world.texts // world.batch)))


class Timed(sqlite3.Connection):
    """A connection that measures the time of its statements."""

    seconds: ClassVar[dict[str, float]] = defaultdict(float)

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Run a statement, and measure its time."""
        begun = time.perf_counter()
        try:
            return super().execute(sql, *values)
        finally:
            words = sql.split()
            name = f"insert {words[2]}" if words[0] == "INSERT" else words[0].lower()
            self.seconds[name] += time.perf_counter() - begun


def ingest(run: Run) -> Figures:
    """Store batches, and take and acknowledge their entries; the late indexes are timed separately."""
    sqlite3.connect = partial(sqlite3.connect, factory=Timed)  # type: ignore[assignment]  # its overloads
    from webwx import ContactId, SqliteJournal

    arrivals = list(map(arrival_of, bodies(run.world)))

    async def main() -> Figures:
        path = run.folder / "stage.journal"
        journal = SqliteJournal(path)
        account = journal.account(1)
        await account.open_login(ContactId(own_id(1)), b"", time.time(), [])
        consumer = await account.consumer("bench")
        waits = []
        Timed.seconds.clear()
        with run.meter() as meter:
            for arrival in arrivals:
                begun = time.perf_counter()
                await account.ingest(arrival)
                waits.append(time.perf_counter() - begun)
                for entry in await consumer.take(run.world.batch):
                    consumer.ack(entry.number)
            await consumer.flush()
        statements = sorted(Timed.seconds.items(), key=itemgetter(1), reverse=True)[:3]
        spent = time.process_time()
        with closing(sqlite3.connect(path)) as db:
            reached = "SELECT number FROM indexed"
            while db.execute(reached).fetchone()[0] < run.world.texts:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.05)
        late, size = time.process_time() - spent, (await account.stats()).size
        await journal.close()
        texts = run.world.texts
        return meter.figures | {
            "per_second": texts / meter.figures["seconds"],
            "cpu_us": meter.figures["cpu"] / texts * 1e6,
            "batch_p50_ms": statistics.median(waits) * 1000,
            "index_us": late / texts * 1e6,
            **{f"{name}_us": spent / texts * 1e6 for name, spent in statements},
            "bytes_each": size / texts,
            "rows": 0,
            "fdatasync_ms": fdatasync_p50(run.shared),
        }

    return asyncio.run(main())


def arrival_of(body: bytes) -> Arrival:
    """Decode an answer as a client does."""
    from webwx import ContactId
    from webwx.model.events import Item, identify
    from webwx.protocol.codec import read_json
    from webwx.protocol.sync import SyncReply, WholeSyncReply
    from webwx.storage.entries import Arrival

    texts = read_json(body, WholeSyncReply).add_msg_list
    raws = read_json(body, SyncReply).delivered()
    own = ContactId(own_id(1))
    items = tuple(identify(Item(kind="message", text=text), own, 0, raw) for text, raw in zip(texts, raws, strict=True))
    return Arrival(body=body, items=items, position=body[:300], time=time.time())


def arrivals(world: World) -> Iterator[Arrival]:
    """Yield the responses of the reference server as a client decodes them."""
    return map(arrival_of, bodies(world))


def delivery(run: Run) -> Figures:
    """Hand events that are in memory to the last of a bot's handlers: its queue, its context, its call and the ack."""
    from webwx import AsyncClient, Bot, TextMessage
    from webwx.bot.chat_queues import ChatQueues
    from webwx.bot.conversations import Conversations
    from webwx.bot.dispatch import Dispatch, Listeners
    from webwx.bot.failures import FailureReports

    async def handle(ctx: Context, event: Event) -> None:
        del ctx, event

    async def main() -> Figures:
        bot = Bot()
        for number in range(HANDLERS - 1):
            bot.on(TextMessage, text=f"command {number}")(handle)
        bot.on(TextMessage)(handle)
        memory = Memory(_given(run.world))
        async with AsyncClient() as client:
            dispatch = Dispatch(
                "bot",
                client,
                Conversations(client, "chat"),
                bot,
                Listeners(),
                threads=1,
                attempts=3,
                time_limit=None,
                replies_per_minute=20,
                reports=FailureReports(),
            )
            with run.meter() as meter:
                await ChatQueues(cast("Subscription", memory), dispatch.handle).run()
        assert len(memory.acked) == run.world.texts
        return meter.figures | {"cpu_us": meter.figures["cpu"] / run.world.texts * 1e6}

    return asyncio.run(main())


def _given(world: World) -> list[Delivered]:
    from webwx import ContactId
    from webwx.client.reading.delivered import Delivered
    from webwx.storage.entries import Entry

    arrived = [each for body in bodies(world) for each in arrival_of(body).items]
    own = ContactId(own_id(1))
    return [
        Delivered(
            Entry(
                number=number, item=each.item, own_id=own, message_id=each.message_id, chat=each.chat, time=each.time
            ),
            cast("Event", each.read),
        )
        for number, each in enumerate(arrived, 1)
    ]


class Memory:
    """Events that are in memory already; no failure occurs, so no other method is called."""

    name = "bot"

    def __init__(self, given: list[Delivered]) -> None:
        self._given = given
        self._begin = 0
        self.acked: list[int] = []

    async def take(self, limit: int = 100) -> list[Delivered]:
        """Return the next entries."""
        self._begin, begin = self._begin + limit, self._begin
        return self._given[begin : self._begin]

    def show(self, number: int) -> None:
        """Do nothing: no entry outlives the process."""

    def ack(self, number: int) -> None:
        """Note the acknowledgement."""
        self.acked.append(number)

    async def flush(self) -> None:
        """Do nothing: nothing is stored."""

    async def stop(self) -> None:
        """Do nothing: nothing runs."""


CASES = (
    Case(
        name="stage-ingest", about="batches into an empty journal, without a network",
        world=World(texts=20_000), journal=True, variants={OURS: ingest},
    ),
    Case(
        name="stage-delivery", about=f"events in memory to the last of {HANDLERS} handlers",
        world=World(texts=20_000), variants={OURS: delivery},
    ),
)  # fmt: skip
