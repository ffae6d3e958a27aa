"""Changes of sends, as the readers of a gateway follow them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.gateway.cluster_nodes import PASSPHRASE, node
from tests.gateway.conftest import SERVER, HoldingLoopback
from tests.postgres import new_schema

from webwx.client.accounts import Accounts
from webwx.gateway.accounts import send_changes
from webwx.gateway.accounts.account_sends import TextContent
from webwx.gateway.accounts.send_changes import SendChanges
from webwx.model.contacts import ContactId
from webwx.storage.open import open_storage
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.gateway.conftest import Running

    from webwx.gateway.accounts.account import SendChange
    from webwx.sandbox.core import SandboxCore


async def until_sent(changes: AsyncGenerator[SendChange, None]) -> list[tuple[int, str, str]]:
    """Read until a send is sent; return the number of the account, the text and the state of each change."""
    found: list[tuple[int, str, str]] = []
    async with asyncio.timeout(20):
        while not found or found[-1][2] != "sent":
            change = await anext(changes)
            found.append((change.account, change.send.text, change.send.state))
    return found


async def test_a_reader_gets_the_changes_of_its_accounts_from_now_on(online: Running) -> None:
    account = online.port.account(1)
    await account.sends.send("filehelper", TextContent(text="before"))
    mine, of_another = online.port.watch_sends([1]), online.port.watch_sends([2])
    await account.sends.send("filehelper", TextContent(text="after"))
    found = await until_sent(mine)
    assert {(number, text) for number, text, _ in found} == {(1, "after")}
    waiting = asyncio.ensure_future(anext(of_another))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_changes_whose_sends_are_not_named_are_found_once(online: Running) -> None:
    account = online.port.account(1)
    changes = SendChanges(online.port.account)
    reader = changes.watch([1])
    await account.sends.send("filehelper", TextContent(text="one"))
    changes.note(1)
    assert await until_sent(reader) == [(1, "one", "sent")]
    await account.sends.send("filehelper", TextContent(text="two"))
    changes.note(1)
    assert await until_sent(reader) == [(1, "two", "sent")]


async def test_a_reader_that_has_ended_is_forgotten(online: Running) -> None:
    changes = SendChanges(online.port.account)
    reader = changes.watch([1])
    assert repr(changes) == "SendChanges(1 readers)"
    del reader
    assert repr(changes) == "SendChanges(0 readers)"


async def test_a_send_whose_process_has_died_changes_although_nothing_is_announced(
    online: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_changes, "_LOOK_AGAIN", 0.01)
    account = online.port.account(1)
    changes = SendChanges(online.port.account)
    reader = changes.watch([1])
    outbox = account.client.subscribe("x").part.outbox
    send = await outbox.add(client_id="1", chat=ContactId("filehelper"), kind="text", text="", key="", time=1)
    changes.note(1, send.number)
    async with asyncio.timeout(20):
        assert (await anext(reader)).send.state == "queued"
        following = asyncio.ensure_future(anext(reader))
        await outbox.settle(send.number, "unknown", time=2)
        assert (await following).send.state == "unknown"


@pytest.mark.verify
async def test_changes_are_followed_at_each_node(sandbox: SandboxCore, tmp_path: Path) -> None:
    schema = new_schema()
    async with (
        node(schema, sandbox, tmp_path / "worker") as worker,
        node(schema, sandbox, tmp_path / "front", capacity=0) as front,
    ):
        number = await worker.log_in()
        owner = await worker.until_owned(number)
        await front.until_state(number, "online")
        sandbox.world.say("ahua", "me", "the nodes listen to announcements")
        await front.until_text("the nodes listen to announcements", number)
        there, here = front.port.watch_sends([number]), worker.port.watch_sends([number])
        await owner.client.send_text("filehelper", "hello")
        for changes in (there, here):
            assert (await until_sent(changes))[-1] == (number, "hello", "sent")


@pytest.mark.verify
async def test_the_sends_of_a_command_are_followed_without_an_owner_of_the_account(
    sandbox: SandboxCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_changes, "_LOOK_AGAIN", 3_600)  # the change must be announced
    schema = new_schema()
    async with node(schema, sandbox, tmp_path / "front", capacity=0) as front:
        number = await front.log_in()
        storage = open_storage(schema.url, passphrase=PASSPHRASE)
        async with Accounts(
            storage, server=SERVER, transport=HoldingLoopback(sandbox), clock=sandbox.world.clock.now,
            timeouts=Timeouts(retry=0),
        ) as accounts:  # fmt: skip
            command = await accounts.open("default")
            following = asyncio.ensure_future(until_sent(front.port.watch_sends([number])))
            while not following.done():  # the node may not listen yet
                await command.send_text("filehelper", "from a command")
                await asyncio.wait([following], timeout=1)
            assert (await following)[-1] == (number, "from a command", "sent")
        await storage.close()
