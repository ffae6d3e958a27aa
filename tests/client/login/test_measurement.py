"""The measurements of an account, before, during and after its login."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import SERVER

from webwx.client.client import AsyncClient
from webwx.client.state import LoginState
from webwx.errors import LoggedOut
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conftest import LogIn

    from webwx.sandbox.world import World
    from webwx.storage.base import Journal


@pytest.fixture
def usual_journal(journal: SqliteJournal) -> Journal:
    return journal


async def test_account_is_measured_in_numbers(log_in: LogIn, world: World) -> None:
    client = await log_in()
    await client.send_text("阿华", "hello")
    async for _ in client.events(follow=False):
        pass
    world.wind(5)
    measured = await client.measure()
    assert (measured.state, measured.is_journal_readable) == (LoginState.ONLINE, True)
    assert measured.sends == {"sent": 1}
    assert measured.sync_age is not None
    assert 5 <= measured.sync_age < 60
    assert (measured.rate_limit_wait, measured.last_poll >= 0) == (0.0, True)


async def test_account_can_be_measured_before_and_after_its_login(log_in: LogIn, world: World) -> None:
    async with AsyncClient(server=SERVER) as new:
        measured = await new.measure()
        assert (measured.state, measured.sync_age, measured.sends) == (LoginState.NEW, None, {})
    client = await log_in()
    world.log_out("me")
    with pytest.raises(LoggedOut):
        async for _ in client.events():
            pass
    assert (await client.measure()).state is LoginState.LOGGED_OUT


async def test_unreadable_journal_is_a_number_and_no_error(log_in: LogIn, journal: SqliteJournal) -> None:
    client = await log_in()
    await journal.close()
    measured = await client.measure()
    assert (measured.state, measured.is_journal_readable, measured.sends) == (LoginState.ONLINE, False, {})


async def test_client_without_a_journal_has_no_sends(log_in: LogIn, tmp_path: Path) -> None:
    client = await log_in(journal=None)
    await client.send_text("阿华", "hello")
    measured = await client.measure()
    assert (measured.sends, measured.is_journal_readable) == ({}, True)
