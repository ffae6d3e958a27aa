"""Detection of the new items of a batch."""

from __future__ import annotations

import msgspec
import pytest
from tests.storage.arrivals import arrival, contact_change, message

from webwx.storage.batches import digest_of_body, gap_after_purge, missed_entries, new_items


def test_a_message_is_new_once_and_a_different_one_with_its_id_is_a_conflict() -> None:
    items = arrival(message("1", "one"), message("1", "one"), message("1", "other"), message("2")).items
    known: dict[str, tuple[int, ...]] = {}

    new, conflicts = new_items(items, known, is_repeated=False)
    assert [bytes(each.raw) for each, _ in new] == [message("1", "one"), message("1", "other"), message("2")]
    assert conflicts == 1
    assert new_items(items, known, is_repeated=False) == ([], 0)


@pytest.mark.parametrize("is_repeated", [True, False])
def test_an_item_without_an_id_is_new_unless_its_whole_batch_is_repeated(is_repeated: bool) -> None:
    batch = arrival(contact_change("x"))
    new, conflicts = new_items(batch.items, {}, is_repeated=is_repeated)

    assert (len(new), conflicts) == (not is_repeated, 0)
    assert digest_of_body(batch) == digest_of_body(arrival(contact_change("x"))) is not None


def test_a_batch_of_messages_needs_no_digest_of_its_body() -> None:
    assert digest_of_body(arrival(message("1"))) is None


def test_a_consumer_misses_the_deleted_entries_that_it_has_neither_read_nor_acknowledged() -> None:
    entries = [(1, 10), (2, 20), (3, 30), (4, 40)]
    assert missed_entries(entries, [(1, {4}), (4, ()), (2, {4})]) == {3: [20, 30]}
    assert missed_entries(entries, [(9, ())]) == {}


EARLIER = b'{"event":"continuity_lost","since":5.0,"until":9.0,"reason":"purged"}'
"""A gap as journals of earlier versions contain it."""


@pytest.mark.parametrize(
    ("before", "since"), [(None, 20), (gap_after_purge([5, 9], None), 5), (EARLIER, 5), (b"{damaged", 20)]
)
def test_a_gap_begins_with_the_gap_before_it(before: bytes | None, since: float) -> None:
    gap = msgspec.json.decode(gap_after_purge([20, 30], before))
    assert (gap["since"], gap["until"], gap["reason"]) == (since, 30, "purged")
