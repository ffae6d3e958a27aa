"""Sends that another process makes with the journal of an account beside the gateway."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.bot.conftest import until
from tests.gateway.conftest import SERVER

from webwx.client.accounts import Accounts
from webwx.gateway.accounts.send_changes import SendChanges
from webwx.gateway.sends import other_processes
from webwx.gateway.sends.other_processes import OtherProcesses
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.carriers import Counted
    from tests.gateway.conftest import Running

    from webwx.gateway.accounts.account import SendChange


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_processes, "LOOK_EVERY", 0.01)


async def until_sent(changes: AsyncGenerator[SendChange, None], text: str) -> None:
    async with asyncio.timeout(60):
        async for change in changes:
            if (change.send.text, change.send.state) == (text, "sent"):
                return


async def test_readers_get_the_sends_of_a_command_beside_the_gateway(online: Running, counted: Counted) -> None:
    mine, of_all = online.port.watch_sends([1]), online.port.watch_sends()
    online.world.wind(2)
    async with Accounts(
        online.folder, server=SERVER, transport=counted, clock=online.world.clock.now, timeouts=Timeouts(retry=0)
    ) as accounts:
        command = await accounts.open("default")
        await command.send_text("filehelper", "from a command")
        await until_sent(mine, "from a command")
        await until_sent(of_all, "from a command")
        later = online.port.watch_sends([1])
        await command.send_text("filehelper", "another one")
        await until_sent(later, "another one")


async def test_nothing_is_looked_at_without_a_reader(online: Running) -> None:
    looks: list[str] = []
    changes = SendChanges(online.port.account)
    others = OtherProcesses(changes, lambda: [online.port.account(1)], looks.append, online.world.clock.now)
    others.begin()
    assert repr(others) == "OtherProcesses(0 accounts are followed)"
    reader, of_another = changes.watch([1]), changes.watch([2])
    others.begin()
    assert repr(others) == "OtherProcesses(1 accounts are followed)"
    await until(lambda: bool(looks))
    del reader
    await until(lambda: repr(others) == "OtherProcesses(0 accounts are followed)")
    del of_another
    seen = len(looks)
    await until(lambda: others.is_idle)
    assert len(looks) == seen
    others.end()
