"""
Compare the calls of the stored tables in two checkouts, in one run.

    python -m benchmarks.stored_tables ../before/src src
    python -m benchmarks.stored_tables --postgres ../before/src src

Each checkout has a process of its own, and the order changes from one pair to the next. The figures are microseconds of
CPU time for each call, so that other programs on the machine hardly change them; the median of all pairs is printed.
With `--postgres` the tables are in a temporary server, and its CPU time is part of the figures.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.database import Database, running, server_cpu

PAIRS = 4
"""Number of processes of each checkout."""

TASKS = 100
"""Number of tasks that share transactions."""

ENTRIES = 2_000
"""Number of stored entries that a consumer takes."""


async def _measure(place: str, server: int) -> dict[str, float]:
    """Measure the calls on the journal at a path or URL, with the CPU time of the processes of a server; 0: none."""
    import msgspec

    from webwx.model.contacts import ContactId
    from webwx.model.events import Item, identify
    from webwx.model.messages import Receipt
    from webwx.storage.entries import Arrival, EntryQuery
    from webwx.storage.open import open_journal
    from webwx.storage.tables.conversations import ConversationRow
    from webwx.storage.tables.outbox import SendQuery

    chat = ContactId("@friend")
    journal = open_journal(place, retention_days=0)
    account = journal.account(1)
    await account.open_login(ContactId("@me"), b"position", 1.0, [])
    outbox = account.outbox

    async def send(number: int) -> None:
        begun_at = float(number)
        row = await outbox.add(client_id=f"{number}", chat=chat, kind="text", text="hello", key="", time=begun_at)
        await outbox.sending(row.number, begun_at, chat)
        receipt = Receipt(message_id=f"9{number:018}", client_id=f"{number}", chat=chat, time=1)
        await outbox.settle(row.number, "sent", time=begun_at + 0.5, receipt=receipt, begun_at=begun_at)

    async def send_some(task: int) -> None:
        for number in range(50):
            await send(1_000_000 + task * 50 + number)

    async def schedule(number: int) -> None:
        timer = await account.timers.add(
            bot="bot", handler="remind", key=f"{number}", name="", chat=chat, payload=b"null", due_at=1.0, time=1.0
        )
        await account.timers.settle(timer.number, "done", time=2.0)

    figures: dict[str, float] = {}

    def cpu() -> float:
        return time.process_time() + (server_cpu(server) if server else 0.0)

    def note(name: str, begun: float, calls: int) -> None:
        figures[name] = (cpu() - begun) / calls * 1e6

    for number in range(50):
        await send(number)
    begun = cpu()
    for number in range(50, 1_050):
        await send(number)
    note("send, one after another", begun, 1_000)
    begun = cpu()
    await asyncio.gather(*map(send_some, range(TASKS)))
    note(f"send, {TASKS} tasks", begun, TASKS * 50)
    begun = cpu()
    for number in range(500):
        await schedule(number)
    note("timer added and settled", begun, 500)
    await outbox.flush()
    begun = cpu()
    for _ in range(100):
        await outbox.find(SendQuery(limit=100))
    note("100 newest of 6,050 sends", begun, 100)
    begun = cpu()
    for number in range(100):
        await outbox.find(SendQuery(message_id=f"9{number + 100:018}"))
    note("send found by its message id", begun, 100)
    raws = [
        json.dumps(
            {"MsgId": f"{number}", "FromUserName": chat, "ToUserName": "@me", "MsgType": 3, "CreateTime": number}
        ).encode()
        for number in range(1, ENTRIES + 1)
    ]
    items = tuple(identify(Item(kind="message", raw=msgspec.Raw(raw)), ContactId("@me")) for raw in raws)
    await account.ingest(Arrival(body=b",".join(raws), items=items, position=b"here", time=1.0))
    entries = (await account.find(EntryQuery(limit=ENTRIES)))[::-1]
    consumer = await account.consumer("bot")
    taken = await consumer.take(ENTRIES)
    begun = cpu()
    for entry in taken[:200]:
        await consumer.failed(entry.number, "ValueError at bot.py:1")
        consumer.ack(entry.number)
        await consumer.flush()
    note("entry failed and acknowledged", begun, 200)
    begun = cpu()
    for entry in taken[200:400]:
        await consumer.give_up(entry.number, "ValueError at bot.py:1")
    await consumer.flush()
    note("entry given up", begun, 200)
    begun = cpu()
    for entry in taken[400:600]:
        consumer.commit([entry.number], [ConversationRow(key=f"{entry.number % 7}", step="asked", values=b"{}")])
        await consumer.flush()
    note("conversation stored", begun, 200)
    begun = cpu()
    for entry in taken[600:]:
        consumer.ack(entry.number)
    note("entry acknowledged", begun, len(taken) - 600)
    await consumer.close()
    begun = cpu()
    for entry in entries[:200]:
        with account.media.begin() as (file, part):
            file.write(b"%d" % entry.number)
            await account.media.add(entry, part, time=1.0, max_total=500)
    note("medium archived", begun, 200)
    begun = cpu()
    for number in range(1, 201):
        await account.media.find(f"{number}")
    note("medium found", begun, 200)
    await journal.close()
    return figures


def _measure_one(url: str, server: int) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        place = url or str(Path(folder) / "state" / "me.journal")
        print(json.dumps(asyncio.run(_measure(place, server))))


def main(checkouts: list[str], database: Database | None) -> None:
    """Measure the checkouts in turn, and print the medians."""
    found: dict[str, dict[str, list[float]]] = {each: {} for each in checkouts}
    for pair in range(PAIRS):
        for checkout in checkouts if pair % 2 else reversed(checkouts):
            place = (database.another().url, str(database.process)) if database else ("", "0")
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.stored_tables", "--one", *place],
                env={**os.environ, "PYTHONPATH": checkout}, stdout=subprocess.PIPE, check=True, text=True,
            )  # fmt: skip
            for name, figure in json.loads(done.stdout).items():
                found[checkout].setdefault(name, []).append(figure)
    for name in found[checkouts[0]]:
        medians = "  ".join(f"{statistics.median(found[each][name]):8.0f}" for each in checkouts)
        print(f"{name:32}{medians}")


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        _measure_one(sys.argv[2], int(sys.argv[3]))
    else:
        with ExitStack() as stack:
            is_in_database = sys.argv[1] == "--postgres"
            main(sys.argv[1 + is_in_database :], stack.enter_context(running()) if is_in_database else None)
