"""The weight by which a worker gets accounts."""

from __future__ import annotations

from webwx.cluster.share_weight import LAG, ShareWeight


def test_the_weight_falls_while_the_loop_lags_and_rises_again_slowly() -> None:
    weight = ShareWeight(100)
    assert [weight.note(LAG + 1) for _ in range(5)] == [100, 100, 90, 81, 72]
    rising = [weight.note(0.0) for _ in range(12 * 6)]
    assert (rising[:12], rising[-1]) == ([72] * 11 + [77], 100)
    assert repr(weight) == "ShareWeight(100 of 100)"


def test_single_pauses_do_not_change_the_weight() -> None:
    weight = ShareWeight(100)
    assert {weight.note(lag) for lag in (20, 20, 0, 20, 20, 0) * 10} == {100}


def test_the_weight_stays_above_zero_unless_there_is_no_capacity() -> None:
    for capacity, least in ((5, 1), (0, 0)):
        weight = ShareWeight(capacity)
        assert [weight.note(9) for _ in range(50)][-1] == least
