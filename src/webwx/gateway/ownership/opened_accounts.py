"""
What begins and ends the work of an account in this process.

The steps are the same for an account of a gateway of its own and for one that this process owns under a lease. The work
begins in this order: the client gets the account's settings, the saved login is opened, the sync and the background
sends begin, and then the bots. It ends in the opposite order: what others do with the account, such as consumers of
webhooks, then its bots, then sends in progress and the sync. A step that fails ends what has begun.
"""

from __future__ import annotations

import contextlib
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from webwx.client.accounts import ClientOptions
from webwx.errors import WxError
from webwx.gateway.accounts.local_account import SEND_PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.client.accounts import Accounts
    from webwx.client.sending.rate_limit import RateLimit
    from webwx.gateway.accounts.account import AccountFollower
    from webwx.gateway.accounts.local_account import LocalAccount
    from webwx.gateway.bots.bots import HostedBots
    from webwx.representations.accounts import AccountSettings


class OpenedAccounts:
    """
    The accounts with a client in this process.

    Args:
        accounts: Has the clients of the accounts.
        bots: The bots that run on the accounts.
        rate_limit: Rate limit of the accounts whose settings turn it on.
        keeps_trying: Whether the work of an account begins although its login cannot be opened now: the account goes on
            trying. Otherwise the error is raised, so that another process may run the account.
    """

    def __init__(self, accounts: Accounts, bots: HostedBots, rate_limit: RateLimit, *, keeps_trying: bool) -> None:
        self.by_number: dict[int, LocalAccount] = {}
        """The accounts by their numbers."""
        self.by_name: dict[str, LocalAccount] = {}
        """The accounts by their names."""
        self.followers: list[AccountFollower] = []
        """What follows the accounts with consumers of its own."""
        self.patience = SEND_PATIENCE
        """Seconds that sends in progress have to end when an account is closed."""
        self._accounts = accounts
        self._bots = bots
        self._rate_limit = rate_limit
        self._keeps_trying = keeps_trying

    def __repr__(self) -> str:
        return f"OpenedAccounts({len(self.by_number)})"

    def consumers_of(self, account: LocalAccount) -> set[str]:
        """Return the names of the consumers that get each event that is read after the work of an account has begun."""
        of_followers = (name for follower in self.followers for name in follower.names_on(account.number))
        return {*self._bots.names_on(account.name), *of_followers}

    def add(self, account: LocalAccount) -> None:
        """Answer requests for an account from now on; its work does not begin."""
        self.by_number[account.number] = self.by_name[account.name] = account

    def remove(self, account: LocalAccount) -> None:
        """Stop to answer requests for an account; its work does not end."""
        if self.by_number.get(account.number) is account:
            del self.by_number[account.number], self.by_name[account.name]

    @contextlib.asynccontextmanager
    async def running(self, account: LocalAccount) -> AsyncIterator[int]:
        """
        Add an account and begin its work, and yield the number of its bots; at the end remove it and end its work.

        Raises:
            WxError: The work could not begin, and the account is removed again.
        """
        self.add(account)
        try:
            yield await self._begin(account)
        finally:
            self.remove(account)
            await self._end(account)

    async def restart(self, account: LocalAccount) -> None:
        """End the work of a running account, and begin it with a new client, which has the account's settings."""
        await self._end(account)
        await self._begin(account)

    async def _begin(self, account: LocalAccount) -> int:
        options = client_options(account.settings, self._rate_limit)
        await self._accounts.configure(account.name, host=account.settings.host, **options)
        account.settings_in_use = account.settings
        try:
            await account.start()
        except WxError:
            if not self._keeps_trying or not account.is_started:  # otherwise the account's state shows the error
                raise
        return self._bots.open_account(account)

    async def _end(self, account: LocalAccount) -> None:
        async with AsyncExitStack() as closing:
            closing.push_async_callback(account.close, patience=self.patience)
            closing.push_async_callback(self._bots.close_account, account)
            for follower in self.followers:
                closing.push_async_callback(follower.close_account, account.number)


def client_options(settings: AccountSettings, rate_limit: RateLimit) -> ClientOptions:
    """Return the arguments of a client that differ from those of the other accounts."""
    options = ClientOptions()
    if settings.keep is not None:
        options["keep"] = None if settings.keep == "off" else settings.keep
    if settings.rate_limit is not None:
        options["rate_limit"] = rate_limit if settings.rate_limit == "on" else None
    return options
