"""The number of open files: what would not fit is refused before it is accepted, and connections always fit."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.gateway.webhook_receiver import added

from webwx.errors import TooManyOpenFiles
from webwx.gateway.config import GatewayConfig, IncomingFilesTable
from webwx.gateway.process.open_files import OF_ACCOUNT, OpenFiles, limit_of_files, raise_limit

if TYPE_CHECKING:
    from tests.gateway.conftest import StartGateway
    from tests.gateway.webhook_receiver import WebhookReceiver

WEBHOOK = {"name": "n8n", "url": "https://example.com/hook"}


def room_for(accounts: int, consumers: int = 0) -> OpenFiles:
    """Return a count with room for exactly these accounts and consumers."""
    room = accounts * OF_ACCOUNT + consumers
    limit = next(limit for limit in range(room, 2 * room + 8) if limit - limit // 8 == room)
    return OpenFiles(lambda: limit)


def test_a_part_of_the_limit_is_kept_for_connections() -> None:
    files = OpenFiles(lambda: 8 * OF_ACCOUNT)
    for number in range(7):
        files.add_account(number)
    with pytest.raises(TooManyOpenFiles, match="delete a webhook or an account"):
        files.require(consumers=1)
    files.remove_account(3)
    with files.consumer():
        files.require(consumers=OF_ACCOUNT - 1)
        with pytest.raises(TooManyOpenFiles):
            files.add_account(9)
    files.add_account(9)


def test_each_bot_of_an_account_counts_as_a_consumer() -> None:
    files = OpenFiles(lambda: 2 * OF_ACCOUNT + 2, bots=3)
    files.add_account(1)
    with pytest.raises(TooManyOpenFiles):
        files.add_account(2)


def test_without_a_limit_everything_fits() -> None:
    OpenFiles(lambda: None).require(accounts=1_000_000)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_the_limit_of_the_process_is_read_and_raised() -> None:
    before = limit_of_files()
    raise_limit()
    after = limit_of_files()
    assert before is None or after is None or after >= before


async def test_an_account_that_does_not_fit_is_refused_with_503(start_gateway: StartGateway) -> None:
    async with start_gateway(open_files=room_for(1)) as running, running.client("admin") as client:
        assert (await client.post("/api/v1/accounts", json={"name": "one"})).status_code == 201
        refused = await client.post("/api/v1/accounts", json={"name": "two"})
        assert (refused.status_code, refused.json()["code"]) == (503, "too-many-open-files")
        assert [each["name"] for each in (await client.get("/api/v1/accounts")).json()["accounts"]] == ["one"]
        assert (await client.delete("/api/v1/accounts/one")).status_code == 204
        assert (await client.post("/api/v1/accounts", json={"name": "two"})).status_code == 201


async def test_a_webhook_that_does_not_fit_is_refused_with_503(start_gateway: StartGateway) -> None:
    async with start_gateway(open_files=room_for(1, 1)) as running, running.client("admin") as client:
        await running.log_in()
        made = (await client.post("/api/v1/webhooks", json=WEBHOOK)).json()["webhook"]
        refused = await client.post("/api/v1/webhooks", json=WEBHOOK)
        assert (refused.status_code, refused.json()["code"]) == (503, "too-many-open-files")
        assert len((await client.get("/api/v1/webhooks")).json()["webhooks"]) == 1

        changes = f"/api/v1/webhooks/{made['id']}"
        assert (await client.patch(changes, json={"name": "same accounts"})).status_code == 200
        assert (await client.patch(changes, json={"enabled": False})).status_code == 200
        async with running.port.account(1).events.consume("another program"):
            assert (await client.patch(changes, json={"enabled": True})).status_code == 503
        assert (await client.patch(changes, json={"enabled": True})).status_code == 200


async def test_a_rule_for_files_that_does_not_fit_is_refused_with_503(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    (tmp_path / "root").mkdir()
    config = GatewayConfig(incoming_files=IncomingFilesTable(root=str(tmp_path / "root")))
    rule = {"name": "pictures", "folder": "{date}"}
    async with start_gateway(config, open_files=room_for(1, 1)) as running, running.client("admin") as client:
        await running.log_in()
        made = (await client.post("/api/v1/incoming-file-rules", json=rule)).json()
        assert (await client.post("/api/v1/incoming-file-rules", json=rule)).status_code == 503
        changes = f"/api/v1/incoming-file-rules/{made['id']}"
        assert (await client.patch(changes, json={"enabled": False})).status_code == 200
        async with running.port.account(1).events.consume("another program"):
            assert (await client.patch(changes, json={"enabled": True})).status_code == 503
        assert (await client.patch(changes, json={"enabled": True})).status_code == 200


async def test_a_consumer_that_does_not_fit_is_refused(start_gateway: StartGateway) -> None:
    async with start_gateway(open_files=room_for(1, 1)) as running:
        await running.log_in()
        account = running.port.account(1)
        async with account.events.consume("first"):
            with pytest.raises(TooManyOpenFiles):
                async with account.events.consume("second"):
                    pass
        async with account.events.consume("second"):
            pass


async def test_a_gateway_with_too_many_stored_webhooks_starts_and_lets_them_be_deleted(
    start_gateway: StartGateway, receiver: WebhookReceiver
) -> None:
    async with start_gateway() as running:
        await running.log_in()
        webhooks = [await added(running, receiver) for _ in range(2)]
    async with start_gateway(open_files=room_for(1, 1)) as running, running.client("admin") as client:
        for webhook in webhooks:
            async with asyncio.timeout(20):
                assert (await client.delete(f"/api/v1/webhooks/{webhook.id}")).status_code == 204


async def test_a_stored_account_that_does_not_fit_is_shown_and_can_be_removed(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        for name in ("one", "two"):
            await running.port.add_account(name)
    async with start_gateway(open_files=room_for(1)) as running:
        first, second = await running.port.list_accounts()
        assert (first.error, "raise the limit" in (second.error or "")) == (None, True)
        assert await running.port.remove_account(second.number)


async def test_a_saved_login_for_which_there_is_no_room_does_not_stop_the_start(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        await running.log_in()
        await running.port.remove_account(1)
    async with start_gateway(open_files=room_for(0)) as running:
        assert await running.port.list_accounts() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the open files of a process")
async def test_an_account_and_its_consumers_need_no_more_files_than_are_counted(start_gateway: StartGateway) -> None:
    def files_of(name: str) -> int:
        opened = (each.resolve() for each in Path("/proc/self/fd").iterdir() if each.exists())
        return sum(each.name.removeprefix(".").startswith(name) for each in opened)

    async with start_gateway() as running:
        await running.log_in()
        account = running.port.account(1)
        await account.client.list_consumers()  # opens the connection that reads
        name = next(running.folder.rglob("*.journal")).name.removesuffix(".journal")
        before = files_of(name)
        assert before <= OF_ACCOUNT - 4  # the others are connections to the platform
        async with account.events.consume("first"), account.events.consume("second"):
            assert files_of(name) == before + 2
