"""
Marks of delivered and acknowledged entries, which survive a kill of the process at once.

A commit takes milliseconds, so the stored state of a consumer is always slightly old. A mark is one byte of the
consumer's lock file, mapped into memory: it costs no system call, and the kernel keeps it when the process is killed,
but not in a power failure. So marks are read only in the boot in which they were written, and for the same opening of
the consumer; otherwise every entry that may have been delivered counts as delivered.

There is one byte for each of the `SIZE` entries after the last number up to which all are acknowledged. Entries further
ahead, behind one that is not acknowledged, have no mark; once there is room for them, they count as delivered.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE = 32_768
"""Number of entries that can be marked at once."""

TOKEN = 16
"""Length in bytes of the token that identifies one opening of a consumer, in the journal and in the file."""

_DELIVERED, _DONE = 1, 2

_MAGIC = b"wxmarks1"
_BOOT = 36
_BASE = len(_MAGIC) + TOKEN + _BOOT
_HEAD = 128
_LENGTH = _HEAD + SIZE


class Left(NamedTuple):
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
        handle: Handle of the consumer's lock file, which this process has locked.
    """

    def __init__(self, handle: int) -> None:
        boot = _read_boot()
        mapped = _map(handle) if boot else None
        self._boot = boot.ljust(_BOOT)
        self._handle = handle
        self._bytes: mmap.mmap | bytearray = bytearray(_LENGTH) if mapped is None else mapped
        self._base = 0
        self._unmarked_to = 0
        """Entries up to this number may have been delivered without a mark, because there was no room."""

    def read(self, token: bytes, *, acked: int, started: int) -> Left:
        """
        Return the marks of the last process.

        Args:
            token: Token of the last opening, from the journal.
            acked: All entries up to this number are acknowledged, according to the journal.
            started: Entries up to this number may have been delivered, according to the journal.
        """
        stored = self._read_all()
        head, base = stored[:_BASE], int.from_bytes(stored[_BASE : _BASE + 8], "little")
        if len(token) != TOKEN or head != self._head(token) or base > acked:
            return Left(acked, acked)
        numbers = range(acked + 1, min(started, base + SIZE) + 1)
        marks = {number: stored[_HEAD + number % SIZE] for number in numbers}
        return Left(
            acked,
            max(acked, base + SIZE),
            frozenset(number for number, mark in marks.items() if mark == _DELIVERED),
            frozenset(number for number, mark in marks.items() if mark == _DONE),
        )

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
            self._bytes[_HEAD + number % SIZE] = _DELIVERED
        else:
            self._unmarked_to = max(self._unmarked_to, number)

    def add_done(self, number: int) -> None:
        """Mark an acknowledged entry."""
        if 0 < number - self._base <= SIZE:
            self._bytes[_HEAD + number % SIZE] = _DONE

    def advance(self, acked: int) -> None:
        """Make room after the journal has stored that all entries up to a number are acknowledged."""
        if acked > self._base:
            first, count = max(self._base + SIZE, acked) + 1, min(acked - self._base, SIZE)
            unmarked = min(max(self._unmarked_to - first + 1, 0), count)
            marks = bytes([_DELIVERED]) * unmarked + bytes(count - unmarked)
            start, before_end = first % SIZE, SIZE - first % SIZE
            self._bytes[_HEAD + start : _HEAD + min(start + count, SIZE)] = marks[:before_end]
            self._bytes[_HEAD : _HEAD + max(start + count - SIZE, 0)] = marks[before_end:]
            self._set_base(acked)

    def close(self) -> None:
        """Unmap the file; otherwise its lock would remain after its handle is closed."""
        if isinstance(self._bytes, mmap.mmap):
            self._bytes.close()
        self._bytes = bytearray(_LENGTH)

    def _read_all(self) -> bytes:
        """Read the file without the mapping, whose pages count as memory of the process once they are read."""
        with contextlib.suppress(OSError):
            if isinstance(self._bytes, mmap.mmap):
                return os.pread(self._handle, _LENGTH, 0)
        return bytes(self._bytes)

    def _clear(self) -> None:
        """Remove all marks, also without the mapping: a consumer that is idle uses few of its pages."""
        with contextlib.suppress(OSError):
            if isinstance(self._bytes, mmap.mmap) and os.pwrite(self._handle, bytes(SIZE), _HEAD) == SIZE:
                return
        self._bytes[_HEAD:_LENGTH] = bytes(SIZE)

    def _set_base(self, base: int) -> None:
        self._bytes[_BASE : _BASE + 8] = base.to_bytes(8, "little")
        self._base = base

    def _head(self, token: bytes) -> bytes:
        return _MAGIC + token + self._boot


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
