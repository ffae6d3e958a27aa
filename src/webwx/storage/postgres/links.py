"""
Links as rows: a contact of a login, its identity, its evidence, and its origin.

Evidence is what is last known of a contact; the links of one identity share a row of it until the evidence changes.
Many links have the same origin, how they were found, which is stored once as well. Both have numbers of their account.
"""

# ruff: noqa: S608 - only columns and conditions are put together here, never a value

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.model.contacts import ContactId
from webwx.model.identities import By, Evidence, Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from webwx.storage.postgres.database import Connection

ALWAYS = 0
"""The login number of an id that is the same in every login."""

NEWEST_LINKS = (
    "FROM identities i CROSS JOIN LATERAL ("
    "SELECT * FROM links n WHERE n.account = i.account AND n.number = i.number AND n.login = i.login OFFSET 0) l"
)
"""
Each identity with its links in its newest login.

`OFFSET 0` makes PostgreSQL look them up by the index: a plan from before the tables were analyzed compares each
identity with all links of the account otherwise.
"""
EVIDENCE_OF_LINK = (
    "CROSS JOIN LATERAL (SELECT * FROM evidence v WHERE v.account = l.account AND v.evidence = l.evidence OFFSET 0) e"
)
"""The evidence of each link, likewise."""

ORIGIN_OF_LINK = (
    "CROSS JOIN LATERAL (SELECT * FROM origins h WHERE h.account = l.account AND h.origin = l.origin OFFSET 0) o"
)
"""The origin of each link, likewise."""


_encode = msgspec.json.Encoder().encode


class StoredFinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a link was found, as it is stored."""

    by: By
    confidence: float = 1.0
    reasons: tuple[Reason, ...] = ()
    candidates: tuple[int, ...] = ()


EVIDENCE, ORIGIN = msgspec.json.Decoder(Evidence), msgspec.json.Decoder(StoredFinding)
"""
Made once, at the import: msgspec examines a type when it is first decoded, and crashes if two threads do so at once.
"""


class PostgresLinkRow(NamedTuple):
    """A link, as it is stored."""

    login: int
    id: ContactId
    number: int
    name: str
    digest: int
    evidence: int
    origin: int
    seen_at: float


class PostgresLink(NamedTuple):
    """A link with its evidence and its origin."""

    row: PostgresLinkRow
    evidence_login: int
    """The first login that the evidence was seen in."""
    evidence: str
    origin: str

    @property
    def known(self) -> Evidence:
        """The last known evidence."""
        return EVIDENCE.decode(self.evidence)

    @property
    def how(self) -> StoredFinding:
        """How the identity of the contact was found."""
        return ORIGIN.decode(self.origin)


class EvidenceRow(NamedTuple):
    """Evidence, as it is stored."""

    evidence: int
    number: int
    login: int
    content: str
    nickname: str
    remark: str


def evidence_row(evidence: int, number: int, login: int, content: Evidence, encoded: str = "") -> EvidenceRow:
    """Return the row of an identity's evidence that was first seen in a login; `encoded` is its JSON, if known."""
    return EvidenceRow(evidence, number, login, encoded or as_json(content), content.nickname, content.remark)


_COLUMNS = ", ".join(PostgresLinkRow._fields)


def as_json(value: object) -> str:
    """Encode evidence or an origin as it is stored."""
    return _encode(value).decode()


async def read_links(db: Connection, account: int, condition: str, *values: object) -> list[PostgresLink]:
    """Read the links of an account that meet a condition, the newest first; its values are `$2` and so on."""
    rows = await db.fetch(
        f"SELECT {', '.join(f'l.{field}' for field in PostgresLinkRow._fields)}, e.login, e.content, o.content"
        f" FROM links l {EVIDENCE_OF_LINK} {ORIGIN_OF_LINK}"
        f" WHERE l.account = $1 AND {condition} ORDER BY l.login DESC, l.seen_at DESC, l.link DESC",
        account, *values,
    )  # fmt: skip
    width = len(PostgresLinkRow._fields)
    found = map(tuple, rows)
    return [PostgresLink(PostgresLinkRow(*row[:width]), *row[width:]) for row in found]


async def links_of_id(db: Connection, account: int, contact_id: str) -> list[PostgresLink]:
    """Read the links of an id in all logins, the newest first."""
    return await read_links(db, account, "l.id = $2", contact_id)


async def links_of_number(db: Connection, account: int, number: int) -> list[PostgresLink]:
    """Read the links of an identity, the newest first."""
    return await read_links(db, account, "l.number = $2", number)


async def write_links(db: Connection, account: int, links: Sequence[PostgresLinkRow]) -> None:
    """Store links in their order; a known one is replaced and becomes the last one."""
    if not links:
        return
    await db.execute(
        "DELETE FROM links WHERE account = $1 AND (login, id) IN (SELECT * FROM unnest($2::bigint[], $3::varchar[]))",
        account, [link.login for link in links], [link.id for link in links],
    )  # fmt: skip
    await db.execute(
        f"INSERT INTO links (account, {_COLUMNS}) SELECT $1, n.* FROM unnest($2::bigint[], $3::varchar[],"
        " $4::bigint[], $5::varchar[], $6::bigint[], $7::bigint[], $8::bigint[], $9::float8[]) n",
        account, *(list(column) for column in zip(*links, strict=True)),
    )  # fmt: skip


async def last_evidence(db: Connection, account: int) -> int:
    """Return the highest number of an account's evidence, whose transaction holds the account's row."""
    last: int = await db.fetchval("SELECT coalesce(max(evidence), 0) FROM evidence WHERE account = $1", account)
    return last


async def write_evidence(db: Connection, account: int, rows: Sequence[EvidenceRow]) -> None:
    """Store evidence; known rows get another content."""
    if rows:
        await db.execute(
            f"INSERT INTO evidence (account, {', '.join(EvidenceRow._fields)}) SELECT $1, n.* FROM"
            " unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::varchar[], $6::varchar[], $7::varchar[]) n"
            " ON CONFLICT (account, evidence) DO UPDATE SET content = excluded.content, nickname = excluded.nickname,"
            " remark = excluded.remark",
            account, *(list(column) for column in zip(*rows, strict=True)),
        )  # fmt: skip


async def origin_rows(
    db: Connection, account: int, origins: Collection[StoredFinding]
) -> dict[StoredFinding, int]:  # fmt: skip
    """Return the number of each origin, and store the new ones."""
    wanted = {each: as_json(each) for each in origins}
    rows = await encoded_origin_rows(db, account, set(wanted.values()))
    return {origin: rows[content] for origin, content in wanted.items()}


async def encoded_origin_rows(db: Connection, account: int, wanted: Collection[str]) -> dict[str, int]:
    """Return the number of each origin by its JSON, and store the new ones."""
    query = (
        "SELECT content, origin FROM origins WHERE account = $1"
        " AND webwx_key(content) IN (SELECT webwx_key(c) FROM unnest($2::varchar[]) c)"
    )
    rows: dict[str, int] = dict(map(tuple, await db.fetch(query, account, list(wanted))))
    missing = sorted(set(wanted) - rows.keys())
    if missing:
        last: int = await db.fetchval("SELECT coalesce(max(origin), 0) FROM origins WHERE account = $1", account)
        rows |= {content: last + place for place, content in enumerate(missing, 1)}
        await db.execute(
            "INSERT INTO origins (account, origin, content) SELECT $1, n.* FROM unnest($2::bigint[], $3::varchar[]) n",
            account, [rows[each] for each in missing], missing,
        )  # fmt: skip
    return rows


class ChangedEvidence:
    """
    Evidence that changes in one transaction.

    Args:
        last: The highest number of the account's evidence.
    """

    def __init__(self, last: int) -> None:
        self._last = last
        self.rows: dict[int, EvidenceRow] = {}
        """The rows to store, by number."""

    def of(self, link: PostgresLink, evidence: Evidence, since: int) -> int:
        """Return changed evidence for the logins from one on; links of earlier logins keep the old one."""
        row = link.row
        if as_json(evidence) == link.evidence:
            return row.evidence
        if link.evidence_login >= since:
            self.rows[row.evidence] = evidence_row(row.evidence, row.number, link.evidence_login, evidence)
            return row.evidence
        return self.new(row.number, since, evidence)

    def new(self, number: int, login: int, evidence: Evidence) -> int:
        """Return new evidence of an identity that was first seen in a login."""
        self._last += 1
        self.rows[self._last] = evidence_row(self._last, number, login, evidence)
        return self._last


async def note_newest_login(db: Connection, account: int, numbers: Collection[int]) -> None:
    """Update the newest login of identities whose links have changed."""
    await db.execute(
        f"UPDATE identities i SET login = coalesce((SELECT max(login) FROM links l"
        f" WHERE l.account = i.account AND l.number = i.number), {ALWAYS})"
        " WHERE account = $1 AND number = ANY ($2::bigint[])",
        account, list(numbers),
    )  # fmt: skip


async def links_named(db: Connection, account: int, name: str) -> list[tuple[int, str]]:
    """Return login and id of all contacts that had this remark or nickname; login 0 stands for every login."""
    of_name = (
        "SELECT l.login, l.id FROM evidence e JOIN links l ON l.account = e.account AND l.number = e.number"
        " AND l.evidence = e.evidence WHERE e.account = $1 AND e.{0} <> ''"
        " AND hashtextextended(e.{0}, 0) = hashtextextended($2::text, 0) AND e.{0} = $2"
    )
    rows = await db.fetch(f"{of_name.format('nickname')} UNION {of_name.format('remark')}", account, name)
    return [(row["login"], row["id"]) for row in rows]


async def forget_logins(db: Connection, account: int, logins: Collection[int]) -> None:
    """Delete the links of some logins, and the identities that have no other links."""
    rows = await db.fetch(
        "DELETE FROM links WHERE account = $1 AND login = ANY ($2::bigint[]) RETURNING number", account, list(logins)
    )
    if not rows:
        return
    await note_newest_login(db, account, {row["number"] for row in rows})
    await db.execute(
        "DELETE FROM identities i WHERE account = $1 AND merged_into = 0"
        " AND NOT EXISTS (SELECT FROM links l WHERE l.account = $1 AND l.number = i.number)",
        account,
    )
    await db.execute(
        "DELETE FROM identities i WHERE account = $1 AND merged_into <> 0"
        " AND NOT EXISTS (SELECT FROM identities k WHERE k.account = $1 AND k.number = i.merged_into)",
        account,
    )
    await db.execute(
        "DELETE FROM never_matched a WHERE account = $1 AND (SELECT count(*) FROM identities i"
        " WHERE i.account = $1 AND i.merged_into = 0 AND i.number IN (a.number, a.other)) < 2",
        account,
    )
    for table, column in (("evidence", "evidence"), ("origins", "origin")):
        await db.execute(
            f"DELETE FROM {table} t WHERE account = $1"
            f" AND NOT EXISTS (SELECT FROM links l WHERE l.account = $1 AND l.{column} = t.{column})",
            account,
        )
    await db.execute("DELETE FROM real_ids WHERE account = $1 AND login = ANY ($2::bigint[])", account, list(logins))
