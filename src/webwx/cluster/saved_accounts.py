"""The work of an account on a worker: it is kept synced with its saved login, and bots handle its events."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from webwx.bot.bot import serve
from webwx.bot.running_accounts import RunningAccounts
from webwx.bot.side_by_side import until_first_ends
from webwx.client.client import AsyncClient
from webwx.client.state import LoginState
from webwx.errors import LoggedOut, NotLoggedIn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Unpack

    from webwx.bot.bot import Bot
    from webwx.client.accounts import ClientOptions
    from webwx.model.login import Account
    from webwx.storage.base import Journal, LoginStore
    from webwx.storage.leases import SharedStorage

CONSUMER = "worker"
"""Consumer that keeps an account without a bot synced."""

_MOST_EVENTS = 500
"""Maximum number of events that the consumer takes at once."""


class SavedAccounts:
    """
    Runs accounts with the logins that are saved in a shared storage.

    Args:
        storage: The storage.
        bots: Bots; each runs on the account that it names, or on every account.
        on_ready: Called with an account and the number of its bots when its work begins.
        **options: Other arguments of each `AsyncClient`.
    """

    def __init__(
        self, storage: SharedStorage, bots: Sequence[Bot], *, on_ready: Callable[[Account, int], object],
        **options: Unpack[ClientOptions],
    ) -> None:  # fmt: skip
        self._storage = storage
        self._bots = bots
        self._on_ready = on_ready
        self._options = options
        self._running = RunningAccounts()

    def __repr__(self) -> str:
        return f"SavedAccounts({self._storage.place!r}, {len(self._bots)} bots)"

    async def run(self, account: int) -> None:
        """
        Work on an account until its login ends, or until this is cancelled.

        Raises:
            AlreadyRunning: Another process still syncs the login, or runs a bot of the same name.
            StorageError: The database cannot be reached, or this process does not own the account any more.
            InvalidLogin: The saved login cannot be read.
        """
        name = await self._storage.name_of(account)
        if name is None:
            return
        store = self._storage.owned_login(name, account)
        saved = await store.load()
        if saved is None or saved.ended is not None:
            return
        bots = [bot.for_account(name.account) for bot in self._bots if bot.account in {None, name.account}]
        journal = self._storage.journal(name)
        try:
            await self._work(
                name.account, bots, store, journal, host=saved.login.profile_name, server=saved.login.server
            )
        except (LoggedOut, NotLoggedIn):
            return
        finally:
            self._running.remove(name.account)
            await journal.close()

    async def _work(
        self, name: str, bots: list[Bot], store: LoginStore, journal: Journal, *, host: str, server: str | None
    ) -> None:
        async with AsyncClient(host=host, server=server, store=store, journal=journal, **self._options) as client:
            ready = await client.resume()
            self._running.add(name, client)
            self._on_ready(ready, len(bots))
            wait = partial(_require_login, client)
            await until_first_ends(
                *(serve(bot, client, wait_for_login=wait, accounts=self._running) for bot in bots),
                *([] if bots else [_keep_synced(client)]),
            )


async def _require_login(client: AsyncClient) -> None:
    """Raise `NotLoggedIn` once the login has ended, because the next one may belong to another process."""
    if client.state is LoginState.LOGGED_OUT:
        raise NotLoggedIn("The login has ended.")


async def _keep_synced(client: AsyncClient) -> None:
    """Store what arrives, until the login ends."""
    async with client.subscribe(CONSUMER) as subscription:
        while batch := await subscription.take(_MOST_EVENTS):
            for delivered in batch:
                subscription.ack(delivered.entry.number)
