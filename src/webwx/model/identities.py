"""
Identity matching across logins: the evidence that a contact carries, and how it is compared.

Every login assigns new ids, and nearly everything else can change or be shared: names, pictures, signatures. So
agreement is weighed in bits, by how rare the value is among all known contacts, and difference by how rarely the
attribute changes. A contact is matched only if both are each other's best match, well above chance and well before the
second best. Otherwise it gets a new identity, because a wrong match would send a message to a stranger.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter, defaultdict
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from webwx.model.contacts import Contact, ContactId

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

IdentityKind = Literal["person", "official", "chatroom"]

By = Literal["seen", "ambiguous", "certain", "matched", "hand"]
"""
How a contact got its identity. `seen`: new, because none is similar. `ambiguous`: new, because similar ones are not
certain. `certain`: by an attribute that only one contact can have. `matched`: by weighing. `hand`: by the user.
"""

MEMBERS = 500
"""Maximum number of members of a chatroom that are compared."""

ENOUGH = 22.0
"""Minimum weight of a match, in bits."""

CERTAINTY = 60.0
"""Weight of an attribute that only one contact can have, in bits."""

ALMOST = 0.999999
"""Maximum confidence of a match that was weighed."""

CAREFUL = 6.0
"""Additional weight required if only some contacts of a login are known, because another one may match better."""

AHEAD = 8.0
"""Minimum distance in bits between a match and the second best one, on both sides."""

PLAUSIBLE = 10.0
"""Minimum weight of a candidate, in bits."""

CANDIDATES = 5
"""Maximum number of candidates that are named."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Attributes of a contact that are compared; an empty value is unknown."""

    kind: IdentityKind
    is_self: bool = False
    """Whether the contact is the account itself."""
    wxid: str = ""
    """Real id, if a notice has contained it."""
    uin: int = 0
    alias: str = ""
    remark: str = ""
    nickname: str = ""
    remark_pinyin: str = ""
    pinyin: str = ""
    avatar: int = 0
    signature: str = ""
    region: str = ""
    sex: int = 0
    attr_status: int = 0
    is_owner: bool = False
    members: tuple[tuple[int, int], ...] = ()
    """Members of a chatroom, in order: for each a digest of the nickname, and the number of the identity or 0."""

    def filled_from(self, older: Evidence) -> Evidence:
        """Return this evidence with its empty values replaced by those of an earlier one."""
        known = {
            name: before
            for name in self.__struct_fields__
            if not getattr(self, name) and (before := getattr(older, name))
        }
        return msgspec.structs.replace(self, **known) if known else self


class Reason(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One attribute that spoke for or against a match."""

    what: str
    """Name of the attribute: `remark`, `avatar`, ..."""
    weight: float
    """Weight in bits; negative if it speaks against the match."""
    agrees: bool


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A person or chatroom, independent of its id in a login."""

    number: int
    """Permanent identity number, never reused."""
    kind: IdentityKind
    name: str
    """Last displayed name."""
    contact_id: ContactId
    """Id in this login, or in the newest login if none is open; empty if it is not a contact there."""
    confidence: float
    """Confidence of the match, from 0 to 1."""
    first_seen: float
    """Seconds since 1970."""
    last_seen: float
    """Time of the last batch of a login that had this contact."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A contact of a login with its identity, and the reasons."""

    number: int
    """Number of the identity."""
    contact_id: ContactId
    own_id: ContactId
    """Id of the account in that login; empty for an id that is the same in every login."""
    name: str
    by: By
    confidence: float
    reasons: tuple[Reason, ...] = ()
    candidates: tuple[int, ...] = ()
    """Identities that also were possible."""
    seen_at: float
    """Time at which it was matched or last changed: seconds since 1970."""


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """Result for a contact that had no identity in its login."""

    contact_id: ContactId
    number: int
    """Number of the identity; 0 while more data is needed for a match."""
    by: By | Literal["waiting"]
    """
    As in a link. `waiting`: there is a similar identity, and the other contacts, or its members, are not known yet.
    """
    candidates: tuple[int, ...] = ()
    """Identities that are also possible, likeliest first."""


class KnownIdentity(NamedTuple):
    """Last known evidence of an identity; one that was merged by hand may have several."""

    number: int
    evidence: Evidence


class Match(NamedTuple):
    """Result of comparing a contact with all identities."""

    by: By
    identity: KnownIdentity | None = None
    """Identity of the contact; None for a new one."""
    confidence: float = 1.0
    reasons: tuple[Reason, ...] = ()
    candidates: tuple[int, ...] = ()


def evidence_of(
    contact: Contact, own_id: str = "", numbers: Mapping[ContactId, int] = MappingProxyType({})
) -> Evidence:
    """
    Return the evidence of a contact.

    Args:
        contact: The contact.
        own_id: Id of the account in this login; its membership does not distinguish chatrooms.
        numbers: Identities of this login's contacts, by which members are recognized under any nickname.
    """
    if contact.kind == "chatroom":
        members = {
            (zlib.crc32(each.nickname.encode()), numbers.get(each.id, 0))
            for each in contact.members
            if each.id != own_id and (each.nickname or each.id in numbers)
        }
        return Evidence(
            kind="chatroom", remark=contact.remark, nickname=contact.nickname, remark_pinyin=contact.remark_pinyin,
            pinyin=contact.pinyin, avatar=contact.avatar, is_owner=contact.is_owner,
            members=tuple(sorted(members)[:MEMBERS]),
        )  # fmt: skip
    return Evidence(
        kind="official" if contact.kind == "official" else "person", is_self=contact.kind == "self",
        wxid="" if contact.id.startswith("@") else contact.id, uin=contact.uin, alias=contact.alias,
        remark=contact.remark, nickname=contact.nickname, remark_pinyin=contact.remark_pinyin, pinyin=contact.pinyin,
        avatar=contact.avatar, signature=contact.signature, region=contact.region, sex=contact.sex,
        attr_status=contact.attr_status,
    )  # fmt: skip


def is_recognizable(contact: Contact) -> bool:
    """Return whether a contact has a name, by which it can be recognized in another login."""
    return bool(contact.nickname or contact.remark or contact.members)


def is_lasting(contact_id: str) -> bool:
    """Return whether an id is the same in every login."""
    return not contact_id.startswith("@")


class _Field(NamedTuple):
    """An attribute that is compared."""

    name: str
    most: float
    """Maximum weight of agreement in bits, however rare the value is."""
    against: float
    """
    Weight against a match if both have a value and the values differ; it is larger for attributes that rarely change.
    """
    missing: float = 0.0
    """Weight against a match if only one has a value."""
    is_text: bool = True
    """Whether the values are texts that few contacts share; otherwise there are only a few values."""
    sound: str = ""
    """Return a text in a form that ignores differences of notation and of emoji."""


_FIELDS = (
    _Field("remark", 14, 5, 3, sound="remark_pinyin"),
    _Field("nickname", 12, 4, 3, sound="pinyin"),
    _Field("avatar", 24, 3),
    _Field("signature", 14, 3, 2),
    _Field("region", 6, 4, 2, is_text=False),
    _Field("attr_status", 6, 2, is_text=False),
    _Field("sex", 1.5, 5, is_text=False),
    _Field("is_owner", 4, 0, is_text=False),
)

_values_of = attrgetter(*(field.name for field in _FIELDS))

_sounds_of = attrgetter(*(field.sound for field in _FIELDS if field.sound))  # of the first fields

_NO_MEMBERS = frozenset[int]()

_CERTAIN = ("is_self", "wxid", "uin", "alias")
"""Attributes that only one person can have, the surest first."""

_marks_of = attrgetter(*_CERTAIN)

_KEYS = ("remark", "nickname", "remark_pinyin", "pinyin", "avatar", "signature")
"""Attributes by which contacts become candidates for a comparison."""

_CROWD = 400
"""Maximum number of pairs that share a value; a more frequent value is too weak to create candidates."""

_RAREST = 8
"""Number of a chatroom's rarest members that are used to find candidates."""

_SHARED_MEMBER = 6.0
_ALL_MEMBERS = 24.0
"""Weight of each member that two chatrooms share, and its maximum; it is reduced if some are not shared."""

_OTHER_MEMBERS = 6.0
"""Weight against a match if most members are not shared."""

_SAME_MEMBERS = 0.6
"""Minimum share of members that two equal chatrooms have in common."""

_STRANGE_MEMBERS = 0.1
"""Share of members below which two chatrooms are different."""


def match(
    seen: Mapping[ContactId, Evidence],
    identities: Sequence[KnownIdentity],
    known: Collection[Evidence],
    *,
    is_careful: bool = False,
) -> dict[ContactId, Match]:  # fmt: skip
    """
    Match contacts to identities; each contact gets a result.

    It takes time about linear in the number of contacts, because only contacts that share a rare value are compared.

    Args:
        seen: Contacts of one login that have no other yet.
        identities: Candidates; each other once.
        known: Evidence of all identities, to estimate how rare a value is.
        is_careful: Whether more contacts of this login may follow, or were matched before.
    """
    if not identities:
        return dict.fromkeys(seen, Match("seen"))
    ids = list(seen)
    ours, theirs = [_Side.of(each) for each in seen.values()], [_Side.of(each.evidence) for each in identities]
    scale = _Scale(seen.values(), known)
    matches: dict[ContactId, Match] = {}
    left, free = dict.fromkeys(range(len(ours))), dict.fromkeys(range(len(theirs)))
    for one, other, mark in _certain_pairs(ours, theirs, scale):
        if one in left and other in free:
            reason = Reason(what=mark, weight=CERTAINTY, agrees=True)
            matches[ids[one]] = Match("certain", identities[other], reasons=(reason,))
            del left[one], free[other]
    scores: dict[tuple[int, int], float] = {}
    compared: dict[tuple[int, int], list[_Compared]] = {}
    for one, other in _likely_pairs(ours, theirs, left, free):
        some = scale.compare(ours[one], theirs[other])
        score = sum([each.weight for each in some])
        if some and score >= PLAUSIBLE - AHEAD:
            scores[one, other], compared[one, other] = score, some
    # A matched pair competes with no other one any more, so a pair that was too close may be clear now.
    while pairs := _clear_pairs(scores, ENOUGH + CAREFUL * is_careful):
        for one, other in pairs:
            confidence = min(round(1 - 2 ** -(10 + scores[one, other] - ENOUGH), 6), ALMOST)
            matches[ids[one]] = Match("matched", identities[other], confidence, _reasons(compared[one, other]))
        ones, others = map(set, zip(*pairs, strict=True))
        scores = {pair: score for pair, score in scores.items() if pair[0] not in ones and pair[1] not in others}
    likeliest: defaultdict[int, list[int]] = defaultdict(list)
    for score, one, other in sorted(((score, *pair) for pair, score in scores.items()), reverse=True):
        if score >= PLAUSIBLE:
            likeliest[one].append(other)
    for one, likely in likeliest.items():
        numbers = tuple(dict.fromkeys(identities[other].number for other in likely))[:CANDIDATES]
        reasons = _reasons(compared[one, likely[0]])
        matches[ids[one]] = Match("ambiguous", reasons=reasons, candidates=numbers)
    return {each: matches.get(each, Match("seen")) for each in ids}


class _Side(NamedTuple):
    """Evidence in the form in which it is compared."""

    evidence: Evidence
    values: tuple[object, ...]
    """Values of the attributes, in the order of the fields."""
    sounds: tuple[str, ...]
    """How the values of the first fields sound."""
    members: frozenset[int]
    """Identity numbers of a chatroom's members, for those who have one."""

    @classmethod
    def of(cls, evidence: Evidence) -> _Side:
        members = frozenset(number for _, number in evidence.members if number) if evidence.members else _NO_MEMBERS
        return cls(evidence, _values_of(evidence), _sounds_of(evidence), members)


class _Compared(NamedTuple):
    """One attribute of two contacts."""

    what: str
    weight: float
    """Weight in bits; negative if it speaks against a match."""
    agrees: bool


_NO_LIMIT = 64
"""More than the weight of any field."""

_MISSING = tuple(_Compared(field.name, -field.missing, agrees=False) for field in _FIELDS)
"""The comparison of each field if only one contact has a value."""

_AGAINST = tuple(_Compared(field.name, -field.against, agrees=False) for field in _FIELDS)
"""The comparison of each field if the values differ."""


@lru_cache(1_024)
def _reason(what: str, weight: float, agrees: bool) -> Reason:
    """Return a reason; cached, because thousands are equal."""
    return Reason(what=what, weight=weight, agrees=agrees)


def _reasons(compared: Iterable[_Compared]) -> tuple[Reason, ...]:
    """Return the reasons for and against a match."""
    return tuple([_reason(what, round(weight, 1), agrees) for what, weight, agrees in compared if weight])


class _Shared(NamedTuple):
    """Members that two chatrooms share."""

    number: int
    part: float
    """Number of shared members."""


class _Scale:
    """Weights of agreement, by how often each value occurs in this login or among all known contacts."""

    def __init__(self, seen: Collection[Evidence], known: Collection[Evidence]) -> None:
        self._counts: dict[str, tuple[Counter[object], Counter[object]]] = {}
        for name in {*_CERTAIN, *_KEYS, *(field.name for field in _FIELDS)}:
            self._counts[name] = (_count(name, seen), _count(name, known))
        in_seen, in_known = (Counter(each.kind for each in people) for people in (seen, known))
        self._sizes = in_seen | in_known
        self._agreeing: dict[tuple[int, IdentityKind, int, int, bool], _Compared] = {}
        """Comparisons of equal values, by what their weight depends on: few, although most values are rare."""

    def count(self, name: str, kind: IdentityKind, value: object) -> int:
        """Return how many contacts have a value."""
        in_seen, in_known = self._counts[name]
        key = (kind, value)
        return max(in_seen.get(key, 0), in_known.get(key, 0))

    def _agreement(self, place: int, kind: IdentityKind, value: object, *, is_sound: bool) -> _Compared:
        """Return the comparison of a field whose values, or their sounds, are equal."""
        field = _FIELDS[place]
        # Its own bearer does not count; in a short list chance is judged by what is usual anywhere.
        others = self.count(field.sound if is_sound else field.name, kind, value) - 1
        # A small number is a counter, so many contacts have it.
        most = value.bit_length() if field.name == "avatar" and isinstance(value, int) else _NO_LIMIT
        key = (place, kind, others, most, is_sound)
        known = self._agreeing.get(key)
        if known is None:
            usual = 50 if field.is_text else 10
            chance = (others + usual * 2**-field.most) / (self._sizes[kind] + usual)
            weight = max(0.0, min(-math.log2(chance), most, field.most))
            known = (
                _Compared(field.sound, weight / 2, agrees=True)
                if is_sound
                else _Compared(field.name, weight, agrees=True)
            )
            self._agreeing[key] = known
        return known

    def compare(self, one: _Side, other: _Side) -> list[_Compared]:
        """Return the comparisons of two contacts; none if a match is not possible."""
        members = _shared_members(one, other)
        if _is_impossible(one, other, members):
            return []
        kind = one.evidence.kind
        found: list[_Compared] = []
        for place, (mine, theirs) in enumerate(zip(one.values, other.values, strict=True)):
            if mine == theirs:
                if mine:
                    found.append(self._agreement(place, kind, mine, is_sound=False))
            elif not mine or not theirs:
                found.append(_MISSING[place])
            elif place < len(one.sounds) and one.sounds[place] and one.sounds[place] == other.sounds[place]:
                found.append(self._agreement(place, kind, one.sounds[place], is_sound=True))
            else:
                found.append(_AGAINST[place])
        if members is not None:
            agrees = members.part >= _SAME_MEMBERS
            most = min(_SHARED_MEMBER * members.number, _ALL_MEMBERS)
            weight = members.part * most if agrees else -_OTHER_MEMBERS
            found.append(_Compared("members", weight, agrees))
        return found


def _count(name: str, people: Collection[Evidence]) -> Counter[object]:
    """Count how many contacts have each value, by attribute."""
    return Counter((each.kind, value) for each in people if (value := getattr(each, name)))


def _is_impossible(one: _Side, other: _Side, members: _Shared | None) -> bool:
    """Return whether a match is not possible: the surest common attribute differs, or nearly all members differ."""
    for mine, theirs in zip(_marks_of(one.evidence), _marks_of(other.evidence), strict=True):
        if mine and theirs:
            return bool(mine != theirs)
    return members is not None and members.part < _STRANGE_MEMBERS


def _shared_members(one: _Side, other: _Side) -> _Shared | None:
    """Return the number of members that two chatrooms share, by number or by nickname; 0 if one list is not known."""
    ours, theirs = one.evidence.members, other.evidence.members
    if not ours or not theirs:
        return None
    shared = len(friends := one.members & other.members)
    if shared < min(len(ours), len(theirs)):
        marks = {mark for mark, number in ours if number not in friends}
        shared += len(marks & {mark for mark, number in theirs if number not in friends})
    return _Shared(shared, shared / (len(ours) + len(theirs) - shared))


def _certain_pairs(ours: Sequence[_Side], theirs: Sequence[_Side], scale: _Scale) -> Iterator[tuple[int, int, str]]:
    """Return pairs of contacts and identities that share a unique mark, unless a stronger one contradicts."""
    for mark in _CERTAIN:
        bearers: dict[tuple[IdentityKind, object], int] = {}
        for place, (evidence, *_) in enumerate(theirs):
            value = getattr(evidence, mark)
            if value and scale.count(mark, evidence.kind, value) == 1:
                bearers[evidence.kind, value] = place
        for place, side in enumerate(ours):
            found = bearers.get((side.evidence.kind, getattr(side.evidence, mark)))
            if found is None:
                continue
            other = theirs[found]
            if not _is_impossible(side, other, _shared_members(side, other)):
                yield place, found, mark


class _Bearers:
    """
    The places of contacts by the value of an attribute; most values have one bearer, so few lists are made.

    Args:
        sides: All contacts.
        places: The places of those that count.
        name: Name of the attribute.
        among: Only the values that these have too.
    """

    def __init__(
        self, sides: Sequence[_Side], places: Iterable[int], name: str, *, among: _Bearers | None = None
    ) -> None:  # fmt: skip
        self.first: dict[object, int] = {}
        """The first bearer of each value, by kind and value."""
        self._more: defaultdict[object, list[int]] = defaultdict(list)
        value_of = attrgetter("kind", name)
        for place in places:
            key = value_of(sides[place].evidence)
            if key[1] and (among is None or key in among.first) and self.first.setdefault(key, place) != place:
                self._more[key].append(place)

    def of(self, value: object) -> list[int]:
        """Return the bearers of a value that has some."""
        return [self.first[value], *self._more.get(value, ())]


def _likely_pairs(
    ours: Sequence[_Side], theirs: Sequence[_Side], left: Iterable[int], free: Collection[int]
) -> set[tuple[int, int]]:
    """Return pairs of contacts and identities that share a rare value."""
    pairs: set[tuple[int, int]] = set()
    # One key after the other: the holders of all values together need more memory than the contacts.
    for name in _KEYS:
        bearers = _Bearers(theirs, free, name)
        sharing = _Bearers(ours, left, name, among=bearers)
        for value in sharing.first:
            ones, others = sharing.of(value), bearers.of(value)
            if len(ones) * len(others) <= _CROWD:
                pairs.update([(one, other) for one in ones for other in others])
    by_member: defaultdict[object, list[int]] = defaultdict(list)
    for other in free:
        for member in _member_keys(theirs[other]):
            by_member[member].append(other)
    for one in left:
        members = [member for member in _member_keys(ours[one]) if member in by_member]
        for member in sorted(members, key=lambda member: len(by_member[member]))[:_RAREST]:
            pairs.update((one, other) for other in by_member[member])
    return pairs


def _member_keys(side: _Side) -> Iterator[tuple[str, int]]:
    for mark, number in side.evidence.members:
        yield "mark", mark
        if number:
            yield "number", number


def _clear_pairs(scores: Mapping[tuple[int, int], float], enough: float) -> list[tuple[int, int]]:
    """Return the pairs that are each other's best match, heavy enough, and well ahead of the second best."""
    of_ours: defaultdict[int, list[float]] = defaultdict(list)
    of_theirs: defaultdict[int, list[float]] = defaultdict(list)
    for (one, other), score in scores.items():
        of_ours[one].append(score)
        of_theirs[other].append(score)
    return [
        (one, other)
        for (one, other), score in scores.items()
        if score >= enough and _is_ahead(score, of_ours[one]) and _is_ahead(score, of_theirs[other])
    ]


def _is_ahead(score: float, scores: Iterable[float]) -> bool:
    """Return whether no other score is close to one."""
    return sum(each > score - AHEAD for each in scores) == 1
