"""Evidence as rows: contacts of a login are matched with identities, and what they show now is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.errors import StorageError
from webwx.model.identities import Evidence, Face, Identified, is_lasting
from webwx.protocol.codec import clean_text
from webwx.storage.identity_matching import LinkedContact, compare, judge, with_real_ids
from webwx.storage.sqlite.bulk import as_list, insert, select
from webwx.storage.sqlite.links import (
    ALWAYS,
    NEWEST_LINKS,
    LinkOrigin,
    LinkRow,
    as_json,
    changed_face,
    finding_rows,
    read_links,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from webwx.model.contacts import Contact, ContactId
    from webwx.model.identities import Finding, IdentityKind
    from webwx.storage.identity_matching import Comparison, SeenContact

_WRITTEN = 1_024
"""Contacts whose links are made and written at a time."""


class _Telling(NamedTuple):
    """One call of `identify`: the login, and whether its list of contacts is complete."""

    account: int
    login: int
    own_id: ContactId
    is_complete: bool
    may_wait: bool
    time: float

    def login_of(self, contact_id: ContactId) -> int:
        """Give the login that an id is of."""
        return ALWAYS if is_lasting(contact_id) else self.login


def identify(
    db: sqlite3.Connection, account: int, own_id: ContactId, contacts: Iterable[Contact], *, digest: bytes | None,
    time: float,
) -> list[Identified]:  # fmt: skip
    """Find out who contacts are; the digest is of all that a login has, if these are all."""
    login, listed = login_of(db, account, own_id)
    is_complete = digest is not None
    # Until all contacts of a login were told once, the others may hold somebody who fits better.
    may_wait = not is_complete and listed is None
    telling = _Telling(account, login, own_id, is_complete=is_complete, may_wait=may_wait, time=time)
    if not is_complete and next(iter(contacts), None) is None:
        return []  # to read what is linked takes as long as there are contacts in the login
    if is_complete:
        db.execute("UPDATE logins SET listed = ? WHERE login = ?", (digest, login))
    told: list[Identified] = []
    for is_room in (False, True):  # a chatroom is known by who is in it
        told += _identify_some(db, telling, (each for each in contacts if (each.kind == "chatroom") is is_room))
    return told


def _identify_some(db: sqlite3.Connection, telling: _Telling, contacts: Iterable[Contact]) -> list[Identified]:
    compared = compare(contacts, telling.own_id, _linked(db, telling))
    if compared.changed:
        _refresh(db, telling, compared.changed)
    return _link(db, telling, compared) if compared.seen else []


def login_of(db: sqlite3.Connection, account: int, own_id: ContactId) -> tuple[int, bytes | None]:
    """Give a login's row, and the digest of its contacts if they were told in full."""
    found: tuple[int, bytes | None] | None = db.execute(
        "SELECT login, listed FROM logins WHERE account = ? AND own_id = ?", (account, clean_text(own_id))
    ).fetchone()
    if found is None:
        raise StorageError("The journal does not know this login.")
    return found


def _linked(db: sqlite3.Connection, telling: _Telling) -> dict[str, LinkedContact]:
    """Read what is linked in a login."""
    rows = select(
        db, ("id", "number", "digest"), "FROM links WHERE account = ? AND login IN (0, ?)",
        (telling.account, telling.login),
    )  # fmt: skip
    return {each: LinkedContact(number, digest) for each, number, digest in rows}


def _link(db: sqlite3.Connection, telling: _Telling, compared: Comparison) -> list[Identified]:
    """Find out who those are that are not linked yet, and link them."""
    seen = with_real_ids(compared.seen, _real_ids(db, telling))
    faces = _known(db, telling.account)
    verdicts = judge(seen, faces, compared.taken, is_complete=telling.is_complete, may_wait=telling.may_wait)
    told: list[Identified] = []
    made: list[tuple[int, int, IdentityKind, float, int, int]] = []
    (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'identities'").fetchone()
    for each, (finding, waits) in verdicts.items():
        if waits:
            told.append(Identified(contact_id=each, number=0, by="waiting", candidates=finding.candidates))
            continue
        if finding.face is not None:
            number = finding.face.number
        else:
            number = last + len(made) + 1
            kind = seen[each].evidence.kind
            made.append((number, telling.account, kind, telling.time, 0, telling.login_of(each)))
        told.append(Identified(contact_id=each, number=number, by=finding.by, candidates=finding.candidates))
    insert(db, "identities", made)
    # As the index has them, and a few at a time: what is written of all of them would weigh more than they do.
    linked = sorted((each.contact_id, each.number) for each in told if each.number)
    for start in range(0, len(linked), _WRITTEN):
        some = linked[start : start + _WRITTEN]
        _write_links(db, telling, [(*each, seen[each[0]], verdicts[each[0]].finding) for each in some], faces)
    return told


def _write_links(
    db: sqlite3.Connection, telling: _Telling, linked: Iterable[tuple[ContactId, int, SeenContact, Finding]],
    faces: Mapping[Face, int],
) -> None:  # fmt: skip
    """Link contacts to their identities, each with the face that says what is known of it now."""
    links: list[tuple[LinkRow, str]] = []
    new_faces: list[tuple[int, int, int, str]] = []
    (last,) = db.execute("SELECT coalesce(max(face), 0) FROM faces").fetchone()
    for each, number, (evidence, name, digest), finding in linked:
        login, face = telling.login_of(each), 0
        if finding.face is not None:
            before = finding.face.evidence
            evidence = evidence.filled_from(before)
            if evidence == before:
                face = faces[finding.face]
        if not face:
            face = last + len(new_faces) + 1
            new_faces.append((face, number, login, as_json(evidence)))
        found = LinkOrigin(
            by=finding.by, confidence=finding.confidence, reasons=finding.reasons, candidates=finding.candidates
        )
        links.append(
            (LinkRow(telling.account, login, each, number, name, digest, face, 0, telling.time), as_json(found))
        )
    insert(db, "faces", new_faces)
    rows = finding_rows(db, {found for _, found in links})
    insert(db, "links", [row._replace(finding=rows[found]) for row, found in links])
    db.execute(
        "UPDATE identities SET login = max(login, ?) WHERE number IN (SELECT value FROM json_each(?))",
        (telling.login, as_list(row.number for row, _ in links if row.login)),
    )


def _refresh(db: sqlite3.Connection, telling: _Telling, changed: Mapping[ContactId, SeenContact]) -> None:
    """Note what those say now that are linked already."""
    logins = f"(SELECT {ALWAYS} AS login UNION ALL SELECT :login)"
    condition = "l.account = :account AND l.id IN (SELECT value FROM json_each(:ids))"
    told = read_links(db, logins, condition, account=telling.account, login=telling.login, ids=as_list(changed))
    rows: list[LinkRow] = []
    for link in told:
        seen = changed[link.row.id]
        face = changed_face(db, link, as_json(seen.evidence.filled_from(link.known)), link.row.login)
        rows.append(link.row._replace(name=seen.name, digest=seen.digest, face=face, seen_at=telling.time))
    insert(db, "links", rows, verb="INSERT OR REPLACE")


def _known(db: sqlite3.Connection, account: int) -> dict[Face, int]:
    """Give what was last known of everybody whose id changes, with its row."""
    (listed,) = db.execute(
        "SELECT '[' || coalesce(group_concat('[' || i.number || ',' || f.evidence || ',' || f.face || ']'), '') || ']'"
        f" {NEWEST_LINKS} CROSS JOIN faces f USING (face) WHERE i.account = ? AND i.login <> {ALWAYS}",
        (account,),
    ).fetchone()
    return {
        Face(number, evidence): face
        for number, evidence, face in msgspec.json.decode(listed, type=list[tuple[int, Evidence, int]])
    }


def _real_ids(db: sqlite3.Connection, telling: _Telling) -> list[tuple[ContactId, str]]:
    """Read the real ids that were noted in a login."""
    rows = select(db, ("id", "wxid"), "FROM real_ids WHERE account = ? AND login = ?", (telling.account, telling.login))
    return [(each, wxid) for each, wxid in rows]
