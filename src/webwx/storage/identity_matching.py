"""
Matching of a login's contacts with identities, shared by all storage engines.

An engine passes the stored state of contacts, and receives the changes to store.
"""

from __future__ import annotations

from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.errors import InvalidRequest, UnknownContact
from webwx.model.contacts import BUILT_IN, Contact, ContactId, Kind
from webwx.model.identities import Evidence, KnownIdentity, Match, evidence_of, is_lasting, is_recognizable, match

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from webwx.model.identities import Identity

_encode = msgspec.json.Encoder().encode

_BLANK = blake2b(digest_size=8)

_BY_ID = Match("certain")
"""Result for a contact whose id is the same in every login."""


class SeenContact(NamedTuple):
    """A contact as it arrived."""

    evidence: Evidence
    name: str
    digest: int
    """Digest of the contact, for a chatroom also of the identities of its members."""


class LinkedContact(NamedTuple):
    """Stored state of a contact that is linked to an identity in this login."""

    number: int
    digest: int
    """Digest of the contact when it was linked or last changed."""


class Comparison(NamedTuple):
    """Contacts whose state has to be stored."""

    changed: Mapping[ContactId, SeenContact]
    """Contacts that are linked in this login and have changed."""
    seen: Mapping[ContactId, SeenContact]
    """Contacts that are not linked yet."""
    taken: Collection[int]
    """Identities that have a contact in this login already."""
    sum: int
    """Sum of the digests of all compared contacts."""


class Matching(NamedTuple):
    """Results for contacts that are not linked yet."""

    matches: Mapping[ContactId, Match]
    """The result of each contact: a known identity, or a new one."""
    waiting: Collection[ContactId]
    """The contacts that are not linked now, because more data is needed."""


class PeoplePass:
    """
    One pass over contacts that yields all except the chatrooms.

    Args:
        contacts: The contacts; an iteration may take long.
    """

    def __init__(self, contacts: Iterable[Contact]) -> None:
        self.has_chatrooms: bool = False
        """Whether there are chatrooms among the contacts."""
        self._contacts = contacts

    def __iter__(self) -> Iterator[Contact]:
        for contact in self._contacts:
            if contact.kind == "chatroom":
                self.has_chatrooms = True
            else:
                yield contact


def encode_contacts(contacts: Iterable[Contact]) -> dict[ContactId, bytes]:
    """Return the JSON of contacts by id; digests are computed from it."""
    return {each.id: _encode(each) for each in contacts}


def digest_of_all(contacts: Iterable[Contact]) -> bytes:
    """Return a digest of contacts that does not depend on their order."""
    return digest_of_sum(sum(_digest_of(_encode(each)) for each in contacts))


def digest_of_sum(digests: int) -> bytes:
    """Return the digest of all contacts as `digest_of_all` does, from the sum of their digests."""
    return (digests % 2**64).to_bytes(8, "big")


def _digest_of(encoded: bytes) -> int:
    digest = _BLANK.copy()  # takes less time than a new one
    digest.update(encoded)
    return int.from_bytes(digest.digest(), "big") >> 1  # 63 bits fit any database's integers


def compare(
    contacts: Iterable[Contact], own_id: ContactId, linked: Mapping[str, LinkedContact],
    encoded: Mapping[ContactId, bytes] = MappingProxyType({}),
) -> Comparison:  # fmt: skip
    """
    Compare contacts with their stored state; skip contacts without a name, and strangers that are not linked.

    Args:
        contacts: The contacts as they arrived.
        own_id: The account's id in this login.
        linked: The contacts that are linked in this login, by id.
        encoded: Result of `encode_contacts` for contacts that are encoded already.
    """
    numbers = {ContactId(each): known.number for each, known in linked.items()}
    seen: dict[ContactId, SeenContact] = {}
    changed: dict[ContactId, SeenContact] = {}
    total = 0
    for contact in contacts:
        known, digest = linked.get(contact.id), _digest_of(encoded.get(contact.id) or _encode(contact))
        total += digest
        if not is_recognizable(contact) or (known is None and contact.kind == "stranger"):
            continue
        evidence = None
        if contact.kind == "chatroom":
            evidence = evidence_of(contact, own_id, numbers)
            digest = _digest_of(_encode((digest, evidence.members)))
        if known is None or known.digest != digest:
            group = seen if known is None else changed
            group[contact.id] = SeenContact(evidence or evidence_of(contact), contact.display_name, digest)
    return Comparison(changed, seen, set(numbers.values()), total)


def with_real_ids(
    seen: Mapping[ContactId, SeenContact], real_ids: Iterable[tuple[ContactId, str]]
) -> dict[ContactId, SeenContact]:
    """Return contacts with the real ids that are stored for them."""
    known = dict(seen)
    for each, wxid in real_ids:
        if each in seen:
            known[each] = seen[each]._replace(evidence=msgspec.structs.replace(seen[each].evidence, wxid=wxid))
    return known


def judge(
    seen: Mapping[ContactId, SeenContact], identities: Collection[KnownIdentity], taken: Collection[int], *,
    is_complete: bool, may_wait: bool,
) -> Matching:  # fmt: skip
    """
    Match contacts that are not linked yet with identities.

    Args:
        seen: The contacts as they arrived, with the known real ids.
        identities: The last known evidence of each identity whose id changes with each login.
        taken: Identities that have a contact in this login already.
        is_complete: Whether these are all contacts of the login.
        may_wait: Whether more contacts of the login may arrive, one of which may fit better.
    """
    found = match(
        {each: value.evidence for each, value in seen.items() if not is_lasting(each)},
        [identity for identity in identities if identity.number not in taken],
        [identity.evidence for identity in identities],
        is_careful=not is_complete,
    )
    matches = {each: found.get(each, _BY_ID) for each in seen}
    ambiguous = (each for each, match in matches.items() if match.by == "ambiguous")
    return Matching(matches, {each for each in ambiguous if may_wait or _has_only_a_name(seen[each].evidence)})


def _has_only_a_name(evidence: Evidence) -> bool:
    """Return whether the name is the only evidence: that of a chatroom whose members are unknown."""
    return evidence.kind == "chatroom" and not evidence.members


def contact_of(contact_id: ContactId, name: str, known: Evidence) -> Contact:
    """Return a contact with the data of an identity's link, and its last display name."""
    kind: Kind = "friend" if known.kind == "person" else known.kind
    if known.is_self or contact_id in BUILT_IN:
        kind = "self" if known.is_self else "builtin"
    nickname, remark = known.nickname or name, "" if name == known.nickname else name
    return Contact(
        id=contact_id, kind=kind, nickname=nickname, remark=remark,
        alias=known.alias, is_owner=known.is_owner, uin=known.uin, pinyin=known.pinyin, avatar=known.avatar,
        signature=known.signature, region=known.region, sex=known.sex, attr_status=known.attr_status,
    )  # fmt: skip


def check_merge(kept: Identity, gone: Identity) -> None:
    """
    Check that two identities may be merged.

    Raises:
        InvalidRequest: The identities are the same, differ in kind, or both have a contact in this login.
    """
    if kept.number == gone.number:
        raise InvalidRequest(f"Both are identity {kept.number} already, so there is nothing to merge.")
    if kept.kind != gone.kind:
        raise InvalidRequest(
            f"{kept.number} is a {kept.kind} and {gone.number} a {gone.kind}, so they cannot be merged."
        )
    if kept.contact_id and gone.contact_id:
        raise InvalidRequest(f"{kept.number} and {gone.number} are both in this login, so they cannot be merged.")


def check_split(number: int, *, leaving: int, all_links: int) -> None:
    """
    Check that an id may be split from an identity.

    Args:
        number: Number of the identity.
        leaving: Number of its links that have the id.
        all_links: Number of all its links.

    Raises:
        UnknownContact: The identity never had this id, or has no other id.
    """
    if not leaving:
        raise UnknownContact(f"Identity {number} never had this id; why() lists its ids.")
    if leaving == all_links:
        raise UnknownContact(f"Identity {number} has no other id, so there is nothing to split.")
