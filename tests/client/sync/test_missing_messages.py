"""Messages that an answer announces and does not hold: how often, and for how long, they are waited for."""

from __future__ import annotations

import pytest
from tests.client.conftest import position

from webwx.client.sync.missing_messages import MIN_FETCHES, MIN_SECONDS, MissingMessages
from webwx.errors import MessagesMissing
from webwx.flows.sync import Batch


def batch(missing: int) -> Batch:
    return Batch(items=(), fetch_key=position(9), check_key=position(9), skey="", has_more=False, missing=missing)


@pytest.fixture
def missing() -> MissingMessages:
    return MissingMessages()


def test_a_complete_answer_is_not_waited_for(missing: MissingMessages) -> None:
    assert not missing.is_given_up(position(1), batch(0), 0.0)
    assert not missing.is_waiting


def test_missing_messages_are_waited_for_in_enough_fetches_and_long_enough(missing: MissingMessages) -> None:
    for number in range(MIN_FETCHES):
        with pytest.raises(MessagesMissing, match="3 of the messages"):
            missing.is_given_up(position(1), batch(3), number)
        assert missing.is_waiting
    assert missing.is_given_up(position(1), batch(3), MIN_SECONDS)
    assert not missing.is_waiting


def test_long_enough_is_not_enough(missing: MissingMessages) -> None:
    for number in range(MIN_FETCHES - 1):
        with pytest.raises(MessagesMissing):
            missing.is_given_up(position(1), batch(1), number * MIN_SECONDS)
    assert missing.is_given_up(position(1), batch(1), MIN_FETCHES * MIN_SECONDS)


def test_each_position_counts_on_its_own(missing: MissingMessages) -> None:
    for number in range(2 * MIN_FETCHES):
        with pytest.raises(MessagesMissing):
            missing.is_given_up(position(number), batch(1), number * MIN_SECONDS)


def test_a_complete_answer_in_between_begins_the_count_again(missing: MissingMessages) -> None:
    for _ in range(2):
        for number in range(MIN_FETCHES):
            with pytest.raises(MessagesMissing):
                missing.is_given_up(position(1), batch(1), number)
        assert not missing.is_given_up(position(1), batch(0), MIN_SECONDS)


def test_missing_messages_are_given_up_once_for_each_position(missing: MissingMessages) -> None:
    for number in range(MIN_FETCHES):
        with pytest.raises(MessagesMissing):
            missing.is_given_up(position(1), batch(1), number)
    assert missing.is_given_up(position(1), batch(1), MIN_SECONDS)
    assert not missing.is_given_up(position(1), batch(1), MIN_SECONDS + 1)
    with pytest.raises(MessagesMissing):
        missing.is_given_up(position(2), batch(1), MIN_SECONDS + 2)
