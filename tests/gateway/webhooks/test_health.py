"""A webhook that fails or is disabled is reported on the streams, to other webhooks, and in File Transfer Helper."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.gateway.webhook_receiver import Pauses, added, webhook_receiver

if TYPE_CHECKING:
    from tests.gateway.conftest import Running, StartGateway
    from tests.gateway.webhook_receiver import WebhookReceiver

    from webwx.storage.tables.outbox import Outgoing


async def state_of(running: Running, webhook_id: str) -> str:
    async with running.client("webhooks") as client:
        return str((await client.get(f"/api/v1/webhooks/{webhook_id}")).json()["state"])


async def test_a_webhook_fails_from_an_event_that_is_given_up_until_one_is_delivered(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    receiver.answer = lambda _: "500 No"
    async with start_gateway(sleep=Pauses()) as running, webhook_receiver() as witness:
        await running.log_in()
        failing = await added(running, receiver)
        await added(running, witness, types=("webhook.*",))
        watched = running.gateway.notices.watch()
        noticed = asyncio.ensure_future(anext(watched))
        running.world.say("ahua", "me", "one")
        report = await witness.requests.get()
        assert (report.event["type"], report.event["data"]["webhook"]) == ("webhook.failing", failing.id)
        assert report.event["id"] == report.headers["webhook-id"] == (await noticed).id
        assert await state_of(running, failing.id) == "failing"
        receiver.answer = lambda _: "200 OK"
        running.world.say("ahua", "me", "two")
        while (await receiver.requests.get()).text != "two":
            pass
        while await state_of(running, failing.id) == "failing":
            pass
        assert await state_of(running, failing.id) == "active"
        await watched.aclose()


async def test_a_webhook_retries_while_a_failed_event_waits(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    pauses = Pauses(lasts=True)
    receiver.answer = lambda _: "500 No"
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        webhook = await added(running, receiver)
        running.world.say("ahua", "me", "one")
        await pauses.begun.wait()
        assert await state_of(running, webhook.id) == "retrying"


async def test_410_is_reported_to_streams_and_in_file_transfer_helper_once(
    online: Running, receiver: WebhookReceiver
) -> None:
    receiver.answer = lambda _: "410 Gone"
    webhook = await added(online, receiver, report=True)
    watched = online.gateway.notices.watch()
    noticed = asyncio.ensure_future(anext(watched))
    online.world.say("ahua", "me", "one")
    notice = await noticed
    assert (notice.type, notice.webhook, notice.reason) == ("webhook.disabled", webhook.id, "The server answered 410.")
    sends: list[Outgoing] = []
    while not sends:
        sends = await online.port.account(1).client.list_sends()
    assert [(each.chat, each.text) for each in sends] == [
        ("filehelper", "Webhook 'n' is disabled: The server answered 410.")
    ]
    assert await state_of(online, webhook.id) == "disabled"
    await watched.aclose()


async def test_a_report_that_is_not_accepted_is_sent_again(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    statuses = iter(["500 No", "200 OK"])
    async with start_gateway(sleep=Pauses()) as running, webhook_receiver() as witness:
        await running.log_in()
        receiver.answer = lambda _: "410 Gone"
        witness.answer = lambda _: next(statuses)
        await added(running, receiver)
        await added(running, witness, types=("webhook.disabled",), format="cloudevents")
        running.world.say("ahua", "me", "one")
        first, second = [await witness.requests.get() for _ in range(2)]
    assert first.body == second.body
    assert (first.event["type"], first.event["data"]["type"]) == ("webwx.webhook.disabled", "webhook.disabled")
    assert [each.headers["webwx-attempt"] for each in (first, second)] == ["1", "2"]
