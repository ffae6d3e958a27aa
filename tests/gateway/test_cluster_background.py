"""Work in the background of several gateways: it is done once, by the gateway that runs the account."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.gateway.cluster_nodes import node
from tests.gateway.webhook_receiver import until_accepted, webhook_receiver
from tests.postgres import TemporarySchema

from webwx.gateway.notify.message import OutgoingMessage
from webwx.gateway.receivers.receivers import StoredReceiver
from webwx.gateway.webhooks.webhooks import StoredWebhook

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.sandbox.core import SandboxCore

pytestmark = pytest.mark.verify


async def test_a_webhook_of_one_gateway_is_called_once_by_the_owner_and_after_a_takeover_by_the_next_one(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with webhook_receiver() as receiver, node(schema, sandbox, tmp_path / "front", capacity=0) as front:
        async with node(schema, sandbox, tmp_path / "a") as first:
            number = await first.log_in()
            account = await first.until_owned(number)
            made = await front.gateway.webhooks.create(
                StoredWebhook(
                    id="",
                    secret="",
                    created_at=0,
                    name="n",
                    url=receiver.url,
                    types=("message.text",),
                    allow_private=True,
                )
            )
            name = made.webhook.consumer
            async with asyncio.timeout(20):
                while not any(each.name == name for each in await account.client.list_consumers()):  # noqa: ASYNC110 - it is opened by a look
                    await asyncio.sleep(0.05)
            sandbox.world.say("ahua", "me", "one")
            assert await receiver.texts(1) == ["one"]
            await until_accepted(account.client, made.webhook)
        sandbox.world.say("ahua", "me", "between")
        async with node(schema, sandbox, tmp_path / "b") as second:
            await second.until_owned(number)
            sandbox.world.say("ahua", "me", "two")
            assert await receiver.texts(2) == ["between", "two"]
        assert receiver.requests.empty()


async def test_a_notification_that_another_gateway_holds_is_sent_once_by_the_owner_that_runs_already(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with (
        node(schema, sandbox, tmp_path / "front", capacity=0) as front,
        node(schema, sandbox, tmp_path / "a") as owner,
    ):
        number = await front.log_in()
        account = await owner.until_owned(number)
        await front.until_state(number, "online")
        template = StoredReceiver(
            id="", name="n", kind="json", account=number, digest="", created_at=0, messages_per_minute=1
        )  # fmt: skip
        receiver = (await front.gateway.receivers.create(template)).receiver
        for text in ("sent at once", "held"):
            await front.gateway.notifications.put(receiver, OutgoingMessage(text), text)
        assert front.gateway.notifications.waiting(receiver.id) == 1
        sandbox.world.wind(60)
        async with asyncio.timeout(20):
            while [each.state for each in await account.client.list_sends()] != ["sent", "sent"]:  # noqa: ASYNC110 - it is sent by a look
                await asyncio.sleep(0.05)
        await front.gateway.notifications.flush()
        assert front.gateway.notifications.waiting(receiver.id) == 0
        assert len(await account.client.list_sends()) == 2


async def test_a_burst_at_several_gateways_is_counted_once(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with (
        node(schema, sandbox, tmp_path / "front", capacity=0) as front,
        node(schema, sandbox, tmp_path / "owner") as owner,
    ):
        number = await front.log_in()
        account = await owner.until_owned(number)
        await front.until_state(number, "online")
        receiver = (
            await front.gateway.receivers.create(
                StoredReceiver(
                    id="", name="n", kind="json", account=number, digest="", created_at=0, messages_per_minute=3
                )
            )
        ).receiver
        for text in range(3):
            for each in (front, owner):
                await each.gateway.notifications.put(receiver, OutgoingMessage(f"{text}"), "")
        assert sorted(each.text for each in await account.client.list_sends()) == ["0", "0", "1"]
        sandbox.world.wind(60)
        async with asyncio.timeout(20):
            while len(await account.client.list_sends()) < 4:  # noqa: ASYNC110 - it is sent by a look
                await asyncio.sleep(0.05)
        texts = sorted(each.text for each in await account.client.list_sends())
        assert [line[12:] for line in texts[-1].split("\n\n")[1:]] == ["1", "2", "2"]
