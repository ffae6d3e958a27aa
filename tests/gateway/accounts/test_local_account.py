"""One account of the gateway: it is synced while it is logged in, across its logins."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from tests.gateway.conftest import SERVER

from webwx.client.accounts import Accounts
from webwx.errors import InvalidLogin
from webwx.gateway.accounts.local_account import LocalAccount
from webwx.gateway.accounts.media_cache import MediaCache
from webwx.gateway.config import LimitsTable
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sends.send_files import FolderSendFiles
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from tests.gateway.conftest import Running, StartGateway


async def test_an_account_is_synced_again_after_a_new_login(online: Running) -> None:
    account = online.port.account(1)
    online.world.log_out("me")
    assert (await account.check()).state == "logged_out"
    assert (await account.status()).error

    await online.log_in()
    online.world.say("ahua", "me", "back")
    await online.until_text("back")
    assert (await account.status()).error is None


async def test_the_reason_of_an_ended_login_stays_after_the_saved_login_was_read_again(online: Running) -> None:
    account = online.port.account(1)
    online.world.log_out("me")
    ended = await account.check()
    async with asyncio.timeout(20):
        while account.syncing.is_set():  # noqa: ASYNC110 - nothing marks its end
            await asyncio.sleep(0)
        read_again = asyncio.create_task(account.syncing.wait())
        await asyncio.sleep(0)
        online.world.wind(5)
        account.renew()
        await read_again
    status = await account.status()
    assert (status.state, status.error_code) == ("logged_out", "logged-out")
    assert (status.error, status.since) == (ended.error, ended.since)  # else the end is reported to the owner again


async def test_an_end_that_is_cancelled_leaves_no_work_of_the_account(online: Running) -> None:
    def works() -> list[str]:
        coroutines = (str(task.get_coro()) for task in asyncio.all_tasks())
        return [each for each in coroutines if "BackgroundSends." in each or "LocalAccount._sync" in each]

    assert len(works()) == 4
    ending = asyncio.create_task(online.port.account(1).close())
    while not ending.done():  # as a worker does that has lost its lease
        await asyncio.sleep(0)
        ending.cancel()
    async with asyncio.timeout(20):
        while works():  # noqa: ASYNC110 - nothing marks the end of a cancelled task
            await asyncio.sleep(0)


async def test_two_gateways_do_not_sync_one_account(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        await running.log_in()
        async with start_gateway() as second:
            account = second.port.account(1)
            while (await account.status()).error is None:  # noqa: ASYNC110 - the error may be older than a watcher
                await asyncio.sleep(0)
            status = await account.status()
            assert ("syncing this login" in str(status.error), status.error_code) == (True, "already-running")


async def test_missing_objects_are_errors(online: Running) -> None:
    account = online.port.account(1)
    for what in (account.sends.forward(999, "filehelper"), account.media(999)):
        with pytest.raises(GatewayProblem):
            await what


async def test_an_account_whose_login_cannot_be_read_starts_with_the_reason_in_its_error_and_its_state(
    online: Running,
) -> None:
    login = online.folder / "logins" / "sandbox.test.json"
    login.chmod(0o644)
    records = open_records("memory:")
    account = LocalAccount(
        1, "default", Accounts(online.folder, server=SERVER), records,
        MediaCache(online.folder / "media", LimitsTable, time.time), FolderSendFiles(online.folder / "kept"), time.time,
        lambda: None, lambda account: None, lambda account: asyncio.sleep(0),
    )  # fmt: skip
    with pytest.raises(InvalidLogin, match="can be read by others"):
        await account.start()
    await account.has_begun.wait()
    status = await account.status()
    assert ("can be read by others" in str(status.error), status.error_code) == (True, "invalid-login")
    await account.close()
    login.chmod(0o600)
