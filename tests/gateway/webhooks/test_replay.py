"""A replay sends events of the journal again, once each and with their ids; the position of the webhook stays."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.webhook_receiver import added

from webwx.gateway.problems import GatewayProblem
from webwx.gateway.webhooks.replay import events_between
from webwx.representations.webhooks import MOST_REPLAYED

if TYPE_CHECKING:
    import httpx
    from tests.gateway.conftest import Running
    from tests.gateway.webhook_receiver import WebhookReceiver

    from webwx.gateway.webhooks.webhooks import StoredWebhook


def replay_path(webhook: StoredWebhook) -> str:
    return f"/api/v1/webhooks/{webhook.id}/replay"


async def replay(client: httpx.AsyncClient, webhook: StoredWebhook, **body: Any) -> httpx.Response:
    """Ask for a replay once no earlier one runs; the last answer of an earlier one may have arrived just now."""
    while True:
        answer = await client.post(replay_path(webhook), json=body)
        if answer.status_code != 409 or "earlier replay" not in answer.text:
            return answer


async def test_named_events_are_sent_again_with_their_ids(online: Running, receiver: WebhookReceiver) -> None:
    webhook = await added(online, receiver)
    for text in ("one", "two", "three"):
        online.world.say("ahua", "me", text)
    ids = [(await receiver.requests.get()).headers["webhook-id"] for _ in range(3)]
    async with online.client("webhooks") as client:
        answer = await replay(client, webhook, ids=[ids[2], ids[0], ids[2]])
        assert (answer.status_code, answer.json()) == (202, {"events": 2})
        again = [await receiver.requests.get() for _ in range(2)]
        assert [each.headers["webhook-id"] for each in again] == [ids[2], ids[0]]
        assert [each.text for each in again] == ["three", "one"]
        online.world.say("ahua", "me", "new")
        assert await receiver.texts(1) == ["new"]
        assert receiver.requests.empty()
        path = f"/api/v1/webhooks/{webhook.id}/deliveries"
        while len(deliveries := (await client.get(path)).json()["deliveries"]) < 6:  # the last answer is not read yet
            pass
    assert [each["origin"] for each in deliveries].count("replay") == 2


async def test_the_wanted_events_of_a_time_are_sent_again(online: Running, receiver: WebhookReceiver) -> None:
    webhook = await added(online, receiver)
    online.world.say("ahua", "me", "before")
    online.world.wind(10)
    begin = datetime.fromtimestamp(online.world.clock.now(), UTC)
    for text in ("one", "two"):
        online.world.say("ahua", "me", text)
    end = datetime.fromtimestamp(online.world.clock.now(), UTC)
    online.world.wind(10)
    online.world.say("ahua", "me", "after")
    assert await receiver.texts(4) == ["before", "one", "two", "after"]
    async with online.client("webhooks") as client:
        body = {"from": begin.isoformat(), "to": end.isoformat()}
        assert (await replay(client, webhook, **body)).json() == {"events": 2}
        assert await receiver.texts(2) == ["one", "two"]
        assert (await replay(client, webhook, **{"from": begin.isoformat()})).json() == {"events": 3}
        assert await receiver.texts(3) == ["one", "two", "after"]


async def test_an_event_that_fails_in_a_replay_is_not_tried_again(online: Running, receiver: WebhookReceiver) -> None:
    webhook = await added(online, receiver)
    online.world.say("ahua", "me", "one")
    event = (await receiver.requests.get()).headers["webhook-id"]
    receiver.answer = lambda _: "500 No"
    async with online.client("webhooks") as client:
        await replay(client, webhook, ids=[event])
        await receiver.requests.get()
        receiver.answer = lambda _: "200 OK"
        online.world.say("ahua", "me", "two")
        assert await receiver.texts(1) == ["two"]
        assert receiver.requests.empty()
        assert (await client.get(f"/api/v1/webhooks/{webhook.id}/dead-letters")).json() == {"dead_letters": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"ids": []}, 400),
        ({"ids": ["1-1"], "from": "2026-01-01T00:00:00Z"}, 400),
        ({"to": "2026-01-01T00:00:00Z"}, 400),
        ({"from": "yesterday"}, 400),
        ({"from": "0001-01-01T00:00:00"}, 400),
        ({"from": "9999-12-31T23:59:59Z"}, 202),
        ({"from": "0001-01-01T00:00:00Z", "to": "1969-01-01T00:00:00Z"}, 202),
        ({"ids": ["1-99999"]}, 404),
        ({"ids": ["7-1"]}, 404),
        ({"ids": ["x"]}, 404),
    ],
)
async def test_a_replay_that_names_nothing_sends_nothing(
    online: Running, receiver: WebhookReceiver, body: dict[str, Any], status: int
) -> None:
    webhook = await added(online, receiver)
    async with online.client("webhooks") as client:
        assert (await replay(client, webhook, **body)).status_code == status
    assert receiver.requests.empty()


async def test_a_disabled_webhook_cannot_replay(online: Running, receiver: WebhookReceiver) -> None:
    webhook = await added(online, receiver, enabled=False)
    async with online.client("webhooks") as client:
        assert (await replay(client, webhook, **{"from": "2020-01-01T00:00:00Z"})).status_code == 409


async def test_410_in_a_replay_disables_a_webhook(online: Running, receiver: WebhookReceiver) -> None:
    webhook = await added(online, receiver)
    online.world.say("ahua", "me", "one")
    event = (await receiver.requests.get()).headers["webhook-id"]
    receiver.answer = lambda _: "410 Gone"
    async with online.client("webhooks") as client:
        await replay(client, webhook, ids=[event])
        while (await client.get(f"/api/v1/webhooks/{webhook.id}")).json()["state"] != "disabled":
            pass


async def test_a_time_with_too_many_events_is_refused(online: Running, receiver: WebhookReceiver) -> None:
    webhook = await added(online, receiver, enabled=False)
    for number in range(MOST_REPLAYED + 1):
        online.world.say("ahua", "me", str(number))
    await online.until_text(str(MOST_REPLAYED))
    with pytest.raises(GatewayProblem, match="shorter"):
        await events_between(online.port, webhook, 0, 0)
