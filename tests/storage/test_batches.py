"""What of a batch is new, whatever engine stores it."""

from __future__ import annotations

import pytest
from tests.storage.arrivals import OWN, arrival, contact_change, message

from webwx.storage.batches import digest_of_body, items_of, new_items


def test_texts_that_came_as_events_are_the_same_items_as_those_that_came_raw() -> None:
    folded = arrival(message("1", "one"), message("2", "two"))
    assert folded.texts

    items = items_of(folded, OWN)
    assert [bytes(each.raw) for each in items] == [message("1", "one"), message("2", "two")]
    assert [each.message_id for each in items] == ["1", "2"]


def test_a_message_is_new_once_and_another_one_of_its_id_is_a_conflict() -> None:
    items = items_of(arrival(message("1", "one"), message("1", "one"), message("1", "other"), message("2")), OWN)
    known: dict[str, tuple[int, ...]] = {}

    new, conflicts = new_items(items, known, is_repeated=False)
    assert [bytes(each.raw) for each, _ in new] == [message("1", "one"), message("1", "other"), message("2")]
    assert conflicts == 1
    assert new_items(items, known, is_repeated=False) == ([], 0)


@pytest.mark.parametrize("is_repeated", [True, False])
def test_what_has_no_id_is_new_unless_its_whole_batch_came_again(is_repeated: bool) -> None:
    batch = arrival(contact_change("x"))
    new, conflicts = new_items(items_of(batch, OWN), {}, is_repeated=is_repeated)

    assert (len(new), conflicts) == (not is_repeated, 0)
    assert digest_of_body(batch) == digest_of_body(arrival(contact_change("x"))) is not None


def test_a_batch_of_messages_needs_no_digest_of_its_body() -> None:
    assert digest_of_body(arrival(message("1"))) is None
