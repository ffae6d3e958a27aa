"""
The ledger in the journal's file: which contacts of which logins are one identity.

A contact of a login is linked to an identity once, by what it says of itself (`model.ledger`), and stays so whatever it
is called later on. Each link keeps what was last known of it, so that it can be taken out of its identity again. It is
called its face, and the links of one identity share it for as long as nothing else is said.
Contacts that never change their id, such as `filehelper`, are linked once for all logins.
"""

# ruff: noqa: S608 - what is put together here are columns and conditions, and never a value

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from webwx.errors import RefusedLocally, StorageError, UnknownContact
from webwx.model.contacts import BUILT_IN, Contact, ContactId, Kind
from webwx.model.ledger import (
    CERTAINTY,
    By,
    Evidence,
    Face,
    Finding,
    Identified,
    Identity,
    IdentityKind,
    Link,
    Reason,
    evidence_of,
    is_lasting,
    match,
)
from webwx.protocol.codec import clean_text
from webwx.store.rows import as_list, insert, select, select_numbers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

    from webwx.store.writer import Reader, Writer

_ALWAYS = 0
"""The login of an id that every login has."""

_WRITTEN = 1_024
"""Contacts whose links are made and written at a time."""

_BY_ID = Finding("certain")
"""Of a contact whose id says who it is."""

_NEWEST_LINKS = "FROM identities i CROSS JOIN links l ON l.login = i.login AND l.number = i.number"
"""Each identity with its links of the newest login that it was in; the older ones are not even looked at."""

_LOGINS = f"(SELECT {_ALWAYS} AS login UNION ALL SELECT login FROM logins WHERE account = ?1)"
"""Every login of an account: what is of one of them is looked for in each, since no index goes across them."""


class SqliteLedger:
    """
    One account's ledger; what is promised is said in `journal`.

    Args:
        account: Gives the account's row.
        current: Gives the row of the login that is open here, 0 when there is none.
        writer: The thread that writes.
        reader: The thread that reads.
        told: Called, in the thread that writes, when all contacts of a login were told.
    """

    def __init__(
        self, account: Callable[[], Awaitable[int]], current: Callable[[], int], writer: Writer, reader: Reader, *,
        told: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._account = account
        self._current = current
        self._writer = writer
        self._reader = reader
        self._told = told

    def __repr__(self) -> str:
        return "SqliteLedger(***)"

    async def identify(
        self, own_id: ContactId, contacts: Iterable[Contact], *, complete: bool, time: float
    ) -> list[Identified]:
        """Find out who the contacts of a login are; gives those that had no identity in it, or wait for one."""
        account = await self._account()
        digest: bytes | None = None
        if complete:
            # Not by the thread that writes: who is there is mostly known, and then nothing is to be written.
            listed, digest = await self._reader.do(
                lambda db: (_login(db, account, own_id)[1], _digest_of_all(contacts))
            )
            if listed == digest:
                return []

        def tell(db: sqlite3.Connection) -> list[Identified]:
            found = _identify(db, account, own_id, contacts, digest=digest, time=time)
            if complete:
                self._told()
            return found

        # One job: it is done when it was handed in, and whoever asks after that gets its answer.
        return await self._writer.do(tell)

    async def note_real_id(self, contact_id: ContactId, wxid: str) -> Identified | None:
        """Note somebody's real id, as a notice told it; gives who they turned out to be, if that is somebody else."""
        account, current = await self._account(), self._current()
        contact_id, wxid = ContactId(clean_text(contact_id)), clean_text(wxid)
        return await self._writer.do(lambda db: _note_real_id(db, account, current, contact_id, wxid))

    async def identity(self, number: int) -> Identity | None:
        """Find an identity by its number, or by one that was merged into it."""
        account, current = await self._account(), self._current()
        return await self._reader.do(lambda db: _read(db, account, current, number))

    async def identity_of(self, contact_id: ContactId) -> Identity | None:
        """Find who has, or had in whatever login, this id."""
        account, current = await self._account(), self._current()
        contact_id = ContactId(clean_text(contact_id))

        def read(db: sqlite3.Connection) -> Identity | None:
            found = _links_of_id(db, account, contact_id)
            return _read(db, account, current, found[0].row.number) if found else None

        return await self._reader.do(read)

    async def contact_ids(self, number: int) -> list[ContactId]:
        """Give every id that an identity has had, the newest first."""
        return [link.contact_id for link in await self.why(number)]

    async def identities(self, name: str = "") -> list[Identity]:
        """Give all identities, or those that were last called so: as shown, by nickname, or by remark."""
        account, current = await self._account(), self._current()
        condition, values = "1", list[object]()
        if name:
            condition = "? IN (l.name, json_extract(f.evidence, '$.nickname'), json_extract(f.evidence, '$.remark'))"
            values = [clean_text(name)]
        return await self._reader.do(lambda db: _read_all(db, account, current, condition, values))

    async def contacts(self, ids: Collection[str]) -> list[Contact]:
        """Give who had these ids in whatever login, with what an identity tells of them."""
        account = await self._account()
        return await self._reader.do(
            lambda db: [
                _contact_of(each)
                for each in _links(
                    db, _LOGINS, "l.account = ?1 AND l.id IN (SELECT value FROM json_each(?2))", account, as_list(ids)
                )
            ]
        )

    async def why(self, number: int) -> list[Link]:
        """Give what was found to be this identity, the newest first, and why."""
        account = await self._account()
        return await self._reader.do(lambda db: _read_links(db, account, _now(db, account, number)))

    async def merge(self, number: int, other: int) -> Identity:
        """
        Make two identities one, which keeps the first number; the second names it as well from now on.

        Raises:
            UnknownContact: There is no such identity.
            RefusedLocally: They differ in kind, or both are in this login.
        """
        account, current = await self._account(), self._current()

        def store(db: sqlite3.Connection) -> Identity:
            kept = _existing(db, account, current, number)
            gone = _existing(db, account, current, other)
            if kept.kind != gone.kind:
                raise RefusedLocally(f"{kept.number} is a {kept.kind} and {gone.number} a {gone.kind}: never the same.")
            if kept.number != gone.number and kept.contact_id and gone.contact_id:
                raise RefusedLocally(f"{kept.number} and {gone.number} are both in this login, so they are two.")
            if kept.number != gone.number:
                _merge(db, account, kept.number, gone.number)
            return _existing(db, account, current, number)

        return await self._writer.do(store)

    async def split(self, number: int, contact_id: ContactId) -> Identity:
        """
        Make a contact somebody else, with a new number, and give that; they are never taken for the same again.

        Raises:
            UnknownContact: There is no such identity, it never had this id, or it had no other.
        """
        account, current = await self._account(), self._current()
        contact_id = ContactId(clean_text(contact_id))

        def store(db: sqlite3.Connection) -> Identity:
            known = _existing(db, account, current, number)
            return _existing(db, account, current, _split(db, account, known, contact_id))

        return await self._writer.do(store)


# -- finding out -----------------------------------------------------------------------------------------------------


class _Found(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a link came about, as it is stored."""

    by: By
    confidence: float = 1.0
    reasons: tuple[Reason, ...] = ()
    candidates: tuple[int, ...] = ()


class _Seen(NamedTuple):
    """A contact as it came."""

    evidence: Evidence
    name: str
    digest: int
    """Of both."""


class _Telling(NamedTuple):
    """What the ledger is told of: a login, and how much of it."""

    account: int
    login: int
    own_id: ContactId
    is_complete: bool
    may_wait: bool
    time: float

    def login_of(self, contact_id: ContactId) -> int:
        """Give the login that an id is of."""
        return _ALWAYS if is_lasting(contact_id) else self.login


class _Row(NamedTuple):
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


class _Link(NamedTuple):
    """A link with what it leads to."""

    row: _Row
    face_login: int
    """The first login that the face was seen in."""
    evidence: str
    found: str

    @property
    def known(self) -> Evidence:
        return msgspec.json.decode(self.evidence, type=Evidence)

    @property
    def how(self) -> _Found:
        return msgspec.json.decode(self.found, type=_Found)


def _identify(
    db: sqlite3.Connection, account: int, own_id: ContactId, contacts: Iterable[Contact], *, digest: bytes | None,
    time: float,
) -> list[Identified]:  # fmt: skip
    """Find out who contacts are; the digest is of all that a login has, if these are all."""
    login, listed = _login(db, account, own_id)
    is_complete = digest is not None
    # Until all contacts of a login were told once, the others may hold somebody who fits better.
    may_wait = not is_complete and listed is None
    telling = _Telling(account, login, own_id, is_complete=is_complete, may_wait=may_wait, time=time)
    if is_complete:
        db.execute("UPDATE logins SET listed = ? WHERE login = ?", (digest, login))
    told: list[Identified] = []
    for is_room in (False, True):  # a chatroom is known by who is in it
        told += _identify_some(db, telling, (each for each in contacts if (each.kind == "chatroom") is is_room))
    return told


def _identify_some(db: sqlite3.Connection, telling: _Telling, contacts: Iterable[Contact]) -> list[Identified]:
    look = _look(db, telling, contacts)
    if look.changed:
        _refresh(db, telling, look.changed)
    return _link(db, telling, look) if look.seen else []


def _login(db: sqlite3.Connection, account: int, own_id: ContactId) -> tuple[int, bytes | None]:
    """Give a login's row, and the digest of its contacts if they were told in full."""
    found: tuple[int, bytes | None] | None = db.execute(
        "SELECT login, listed FROM logins WHERE account = ? AND own_id = ?", (account, clean_text(own_id))
    ).fetchone()
    if found is None:
        raise StorageError("The journal does not know this login.")
    return found


def _digest_of_all(contacts: Iterable[Contact]) -> bytes:
    """Give a digest of contacts in any order."""
    return (sum(map(_digest_of, contacts)) % 2**64).to_bytes(8, "big")


def _digest_of(value: object) -> int:
    digest = blake2b(msgspec.msgpack.encode(value), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1  # an INTEGER has a sign


class _Look(NamedTuple):
    """What there is to find out about some contacts."""

    changed: Mapping[ContactId, _Seen]
    """Linked in this login already, and not as they were."""
    seen: Mapping[ContactId, _Seen]
    """Not linked yet."""
    taken: Collection[int]
    """Who is found in this login already."""


def _look(db: sqlite3.Connection, telling: _Telling, contacts: Iterable[Contact]) -> _Look:
    account = telling.account
    rows = select(
        db, ("id", "number", "digest"), "FROM links WHERE account = ? AND login IN (0, ?)", (account, telling.login)
    )
    numbers = {ContactId(each): number for each, number, _ in rows}
    digests: dict[str, int] = {each: digest for each, _, digest in rows}
    seen: dict[ContactId, _Seen] = {}
    changed: dict[ContactId, _Seen] = {}
    for contact in contacts:
        known = digests.get(contact.id)
        if known is None and contact.kind == "stranger":
            continue
        evidence, name = evidence_of(contact, telling.own_id, numbers), contact.display_name
        digest = _digest_of((evidence, name))
        if known is None:
            seen[contact.id] = _Seen(evidence, name, digest)
        elif known != digest:
            changed[contact.id] = _Seen(evidence, name, digest)
    return _Look(changed, seen, set(numbers.values()))


def _link(db: sqlite3.Connection, telling: _Telling, look: _Look) -> list[Identified]:
    """Find out who those are that are not linked yet, and link them."""
    seen = _with_real_ids(db, telling, look.seen)
    faces = _known(db, telling.account)
    findings = match(
        {each: value.evidence for each, value in seen.items() if not is_lasting(each)},
        [face for face in faces if face.number not in look.taken],
        [face.evidence for face in faces],
        is_careful=not telling.is_complete,
    )
    told: list[Identified] = []
    made: list[tuple[int, int, IdentityKind, float, int, int]] = []
    (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'identities'").fetchone()
    for each, (evidence, _, _) in seen.items():
        finding = findings.get(each, _BY_ID)
        # A chatroom whose members are not known has nothing but a name.
        if finding.by == "ambiguous" and (telling.may_wait or (evidence.kind == "chatroom" and not evidence.members)):
            told.append(Identified(contact_id=each, number=0, by="waiting", candidates=finding.candidates))
            continue
        if finding.face is not None:
            number = finding.face.number
        else:
            number = last + len(made) + 1
            made.append((number, telling.account, evidence.kind, telling.time, 0, telling.login_of(each)))
        told.append(Identified(contact_id=each, number=number, by=finding.by, candidates=finding.candidates))
    insert(db, "identities", made)
    # As the index has them, and a few at a time: what is written of all of them would weigh more than they do.
    linked = sorted((each.contact_id, each.number) for each in told if each.number)
    for start in range(0, len(linked), _WRITTEN):
        some = linked[start : start + _WRITTEN]
        _write_links(db, telling, [(*each, seen[each[0]], findings.get(each[0], _BY_ID)) for each in some], faces)
    return told


def _write_links(
    db: sqlite3.Connection, telling: _Telling, linked: Iterable[tuple[ContactId, int, _Seen, Finding]],
    faces: Mapping[Face, int],
) -> None:  # fmt: skip
    """Link contacts to their identities, each with the face that says what is known of it now."""
    links: list[tuple[_Row, str]] = []
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
            new_faces.append((face, number, login, _write(evidence)))
        found = _Found(
            by=finding.by, confidence=finding.confidence, reasons=finding.reasons, candidates=finding.candidates
        )
        links.append((_Row(telling.account, login, each, number, name, digest, face, 0, telling.time), _write(found)))
    insert(db, "faces", new_faces)
    rows = _findings(db, {found for _, found in links})
    insert(db, "links", [row._replace(finding=rows[found]) for row, found in links])
    db.execute(
        "UPDATE identities SET login = max(login, ?) WHERE number IN (SELECT value FROM json_each(?))",
        (telling.login, as_list(row.number for row, _ in links if row.login)),
    )


def _findings(db: sqlite3.Connection, wanted: Collection[str]) -> dict[str, int]:
    """Give the row of each way in which links were found; many are found in the same way."""
    insert(db, "findings (found)", [(each,) for each in wanted], verb="INSERT OR IGNORE")
    rows = select(
        db, ("found", "finding"), "FROM findings WHERE found IN (SELECT value FROM json_each(?))", (as_list(wanted),)
    )
    return dict(rows)


def _refresh(db: sqlite3.Connection, telling: _Telling, changed: Mapping[ContactId, _Seen]) -> None:
    """Note what those say now that are linked already."""
    logins = f"(SELECT {_ALWAYS} AS login UNION ALL SELECT ?2)"
    condition = "l.account = ?1 AND l.id IN (SELECT value FROM json_each(?3))"
    rows: list[_Row] = []
    for link in _links(db, logins, condition, telling.account, telling.login, as_list(changed)):
        seen = changed[link.row.id]
        face = _changed_face(db, link, _write(seen.evidence.filled_from(link.known)), link.row.login)
        rows.append(link.row._replace(name=seen.name, digest=seen.digest, face=face, seen_at=telling.time))
    insert(db, "links", rows, verb="INSERT OR REPLACE")


def _changed_face(db: sqlite3.Connection, link: _Link, evidence: str, since: int) -> int:
    """Have links that share a face say something else from a login on, and give the face; earlier ones stay."""
    if evidence == link.evidence:
        return link.row.face
    if link.face_login >= since:
        db.execute("UPDATE faces SET evidence = ? WHERE face = ?", (evidence, link.row.face))
        return link.row.face
    return _new_face(db, link.row.number, since, evidence)


def _new_face(db: sqlite3.Connection, number: int, login: int, evidence: str) -> int:
    made = db.execute("INSERT INTO faces (number, login, evidence) VALUES (?, ?, ?)", (number, login, evidence))
    return int(made.lastrowid or 0)


def _known(db: sqlite3.Connection, account: int) -> dict[Face, int]:
    """Give what was last known of everybody whose id changes, with its row."""
    (listed,) = db.execute(
        "SELECT '[' || coalesce(group_concat('[' || i.number || ',' || f.evidence || ',' || f.face || ']'), '') || ']'"
        f" {_NEWEST_LINKS} CROSS JOIN faces f USING (face) WHERE i.account = ? AND i.login <> {_ALWAYS}",
        (account,),
    ).fetchone()
    return {
        Face(number, evidence): face
        for number, evidence, face in msgspec.json.decode(listed, type=list[tuple[int, Evidence, int]])
    }


def _with_real_ids(
    db: sqlite3.Connection, telling: _Telling, seen: Mapping[ContactId, _Seen]
) -> Mapping[ContactId, _Seen]:
    """Give contacts with the real ids that were noted of them."""
    rows = select(db, ("id", "wxid"), "FROM real_ids WHERE account = ? AND login = ?", (telling.account, telling.login))
    noted = [(each, wxid) for each, wxid in rows if each in seen]
    return {
        **seen,
        **{each: seen[each]._replace(evidence=msgspec.structs.replace(seen[each].evidence, wxid=wxid))
           for each, wxid in noted},
    }  # fmt: skip


def _write(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _links(db: sqlite3.Connection, logins: str, condition: str, *values: object) -> list[_Link]:
    """Read links of some logins, the newest first."""
    columns = [f"l.{field}" for field in _Row._fields]
    rows = select(
        db,
        (*columns, "f.login", "f.evidence", "h.found"),
        f"FROM {logins} g CROSS JOIN links l USING (login) CROSS JOIN faces f USING (face)"
        f" CROSS JOIN findings h USING (finding) WHERE {condition}"
        " ORDER BY l.login DESC, l.seen_at DESC, l.rowid DESC",
        values,
    )
    return [_Link(_Row(*row[: len(columns)]), *row[len(columns) :]) for row in rows]


def _links_of_id(db: sqlite3.Connection, account: int, contact_id: ContactId) -> list[_Link]:
    return _links(db, _LOGINS, "l.account = ?1 AND l.id = ?2", account, contact_id)


def _links_of_number(db: sqlite3.Connection, account: int, number: int) -> list[_Link]:
    return _links(db, _LOGINS, "l.number = ?2", account, number)


# -- real ids --------------------------------------------------------------------------------------------------------


def _note_real_id(
    db: sqlite3.Connection, account: int, current: int, contact_id: ContactId, wxid: str
) -> Identified | None:
    if is_lasting(contact_id):
        return None
    here = _links(db, "(SELECT ?2 AS login)", "l.account = ?1 AND l.id = ?3", account, current, contact_id)
    link = next(iter(here or _links_of_id(db, account, contact_id)), None)
    if link is not None:
        current = link.row.login
    elif not current:
        (current,) = db.execute("SELECT coalesce(max(login), 0) FROM logins WHERE account = ?", (account,)).fetchone()
    noted = db.execute(
        "INSERT INTO real_ids VALUES (?, ?, ?, ?) ON CONFLICT (account, login, id)"
        " DO UPDATE SET wxid = excluded.wxid WHERE wxid <> excluded.wxid",
        (account, current, contact_id, wxid),
    )
    if not noted.rowcount:
        return None  # the phone tells the same ones again and again
    if link is None:  # it is looked at with this when all contacts are told the next time
        db.execute("UPDATE logins SET listed = zeroblob(0) WHERE account = ? AND listed IS NOT NULL", (account,))
        return None
    found = _reconsider(db, link, wxid)
    number = link.row.number if found is None or found.by == "ambiguous" else found.number
    faces: dict[int, int] = {}
    since = "(SELECT login FROM logins WHERE account = ?1 AND login >= ?2)"
    for each in _links(db, since, "l.number = ?3", account, link.row.login, number):
        face = each.row.face
        if face not in faces:
            evidence = _write(msgspec.structs.replace(each.known, wxid=wxid))
            faces[face] = _changed_face(db, each, evidence, link.row.login)
        if faces[face] != face:
            db.execute(
                "UPDATE links SET face = ? WHERE account = ? AND login = ? AND id = ?",
                (faces[face], account, each.row.login, each.row.id),
            )
    return found


def _reconsider(db: sqlite3.Connection, link: _Link, wxid: str) -> Identified | None:
    """Give a contact whose real id is known now to whom it belongs, if that is not who it was taken for."""
    row = link.row
    # CROSS keeps SQLite to this order: few bear a real id, and the other way round all links are looked through.
    bearers = select_numbers(
        db,
        "SELECT DISTINCT l.number FROM real_ids r CROSS JOIN links l USING (account, login, id)"
        " WHERE r.account = ? AND r.wxid = ? AND l.number <> ?",
        (row.account, wxid, row.number),
    )
    if link.how.by == "hand" or not (bearers or _bears_another(db, row, wxid)):
        return None
    if not bearers:
        number = _new(db, row.account, link.known.kind, row.seen_at)
    elif len(bearers) == 1 and _is_free(db, bearers[0], row):
        (number,) = bearers
    else:
        return Identified(contact_id=row.id, number=row.number, by="ambiguous", candidates=tuple(bearers))
    _move(db, link, number, _Found(by="certain", reasons=(Reason(what="wxid", weight=CERTAINTY, agrees=True),)))
    if not _links_of_number(db, row.account, row.number):  # a number that has none left names that one too
        _become(db, row.number, number)
    return Identified(contact_id=row.id, number=number, by="certain", candidates=(row.number,))


def _bears_another(db: sqlite3.Connection, row: _Row, wxid: str) -> bool:
    """Say whether another real id was noted of the identity of a link, in another login."""
    is_said = db.execute(
        "SELECT 1 FROM faces WHERE number = ? AND json_extract(evidence, '$.wxid') <> ?", (row.number, wxid)
    ).fetchone()
    if is_said is None:  # mostly, and it saves a look at all logins
        return False
    noted = db.execute(
        f"SELECT 1 FROM {_LOGINS} g CROSS JOIN links l USING (login) CROSS JOIN real_ids r USING (account, login, id)"
        " WHERE l.number = ?2 AND l.id <> ?3 AND r.wxid <> ?4",
        (row.account, row.number, row.id, wxid),
    ).fetchone()
    return noted is not None


def _is_free(db: sqlite3.Connection, number: int, row: _Row) -> bool:
    """Say whether an identity may take over a link: it has none in that login, and the user does not object."""
    in_the_way = db.execute(
        "SELECT 1 FROM links WHERE number = ?1 AND login = ?2"
        " UNION ALL SELECT 1 FROM apart WHERE number = ?1 AND other = ?3",
        (number, row.login, row.number),
    ).fetchone()
    return in_the_way is None


def _move(db: sqlite3.Connection, link: _Link, number: int, found: _Found) -> None:
    """Let a link be another identity's, with a face of its own."""
    row, written = link.row, _write(found)
    face = _new_face(db, number, row.login, link.evidence)
    db.execute(
        "UPDATE links SET number = ?, face = ?, finding = ? WHERE account = ? AND login = ? AND id = ?",
        (number, face, _findings(db, [written])[written], row.account, row.login, row.id),
    )
    if all(each.row.face != row.face for each in _links_of_number(db, row.account, row.number)):
        db.execute("DELETE FROM faces WHERE face = ?", (row.face,))
    _note_newest_login(db, row.account, row.number, number)


def _note_newest_login(db: sqlite3.Connection, account: int, *numbers: int) -> None:
    """Find out which is the newest login of identities whose links have changed."""
    db.execute(
        "UPDATE identities SET login = ("
        f" SELECT coalesce(max(l.login), {_ALWAYS}) FROM {_LOGINS} g CROSS JOIN links l USING (login)"
        " WHERE l.number = identities.number) WHERE number IN (SELECT value FROM json_each(?2))",
        (account, as_list(numbers)),
    )


# -- by hand ---------------------------------------------------------------------------------------------------------


def _existing(db: sqlite3.Connection, account: int, current: int, number: int) -> Identity:
    found = _read(db, account, current, number)
    if found is None:
        raise UnknownContact(f"There is no identity with the number {number}; list them to see who is known.")
    return found


def _merge(db: sqlite3.Connection, account: int, kept: int, gone: int) -> None:
    for link in _links_of_number(db, account, gone):
        found = _write(msgspec.structs.replace(link.how, by="hand", confidence=1.0))
        db.execute(
            "UPDATE links SET number = ?, finding = ? WHERE account = ? AND login = ? AND id = ?",
            (kept, _findings(db, [found])[found], link.row.account, link.row.login, link.row.id),
        )
    db.execute("UPDATE faces SET number = ? WHERE number = ?", (kept, gone))
    _note_newest_login(db, account, kept)
    _become(db, gone, kept)
    db.execute("DELETE FROM apart WHERE ? IN (number, other) AND ? IN (number, other)", (kept, gone))
    db.execute("UPDATE OR IGNORE apart SET number = ? WHERE number = ?", (kept, gone))
    db.execute("UPDATE OR IGNORE apart SET other = ? WHERE other = ?", (kept, gone))


def _become(db: sqlite3.Connection, gone: int, kept: int) -> None:
    """Let a number, and all that were merged into it, name another identity."""
    db.execute(
        "UPDATE identities SET first_seen = min(first_seen, (SELECT first_seen FROM identities WHERE number = ?))"
        " WHERE number = ?",
        (gone, kept),
    )
    db.execute("UPDATE identities SET became = ? WHERE ? IN (number, became)", (kept, gone))


def _split(db: sqlite3.Connection, account: int, known: Identity, contact_id: ContactId) -> int:
    theirs = _links_of_number(db, account, known.number)
    leaving = [link for link in theirs if link.row.id == contact_id]
    if not leaving:
        raise UnknownContact(f"Identity {known.number} never had this id; ask why to see which it had.")
    if len(leaving) == len(theirs):
        raise UnknownContact(f"Identity {known.number} has no other id, so there is nothing to split.")
    number = _new(db, account, known.kind, leaving[-1].row.seen_at)
    for link in leaving:
        _move(db, link, number, _Found(by="hand", candidates=(known.number,)))
    db.execute("INSERT INTO apart VALUES (?, ?), (?, ?)", (number, known.number, known.number, number))
    return number


def _new(db: sqlite3.Connection, account: int, kind: IdentityKind, time: float) -> int:
    made = db.execute("INSERT INTO identities (account, kind, first_seen) VALUES (?, ?, ?)", (account, kind, time))
    return int(made.lastrowid or 0)


# -- looking up ------------------------------------------------------------------------------------------------------


def _now(db: sqlite3.Connection, account: int, number: int) -> int:
    """Give what a number names by now; 0 when it names nobody."""
    found = db.execute(
        "SELECT CASE became WHEN 0 THEN number ELSE became END FROM identities WHERE number = ? AND account = ?",
        (number, account),
    ).fetchone()
    return 0 if found is None else int(found[0])


def _read(db: sqlite3.Connection, account: int, current: int, number: int) -> Identity | None:
    found = _read_all(db, account, current, "i.number = ?", [_now(db, account, number)])
    return found[0] if found else None


def _read_all(
    db: sqlite3.Connection, account: int, current: int, condition: str, values: Iterable[object]
) -> list[Identity]:
    """Read identities by a condition for their newest links."""
    if not current:
        (current,) = db.execute("SELECT coalesce(max(login), 0) FROM links WHERE account = ?", (account,)).fetchone()
    rows = select(
        db,
        ("l.number", "i.kind", "l.name", "l.login", "l.id", "h.found", "i.first_seen",
         "max(l.seen_at, g.last_at)"),
        # An id that every login has is in the newest one as well.
        f"{_NEWEST_LINKS} CROSS JOIN faces f USING (face) CROSS JOIN findings h USING (finding)"
        f" JOIN logins g ON g.login = CASE l.login WHEN {_ALWAYS}"
        " THEN (SELECT max(login) FROM logins o WHERE o.account = l.account) ELSE l.login END"
        f" WHERE i.account = ? AND {condition} ORDER BY l.number, l.seen_at",
        (account, *values),
    )  # fmt: skip
    found: dict[int, Identity] = {}
    for number, kind, name, login, contact_id, how, first_seen, last_seen in rows:
        is_here = login in {_ALWAYS, current}
        found[number] = Identity(
            number=number, kind=kind, name=name, contact_id=ContactId(contact_id if is_here else ""),
            confidence=msgspec.json.decode(how, type=_Found).confidence, first_seen=first_seen, last_seen=last_seen,
        )  # fmt: skip
    return list(found.values())


def _read_links(db: sqlite3.Connection, account: int, number: int) -> list[Link]:
    own_ids: dict[int, str] = dict(select(db, ("login", "own_id"), "FROM logins WHERE account = ?", (account,)))
    links: list[Link] = []
    for link in _links_of_number(db, account, number):
        row, found = link.row, link.how
        links.append(
            Link(
                number=number, contact_id=ContactId(row.id), own_id=ContactId(own_ids.get(row.login, "")),
                name=row.name, by=found.by, confidence=found.confidence, reasons=found.reasons,
                candidates=found.candidates, seen_at=row.seen_at,
            )
        )  # fmt: skip
    return links


def _contact_of(link: _Link) -> Contact:
    """Make a contact of what is known of a link, called as it was shown last."""
    row, known = link.row, link.known
    kind: Kind = "friend" if known.kind == "person" else known.kind
    if known.is_self or row.id in BUILT_IN:
        kind = "self" if known.is_self else "builtin"
    nickname, remark = known.nickname or row.name, "" if row.name == known.nickname else row.name
    return Contact(
        id=row.id, kind=kind, nickname=nickname, remark=remark,
        alias=known.alias, is_owner=known.is_owner, uin=known.uin, pinyin=known.pinyin, avatar=known.avatar,
        signature=known.signature, region=known.region, sex=known.sex, attr_status=known.attr_status,
    )  # fmt: skip


def links_named(db: sqlite3.Connection, account: int, name: str) -> list[list[Any]]:
    """Give login and id of all who had this remark or nickname; an id that every login has is of login 0."""
    return [
        row
        for field in ("nickname", "remark")
        for row in select(
            db,
            ("l.login", "l.id"),
            f"FROM faces f CROSS JOIN {_LOGINS} g CROSS JOIN links l USING (login, number, face)"
            f" WHERE json_extract(f.evidence, '$.{field}') = ?2",
            (account, name),
        )
    ]


# -- letting go ------------------------------------------------------------------------------------------------------


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
        f"UPDATE identities SET login = (SELECT coalesce(max(l.login), {_ALWAYS}) FROM logins g"
        " CROSS JOIN links l USING (login) WHERE g.account = identities.account AND l.number = identities.number)"
        " WHERE login IN (SELECT value FROM json_each(?))",
        (logins,),
    )
    db.execute(
        f"DELETE FROM identities WHERE became = 0 AND login = {_ALWAYS}"
        f" AND number NOT IN (SELECT number FROM links WHERE login = {_ALWAYS})"
    )
    db.execute("DELETE FROM identities WHERE became <> 0 AND became NOT IN (SELECT number FROM identities)")
    db.execute("DELETE FROM faces WHERE face NOT IN (SELECT face FROM links)")
    db.execute("DELETE FROM findings WHERE finding NOT IN (SELECT finding FROM links)")
    for column in ("number", "other"):
        db.execute(f"DELETE FROM apart WHERE {column} NOT IN (SELECT number FROM identities WHERE became = 0)")
    db.execute("DELETE FROM real_ids WHERE login IN (SELECT value FROM json_each(?))", (logins,))
