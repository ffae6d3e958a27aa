"""
An account that this process does not run: it is read from the database, and its sends are stored for its owner.

Requests for such an account are usually answered by its owner. They come here while the account has no owner: it is not
logged in, or its owner has died. A login of an account without an owner is made here; then a worker takes the account.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, NoReturn, Protocol

from webwx.client.state import LoginState
from webwx.errors import LoggedOut, NotLoggedIn
from webwx.gateway.account_events import AccountEvent
from webwx.gateway.account_sends import AccountSends
from webwx.gateway.journal_lookup import named_events
from webwx.gateway.logins import AccountLogins
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from webwx.client.accounts import LoginProgress
    from webwx.client.client import AsyncClient
    from webwx.gateway.account_numbers import NumberedAccount
    from webwx.gateway.accounts import (
        AccountStatus,
        DownloadedMedia,
        EventConsumer,
    )

_RECENT = 500
"""Number of the newest events that are kept in memory for several readers."""

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
        self.newest = 0
        """Number of the newest stored event that this process knows."""
        self._place = place
        self.sends: AccountSends = AccountSends(place.reader, place.resumed, self.refuse, look_every=look_every)
        """The sends of the account."""
        self.logins: AccountLogins = AccountLogins(place.log_in, place.begin_login)
        """The logins of the account in this process."""
        self._recent: deque[AccountEvent] = deque(maxlen=_RECENT)
        """The newest events without a gap between them, so that not every reader has to read the journal."""
        self._reading = asyncio.Lock()

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

    # -- events ------------------------------------------------------------------------------------------------------

    async def read_events(
        self, after: int, *, limit: int, since: float = 0, until: float = 0
    ) -> list[AccountEvent]:  # fmt: skip
        """Return the events after a number, in the order of arrival; none before the first login."""
        try:
            if since or until:
                return await self.list_events(after, since=since, until=until, limit=limit)
            async with self._reading:  # readers that wait for the same events read them once
                if not self._has_recent(after):
                    found = await self.list_events(after, since=0, until=0, limit=limit)
                    if found and found[-1].event.number >= self.newest:
                        self.newest = found[-1].event.number
                        self._recent = deque(found, maxlen=_RECENT)
                    return found
        except NotLoggedIn:
            return []
        return [each for each in self._recent if each.event.number > after][:limit]

    def _has_recent(self, after: int) -> bool:
        return bool(
            self._recent
            and self._recent[0].event.number <= after + 1
            and self._recent[-1].event.number >= self.newest
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def consume(self, name: str, *, follow: bool = True) -> AsyncIterator[EventConsumer]:  # noqa: ARG002 - it is refused
        """Refuse, because the owner opens consumers."""
        yield await self.refuse()

    async def list_events(self, after: int, *, since: float, until: float, limit: int) -> list[AccountEvent]:
        """Return stored events in the order of arrival."""
        events = await self.client.read_events(after, since=since, until=until, limit=limit)
        return await named_events(self.number, self.client, events)
