"""Events are sent to a real HTTP server: in order, signed, repeated after a failure, and from the stored position."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks import Webhook
from tests.client.virtual_loop import on_virtual_clock
from tests.gateway.webhook_receiver import Pauses, added, until_accepted

from webwx.gateway.accounts.account_sends import TextContent
from webwx.gateway.webhooks.request import PRIVATE_PAUSES
from webwx.gateway.webhooks.webhooks import StoredWebhook

if TYPE_CHECKING:
    from tests.gateway.conftest import Running, StartGateway
    from tests.gateway.webhook_receiver import ReceivedRequest, WebhookReceiver

    from webwx.representations.webhooks import WebhookOrdering


async def test_an_event_is_sent_signed_with_its_id(online: Running, receiver: WebhookReceiver) -> None:
    webhook = await added(online, receiver)
    online.world.say("ahua", "me", "hello")
    request = await receiver.requests.get()
    assert request.text == "hello"
    assert request.event["id"] == request.headers["webhook-id"]
    assert (request.headers["webwx-event"], request.headers["webwx-attempt"]) == ("message.text", "1")
    moment = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    expected = Webhook(webhook.secret).sign(request.headers["webhook-id"], moment, request.body.decode())
    assert request.headers["webhook-signature"] == expected


async def test_a_failed_event_is_sent_again_with_its_id_before_the_next_of_its_chat(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    pauses, statuses = Pauses(), iter(["500 No", "302 Found", "200 OK", "200 OK"])
    receiver.answer = lambda _: next(statuses)
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        await added(running, receiver)
        running.world.say("ahua", "me", "one")
        running.world.say("ahua", "me", "two")
        requests = [await receiver.requests.get() for _ in range(4)]
    assert [request.text for request in requests] == ["one", "one", "one", "two"]
    assert [request.headers["webwx-attempt"] for request in requests] == ["1", "2", "3", "1"]
    assert len({request.headers["webhook-id"] for request in requests}) == 2
    assert [first <= pause <= 1.2 * first for first, pause in zip((1, 2), pauses.seconds, strict=True)] == [True, True]


async def test_the_states_of_sends_are_sent_to_webhooks_that_name_them(
    online: Running, receiver: WebhookReceiver
) -> None:
    await added(online, receiver, types=("send.changed",))
    await added(online, receiver, types=("*",))
    await online.port.account(1).sends.send("filehelper", TextContent(text="done"), key="k")
    online.world.say("ahua", "me", "after it")
    states: list[str] = []
    async with asyncio.timeout(20):
        while "sent" not in states or "after it" not in states:
            request = await receiver.requests.get()
            if request.headers["webwx-event"] == "send.changed":
                event = request.event
                assert (event["type"], event["account"], event["chat"]) == ("send.changed", 1, "filehelper")
                assert event["data"]["text"] == "done"
                assert event["id"] == request.headers["webhook-id"]
                states.append(event["data"]["state"])
            else:
                states.append(request.text)
    assert states.count("sent") == states.count("after it") == 1


async def test_a_failing_chat_does_not_delay_another_one(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    pauses = Pauses(lasts=True)
    receiver.answer = lambda request: "500 No" if request.text == "broken" else "200 OK"
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        await added(running, receiver)
        running.world.say("ahua", "me", "broken")
        running.world.say("ahua", "me", "after it")
        await pauses.begun.wait()
        running.world.say("zhangsan", "me", "of another chat")
        assert await receiver.texts(2) == ["broken", "of another chat"]
        receiver.answer = lambda _: "200 OK"
        pauses.released.set()
        assert await receiver.texts(2) == ["broken", "after it"]


async def test_retry_after_of_a_busy_server_is_followed(start_gateway: StartGateway, receiver: WebhookReceiver) -> None:
    pauses, answers = Pauses(), iter(["429 Slow\r\nRetry-After: 77", "503 Later\r\nRetry-After: 9999", "200 OK"])
    receiver.answer = lambda _: next(answers)
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        await added(running, receiver)
        running.world.say("ahua", "me", "one")
        await receiver.texts(3)
    assert pauses.seconds == pytest.approx([77.0, 3600.0])


async def test_after_the_last_attempt_an_event_is_a_dead_letter_and_the_next_one_is_sent(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    receiver.answer = lambda request: "500 No" if request.text == "broken" else "200 OK"
    async with start_gateway(sleep=Pauses()) as running:
        await running.log_in()
        webhook = await added(running, receiver)
        running.world.say("ahua", "me", "broken")
        running.world.say("ahua", "me", "next")
        attempts = len(PRIVATE_PAUSES) + 1
        assert await receiver.texts(attempts + 1) == ["broken"] * attempts + ["next"]
        [letter] = await running.port.account(1).client.list_dead_letters(consumer=webhook.consumer, limit=10)
        assert letter.error == "not-accepted: The server answered 500."
        receiver.answer = lambda _: "200 OK"
        assert await running.port.account(1).client.revive(letter.event.number, consumer=webhook.consumer)
        assert await receiver.texts(1) == ["broken"]


async def test_a_restart_continues_from_the_stored_position(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    pauses = Pauses(lasts=True)
    receiver.answer = lambda request: "500 No" if request.text == "broken" else "200 OK"
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        webhook = await added(running, receiver)
        running.world.say("zhangsan", "me", "delivered")
        assert await receiver.texts(1) == ["delivered"]
        await until_accepted(running.port.account(1).client, webhook)
        running.world.say("ahua", "me", "broken")
        running.world.say("ahua", "me", "after it")
        await pauses.begun.wait()
    assert await receiver.texts(1) == ["broken"]
    receiver.answer = lambda _: "200 OK"
    async with start_gateway(sleep=Pauses()) as running:
        again, after = [await receiver.requests.get() for _ in range(2)]
        running.world.say("ahua", "me", "new")
        assert await receiver.texts(1) == ["new"]
    assert (again.text, after.text) == ("broken", "after it")
    assert int(again.headers["webwx-attempt"]) > 1


async def test_a_deleted_webhook_leaves_no_consumer(start_gateway: StartGateway, receiver: WebhookReceiver) -> None:
    async with start_gateway() as running:
        await running.log_in()
        account = running.port.account(1)
        before = {each.name for each in await account.client.list_consumers()}
        first, second = await added(running, receiver), await added(running, receiver)
        made = {each.name for each in await account.client.list_consumers()} - before
        assert made == {first.consumer, second.consumer}
        await running.gateway.webhooks.delete(first.id)
        await running.gateway.deliveries.apply(first.id)
        assert {second.consumer} == {each.name for each in await account.client.list_consumers()} - before
        second_id = second.id
    async with start_gateway() as running:  # the command line deletes it while the gateway is stopped
        await running.gateway.webhooks.delete(second_id)
        await running.gateway.deliveries.refresh()
        account = running.port.account(1)
        assert before == {each.name for each in await account.client.list_consumers()}


async def test_consumers_that_another_process_has_left_are_deleted_at_the_start(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    async with start_gateway() as running:
        await running.log_in()
        async with running.port.account(1).events.consume("webhook-deleted"):
            pass
    async with start_gateway() as running, asyncio.timeout(20):
        account = running.port.account(1)
        while "webhook-deleted" in {each.name for each in await account.client.list_consumers()}:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def test_a_restart_continues_the_schedule_of_a_failed_event(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    receiver.answer = lambda _: "503 Later\r\nRetry-After: 77"
    pauses = Pauses(lasts=True)
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        webhook = await added(running, receiver)
        running.world.say("ahua", "me", "one")
        await pauses.begun.wait()
    assert await receiver.texts(1) == ["one"]
    receiver.answer = lambda _: "200 OK"
    running.world.wind(30)
    pauses = Pauses(lasts=True)
    async with start_gateway(sleep=pauses) as running:
        await pauses.begun.wait()
        assert receiver.requests.empty()
        pauses.released.set()
        assert await receiver.texts(1) == ["one"]
        await until_accepted(running.port.account(1).client, webhook)
    assert pauses.seconds == pytest.approx([47.0])
    async with start_gateway(sleep=pauses) as running:
        running.world.say("ahua", "me", "two")
        assert await receiver.texts(1) == ["two"]


async def test_a_webhook_that_begins_to_fail_at_another_gateway_keeps_its_schedule_until_a_delivery_here(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    receiver.answer = lambda request: "500 No" if request.text.startswith("fails") else "200 OK"
    pauses = Pauses(lasts=True)
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        webhook = await added(running, receiver)
        webhooks, deliveries = running.gateway.webhooks, running.gateway.deliveries
        running.world.say("ahua", "me", "fails first")
        assert await receiver.texts(1) == ["fails first"]
        await pauses.begun.wait()
        await webhooks.note(webhook.id, failing_since=1000.0)
        await deliveries.refresh()
        running.world.say("zhangsan", "me", "fails later")
        assert await receiver.texts(1) == ["fails later"]
        running.world.say("lilei", "me", "is accepted")
        assert await receiver.texts(1) == ["is accepted"]
        while (stored := await webhooks.get(webhook.id)) is None or stored.failing_since:
            pass
        receiver.answer = lambda _: "200 OK"
        pauses.released.set()
        assert sorted(await receiver.texts(2)) == ["fails first", "fails later"]


async def test_a_webhook_that_is_changed_at_another_gateway_gets_its_waiting_events_at_once(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    receiver.answer = lambda _: "500 No"
    pauses = Pauses(lasts=True)
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        webhook = await added(running, receiver)
        running.world.say("ahua", "me", "one")
        assert await receiver.texts(1) == ["one"]
        await pauses.begun.wait()
        receiver.answer = lambda _: "200 OK"
        await running.gateway.webhooks.change(webhook.id, lambda each: each)
        await running.gateway.deliveries.refresh()
        assert await receiver.texts(1) == ["one"]


async def test_410_disables_a_webhook_and_its_event_waits(online: Running, receiver: WebhookReceiver) -> None:
    receiver.answer = lambda _: "410 Gone"
    webhook = await added(online, receiver)
    online.world.say("ahua", "me", "one")
    assert await receiver.texts(1) == ["one"]
    async with online.client("webhooks", "admin") as client:
        path = f"/api/v1/webhooks/{webhook.id}"
        for _ in range(1000):
            shown = (await client.get(path)).json()
            if shown["state"] == "disabled":
                break
        assert shown["disabled_reason"] == "The server answered 410."
        receiver.answer = lambda _: "200 OK"
        assert (await client.patch(path, json={"enabled": True})).json()["disabled_reason"] == ""
    assert await receiver.texts(1) == ["one"]


async def test_events_of_a_new_login_are_sent(online: Running, receiver: WebhookReceiver) -> None:
    await added(online, receiver)
    online.world.log_out("me")
    assert (await online.port.account(1).check()).state == "logged_out"
    await online.log_in()
    online.world.say("ahua", "me", "after the login")
    assert await receiver.texts(1) == ["after the login"]


async def test_only_wanted_events_are_sent(online: Running, receiver: WebhookReceiver) -> None:
    sender = await online.port.account(1).client.find_contact("阿华")
    await added(online, receiver, chats=(sender.id,), is_self=False)
    online.world.say("zhangsan", "me", "of another chat")
    online.world.say("me", "ahua", "of myself")
    online.world.say("ahua", "me", "wanted")
    assert await receiver.texts(1) == ["wanted"]


async def test_more_waiting_events_than_fit_in_memory_are_sent_in_order(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    pauses = Pauses(lasts=True)
    receiver.answer = lambda _: "500 No"
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        await added(running, receiver)
        for number in range(150):
            running.world.say("ahua", "me", str(number))
        await pauses.begun.wait()
        await running.until_text("149")
        receiver.answer = lambda _: "200 OK"
        pauses.released.set()
        assert await receiver.texts(151) == ["0", *map(str, range(150))]


async def test_a_deleted_webhook_gets_no_events(online: Running, receiver: WebhookReceiver) -> None:
    webhook = await added(online, receiver)
    await online.gateway.webhooks.delete(webhook.id)
    await online.gateway.deliveries.apply(webhook.id)
    online.world.say("ahua", "me", "one")
    await online.until_text("one")
    assert receiver.requests.empty()


async def test_a_private_address_needs_permission(online: Running, receiver: WebhookReceiver) -> None:
    webhook = await added(online, receiver)
    await online.gateway.deliveries.test(webhook)
    request: ReceivedRequest = await receiver.requests.get()
    assert request.event["type"] == "webhook.test"
    closed = StoredWebhook(id="x", secret=webhook.secret, created_at=0, name="n", url=receiver.url)
    made = await online.gateway.deliveries.test(closed)
    assert (made.status, made.is_delivered, "private network" in made.error) == (None, False, True)
    assert receiver.requests.empty()


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
        arrived: list[Any] = []
        while len({*arrived}) < 150:
            arrived += await receiver.texts(1)
        if ordering != "none":
            assert list(dict.fromkeys(arrived)) == [str(number) for number in range(150)]


@on_virtual_clock
async def test_a_webhook_gets_eight_requests_at_once(start_gateway: StartGateway) -> None:
    connections: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    async with listener:
        async with start_gateway() as running:
            await running.log_in()
            url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
            template = StoredWebhook(
                id="", secret="", created_at=0, name="n", url=url, ordering="none", allow_private=True
            )  # fmt: skip
            made = await running.gateway.webhooks.create(template)
            await running.gateway.deliveries.apply(made.webhook.id)
            for number in range(20):
                running.world.say("ahua", "me", str(number))
            await asyncio.sleep(10)
            assert len(connections) == 8
        # Not before: the gateway would connect again, for the other events.
        for writer in connections:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
