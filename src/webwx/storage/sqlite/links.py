"""
Links as they lie in the journal's file: a contact of a login, its identity, its face, and the way it was found.

What was last known of a contact is called its face; the links of one identity share it for as long as nothing else is
said. Many links are found in the same way, which is stored once as well.
"""

# ruff: noqa: S608 - what is put together here are columns and conditions, and never a value

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from webwx.model.identities import By, Evidence, Reason
from webwx.storage.sqlite.bulk import as_list, insert, select

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from webwx.model.contacts import ContactId

ALWAYS = 0
"""The login of an id that every login has."""

NEWEST_LINKS = "FROM identities i CROSS JOIN links l ON l.login = i.login AND l.number = i.number"
"""Each identity with its links of the newest login that it was in; the older ones are not even looked at."""

LOGINS_OF_ACCOUNT = f"(SELECT {ALWAYS} AS login UNION ALL SELECT login FROM logins WHERE account = :account)"
"""Every login of the `:account`: what is of one of them is looked for in each, since no index goes across them."""


class LinkOrigin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a link came about, as it is stored."""

    by: By
    confidence: float = 1.0
    reasons: tuple[Reason, ...] = ()
    candidates: tuple[int, ...] = ()


class LinkRow(NamedTuple):
    """A link, as it is stored."""

    account: int
    login: int
    id: ContactId
    number: int
    name: str
    digest: int
    face: int
    finding: int
    seen_at: float


class ResolvedLink(NamedTuple):
    """A link with what it leads to."""

    row: LinkRow
    face_login: int
    """The first login that the face was seen in."""
    evidence: str
    found: str

    @property
    def known(self) -> Evidence:
        """What the face says."""
        return msgspec.json.decode(self.evidence, type=Evidence)

    @property
    def how(self) -> LinkOrigin:
        """How it came about."""
        return msgspec.json.decode(self.found, type=LinkOrigin)


def as_json(value: object) -> str:
    """Write a face or a finding as it is stored."""
    return msgspec.json.encode(value).decode()


def read_links(db: sqlite3.Connection, logins: str, condition: str, **values: object) -> list[ResolvedLink]:
    """Read links of some logins, the newest first; the values are what the condition has names for."""
    columns = [f"l.{field}" for field in LinkRow._fields]
    rows = select(
        db,
        (*columns, "f.login", "f.evidence", "h.found"),
        f"FROM {logins} g CROSS JOIN links l USING (login) CROSS JOIN faces f USING (face)"
        f" CROSS JOIN findings h USING (finding) WHERE {condition}"
        " ORDER BY l.login DESC, l.seen_at DESC, l.rowid DESC",
        values,
    )
    return [ResolvedLink(LinkRow(*row[: len(columns)]), *row[len(columns) :]) for row in rows]


def links_of_id(db: sqlite3.Connection, account: int, contact_id: ContactId) -> list[ResolvedLink]:
    """Read the links that an account's logins have of an id, the newest first."""
    return read_links(db, LOGINS_OF_ACCOUNT, "l.account = :account AND l.id = :id", account=account, id=contact_id)


def links_of_number(db: sqlite3.Connection, account: int, number: int) -> list[ResolvedLink]:
    """Read the links of an identity, the newest first."""
    return read_links(db, LOGINS_OF_ACCOUNT, "l.number = :number", account=account, number=number)


def finding_rows(db: sqlite3.Connection, wanted: Collection[str]) -> dict[str, int]:
    """Give the row of each way in which links were found; many are found in the same way."""
    insert(db, "findings (found)", [(each,) for each in wanted], verb="INSERT OR IGNORE")
    rows = select(
        db, ("found", "finding"), "FROM findings WHERE found IN (SELECT value FROM json_each(?))", (as_list(wanted),)
    )
    return dict(rows)


def changed_face(db: sqlite3.Connection, link: ResolvedLink, evidence: str, since: int) -> int:
    """Have links that share a face say something else from a login on, and give the face; earlier ones stay."""
    if evidence == link.evidence:
        return link.row.face
    if link.face_login >= since:
        db.execute("UPDATE faces SET evidence = ? WHERE face = ?", (evidence, link.row.face))
        return link.row.face
    return new_face(db, link.row.number, since, evidence)


def new_face(db: sqlite3.Connection, number: int, login: int, evidence: str) -> int:
    """Store a face that was first seen in a login; gives its row."""
    made = db.execute("INSERT INTO faces (number, login, evidence) VALUES (?, ?, ?)", (number, login, evidence))
    return int(made.lastrowid or 0)


def note_newest_login(db: sqlite3.Connection, account: int, *numbers: int) -> None:
    """Find out which is the newest login of identities whose links have changed."""
    db.execute(
        "UPDATE identities SET login = ("
        f" SELECT coalesce(max(l.login), {ALWAYS}) FROM {LOGINS_OF_ACCOUNT} g CROSS JOIN links l USING (login)"
        " WHERE l.number = identities.number) WHERE number IN (SELECT value FROM json_each(:numbers))",
        {"account": account, "numbers": as_list(numbers)},
    )


def links_named(db: sqlite3.Connection, account: int, name: str) -> list[list[Any]]:
    """Give login and id of all who had this remark or nickname; an id that every login has is of login 0."""
    return [
        row
        for field in ("nickname", "remark")
        for row in select(
            db,
            ("l.login", "l.id"),
            f"FROM faces f CROSS JOIN {LOGINS_OF_ACCOUNT} g CROSS JOIN links l USING (login, number, face)"
            f" WHERE json_extract(f.evidence, '$.{field}') = :name",
            {"account": account, "name": name},
        )
    ]


def forget_logins(db: sqlite3.Connection, logins: str) -> None:
    """
    Delete what is known of who was in some logins; of who was in no other nothing is left.

    Args:
        db: Where a transaction has begun.
        logins: Rows, as a list for `json_each`.
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
        f"DELETE FROM identities WHERE became = 0 AND login = {ALWAYS}"
        f" AND number NOT IN (SELECT number FROM links WHERE login = {ALWAYS})"
    )
    db.execute("DELETE FROM identities WHERE became <> 0 AND became NOT IN (SELECT number FROM identities)")
    db.execute("DELETE FROM faces WHERE face NOT IN (SELECT face FROM links)")
    db.execute("DELETE FROM findings WHERE finding NOT IN (SELECT finding FROM links)")
    for column in ("number", "other"):
        db.execute(f"DELETE FROM apart WHERE {column} NOT IN (SELECT number FROM identities WHERE became = 0)")
    db.execute("DELETE FROM real_ids WHERE login IN (SELECT value FROM json_each(?))", (logins,))
