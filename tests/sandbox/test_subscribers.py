from __future__ import annotations

from webwx.sandbox.subscribers import Subscribers


def test_callbacks_run_in_order_until_they_are_removed() -> None:
    subscribers, received = Subscribers[str](), list[tuple[str, str]]()
    end = subscribers.add(lambda news: received.append(("first", news)))
    subscribers.add(lambda news: received.append(("second", news)))
    subscribers.notify("a")
    end()
    subscribers.notify("b")
    assert received == [("first", "a"), ("second", "a"), ("second", "b")]


def test_a_callback_that_removes_itself_does_not_affect_others() -> None:
    subscribers, received = Subscribers[()](), list[str]()

    def remove_itself() -> None:
        end()

    end = subscribers.add(remove_itself)
    subscribers.add(lambda: received.append("second"))
    subscribers.notify()
    assert received == ["second"]
