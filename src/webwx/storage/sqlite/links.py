"""
Links in the journal's file: a contact of a login, its identity, its evidence, and its origin.

Evidence is what was last known of a contact; the links of one identity share its row until it changes. Many
links have the same origin, which is stored once as well.
"""

# ruff: noqa: S608 - only columns and conditions are put together here, never a value

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from webwx.model.identities import By, Evidence, Reason
from webwx.storage.sqlite.bulk import as_list, insert, select

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable

    from webwx.model.contacts import ContactId

ALWAYS = 0
"""The login number of an id that is the same in every login."""

NEWEST_LINKS = "FROM identities i CROSS JOIN links l ON l.login = i.login AND l.number = i.number"
"""Each identity with its links in its newest login; older links are not read."""

LOGINS_OF_ACCOUNT = f"(SELECT {ALWAYS} AS login UNION ALL SELECT login FROM logins WHERE account = :account)"
"""All logins of the `:account`; a query searches each of them, because no index spans logins."""


_encode = msgspec.json.Encoder().encode


class LinkOrigin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a link was found, as it is stored."""

    by: By
    confidence: float = 1.0
    reasons: tuple[Reason, ...] = ()
    candidates: tuple[int, ...] = ()


EVIDENCE, ORIGIN = msgspec.json.Decoder(Evidence), msgspec.json.Decoder(LinkOrigin)
"""
Made once, at the import: msgspec examines a type when it is first decoded, and crashes if two threads do so at once.
"""


class LinkRow(NamedTuple):
    """A link, as it is stored."""

    account: int
    login: int
    id: ContactId
    number: int
    name: str
    digest: int
    evidence: int
    origin: int
    seen_at: float


class ResolvedLink(NamedTuple):
    """A link with its evidence and its origin."""

    row: LinkRow
    evidence_login: int
    """The first login that the evidence was seen in."""
    evidence: str
    origin: str

    @property
    def known(self) -> Evidence:
        """The evidence, decoded."""
        return EVIDENCE.decode(self.evidence)

    @property
    def how(self) -> LinkOrigin:
        """The origin of the link."""
        return ORIGIN.decode(self.origin)


def as_json(value: object) -> str:
    """Encode evidence or an origin as it is stored."""
    return _encode(value).decode()


def read_links(db: sqlite3.Connection, logins: str, condition: str, **values: object) -> list[ResolvedLink]:
    """Read links of some logins, the newest first; `values` are the named parameters of the condition."""
    columns = [f"l.{field}" for field in LinkRow._fields]
    rows = select(
        db,
        (*columns, "f.login", "f.content", "h.content"),
        f"FROM {logins} g CROSS JOIN links l USING (login) CROSS JOIN evidence f USING (evidence)"
        f" CROSS JOIN origins h USING (origin) WHERE {condition}"
        " ORDER BY l.login DESC, l.seen_at DESC, l.rowid DESC",
        values,
    )
    return [ResolvedLink(LinkRow(*row[: len(columns)]), *row[len(columns) :]) for row in rows]


def links_of_id(db: sqlite3.Connection, account: int, contact_id: ContactId) -> list[ResolvedLink]:
    """Read the links of an id in all logins of an account, the newest first."""
    return read_links(db, LOGINS_OF_ACCOUNT, "l.account = :account AND l.id = :id", account=account, id=contact_id)


def links_of_number(db: sqlite3.Connection, account: int, number: int) -> list[ResolvedLink]:
    """Read the links of an identity, the newest first."""
    return read_links(db, LOGINS_OF_ACCOUNT, "l.number = :number", account=account, number=number)


def origin_rows(db: sqlite3.Connection, origins: Collection[LinkOrigin]) -> dict[LinkOrigin, int]:
    """Return the row of each origin, and store the new ones."""
    wanted = {each: as_json(each) for each in origins}
    rows = _stored_origins(db, wanted.values())
    missing = [(each,) for each in wanted.values() if each not in rows]
    if missing:
        insert(db, "origins (content)", missing)
        rows = _stored_origins(db, wanted.values())
    return {origin: rows[each] for origin, each in wanted.items()}


def _stored_origins(db: sqlite3.Connection, wanted: Iterable[str]) -> dict[str, int]:
    query = "FROM origins WHERE content IN (SELECT value FROM json_each(?))"
    rows: dict[str, int] = dict(select(db, ("content", "origin"), query, (as_list(wanted),)))
    return rows


def changed_evidence(db: sqlite3.Connection, link: ResolvedLink, evidence: str, since: int) -> int:
    """Return the row of changed evidence for the logins from one on; links of earlier logins keep the old one."""
    if evidence == link.evidence:
        return link.row.evidence
    if link.evidence_login >= since:
        db.execute("UPDATE evidence SET content = ? WHERE evidence = ?", (evidence, link.row.evidence))
        return link.row.evidence
    return new_evidence(db, link.row.number, since, evidence)


def new_evidence(db: sqlite3.Connection, number: int, login: int, evidence: str) -> int:
    """Store evidence that was first seen in a login, and return its row."""
    made = db.execute("INSERT INTO evidence (number, login, content) VALUES (?, ?, ?)", (number, login, evidence))
    return int(made.lastrowid or 0)


def note_newest_login(db: sqlite3.Connection, account: int, *numbers: int) -> None:
    """Update the newest login of identities whose links have changed."""
    db.execute(
        "UPDATE identities SET login = ("
        f" SELECT coalesce(max(l.login), {ALWAYS}) FROM {LOGINS_OF_ACCOUNT} g CROSS JOIN links l USING (login)"
        " WHERE l.number = identities.number) WHERE number IN (SELECT value FROM json_each(:numbers))",
        {"account": account, "numbers": as_list(numbers)},
    )


def links_named(db: sqlite3.Connection, account: int, name: str) -> list[list[Any]]:
    """Return login and id of all contacts that had this remark or nickname; login 0 stands for every login."""
    return select(
        db,
        ("l.login", "l.id"),
        f"FROM identities i CROSS JOIN evidence f USING (number) CROSS JOIN {LOGINS_OF_ACCOUNT} g"
        " CROSS JOIN links l USING (login, number, evidence) WHERE i.account = :account"
        " AND :name IN (json_extract(f.content, '$.nickname'), json_extract(f.content, '$.remark'))",
        {"account": account, "name": name},
    )


def forget_logins(db: sqlite3.Connection, logins: str) -> None:
    """
    Delete the links of some logins, and the identities that have no other links.

    Args:
        db: Connection with a write transaction.
        logins: Rows of the logins, as a list for `json_each`.
    """
    if not db.execute("DELETE FROM links WHERE login IN (SELECT value FROM json_each(?))", (logins,)).rowcount:
        return
    db.execute(
        f"UPDATE identities SET login = (SELECT coalesce(max(l.login), {ALWAYS}) FROM logins g"
        " CROSS JOIN links l USING (login) WHERE g.account = identities.account AND l.number = identities.number)"
        " WHERE login IN (SELECT value FROM json_each(?))",
        (logins,),
    )
    db.execute(
        f"DELETE FROM identities WHERE merged_into = 0 AND login = {ALWAYS}"
        f" AND number NOT IN (SELECT number FROM links WHERE login = {ALWAYS})"
    )
    db.execute("DELETE FROM identities WHERE merged_into <> 0 AND merged_into NOT IN (SELECT number FROM identities)")
    db.execute("DELETE FROM evidence WHERE evidence NOT IN (SELECT evidence FROM links)")
    db.execute("DELETE FROM origins WHERE origin NOT IN (SELECT origin FROM links)")
    for column in ("number", "other"):
        db.execute(
            f"DELETE FROM never_matched WHERE {column} NOT IN (SELECT number FROM identities WHERE merged_into = 0)"
        )
    db.execute("DELETE FROM real_ids WHERE login IN (SELECT value FROM json_each(?))", (logins,))
