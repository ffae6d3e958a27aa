"""Links as rows: a contact of a login, its identity, its last known evidence, and how it was found."""

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

NEWEST_LINKS = "FROM identities i JOIN links l ON l.account = i.account AND l.number = i.number AND l.login = i.login"
"""Each identity with its links in its newest login."""

_FIELDS = "login, id, number, name, digest, evidence, found, seen_at"


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


class PostgresLink(NamedTuple):
    """A link, as it is stored."""

    login: int
    id: ContactId
    number: int
    name: str
    digest: int
    evidence: bytes
    found: bytes
    seen_at: float

    @property
    def known(self) -> Evidence:
        """The last known evidence."""
        return EVIDENCE.decode(self.evidence)

    @property
    def how(self) -> StoredFinding:
        """How the identity of the contact was found."""
        return ORIGIN.decode(self.found)


async def read_links(db: Connection, account: int, condition: str, *values: object) -> list[PostgresLink]:
    """Read the links of an account that meet a condition, the newest first; its values are `$2` and so on."""
    rows = await db.fetch(
        f"SELECT {_FIELDS} FROM links WHERE account = $1 AND {condition} ORDER BY login DESC, seen_at DESC, link DESC",
        account, *values,
    )  # fmt: skip
    return [PostgresLink(*row.values()) for row in rows]


async def links_of_id(db: Connection, account: int, contact_id: str) -> list[PostgresLink]:
    """Read the links of an id in all logins, the newest first."""
    return await read_links(db, account, "id = $2", contact_id)


async def links_of_number(db: Connection, account: int, number: int) -> list[PostgresLink]:
    """Read the links of an identity, the newest first."""
    return await read_links(db, account, "number = $2", number)


async def write_links(db: Connection, account: int, links: Sequence[PostgresLink]) -> None:
    """Store links in their order; a known one is replaced and becomes the last one."""
    if not links:
        return
    known = [link.known for link in links]
    await db.execute(
        "DELETE FROM links WHERE account = $1 AND (login, id) IN (SELECT * FROM unnest($2::bigint[], $3::varchar[]))",
        account, [link.login for link in links], [link.id for link in links],
    )  # fmt: skip
    await db.execute(
        f"INSERT INTO links (account, {_FIELDS}, nickname, remark) SELECT $1, n.* FROM unnest($2::bigint[],"
        " $3::varchar[], $4::bigint[], $5::varchar[], $6::bigint[], $7::bytea[], $8::bytea[], $9::float8[],"
        " $10::varchar[], $11::varchar[]) n",
        account, *(list(column) for column in zip(*links, strict=True)), [each.nickname for each in known],
        [each.remark for each in known],
    )  # fmt: skip


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
    rows = await db.fetch(
        "SELECT login, id FROM links WHERE account = $1 AND nickname <> ''"
        " AND hashtextextended(nickname, 0) = hashtextextended($2::text, 0) AND nickname = $2"
        " UNION SELECT login, id FROM links WHERE account = $1 AND remark <> ''"
        " AND hashtextextended(remark, 0) = hashtextextended($2::text, 0) AND remark = $2",
        account, name,
    )  # fmt: skip
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
    await db.execute("DELETE FROM real_ids WHERE account = $1 AND login = ANY ($2::bigint[])", account, list(logins))
