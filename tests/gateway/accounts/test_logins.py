"""The progress of a login, for any number of watchers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.gateway.conftest import Running


async def test_every_watcher_sees_the_steps_and_the_end(running: Running) -> None:
    account = await running.port.add_account("default")
    assert account.logins.present is None
    assert [status async for status in account.logins.watch()] == []
    await account.logins.begin("qr")

    async def watch() -> list[str]:
        return [status.state async for status in account.logins.watch()]

    other = asyncio.ensure_future(watch())
    steps, codes = [], []
    async for status in account.logins.watch():
        steps.append(status.state)
        codes.append(status.code)
        if status.state == "code":
            running.world.scan("me")
        elif status.state == "scanned":
            running.world.confirm()

    assert steps[-3:] == ["code", "scanned", "confirmed"]
    assert codes[-3] is not None
    assert codes[-2:] == [codes[-3], None]
    assert (await other)[-1] == "confirmed"
    assert [status.state async for status in account.logins.watch()] == ["confirmed"]


async def test_a_login_in_progress_is_not_started_twice(running: Running) -> None:
    account = await running.port.add_account("default")
    first = await account.logins.begin("qr")
    assert await account.logins.begin("qr") is first
    assert await account.logins.cancel()
    assert not await account.logins.cancel()
    status = account.logins.present
    assert status is not None
    assert (status.state, status.error, status.error_code) == ("failed", "The login was stopped.", "login-stopped")


async def test_an_unconfirmed_login_fails(running: Running) -> None:
    account = await running.port.add_account("default")
    await account.logins.begin("qr")
    async for status in account.logins.watch():
        if status.state == "code":
            running.world.scan("me")
        elif status.state == "scanned":
            running.world.cancel()

    status = account.logins.present or status
    assert (status.state, status.error_code) == ("failed", "login-timeout")
    assert "No login code was confirmed" in str(status.error)
