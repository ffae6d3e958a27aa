"""One account of the gateway: it is synced as long as it is logged in, through every end of a login."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from webwx.errors import InvalidRequest
from webwx.gateway.port import TextContent
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from tests.gateway.conftest import Running, StartGateway


async def test_it_is_synced_again_after_a_new_login(online: Running) -> None:
    account = online.port.account(1)
    online.world.log_out("me")
    assert (await account.check()).state == "logged_out"
    assert (await account.status()).error

    await online.log_in()
    online.world.say("ahua", "me", "back")
    await online.until_text("back")
    assert (await account.status()).error is None


async def test_a_send_in_progress_is_finished_before_the_end(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        await running.log_in()
        sending = asyncio.ensure_future(running.port.account(1).send("filehelper", TextContent(text="last"), wait=20))
        await asyncio.sleep(0)
    assert (await sending).state == "sent"
    assert running.world.inbox("me")["filehelper"].messages[-1].text == "last"


async def test_two_gateways_do_not_sync_one_account(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        await running.log_in()
        async with start_gateway() as second:
            account = second.port.account(1)
            while (await account.status()).error is None:  # noqa: ASYNC110 - the error may be older than a watcher
                await asyncio.sleep(0)
            assert "syncing this login" in str((await account.status()).error)


async def test_what_is_not_there_is_said(online: Running) -> None:
    account = online.port.account(1)
    for what in (account.forward(999, "filehelper"), account.recall_message(999), account.media(999)):
        with pytest.raises(GatewayProblem):
            await what
    online.world.say("ahua", "me", "hi")
    number = (await online.until_text("hi")).event.number
    for refused in (account.recall_message(number), account.accept_friend(number)):
        with pytest.raises(InvalidRequest):
            await refused
