"""
Identities in the journal's file: which contacts of which logins are the same person or chatroom.

A contact of a login is linked to an identity once, by its evidence (`model.identities`), and stays linked even if its
name changes. Each link holds the last known evidence, so that the contact can be split from its identity again.
Contacts that never change their id, such as `filehelper`, are linked once for all logins.
"""

# ruff: noqa: S608 - only columns and conditions are put together here, never a value

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import UnknownContact
from webwx.model.contacts import Contact, ContactId
from webwx.model.identities import CERTAINTY, Identified, Identity, IdentityKind, Link, Reason, is_lasting
from webwx.protocol.codec import clean_text
from webwx.storage.identity_matching import check_merge, check_split, contact_of, digest_of_all
from webwx.storage.sqlite.bulk import as_list, select, select_numbers
from webwx.storage.sqlite.evidence import identify, login_of
from webwx.storage.sqlite.links import (
    ALWAYS,
    LOGINS_OF_ACCOUNT,
    NEWEST_LINKS,
    ORIGIN,
    LinkOrigin,
    LinkRow,
    ResolvedLink,
    as_json,
    changed_evidence,
    links_of_id,
    links_of_number,
    new_evidence,
    note_newest_login,
    origin_rows,
    read_links,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

    from webwx.storage.base import IdentityQuery
    from webwx.storage.sqlite.threads import Reader, Writer


class SqliteIdentityStore:
    """
    One account's identities; `IdentityStore` states the guarantees.

    Args:
        account: Returns the account's row.
        current: Returns the row of the current login; 0 before the first login.
        writer: The writer thread.
        reader: The reader thread.
        on_complete: Called in the writer thread when the complete list of a login's contacts was stored.
    """

    def __init__(
        self, account: Callable[[], Awaitable[int]], current: Callable[[], int], writer: Writer, reader: Reader, *,
        on_complete: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._account = account
        self._current = current
        self._writer = writer
        self._reader = reader
        self._on_complete = on_complete

    def __repr__(self) -> str:
        return "SqliteIdentityStore(***)"

    async def identify(
        self, own_id: ContactId, contacts: Iterable[Contact], *, complete: bool, time: float,
        real_ids: Mapping[ContactId, str] = MappingProxyType({}),
    ) -> list[Identified]:  # fmt: skip
        """Match the contacts of a login with identities, in one transaction."""
        account = await self._account()
        noted = [(ContactId(clean_text(each)), clean_text(real_id)) for each, real_id in real_ids.items()]
        # In the reader thread: mostly all contacts are known, and then nothing is written.
        is_known = complete and await self._reader.do(lambda db: _is_listed(db, account, own_id, contacts))
        if is_known and not noted:
            return []

        def store(db: sqlite3.Connection) -> list[Identified]:
            found = [] if is_known else identify(db, account, own_id, contacts, is_complete=complete, time=time)
            login, _ = login_of(db, account, own_id)
            found += filter(None, (_note_real_id(db, account, login, *each) for each in noted))
            if complete and not is_known:
                self._on_complete()
            return found

        # One job: it is completed once it is queued, and a later call sees its result.
        return await self._writer.do(store)

    async def find(self, query: IdentityQuery) -> list[Identity]:
        """Return the identities that match a query, in the order of their numbers."""
        account, current = await self._account(), self._current()
        return await self._reader.do(lambda db: _find(db, account, current, query))

    async def contacts(self, ids: Collection[str]) -> list[Contact]:
        """Return contacts that had these ids in any login, with the data of their identities."""
        account = await self._account()
        return await self._reader.do(
            lambda db: [
                contact_of(each.row.id, each.row.name, each.known)
                for each in read_links(
                    db,
                    LOGINS_OF_ACCOUNT,
                    "l.account = :account AND l.id IN (SELECT value FROM json_each(:ids))",
                    account=account,
                    ids=as_list(ids),
                )
            ]
        )

    async def links(self, number: int) -> list[Link]:
        """Return the contacts of all logins that are linked to an identity, the newest first, each with the reasons."""
        account = await self._account()
        return await self._reader.do(lambda db: _links(db, account, _now(db, account, number)))

    async def merge(self, number: int, other: int) -> Identity:
        """
        Merge two identities into the first one; from now on the second number finds it too.

        Raises:
            UnknownContact: There is no such identity.
            InvalidRequest: The identities are the same, differ in kind, or both have a contact in this login.
        """
        account, current = await self._account(), self._current()

        def store(db: sqlite3.Connection) -> Identity:
            kept = _existing(db, account, current, number)
            gone = _existing(db, account, current, other)
            check_merge(kept, gone)
            _merge(db, account, kept.number, gone.number)
            return _existing(db, account, current, number)

        return await self._writer.do(store)

    async def split(self, number: int, contact_id: ContactId) -> Identity:
        """
        Move a contact to a new identity, and return that; the two identities are never matched again.

        Raises:
            UnknownContact: There is no such identity, it never had this id, or it has no other id.
        """
        account, current = await self._account(), self._current()
        contact_id = ContactId(clean_text(contact_id))

        def store(db: sqlite3.Connection) -> Identity:
            known = _existing(db, account, current, number)
            return _existing(db, account, current, _split(db, account, known, contact_id))

        return await self._writer.do(store)


# -- real ids --------------------------------------------------------------------------------------------------------


def _is_listed(db: sqlite3.Connection, account: int, own_id: ContactId, contacts: Iterable[Contact]) -> bool:
    """Return whether the last complete list of a login had the same contacts."""
    _, complete_digest = login_of(db, account, own_id)
    return complete_digest is not None and complete_digest == digest_of_all(contacts)


def _note_real_id(
    db: sqlite3.Connection, account: int, current: int, contact_id: ContactId, real_id: str
) -> Identified | None:
    if is_lasting(contact_id):
        return None
    here = read_links(
        db, "(SELECT :login AS login)", "l.account = :account AND l.id = :id",
        account=account, login=current, id=contact_id,
    )  # fmt: skip
    link = next(iter(here or links_of_id(db, account, contact_id)), None)
    if link is not None:
        current = link.row.login
    elif not current:
        (current,) = db.execute("SELECT coalesce(max(login), 0) FROM logins WHERE account = ?", (account,)).fetchone()
    noted = db.execute(
        "INSERT INTO real_ids VALUES (?, ?, ?, ?) ON CONFLICT (account, login, id)"
        " DO UPDATE SET real_id = excluded.real_id WHERE real_id <> excluded.real_id",
        (account, current, contact_id, real_id),
    )
    if not noted.rowcount:
        return None  # the phone sends the same ones again and again
    if link is None:  # `complete_digest` no longer matches, so the next complete list is compared, with this id
        db.execute(
            "UPDATE logins SET complete_digest = zeroblob(0) WHERE account = ? AND complete_digest IS NOT NULL",
            (account,),
        )
        return None
    found = _reconsider(db, link, real_id)
    number = link.row.number if found is None or found.by == "ambiguous" else found.number
    faces: dict[int, int] = {}
    since = "(SELECT login FROM logins WHERE account = :account AND login >= :since)"
    for each in read_links(db, since, "l.number = :number", account=account, since=link.row.login, number=number):
        face = each.row.evidence
        if face not in faces:
            evidence = as_json(msgspec.structs.replace(each.known, wxid=real_id))
            faces[face] = changed_evidence(db, each, evidence, link.row.login)
        if faces[face] != face:
            db.execute(
                "UPDATE links SET evidence = ? WHERE account = ? AND login = ? AND id = ?",
                (faces[face], account, each.row.login, each.row.id),
            )
    return found


def _reconsider(db: sqlite3.Connection, link: ResolvedLink, real_id: str) -> Identified | None:
    """Link a contact whose real id is known now to the identity that has this id, if that is another one."""
    row = link.row
    # CROSS makes SQLite keep this order: few contacts have a real id, and the other order would scan all links.
    bearers = select_numbers(
        db,
        "SELECT DISTINCT l.number FROM real_ids r CROSS JOIN links l USING (account, login, id)"
        " WHERE r.account = ? AND r.real_id = ? AND l.number <> ?",
        (row.account, real_id, row.number),
    )
    if link.how.by == "hand" or not (bearers or _bears_another(db, row, real_id)):
        return None
    if not bearers:
        number = _new(db, row.account, link.known.kind, row.seen_at)
    elif len(bearers) == 1 and _is_free(db, bearers[0], row):
        (number,) = bearers
    else:
        return Identified(contact_id=row.id, number=row.number, by="ambiguous", candidates=tuple(bearers))
    _move(db, link, number, LinkOrigin(by="certain", reasons=(Reason(what="wxid", weight=CERTAINTY, agrees=True),)))
    if not links_of_number(db, row.account, row.number):  # a number without links finds the other identity from now on
        _become(db, row.number, number)
    return Identified(contact_id=row.id, number=number, by="certain", candidates=(row.number,))


def _bears_another(db: sqlite3.Connection, row: LinkRow, real_id: str) -> bool:
    """Return whether the identity of a link has another real id in another login."""
    has_other = db.execute(
        "SELECT 1 FROM evidence WHERE number = ? AND json_extract(content, '$.wxid') <> ?", (row.number, real_id)
    ).fetchone()
    if has_other is None:  # mostly, and it saves a query over all logins
        return False
    noted = db.execute(
        f"SELECT 1 FROM {LOGINS_OF_ACCOUNT} g CROSS JOIN links l USING (login)"
        " CROSS JOIN real_ids r USING (account, login, id)"
        " WHERE l.number = :number AND l.id <> :id AND r.real_id <> :real_id",
        {"account": row.account, "number": row.number, "id": row.id, "real_id": real_id},
    ).fetchone()
    return noted is not None


def _is_free(db: sqlite3.Connection, number: int, row: LinkRow) -> bool:
    """Return whether an identity may take over a link: it has no link of that login, and was not split from it."""
    in_the_way = db.execute(
        "SELECT 1 FROM links WHERE number = :number AND login = :login"
        " UNION ALL SELECT 1 FROM never_matched WHERE number = :number AND other = :other",
        {"number": number, "login": row.login, "other": row.number},
    ).fetchone()
    return in_the_way is None


def _move(db: sqlite3.Connection, link: ResolvedLink, number: int, found: LinkOrigin) -> None:
    """Move a link to another identity, with its own evidence."""
    row = link.row
    face = new_evidence(db, number, row.login, link.evidence)
    db.execute(
        "UPDATE links SET number = ?, evidence = ?, origin = ? WHERE account = ? AND login = ? AND id = ?",
        (number, face, origin_rows(db, [found])[found], row.account, row.login, row.id),
    )
    if all(each.row.evidence != row.evidence for each in links_of_number(db, row.account, row.number)):
        db.execute("DELETE FROM evidence WHERE evidence = ?", (row.evidence,))
    note_newest_login(db, row.account, row.number, number)


# -- merge and split -------------------------------------------------------------------------------------------------


def _existing(db: sqlite3.Connection, account: int, current: int, number: int) -> Identity:
    found = _read(db, account, current, number)
    if found is None:
        raise UnknownContact(f"There is no identity with the number {number}; list the identities to find it.")
    return found


def _merge(db: sqlite3.Connection, account: int, kept: int, gone: int) -> None:
    for link in links_of_number(db, account, gone):
        found = msgspec.structs.replace(link.how, by="hand", confidence=1.0)
        db.execute(
            "UPDATE links SET number = ?, origin = ? WHERE account = ? AND login = ? AND id = ?",
            (kept, origin_rows(db, [found])[found], link.row.account, link.row.login, link.row.id),
        )
    db.execute("UPDATE evidence SET number = ? WHERE number = ?", (kept, gone))
    note_newest_login(db, account, kept)
    _become(db, gone, kept)
    db.execute("DELETE FROM never_matched WHERE ? IN (number, other) AND ? IN (number, other)", (kept, gone))
    db.execute("UPDATE OR IGNORE never_matched SET number = ? WHERE number = ?", (kept, gone))
    db.execute("UPDATE OR IGNORE never_matched SET other = ? WHERE other = ?", (kept, gone))


def _become(db: sqlite3.Connection, gone: int, kept: int) -> None:
    """Make a number, and all numbers that were merged into it, refer to another identity."""
    db.execute(
        "UPDATE identities SET first_seen = min(first_seen, (SELECT first_seen FROM identities WHERE number = ?))"
        " WHERE number = ?",
        (gone, kept),
    )
    db.execute("UPDATE identities SET merged_into = ? WHERE ? IN (number, merged_into)", (kept, gone))


def _split(db: sqlite3.Connection, account: int, known: Identity, contact_id: ContactId) -> int:
    theirs = links_of_number(db, account, known.number)
    leaving = [link for link in theirs if link.row.id == contact_id]
    check_split(known.number, leaving=len(leaving), all_links=len(theirs))
    number = _new(db, account, known.kind, leaving[-1].row.seen_at)
    for link in leaving:
        _move(db, link, number, LinkOrigin(by="hand", candidates=(known.number,)))
    db.execute("INSERT INTO never_matched VALUES (?, ?), (?, ?)", (number, known.number, known.number, number))
    return number


def _new(db: sqlite3.Connection, account: int, kind: IdentityKind, time: float) -> int:
    made = db.execute("INSERT INTO identities (account, kind, first_seen) VALUES (?, ?, ?)", (account, kind, time))
    return int(made.lastrowid or 0)


# -- queries ---------------------------------------------------------------------------------------------------------


def _now(db: sqlite3.Connection, account: int, number: int) -> int:
    """Return the number of the identity that a number finds, after merges; 0 if the number is unknown."""
    found = db.execute(
        "SELECT CASE merged_into WHEN 0 THEN number ELSE merged_into END FROM identities"
        " WHERE number = ? AND account = ?",
        (number, account),
    ).fetchone()
    return 0 if found is None else int(found[0])


def _read(db: sqlite3.Connection, account: int, current: int, number: int) -> Identity | None:
    found = _read_all(db, account, current, "i.number = ?", [_now(db, account, number)])
    return found[0] if found else None


def _find(db: sqlite3.Connection, account: int, current: int, query: IdentityQuery) -> list[Identity]:
    condition, values = "1", list[object]()
    if query.number is not None:
        condition += " AND i.number = ?"
        values.append(_now(db, account, query.number))
    if query.contact_id is not None:
        links = links_of_id(db, account, ContactId(clean_text(query.contact_id)))
        condition += " AND i.number = ?"
        values.append(links[0].row.number if links else 0)
    if query.name:
        condition += " AND ? IN (l.name, json_extract(f.content, '$.nickname'), json_extract(f.content, '$.remark'))"
        values.append(clean_text(query.name))
    if query.real_id:
        condition += (
            " AND i.number IN (SELECT o.number FROM real_ids r CROSS JOIN links o USING (account, login, id)"
            " WHERE r.account = ? AND r.real_id = ?)"
        )
        values += (account, clean_text(query.real_id))
    return _read_all(db, account, current, condition, values)


def _read_all(
    db: sqlite3.Connection, account: int, current: int, condition: str, values: Iterable[object]
) -> list[Identity]:
    """Read identities by a condition on their newest links."""
    if not current:
        (current,) = db.execute("SELECT coalesce(max(login), 0) FROM links WHERE account = ?", (account,)).fetchone()
    rows = select(
        db,
        ("l.number", "i.kind", "l.name", "l.login", "l.id", "h.content", "i.first_seen",
         "max(l.seen_at, g.last_at)"),
        # An id that is the same in every login is in the newest login as well.
        f"{NEWEST_LINKS} CROSS JOIN evidence f USING (evidence) CROSS JOIN origins h USING (origin)"
        f" JOIN logins g ON g.login = CASE l.login WHEN {ALWAYS}"
        " THEN (SELECT max(login) FROM logins o WHERE o.account = l.account) ELSE l.login END"
        f" WHERE i.account = ? AND {condition} ORDER BY l.number, l.seen_at",
        (account, *values),
    )  # fmt: skip
    found: dict[int, Identity] = {}
    for number, kind, name, login, contact_id, how, first_seen, last_seen in rows:
        is_here = login in {ALWAYS, current}
        found[number] = Identity(
            number=number, kind=kind, name=name, contact_id=ContactId(contact_id if is_here else ""),
            confidence=ORIGIN.decode(how).confidence, first_seen=first_seen, last_seen=last_seen,
        )  # fmt: skip
    return list(found.values())


def _links(db: sqlite3.Connection, account: int, number: int) -> list[Link]:
    own_ids: dict[int, str] = dict(select(db, ("login", "own_id"), "FROM logins WHERE account = ?", (account,)))
    links: list[Link] = []
    for link in links_of_number(db, account, number):
        row, found = link.row, link.how
        links.append(
            Link(
                number=number, contact_id=ContactId(row.id), own_id=ContactId(own_ids.get(row.login, "")),
                name=row.name, by=found.by, confidence=found.confidence, reasons=found.reasons,
                candidates=found.candidates, seen_at=row.seen_at,
            )
        )  # fmt: skip
    return links
