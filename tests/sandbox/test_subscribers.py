from webwx.sandbox.subscribers import Subscribers


def test_everybody_is_told_in_order_until_they_end_it():
    subscribers, heard = Subscribers(), []
    end = subscribers.add(lambda news: heard.append(("first", news)))
    subscribers.add(lambda news: heard.append(("second", news)))
    subscribers.notify("a")
    end()
    subscribers.notify("b")
    assert heard == [("first", "a"), ("second", "a"), ("second", "b")]


def test_who_ends_it_while_it_is_told_takes_it_from_nobody_else():
    subscribers, heard = Subscribers(), []
    end = subscribers.add(lambda: end())
    subscribers.add(lambda: heard.append("second"))
    subscribers.notify()
    assert heard == ["second"]
