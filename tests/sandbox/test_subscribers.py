from webwx.sandbox.subscribers import Subscribers


def test_callbacks_run_in_order_until_they_are_removed():
    subscribers, received = Subscribers(), []
    end = subscribers.add(lambda news: received.append(("first", news)))
    subscribers.add(lambda news: received.append(("second", news)))
    subscribers.notify("a")
    end()
    subscribers.notify("b")
    assert received == [("first", "a"), ("second", "a"), ("second", "b")]


def test_a_callback_that_removes_itself_does_not_affect_others():
    subscribers, received = Subscribers(), []
    end = subscribers.add(lambda: end())
    subscribers.add(lambda: received.append("second"))
    subscribers.notify()
    assert received == ["second"]
