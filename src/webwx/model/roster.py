"""
Thousands of packed contacts, most of which are read one by one or never.

Each stays as delivered until it is read. Ids and names are found by 64-bit hashes.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_right
from functools import lru_cache, partial
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self

    from webwx.model.contacts import Contact, Listing

_BLOCK = 32 * 1024
"""Size in bytes of a block of contacts that is compressed as one; a larger contact is a block of its own."""

STAY_READ = 128
"""Number of decoded people to cache."""

STAY_READ_CHATROOMS = 8
"""Number of decoded chatrooms to cache; each is as large as all its members."""


class Places:
    """
    Positions of texts in a list, by 64-bit hashes; a collision is practically impossible.

    An array of numbers, where a `dict` would need ten times the memory. With many friends it is used for each message.

    Args:
        hashes: Hashes of all texts, in their order.
    """

    __slots__ = ("_hashes", "_last", "_table", "again")

    def __init__(self, hashes: array[int]) -> None:
        free = array("H" if len(hashes) < 2**16 else "I", (0,))
        self._table = table = free * (1 << (len(hashes) * 2).bit_length())
        """Hash table of positions, counted from 1, each after its hash or in the next free slot; 0 is a free slot."""
        self._last = last = len(table) - 1
        self.again: dict[int, list[int]] = {}
        """Further positions of texts that occur several times, by the first position."""
        self._hashes = hashes = array("q", (0,)) + hashes  # counted from 1, too
        for place in range(1, len(hashes)):
            wanted = hashes[place]
            at = wanted & last
            while (found := table[at]) and hashes[found] != wanted:
                at = (at + 1) & last
            if found:
                self.again.setdefault(found - 1, []).append(place - 1)
            else:
                table[at] = place

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Build the positions from texts."""
        return cls(array("q", map(hash, texts)))

    def __contains__(self, text: str) -> bool:
        return self.first(text) >= 0

    def __len__(self) -> int:
        return len(self._hashes) - 1

    def find(self, text: str) -> list[int]:
        """Return the positions of a text, in order."""
        first = self.first(text)
        return [] if first < 0 else [first, *self.again.get(first, ())]

    def first(self, text: str) -> int:
        """Return the first position of a text; -1 if the text does not occur."""
        wanted, hashes, table, last = hash(text), self._hashes, self._table, self._last
        at = wanted & last
        while (found := table[at]) and hashes[found] != wanted:
            at = (at + 1) & last
        return found - 1


class _Records:
    """Delivered bytes of contacts by position: raw, then compressed."""

    def __init__(self, raws: list[bytes | msgspec.Raw]) -> None:
        self._raws: list[bytes | msgspec.Raw] | None = raws
        self._firsts = array("L")
        """Position of each block's first contact."""
        self._blocks: list[tuple[array[int], bytes]] = []
        """Compressed contacts of each block, and the offsets where they end."""
        self._last: tuple[int, list[bytes]] = (-1, [])
        """The block that was read last, for contacts beside it."""

    def pack(self) -> None:
        """Compress all contacts, in any thread; concurrent readers are not affected."""
        raws = self._raws
        if raws is None:
            return
        firsts, blocks = array("L"), []
        begin = size = 0
        for place, raw in enumerate(raws):
            weight = memoryview(raw).nbytes
            if place > begin and size + weight > _BLOCK:
                firsts.append(begin)
                blocks.append(_compressed(raws[begin:place]))
                begin, size = place, 0
            size += weight
        firsts.append(begin)
        blocks.append(_compressed(raws[begin:]))
        self._firsts, self._blocks = firsts, blocks
        self._raws = None  # not before: until now it is read

    def read(self, place: int) -> bytes:
        """Return the delivered parts of a contact."""
        raws = self._raws
        if raws is not None:
            return bytes(raws[place])
        number = bisect_right(self._firsts, place) - 1
        last = self._last
        if last[0] != number:
            ends, packed = self._blocks[number]
            whole = zlib.decompress(packed)
            last = self._last = (number, [whole[start:end] for start, end in pairwise((0, *ends))])
        return last[1][place - self._firsts[number]]


def _compressed(raws: Sequence[bytes | msgspec.Raw]) -> tuple[array[int], bytes]:
    ends = array("L", accumulate(memoryview(raw).nbytes for raw in raws))
    return ends, zlib.compress(b"".join(raws), 1)


class Roster(Protocol):
    """Contacts that do not change; `Contacts` stores changes on top of one."""

    is_kept: bool
    """Whether the journal has the contacts."""
    ids: Places
    """Ids of the contacts."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Contact]:
        """Decode all contacts, in pieces; with many contacts this takes long, so it runs in another thread."""
        ...

    def get(self, contact_id: str) -> Contact | None:
        """Return the contact with this id; reads at most one row."""
        ...

    def named(self, name: str) -> list[Contact]:
        """List the contacts with this nickname or this remark."""
        ...

    def pack(self) -> None:
        """Compress contacts that are not compressed yet, in any thread."""
        ...


class PackedRoster:
    """
    Contacts that do not change; for one that was listed several times, all parts count.

    Args:
        listing: The contacts as delivered.
        read: Creates a contact from all its parts, oldest first; None if they cannot be decoded.
        is_chatroom: Returns whether an id is a chatroom's.
    """

    is_kept = False

    def __init__(
        self,
        listing: Listing,
        read: Callable[[Sequence[bytes]], Contact | None],
        is_chatroom: Callable[[str], bool],
    ) -> None:
        self.ids = Places(listing.hashes)
        self._records = records = _Records(listing.raws)
        self._count = len(self.ids) - sum(map(len, self.ids.again.values()))
        self._read = read
        self._names: tuple[Places, array[int]] | None = None
        """All names, and for each name the contacts that have it."""
        self._is_chatroom = is_chatroom
        # Nothing stored here may refer back to this object: the cycle would outlive the login until garbage collection.
        find = partial(_find, self.ids, records, read)
        self._person = lru_cache(STAY_READ)(find)
        self._chatroom = lru_cache(STAY_READ_CHATROOMS)(find)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Contact]:
        return (contact for _, contact in self._placed())

    def _placed(self) -> Iterator[tuple[int, Contact]]:
        """Decode all contacts, each with its first position."""
        read, more = self._records.read, self.ids.again
        again = set(chain.from_iterable(more.values()))
        for place in range(len(self.ids)):
            if place not in again:
                parts = [read(place)]
                if place in more:
                    parts += map(read, more[place])
                contact = self._read(parts)
                if contact is not None:
                    yield place, contact

    def get(self, contact_id: str) -> Contact | None:
        """Return the contact with this id."""
        if contact_id not in self.ids:
            return None
        return self._chatroom(contact_id) if self._is_chatroom(contact_id) else self._person(contact_id)

    def named(self, name: str) -> list[Contact]:
        """List the contacts with this nickname or this remark; the first call decodes all of them once."""
        if self._names is None:
            hashes, places = array("q"), array("I")
            for place, contact in self._placed():
                for each in {contact.nickname, contact.remark} - {""}:
                    hashes.append(hash(each))
                    places.append(place)
            self._names = Places(hashes), places
        names, places = self._names
        met = [self._read([self._records.read(places[each])]) for each in names.find(name)]
        found = [self.get(each.id) for each in met if each is not None]
        return [each for each in found if each is not None and name in {each.nickname, each.remark}]

    def pack(self) -> None:
        """Compress contacts that are not compressed yet, in any thread."""
        self._records.pack()


def _find(
    ids: Places, records: _Records, read: Callable[[Sequence[bytes]], Contact | None], contact_id: str
) -> Contact | None:
    return read([records.read(place) for place in ids.find(contact_id)])
