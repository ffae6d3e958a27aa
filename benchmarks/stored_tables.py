"""
Compare the calls of the stored tables in two checkouts, in one run.

    python -m benchmarks.stored_tables ../before/src src

Each checkout has a process of its own, and the order changes from one pair to the next. The figures are microseconds of
CPU time for each call, so that other programs on the machine hardly change them; the median of all pairs is printed.
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
from pathlib import Path

PAIRS = 4
"""Number of processes of each checkout."""

TASKS = 100
"""Number of tasks that share transactions."""


async def _measure(folder: Path) -> dict[str, float]:
    from webwx.model.contacts import ContactId
    from webwx.model.messages import Receipt
    from webwx.storage.base import SendQuery
    from webwx.storage.sqlite.journal import SqliteJournal

    chat = ContactId("@friend")
    journal = SqliteJournal(folder / "state" / "me.journal", retention_days=0)
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

    def note(name: str, begun: float, calls: int) -> None:
        figures[name] = (time.process_time() - begun) / calls * 1e6

    for number in range(50):
        await send(number)
    begun = time.process_time()
    for number in range(50, 1_050):
        await send(number)
    note("send, one after another", begun, 1_000)
    begun = time.process_time()
    await asyncio.gather(*map(send_some, range(TASKS)))
    note(f"send, {TASKS} tasks", begun, TASKS * 50)
    begun = time.process_time()
    for number in range(500):
        await schedule(number)
    note("timer added and settled", begun, 500)
    await outbox.flush()
    begun = time.process_time()
    for _ in range(100):
        await outbox.find(SendQuery(limit=100))
    note("100 newest of 6,050 sends", begun, 100)
    begun = time.process_time()
    for number in range(100):
        await outbox.find(SendQuery(message_id=f"9{number + 100:018}"))
    note("send found by its message id", begun, 100)
    await journal.close()
    return figures


def _measure_one() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        print(json.dumps(asyncio.run(_measure(Path(folder)))))


def main(checkouts: list[str]) -> None:
    """Measure the checkouts in turn, and print the medians."""
    found: dict[str, dict[str, list[float]]] = {each: {} for each in checkouts}
    for pair in range(PAIRS):
        for checkout in checkouts if pair % 2 else reversed(checkouts):
            done = subprocess.run(
                [sys.executable, __file__, "--one"], env={**os.environ, "PYTHONPATH": checkout},
                stdout=subprocess.PIPE, check=True, text=True,
            )  # fmt: skip
            for name, figure in json.loads(done.stdout).items():
                found[checkout].setdefault(name, []).append(figure)
    for name in found[checkouts[0]]:
        medians = "  ".join(f"{statistics.median(found[each][name]):8.0f}" for each in checkouts)
        print(f"{name:32}{medians}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--one"]:
        _measure_one()
    else:
        main(sys.argv[1:])
