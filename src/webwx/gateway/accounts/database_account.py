"""
An account that this process does not run: it is read from the database, and its sends are stored for its owner.

Requests for such an account are usually answered by its owner. They come here while the account has no owner: it is not
logged in, or its owner has died. A login of an account without an owner is made here; then a worker takes the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol

from webwx.client.state import LoginState
from webwx.errors import LoggedOut
from webwx.gateway.accounts.account_sends import AccountSends
from webwx.gateway.accounts.logins import AccountLogins
from webwx.gateway.accounts.stored_events import StoredEvents
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from webwx.client.accounts import LoginProgress
    from webwx.client.client import AsyncClient
    from webwx.gateway.accounts.account import (
        AccountStatus,
        DownloadedMedia,
    )
    from webwx.gateway.accounts.numbers import NumberedAccount

_RETRY_AFTER = 2.0
"""Seconds after which a request that needs an owner may succeed."""


class AccountPlace(Protocol):
    """What the other processes have stored of an account that this process does not run."""

    def reader(self) -> AsyncClient:
        """Return a client without a login, which reads the account's journal."""
        ...

    def resumed(self) -> AbstractAsyncContextManager[AsyncClient]:
        """
        Return a client with the saved login, which makes no request.

        Raises:
            NotLoggedIn: No login is saved.
        """
        ...

    async def status(self, *, is_logging_in: bool) -> AccountStatus:
        """Return the state that the owner has stored, unless its worker has died."""
        ...

    def log_in(self, asks_phone: bool) -> AsyncIterator[LoginProgress]:
        """Log the account in, and yield each step."""
        ...

    async def begin_login(self) -> None:
        """
        Store that the login of this account is made in this process.

        Raises:
            GatewayProblem: Another process makes it.
        """
        ...


class DatabaseAccount:
    """
    An account that this process does not run.

    Args:
        numbered: The account.
        place: What is stored of it.
        look_every: Seconds between two looks at a send that its owner makes, in case the announcement of its outcome
            was lost.
    """

    def __init__(
        self, numbered: NumberedAccount, place: AccountPlace, *,
        look_every: float,
    ) -> None:  # fmt: skip
        self.number = numbered.number
        self.name = numbered.name
        self._place = place
        self.sends: AccountSends = AccountSends(place.reader, place.resumed, self.refuse, look_every=look_every)
        """The sends of the account."""
        self.logins: AccountLogins = AccountLogins(place.log_in, place.begin_login)
        """The logins of the account in this process."""
        self.events: StoredEvents = StoredEvents(numbered.number, place.reader, self.refuse)
        """The events of the account."""

    def __repr__(self) -> str:
        return f"DatabaseAccount({self.number})"

    @property
    def client(self) -> AsyncClient:
        """The client that reads the journal; it has no login."""
        return self._place.reader()

    async def owned(self) -> AsyncClient:
        """Refuse, because another process runs the account."""
        await self.refuse()

    def saved(self) -> AbstractAsyncContextManager[AsyncClient]:
        """Return a client with the saved login."""
        return self._place.resumed()

    async def close(self) -> None:
        """Stop a login in progress."""
        await self.logins.cancel()

    async def status(self) -> AccountStatus:
        """Return the account's state, as its owner has stored it."""
        return await self._place.status(is_logging_in=self.logins.is_active)

    async def refuse(self) -> NoReturn:
        """
        Refuse a call that only the owner of the account can make.

        Raises:
            NotLoggedIn: No login is saved.
            LoggedOut: The login has ended.
            GatewayProblem: The account has no owner now.
        """
        await self._require_login()
        raise GatewayProblem(
            "unavailable", "No worker runs this account at this moment; repeat the request.", retry_after=_RETRY_AFTER
        )

    async def _require_login(self) -> None:
        """
        Check that the saved login has not ended.

        Raises:
            NotLoggedIn: No login is saved.
            LoggedOut: The login has ended.
        """
        async with self._place.resumed() as client:
            if client.state is LoginState.LOGGED_OUT:
                raise LoggedOut("The login of this account has ended; log in again.", reason="restored_session_expired")

    async def check(self) -> AccountStatus:
        """Return the stored state: without an owner, the platform is not asked."""
        return await self.status()

    # -- messages ----------------------------------------------------------------------------------------------------

    async def media(self, number: int) -> DownloadedMedia:  # noqa: ARG002 - it is refused
        """Refuse, because the owner downloads media."""
        await self.refuse()
