"""
The identities of an account: which contacts of which logins are the same person or chatroom.

A contact of a login is linked to an identity once, by its evidence (`model.identities`), and stays linked even if its
name changes. Each link holds the last known evidence, so that the contact can be split from its identity again.
Contacts that never change their id, such as `filehelper`, are linked once for all logins.
"""

# ruff: noqa: S608 - only columns and conditions are put together here, never a value

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.errors import UnknownContact
from webwx.model.contacts import Contact, ContactId
from webwx.model.identities import CERTAINTY, Identified, Identity, IdentityKind, Link, Reason, is_lasting
from webwx.protocol.codec import clean_text
from webwx.storage.engine.port import Select
from webwx.storage.identity_matching import check_merge, check_split, contact_of, digest_of_all
from webwx.storage.tables.identities.evidence import identify, login_of
from webwx.storage.tables.identities.links import (
    ALWAYS,
    EVIDENCE_OF_LINK,
    IDENTITIES,
    NEVER_MATCHED,
    NEWEST_LINKS,
    ORIGIN_OF_LINK,
    ChangedEvidence,
    LinkOrigin,
    ResolvedLink,
    decode_origin,
    delete_evidence,
    last_evidence,
    links_of_ids,
    links_of_number,
    note_newest_login,
    numbers_named,
    origin_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from webwx.storage.engine.port import Statements, Tables
    from webwx.storage.tables.identities.query import IdentityQuery

MATCHED_WITH_LOGIN = 1_024
"""Maximum number of contacts that are matched when a login is stored; more would delay the login for too long."""


class StoredIdentities:
    """
    Identities of one account: a number for each person and chatroom, the same in every login.

    Links lead from contacts to identities; `identity_matching` compares them. Evidence never overrides the user's
    `merge` and `split`. A number that was merged into another identity finds that identity.

    Args:
        tables: The account's tables.
        current: Returns the row of the current login; 0 before the first login.
        on_complete: Called at the end of a transaction that stores the complete list of a login's contacts, in the
            thread of the transaction.
    """

    def __init__(
        self, tables: Tables, current: Callable[[], int], *, on_complete: Callable[[], None] = lambda: None
    ) -> None:  # fmt: skip
        self._tables = tables
        self._current = current
        self._on_complete = on_complete

    def __repr__(self) -> str:
        return "StoredIdentities(***)"

    async def identify(
        self, own_id: ContactId, contacts: Iterable[Contact], *, complete: bool, time: float,
        real_ids: Mapping[ContactId, str] = MappingProxyType({}),
    ) -> list[Identified]:  # fmt: skip
        """
        Match the contacts of a login with identities, in one transaction.

        A contact that has an identity in this login keeps it, even if its name has changed. Strangers and contacts
        without a name are skipped.

        Args:
            own_id: The account's id in this login.
            contacts: The contacts; iterated several times, in another thread.
            complete: These are all contacts of the login. Before the first complete list, a contact that resembles a
                known identity without certainty is `waiting`; after it, such a contact gets a new identity.
            time: The current time, in seconds since 1970.
            real_ids: Lasting ids from notices, also of contacts that are not listed here.

        Returns:
            The contacts that had no identity in this login or wait for one, then those whose lasting id shows that
            they have another identity.

        Raises:
            StorageError: The journal does not know this login, or the result was not stored.
        """
        noted = [(ContactId(clean_text(each)), clean_text(real_id)) for each, real_id in real_ids.items()]

        async def is_listed(db: Statements) -> bool:
            """Return whether the last complete list of the login had the same contacts."""
            _, known = await login_of(db, own_id)
            return known is not None and known == await db.aside(lambda: digest_of_all(contacts))

        # Before the transaction: mostly all contacts are known, and then nothing is written.
        is_known = complete and await self._tables.read(is_listed)
        if is_known and not noted:
            return []

        async def store(db: Statements) -> list[Identified]:
            found = [] if is_known else await identify(db, own_id, contacts, is_complete=complete, time=time)
            login, _ = await login_of(db, own_id)
            for each, real_id in noted:
                changed = await _note_real_id(db, login, each, real_id)
                found += [] if changed is None else [changed]
            if complete and not is_known:
                self._on_complete()
            return found

        return await self._tables.transaction(store)

    async def find(self, query: IdentityQuery) -> list[Identity]:
        """Return the identities that match a query, in the order of their numbers."""
        current = self._current()
        return await self._tables.read(lambda db: _find(db, current, query))

    async def contacts(self, ids: Collection[str]) -> list[Contact]:
        """Return contacts that had these ids in any login, with the data of their identities."""
        links = await self._tables.read(lambda db: links_of_ids(db, ids))
        return [contact_of(each.id, each.name, each.known) for each in links]

    async def links(self, number: int) -> list[Link]:
        """Return the contacts of all logins that are linked to an identity, the newest first, each with the reasons."""
        return await self._tables.read(lambda db: _links(db, number))

    async def merge(self, number: int, other: int) -> Identity:
        """
        Merge two identities into the first one; from now on the second number finds it too.

        Raises:
            UnknownContact: There is no such identity.
            InvalidRequest: The identities are the same, differ in kind, or both have a contact in this login.
        """
        current = self._current()

        async def store(db: Statements) -> Identity:
            kept, gone = await _existing(db, current, number), await _existing(db, current, other)
            check_merge(kept, gone)
            await _merge(db, kept.number, gone.number)
            return await _existing(db, current, number)

        return await self._tables.transaction(store)

    async def split(self, number: int, contact_id: ContactId) -> Identity:
        """
        Move a contact to a new identity, and return that; the two identities are never matched again.

        Raises:
            UnknownContact: There is no such identity, it never had this id, or it has no other id.
        """
        current, contact_id = self._current(), ContactId(clean_text(contact_id))

        async def store(db: Statements) -> Identity:
            known = await _existing(db, current, number)
            return await _existing(db, current, await _split(db, known, contact_id))

        return await self._tables.transaction(store)


class _NumberRow(NamedTuple):
    number: int


# -- real ids --------------------------------------------------------------------------------------------------------

_NOTE_REAL_ID = """
INSERT INTO real_ids (account, login, id, real_id) VALUES ($0, $1, $2, $3)
ON CONFLICT (account, login, id) DO UPDATE SET real_id = excluded.real_id WHERE real_ids.real_id <> excluded.real_id
"""

_CLEAR_DIGESTS = "UPDATE logins SET complete_digest = $1 WHERE account = $0 AND complete_digest IS NOT NULL"

_SET_EVIDENCE = "UPDATE links SET evidence = $3 WHERE account = $0 AND login = $1 AND id = $2"

_OTHER_BEARERS = Select(
    _NumberRow,
    """
    SELECT DISTINCT l.number FROM real_ids r
    LOOKUP JOIN links l ON (l.account = r.account AND l.login = r.login AND l.id = r.id)
    WHERE r.account = $0 AND r.real_id = $1 AND l.number <> $2 ORDER BY l.number
    """,
)

_OTHER_REAL_ID = Select(
    _NumberRow,
    """
    SELECT l.number FROM (SELECT login FROM logins WHERE account = $0) g
    LOOKUP JOIN links l ON (l.account = $0 AND l.login = g.login AND l.number = $1)
    LOOKUP JOIN real_ids r ON (r.account = l.account AND r.login = l.login AND r.id = l.id)
    WHERE l.id <> $2 AND r.real_id <> $3 LIMIT 1
    """,
)

_IN_THE_WAY = Select(
    _NumberRow,
    """
    SELECT number FROM links WHERE account = $0 AND number = $1 AND login = $2
    UNION ALL SELECT number FROM never_matched WHERE account = $0 AND number = $1 AND other = $3 LIMIT 1
    """,
)


async def _note_real_id(db: Statements, login: int, contact_id: ContactId, real_id: str) -> Identified | None:
    """Store the real id of a contact; return it if it is of another identity now, or if that is ambiguous."""
    if is_lasting(contact_id):
        return None
    here = await links_of_ids(db, [contact_id], [login])
    link = next(iter(here or await links_of_ids(db, [contact_id])), None)
    if link is not None:
        login = link.login
    if not await db.change(_NOTE_REAL_ID, login, contact_id, real_id):
        return None  # the phone sends the same ones again and again
    if link is None:  # `complete_digest` no longer matches, so the next complete list is compared, with this id
        await db.change(_CLEAR_DIGESTS, b"")
        return None
    found = await _reconsider(db, link, real_id)
    number = link.number if found is None or found.by == "ambiguous" else found.number
    changed = ChangedEvidence(await last_evidence(db))
    rows: dict[int, int] = {}
    links = await links_of_number(db, number, since=link.login)
    for each in links:
        if each.evidence not in rows:
            evidence = msgspec.structs.replace(each.known, wxid=real_id)
            rows[each.evidence] = changed.of(each, evidence, each.name, link.login)
    await changed.write(db)
    for each in links:
        if rows[each.evidence] != each.evidence:
            await db.change(_SET_EVIDENCE, each.login, each.id, rows[each.evidence])
    return found


async def _reconsider(db: Statements, link: ResolvedLink, real_id: str) -> Identified | None:
    """Link a contact whose real id is known now to the identity that has this id, if that is another one."""
    bearers = [row.number for row in await db.all(_OTHER_BEARERS, real_id, link.number)]
    if link.how.by == "hand" or not (bearers or await _bears_another(db, link, real_id)):
        return None
    if not bearers:
        number = await _new(db, link.known.kind, link.seen_at)
    elif len(bearers) == 1 and await _is_free(db, bearers[0], link):
        (number,) = bearers
    else:
        return Identified(contact_id=link.id, number=link.number, by="ambiguous", candidates=tuple(bearers))
    reason = Reason(what="wxid", weight=CERTAINTY, agrees=True)
    await _move(db, link, number, LinkOrigin(by="certain", reasons=(reason,)))
    if not await links_of_number(db, link.number):  # a number without links finds the other identity from now on
        await _become(db, link.number, number)
    return Identified(contact_id=link.id, number=number, by="certain", candidates=(link.number,))


async def _bears_another(db: Statements, link: ResolvedLink, real_id: str) -> bool:
    """Return whether the identity of a link has another real id in another login."""
    return await db.one(_OTHER_REAL_ID, link.number, link.id, real_id) is not None


async def _is_free(db: Statements, number: int, link: ResolvedLink) -> bool:
    """Return whether an identity may take over a link: it has no link of that login, and was not split from it."""
    return await db.one(_IN_THE_WAY, number, link.login, link.number) is None


_MOVE = """
UPDATE links SET number = $3, evidence = $4, origin = $5 WHERE account = $0 AND login = $1 AND id = $2
"""


async def _move(db: Statements, link: ResolvedLink, number: int, found: LinkOrigin) -> None:
    """Move a link to another identity, with its own evidence."""
    moved = ChangedEvidence(await last_evidence(db))
    evidence = moved.new(number, link.login, link.known, link.name)
    await moved.write(db)
    origins = await origin_rows(db, [found])
    await db.change(_MOVE, link.login, link.id, number, evidence, origins[found])
    if all(each.evidence != link.evidence for each in await links_of_number(db, link.number)):
        await delete_evidence(db, [link.evidence])
    await note_newest_login(db, link.number, number)


# -- merge and split -------------------------------------------------------------------------------------------------

_SET_NUMBER = "UPDATE links SET number = $3, origin = $4 WHERE account = $0 AND login = $1 AND id = $2"

_GIVE_EVIDENCE = "UPDATE evidence SET number = $1 WHERE account = $0 AND evidence = ANY ($2::bigint[])"

_NEVER_MATCHED = Select(_NumberRow, "SELECT other AS number FROM never_matched WHERE account = $0 AND number = $1")

_DELETE_PAIRS_OF = "DELETE FROM never_matched WHERE account = $0 AND number = $1"

_DELETE_PAIRS_WITH = "DELETE FROM never_matched WHERE account = $0 AND number = ANY ($1::bigint[]) AND other = $2"

_FIRST_SEEN = """
UPDATE identities SET first_seen = least(
    first_seen, (SELECT k.first_seen FROM identities k WHERE k.account = $0 AND k.number = $2)
) WHERE account = $0 AND number = $1
"""

_BECOME = "UPDATE identities SET merged_into = $1 WHERE account = $0 AND number = $2"

_FOLLOW = """
UPDATE identities INDEXED BY identities_merged SET merged_into = $1
WHERE account = $0 AND merged_into <> 0 AND merged_into = $2
"""

_USE_NUMBER = "UPDATE accounts SET last_identity = last_identity + 1 WHERE account = $0"

_LAST_NUMBER = Select(_NumberRow, "SELECT last_identity AS number FROM accounts WHERE account = $0")


async def _existing(db: Statements, current: int, number: int) -> Identity:
    now = await _now(db, number)
    found = await _read_all(db, current, {now})
    if not found:
        raise UnknownContact(f"There is no identity with the number {number}; list the identities to find it.")
    return found[0]


async def _merge(db: Statements, kept: int, gone: int) -> None:
    links = await links_of_number(db, gone)
    for link in links:
        found = msgspec.structs.replace(link.how, by="hand", confidence=1.0)
        origins = await origin_rows(db, [found])
        await db.change(_SET_NUMBER, link.login, link.id, kept, origins[found])
    await db.change(_GIVE_EVIDENCE, kept, sorted({link.evidence for link in links}))
    await note_newest_login(db, kept, gone)
    await _become(db, gone, kept)
    # Each pair is stored both ways round, so one identity leads to all pairs with it.
    others = {row.number for row in await db.all(_NEVER_MATCHED, gone)}
    await db.change(_DELETE_PAIRS_OF, gone)
    await db.change(_DELETE_PAIRS_WITH, sorted(others), gone)
    others -= {kept, *[row.number for row in await db.all(_NEVER_MATCHED, kept)]}
    await db.insert_all(NEVER_MATCHED, [pair for each in sorted(others) for pair in ((kept, each), (each, kept))])


async def _become(db: Statements, gone: int, kept: int) -> None:
    """Make a number, and all numbers that were merged into it, refer to another identity."""
    await db.change(_FIRST_SEEN, kept, gone)
    await db.change(_BECOME, kept, gone)
    await db.change(_FOLLOW, kept, gone)


async def _split(db: Statements, known: Identity, contact_id: ContactId) -> int:
    theirs = await links_of_number(db, known.number)
    leaving = [link for link in theirs if link.id == contact_id]
    check_split(known.number, leaving=len(leaving), all_links=len(theirs))
    number = await _new(db, known.kind, leaving[-1].seen_at)
    for link in leaving:
        await _move(db, link, number, LinkOrigin(by="hand", candidates=(known.number,)))
    await db.insert_all(NEVER_MATCHED, [(number, known.number), (known.number, number)])
    return number


async def _new(db: Statements, kind: IdentityKind, time: float) -> int:
    """Store a new identity without links, and return its number."""
    await db.change(_USE_NUMBER)
    used = await db.one(_LAST_NUMBER)
    number = 0 if used is None else used.number
    await db.insert_all(IDENTITIES, [(number, kind, time, 0, ALWAYS)])
    return number


# -- queries ---------------------------------------------------------------------------------------------------------


class _IdentityRow(NamedTuple):
    number: int
    kind: IdentityKind
    name: str
    login: int
    id: str
    found: str
    first_seen: float
    last_seen: float


class _OwnIdRow(NamedTuple):
    login: int
    own_id: str


_NOW = Select(
    _NumberRow,
    """
    SELECT CASE merged_into WHEN 0 THEN number ELSE merged_into END AS number
    FROM identities WHERE account = $0 AND number = $1
    """,
)

_NEWEST_LOGIN = Select(_NumberRow, "SELECT coalesce(max(login), 0) AS number FROM links WHERE account = $0")

_BEARERS = Select(
    _NumberRow,
    """
    SELECT DISTINCT l.number FROM real_ids r
    LOOKUP JOIN links l ON (l.account = r.account AND l.login = r.login AND l.id = r.id)
    WHERE r.account = $0 AND r.real_id = $1
    """,
)

_IDENTITIES = (
    "SELECT l.number, i.kind, l.name, l.login, l.id, o.content AS found, i.first_seen,"
    " greatest(l.seen_at, g.last_at) AS last_seen"
    f" FROM {{identities}} {NEWEST_LINKS} {EVIDENCE_OF_LINK} {ORIGIN_OF_LINK}"
    # An id that is the same in every login is in the newest login as well.
    f" JOIN logins g ON g.login = CASE l.login WHEN {ALWAYS}"
    " THEN (SELECT max(n.login) FROM logins n WHERE n.account = $0) ELSE l.login END"
    " WHERE {condition} ORDER BY l.number, l.seen_at, l.id"
)

_ALL = Select(_IdentityRow, _IDENTITIES.format(identities="identities i", condition="i.account = $0"))

_SOME = Select(
    _IdentityRow,
    _IDENTITIES.format(
        identities=("EACH ($1::bigint[]) k LOOKUP JOIN identities i ON (i.account = $0 AND i.number = k.value)"),
        condition="$2::text IN ('', l.name, e.nickname, e.remark)",
    ),
)

_OWN_IDS = Select(_OwnIdRow, "SELECT login, own_id FROM logins WHERE account = $0")


async def _now(db: Statements, number: int) -> int:
    """Return the number of the identity that a number finds, after merges; 0 if the number is unknown."""
    found = await db.one(_NOW, number)
    return 0 if found is None else found.number


async def _find(db: Statements, current: int, query: IdentityQuery) -> list[Identity]:
    name = clean_text(query.name)
    matching: list[set[int]] = []
    if query.number is not None:
        matching.append({await _now(db, query.number)})
    if query.contact_id is not None:
        matching.append({link.number for link in (await links_of_ids(db, [query.contact_id]))[:1]})
    if name:
        matching.append(await numbers_named(db, name))
    if query.real_id:
        matching.append({row.number for row in await db.all(_BEARERS, query.real_id)})
    return await _read_all(db, current, set.intersection(*matching) if matching else None, name)


async def _read_all(db: Statements, current: int, numbers: set[int] | None, name: str = "") -> list[Identity]:
    """Read identities by their numbers (None: all), with a name that is still theirs."""
    if not current:
        newest = await db.one(_NEWEST_LOGIN)
        current = 0 if newest is None else newest.number
    rows = await (db.all(_ALL) if numbers is None else db.all(_SOME, sorted(numbers), name))
    found: dict[int, Identity] = {}
    for row in rows:
        is_here = row.login in {ALWAYS, current}
        found[row.number] = Identity(
            number=row.number, kind=row.kind, name=row.name, contact_id=ContactId(row.id if is_here else ""),
            confidence=decode_origin(row.found).confidence, first_seen=row.first_seen, last_seen=row.last_seen,
        )  # fmt: skip
    return list(found.values())


async def _links(db: Statements, number: int) -> list[Link]:
    now = await _now(db, number)
    own_ids = dict(await db.all(_OWN_IDS))
    links: list[Link] = []
    for link in await links_of_number(db, now):
        found = link.how
        links.append(
            Link(
                number=now, contact_id=link.id, own_id=ContactId(own_ids.get(link.login, "")), name=link.name,
                by=found.by, confidence=found.confidence, reasons=found.reasons, candidates=found.candidates,
                seen_at=link.seen_at,
            )
        )  # fmt: skip
    return links
