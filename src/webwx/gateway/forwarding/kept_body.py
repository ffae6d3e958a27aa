"""The body of a request that is forwarded, kept for the answer if the node that runs the account is lost."""

from __future__ import annotations

import re

MOST_KEPT = 1024 * 1024
"""Maximum number of bytes that are kept of a body."""

MOST_READ = 64 * 1024 * 1024
"""Maximum number of bytes of a body that is kept at all."""

LONGEST_TEXT = 1024
"""Maximum number of bytes of a text of JSON that stays in a long body."""

_SLICE = 64 * 1024

_TEXT = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
"""A text of JSON up to its end, or up to an escape that is cut off."""


class KeptBody:
    """
    A body: whole if it is short; otherwise, as JSON, with empty texts instead of long ones, such as a file in base64.

    The names and short values of a long message stay, so it is known what it was.
    """

    def __init__(self) -> None:
        self._read = 0
        self._kept = bytearray()
        self._texts: _ShortTexts | None = None
        """Leaves out the long texts; None: the body is short so far."""
        self.is_kept = True
        """Whether all of the body so far is kept; false: it is too long also without long texts."""

    def __repr__(self) -> str:
        return f"KeptBody({self._read} bytes read, {len(self._kept)} kept)"

    def add(self, piece: bytes) -> None:
        """Keep a further piece."""
        self._read += len(piece)
        if not self.is_kept:
            return
        if self._texts is None and self._read > MOST_KEPT:
            before, self._kept, self._texts = bytes(self._kept), bytearray(), _ShortTexts()
            self._add_short(before)
        if self._texts is None:
            self._kept += piece
        else:
            self._add_short(piece)

    def _add_short(self, piece: bytes) -> None:
        assert self._texts is not None  # noqa: S101 - for the type checker
        for start in range(0, len(piece), _SLICE):
            self._kept += self._texts.of(piece[start : start + _SLICE])
        if len(self._kept) > MOST_KEPT or self._read > MOST_READ:
            self._kept.clear()
            self.is_kept = False

    def content(self) -> bytes | None:
        """Return the body as it is kept; None if it is too long."""
        return bytes(self._kept) if self.is_kept else None


class _ShortTexts:
    """Leaves out the long texts of JSON that arrives in pieces."""

    def __init__(self) -> None:
        self._is_in_text = False
        self._is_cut_escape = False
        """Whether the last piece has ended behind a backslash."""
        self._text = bytearray()
        self._is_long = False

    def of(self, piece: bytes) -> bytes:
        """Return a piece without what belongs to long texts; a text is returned at its end."""
        short, at = bytearray(), 0
        while at < len(piece):
            if not self._is_in_text:
                quote = piece.find(b'"', at)
                end = len(piece) if quote < 0 else quote + 1
                short += piece[at:end]
                self._is_in_text = quote >= 0
            elif self._is_cut_escape:
                end = at + 1
                self._is_cut_escape = False
                self._keep(piece[at:end])
            else:
                end = self._end_of_text(piece, at, short)
            at = end
        return bytes(short)

    def _end_of_text(self, piece: bytes, at: int, short: bytearray) -> int:
        """Read on in a text, and return where the rest begins."""
        found = _TEXT.match(piece, at)
        assert found is not None  # noqa: S101 - it matches nothing at all, too
        end = found.end()
        self._keep(piece[at:end])
        if end == len(piece):
            return end
        if piece[end : end + 1] == b'"':
            short += self._text + b'"'
            self._text.clear()
            self._is_in_text = self._is_long = False
        else:
            self._keep(piece[end : end + 1])
            self._is_cut_escape = True
        return end + 1

    def _keep(self, part: bytes) -> None:
        self._is_long = self._is_long or len(self._text) + len(part) > LONGEST_TEXT
        if self._is_long:
            self._text.clear()
        else:
            self._text += part
