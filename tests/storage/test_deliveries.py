"""The state of a consumer that all engines count alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webwx.model.contacts import ContactId
from webwx.model.events import Item
from webwx.storage.deliveries import (
    Acknowledgements,
    ConsumerState,
    EarlierAttempts,
    Revival,
    Revivals,
    cleaned,
    state_of,
)
from webwx.storage.entries import Entry
from webwx.storage.tables.conversations import ConversationRow


def entry(number: int) -> Entry:
    return Entry(
        number=number, item=Item(kind="message"), own_id=ContactId("@me"), message_id=f"{number}",
        chat=ContactId("filehelper"), time=0,
    )  # fmt: skip


def new_state(**values: Any) -> ConsumerState:
    state = state_of(acked=0, started=0, is_open=False, isolated_to=0, ahead=(), failures=(), crashes={})
    return state._replace(**values)


@given(
    ahead=st.sets(st.integers(1, 20)),
    rounds=st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(1, 40)))),
)
def test_the_position_is_the_last_delivered_entry_before_which_all_are_acknowledged(
    ahead: set[int], rounds: list[tuple[int, set[int]]]
) -> None:
    position = Acknowledgements(0, ahead)
    delivered: list[int] = []
    acknowledged = set(ahead)
    following = 1
    for count, acks in rounds:
        numbers = [number for number in range(following, following + count) if number not in ahead]
        following += count
        position.deliver([entry(number) for number in numbers])
        delivered += numbers
        position.add(sorted(acks))
        acknowledged |= acks
        passed = [number for number in delivered if all(each in acknowledged for each in delivered if each <= number)]
        assert position.acked == (passed[-1] if passed else 0)
        assert position.ahead >= {each for each in acknowledged if each in delivered and each > position.acked}


def test_a_revived_entry_does_not_change_the_position() -> None:
    position = Acknowledgements(0, ())
    position.deliver([entry(1), entry(2)])
    position.add([1, 2])
    position.deliver([entry(1)])
    assert (position.acked, position.last_delivered) == (2, 2)


def test_a_dead_letter_counts_as_acknowledged_after_a_crash() -> None:
    state = state_of(
        acked=1, started=5, is_open=True, isolated_to=0, ahead=(3,),
        failures=[(2, 4, "dead"), (4, 1, "trying"), (1, 2, "revived")], crashes={},
    )  # fmt: skip
    assert state.ahead == {1, 2, 3}
    assert state.attempts == {4: 1, 1: 2}
    assert state.revived == {1}


@pytest.mark.parametrize(("has_crashed", "isolated_to"), [(True, 7), (False, 3)])
def test_entries_in_flight_in_a_crash_are_stored_for_the_next_one(has_crashed: bool, isolated_to: int) -> None:
    assert new_state(started=7, isolated_to=3, has_crashed=has_crashed).isolated_to_now == isolated_to


@pytest.mark.parametrize(
    ("state", "attempt", "crashes", "redelivered"),
    [
        pytest.param(new_state(), 1, 0, False, id="first attempt"),
        pytest.param(new_state(attempts={5: 2}), 3, 0, False, id="failed twice"),
        pytest.param(new_state(started=5), 2, 0, True, id="interrupted by a close"),
        pytest.param(new_state(started=5, has_crashed=True), 2, 1, True, id="interrupted by a crash"),
        pytest.param(new_state(started=5, has_crashed=True, isolated_to=5), 3, 2, True, id="two crashes"),
        pytest.param(new_state(started=5, attempts={5: 1}, crashes={5: 3}), 5, 3, True, id="crashes in isolation"),
    ],
)
def test_an_entry_names_its_earlier_attempts_and_crashes(
    state: ConsumerState, attempt: int, crashes: int, redelivered: bool
) -> None:
    (found,) = EarlierAttempts(state, lambda number: number <= state.started).annotate([entry(5)])
    assert (found.attempt, found.crashes, found.redelivered) == (attempt, crashes, redelivered)


def test_a_revived_entry_that_was_in_flight_in_a_crash_is_isolated() -> None:
    state = new_state(started=5, has_crashed=True, revived=frozenset((5,)), attempts={5: 1})
    (found,) = EarlierAttempts(state, lambda number: number <= state.started).annotate([entry(5)], is_revived=True)
    assert (found.attempt, found.crashes) == (3, 2)


def test_a_poison_marker_counts_one_crash_more_until_it_is_removed() -> None:
    state = new_state(started=5, has_crashed=True, isolated_to=5)
    attempts = EarlierAttempts(state, lambda number: number <= state.started)
    attempts.add_poison_marker(5)
    assert attempts.unstored_crashes == {5: 3}
    attempts.remove_poison_marker(5)
    assert attempts.unstored_crashes == {5: 0}
    assert not attempts.poison_markers


def test_an_acknowledged_entry_has_no_crashes() -> None:
    attempts = EarlierAttempts(new_state(crashes={5: 2}), lambda _: True)
    attempts.forget_crashes(5)
    attempts.forget_crashes(6)
    assert attempts.unstored_crashes == {5: 0}
    assert not attempts.crashes


def test_a_dead_letter_has_at_least_one_attempt() -> None:
    attempts = EarlierAttempts(new_state(attempts={5: 2}, crashes={5: 1}), lambda _: True)
    assert (attempts.count_at_end(5), attempts.count_at_end(6)) == (3, 1)
    attempts.forget_failed([5, 6])
    assert attempts.count_at_end(5) == 1


def test_each_revival_is_delivered_once() -> None:
    revivals, attempts = Revivals(), EarlierAttempts(new_state(), lambda _: False)
    revivals.is_look_due = False
    revivals.add({5: Revival(10.0, 3)}, (), attempts)
    revivals.add({5: Revival(10.0, 3)}, (), attempts)
    assert revivals.waiting == [5]
    assert revivals.without([entry(5), entry(6)]) == [entry(6)]
    assert attempts.failed == {5: 3}
    revivals.add({5: Revival(11.0, 4)}, (), attempts)
    assert revivals.waiting == [5, 5]
    assert not revivals.is_look_due


def test_a_revival_beside_an_acknowledgement_is_looked_at_again() -> None:
    revivals = Revivals()
    revivals.is_look_due = False
    revivals.add({5: Revival(10.0, 3)}, (5,), EarlierAttempts(new_state(), lambda _: False))
    assert revivals.is_look_due
    assert not revivals.waiting


def test_a_revived_entry_stays_revived_after_a_failure() -> None:
    revivals = Revivals()
    revivals.add({5: Revival(10.0, 3)}, (), EarlierAttempts(new_state(), lambda _: False))
    assert revivals.state_after_failure(5, 20.0) == ("revived", 10.0)
    assert revivals.state_after_failure(6, 20.0) == ("trying", 20.0)


def test_lone_surrogates_are_removed_from_a_conversation() -> None:
    row = ConversationRow(
        key="a\ud800", step="s", values=b"", chat=ContactId("filehelper"), deadline=None, changed_at=0.0
    )  # fmt: skip
    assert "\ud800" not in cleaned(row).key
    clean = cleaned(row)
    assert cleaned(clean) is clean
