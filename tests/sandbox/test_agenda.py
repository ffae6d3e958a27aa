from webwx.sandbox.agenda import Agenda


def test_what_is_due_comes_by_its_moment_and_then_in_the_order_it_was_planned():
    agenda, done = Agenda(), []
    for moment, name in ((2.0, "second"), (1.0, "first"), (2.0, "third"), (3.0, "later")):
        agenda.add(moment, lambda name=name: done.append(name))
    assert agenda.next == 1.0
    while action := agenda.take(2.5):
        action()
    assert done == ["first", "second", "third"]
    assert agenda.next == 3.0


def test_nothing_is_next_when_nothing_is_planned():
    assert Agenda().next is None
    assert Agenda().take(1e12) is None


def test_subscribers_hear_of_what_is_planned_until_they_end_it():
    agenda, heard = Agenda(), []
    unsubscribe = agenda.subscribe(lambda: heard.append("planned"))
    agenda.add(1.0, print)
    unsubscribe()
    agenda.add(2.0, print)
    assert heard == ["planned"]
