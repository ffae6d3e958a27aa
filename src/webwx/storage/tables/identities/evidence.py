"""Matching the contacts of a login with identities, and storing their current evidence."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.model.identities import Identified, KnownIdentity, is_lasting
from webwx.storage.engine.port import Select
from webwx.storage.identity_matching import LinkedContact, PeoplePass, compare, digest_of_sum, judge, with_real_ids
from webwx.storage.tables.identities.links import (
    ALWAYS,
    EVIDENCE,
    EVIDENCE_OF_LINK,
    IDENTITIES,
    LINKS,
    NEWEST_LINKS,
    ChangedEvidence,
    EvidenceRow,
    LinkOrigin,
    LinkRow,
    decode_evidence,
    evidence_row,
    last_evidence,
    links_of_ids,
    origin_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from webwx.model.contacts import Contact
    from webwx.model.identities import IdentityKind, Match
    from webwx.storage.engine.port import Statements
    from webwx.storage.identity_matching import Comparison, Matching, SeenContact

_WRITTEN = 1_024
"""Number of contacts whose links are written at a time, which limits the memory for their encoded form."""


class LoginRow(NamedTuple):
    """A login, and the digest of its last complete list of contacts; None before the first one."""

    login: int
    complete_digest: bytes | None


class _LinkedRow(NamedTuple):
    id: str
    number: int
    digest: int


class _RealIdRow(NamedTuple):
    id: ContactId
    real_id: str


class _KnownRow(NamedTuple):
    number: int
    content: str
    evidence: int
    shown: str
    """Name by which the evidence of a chatroom is found; empty for a person."""


class _UsedRow(NamedTuple):
    last_identity: int


_LOGIN = Select(LoginRow, "SELECT login, complete_digest FROM logins WHERE account = $0 AND own_id = $1")

_SET_DIGEST = "UPDATE logins SET complete_digest = $2 WHERE account = $0 AND login = $1"

_LINKED = Select(_LinkedRow, f"SELECT id, number, digest FROM links WHERE account = $0 AND login IN ({ALWAYS}, $1)")  # noqa: S608 - a constant

_REAL_IDS = Select(_RealIdRow, "SELECT id, real_id FROM real_ids WHERE account = $0 AND login = $1")

_KNOWN = Select(
    _KnownRow,
    "SELECT i.number, e.content, e.evidence, CASE i.kind WHEN 'chatroom' THEN e.nickname ELSE '' END AS shown"  # noqa: S608 - constants
    f" FROM identities i {NEWEST_LINKS} {EVIDENCE_OF_LINK}"
    f" WHERE i.account = $0 AND i.login <> {ALWAYS}",
)

_LAST_IDENTITY = Select(_UsedRow, "SELECT last_identity FROM accounts WHERE account = $0")

_SET_LAST_IDENTITY = "UPDATE accounts SET last_identity = $1 WHERE account = $0"

_NOTE_LOGIN = """
UPDATE identities SET login = greatest(login, $1) WHERE account = $0 AND number = ANY ($2::bigint[])
"""

_DELETE_LINKS = "DELETE FROM links WHERE account = $0 AND login = $1 AND id = ANY ($2::varchar[])"


class _IdentifyCall(NamedTuple):
    """One call of `identify`: the login, and whether its list of contacts is complete."""

    login: int
    own_id: ContactId
    is_complete: bool
    may_wait: bool
    time: float

    def login_of(self, contact_id: ContactId) -> int:
        """Return the login of an id: `ALWAYS` for an id that is the same in every login."""
        return ALWAYS if is_lasting(contact_id) else self.login


async def login_of(db: Statements, own_id: ContactId) -> LoginRow:
    """
    Return the login with an own id.

    Raises:
        StorageError: The journal has no such login.
    """
    found = await db.one(_LOGIN, own_id)
    if found is None:
        raise StorageError("The journal does not know this login.")
    return found


async def identify(
    db: Statements, own_id: ContactId, contacts: Iterable[Contact], *, is_complete: bool, time: float,
    encoded: Mapping[ContactId, bytes] = MappingProxyType({}),
) -> list[Identified]:  # fmt: skip
    """
    Match contacts with identities; a list of all contacts of the login is stored with its digest.

    Args:
        db: The statements of a transaction.
        own_id: The account's id in the login.
        contacts: The contacts; iterated several times.
        is_complete: Whether these are all contacts of the login.
        time: The current time, in seconds since 1970.
        encoded: The JSON of contacts that are encoded already, by id.
    """
    login, complete_digest = await login_of(db, own_id)
    # Before the first complete list of a login, a contact that is still missing may fit better.
    may_wait = not is_complete and complete_digest is None
    call = _IdentifyCall(login, own_id, is_complete=is_complete, may_wait=may_wait, time=time)
    if not is_complete and next(iter(contacts), None) is None:
        return []  # because reading the links takes time for each contact of the login
    people = PeoplePass(contacts)
    identified, digests = await _identify_some(db, call, people, encoded)
    if people.has_chatrooms:  # after the people, because a chatroom is recognised by its members
        chatrooms = (each for each in contacts if each.kind == "chatroom")
        more, digests_of_chatrooms = await _identify_some(db, call, chatrooms, encoded)
        identified, digests = identified + more, digests + digests_of_chatrooms
    if is_complete:
        await db.change(_SET_DIGEST, login, digest_of_sum(digests))
    return identified


async def _identify_some(
    db: Statements, call: _IdentifyCall, contacts: Iterable[Contact], encoded: Mapping[ContactId, bytes]
) -> tuple[list[Identified], int]:
    """Match some contacts with identities; return the results, and the sum of the contacts' digests."""
    rows = await db.all(_LINKED, call.login)

    def compared() -> Comparison:
        linked = {row.id: LinkedContact(row.number, row.digest) for row in rows}
        return compare(contacts, call.own_id, linked, encoded)

    comparison = await db.aside(compared)
    if comparison.changed:
        await _refresh(db, call, comparison.changed)
    return (await _link(db, call, comparison) if comparison.seen else []), comparison.sum


async def _link(db: Statements, call: _IdentifyCall, compared: Comparison) -> list[Identified]:
    """Match the contacts that are not linked yet with identities, and link them."""
    seen = with_real_ids(compared.seen, await db.all(_REAL_IDS, call.login))
    known = await db.all(_KNOWN)

    def judged() -> tuple[dict[KnownIdentity, _KnownRow], Matching]:
        identities = {KnownIdentity(row.number, decode_evidence(row.content)): row for row in known}
        return identities, judge(seen, identities, compared.taken, is_complete=call.is_complete, may_wait=call.may_wait)

    identities, (matches, waiting) = await db.aside(judged)
    numbers: dict[ContactId, int] = {}
    made: list[tuple[int, IdentityKind, float, int, int]] = []
    used = await db.one(_LAST_IDENTITY)
    last = 0 if used is None else used.last_identity
    for each, match in matches.items():
        if match.identity is not None:
            numbers[each] = match.identity.number
        elif each not in waiting:
            numbers[each] = last + len(made) + 1
            made.append((numbers[each], seen[each].evidence.kind, call.time, 0, call.login_of(each)))
    if made:
        await db.change(_SET_LAST_IDENTITY, last + len(made))
        await db.insert_all(IDENTITIES, made)
    linked = sorted(numbers)  # in the order of the index
    for start in range(0, len(linked), _WRITTEN):
        some = [(each, numbers[each], seen[each], matches[each]) for each in linked[start : start + _WRITTEN]]
        await _write_links(db, call, some, identities)
    return [
        Identified(
            contact_id=each, number=numbers.get(each, 0), by="waiting" if each in waiting else match.by,
            candidates=match.candidates,
        )
        for each, match in matches.items()
    ]  # fmt: skip


async def _write_links(
    db: Statements, call: _IdentifyCall, linked: Sequence[tuple[ContactId, int, SeenContact, Match]],
    identities: Mapping[KnownIdentity, _KnownRow],
) -> None:  # fmt: skip
    """Link contacts to their identities, each with its current evidence."""
    # Most contacts have the same match.
    origins = {
        each: LinkOrigin(by=each.by, confidence=each.confidence, reasons=each.reasons, candidates=each.candidates)
        for each in {match for *_, match in linked}
    }
    rows = await origin_rows(db, set(origins.values()))
    origin_row = {match: rows[origin] for match, origin in origins.items()}
    links: list[LinkRow] = []
    new: list[EvidenceRow] = []
    matched: list[int] = []
    before = await last_evidence(db)
    for each, number, (evidence, name, digest), match in linked:
        login, row = call.login_of(each), 0
        if match.identity is not None:
            matched.append(number)
            known = match.identity.evidence
            evidence = evidence.filled_from(known)
            stored = identities[match.identity]
            if evidence == known and (evidence.nickname or evidence.remark or name == stored.shown):
                row = stored.evidence
        if not row:
            row = before + len(new) + 1
            new.append(evidence_row(row, number, login, evidence, name))
        links.append(LinkRow(login, each, number, name, digest, row, origin_row[match], call.time))
    await db.insert_all(EVIDENCE, new)
    await db.insert_all(LINKS, links)
    if matched:
        await db.change(_NOTE_LOGIN, call.login, matched)


async def _refresh(db: Statements, call: _IdentifyCall, changed: Mapping[ContactId, SeenContact]) -> None:
    """Store the current evidence of changed contacts that are linked already."""
    by_login: dict[int, list[ContactId]] = {}
    for each in changed:
        by_login.setdefault(call.login_of(each), []).append(each)
    evidence = ChangedEvidence(await last_evidence(db))
    rows: list[LinkRow] = []
    for login, ids in by_login.items():
        for link in await links_of_ids(db, ids, [login]):
            seen = changed[link.id]
            row = evidence.of(link, seen.evidence.filled_from(link.known), seen.name, login)
            rows.append(link.row._replace(name=seen.name, digest=seen.digest, evidence=row, seen_at=call.time))
        await db.change(_DELETE_LINKS, login, ids)
    await evidence.write(db)
    await db.insert_all(LINKS, sorted(rows))  # in the order of the key
