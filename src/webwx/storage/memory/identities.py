"""Identities of one account in memory."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.errors import UnknownContact
from webwx.model.contacts import ContactId
from webwx.model.identities import (
    CERTAINTY,
    Evidence,
    Face,
    Finding,
    Identified,
    Identity,
    IdentityKind,
    Link,
    Reason,
    is_lasting,
)
from webwx.protocol.codec import clean_text
from webwx.storage import identity_matching as matching

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Iterable, Mapping

    from webwx.model.contacts import Contact
    from webwx.storage.base import IdentityQuery
    from webwx.storage.memory.logins import MemoryLogin, MemoryLogins

T = TypeVar("T")

ALWAYS = 0
"""The login number of an id that is the same in every login."""

_BY_HAND = Finding("hand")


class _MemoryLink:
    """A contact of a login that is linked to an identity."""

    def __init__(
        self, login: int, contact_id: ContactId, number: int, seen: matching.SeenContact, finding: Finding
    ) -> None:
        self.login = login
        self.contact_id = contact_id
        self.number = number
        self.evidence: Evidence = seen.evidence
        """The last known evidence in this login."""
        self.name: str = seen.name
        self.digest: int = seen.digest
        self.finding = finding
        self.seen_at = 0.0


def _newest_first(links: Iterable[_MemoryLink]) -> list[_MemoryLink]:
    """Return links, the newest first; of two links with equal times, the one that was added later comes first."""
    return sorted(links, key=lambda link: (link.login, link.seen_at))[::-1]


class _IdentityRecord(msgspec.Struct):
    """An identity."""

    kind: IdentityKind
    first_seen: float
    became: int = 0
    """Number of the identity that it was merged into; 0 for none."""


class Identities:
    """All identities of an account and their links; changed and read under the journal's lock for matching."""

    def __init__(self, logins: MemoryLogins) -> None:
        self.logins = logins
        self.people: dict[int, _IdentityRecord] = {}
        self.links: dict[ContactId, dict[int, _MemoryLink]] = {}
        """Links by id and login."""
        self.by_number: dict[int, list[_MemoryLink]] = {}
        """Links by identity, in the order in which they were added or changed."""
        self.real_ids: dict[tuple[int, ContactId], str] = {}
        self.apart: set[frozenset[int]] = set()
        """Pairs of identities that the user has split."""
        self._last = 0
        self._forgettable: set[int] = set()
        self._forgotten: set[int] = set()

    # -- reading -----------------------------------------------------------------------------------------------------

    def now(self, number: int) -> int:
        """Return the number of the identity that a number finds, after merges; 0 if the number is unknown."""
        person = self.people.get(number)
        return 0 if person is None else person.became or number

    def links_of(self, number: int) -> list[_MemoryLink]:
        """Return the links of an identity, the newest first."""
        return _newest_first(self.by_number.get(number, ()))

    def links_of_id(self, contact_id: ContactId) -> list[_MemoryLink]:
        """Return the links of an id, the newest first."""
        return _newest_first(self.links.get(contact_id, {}).values())

    def newest_links(self, number: int) -> list[_MemoryLink]:
        """Return an identity's links in its newest login."""
        links = self.by_number.get(number, [])
        newest = max((link.login for link in links), default=ALWAYS)
        return [link for link in links if link.login == newest]

    def identity(self, number: int, current: int) -> Identity | None:
        """Return an identity as seen from a login (0: the newest login with a link)."""
        number = self.now(number)
        links = self.newest_links(number)
        if not links:
            return None
        current = current or max(link.login for links in self.by_number.values() for link in links)
        link = sorted(links, key=lambda each: each.seen_at)[-1]  # of equal times, the link that was added later
        login = self.logins.newest if link.login == ALWAYS else self.logins.by_row.get(link.login)
        is_here = link.login in {ALWAYS, current}
        return Identity(
            number=number, kind=self.people[number].kind, name=link.name,
            contact_id=ContactId(link.contact_id if is_here else ""), confidence=link.finding.confidence,
            first_seen=self.people[number].first_seen,
            last_seen=max(link.seen_at, login.last_at if login else 0.0),
        )  # fmt: skip

    def existing(self, number: int, current: int) -> Identity:
        """
        Return an identity as `identity` does.

        Raises:
            UnknownContact: There is no such identity.
        """
        found = self.identity(number, current)
        if found is None:
            raise UnknownContact(f"There is no identity with the number {number}; list the identities to find it.")
        return found

    def find(self, query: IdentityQuery, current: int) -> list[Identity]:
        """Return the identities that meet all conditions of a query."""
        numbers = set(self.by_number)
        if query.number is not None:
            numbers &= {self.now(query.number)}
        if query.contact_id is not None:
            numbers &= {link.number for link in self.links_of_id(ContactId(clean_text(query.contact_id)))[:1]}
        name = clean_text(query.name)
        found = (
            self.identity(number, current) for number in sorted(numbers) if not name or self._is_named(number, name)
        )
        return [each for each in found if each is not None]

    def _is_named(self, number: int, name: str) -> bool:
        links = self.newest_links(number)
        return any(name in {each.name, each.evidence.nickname, each.evidence.remark} for each in links)

    # -- matching ----------------------------------------------------------------------------------------------------

    def identify(
        self, own_id: ContactId, contacts: Iterable[Contact], *, complete: bool, time: float
    ) -> list[Identified]:
        """Match the contacts of a login with identities."""
        login = self.logins.known(own_id)
        digest = matching.digest_of_all(contacts) if complete else None
        if digest is not None and login.listed == digest:
            return []
        # Before the first complete list of a login, one of the other contacts may fit better.
        may_wait = not complete and login.listed is None
        if digest is not None:
            login.listed = digest
        identified: list[Identified] = []
        for is_room in (False, True):  # people first, because a chatroom is recognised by its members
            some = (each for each in contacts if (each.kind == "chatroom") is is_room)
            identified += self._identify_some(login, some, complete=complete, may_wait=may_wait, time=time)
        return identified

    def _identify_some(
        self, login: MemoryLogin, contacts: Iterable[Contact], *, complete: bool, may_wait: bool, time: float
    ) -> list[Identified]:
        here = {each: link for each, links in self.links.items() if (link := links.get(login.row) or links.get(ALWAYS))}
        linked: dict[str, matching.LinkedContact] = {
            each: matching.LinkedContact(link.number, link.digest) for each, link in here.items()
        }
        compared = matching.compare(contacts, login.own_id, linked)
        for contact_id, changed in compared.changed.items():
            self._refresh(here[contact_id], changed, time)
        noted = ((each, wxid) for (row, each), wxid in self.real_ids.items() if row == login.row)
        seen = matching.with_real_ids(compared.seen, noted)
        faces = [
            Face(number, link.evidence)
            for number in self.by_number
            for link in self.newest_links(number)
            if link.login != ALWAYS
        ]
        findings, waiting = matching.judge(seen, faces, compared.taken, is_complete=complete, may_wait=may_wait)
        return [
            Identified(contact_id=each, number=0, by="waiting", candidates=finding.candidates)
            if each in waiting
            else self._link(login, each, seen[each], finding, time)
            for each, finding in findings.items()
        ]

    def _refresh(self, link: _MemoryLink, seen: matching.SeenContact, time: float) -> None:
        """Store the current evidence of a contact that is linked already."""
        link.evidence = seen.evidence.filled_from(link.evidence)
        link.name, link.digest, link.seen_at = seen.name, seen.digest, time
        same = self.by_number[link.number]
        same.remove(link)
        same.append(link)

    def _link(
        self,
        login: MemoryLogin,
        contact_id: ContactId,
        seen: matching.SeenContact,
        finding: Finding,
        time: float,
    ) -> Identified:
        if finding.face is None:
            number = self._new(seen.evidence.kind, time)
        else:
            number = finding.face.number
            seen = seen._replace(evidence=seen.evidence.filled_from(finding.face.evidence))
        row = ALWAYS if is_lasting(contact_id) else login.row
        link = _MemoryLink(row, contact_id, number, seen, finding)
        link.seen_at = time
        self.links.setdefault(contact_id, {})[row] = link
        self.by_number.setdefault(number, []).append(link)
        return Identified(contact_id=contact_id, number=number, by=finding.by, candidates=finding.candidates)

    def _new(self, kind: IdentityKind, time: float) -> int:
        self._last += 1
        self.people[self._last] = _IdentityRecord(kind, time)
        return self._last

    # -- real ids ----------------------------------------------------------------------------------------------------

    def note_real_id(self, current: int, contact_id: ContactId, wxid: str) -> Identified | None:
        """Store a contact's real id; return the contact's identity if it has changed."""
        if is_lasting(contact_id):
            return None
        links = self.links.get(contact_id, {})
        link = links.get(current) or next(iter(self.links_of_id(contact_id)), None)
        row = link.login if link else current or max(self.logins.by_row, default=0)
        if self.real_ids.get((row, contact_id)) == wxid:
            return None  # the phone sends the same ones again and again
        self.real_ids[row, contact_id] = wxid
        if link is None:  # the next complete list is compared again, with this real id
            for login in tuple(self.logins.by_row.values()):  # another thread may add one
                login.listed = None if login.listed is None else b""
            return None
        found = self._reconsider(link, wxid)
        number = link.number if found is None or found.by == "ambiguous" else found.number
        for each in self.by_number.get(number, ()):
            if each.login >= link.login:
                each.evidence = msgspec.structs.replace(each.evidence, wxid=wxid)
        return found

    def _reconsider(self, link: _MemoryLink, wxid: str) -> Identified | None:
        """Link a contact whose real id is known now to the identity that has this id, if that is another one."""
        before = link.number
        noted = [
            (self.links[contact_id][row], known)
            for (row, contact_id), known in self.real_ids.items()
            if row in self.links.get(contact_id, {})
        ]
        bearers = sorted({other.number for other, known in noted if known == wxid and other.number != before})
        bears_another = any(
            other.number == before and other.contact_id != link.contact_id and known != wxid for other, known in noted
        )
        if link.finding.by == "hand" or not (bearers or bears_another):
            return None
        if not bearers:
            number = self._new(link.evidence.kind, link.seen_at)
        elif len(bearers) == 1 and self._is_free(bearers[0], link):
            (number,) = bearers
        else:
            return Identified(contact_id=link.contact_id, number=before, by="ambiguous", candidates=tuple(bearers))
        reason = Reason(what="wxid", weight=CERTAINTY, agrees=True)
        self._move(link, number, Finding("certain", reasons=(reason,)))
        if before not in self.by_number:  # a number without links finds the other identity from now on
            self._become(before, number)
        return Identified(contact_id=link.contact_id, number=number, by="certain", candidates=(before,))

    def _is_free(self, number: int, link: _MemoryLink) -> bool:
        """Return whether an identity may take over a link: it has none of that login, and was not split from it."""
        has_one = any(each.login == link.login for each in self.by_number.get(number, ()))
        return not has_one and frozenset((number, link.number)) not in self.apart

    def _move(self, link: _MemoryLink, number: int, finding: Finding) -> None:
        """Move a link to another identity."""
        self._unlist(link)
        link.number, link.finding = number, finding
        self.by_number.setdefault(number, []).append(link)

    def _unlist(self, link: _MemoryLink) -> None:
        same = self.by_number[link.number]
        same.remove(link)
        if not same:
            del self.by_number[link.number]

    def _become(self, gone: int, kept: int) -> None:
        """Make a number, and all numbers that were merged into it, refer to another identity."""
        people = self.people
        people[kept].first_seen = min(people[kept].first_seen, people[gone].first_seen)
        for number, person in people.items():
            if gone in {number, person.became}:
                person.became = kept

    # -- merge and split ---------------------------------------------------------------------------------------------

    def merge(self, current: int, number: int, other: int) -> Identity:
        """Merge two identities into the first one."""
        kept, gone = self.existing(number, current), self.existing(other, current)
        matching.check_merge(kept, gone)
        for link in self.by_number.get(gone.number, ())[:]:
            self._move(link, kept.number, link.finding._replace(by="hand", confidence=1.0))
        self._become(gone.number, kept.number)
        pair = {kept.number, gone.number}
        renamed = (frozenset(kept.number if each == gone.number else each for each in two) for two in self.apart)
        self.apart = {two for two in renamed if two != pair and len(two) == 2}
        return self.existing(number, current)

    def split(self, current: int, number: int, contact_id: ContactId) -> Identity:
        """Move a contact to a new identity."""
        known = self.existing(number, current)
        theirs = self.links_of(known.number)
        leaving = [link for link in theirs if link.contact_id == contact_id]
        matching.check_split(known.number, leaving=len(leaving), all_links=len(theirs))
        new = self._new(known.kind, leaving[-1].seen_at)
        for link in leaving:
            self._move(link, new, _BY_HAND._replace(candidates=(known.number,)))
        self.apart.add(frozenset((new, known.number)))
        return self.existing(new, current)

    # -- deletion ----------------------------------------------------------------------------------------------------

    def forget_soon(self, rows: Collection[int]) -> None:
        """Add logins that `forget` deletes; the journal's main lock is sufficient for this call."""
        self._forgettable.update(rows)

    def forget(self) -> None:
        """Delete the links of the logins from `forget_soon`, and the identities that have no other links."""
        rows = {row for row in self._forgettable.copy() if row not in self._forgotten}
        if not rows:
            return
        self._forgotten |= rows
        for links in list(self.links.values()):
            for row in [row for row in links if row in rows]:
                self._unlist(links.pop(row))
        self.links = {each: links for each, links in self.links.items() if links}
        self.people = {
            number: person for number, person in self.people.items() if (person.became or number) in self.by_number
        }
        self.apart = {two for two in self.apart if all(each in self.by_number for each in two)}
        self.real_ids = {key: wxid for key, wxid in self.real_ids.items() if key[0] not in rows}


class MemoryIdentityStore:
    """
    One account's identities; `IdentityStore` states the guarantees.

    Args:
        identities: Returns the identities of the account.
        current: Returns the number of the current login; 0 before the first login.
        lock: Held during each call, in another thread, because matching contacts takes long.
    """

    def __init__(self, identities: Callable[[], Identities], current: Callable[[], int], lock: threading.Lock) -> None:
        self._identities = identities
        self._current = current
        self._lock = lock

    def __repr__(self) -> str:
        return "MemoryIdentityStore(***)"

    async def identify(
        self, own_id: ContactId, contacts: Iterable[Contact], *, complete: bool, time: float,
        real_ids: Mapping[ContactId, str] = MappingProxyType({}),
    ) -> list[Identified]:  # fmt: skip
        """Match the contacts of a login with identities."""

        def match(known: Identities) -> list[Identified]:
            login = known.logins.known(own_id).row
            found = known.identify(own_id, contacts, complete=complete, time=time)
            noted = (
                known.note_real_id(login, ContactId(clean_text(each)), clean_text(real_id))
                for each, real_id in real_ids.items()
            )
            return [*found, *filter(None, noted)]

        return await self._do(match)

    async def find(self, query: IdentityQuery) -> list[Identity]:
        """Return the identities that match a query, in the order of their numbers."""
        current = self._current()
        return await self._do(lambda known: known.find(query, current))

    async def contacts(self, ids: Collection[ContactId]) -> list[Contact]:
        """Return contacts that had these ids in any login, with the data of their identities."""
        return await self._do(
            lambda known: [
                matching.contact_of(link.contact_id, link.name, link.evidence)
                for each in ids
                for link in known.links_of_id(each)
            ]
        )

    async def chats_named(self, name: str) -> list[tuple[int, ContactId]]:
        """Return login and id of all contacts that had this remark or nickname."""
        return await self._do(
            lambda known: [
                (link.login, link.contact_id)
                for links in known.links.values()
                for link in links.values()
                if name in {link.evidence.nickname, link.evidence.remark}
            ]
        )

    async def links(self, number: int) -> list[Link]:
        """Return the contacts of all logins that are linked to an identity, the newest first, each with the reasons."""

        def read(known: Identities) -> list[Link]:
            now = known.now(number)
            own_ids: Mapping[int, ContactId] = {row: login.own_id for row, login in tuple(known.logins.by_row.items())}
            return [
                Link(
                    number=now, contact_id=link.contact_id, own_id=own_ids.get(link.login, ContactId("")),
                    name=link.name, by=link.finding.by, confidence=link.finding.confidence,
                    reasons=link.finding.reasons, candidates=link.finding.candidates, seen_at=link.seen_at,
                )
                for link in known.links_of(now)
            ]  # fmt: skip

        return await self._do(read)

    async def merge(self, number: int, other: int) -> Identity:
        """Merge two identities into the first one; from now on the second number finds it too."""
        current = self._current()
        return await self._do(lambda known: known.merge(current, number, other))

    async def split(self, number: int, contact_id: ContactId) -> Identity:
        """Move a contact to a new identity, and return that."""
        current, contact_id = self._current(), ContactId(clean_text(contact_id))
        return await self._do(lambda known: known.split(current, number, contact_id))

    async def _do(self, job: Callable[[Identities], T]) -> T:
        identities = self._identities()

        def work() -> T:
            with self._lock:
                identities.forget()
                return job(identities)

        return await asyncio.to_thread(work)
