"""The count of refused fetches, without a client."""

from __future__ import annotations

from webwx.client.sync.refused_fetches import MIN_REFUSALS, REFUSED_FOR, RefusedFetches


def test_items_are_given_up_after_enough_refusals_and_enough_time() -> None:
    refused = RefusedFetches()
    for _ in range(MIN_REFUSALS):
        refused.note(10.0, is_too_large=False)
    assert not refused.is_given_up(10.0 + REFUSED_FOR)
    assert refused.is_given_up(10.1 + REFUSED_FOR)


def test_few_refusals_give_nothing_up_however_long_ago() -> None:
    refused = RefusedFetches()
    assert not refused.is_given_up(1e9)
    for _ in range(MIN_REFUSALS - 1):
        refused.note(0.0, is_too_large=False)
    assert not refused.is_given_up(1e9)


def test_the_first_refusal_of_each_kind_is_new() -> None:
    refused = RefusedFetches()
    kinds = [False, False, True, True, False]
    assert [refused.note(0.0, is_too_large=kind) for kind in kinds] == [True, False, True, False, True]
    assert not refused.is_too_large
