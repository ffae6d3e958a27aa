"""Stored bodies with a flipped bit, as a failing disk leaves them."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def damage(path: Path, batch: int) -> None:
    """Flip one bit of the stored body of a batch in a journal's file."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        (body,) = db.execute("SELECT body FROM batches WHERE batch = ?", (batch,)).fetchone()
        db.execute("UPDATE batches SET body = ? WHERE batch = ?", (with_flipped_bit(body), batch))


def with_flipped_bit(body: bytes) -> bytes:
    """Return a body with one other bit in its middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
