"""A counter that goes back is ignored once, each on its own, and followed if the server repeats it."""

from __future__ import annotations

from webwx.client.sync.counter_check import CounterCheck
from webwx.protocol.sync import KeyValue, SyncKey


def key(**counters: int) -> SyncKey:
    pairs = tuple(KeyValue(key=int(name[1:]), val=value) for name, value in counters.items())
    return SyncKey(count=len(pairs), list=pairs)


BEFORE = key(k1=10, k2=20, k1000=30)


def test_a_key_whose_counters_rise_is_accepted_as_it_is() -> None:
    check, after = CounterCheck(), key(k1000=30, k2=21, k1=10, k201=5)

    assert check.accept(after, BEFORE) == after
    assert not check.is_ignoring


def test_a_lower_and_a_missing_counter_keep_their_values_once() -> None:
    check = CounterCheck()

    assert check.accept(key(k1=11, k2=3), BEFORE) == key(k1=11, k2=20, k1000=30)
    assert check.is_ignoring
    assert check.accept(key(k1=11, k2=3), key(k1=11, k2=20, k1000=30)) == key(k1=11, k2=3)
    assert not check.is_ignoring


def test_each_counter_is_ignored_on_its_own() -> None:
    check = CounterCheck()
    check.accept(key(k1=10, k2=20), BEFORE)

    assert check.accept(key(k1=9, k2=20), BEFORE) == key(k1=10, k2=20)


def test_a_counter_that_was_right_in_between_is_ignored_again() -> None:
    check = CounterCheck()
    for _ in range(3):
        assert check.accept(key(k1=10, k1000=30), BEFORE) == key(k1=10, k1000=30, k2=20)
        assert check.accept(BEFORE, BEFORE) == BEFORE


def test_a_server_that_stands_still_where_it_was_followed_to_is_left_again() -> None:
    check, start = CounterCheck(), key(k1=1, k2=1, k1000=30)
    check.accept(start, BEFORE)
    assert check.accept(start, BEFORE) == start

    assert check.accept(start, start, has_messages=True) == BEFORE


def test_a_server_that_has_nothing_new_where_it_was_followed_to_is_not_left() -> None:
    check, start = CounterCheck(), key(k1=1, k2=1, k1000=30)
    check.accept(start, BEFORE)
    check.accept(start, BEFORE)

    assert check.accept(start, start) == start
    assert check.accept(start, start, has_messages=True) == start


def times_until_followed(check: CounterCheck) -> int:
    """Return how often a lost counter is ignored before the server is followed."""
    times, lost = 0, key(k1=10, k1000=30)
    while check.accept(lost, BEFORE) != lost:
        times += 1
    return times


def test_a_server_that_goes_back_again_in_a_catch_up_is_followed_later_each_time() -> None:
    check = CounterCheck()

    assert [times_until_followed(check) for _ in range(4)] == [1, 2, 4, 8]
    check.end_catch_up()
    assert times_until_followed(check) == 1
