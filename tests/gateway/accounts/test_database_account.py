"""Accounts that another process runs: reads, and sends that its owner makes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.gateway.cluster_nodes import node
from tests.postgres import TemporarySchema

from webwx.errors import ApiError, KeyReused, NotLoggedIn
from webwx.gateway.accounts.account_sends import MediaContent, TextContent
from webwx.gateway.accounts.journal_lookup import named_events, required_send
from webwx.gateway.problems import GatewayProblem
from webwx.model.contacts import FILEHELPER
from webwx.model.messages import Receipt
from webwx.storage.postgres.journal import PostgresJournal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.cluster_nodes import Node

    from webwx.sandbox.core import SandboxCore

pytestmark = pytest.mark.verify

NEVER = 3600.0
"""Seconds between two looks of a gateway that learns of sends by announcements only."""


async def until_heard(node: Node, number: int) -> None:
    """Wait until a gateway listens to announcements: it has heard of an event of an account."""
    async with asyncio.timeout(20):
        while not node.port.directory.newest(number):  # noqa: ASYNC110 - it depends on other processes
            await asyncio.sleep(0.02)


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
            *(each.port.account(number).sends.send("filehelper", content, key="k") for each in (one, other))
        )
        assert {sent.state for sent in sends} == {"sent"}
        assert len({sent.client_id for sent in sends}) == 1
        assert len(await worker.port.account(number).client.list_sends()) == 1
        with pytest.raises(KeyReused):
            await one.port.account(number).sends.send("filehelper", TextContent(text="other"), key="k")


async def test_a_send_and_its_outcome_are_announced(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with (
        node(schema, sandbox, tmp_path / "front", capacity=0, look_for_sends=NEVER) as front,
        node(schema, sandbox, tmp_path / "worker", look_for_sends=NEVER) as worker,
    ):
        number = await worker.log_in()
        await worker.until_owned(number)
        await front.until_state(number, "online")
        sandbox.world.say("ahua", "me", "hello")
        for each in (front, worker):
            await until_heard(each, number)
        account = front.port.account(number)
        async with asyncio.timeout(20):
            for text in ("one", "two"):
                sent = await account.sends.send("filehelper", TextContent(text=text), wait=NEVER)
                assert sent.state == "sent"


async def test_a_send_whose_announcement_was_lost_is_made(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with node(schema, sandbox, tmp_path / "worker") as worker:
        number = await worker.log_in()
        account = await worker.until_owned(number)
        now = sandbox.world.clock.now()
        async with PostgresJournal(schema.url) as journal:
            outbox = journal.account(account.client.account.uin).outbox
            for name in ("1", "2"):
                await outbox.add(client_id=name, chat=FILEHELPER, kind="text", text="hi", key=name, time=now)
        # Neither a later number nor an announcement tells of these changes.
        schema.execute("UPDATE outbox SET background = true")
        async with asyncio.timeout(20):
            while (await required_send(account.client, "1")).state != "sent":  # noqa: ASYNC110 - it is a query
                await asyncio.sleep(0.02)


async def test_a_refused_text_is_sent_when_another_gateway_sends_under_its_key(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with node(schema, sandbox, tmp_path / "front", capacity=0) as front, node(
        schema, sandbox, tmp_path / "worker"
    ) as worker:  # fmt: skip
        number = await worker.log_in()
        account = await worker.until_owned(number)
        await front.until_state(number, "online")
        sandbox.world.refuse_next("webwxsendmsg", 1)
        with pytest.raises(ApiError):
            await account.client.send_text("filehelper", "hi", key="k")
        async with asyncio.timeout(20):
            sent = await front.port.account(number).sends.send(
                "filehelper", TextContent(text="hi"), key="k", wait=NEVER
            )
        assert sent.state == "sent"
        assert [each.text for each in sandbox.world.inbox("me")["filehelper"].messages] == ["hi"]


async def test_a_queued_send_is_made_when_another_gateway_sends_under_its_key(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with node(schema, sandbox, tmp_path / "front", capacity=0) as front, node(
        schema, sandbox, tmp_path / "worker"
    ) as worker:  # fmt: skip
        number = await worker.log_in()
        account = await worker.until_owned(number)
        await front.until_state(number, "online")
        row = await account.client.queue_text("filehelper", "hi", key="k")
        async with asyncio.timeout(20):
            sent = await front.port.account(number).sends.send(
                "filehelper", TextContent(text="hi"), key="k", wait=NEVER
            )
        assert (sent.client_id, sent.state) == (row.client_id, "sent")


async def test_the_outcome_of_a_send_is_found_without_an_announcement(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with node(schema, sandbox, tmp_path / "front", capacity=0) as front:
        number = await front.log_in()
        account = front.port.account(number)
        sending = asyncio.ensure_future(account.sends.send("filehelper", TextContent(text="hi"), key="k", wait=NEVER))
        async with asyncio.timeout(20):
            while (row := await account.client.find_send(key="k")) is None:  # noqa: ASYNC110 - it is a query
                await asyncio.sleep(0.02)
        uin = front.port.directory.uin_of(number)
        assert uin is not None
        async with PostgresJournal(schema.url) as journal:
            outbox = journal.account(uin).outbox
            assert await outbox.sending(row.number, row.created_at, FILEHELPER)
            receipt = Receipt(message_id="1", client_id=row.client_id, chat=FILEHELPER, time=0)
            await outbox.settle(row.number, "sent", time=row.created_at, receipt=receipt)
        async with asyncio.timeout(20):
            assert (await sending).state == "sent"


async def test_calls_that_need_the_owner_are_refused_elsewhere(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with node(schema, sandbox, tmp_path / "front", capacity=0) as front:
        account = await front.port.add_account("work")
        with pytest.raises(NotLoggedIn):
            await account.owned()
        assert (await account.status()).state == "new"
        await front.log_in("work")
        file = MediaContent(kind="file", path=tmp_path, name="a.txt")
        for refused in (
            account.owned(), account.sends.send("filehelper", file), account.sends.enqueue_file("filehelper", file),
            account.sends.retry("1"), account.sends.forward(1, "filehelper"), account.media(1),
            account.events.consume("bot").__aenter__(),
        ):  # fmt: skip
            with pytest.raises(GatewayProblem, match="No worker runs this account"):
                await refused
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
        found = await account.client.history_page(None, words="hello", limit=5, before="", since=0, until=0)
        assert [each.entry.number for each in found.entries] == [here.event.number]
        [shown] = await named_events(number, account.client, [here.event])
        assert (shown.chat_name, shown.sender_name) == (here.chat_name, here.sender_name)
        page = await front.port.events.read([number], "", limit=500)
        assert not await front.port.events.wait([number], page.cursor, wait=0)
        again = await worker.port.events.read([number], page.cursor, limit=500)
        assert (again.events, again.lost) == ([], False)
