"""
A process that stores batches, for tests of a failing disk: python -m tests.storage.program FILE BATCHES [BALLAST]

It prints what it is about to store and what the journal has confirmed, and continues from the journal's position after
an error. Once the disk is full it deletes its ballast file.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.storage.arrivals import OWN, UIN, arrival, messages

from webwx.errors import StorageError
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from webwx.storage.sqlite.consumers import SqliteConsumer

SIZE = 3
"""Number of messages in a batch."""


async def main(path: Path, batches: int, ballast: Path | None) -> None:
    """Store batches until there are enough."""
    journal = SqliteJournal(path)
    account = journal.account(UIN)
    consumer: SqliteConsumer | None = None
    while True:
        try:
            position = await account.position(OWN)
            if position is None:
                await account.open_login(OWN, b"0", 1.0, [])
            consumer = consumer or await account.consumer("bot", stays=True)
            for batch in range(int(position or b"0"), batches):
                first = 1 + SIZE * batch
                say("trying", batch)
                await account.ingest(arrival(*messages(first, SIZE), position=b"%d" % (batch + 1)))
                say("stored", batch)
                for entry in await consumer.take():
                    say("again" if entry.redelivered else "given", entry.number)
                    consumer.ack(entry.number)
            await consumer.flush()
            break
        except StorageError:
            say("error", 0)
            if ballast is not None:
                ballast.unlink(missing_ok=True)
            await asyncio.sleep(0.01)
    say("end", 0)


def say(what: str, number: int) -> None:
    """Write a line at once, so that it survives this process."""
    sys.stdout.write(f"{what} {number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    file, count, *ballast = sys.argv[1:]
    asyncio.run(main(Path(file), int(count), Path(ballast[0]) if ballast else None))
