"""The work of an account begins and ends in one order, and ends whole if a step fails."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from tests.gateway.conftest import SERVER

from webwx.bot.bot import Bot
from webwx.client.accounts import Accounts
from webwx.client.sending.rate_limit import RateLimit
from webwx.errors import NotLoggedIn
from webwx.gateway.accounts.account import AccountFollower
from webwx.gateway.accounts.local_account import LocalAccount
from webwx.gateway.accounts.media_cache import MediaCache
from webwx.gateway.bots.bots import AssignedBot, HostedBots
from webwx.gateway.config import LimitsTable
from webwx.gateway.ownership.opened_accounts import OpenedAccounts, client_options
from webwx.gateway.sends.send_files import FolderSendFiles
from webwx.model.archive import Keep
from webwx.representations.accounts import AccountSettings
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Opening:
    """Accounts without a login, and what its followers did before one was closed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.accounts = Accounts(folder, server=SERVER)
        self.bots = HostedBots([AssignedBot(Bot(server=SERVER))])
        self.done: list[tuple[str, int, int]] = []
        """Name of the follower, number of the account, and number of the bots that were running."""

    def opened(self, *, keeps_trying: bool = True, fails: bool = False) -> OpenedAccounts:
        opened = OpenedAccounts(self.accounts, self.bots, RateLimit(), keeps_trying=keeps_trying)
        opened.followers += [Follower("first", self), Follower("second", self, fails=fails)]
        return opened

    def account(self) -> LocalAccount:
        return LocalAccount(
            1, "default", self.accounts, open_records("memory:"),
            MediaCache(self.folder / "media", LimitsTable, time.time), FolderSendFiles(self.folder / "kept"), time.time,
            lambda: None, lambda account: None, lambda account: asyncio.sleep(0),
        )  # fmt: skip


class Follower(AccountFollower):
    """A follower that notes which accounts are closed."""

    def __init__(self, name: str, opening: Opening, *, fails: bool = False) -> None:
        self._name = name
        self._opening = opening
        self._fails = fails

    def names_on(self, account: int) -> list[str]:
        return [f"{self._name}-{account}"]

    async def close_account(self, account: int) -> None:
        self._opening.done.append((self._name, account, len(self._opening.bots.runs)))
        if self._fails:
            raise RuntimeError("This work has failed.")


@pytest.fixture
async def opening(tmp_path: Path) -> AsyncIterator[Opening]:
    opening = Opening(tmp_path)
    yield opening
    await opening.accounts.close()


async def test_the_work_ends_whole_although_a_step_fails(opening: Opening) -> None:
    opened, account = opening.opened(fails=True), opening.account()
    async with AsyncExitStack() as closing:
        assert await closing.enter_async_context(opened.running(account)) == 1
        assert (opened.by_number, opened.by_name) == ({1: account}, {"default": account})
        assert account.is_started
        with pytest.raises(RuntimeError):
            await closing.pop_all().aclose()
    assert opening.done == [("second", 1, 1), ("first", 1, 1)]
    assert (opening.bots.runs, opened.by_number, opened.by_name) == ((), {}, {})


async def test_what_has_begun_ends_if_the_work_cannot_begin(opening: Opening) -> None:
    opened, account = opening.opened(keeps_trying=False), opening.account()
    with pytest.raises(NotLoggedIn):
        await opened.running(account).__aenter__()
    assert opening.done == [("second", 1, 0), ("first", 1, 0)]
    assert (opened.by_number, opened.by_name) == ({}, {})


async def test_a_restart_applies_the_settings_after_what_uses_the_old_client_has_ended(opening: Opening) -> None:
    opened, account = opening.opened(), opening.account()
    async with opened.running(account):
        before, account.settings = account.client, AccountSettings(host="web")
        await opened.restart(account)
        assert opening.done == [("second", 1, 1), ("first", 1, 1)]
        assert account.client is not before
        assert (account.settings_in_use.host, len(opening.bots.runs)) == ("web", 1)


async def test_an_account_that_another_one_has_replaced_is_not_removed_again(opening: Opening) -> None:
    opened, account, later = opening.opened(), opening.account(), opening.account()
    opened.add(account)
    opened.remove(account)
    opened.add(later)
    opened.remove(account)
    assert opened.by_number == {1: later}


LIMIT = RateLimit()


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (AccountSettings(), {}),
        (AccountSettings(keep="off", rate_limit="off"), {"keep": None, "rate_limit": None}),
        (AccountSettings(keep=Keep(), rate_limit="on"), {"keep": Keep(), "rate_limit": LIMIT}),
    ],
)
def test_only_settings_of_the_account_itself_are_arguments(
    settings: AccountSettings, options: dict[str, object]
) -> None:
    assert client_options(settings, LIMIT) == options
