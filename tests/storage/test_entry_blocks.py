"""The numbers that a query with times reads."""

from __future__ import annotations

import pytest

from webwx.storage.entries import EntryQuery
from webwx.storage.entry_blocks import BLOCK, FoundBlocks, NumberSpan, spans_of

REST = NumberSpan(10 * BLOCK)
"""The entries behind the last stored block."""


@pytest.mark.parametrize(
    ("since", "until", "first", "last", "spans"),
    [
        (5, 0, 3, 9, [NumberSpan(3 * BLOCK)]),
        (5, 0, None, 9, [REST]),
        (0, 5, 0, 7, [REST, NumberSpan(0, 8 * BLOCK)]),
        (0, 5, 0, None, [REST]),
        (5, 6, 3, 7, [REST, NumberSpan(3 * BLOCK, 8 * BLOCK)]),
        (5, 6, 8, 7, [REST]),
        (5, 6, None, 7, [REST]),
    ],
)
def test_a_query_reads_the_numbers_that_its_times_do_not_exclude(
    since: float, until: float, first: int | None, last: int | None, spans: list[NumberSpan]
) -> None:
    assert spans_of(EntryQuery(since=since, until=until), FoundBlocks(10, first, last)) == spans
