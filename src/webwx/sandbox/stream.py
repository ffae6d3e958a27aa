"""
The stream of changes that a session syncs from.

Every change has a number in its kind's counter, and a key is a position in each counter. An old key returns the same
changes again: nothing is lost with a lost answer, but duplicates are possible.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from webwx.protocol.codec import Wire
from webwx.protocol.codes import Selector, SyncKeyKind
from webwx.protocol.contacts import WireMember
from webwx.protocol.messages import WireMessage
from webwx.protocol.sync import DeletedContact, KeyValue, SyncKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SILENT = 201
"""Number of the counter that only `SyncCheckKey` has."""

_FIRST: dict[int, int] = {
    SyncKeyKind.CONTACTS: 700_000_001,
    SyncKeyKind.MESSAGES: 700_000_002,
    SyncKeyKind.PROFILE: 700_000_003,
}
"""First value of each counter."""

_GAP = 1_000_000
"""Gap in the counters after a restart: a client may have seen changes that were never saved."""


class ChangedContact(Wire, frozen=True, kw_only=True):
    """
    An entry of `ModContactList`.

    It has fewer fields than a contact, and some of its own: a client that replaces a contact by it, instead of merging
    the two, loses pinyin, owners and display names.
    """

    user_name: str
    nick_name: str = ""
    sex: int = 0
    head_img_update_flag: int = 1
    contact_type: int = 0
    alias: str = ""
    chat_room_owner: str = ""
    head_img_url: str = ""
    contact_flag: int = 0
    member_count: int = 0
    member_list: list[WireMember] = msgspec.field(default_factory=list)
    hide_input_bar_flag: int = 0
    signature: str = ""
    verify_flag: int = 0
    remark_name: str = ""
    statues: int = 0
    attr_status: int = 0
    province: str = ""
    city: str = ""
    sns_flag: int = 0
    key_word: str = ""


Item = WireMessage | ChangedContact | DeletedContact


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change, as it will be delivered."""

    kind: SyncKeyKind
    number: int
    selector: Selector
    item: Item


class ChangeBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one fetch."""

    changes: tuple[Change, ...]
    key: SyncKey
    """The key after the last change."""
    check_key: SyncKey
    """The key for polls, which includes the silent counter if it has moved."""


class ChangeStream:
    """All changes of one session, oldest first."""

    def __init__(self, started: int) -> None:
        self._counters: dict[int, int] = {**_FIRST, SyncKeyKind.TIME: started}
        self._changes: list[Change] = []
        self._numbers: dict[int, list[int]] = {}
        """Numbers of the changes, by kind."""
        self._places: dict[int, list[int]] = {}
        """Indexes of the changes in the whole stream, by kind."""
        self._message = 0
        """Number of the last change that polls announce as a message."""
        self._silent = 0

    @classmethod
    def resume(cls, counters: Mapping[int, int], changes: Iterable[Change], silent: int) -> ChangeStream:
        """
        Continue a stream that was saved.

        The counters skip some values, so that a client that has seen changes that were never saved misses none of the
        new ones.
        """
        stream = cls(0)
        for change in changes:
            stream._append(change)
        stream._counters = {kind: number + _GAP * (kind in _FIRST) for kind, number in counters.items()}
        stream._silent = silent
        return stream

    @property
    def counters(self) -> dict[int, int]:
        """Number of the last change, by kind."""
        return dict(self._counters)

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes, oldest first."""
        return tuple(self._changes)

    @property
    def silent(self) -> int:
        """Number of changes that deliver nothing."""
        return self._silent

    @property
    def newest(self) -> SyncKey:
        """The position after all changes."""
        return _key(self._counters)

    def add(self, item: Item, selector: Selector) -> None:
        """Append a change."""
        kind = SyncKeyKind.MESSAGES if isinstance(item, WireMessage) else SyncKeyKind.CONTACTS
        self._counters[kind] += 1
        self._append(Change(kind=kind, number=self._counters[kind], selector=selector, item=item))

    def _append(self, change: Change) -> None:
        self._numbers.setdefault(change.kind, []).append(change.number)
        self._places.setdefault(change.kind, []).append(len(self._changes))
        self._changes.append(change)
        if change.selector is Selector.MESSAGES:
            self._message = change.number

    def add_silent(self) -> None:
        """Count a change that delivers nothing."""
        self._silent += 1

    def fetch(self, key: SyncKey, limit: int) -> ChangeBatch:
        """Return the oldest changes after a key, and the key after them."""
        position = self._position(key)
        changes = tuple(islice(self._behind(position), limit))
        position |= {change.kind: change.number for change in changes}
        silent = {_SILENT: self._silent} if self._silent else {}
        return ChangeBatch(changes=changes, key=_key(position), check_key=_key(position | silent))

    def selector(self, key: SyncKey, *, is_oldest: bool = False) -> Selector:
        """
        Return the selector for the changes after a key.

        If a message is among them, the selector is that of messages: some clients fetch on no other one. With
        `is_oldest` it is always that of the oldest change.
        """
        position = self._position(key)
        if not is_oldest and position[SyncKeyKind.MESSAGES] < self._message:
            return Selector.MESSAGES
        first = next(self._behind(position), None)
        if first:
            return first.selector
        seen = next((pair.val for pair in key.list if pair.key == _SILENT), 0)
        return Selector.PHONE_ACTIVITY if seen < self._silent else Selector.NOTHING

    def _behind(self, position: Mapping[int, int]) -> Iterator[Change]:
        # From the first that is new, for a long stream is read to its end by its last part alone.
        firsts = [
            self._places[kind][bisect_right(numbers, position[kind])]
            for kind, numbers in self._numbers.items()
            if position[kind] < numbers[-1]
        ]
        places = range(min(firsts, default=len(self._changes)), len(self._changes))
        return (change for place in places if (change := self._changes[place]).number > position[change.kind])

    def _position(self, key: SyncKey) -> dict[int, int]:
        """Return the position of a key: a counter that is too new counts as the newest, a missing one as the first."""
        given = {pair.key: pair.val for pair in key.list}
        return {kind: min(given.get(kind, _FIRST.get(kind, newest)), newest) for kind, newest in self._counters.items()}


def _key(position: Mapping[int, int]) -> SyncKey:
    return SyncKey(count=len(position), list=tuple(KeyValue(key=int(kind), val=val) for kind, val in position.items()))
