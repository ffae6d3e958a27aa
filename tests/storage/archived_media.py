"""Media that a test puts into the archive of an account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.storage.arrivals import arrival

from webwx.storage.entries import EntryQuery

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal
    from webwx.storage.entries import Entry

ALL = 10**9


async def receive(account: AccountJournal, *raws: bytes, at: float | None = None) -> list[Entry]:
    """Store messages and return their entries."""
    await account.ingest(arrival(*raws, at=at))
    return (await account.find(EntryQuery(limit=len(raws))))[::-1]


async def keep(
    account: AccountJournal, entry: Entry, content: bytes, *, max_total: int = ALL, at: float = 1_000.0
) -> bool:
    with account.media.begin() as (file, part):
        file.write(content)
        return await account.media.add(entry, part, time=at, max_total=max_total)


def contents(folder: Path) -> list[bytes]:
    return sorted(each.read_bytes() for each in folder.iterdir())
