"""
Another process on a journal: python -m tests.storage_contract.program URL VERB, where the verb is
`send COUNT`, `hold NAME`, `leave`, `forget`, `store BATCHES` or `converse COUNT`.

It prints a line before and after each step, and is mostly killed before its end.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from tests.storage.arrivals import FRIEND, OWN, UIN, arrival, messages

from webwx.storage.base import Journal
from webwx.storage.open import open_journal
from webwx.storage.tables.conversations import ConversationRow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SIZE = 3
"""Messages of a batch."""


def say(*words: object) -> None:
    """Write a complete line at once, so that it survives this process and a kill never truncates it."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def send(journal: Journal, count: str) -> None:
    """Store sends of an account of its own."""
    outbox = journal.account(7).outbox
    for number in range(int(count)):
        await outbox.add(client_id=str(number), chat=FRIEND, kind="text", text="x", key="", time=1.0)
        say("added", number)


async def hold(journal: Journal, name: str) -> None:
    """Keep a consumer open."""
    await journal.account(UIN).consumer(name)
    say("open")
    await asyncio.Event().wait()


async def leave(journal: Journal) -> None:
    """Store a send in each state in which a process may leave it."""
    outbox = journal.account(UIN).outbox
    for number, state in enumerate(("queued", "sending", "sent"), 1):
        row = await outbox.add(client_id=f"9{number}", chat=FRIEND, kind="text", text="x", key=state, time=1.0)
        if state != "queued":
            await outbox.sending(row.number, 1.0, row.chat)
        if state == "sent":
            await outbox.settle(row.number, "sent", time=1.0)
    await outbox.flush()
    say("ready")
    await asyncio.Event().wait()


async def forget(journal: Journal) -> None:
    """Store a send, and end without closing the journal."""
    outbox = journal.account(UIN).outbox
    row = await outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=1.0, state="sending")
    await outbox.settle(row.number, "sent", time=1.0)
    sys.exit()


async def store(journal: Journal, batches: str) -> None:
    """Store batches, and read and acknowledge each."""
    account = journal.account(UIN)
    await account.open_login(OWN, b"0", 1.0, [])
    consumer = await account.consumer("bot")
    for batch in range(int(batches)):
        say("trying", batch)
        await account.ingest(arrival(*messages(1 + SIZE * batch, SIZE), position=b"%d" % (batch + 1)))
        say("stored", batch)
        taken = await consumer.take()
        for entry in taken:
            say("given", entry.number)
            consumer.ack(entry.number)
        await consumer.flush()
        for entry in taken:
            say("done", entry.number)


async def converse(journal: Journal, count: str) -> None:
    """Store messages, and acknowledge each together with the state of a conversation that counts them."""
    account = journal.account(UIN)
    await account.open_login(OWN, b"0", 1.0, [])
    consumer = await account.consumer("bot")
    await account.ingest(arrival(*messages(1, int(count))))
    for entry in await consumer.take():
        say("given", entry.number)
        consumer.commit([entry.number], [ConversationRow(key="count", step=str(entry.number))])
        say("committed", entry.number)
        if entry.number % SIZE == 0:
            await consumer.flush()


async def main(url: str, verb: str, *words: str) -> None:
    """Run the requested task, then print that it has ended."""
    journal = open_journal(url, retention_days=0)
    verbs: dict[str, Callable[..., Awaitable[None]]] = {
        "send": send,
        "hold": hold,
        "leave": leave,
        "forget": forget,
        "store": store,
        "converse": converse,
    }
    await verbs[verb](journal, *words)
    await journal.close()
    say("end")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
