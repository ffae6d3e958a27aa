"""The entries of a group note (接龙), which phones show as one numbered text."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from webwx.model.messages import GroupNoteEntry

if TYPE_CHECKING:
    from webwx.protocol.appmsg import SolitaireEntry

_NUMBER = re.compile(r"\d{1,6}\. ?\Z")
"""Number in front of an entry."""

_LONGEST_NUMBER = 8
"""Maximum length of the number in front of an entry, in characters."""

_BYTES = 2
"""Size in bytes of a unit of UTF-16, in which the platform counts places."""


def read_group_note(text: str, places: tuple[SolitaireEntry, ...]) -> tuple[str, tuple[GroupNoteEntry, ...]]:
    """
    Return the text before the first entry, and the entries.

    Args:
        text: The whole list.
        places: Places of the entries; without them, or if one is wrong, entries are found by their numbers.
    """
    return _by_place(text, places) or _by_number(text)


def _by_place(text: str, places: tuple[SolitaireEntry, ...]) -> tuple[str, tuple[GroupNoteEntry, ...]] | None:
    units, entries, end = text.encode("utf-16-le", "surrogatepass"), [], 0
    for place in places:
        begin, before = place.begin * _BYTES, end
        end = begin + place.length * _BYTES
        if not before <= begin < end <= len(units):
            return None
        entries.append(GroupNoteEntry(text=_decoded(units[begin:end]), author=place.author, time=place.time))
    if not entries:
        return None
    head = units[: places[0].begin * _BYTES]
    near = len(head) - _LONGEST_NUMBER * _BYTES
    title = _decoded(head[: max(near, 0)]) + _NUMBER.sub("", _decoded(head[max(near, 0) :]))
    return title.rstrip(), tuple(entries)


def _decoded(units: bytes) -> str:
    return units.decode("utf-16-le", "replace")


def _by_number(text: str) -> tuple[str, tuple[GroupNoteEntry, ...]]:
    """Find the entries in lines that begin with `1. `, `2. ` and so on."""
    starts: list[int] = []
    at = 0
    for line in text.splitlines(keepends=True):
        if line.startswith(f"{len(starts) + 1}. "):
            starts.append(at)
        at += len(line)
    starts.append(len(text))
    entries = tuple(GroupNoteEntry(text=text[begin:end].partition(". ")[2].rstrip()) for begin, end in pairwise(starts))
    return text[: starts[0]].rstrip(), entries
