"""
How contacts of a login are matched with identities: the part that all storage engines share.

An engine says what it has stored of contacts, and gets back what there is to store.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.errors import InvalidRequest, UnknownContact
from webwx.model.contacts import BUILT_IN, Contact, ContactId, Kind
from webwx.model.identities import Evidence, Face, Finding, evidence_of, is_lasting, match

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from webwx.model.identities import Identity

_BY_ID = Finding("certain")
"""Of a contact whose id says who it is."""


class SeenContact(NamedTuple):
    """A contact as it came."""

    evidence: Evidence
    name: str
    digest: int
    """Of both."""


class LinkedContact(NamedTuple):
    """What is stored of a contact that is linked to an identity in this login."""

    number: int
    digest: int
    """Of what it said when it was linked, or changed last."""


class Comparison(NamedTuple):
    """What there is to store of some contacts."""

    changed: Mapping[ContactId, SeenContact]
    """Linked in this login already, and not as they were."""
    seen: Mapping[ContactId, SeenContact]
    """Not linked yet."""
    taken: Collection[int]
    """Identities that have a contact in this login already."""


class Verdict(NamedTuple):
    """What becomes of a contact that is not linked yet: it has the identity of the finding, or a new one, or waits."""

    finding: Finding
    waits: bool = False


def digest_of_all(contacts: Iterable[Contact]) -> bytes:
    """Return a digest of contacts in any order."""
    return (sum(map(_digest_of, contacts)) % 2**64).to_bytes(8, "big")


def _digest_of(value: object) -> int:
    digest = blake2b(msgspec.msgpack.encode(value), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1  # 63 bits fit any database's integers


def compare(contacts: Iterable[Contact], own_id: ContactId, linked: Mapping[str, LinkedContact]) -> Comparison:
    """
    Compare contacts with what is stored of them; strangers that are not linked are passed over.

    Args:
        contacts: As they came.
        own_id: Who the account is in this login.
        linked: What is linked in this login, by id.
    """
    numbers = {ContactId(each): known.number for each, known in linked.items()}
    seen: dict[ContactId, SeenContact] = {}
    changed: dict[ContactId, SeenContact] = {}
    for contact in contacts:
        known = linked.get(contact.id)
        if known is None and contact.kind == "stranger":
            continue
        evidence, name = evidence_of(contact, own_id, numbers), contact.display_name
        digest = _digest_of((evidence, name))
        if known is None:
            seen[contact.id] = SeenContact(evidence, name, digest)
        elif known.digest != digest:
            changed[contact.id] = SeenContact(evidence, name, digest)
    return Comparison(changed, seen, set(numbers.values()))


def with_real_ids(
    seen: Mapping[ContactId, SeenContact], real_ids: Iterable[tuple[ContactId, str]]
) -> dict[ContactId, SeenContact]:
    """Return contacts with the real ids that were noted of them."""
    known = dict(seen)
    for each, wxid in real_ids:
        if each in seen:
            known[each] = seen[each]._replace(evidence=msgspec.structs.replace(seen[each].evidence, wxid=wxid))
    return known


def judge(
    seen: Mapping[ContactId, SeenContact], faces: Collection[Face], taken: Collection[int], *, is_complete: bool,
    may_wait: bool,
) -> dict[ContactId, Verdict]:  # fmt: skip
    """
    Find out who contacts are that are not linked yet.

    Args:
        seen: As they came, with the real ids that are known.
        faces: What was last known of each identity whose id changes with each login.
        taken: Identities that have a contact in this login already.
        is_complete: These are all contacts of the login.
        may_wait: More contacts of the login are to come, and one of them may fit better.
    """
    findings = match(
        {each: value.evidence for each, value in seen.items() if not is_lasting(each)},
        [face for face in faces if face.number not in taken],
        [face.evidence for face in faces],
        is_careful=not is_complete,
    )
    verdicts: dict[ContactId, Verdict] = {}
    for each, (evidence, _, _) in seen.items():
        finding = findings.get(each, _BY_ID)
        # A chatroom whose members are not known has nothing but a name.
        has_only_a_name = evidence.kind == "chatroom" and not evidence.members
        verdicts[each] = Verdict(finding, waits=finding.by == "ambiguous" and (may_wait or has_only_a_name))
    return verdicts


def contact_of(contact_id: ContactId, name: str, known: Evidence) -> Contact:
    """Return a contact made of what an identity's link tells, called as it was shown last."""
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
    Check that two identities may be made one.

    Raises:
        InvalidRequest: They are one already, differ in kind, or are both in this login.
    """
    if kept.number == gone.number:
        raise InvalidRequest(f"Both are number {kept.number} already, so there is nothing to merge.")
    if kept.kind != gone.kind:
        raise InvalidRequest(f"{kept.number} is a {kept.kind} and {gone.number} a {gone.kind}: never the same.")
    if kept.contact_id and gone.contact_id:
        raise InvalidRequest(f"{kept.number} and {gone.number} are both in this login, so they are two.")


def check_split(number: int, *, leaving: int, all_links: int) -> None:
    """
    Check that an id may be taken out of an identity.

    Args:
        number: The identity.
        leaving: How many of its links have the id.
        all_links: How many links it has.

    Raises:
        UnknownContact: It never had this id, or it had no other.
    """
    if not leaving:
        raise UnknownContact(f"Identity {number} never had this id; ask why to see which it had.")
    if leaving == all_links:
        raise UnknownContact(f"Identity {number} has no other id, so there is nothing to split.")
