"""
The step from version 4 of a journal to version 5.

Version 4 stored a large batch of texts as its body and one row of `folded`, and wrote the rows of its entries later.
Version 5 writes the rows at once; when an older file is opened, its folded batches get their rows.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from webwx.errors import ProtocolError
from webwx.model.events import Arrived, Item, identify
from webwx.protocol.codec import read_json
from webwx.protocol.messages import WireText
from webwx.protocol.sync import SyncReply
from webwx.storage.bodies import locate, unpack
from webwx.storage.sqlite.entries import write_entries

if TYPE_CHECKING:
    import sqlite3

    from webwx.model.contacts import ContactId

_UNREADABLE = Item(kind="message")

_log = logging.getLogger("webwx.storage")


def unfold(db: sqlite3.Connection) -> None:
    """Write the rows of all folded batches, and drop the table `folded`."""
    folded = db.execute(
        "SELECT f.batch, f.login, f.began, f.count, l.own_id, b.account, b.time"
        " FROM folded f JOIN logins l USING (login) JOIN batches b USING (batch) ORDER BY f.batch"
    ).fetchall()
    for batch, login, began, count, own_id, account, time in folded:
        (packed,) = db.execute("SELECT body FROM batches WHERE batch = ?", (batch,)).fetchone()
        body, texts = _read(packed, own_id, began, count)
        places = locate(body, [each.raw for each in texts])
        digests = [each.digest for each in texts]
        write_entries(db, account, login, batch, time, zip(texts, digests, places, strict=True))
    db.execute("DROP TABLE folded")


def _read(packed: bytes, own_id: ContactId, began: int, count: int) -> tuple[bytes, list[Arrived]]:
    """Return a stored body and its texts; unreadable items if the body is damaged."""
    body = unpack(packed)
    if body is not None:
        with contextlib.suppress(ProtocolError):  # the body is damaged as well
            texts = [
                identify(Item(kind="message", text=read_json(raw, WireText)), own_id, began, raw)
                for raw in read_json(body, SyncReply).delivered()
            ]
            return body, texts[:count]
    _log.error("A batch of %d messages is damaged in the file.", count)
    return b"", [Arrived(item=_UNREADABLE, raw=_UNREADABLE.raw, is_quarantined=True)] * count
