"""Evidence as rows: matching the contacts of a login with identities, and storing their current evidence."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.errors import StorageError
from webwx.model.identities import Evidence, Face, Identified, is_lasting
from webwx.protocol.codec import clean_text
from webwx.storage.identity_matching import LinkedContact, PeoplePass, compare, digest_of_sum, judge, with_real_ids
from webwx.storage.sqlite.bulk import as_list, insert, select
from webwx.storage.sqlite.links import (
    ALWAYS,
    NEWEST_LINKS,
    LinkOrigin,
    LinkRow,
    as_json,
    changed_evidence,
    origin_rows,
    read_links,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from webwx.model.contacts import Contact, ContactId
    from webwx.model.identities import Finding, IdentityKind
    from webwx.storage.identity_matching import Comparison, SeenContact

_WRITTEN = 1_024
"""Number of contacts whose links are written at a time."""

_FACES = msgspec.json.Decoder(list[tuple[int, Evidence, int]])
"""
Made once, at the import: msgspec examines a type when it is first decoded, and crashes if two threads do so at once.
"""


class _IdentifyCall(NamedTuple):
    """One call of `identify`: the login, and whether its list of contacts is complete."""

    account: int
    login: int
    own_id: ContactId
    is_complete: bool
    may_wait: bool
    time: float

    def login_of(self, contact_id: ContactId) -> int:
        """Return the login of an id: `ALWAYS` for an id that is the same in every login."""
        return ALWAYS if is_lasting(contact_id) else self.login


def identify(
    db: sqlite3.Connection, account: int, own_id: ContactId, contacts: Iterable[Contact], *, is_complete: bool,
    time: float, encoded: Mapping[ContactId, bytes] = MappingProxyType({}),
) -> list[Identified]:  # fmt: skip
    """
    Match contacts with identities; a list of all contacts of the login is stored with its digest.

    `encoded` is the JSON of contacts that are encoded already, by id.
    """
    login, complete_digest = login_of(db, account, own_id)
    # Before the first complete list of a login, a contact that is still missing may fit better.
    may_wait = not is_complete and complete_digest is None
    call = _IdentifyCall(account, login, own_id, is_complete=is_complete, may_wait=may_wait, time=time)
    if not is_complete and next(iter(contacts), None) is None:
        return []  # because reading the links takes time for each contact of the login
    people = PeoplePass(contacts)
    identified, digests = _identify_some(db, call, people, encoded)
    if people.has_chatrooms:  # after the people, because a chatroom is recognised by its members
        chatrooms = (each for each in contacts if each.kind == "chatroom")
        more, digests_of_chatrooms = _identify_some(db, call, chatrooms, encoded)
        identified, digests = identified + more, digests + digests_of_chatrooms
    if is_complete:
        db.execute("UPDATE logins SET complete_digest = ? WHERE login = ?", (digest_of_sum(digests), login))
    return identified


def _identify_some(
    db: sqlite3.Connection, call: _IdentifyCall, contacts: Iterable[Contact], encoded: Mapping[ContactId, bytes]
) -> tuple[list[Identified], int]:
    """Match some contacts with identities; return the results, and the sum of the contacts' digests."""
    compared = compare(contacts, call.own_id, _linked(db, call), encoded)
    if compared.changed:
        _refresh(db, call, compared.changed)
    return (_link(db, call, compared) if compared.seen else []), compared.sum


def login_of(db: sqlite3.Connection, account: int, own_id: ContactId) -> tuple[int, bytes | None]:
    """Return a login's row, and the digest of its last complete list of contacts, if there was one."""
    found: tuple[int, bytes | None] | None = db.execute(
        "SELECT login, complete_digest FROM logins WHERE account = ? AND own_id = ?", (account, clean_text(own_id))
    ).fetchone()
    if found is None:
        raise StorageError("The journal does not know this login.")
    return found


def _linked(db: sqlite3.Connection, call: _IdentifyCall) -> dict[str, LinkedContact]:
    """Read the contacts that are linked in a login."""
    rows = select(
        db, ("id", "number", "digest"), "FROM links WHERE account = ? AND login IN (0, ?)",
        (call.account, call.login),
    )  # fmt: skip
    return {each: LinkedContact(number, digest) for each, number, digest in rows}


def _link(db: sqlite3.Connection, call: _IdentifyCall, compared: Comparison) -> list[Identified]:
    """Match the contacts that are not linked yet with identities, and link them."""
    seen = with_real_ids(compared.seen, _real_ids(db, call))
    faces = _known(db, call.account)
    findings, waiting = judge(seen, faces, compared.taken, is_complete=call.is_complete, may_wait=call.may_wait)
    numbers: dict[ContactId, int] = {}
    made: list[tuple[int, IdentityKind, int]] = []
    (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'identities'").fetchone()
    for each, finding in findings.items():
        if finding.face is not None:
            numbers[each] = finding.face.number
        elif each not in waiting:
            numbers[each] = last + len(made) + 1
            made.append((numbers[each], seen[each].evidence.kind, call.login_of(each)))
    insert(
        db, "identities (account, first_seen, number, kind, login)", made, shared=(call.account, call.time)
    )  # fmt: skip
    # In the order of the index, and a few at a time to limit the memory for their encoded form.
    linked = sorted(numbers)
    for start in range(0, len(linked), _WRITTEN):
        some = [(each, numbers[each], seen[each], findings[each]) for each in linked[start : start + _WRITTEN]]
        _write_links(db, call, some, faces)
    return [
        Identified(
            contact_id=each, number=numbers.get(each, 0), by="waiting" if each in waiting else finding.by,
            candidates=finding.candidates,
        )
        for each, finding in findings.items()
    ]  # fmt: skip


def _write_links(
    db: sqlite3.Connection, call: _IdentifyCall, linked: Sequence[tuple[ContactId, int, SeenContact, Finding]],
    faces: Mapping[Face, int],
) -> None:  # fmt: skip
    """Link contacts to their identities, each with its current evidence."""
    # Most contacts have the same finding.
    origins = {
        each: LinkOrigin(by=each.by, confidence=each.confidence, reasons=each.reasons, candidates=each.candidates)
        for each in {each[-1] for each in linked}
    }
    rows = origin_rows(db, set(origins.values()))
    origin_row = {finding: rows[origin] for finding, origin in origins.items()}
    links: list[tuple[int, ContactId, int, str, int, int, int]] = []
    matched: list[int] = []
    new_faces: list[tuple[int, int, int, str]] = []
    (last,) = db.execute("SELECT coalesce(max(evidence), 0) FROM evidence").fetchone()
    for each, number, (evidence, name, digest), finding in linked:
        login, face = call.login_of(each), 0
        if finding.face is not None:
            matched.append(number)
            before = finding.face.evidence
            evidence = evidence.filled_from(before)
            if evidence == before:
                face = faces[finding.face]
        if not face:
            face = last + len(new_faces) + 1
            new_faces.append((face, number, login, as_json(evidence)))
        links.append((login, each, number, name, digest, face, origin_row[finding]))
    insert(db, "evidence", new_faces)
    insert(
        db, "links (account, seen_at, login, id, number, name, digest, evidence, origin)", links,
        shared=(call.account, call.time),
    )  # fmt: skip
    if matched:
        db.execute(
            "UPDATE identities SET login = max(login, ?) WHERE number IN (SELECT value FROM json_each(?))",
            (call.login, as_list(matched)),
        )


def _refresh(db: sqlite3.Connection, call: _IdentifyCall, changed: Mapping[ContactId, SeenContact]) -> None:
    """Store the current evidence of changed contacts that are linked already."""
    logins = f"(SELECT {ALWAYS} AS login UNION ALL SELECT :login)"
    condition = "l.account = :account AND l.id IN (SELECT value FROM json_each(:ids))"
    links = read_links(db, logins, condition, account=call.account, login=call.login, ids=as_list(changed))
    rows: list[LinkRow] = []
    for link in links:
        seen = changed[link.row.id]
        face = changed_evidence(db, link, as_json(seen.evidence.filled_from(link.known)), link.row.login)
        rows.append(link.row._replace(name=seen.name, digest=seen.digest, evidence=face, seen_at=call.time))
    insert(db, "links", rows, verb="INSERT OR REPLACE")


def _known(db: sqlite3.Connection, account: int) -> dict[Face, int]:
    """Return the last known evidence of every identity whose id changes with each login, with its row."""
    (listed,) = db.execute(
        "SELECT '[' || coalesce(group_concat("
        "'[' || i.number || ',' || f.content || ',' || f.evidence || ']'), '') || ']'"
        f" {NEWEST_LINKS} CROSS JOIN evidence f USING (evidence) WHERE i.account = ? AND i.login <> {ALWAYS}",
        (account,),
    ).fetchone()
    return {Face(number, evidence): face for number, evidence, face in _FACES.decode(listed)}


def _real_ids(db: sqlite3.Connection, call: _IdentifyCall) -> list[tuple[ContactId, str]]:
    """Read the real ids that were stored in a login."""
    rows = select(db, ("id", "real_id"), "FROM real_ids WHERE account = ? AND login = ?", (call.account, call.login))
    return [(each, real_id) for each, real_id in rows]
