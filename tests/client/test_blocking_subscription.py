"""A subscription without `await`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.client.conftest import texts

from webwx.client.blocking import Client
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from webwx.sandbox.world import World


def test_a_subscription_delivers_until_an_event_is_acknowledged(world: World, client: Client) -> None:
    with client.subscribe("reader", follow=False):
        pass  # The consumer must exist before the first message.
    world.say("ahua", "me", "first")
    world.say("ahua", "me", "second")
    with client.subscribe("reader", follow=False) as subscription:
        assert repr(subscription) == "BlockingSubscription('reader')"
        first, second = (each for each in subscription.take() if isinstance(each.event, TextMessage))
        assert texts([first.event, second.event]) == ["first", "second"]
        subscription.ack(second.entry.number)
        assert subscription.failed(first.entry.number, "test") == 1
    with client.subscribe("reader", follow=False) as subscription:
        (again,) = (each for each in subscription.take() if isinstance(each.event, TextMessage))
        assert texts([again.event]) == ["first"]
        subscription.give_up(again.entry.number, "test")
    (letter,) = client.list_dead_letters(consumer="reader")
    assert texts([letter.event]) == ["first"]
