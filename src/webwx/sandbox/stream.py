"""
The stream of changes that a session syncs from.

Every change has a number in its kind's counter, and a key is a position in each counter. An old key gets the same
changes again: nothing is lost with a lost answer, and this is where duplicates come from.
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
"""Where the counters start."""

_GAP = 1_000_000
"""Changes that a client may have heard of and a saved stream does not know."""


class ChangedContact(Wire, frozen=True, kw_only=True):
    """
    An entry of `ModContactList`.

    It has fewer fields than a contact, and some of its own: a client that replaces a contact by it instead of merging
    the two loses remarks' pinyin, owners and display names.
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
    """One thing that happened, as it will be delivered."""

    kind: SyncKeyKind
    number: int
    selector: Selector
    item: Item


class ChangeBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one fetch."""

    changes: tuple[Change, ...]
    key: SyncKey
    """The position behind the last change."""
    check_key: SyncKey
    """The key with the silent counter, if that has moved."""


class ChangeStream:
    """What has happened to one session since it began, oldest first."""

    def __init__(self, started: int) -> None:
        self._counters: dict[int, int] = {**_FIRST, SyncKeyKind.TIME: started}
        self._changes: list[Change] = []
        self._numbers: dict[int, list[int]] = {}
        """Of the changes of each kind."""
        self._places: dict[int, list[int]] = {}
        """Where they stand among all."""
        self._silent = 0

    @classmethod
    def resume(cls, counters: Mapping[int, int], changes: Iterable[Change], silent: int) -> ChangeStream:
        """
        Go on with a stream that was saved.

        Its counters leave a gap, so that who has heard of changes that were never saved misses none that come now.
        """
        stream = cls(0)
        for change in changes:
            stream._append(change)
        stream._counters = {kind: number + _GAP * (kind in _FIRST) for kind, number in counters.items()}
        stream._silent = silent
        return stream

    @property
    def counters(self) -> dict[int, int]:
        """The numbers of the last change of each kind."""
        return dict(self._counters)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Everything, oldest first."""
        return tuple(self._changes)

    @property
    def silent(self) -> int:
        """How many changes there were that deliver nothing."""
        return self._silent

    @property
    def newest(self) -> SyncKey:
        """The position behind everything."""
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

    def add_silent(self) -> None:
        """Count a change that delivers nothing."""
        self._silent += 1

    def fetch(self, key: SyncKey, limit: int) -> ChangeBatch:
        """Return the oldest changes behind a key, and the key behind them."""
        position = self._position(key)
        changes = tuple(islice(self._behind(position), limit))
        position |= {change.kind: change.number for change in changes}
        silent = {_SILENT: self._silent} if self._silent else {}
        return ChangeBatch(changes=changes, key=_key(position), check_key=_key(position | silent))

    def selector(self, key: SyncKey) -> Selector:
        """Return what is pending behind a key."""
        first = next(self._behind(self._position(key)), None)
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
        """Read a key: a counter that is too new counts as the newest, a missing one as the first."""
        given = {pair.key: pair.val for pair in key.list}
        return {kind: min(given.get(kind, _FIRST.get(kind, newest)), newest) for kind, newest in self._counters.items()}


def _key(position: Mapping[int, int]) -> SyncKey:
    return SyncKey(count=len(position), list=tuple(KeyValue(key=int(kind), val=val) for kind, val in position.items()))
