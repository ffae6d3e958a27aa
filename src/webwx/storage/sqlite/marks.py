"""
Marks of delivered and acknowledged entries, which survive a kill of the process at once.

A commit takes milliseconds, so the stored state of a consumer is always slightly old. A mark is one byte of the
consumer's lock file, mapped into memory: it costs no system call, and the kernel keeps it when the process is killed,
but not in a power failure. So marks are read only in the boot in which they were written, and for the same opening of
the consumer; otherwise every entry that may have been delivered counts as delivered.

There is one byte for each of the `SIZE` entries after the last number up to which all are acknowledged. Entries further
ahead, behind one that is not acknowledged, have no mark; once there is room for them, they count as delivered.

A wrong mark would lose a message, so each byte has check bits, which depend on its place; so has the number before the
first mark. A flipped bit, or bytes of another place or of another program, make all marks invalid.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import zlib
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE = 32_768
"""Number of entries that can be marked at once."""

TOKEN = 16
"""Length in bytes of the token that identifies one opening of a consumer, in the journal and in the file."""

_NONE = b"".join(blake2b(place.to_bytes(4)).digest() for place in range(SIZE // 64))
"""The bytes without a mark, by place; a marked byte differs from it in at least four bits."""
_DELIVERED = _NONE.translate(bytes(each ^ 0x0F for each in range(256)))
_DONE = _NONE.translate(bytes(each ^ 0xF0 for each in range(256)))

_MAGIC = b"wxmarks2"
_BOOT = 36
_BASE = len(_MAGIC) + TOKEN + _BOOT
_BASE_SIZE = 5
"""Bytes of a number before the first mark; its check bits take three more."""
_HEAD = 128
_LENGTH = _HEAD + SIZE


_log = logging.getLogger("webwx.storage")


class EarlierMarks(NamedTuple):
    """The marks of the last process that had a consumer open."""

    acked: int
    """All entries up to this number are acknowledged."""
    exact_to: int
    """Up to this number, `delivered` and `done` are exact; any later entry may have been delivered."""
    delivered: frozenset[int] = frozenset()
    """Entries that were delivered and not acknowledged."""
    done: frozenset[int] = frozenset()
    """Entries that were acknowledged."""

    def may_be_delivered(self, number: int) -> bool:
        """Return whether an entry may have been delivered, acknowledged or not."""
        return not self.acked < number <= self.exact_to or number in self.delivered or number in self.done


class Marks:
    """
    The marks of one consumer.

    Args:
        handle: Handle of the consumer's lock file, which this process has locked. The lock ends with `close`.
        path: Path of the lock file.
    """

    def __init__(self, handle: int, path: Path) -> None:
        boot = _read_boot()
        mapped = _map(handle) if boot else None
        self._boot = boot.ljust(_BOOT)
        self._path = path
        self._handle: int | None = handle
        """The handle; None if the mapping, which has a copy of it, keeps the lock."""
        self._bytes: mmap.mmap | bytearray = bytearray(_LENGTH) if mapped is None else mapped
        if mapped is not None:  # a gateway has a consumer for each account and webhook, and a limit of open files
            os.close(handle)
            self._handle = None
        self._base = 0
        self._unmarked_to = 0
        """Entries up to this number may have been delivered without a mark, because there was no room."""

    def read(self, token: bytes, *, acked: int, started: int) -> EarlierMarks:
        """
        Return the marks of the last process.

        Args:
            token: Token of the last opening, from the journal.
            acked: All entries up to this number are acknowledged, according to the journal.
            started: Entries up to this number may have been delivered, according to the journal.
        """
        stored = self._read_all()
        head, base = stored[:_BASE], _read_base(stored[_BASE : _BASE + 8])
        if len(token) != TOKEN or head != self._head(token) or base is None or base > acked:
            return EarlierMarks(acked, acked)
        delivered, done = set[int](), set[int]()
        for number in range(acked + 1, min(started, base + SIZE) + 1):
            place = number % SIZE
            mark = stored[_HEAD + place]
            if mark == _DONE[place]:
                done.add(number)
            elif mark == _DELIVERED[place]:
                delivered.add(number)
            elif mark != _NONE[place]:
                _log.warning("The marks of a consumer are damaged; its last events may be delivered again.")
                return EarlierMarks(acked, acked)
        return EarlierMarks(acked, max(acked, base + SIZE), frozenset(delivered), frozenset(done))

    def begin(self, token: bytes, acked: int, delivered: Iterable[int]) -> None:
        """
        Replace all marks, as soon as the journal has stored the token.

        Args:
            token: Token of this opening.
            acked: All entries up to this number are acknowledged.
            delivered: Later entries that may have been delivered.
        """
        self._bytes[: len(_MAGIC)] = bytes(len(_MAGIC))  # invalid until the end, in case this process dies meanwhile
        self._clear()
        self._set_base(acked)
        for number in delivered:
            self.add_delivered(number)
        head = self._head(token)
        self._bytes[len(_MAGIC) : _BASE] = head[len(_MAGIC) :]
        self._bytes[: len(_MAGIC)] = _MAGIC

    def add_delivered(self, number: int) -> None:
        """Mark an entry that is about to be delivered."""
        if 0 < number - self._base <= SIZE:
            place = number % SIZE
            self._bytes[_HEAD + place] = _DELIVERED[place]
        else:
            self._unmarked_to = max(self._unmarked_to, number)

    def add_done(self, number: int) -> None:
        """Mark an acknowledged entry."""
        if 0 < number - self._base <= SIZE:
            place = number % SIZE
            self._bytes[_HEAD + place] = _DONE[place]

    def advance(self, acked: int) -> None:
        """Make room after the journal has stored that all entries up to a number are acknowledged."""
        if acked > self._base:
            first, count = max(self._base + SIZE, acked) + 1, min(acked - self._base, SIZE)
            unmarked = min(max(self._unmarked_to - first + 1, 0), count)
            self._fill(first, unmarked, _DELIVERED)
            self._fill(first + unmarked, count - unmarked, _NONE)
            self._set_base(acked)

    def _fill(self, first: int, count: int, marks: bytes) -> None:
        """Set the marks of consecutive entries, whose places may continue at the beginning."""
        start, end = first % SIZE, first % SIZE + count
        self._bytes[_HEAD + start : _HEAD + min(end, SIZE)] = marks[start:end]
        if end > SIZE:
            self._bytes[_HEAD : _HEAD + end - SIZE] = marks[: end - SIZE]

    def close(self) -> None:
        """Unmap the file and close its handle, which ends its lock."""
        if isinstance(self._bytes, mmap.mmap):
            self._bytes.close()
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)
        self._bytes = bytearray(_LENGTH)

    def _read_all(self) -> bytes:
        """Read the file without the mapping, whose pages count as memory of the process once they are read."""
        with contextlib.suppress(OSError):
            if isinstance(self._bytes, mmap.mmap):
                return self._path.read_bytes()
        return bytes(self._bytes)

    def _clear(self) -> None:
        """Remove all marks, also without the mapping: a consumer that is idle uses few of its pages."""
        with contextlib.suppress(OSError):
            if isinstance(self._bytes, mmap.mmap):
                with self._path.open("r+b", buffering=0) as file:
                    file.seek(_HEAD)
                    if file.write(_NONE) == SIZE:
                        return
        self._bytes[_HEAD:_LENGTH] = _NONE

    def _set_base(self, base: int) -> None:
        self._bytes[_BASE : _BASE + 8] = _write_base(base)
        self._base = base

    def _head(self, token: bytes) -> bytes:
        return _MAGIC + token + self._boot


def _write_base(base: int) -> bytes:
    """Encode the number before the first mark with check bits, in one word, which is written at once."""
    number = base.to_bytes(_BASE_SIZE, "little")
    return number + zlib.crc32(number).to_bytes(4, "little")[: 8 - _BASE_SIZE]


def _read_base(stored: bytes) -> int | None:
    """Decode the number before the first mark; None if it is damaged."""
    base = int.from_bytes(stored[:_BASE_SIZE], "little")
    return base if stored == _write_base(base) else None


def _map(handle: int) -> mmap.mmap | None:
    """Map a file after allocating its full length; None if that is impossible."""
    try:
        size = os.fstat(handle).st_size
        if size < _LENGTH:
            os.lseek(handle, size, os.SEEK_SET)
            os.write(handle, bytes(_LENGTH - size))  # writing to a mapped page without disk space kills the process
        return mmap.mmap(handle, _LENGTH) if os.fstat(handle).st_size >= _LENGTH else None
    except (OSError, ValueError):
        return None


def _read_boot() -> bytes:
    """Return the id of this boot of the machine; empty if the system has none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    except OSError:
        return b""
    return boot if len(boot) == _BOOT else b""
