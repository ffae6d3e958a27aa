"""
Batches that are stored in one piece, and taken apart behind it.

To write a row for each message takes longer than all else about a batch, and nobody needs the rows yet: whoever keeps
up is given what comes from memory. So a large batch of texts goes in folded: its body, and a note that says so. From
then on its entries have their numbers; they get their rows before anybody reads the file, or the index comes to them.
"""

from __future__ import annotations

import logging
import time
import zlib
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

from webwx.errors import ProtocolError
from webwx.model.events import Arrived, Item, sound_time
from webwx.storage.base import Entry
from webwx.storage.batches import texts_of
from webwx.storage.sqlite.bodies import locate, unpack
from webwx.storage.sqlite.entries import write_entries

if TYPE_CHECKING:
    import sqlite3

    from webwx.model.contacts import ContactId
    from webwx.storage.base import Arrival

FOLD_FROM = 20
"""Messages from which on a batch is folded: of few, the rows are soon written, and a handler may look for one."""

_FOLDED = (
    "SELECT f.batch, f.login, f.began, f.count, l.own_id, b.account, b.time, b.body"
    " FROM folded f JOIN logins l USING (login) JOIN batches b USING (batch) ORDER BY f.batch"
)

_NOTHING = Item(kind="message")
_DAMAGED = Arrived(item=_NOTHING, raw=_NOTHING.raw, is_quarantined=True)

_log = logging.getLogger("webwx.storage")


def fold(db: sqlite3.Connection, batch: int, login: int, began: int, count: int) -> None:
    """Note that a batch of a login is folded: so many entries, of which what was written before is backlog."""
    db.execute("INSERT INTO folded VALUES (?, ?, ?, ?)", (batch, login, began, count))


def last_number(db: sqlite3.Connection) -> int:
    """Give the last number that an entry was given, whether it has a row yet or was deleted."""
    last: tuple[int] = db.execute(
        "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'entries'), 0),"
        " coalesce((SELECT batch + count - 1 FROM folded ORDER BY batch DESC LIMIT 1), 0))"
    ).fetchone()
    return last[0]


def entries_of(arrival: Arrival, own_id: ContactId, batch: int) -> list[Entry]:
    """Give the entries of a batch that is folded; from its body they would be read as the same."""
    return [
        Entry(
            number=number, item=item, own_id=own_id, message_id=event.message_id, chat=event.chat,
            time=sound_time(event.time) or int(arrival.time), is_backlog=0 < event.time < arrival.began, read=event,
        )
        for number, (item, event) in enumerate(arrival.texts, batch)
    ]  # fmt: skip


def is_folded(db: sqlite3.Connection) -> bool:
    """Say whether anything is folded, and so has no rows yet."""
    found: tuple[int] = db.execute("SELECT EXISTS (SELECT 1 FROM folded)").fetchone()
    return bool(found[0])


class Unfolded(NamedTuple):
    """An entry whose row was written just now."""

    number: int
    account: int
    digest: int
    told: Arrived
    """What its row says, and more; a damaged one has no id."""


def unfold(db: sqlite3.Connection, most: float, until: float) -> list[Unfolded]:
    """
    Write the rows of what is folded, in the transaction of whoever calls; the oldest first.

    Args:
        db: Where a transaction has begun.
        most: Entries after which it is enough, at the end of a batch.
        until: When it is enough as well, by `time.monotonic`.

    """
    made: list[Unfolded] = []
    while True:
        found = db.execute(f"{_FOLDED} LIMIT 1").fetchone()
        if found is None:
            db.execute("DELETE FROM folded")  # what has no batch: whoever reads would wait for it for ever
            return made
        batch, login, began, count, own_id, account, at, packed = found
        body, texts = _read(packed, own_id, began, count)
        digests = [each.digest for each in texts]
        places = locate(body, [each.raw for each in texts])
        write_entries(db, account, login, batch, at, zip(texts, digests, places, strict=True))
        db.execute("DELETE FROM folded WHERE batch = ?", (batch,))
        numbers = range(batch, batch + len(texts))
        made += map(Unfolded, numbers, repeat(account), digests, texts)
        if len(made) >= most or time.monotonic() >= until:
            return made


def read_folded(db: sqlite3.Connection) -> list[tuple[int, str]]:
    """Give number and id of all that is folded, and change nothing: for whoever may only look at the file."""
    found: list[tuple[int, str]] = []
    for batch, _, began, count, own_id, _, _, packed in db.execute(_FOLDED):
        _, texts = _read(packed, own_id, began, count)
        found += [(number, each.message_id) for number, each in enumerate(texts, batch)]
    return found


def _read(packed: bytes, own_id: ContactId, began: int, count: int) -> tuple[bytes, list[Arrived]]:
    """Read a stored body, and what it holds; what is damaged must not keep anybody from all else."""
    try:
        body = unpack(packed)
        return body, texts_of(body, own_id, began)[:count]
    except (zlib.error, ProtocolError) as error:
        _log.error("A batch of %d messages is damaged in the file: %s.", count, type(error).__name__)
        return b"", [_DAMAGED] * count
