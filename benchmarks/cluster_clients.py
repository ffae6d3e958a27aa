"""
A reader of the events of all accounts of a database, as a front end reads them, in a process of its own.

    python -m benchmarks.cluster_clients '{"url": "postgresql://…", "accounts": 64, "texts": 1000}'

It prints a line of JSON when it knows all accounts, and then when each new entry has reached it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict

from benchmarks.machine import use_core
from webwx.storage.entries import EntryQuery
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.postgres.news import moved


def _print(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def read(*, url: str, accounts: int, texts: int) -> None:
    """Print the times of arrival of each account's entries, by the machine's monotonic clock."""
    arrived: defaultdict[int, list[float]] = defaultdict(list)
    cursors: dict[int, int] = {}
    async with PostgresJournal(url) as journal:
        async for heads, _ in moved(journal.database):
            if len(cursors) < accounts:
                cursors |= heads
                if len(cursors) == accounts:
                    _print({"accounts": accounts})
                continue
            for account in heads:
                found = await journal.account(account).find(EntryQuery(after=cursors[account], limit=500))
                now = time.monotonic()
                arrived[account] += [now] * len(found)
                cursors[account] = max([cursors[account], *(each.number for each in found)])
            if sum(map(len, arrived.values())) >= texts:
                break
        _print(arrived)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Run the reader."""
    use_core(0)
    asyncio.run(read(**json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()
