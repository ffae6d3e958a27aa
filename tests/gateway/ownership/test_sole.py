"""The accounts of one folder: their numbers, their states and their events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.gateway.conftest import SERVER

from webwx.client.accounts import Accounts
from webwx.errors import InvalidCursor, InvalidSettings
from webwx.gateway.accounts.account_sends import TextContent
from webwx.gateway.accounts.journal_lookup import required_send
from webwx.gateway.problems import GatewayProblem
from webwx.model.messages import TextMessage
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from tests.gateway.conftest import Running, StartGateway

    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.sandbox.core import SandboxCore


def texts(events: list[AccountEvent]) -> list[str]:
    return [account_event.event.text for account_event in events if isinstance(account_event.event, TextMessage)]


async def test_an_account_is_found_by_number_and_name(running: Running) -> None:
    account = await running.port.add_account("work")
    assert [running.port.find_account(which) for which in ("work", "1", "2", "", "１")] == [1, 1, None, None, None]
    assert running.port.account(1) is account
    with pytest.raises(GatewayProblem):
        running.port.account(2)
    with pytest.raises(InvalidSettings):
        await running.port.add_account("a/b")


async def test_a_number_is_never_used_twice(running: Running) -> None:
    await running.port.add_account("a")
    assert await running.port.remove_account(1)
    assert not await running.port.remove_account(1)
    assert (await running.port.add_account("a")).number == 2


async def test_events_after_a_cursor_are_read(online: Running) -> None:
    cursor = online.port.events.newest_cursor([1])
    assert not await online.port.events.wait([1], cursor, wait=0)
    for text in ("1", "2", "3"):
        online.world.say("ahua", "me", text)
    assert await online.port.events.wait([1], cursor, wait=20)
    while len(texts((page := await online.port.events.read([1], cursor, limit=100)).events)) < 3:
        await online.port.events.wait([1], page.cursor, wait=20)

    assert texts(page.events) == ["1", "2", "3"]
    assert {
        account_event.chat_name for account_event in page.events if isinstance(account_event.event, TextMessage)
    } == {"阿华"}
    assert (await online.port.events.read([1], page.cursor, limit=100)).events == []
    first = await online.port.events.read([1], cursor, limit=1)
    rest = await online.port.events.read([1], first.cursor, limit=100)
    assert texts(first.events + rest.events) == ["1", "2", "3"]


async def test_a_cursor_ahead_of_the_journal_is_reported(online: Running) -> None:
    from webwx.storage.cursors import encode_cursor

    page = await online.port.events.read([1], encode_cursor({1: 10_000}), limit=10)
    assert (page.lost, page.events) == (True, [])
    with pytest.raises(InvalidCursor):
        await online.port.events.read([1], "x", limit=10)


async def test_changes_of_a_state_are_reported(running: Running) -> None:
    states = running.port.watch_states()
    begun = running.world.now
    watched = anext(states)
    await running.port.add_account("default")
    import asyncio

    task = asyncio.ensure_future(watched)
    await running.log_in()
    status = await task
    assert (status.number, status.since >= begun) == (1, True)
    await states.aclose()


async def test_logins_of_another_server_are_not_accounts_of_this_gateway(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        await running.log_in("work")
        folder = running.folder
    (folder / "logins").mkdir(exist_ok=True)
    (folder / "accounts" / "work" / "sandbox.test.json").rename(folder / "logins" / "wx.qq.com.json")
    async with start_gateway() as running:
        assert [status.name for status in await running.port.list_accounts()] == ["work"]


async def log_in_beside(running: Running, sandbox: SandboxCore, name: str, who: str = "me") -> None:
    """Log an account in as another process does, such as `webwx login`."""
    accounts = Accounts(running.folder, server=SERVER, transport=Loopback(sandbox))
    async for progress in accounts.log_in(name):
        match progress.step:
            case "code":
                running.world.scan(who)
            case "scanned":
                running.world.confirm()
            case _:
                pass
    await accounts.close()


async def test_an_account_that_another_process_logs_in_is_opened(running: Running, sandbox: SandboxCore) -> None:
    await log_in_beside(running, sandbox, "work")
    await running.port.open_new_logins()
    await running.until_online("work")
    assert [status.name for status in await running.port.list_accounts()] == ["work"]


async def test_a_login_that_has_ended_is_renewed_by_another_process(online: Running, sandbox: SandboxCore) -> None:
    online.world.log_out("me")
    account = online.port.account(1)
    async with asyncio.timeout(20):
        await account.check()
        while account.syncing.is_set():  # noqa: ASYNC110 - the sync loop notices it a moment later
            await asyncio.sleep(0.01)
    await log_in_beside(online, sandbox, "default")
    await online.port.open_new_logins()
    await online.until_online("default")
    assert (await account.status()).state == "online"


async def test_an_account_that_was_removed_stays_removed(online: Running) -> None:
    await online.port.remove_account(1)
    await online.port.open_new_logins()
    assert await online.port.list_accounts() == []


async def test_a_look_for_new_logins_beside_a_removal_does_not_add_the_account_again(online: Running) -> None:
    number = 1
    for is_removed_first in (True, False) * 5:
        online.port._changes.clear()  # the login is a new one
        both = [online.port.remove_account(number), online.port.open_new_logins()]
        await asyncio.gather(*(both if is_removed_first else reversed(both)))
        assert await online.port.list_accounts() == []
        number = (await online.port.add_account("default")).number


async def test_a_queued_text_of_an_account_that_was_removed_during_a_login_stays_queued(online: Running) -> None:
    account = online.port.account(1)
    online.world.log_out("me")
    while (await account.check()).state != "logged_out":
        pass
    await account.sends.enqueue("filehelper", "before the removal")
    await account.logins.begin("qr")
    async for status in account.logins.watch():
        if status.state == "code":
            break
    await online.port.remove_account(1)

    number = await online.log_in()
    again = online.port.account(number)
    assert (await again.sends.send("filehelper", TextContent(text="after it"))).state == "sent"
    assert [(row.state, row.background) for row in await again.client.list_sends()] == [
        ("sent", False), ("queued", False)
    ]  # fmt: skip


async def test_a_background_send_that_a_program_stores_beside_the_gateway_is_made(
    online: Running, sandbox: SandboxCore
) -> None:
    async with Accounts(online.folder, server=SERVER, transport=Loopback(sandbox)) as accounts:
        client = await accounts.open("default")
        row = await client.queue_text("filehelper", "later", background=True)
    async with asyncio.timeout(20):
        online.port.look_for_sends()
        while (await required_send(online.port.account(1).client, row.client_id)).state != "sent":  # noqa: ASYNC110 - it is a query
            await asyncio.sleep(0.01)
