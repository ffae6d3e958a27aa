"""Events that wait for a failing one: those of its chat, of its account, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.gateway.webhook_receiver import Pauses, added

if TYPE_CHECKING:
    from tests.gateway.conftest import StartGateway
    from tests.gateway.webhook_receiver import WebhookReceiver

    from webwx.gateway.webhooks import WebhookOrdering


@pytest.mark.parametrize(
    ("ordering", "meanwhile", "afterwards"),
    [
        ("chat", ["of another chat"], ["broken", "of its chat"]),
        ("account", [], ["broken", "of its chat", "of another chat"]),
        ("none", ["of its chat", "of another chat"], ["broken"]),
    ],
)
async def test_a_failing_event_delays_events_of_the_same_order(
    start_gateway: StartGateway,
    receiver: WebhookReceiver,
    ordering: WebhookOrdering,
    meanwhile: list[str],
    afterwards: list[str],
) -> None:
    pauses = Pauses(lasts=True)
    receiver.answer = lambda request: "500 No" if request.text == "broken" else "200 OK"
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        await added(running, receiver, ordering=ordering)
        running.world.say("ahua", "me", "broken")
        assert await receiver.texts(1) == ["broken"]
        await pauses.begun.wait()
        running.world.say("ahua", "me", "of its chat")
        running.world.say("zhangsan", "me", "of another chat")
        await running.until_text("of another chat")
        assert sorted(await receiver.texts(len(meanwhile))) == sorted(meanwhile)
        assert receiver.requests.empty()
        receiver.answer = lambda _: "200 OK"
        pauses.released.set()
        assert await receiver.texts(len(afterwards)) == afterwards


@pytest.mark.parametrize("ordering", ["chat", "account", "none"])
async def test_more_events_than_fit_in_memory_are_all_sent(
    start_gateway: StartGateway, receiver: WebhookReceiver, ordering: WebhookOrdering
) -> None:
    pauses = Pauses(lasts=True)
    receiver.answer = lambda _: "500 No"
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        await added(running, receiver, ordering=ordering)
        for number in range(150):
            running.world.say("ahua", "me", str(number))
        await running.until_text("149")
        await pauses.begun.wait()
        receiver.answer = lambda _: "200 OK"
        pauses.released.set()
        arrived = []
        while len({*arrived}) < 150:
            arrived += await receiver.texts(1)
        if ordering != "none":
            assert list(dict.fromkeys(arrived)) == [str(number) for number in range(150)]
