"""Matching the contacts of a login with the identities in the database, and storing their current evidence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from webwx.errors import StorageError
from webwx.model.identities import Face, Identified, is_lasting
from webwx.storage.identity_matching import LinkedContact, compare, judge, with_real_ids
from webwx.storage.postgres.links import (
    ALWAYS,
    EVIDENCE,
    EVIDENCE_OF_LINK,
    NEWEST_LINKS,
    ChangedEvidence,
    EvidenceRow,
    PostgresLinkRow,
    StoredFinding,
    evidence_row,
    last_evidence,
    note_newest_login,
    origin_rows,
    read_links,
    write_evidence,
    write_links,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from webwx.model.contacts import Contact, ContactId
    from webwx.storage.identity_matching import Comparison, SeenContact
    from webwx.storage.postgres.database import Connection


class _IdentifyRequest(NamedTuple):
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


async def identify(
    db: Connection, account: int, own_id: ContactId, contacts: Iterable[Contact], *, digest: bytes | None, time: float
) -> list[Identified]:
    """Match contacts with identities; `digest` is the digest of a complete list of contacts, else None."""
    login, complete_digest = await login_of(db, account, own_id)
    is_complete = digest is not None
    # Before the first complete list of a login, a contact that is still missing may fit better.
    may_wait = not is_complete and complete_digest is None
    call = _IdentifyRequest(account, login, own_id, is_complete=is_complete, may_wait=may_wait, time=time)
    if not is_complete and next(iter(contacts), None) is None:
        return []  # without reading the links, which takes time for each contact
    if is_complete:
        await db.execute("UPDATE logins SET complete_digest = $2 WHERE login = $1", login, digest)
    identified: list[Identified] = []
    for is_room in (False, True):  # people first, because a chatroom is recognised by its members
        linked = await _linked(db, call)

        def compared(linked: dict[str, LinkedContact] = linked, *, is_room: bool = is_room) -> Comparison:
            some = (each for each in contacts if (each.kind == "chatroom") is is_room)
            return compare(some, own_id, linked)

        # This runs in another thread, because it takes long with thousands of contacts.
        comparison = await asyncio.to_thread(compared)
        await _refresh(db, call, comparison.changed)
        if comparison.seen:
            identified += await _link(db, call, comparison)
    return identified


async def login_of(db: Connection, account: int, own_id: ContactId) -> tuple[int, bytes | None]:
    """Return a login's row, and the digest of its last complete list of contacts, if there was one."""
    found = await db.fetchrow(
        "SELECT login, complete_digest FROM logins WHERE account = $1 AND own_id = $2", account, own_id
    )
    if found is None:
        raise StorageError("The journal does not know this login.")
    return found["login"], found["complete_digest"]


async def _linked(db: Connection, call: _IdentifyRequest) -> dict[str, LinkedContact]:
    """Read the contacts that are linked in a login."""
    rows = await db.fetch(
        "SELECT id, number, digest FROM links WHERE account = $1 AND login = ANY ($2::bigint[])",
        call.account, [ALWAYS, call.login],
    )  # fmt: skip
    return {row["id"]: LinkedContact(row["number"], row["digest"]) for row in rows}


async def _link(db: Connection, call: _IdentifyRequest, compared: Comparison) -> list[Identified]:
    """Match the contacts that are not linked yet with identities, and link them."""
    noted = await db.fetch(
        "SELECT id, real_id FROM real_ids WHERE account = $1 AND login = $2", call.account, call.login
    )
    known = await db.fetch(
        f"SELECT i.number, e.content, e.evidence {NEWEST_LINKS} {EVIDENCE_OF_LINK}"
        f" WHERE i.account = $1 AND i.login <> {ALWAYS}",
        call.account,
    )
    seen = with_real_ids(compared.seen, [(row["id"], row["real_id"]) for row in noted])
    faces = {Face(row["number"], EVIDENCE.decode(row["content"])): row["evidence"] for row in known}
    findings, waiting = await asyncio.to_thread(
        judge, seen, list(faces), compared.taken, is_complete=call.is_complete, may_wait=call.may_wait
    )
    # Most contacts have the same finding.
    origins = {
        each: StoredFinding(by=each.by, confidence=each.confidence, reasons=each.reasons, candidates=each.candidates)
        for each in {finding for each, finding in findings.items() if each not in waiting}
    }
    rows = await origin_rows(db, call.account, set(origins.values()))
    identified: list[Identified] = []
    links: list[PostgresLinkRow] = []
    new: list[EvidenceRow] = []
    made: list[tuple[int, str]] = []
    before = await last_evidence(db, call.account)
    last = await db.fetchval("SELECT last_identity FROM accounts WHERE account = $1", call.account)
    for each, finding in findings.items():
        if each in waiting:
            identified.append(Identified(contact_id=each, number=0, by="waiting", candidates=finding.candidates))
            continue
        evidence, name, digest = seen[each]
        row = 0
        if finding.face is not None:
            number = finding.face.number
            evidence = evidence.filled_from(finding.face.evidence)
            row = faces[finding.face] if evidence == finding.face.evidence else 0
        else:
            number = last + len(made) + 1
            made.append((number, evidence.kind))
        identified.append(Identified(contact_id=each, number=number, by=finding.by, candidates=finding.candidates))
        if not row:
            row = before + len(new) + 1
            new.append(evidence_row(row, number, call.login_of(each), evidence))
        links.append(
            PostgresLinkRow(call.login_of(each), each, number, name, digest, row, rows[origins[finding]], call.time)
        )
    await db.execute(
        "INSERT INTO identities (account, number, kind, first_seen) SELECT $1, n.*, $4"
        " FROM unnest($2::bigint[], $3::varchar[]) n",
        call.account, [number for number, _ in made], [kind for _, kind in made], call.time,
    )  # fmt: skip
    await db.execute("UPDATE accounts SET last_identity = $2 WHERE account = $1", call.account, last + len(made))
    await write_evidence(db, call.account, new)
    await write_links(db, call.account, links)
    await note_newest_login(db, call.account, {link.number for link in links})
    return identified


async def _refresh(db: Connection, call: _IdentifyRequest, changed: Mapping[ContactId, SeenContact]) -> None:
    """Store the current evidence of changed contacts that are linked already."""
    if not changed:
        return
    links = await read_links(
        db, call.account, "l.login = ANY ($2::bigint[]) AND l.id = ANY ($3::varchar[])", [ALWAYS, call.login],
        list(changed),
    )  # fmt: skip
    evidence = ChangedEvidence(await last_evidence(db, call.account))
    rows: list[PostgresLinkRow] = []
    for link in links:
        now = changed[link.row.id]
        row = evidence.of(link, now.evidence.filled_from(link.known), link.row.login)
        rows.append(link.row._replace(name=now.name, digest=now.digest, evidence=row, seen_at=call.time))
    await write_evidence(db, call.account, list(evidence.rows.values()))
    await write_links(db, call.account, rows)
