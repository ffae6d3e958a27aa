from __future__ import annotations

import time

from webwx.sandbox.clock import SystemClock, VirtualClock


def test_a_virtual_clock_stands_still() -> None:
    clock = VirtualClock(100.0)
    assert (clock.now(), clock.seconds_until(100.0), clock.seconds_until(101.0)) == (100.0, 0.0, None)
    clock.wind(5)
    assert clock.now() == 105.0


def test_the_system_clock_runs_ahead_by_the_advanced_time() -> None:
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 5
    clock.wind(1000)
    assert abs(clock.now() - time.time() - 1000) < 5
    assert clock.seconds_until(clock.now() - 1) == 0.0
    assert 55 < clock.seconds_until(clock.now() + 60) <= 60
