"""
What a consumer has handed out and what it is done with, noted at once where a kill of the process leaves it.

A commit takes milliseconds, so what is known of each entry by the journal alone is always a little old. A mark is one
byte of the consumer's lock file, mapped into memory: it costs no system call, and the kernel keeps it when the process
is killed, but not when the machine loses its power. So marks are read only in the boot that they were made in, for the
journal that was open then; else an entry counts as handed out when it may have been.

There is a byte for each of the next entries behind the last one up to which all is done. What lies further behind an
entry that is never done with has none; once there is room for it, it counts as handed out.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE = 32_768
"""Entries that can be marked at once."""

TOKEN = 16
"""Bytes that name one opening of a consumer, in the journal and here."""

_HANDED_OUT, _DONE = 1, 2

_MAGIC = b"wxmarks1"
_BOOT = 36
_BASE = len(_MAGIC) + TOKEN + _BOOT
_HEAD = 128
_LENGTH = _HEAD + SIZE


class Left(NamedTuple):
    """What the last process to have a consumer open has left of it."""

    acked: int
    """All up to here is done with."""
    exact_to: int
    """Up to here the two that follow say all of the rest; any further entry may have been handed out."""
    handed_out: frozenset[int] = frozenset()
    """And not done with."""
    done: frozenset[int] = frozenset()

    def may_be_handed_out(self, number: int) -> bool:
        """Return whether an entry may have been handed out, whatever became of it."""
        return not self.acked < number <= self.exact_to or number in self.handed_out or number in self.done


class Marks:
    """
    The marks of one consumer.

    Args:
        handle: Its lock file, which this process has locked.
    """

    def __init__(self, handle: int) -> None:
        boot = _read_boot()
        mapped = _map(handle) if boot else None
        self._boot = boot.ljust(_BOOT)
        self._bytes: mmap.mmap | bytearray = bytearray(_LENGTH) if mapped is None else mapped
        self._base = 0
        self._unmarked_to = 0
        """Entries up to here may have been handed out where there was no room to mark them."""

    def read(self, token: bytes, *, acked: int, started: int) -> Left:
        """
        Return what the last process has left.

        Args:
            token: What the journal calls that opening.
            acked: All up to here is done with, as the journal knows.
            started: All up to here may have been handed out.
        """
        head = self._bytes[:_BASE]
        base = int.from_bytes(self._bytes[_BASE : _BASE + 8], "little")
        if len(token) != TOKEN or head != self._head(token) or base > acked:
            return Left(acked, acked)
        numbers = range(acked + 1, min(started, base + SIZE) + 1)
        marks = {number: self._bytes[_HEAD + number % SIZE] for number in numbers}
        return Left(
            acked,
            max(acked, base + SIZE),
            frozenset(number for number, mark in marks.items() if mark == _HANDED_OUT),
            frozenset(number for number, mark in marks.items() if mark == _DONE),
        )

    def begin(self, token: bytes, acked: int, handed_out: Iterable[int]) -> None:
        """
        Begin anew, as soon as the journal has stored the token.

        Args:
            token: What this opening is called.
            acked: All up to here is done with.
            handed_out: What may have been handed out since.
        """
        self._bytes[: len(_MAGIC)] = bytes(len(_MAGIC))  # a process that dies from here on leaves nothing to be read
        self._bytes[_HEAD:_LENGTH] = bytes(SIZE)
        self._set_base(acked)
        for number in handed_out:
            self.hand_out(number)
        head = self._head(token)
        self._bytes[len(_MAGIC) : _BASE] = head[len(_MAGIC) :]
        self._bytes[: len(_MAGIC)] = _MAGIC

    def hand_out(self, number: int) -> None:
        """Mark an entry that is about to be handed out."""
        if 0 < number - self._base <= SIZE:
            self._bytes[_HEAD + number % SIZE] = _HANDED_OUT
        else:
            self._unmarked_to = max(self._unmarked_to, number)

    def be_done(self, number: int) -> None:
        """Mark an entry that is done with."""
        if 0 < number - self._base <= SIZE:
            self._bytes[_HEAD + number % SIZE] = _DONE

    def advance(self, acked: int) -> None:
        """Make room: the journal has stored that all up to here is done with."""
        if acked > self._base:
            first, count = max(self._base + SIZE, acked) + 1, min(acked - self._base, SIZE)
            unmarked = min(max(self._unmarked_to - first + 1, 0), count)
            marks = bytes([_HANDED_OUT]) * unmarked + bytes(count - unmarked)
            start, before_end = first % SIZE, SIZE - first % SIZE
            self._bytes[_HEAD + start : _HEAD + min(start + count, SIZE)] = marks[:before_end]
            self._bytes[_HEAD : _HEAD + max(start + count - SIZE, 0)] = marks[before_end:]
            self._set_base(acked)

    def close(self) -> None:
        """Unmap the file, whose lock would outlive its handle otherwise."""
        if isinstance(self._bytes, mmap.mmap):
            self._bytes.close()
        self._bytes = bytearray(_LENGTH)

    def _set_base(self, base: int) -> None:
        self._bytes[_BASE : _BASE + 8] = base.to_bytes(8, "little")
        self._base = base

    def _head(self, token: bytes) -> bytes:
        return _MAGIC + token + self._boot


def _map(handle: int) -> mmap.mmap | None:
    """Map a file, once it has room for all that is written there; None where that cannot be."""
    try:
        size = os.fstat(handle).st_size
        if size < _LENGTH:
            os.lseek(handle, size, os.SEEK_SET)
            os.write(handle, bytes(_LENGTH - size))  # a page without room on the disk would end the process
        return mmap.mmap(handle, _LENGTH) if os.fstat(handle).st_size >= _LENGTH else None
    except (OSError, ValueError):
        return None


def _read_boot() -> bytes:
    """Return what names this boot of the machine; empty where nothing does."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    except OSError:
        return b""
    return boot if len(boot) == _BOOT else b""
