"""The target of a download: a file, with the size, first bytes and digest that are needed to check it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO

from webwx.errors import LocalStateError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

START = 512
"""Number of first bytes that are kept: enough to recognize a kind of file, or the platform's refusal."""


class Overflow(ProtocolError):
    """The body is larger than its limit."""


class DownloadSink:
    """
    Receives an answer's body piece by piece.

    Args:
        file: Target file.
        limit: Maximum number of bytes.
        progress: Called with the number of bytes so far after each piece.
    """

    def __init__(self, file: BinaryIO, limit: int, progress: Callable[[int], object] | None = None) -> None:
        self.size: int = 0
        """Bytes so far."""
        self.start: bytes = b""
        """The first bytes."""
        self._file = file
        self._limit = limit
        self._progress = progress
        self._digest = hashlib.md5(usedforsecurity=False)

    @property
    def md5(self) -> str:
        """Hex MD5 of the bytes so far."""
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        """
        Write the next piece.

        Raises:
            Overflow: The body is larger than its limit.
            LocalStateError: The file cannot be written.
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
            raise LocalStateError(f"The download cannot be stored: {error.strerror}.") from None
        if self._progress is not None:
            self._progress(self.size)
