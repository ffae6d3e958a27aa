"""Where a download goes: a file, with what must be known to judge it, so that it is never whole in memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO

from webwx.errors import LocalStateError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

START = 512
"""Bytes of the beginning that are kept: enough to know a kind of file, or the platform's refusal."""


class Overflow(ProtocolError):
    """More came than was to be taken."""


class DownloadSink:
    """
    Receives an answer's body piece by piece.

    Args:
        file: Target file.
        limit: Maximum number of bytes.
        progress: Called with the number of bytes so far after each piece.
    """

    def __init__(self, file: BinaryIO, limit: int, progress: Callable[[int], object] | None = None) -> None:
        self.size = 0
        """Bytes so far."""
        self.start = b""
        """The first of them."""
        self._file = file
        self._limit = limit
        self._progress = progress
        self._digest = hashlib.md5(usedforsecurity=False)

    @property
    def md5(self) -> str:
        """Of all so far, in hex."""
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        """
        Take the next piece.

        Raises:
            Overflow: It is more than this will take.
            LocalStateError: The disk is full, or in another way no disk to write to.
        """
        self.size += len(piece)
        if self.size > self._limit:
            raise Overflow(f"The answer is larger than {self._limit:,} bytes.")
        if len(self.start) < START:
            self.start += piece[: START - len(self.start)]
        self._digest.update(piece)
        left = memoryview(piece)
        try:
            while left:  # an unbuffered file writes what fits, and a full disk reports an error only in the next write
                left = left[self._file.write(left) :]
        except OSError as error:
            raise LocalStateError(f"The download cannot be kept: {error.strerror}.") from None
        if self._progress is not None:
            self._progress(self.size)
