"""Accounts that another process runs: reads, and sends that its owner makes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.gateway.cluster_nodes import node
from tests.postgres import TemporarySchema, new_schema

from webwx.errors import NotLoggedIn
from webwx.gateway.port import TextContent
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.sandbox.core import SandboxCore

pytestmark = pytest.mark.verify


@pytest.fixture
def schema() -> TemporarySchema:
    return new_schema()


async def test_a_send_at_another_gateway_is_made_by_the_owner_once(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with node(schema, sandbox, tmp_path / "a", capacity=0) as one, node(
        schema, sandbox, tmp_path / "b", capacity=0
    ) as other, node(schema, sandbox, tmp_path / "worker") as worker:  # fmt: skip
        number = await worker.log_in()
        await worker.until_owned(number)
        await one.until_state(number, "online")
        await other.until_state(number, "online")
        content = TextContent(text="hi")
        sends = await asyncio.gather(
            *(each.port.account(number).send("filehelper", content, key="k") for each in (one, other))
        )
        assert {sent.state for sent in sends} == {"sent"}
        assert len({sent.client_id for sent in sends}) == 1
        assert len(await worker.port.account(number).list_sends()) == 1
        with pytest.raises(GatewayProblem, match="Idempotency-Key"):
            await one.port.account(number).send("filehelper", TextContent(text="other"), key="k")


async def test_calls_that_need_the_owner_are_refused_elsewhere(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with node(schema, sandbox, tmp_path / "front", capacity=0) as front:
        account = await front.port.add_account("work")
        with pytest.raises(NotLoggedIn):
            await account.list_chats()
        assert (await account.status()).state == "new"
        await front.log_in("work")
        with pytest.raises(GatewayProblem, match="No worker runs this account"):
            await account.list_chats()
        assert (await account.status()).state == "degraded"


async def test_events_and_messages_are_read_at_each_gateway(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with (
        node(schema, sandbox, tmp_path / "front", capacity=0) as front,
        node(schema, sandbox, tmp_path / "worker") as worker,
    ):
        number = await worker.log_in()
        await worker.until_owned(number)
        sandbox.world.say("ahua", "me", "hello")
        here, there = await worker.until_text("hello", number), await front.until_text("hello", number)
        assert (there.event, there.chat_name, there.sender_name) == (here.event, here.chat_name, here.sender_name)
        account = front.port.account(number)
        found = await account.search("hello", chat=None, limit=5, before=None)
        assert [each.number for each in found] == [here.event.number]
        page = await front.port.read_events([number], "", limit=500)
        assert not await front.port.wait_for_events([number], page.cursor, wait=0)
        again = await worker.port.read_events([number], page.cursor, limit=500)
        assert (again.events, again.lost) == ([], False)
