"""
Blocks of entries: what is stored about each 512 consecutive numbers, once all of them are used.

**Times.** Entries are read in the order of their numbers, and the time at which a message was written does not follow
it: what arrives after a pause is older. A block has its earliest and its latest time, so a query with times reads only
numbers that a block does not exclude, and those that are in no stored block. A block whose entries were deleted stays,
which excludes less than it could.

**Counts.** A block has the number of its entries, from which a trigger subtracts those that are deleted. So the backlog
of a consumer is counted by blocks, and by entries only at both ends and behind the last block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from webwx.storage.entries import EntryQuery

BLOCK = 512
"""
Numbers in a block: a query reads about as many entries in vain, and at most one row for each block.

The triggers that subtract deleted entries contain it.
"""

MOST_BLOCKS = 64
"""Maximum number of blocks that are stored at a time."""


ALWAYS = float("inf")
"""The end of a query without one: the last block is early enough, and no other one is read."""


class FoundBlocks(NamedTuple):
    """What the stored blocks tell about the times of a query."""

    stored: int
    """The number behind the last stored block."""
    first: int | None
    """The first block with an entry that is late enough; None if there is none."""
    last: int | None
    """The last block with an entry that is early enough; None if there is none."""


class NumberSpan(NamedTuple):
    """A range of numbers."""

    first: int = 0
    end: int | None = None
    """The number behind the last one; None: all numbers from the first one on."""


def spans_of(query: EntryQuery, found: FoundBlocks) -> list[NumberSpan]:
    """Return the numbers whose entries a query with times has to read."""
    rest = found.stored * BLOCK
    first = 0
    if query.since:
        first = rest if found.first is None else found.first * BLOCK
    if not query.until:
        return [NumberSpan(first)]
    end = 0 if found.last is None else (found.last + 1) * BLOCK
    return [NumberSpan(max(first, rest)), *([NumberSpan(first, end)] if first < end else [])]
