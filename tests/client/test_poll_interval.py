"""The interval between polls: 0 while messages arrive, and longer with each round without changes."""

from __future__ import annotations

import pytest
from tests.client.conftest import position

from webwx.client.poll_interval import LONGEST, MANY_CHANGES, PollInterval


@pytest.fixture
def interval() -> PollInterval:
    return PollInterval()


def change_contacts(interval: PollInterval, *, batches: int, each: int = 1) -> None:
    for _ in range(batches):
        interval.count_batch(messages=0, others=each)
        for _ in range(each):
            interval.count_contact_change()


def test_the_interval_doubles_with_each_idle_poll_up_to_a_maximum(interval: PollInterval) -> None:
    seconds = []
    for _ in range(9):
        interval.count_idle_poll()
        seconds.append(interval.seconds)

    assert seconds == [0, 1, 2, 4, 8, 16, LONGEST, LONGEST, LONGEST]


def test_an_empty_batch_counts_as_much_as_an_idle_poll(interval: PollInterval) -> None:
    interval.count_idle_poll()
    interval.count_batch(messages=0, others=0)

    assert interval.seconds == 1


def test_a_batch_of_other_items_counts_half(interval: PollInterval) -> None:
    for _ in range(3):
        interval.count_batch(messages=0, others=5)
    assert interval.seconds == 0
    interval.count_batch(messages=0, others=5)
    assert interval.seconds == 1


def test_a_message_or_a_held_poll_resets_the_interval(interval: PollInterval) -> None:
    for reset in (lambda: interval.count_batch(messages=1, others=3), interval.reset):
        for _ in range(6):
            interval.count_idle_poll()
        assert interval.seconds
        assert interval.is_long_idle
        reset()
        assert not interval.seconds
        assert not interval.is_long_idle


def test_a_batch_of_known_messages_needs_no_interval_at_each_new_position(interval: PollInterval) -> None:
    for number in range(100):
        interval.count_idle_poll()
        assert interval.count_batch(messages=0, others=0, repeated_to=position(number))
        assert interval.seconds == 0
    waits = []
    for number in range(6):
        assert not interval.count_batch(messages=0, others=0, repeated_to=position(number))
        waits.append(interval.seconds)
    assert waits == [0, 1, 2, 4, 8, 16]


@pytest.mark.parametrize("end", ["begin_again", "end_catch_up", "reset"])
def test_positions_count_again_after_a_new_message_or_a_held_poll_or_when_the_server_goes_back(
    interval: PollInterval, end: str
) -> None:
    assert interval.count_batch(messages=0, others=0, repeated_to=position(1))
    assert not interval.count_batch(messages=0, others=0, repeated_to=position(1))
    getattr(interval, end)()
    assert interval.count_batch(messages=0, others=0, repeated_to=position(1))


def test_the_log_says_once_in_a_catch_up_that_known_messages_are_skipped(
    interval: PollInterval, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        for _ in range(3):
            interval.skip_known()
            interval.reset()
        interval.end_catch_up()
    assert len(caplog.messages) == 2


def test_few_changes_of_contacts_count_half_up_to_four_seconds(interval: PollInterval) -> None:
    change_contacts(interval, batches=3)
    assert interval.seconds == 0
    change_contacts(interval, batches=1)
    assert interval.seconds == 1
    change_contacts(interval, batches=10_000, each=MANY_CHANGES - 1)
    assert interval.seconds == 4
    assert interval.is_long_idle


def test_many_changes_of_contacts_need_no_interval(interval: PollInterval) -> None:
    change_contacts(interval, batches=10_000, each=MANY_CHANGES)

    assert interval.seconds == 0
    assert not interval.is_long_idle


def test_a_batch_with_a_message_and_a_change_of_a_contact_counts_as_one_with_a_message(interval: PollInterval) -> None:
    interval.count_idle_poll()
    interval.count_batch(messages=1, others=1)
    interval.count_contact_change()
    interval.count_idle_poll()
    assert interval.seconds == 0
    interval.count_idle_poll()
    assert interval.seconds == 1


def test_few_changes_of_contacts_do_not_shorten_the_interval(interval: PollInterval) -> None:
    for _ in range(6):
        interval.count_idle_poll()
    before = interval.seconds
    change_contacts(interval, batches=3)

    assert interval.seconds == before
