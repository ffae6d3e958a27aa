"""What all gateways of a database know of its accounts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.gateway.cluster_nodes import node
from tests.postgres import TemporarySchema

from webwx.representations.accounts import AccountSettings
from webwx.storage.leases import LeaseTimes
from webwx.storage.postgres.leases import PostgresLeases

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.sandbox.core import SandboxCore

pytestmark = pytest.mark.verify


async def test_labels_and_settings_are_known_everywhere(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with (
        node(schema, sandbox, tmp_path / "a", capacity=0) as one,
        node(schema, sandbox, tmp_path / "b", capacity=0) as other,
    ):
        number = (await one.port.add_account("work")).number
        await one.port.label_account(number, "My work")
        await other.port.directory.refresh()
        assert [(status.number, status.label) for status in await other.port.list_accounts()] == [(number, "My work")]


async def test_settings_that_wait_for_the_next_login_are_shown_everywhere(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    settings = AccountSettings(rate_limit="on")
    async with (
        node(schema, sandbox, tmp_path / "front", capacity=0) as front,
        node(schema, sandbox, tmp_path / "owner") as owner,
    ):
        number = await front.log_in()
        account = await owner.until_owned(number)
        await front.until_state(number, "online")
        await front.port.configure_account(number, settings)
        for each in (front, owner):
            status = await each.until_status(number, lambda status: status.settings == settings)
            assert status.pending_settings
        await front.port.configure_account(number, AccountSettings())
        assert not (await front.port.account(number).status()).pending_settings
        await owner.until_status(number, lambda status: not status.pending_settings)
        await owner.port.configure_account(number, settings)
        await account.client.logout()
        for each in (front, owner):
            await each.until_status(
                number, lambda status: status.state == "logged_out" and not status.pending_settings
            )  # fmt: skip


async def test_a_reader_of_states_gets_a_change_before_the_first_look_at_them(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with (
        node(schema, sandbox, tmp_path / "front", capacity=0) as front,
        node(schema, sandbox, tmp_path / "owner") as owner,
    ):
        number = await front.log_in()
        account = await owner.until_owned(number)
        await front.until_state(number, "online")
        directory = front.port.directory
        await directory.begin_changes()
        await account.client.logout()
        await front.until_state(number, "logged_out")
        async with asyncio.timeout(20):
            while not (changed := await directory.changed_statuses()):  # noqa: ASYNC110 - it looks once a second
                await asyncio.sleep(0.02)
        assert [(each.number, each.state) for each in changed] == [(number, "logged_out")]


async def test_the_state_of_an_account_whose_worker_has_died_is_not_online(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with node(schema, sandbox, tmp_path / "front", capacity=0) as front:
        number = await front.log_in()
        leases = PostgresLeases(schema.url, LeaseTimes())
        await leases.join("dead", "", 10)
        while not await leases.claim("dead"):  # noqa: ASYNC110 - the login may hold the account's row for a moment
            await asyncio.sleep(0.02)
        await leases.close()
        await asyncio.to_thread(schema.execute, "UPDATE workers SET expires = now() - interval '1 second'")
        status = await front.until_error(number, "The worker of this account has died; another one takes the account.")
        assert status.state == "degraded"


async def test_settings_are_applied_although_a_request_for_an_unknown_account_has_read_them(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    settings = AccountSettings(rate_limit="on")
    async with (
        node(schema, sandbox, tmp_path / "front", capacity=0) as front,
        node(schema, sandbox, tmp_path / "owner") as owner,
    ):
        number = await front.log_in()
        await owner.until_owned(number)
        await front.until_state(number, "online")
        await front.port.configure_account(number, settings)
        assert await owner.port.look_up_account("absent") is None
        await owner.until_status(number, lambda status: status.settings == settings)
