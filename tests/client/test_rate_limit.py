"""The arithmetic of a pace: places, pauses and what is told of them, for any order of any moments."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import get_args

import msgspec
import pytest

from webwx.client.rate_limit import FIRST_PAUSE, LONGEST_PAUSE, Kind, Limit, Pace, Standing, limit_of

NOW = 1_560_000_000.0
EVEN = Pace(jitter=0)


def moments(pace: Pace, kind: Kind, number: int, *, standing: Standing | None = None) -> list[float]:
    """Give when so many actions leave, each asked for as soon as the one before has left; seconds from now."""
    standing, now, left, dice = standing or Standing(), NOW, list[float](), random.Random(22)
    for _ in range(number):
        standing, place = standing.place(pace, kind, now, dice.random())
        now += place.wait
        left.append(now)
    return [each - NOW for each in left]


def holds(limit: Limit, left: list[float]) -> bool:
    """Say whether no stretch of time has more in it than it may."""
    return all(
        later - earlier >= (behind + 1 - limit.burst) * limit.spacing - 1e-5
        and (behind < limit.most or later - earlier >= limit.period - 1e-5)
        for start, earlier in enumerate(left)
        for behind, later in enumerate(left[start + 1 :], 1)
    )


class TestAPlace:
    def test_of_a_burst_is_at_once_and_the_next_ones_are_spaced(self) -> None:
        assert moments(EVEN, "messages", 8) == [0, 0, 0, 0, 0, 1.5, 3.0, 4.5]

    def test_is_had_twenty_times_a_minute(self) -> None:
        left = moments(EVEN, "messages", 41)
        assert (left[19], left[20], left[39], left[40]) == (22.5, 60, 82.5, 120)

    @pytest.mark.parametrize("kind", get_args(Kind))
    def test_is_never_closer_than_the_limit(self, kind: Kind) -> None:
        pace = Pace()
        assert holds(limit_of(pace, kind), moments(pace, kind, 120))

    def test_comes_later_by_chance_when_it_has_to_wait_at_all(self) -> None:
        left = moments(Pace(), "messages", 15)
        steps = [later - earlier for earlier, later in pairwise(left[4:])]

        assert left[:5] == [0] * 5
        assert all(1.5 <= step <= 2.0 for step in steps)
        assert len(set(steps)) == len(steps)

    def test_of_one_kind_takes_none_from_another(self) -> None:
        standing = Standing()
        for _ in range(5):
            standing, _ = standing.place(EVEN, "messages", NOW, 0)

        assert standing.place(EVEN, "messages", NOW, 0)[1].wait == 1.5
        assert standing.place(EVEN, "uploads", NOW, 0)[1].wait == 0

    @pytest.mark.parametrize(
        ("kind", "left"),
        [
            ("uploads", [0, 0, 0, 0, 0, 1.5]),
            ("contact_changes", [0, 1.5, 3, 4.5]),
            ("chatroom_changes", [0, 10, 20, 30]),
            ("friend_requests", [0, 60, 120, 180]),
        ],
    )
    def test_of_what_people_take_notice_of_comes_slowly(self, kind: Kind, left: list[float]) -> None:
        assert moments(EVEN, kind, len(left)) == left

    def test_of_a_day_is_remembered_for_a_day(self) -> None:
        assert moments(EVEN, "friend_requests", 11)[10] == 86_400

    def test_is_never_before_one_that_was_had_earlier(self) -> None:
        standing, had, dice = Standing(), list[float](), random.Random(22)
        for _ in range(60):
            standing, place = standing.place(Pace(), "messages", NOW, dice.random())
            had.append(place.moment)

        assert had == sorted(had)
        assert holds(limit_of(Pace(), "messages"), had)

    def test_that_is_given_back_is_had_by_the_next_one(self) -> None:
        standing = Standing()
        for _ in range(6):
            standing, place = standing.place(EVEN, "messages", NOW, 0)
        standing = standing.given_back(EVEN, "messages", place.moment)

        assert standing.place(EVEN, "messages", NOW, 0)[1].wait == 1.5

    def test_of_a_burst_that_is_given_back_leaves_the_others_theirs(self) -> None:
        standing = Standing()
        for _ in range(3):
            standing, _ = standing.place(EVEN, "messages", NOW, 0)
        standing = standing.given_back(EVEN, "messages", NOW)

        assert standing.pacing(EVEN, NOW).messages_last_minute == 2
        assert moments(EVEN, "messages", 4, standing=standing) == [0, 0, 0, 1.5]


class TestAClock:
    def test_that_is_set_back_makes_nothing_wait_longer(self) -> None:
        standing = Standing()
        for _ in range(6):
            standing, _ = standing.place(EVEN, "messages", NOW, 0)

        assert standing.place(EVEN, "messages", NOW - 86_400, 0)[1].wait == 3.0

    def test_that_is_set_back_makes_no_pause_longer(self) -> None:
        standing = Standing().refused(NOW, 0.5)

        assert standing.place(EVEN, "messages", NOW - 86_400, 0)[1].wait == FIRST_PAUSE

    def test_that_is_set_ahead_ends_what_waits(self) -> None:
        standing = Standing().refused(NOW, 0.5)

        assert standing.place(EVEN, "messages", NOW + 86_400, 0)[1].wait == 0


class TestARefusal:
    def test_makes_every_kind_wait(self) -> None:
        standing = Standing().refused(NOW, 0.5)

        for kind in get_args(Kind):
            place = standing.place(EVEN, kind, NOW, 0)[1]
            assert (place.wait, place.why) == (FIRST_PAUSE, "refused")

    def test_makes_them_wait_twice_as_long_each_time_and_half_an_hour_at_most(self) -> None:
        standing, now, pauses = Standing(), NOW, list[float]()
        for _ in range(12):
            standing = standing.refused(now, 0.5)
            pauses.append(standing.paused_until - now)
            now = standing.paused_until

        assert pauses == [10, 20, 40, 80, 160, 320, 640, 1280, *[LONGEST_PAUSE] * 4]

    @pytest.mark.parametrize(("dice", "pause"), [(0.0, 9), (1.0, 11)])
    def test_makes_them_wait_for_a_time_that_differs(self, dice: float, pause: float) -> None:
        assert math.isclose(Standing().refused(NOW, dice).paused_until - NOW, pause, abs_tol=1e-5)

    def test_of_what_had_left_before_says_nothing_new(self) -> None:
        standing = Standing().refused(NOW, 0.5)

        assert standing.refused(NOW + 1, 0.5).paused_until == standing.paused_until
        assert standing.refused(NOW + 1, 0.5).refusals == 1

    def test_is_over_with_the_next_success(self) -> None:
        standing = Standing().refused(NOW, 0.5)
        after = NOW + FIRST_PAUSE

        assert standing.succeeded(NOW + 1).refusals == 1  # that one had left before
        assert standing.succeeded(after).refusals == 0
        assert standing.succeeded(after).refused(after, 0.5).paused_until == after + FIRST_PAUSE

    def test_is_followed_by_no_burst(self) -> None:
        standing = Standing().refused(NOW, 0.5)

        assert moments(EVEN, "messages", 3, standing=standing) == [10, 11.5, 13]

    def test_puts_a_place_off_that_lay_in_its_pause(self) -> None:
        standing, _ = Standing().place(EVEN, "friend_requests", NOW, 0)
        standing, place = standing.place(EVEN, "friend_requests", NOW, 0)
        standing = standing.refused(place.moment, 0.5)
        standing, place = standing.place(EVEN, "friend_requests", place.moment, 0, instead_of=place.moment)

        assert place.moment == NOW + 70


def test_a_standing_comes_out_of_its_json_as_it_was() -> None:
    standing, _ = Standing().refused(NOW + 0.1, 0.3).place(Pace(), "messages", NOW + 0.2, 0.7)

    assert msgspec.json.decode(msgspec.json.encode(standing), type=Standing) == standing


def test_what_a_user_is_told() -> None:
    standing = Standing()
    for _ in range(6):
        standing, _ = standing.place(EVEN, "messages", NOW, 0)
    standing, _ = standing.place(EVEN, "uploads", NOW, 0)
    told = standing.pacing(EVEN, NOW)

    assert (told.wait, told.next_at, told.may_send) == (3.0, NOW + 3.0, False)
    assert (told.paused_until, told.refusals) == (None, 0)
    assert (told.messages_last_minute, told.uploads_last_hour, told.friend_requests_last_day) == (5, 1, 0)

    paused = standing.refused(NOW + 5, 0.5).pacing(EVEN, NOW + 6)
    assert (paused.paused_until, paused.refusals, paused.wait) == (NOW + 15, 1, 9)
    assert standing.pacing(EVEN, NOW + 90).may_send


@pytest.mark.parametrize(
    "numbers", [{"burst": 0}, {"messages_per_minute": 0}, {"spacing": -1}, {"jitter": math.nan}, {"patience": -1}]
)
def test_a_pace_that_cannot_be_is_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"'{next(iter(numbers))}' cannot be"):
        Pace(**numbers)  # type: ignore[arg-type]  # a number of each is one
