"""
Identities in the database: which contacts of which logins are the same person or chatroom.

A contact of a login is linked to an identity once, by its evidence (`model.identities`), and stays linked even if its
name changes. Each link holds the last known evidence, so that the contact can be split from its identity again.
"""

# ruff: noqa: S608 - only columns and conditions are put together here, never a value

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import UnknownContact
from webwx.model.contacts import Contact, ContactId
from webwx.model.identities import CERTAINTY, Identified, Identity, IdentityKind, Link, Reason, is_lasting
from webwx.protocol.codec import clean_text
from webwx.storage.identity_matching import check_merge, check_split, contact_of, digest_of_all
from webwx.storage.postgres.evidence import identify, login_of
from webwx.storage.postgres.links import (
    ALWAYS,
    EVIDENCE_OF_LINK,
    NEWEST_LINKS,
    ORIGIN,
    ORIGIN_OF_LINK,
    ChangedEvidence,
    PostgresLink,
    StoredFinding,
    last_evidence,
    links_of_id,
    links_of_number,
    note_newest_login,
    origin_rows,
    read_links,
    write_evidence,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from webwx.storage.base import IdentityQuery
    from webwx.storage.postgres.database import Connection, PostgresDatabase


class PostgresIdentityStore:
    """
    One account's identities; `IdentityStore` states the guarantees.

    Args:
        account: The account.
        current: Returns the row of the current login; 0 before the first login.
        database: The database.
    """

    def __init__(self, account: int, current: Callable[[], int], database: PostgresDatabase) -> None:
        self._account = account
        self._current = current
        self._database = database

    def __repr__(self) -> str:
        return "PostgresIdentityStore(***)"

    async def identify(
        self, own_id: ContactId, contacts: Iterable[Contact], *, complete: bool, time: float,
        real_ids: Mapping[ContactId, str] = MappingProxyType({}),
    ) -> list[Identified]:  # fmt: skip
        """Match the contacts of a login with identities, in one transaction."""
        noted = [(ContactId(clean_text(each)), clean_text(real_id)) for each, real_id in real_ids.items()]
        digest = await asyncio.to_thread(digest_of_all, contacts) if complete else None
        if digest is not None and not noted:
            _, complete_digest = await self._database.read(lambda db: login_of(db, self._account, own_id))
            if complete_digest == digest:  # usually no contact has changed, and nothing is written
                return []

        async def store(db: Connection) -> list[Identified]:
            login, complete_digest = await login_of(db, self._account, own_id)
            found: list[Identified] = []
            if digest is None or digest != complete_digest:
                found += await identify(db, self._account, own_id, contacts, digest=digest, time=time)
            for each in noted:
                changed = await _note_real_id(db, self._account, login, *each)
                found += [] if changed is None else [changed]
            return found

        return await self._database.write(self._account, store)

    async def find(self, query: IdentityQuery) -> list[Identity]:
        """Return the identities that match a query, in the order of their numbers."""
        current = self._current()
        return await self._database.read(lambda db: _find(db, self._account, current, query))

    async def contacts(self, ids: Collection[str]) -> list[Contact]:
        """Return contacts that had these ids in any login, with the data of their identities."""
        links = await self._database.read(
            lambda db: read_links(db, self._account, "l.id = ANY ($2::varchar[])", list(ids))
        )
        return [contact_of(each.row.id, each.row.name, each.known) for each in links]

    async def links(self, number: int) -> list[Link]:
        """Return the contacts of all logins that are linked to an identity, the newest first, each with the reasons."""
        return await self._database.read(lambda db: _links(db, self._account, number))

    async def merge(self, number: int, other: int) -> Identity:
        """
        Merge two identities into the first one; from now on the second number finds it too.

        Raises:
            UnknownContact: There is no such identity.
            InvalidRequest: The identities are the same, differ in kind, or both have a contact in this login.
        """
        account, current = self._account, self._current()

        async def store(db: Connection) -> Identity:
            kept = await _existing(db, account, current, number)
            gone = await _existing(db, account, current, other)
            check_merge(kept, gone)
            await _merge(db, account, kept.number, gone.number)
            return await _existing(db, account, current, number)

        return await self._database.write(account, store)

    async def split(self, number: int, contact_id: ContactId) -> Identity:
        """
        Move a contact to a new identity, and return that; the two identities are never matched again.

        Raises:
            UnknownContact: There is no such identity, it never had this id, or it has no other id.
        """
        account, current, contact_id = self._account, self._current(), ContactId(clean_text(contact_id))

        async def store(db: Connection) -> Identity:
            known = await _existing(db, account, current, number)
            return await _existing(db, account, current, await _split(db, account, known, contact_id))

        return await self._database.write(account, store)


# -- real ids --------------------------------------------------------------------------------------------------------


async def _note_real_id(
    db: Connection, account: int, current: int, contact_id: ContactId, real_id: str
) -> Identified | None:
    if is_lasting(contact_id):
        return None
    here = await read_links(db, account, "l.login = $2 AND l.id = $3", current, contact_id)
    link = next(iter(here or await links_of_id(db, account, contact_id)), None)
    if link is not None:
        current = link.row.login
    noted = await db.fetchval(
        "INSERT INTO real_ids VALUES ($1, $2, $3, $4) ON CONFLICT (account, login, id)"
        " DO UPDATE SET real_id = excluded.real_id WHERE real_ids.real_id <> excluded.real_id RETURNING true",
        account, current, contact_id, real_id,
    )  # fmt: skip
    if not noted:
        return None  # the phone repeats the same real ids
    if link is None:  # clear `complete_digest`, so that the next complete list is compared with this id
        await db.execute(
            "UPDATE logins SET complete_digest = '' WHERE account = $1 AND complete_digest IS NOT NULL", account
        )
        return None
    found = await _reconsider(db, account, link, real_id)
    number = link.row.number if found is None or found.by == "ambiguous" else found.number
    changed = ChangedEvidence(await last_evidence(db, account))
    rows: dict[int, int] = {}
    for each in await read_links(db, account, "l.number = $2 AND l.login >= $3", number, link.row.login):
        before = each.row.evidence
        if before not in rows:
            rows[before] = changed.of(each, msgspec.structs.replace(each.known, wxid=real_id), link.row.login)
        if rows[before] != before:
            await db.execute(
                "UPDATE links SET evidence = $4 WHERE account = $1 AND login = $2 AND id = $3",
                account, each.row.login, each.row.id, rows[before],
            )  # fmt: skip
    await write_evidence(db, account, list(changed.rows.values()))
    return found


async def _reconsider(db: Connection, account: int, link: PostgresLink, real_id: str) -> Identified | None:
    """Link a contact whose real id is known now to the identity that has this id, if that is another one."""
    row = link.row
    rows = await db.fetch(
        "SELECT DISTINCT l.number FROM real_ids r JOIN links l USING (account, login, id)"
        " WHERE r.account = $1 AND r.real_id = $2 AND l.number <> $3 ORDER BY l.number",
        account, real_id, row.number,
    )  # fmt: skip
    bearers = [each["number"] for each in rows]
    if link.how.by == "hand" or not (bearers or await _bears_another(db, account, link, real_id)):
        return None
    if not bearers:
        number = await _new(db, account, link.known.kind, row.seen_at)
    elif len(bearers) == 1 and await _is_free(db, account, bearers[0], link):
        (number,) = bearers
    else:
        return Identified(contact_id=row.id, number=row.number, by="ambiguous", candidates=tuple(bearers))
    reason = Reason(what="wxid", weight=CERTAINTY, agrees=True)
    await _move(db, account, link, number, StoredFinding(by="certain", reasons=(reason,)))
    if not await links_of_number(db, account, row.number):  # a number without links finds the other identity now
        await _become(db, account, row.number, number)
    return Identified(contact_id=row.id, number=number, by="certain", candidates=(row.number,))


async def _bears_another(db: Connection, account: int, link: PostgresLink, real_id: str) -> bool:
    """Return whether the identity of a link has another real id in another login."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM links l JOIN real_ids r USING (account, login, id)"
        " WHERE l.account = $1 AND l.number = $2 AND l.id <> $3 AND r.real_id <> $4)",
        account, link.row.number, link.row.id, real_id,
    )  # fmt: skip
    return found


async def _is_free(db: Connection, account: int, number: int, link: PostgresLink) -> bool:
    """Return whether an identity may take over a link: it has no link of that login, and was not split from it."""
    in_the_way: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM links WHERE account = $1 AND number = $2 AND login = $3"
        " UNION ALL SELECT FROM never_matched WHERE account = $1 AND number = $2 AND other = $4)",
        account, number, link.row.login, link.row.number,
    )  # fmt: skip
    return not in_the_way


async def _move(db: Connection, account: int, link: PostgresLink, number: int, found: StoredFinding) -> None:
    """Move a link to another identity, with its own evidence."""
    row = link.row
    moved = ChangedEvidence(await last_evidence(db, account))
    evidence = moved.new(number, row.login, link.known)
    await write_evidence(db, account, list(moved.rows.values()))
    await db.execute(
        "UPDATE links SET number = $4, evidence = $5, origin = $6 WHERE account = $1 AND login = $2 AND id = $3",
        account, row.login, row.id, number, evidence, (await origin_rows(db, account, [found]))[found],
    )  # fmt: skip
    await db.execute(
        "DELETE FROM evidence WHERE account = $1 AND evidence = $2 AND NOT EXISTS ("
        "SELECT FROM links WHERE account = $1 AND number = $3 AND links.evidence = $2)",
        account, row.evidence, row.number,
    )  # fmt: skip
    await note_newest_login(db, account, (row.number, number))


# -- merge and split -------------------------------------------------------------------------------------------------


async def _existing(db: Connection, account: int, current: int, number: int) -> Identity:
    found = await _read_all(db, account, current, "i.number = $3", await _now(db, account, number))
    if not found:
        raise UnknownContact(f"There is no identity with the number {number}; list the identities to find it.")
    return found[0]


async def _merge(db: Connection, account: int, kept: int, gone: int) -> None:
    for link in await links_of_number(db, account, gone):
        found = msgspec.structs.replace(link.how, by="hand", confidence=1.0)
        await db.execute(
            "UPDATE links SET number = $4, origin = $5 WHERE account = $1 AND login = $2 AND id = $3",
            account, link.row.login, link.row.id, kept, (await origin_rows(db, account, [found]))[found],
        )  # fmt: skip
    await db.execute("UPDATE evidence SET number = $2 WHERE account = $1 AND number = $3", account, kept, gone)
    await note_newest_login(db, account, (kept, gone))
    await _become(db, account, gone, kept)
    await db.execute(
        "DELETE FROM never_matched WHERE account = $1 AND $2 IN (number, other) AND $3 IN (number, other)",
        account,
        kept,
        gone,
    )
    for column, other in (("number", "other"), ("other", "number")):
        await db.execute(
            f"INSERT INTO never_matched (account, {column}, {other}) SELECT $1, $2, {other} FROM never_matched"
            f" WHERE account = $1 AND {column} = $3 ON CONFLICT DO NOTHING",
            account, kept, gone,
        )  # fmt: skip
    await db.execute("DELETE FROM never_matched WHERE account = $1 AND $2 IN (number, other)", account, gone)


async def _become(db: Connection, account: int, gone: int, kept: int) -> None:
    """Make a number, and all numbers that were merged into it, refer to another identity."""
    await db.execute(
        "UPDATE identities SET first_seen = least(first_seen,"
        " (SELECT first_seen FROM identities WHERE account = $1 AND number = $2)) WHERE account = $1 AND number = $3",
        account, gone, kept,
    )  # fmt: skip
    await db.execute(
        "UPDATE identities SET merged_into = $3 WHERE account = $1 AND $2 IN (number, merged_into)", account, gone, kept
    )


async def _split(db: Connection, account: int, known: Identity, contact_id: ContactId) -> int:
    theirs = await links_of_number(db, account, known.number)
    leaving = [link for link in theirs if link.row.id == contact_id]
    check_split(known.number, leaving=len(leaving), all_links=len(theirs))
    number = await _new(db, account, known.kind, leaving[-1].row.seen_at)
    for link in leaving:
        await _move(db, account, link, number, StoredFinding(by="hand", candidates=(known.number,)))
    await db.execute("INSERT INTO never_matched VALUES ($1, $2, $3), ($1, $3, $2)", account, number, known.number)
    return number


async def _new(db: Connection, account: int, kind: IdentityKind, time: float) -> int:
    number: int = await db.fetchval(
        "UPDATE accounts SET last_identity = last_identity + 1 WHERE account = $1 RETURNING last_identity", account
    )
    await db.execute(
        "INSERT INTO identities (account, number, kind, first_seen) VALUES ($1, $2, $3, $4)",
        account, number, kind, time,
    )  # fmt: skip
    return number


# -- queries ---------------------------------------------------------------------------------------------------------


async def _now(db: Connection, account: int, number: int) -> int:
    """Return the number of the identity that a number finds, after merges; 0 if the number is unknown."""
    found: int | None = await db.fetchval(
        "SELECT CASE merged_into WHEN 0 THEN number ELSE merged_into END FROM identities"
        " WHERE account = $1 AND number = $2",
        account, number,
    )  # fmt: skip
    return found or 0


async def _find(db: Connection, account: int, current: int, query: IdentityQuery) -> list[Identity]:
    condition, values = "true", list[object]()
    if query.number is not None:
        values.append(await _now(db, account, query.number))
        condition += f" AND i.number = ${len(values) + 2}::bigint"
    if query.contact_id is not None:
        links = await links_of_id(db, account, query.contact_id)
        values.append(links[0].row.number if links else 0)
        condition += f" AND i.number = ${len(values) + 2}::bigint"
    if query.name:
        values.append(query.name)
        condition += f" AND ${len(values) + 2}::text IN (l.name, e.nickname, e.remark)"
    if query.real_id:
        values.append(clean_text(query.real_id))
        condition += (
            " AND i.number IN (SELECT o.number FROM real_ids r JOIN links o USING (account, login, id)"
            f" WHERE r.account = $1 AND r.real_id = ${len(values) + 2}::text)"
        )
    return await _read_all(db, account, current, condition, *values)


async def _read_all(db: Connection, account: int, current: int, condition: str, *values: object) -> list[Identity]:
    """Read identities by a condition on their newest links."""
    rows = await db.fetch(
        "SELECT l.number, i.kind, l.name, l.login, l.id, o.content AS found, i.first_seen,"
        " greatest(l.seen_at, g.last_at) AS seen,"
        " coalesce(nullif($2::bigint, 0), (SELECT max(login) FROM links n WHERE n.account = $1)) AS current"
        # An id that is the same in every login is in the newest login as well.
        f" {NEWEST_LINKS} {EVIDENCE_OF_LINK} {ORIGIN_OF_LINK}"
        f" JOIN logins g ON g.login = CASE l.login WHEN {ALWAYS}"
        " THEN (SELECT max(login) FROM logins o WHERE o.account = $1) ELSE l.login END"
        f" WHERE i.account = $1 AND {condition} ORDER BY l.number, l.seen_at, l.link",
        account, current, *values,
    )  # fmt: skip
    found: dict[int, Identity] = {}
    for row in rows:
        is_here = row["login"] in {ALWAYS, row["current"]}
        found[row["number"]] = Identity(
            number=row["number"], kind=row["kind"], name=row["name"],
            contact_id=ContactId(row["id"] if is_here else ""),
            confidence=ORIGIN.decode(row["found"]).confidence,
            first_seen=row["first_seen"], last_seen=row["seen"],
        )  # fmt: skip
    return list(found.values())


async def _links(db: Connection, account: int, number: int) -> list[Link]:
    now = await _now(db, account, number)
    rows = await db.fetch("SELECT login, own_id FROM logins WHERE account = $1", account)
    own_ids: dict[int, str] = {row["login"]: row["own_id"] for row in rows}
    links: list[Link] = []
    for link in await links_of_number(db, account, now):
        row, found = link.row, link.how
        links.append(
            Link(
                number=now, contact_id=ContactId(row.id), own_id=ContactId(own_ids.get(row.login, "")),
                name=row.name, by=found.by, confidence=found.confidence, reasons=found.reasons,
                candidates=found.candidates, seen_at=row.seen_at,
            )
        )  # fmt: skip
    return links
