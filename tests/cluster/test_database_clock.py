"""The database's clock as a machine with another clock knows it."""

from __future__ import annotations

import pytest

from webwx.cluster.database_clock import DatabaseClock


class MachineClock:
    """A machine's clock that a test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_before_the_first_answer_it_is_the_machines_clock() -> None:
    assert DatabaseClock(MachineClock(500.0))() == 500.0


@pytest.mark.parametrize("skew", [-7200.0, 0.0, 7200.0])
def test_the_clock_shows_the_time_of_the_database_whatever_the_machines_clock_shows(skew: float) -> None:
    machine = MachineClock(1000.0 + skew)
    clock = DatabaseClock(machine)
    machine.now += 0.2
    clock.adjust(1000.1, asked_at=1000.0 + skew)
    assert clock() == pytest.approx(1000.2)
    machine.now += 30
    assert clock() == pytest.approx(1030.2)


def test_a_slow_answer_does_not_move_it() -> None:
    machine = MachineClock(1000.0)
    clock = DatabaseClock(machine)
    clock.adjust(1000.0, asked_at=1000.0)
    machine.now = 1004.0
    clock.adjust(1003.9, asked_at=1000.0)
    assert clock() == pytest.approx(1004.0)


def test_the_clock_follows_when_the_machines_clock_is_set() -> None:
    machine = MachineClock(1000.0)
    clock = DatabaseClock(machine)
    clock.adjust(1000.0, asked_at=1000.0)
    machine.now = 4600.0
    clock.adjust(1005.0, asked_at=4600.0)
    assert clock() == pytest.approx(1005.0)
