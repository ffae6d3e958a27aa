"""The arithmetic of a rate limit: reservations, pauses and the report about them."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import get_args

import msgspec
import pytest

from webwx.client.sending.rate_limit import FIRST_PAUSE, LONGEST_PAUSE, Kind, Limit, LimiterState, RateLimit, limit_of

NOW = 1_560_000_000.0
EVEN = RateLimit(jitter=0)


def moments(rate_limit: RateLimit, kind: Kind, number: int, *, state: LimiterState | None = None) -> list[float]:
    """Return the times in seconds at which actions are made, each requested as soon as the one before is made."""
    state, now, left, rng = state or LimiterState(), NOW, list[float](), random.Random(22)
    for _ in range(number):
        state, reservation = state.reserve(rate_limit, kind, now, rng.random())
        now += reservation.wait
        left.append(now)
    return [each - NOW for each in left]


def holds(limit: Limit, left: list[float]) -> bool:
    """Return whether no window of time has more actions than allowed."""
    return all(
        later - earlier >= (behind + 1 - limit.burst) * limit.spacing - 1e-5
        and (behind < limit.most or later - earlier >= limit.period - 1e-5)
        for start, earlier in enumerate(left)
        for behind, later in enumerate(left[start + 1 :], 1)
    )


class TestAReservation:
    def test_of_a_burst_is_at_once_and_later_ones_are_spaced(self) -> None:
        assert moments(EVEN, "messages", 8) == [0, 0, 0, 0, 0, 1.5, 3.0, 4.5]

    def test_is_made_twenty_times_a_minute(self) -> None:
        left = moments(EVEN, "messages", 41)
        assert (left[19], left[20], left[39], left[40]) == (22.5, 60, 82.5, 120)

    @pytest.mark.parametrize("kind", get_args(Kind))
    def test_is_never_closer_than_the_limit(self, kind: Kind) -> None:
        rate_limit = RateLimit()
        assert holds(limit_of(rate_limit, kind), moments(rate_limit, kind, 120))

    def test_has_a_random_delay_if_it_must_wait(self) -> None:
        left = moments(RateLimit(), "messages", 15)
        steps = [later - earlier for earlier, later in pairwise(left[4:])]

        assert left[:5] == [0] * 5
        assert all(1.5 <= step <= 2.0 for step in steps)
        assert len(set(steps)) == len(steps)

    def test_of_one_kind_does_not_count_for_another(self) -> None:
        state = LimiterState()
        for _ in range(5):
            state, _ = state.reserve(EVEN, "messages", NOW, 0)

        assert state.reserve(EVEN, "messages", NOW, 0)[1].wait == 1.5
        assert state.reserve(EVEN, "uploads", NOW, 0)[1].wait == 0

    @pytest.mark.parametrize(
        ("kind", "left"),
        [
            ("uploads", [0, 0, 0, 0, 0, 1.5]),
            ("contact_changes", [0, 1.5, 3, 4.5]),
            ("chatroom_changes", [0, 10, 20, 30]),
            ("friend_requests", [0, 60, 120, 180]),
        ],
    )
    def test_of_friend_requests_and_chatrooms_is_spaced_widely(self, kind: Kind, left: list[float]) -> None:
        assert moments(EVEN, kind, len(left)) == left

    def test_of_a_day_counts_for_a_day(self) -> None:
        assert moments(EVEN, "friend_requests", 11)[10] == 86_400

    def test_is_never_before_an_earlier_one(self) -> None:
        state, had, rng = LimiterState(), list[float](), random.Random(22)
        for _ in range(60):
            state, reservation = state.reserve(RateLimit(), "messages", NOW, rng.random())
            had.append(reservation.at)

        assert had == sorted(had)
        assert holds(limit_of(RateLimit(), "messages"), had)

    def test_that_is_given_back_is_used_by_the_next_one(self) -> None:
        state = LimiterState()
        for _ in range(6):
            state, reservation = state.reserve(EVEN, "messages", NOW, 0)
        state = state.released(EVEN, "messages", reservation.at)

        assert state.reserve(EVEN, "messages", NOW, 0)[1].wait == 1.5

    def test_of_a_burst_that_is_given_back_does_not_affect_the_others(self) -> None:
        state = LimiterState()
        for _ in range(3):
            state, _ = state.reserve(EVEN, "messages", NOW, 0)
        state = state.released(EVEN, "messages", NOW)

        assert state.report(EVEN, NOW).messages_last_minute == 2
        assert moments(EVEN, "messages", 4, state=state) == [0, 0, 0, 1.5]


class TestAClock:
    def test_that_is_set_back_makes_no_wait_longer(self) -> None:
        state = LimiterState()
        for _ in range(6):
            state, _ = state.reserve(EVEN, "messages", NOW, 0)

        assert state.reserve(EVEN, "messages", NOW - 86_400, 0)[1].wait == 3.0

    def test_that_is_set_back_makes_no_pause_longer(self) -> None:
        state = LimiterState().refused(NOW, 0.5)

        assert state.reserve(EVEN, "messages", NOW - 86_400, 0)[1].wait == FIRST_PAUSE

    def test_that_is_set_ahead_ends_waits(self) -> None:
        state = LimiterState().refused(NOW, 0.5)

        assert state.reserve(EVEN, "messages", NOW + 86_400, 0)[1].wait == 0


class TestARefusal:
    def test_makes_every_kind_wait(self) -> None:
        state = LimiterState().refused(NOW, 0.5)

        for kind in get_args(Kind):
            reservation = state.reserve(EVEN, kind, NOW, 0)[1]
            assert (reservation.wait, reservation.reason) == (FIRST_PAUSE, "refused")

    def test_makes_them_wait_twice_as_long_each_time_and_half_an_hour_at_most(self) -> None:
        state, now, pauses = LimiterState(), NOW, list[float]()
        for _ in range(12):
            state = state.refused(now, 0.5)
            pauses.append(state.paused_until - now)
            now = state.paused_until

        assert pauses == [10, 20, 40, 80, 160, 320, 640, 1280, *[LONGEST_PAUSE] * 4]

    @pytest.mark.parametrize(("jitter", "pause"), [(0.0, 9), (1.0, 11)])
    def test_makes_every_kind_wait_for_a_random_time(self, jitter: float, pause: float) -> None:
        assert math.isclose(LimiterState().refused(NOW, jitter).paused_until - NOW, pause, abs_tol=1e-5)

    def test_of_an_action_made_before_the_pause_changes_nothing(self) -> None:
        state = LimiterState().refused(NOW, 0.5)

        assert state.refused(NOW + 1, 0.5).paused_until == state.paused_until
        assert state.refused(NOW + 1, 0.5).refusals == 1

    def test_is_over_with_the_next_success(self) -> None:
        state = LimiterState().refused(NOW, 0.5)
        after = NOW + FIRST_PAUSE

        assert state.succeeded(NOW + 1).refusals == 1  # That one was made before.
        assert state.succeeded(after).refusals == 0
        assert state.succeeded(after).refused(after, 0.5).paused_until == after + FIRST_PAUSE

    def test_is_not_followed_by_a_burst(self) -> None:
        state = LimiterState().refused(NOW, 0.5)

        assert moments(EVEN, "messages", 3, state=state) == [10, 11.5, 13]

    def test_postpones_a_reservation_within_its_pause(self) -> None:
        state, _ = LimiterState().reserve(EVEN, "friend_requests", NOW, 0)
        state, reservation = state.reserve(EVEN, "friend_requests", NOW, 0)
        state = state.refused(reservation.at, 0.5)
        state, reservation = state.reserve(EVEN, "friend_requests", reservation.at, 0, instead_of=reservation.at)

        assert reservation.at == NOW + 70


def test_limiter_state_is_equal_after_json() -> None:
    state, _ = LimiterState().refused(NOW + 0.1, 0.3).reserve(RateLimit(), "messages", NOW + 0.2, 0.7)

    assert msgspec.json.decode(msgspec.json.encode(state), type=LimiterState) == state


def test_report_of_a_limited_account() -> None:
    state = LimiterState()
    for _ in range(6):
        state, _ = state.reserve(EVEN, "messages", NOW, 0)
    state, _ = state.reserve(EVEN, "uploads", NOW, 0)
    report = state.report(EVEN, NOW)

    assert (report.wait, report.next_at, report.may_send) == (3.0, NOW + 3.0, False)
    assert (report.paused_until, report.refusals) == (None, 0)
    assert (report.messages_last_minute, report.uploads_last_hour, report.friend_requests_last_day) == (5, 1, 0)

    paused = state.refused(NOW + 5, 0.5).report(EVEN, NOW + 6)
    assert (paused.paused_until, paused.refusals, paused.wait) == (NOW + 15, 1, 9)
    assert state.report(EVEN, NOW + 90).may_send


@pytest.mark.parametrize(
    "numbers", [{"burst": 0}, {"messages_per_minute": 0}, {"spacing": -1}, {"jitter": math.nan}, {"patience": -1}]
)
def test_a_number_out_of_range_is_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"'{next(iter(numbers))}' cannot be"):
        RateLimit(**numbers)  # type: ignore[arg-type]  # a number of each is one
