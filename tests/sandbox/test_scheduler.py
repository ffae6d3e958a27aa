from __future__ import annotations

from functools import partial

from webwx.sandbox.scheduler import Scheduler


def test_actions_run_by_time_and_then_in_the_order_of_planning() -> None:
    scheduler, done = Scheduler(), list[str]()
    for moment, name in ((2.0, "second"), (1.0, "first"), (2.0, "third"), (3.0, "later")):
        scheduler.add(moment, partial(done.append, name))
    assert scheduler.next == 1.0
    while action := scheduler.take(2.5):
        action()
    assert done == ["first", "second", "third"]
    assert scheduler.next == 3.0


def test_nothing_is_next_when_nothing_is_planned() -> None:
    assert Scheduler().next is None
    assert Scheduler().take(1e12) is None


def test_subscribers_are_called_for_planned_actions_until_they_unsubscribe() -> None:
    scheduler, received = Scheduler(), []
    unsubscribe = scheduler.subscribe(lambda: received.append("planned"))
    scheduler.add(1.0, print)
    unsubscribe()
    scheduler.add(2.0, print)
    assert received == ["planned"]
