"""Entries as rows that point into the stored bodies: writing and reading them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from webwx.model.contacts import ContactId
from webwx.model.events import Item
from webwx.storage.bodies import ItemRange
from webwx.storage.entries import Entry
from webwx.storage.sqlite.bodies import Bodies
from webwx.storage.sqlite.bulk import as_list, insert, select

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator

    from webwx.model.events import Arrived

Kind = Literal["message", "contact", "deleted", "gap"]

KINDS: tuple[Kind, ...] = ("message", "contact", "deleted", "gap")
"""Kinds of items; a row holds the index in this tuple, so a new kind is appended."""

_COLUMNS = (
    "e.number", "e.account", "e.kind", "e.message_id", "e.digest", "e.chat", "e.time", "e.is_backlog", "e.batch",
    "e.start", "e.length", "e.raw IS NULL", "l.own_id",
)  # fmt: skip


LAST = 2**63 - 1
"""A number above that of every entry."""

_PLACE_OF: dict[str, int] = {kind: place for place, kind in enumerate(KINDS)}

_WRITTEN = (
    "account, login, batch, kind, is_backlog, is_quarantined, is_notice,"
    " number, message_id, digest, chat, time, start, length"
)
_IN_BODY, _APART = f"entries ({_WRITTEN})", f"entries ({_WRITTEN}, raw)"
"""Tables with the columns to insert; binding a null `raw` for each row would take a third of an insertion's time."""


def last_number(db: sqlite3.Connection) -> int:
    """Return the highest number that an entry ever had; 0 if there never was an entry."""
    found: tuple[int] | None = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
    return 0 if found is None else found[0]


def write_entries(
    db: sqlite3.Connection, account: int, login: int, batch: int, at: float,
    items: Iterable[tuple[Arrived, int, ItemRange | None]],
) -> None:  # fmt: skip
    """
    Write the rows of a batch, whose entries have consecutive numbers.

    Args:
        db: Connection to write to.
        account: Row of the account.
        login: Row of the login in which the batch arrived.
        batch: Number of the first entry.
        at: Time of arrival, in seconds since 1970; used for items without a time.
        items: The entries, each with its digest and its range in the stored body (None: it is not in the body).
    """
    rows: dict[tuple[str, int, bool, bool, bool], list[tuple[object, ...]]] = {}
    for number, (each, digest, place) in enumerate(items, batch):
        into = _APART if place is None else _IN_BODY
        where = (0, 0, bytes(each.raw)) if place is None else (place.start, place.length)
        row = (number, each.message_id, digest, each.chat, each.time or int(at), *where)
        # Nearly always all rows are of one kind, and take one statement.
        kind = (into, _PLACE_OF[each.item.kind], each.is_backlog, each.is_quarantined, each.is_notice)
        rows.setdefault(kind, []).append(row)
    for (into, *kinds), theirs in rows.items():
        insert(db, into, theirs, shared=(account, login, batch, *kinds))


class EntryRow(NamedTuple):
    """A row of the table `entries`, with its item."""

    number: int
    account: int
    kind: Kind | Literal["damaged"]
    message_id: str
    digest: int
    chat: str
    time: int
    is_backlog: bool
    own_id: ContactId
    raw: bytes


def read_rows(db: sqlite3.Connection, numbers: Collection[int]) -> Iterator[EntryRow]:
    """Read rows by their numbers, in the order of the numbers; missing rows are skipped."""
    rows = select(
        db,
        _COLUMNS,
        "FROM entries e JOIN logins l USING (login) WHERE e.number IN (SELECT value FROM json_each(?))",
        (as_list(numbers),),
    )
    apart = dict(
        db.execute(
            "SELECT number, raw FROM entries WHERE raw IS NOT NULL AND number IN (SELECT value FROM json_each(?))",
            (as_list(row[0] for row in rows if not row[11]),),
        )
    )
    bodies = Bodies(db, {row[8] for row in rows if row[11]})
    for row in sorted(rows):
        number, account, kind, message_id, digest, chat, time, is_backlog, batch, start, length, is_in_body, own = row
        raw = bodies.cut_out(batch, ItemRange(start, length)) if is_in_body else apart[number]
        yield EntryRow(
            number, account, "damaged" if raw is None else KINDS[kind], message_id, digest, chat, time,
            bool(is_backlog), ContactId(own), raw or b"null",
        )  # fmt: skip


def read_entries(db: sqlite3.Connection, numbers: Collection[int]) -> list[Entry]:
    """Read entries by their numbers, in the order of the numbers; missing entries are skipped."""
    return [
        Entry(
            number=row.number,
            item=Item(kind=row.kind, raw=msgspec.Raw(row.raw)),
            own_id=row.own_id,
            message_id=row.message_id,
            chat=ContactId(row.chat),
            time=row.time,
            is_backlog=row.is_backlog,
        )
        for row in read_rows(db, numbers)
    ]
