"""Bodies as they are read from the file."""

from __future__ import annotations

import sqlite3

from webwx.storage.bodies import ItemRange, pack
from webwx.storage.sqlite.bodies import Bodies


def test_large_and_small_bodies_can_be_read() -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE batches (batch INTEGER PRIMARY KEY, body BLOB)")
    large = b"".join(number.to_bytes(4) for number in range(100_000))
    bodies = {1: b"one", 2: large, 3: b"", 4: b"four", 5: b"five", 6: b"six", 7: b"seven"}
    db.executemany("INSERT INTO batches VALUES (?, ?)", [(batch, pack(body)) for batch, body in bodies.items()])
    read = Bodies(db, bodies)

    for _ in range(2):  # Bodies that were dropped from the cache as well.
        for batch, body in bodies.items():
            assert body == read.cut_out(batch, ItemRange(0, len(body)))
    assert read.cut_out(4, ItemRange(1, 3)) == b"our"
    db.close()
