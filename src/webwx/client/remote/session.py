"""The account of a gateway: its name and its state, as the gateway shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.client.state import LoginState
from webwx.errors import NotLoggedIn
from webwx.model.contacts import ContactId
from webwx.model.login import Account
from webwx.representations.accounts import SHOW_ACCOUNT
from webwx.representations.logins import END_LOGIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.client.remote.calls import GatewayCalls
    from webwx.representations.accounts import AccountView

_LOGGED_IN = frozenset((LoginState.ONLINE, LoginState.DEGRADED))


class RemoteSession:
    """
    The session of an account that a gateway keeps logged in.

    Args:
        calls: Calls of the gateway.
        clock: Returns seconds since 1970.
    """

    def __init__(self, calls: GatewayCalls, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._calls = calls
        self._seen: AccountView | None = None

    def __repr__(self) -> str:
        return repr(self._calls)

    @property
    def account(self) -> Account:
        """
        The account as `login`, `resume` or `check` last returned it. A gateway does not show its id and uin.

        Raises:
            NotLoggedIn: None of these methods was called, or the account is logged out.
        """
        seen = self._seen
        if seen is None or seen.nickname is None or self.state not in _LOGGED_IN:
            raise NotLoggedIn(
                "The account of the gateway is not known yet, or is logged out; call login() or resume()."
            )
        return Account(nickname=seen.nickname, id=ContactId(""), uin=0, host=seen.host or "")

    @property
    def state(self) -> LoginState:
        """The state that the gateway last returned; NEW before the first request."""
        return LoginState.NEW if self._seen is None else LoginState(self._seen.state)

    @property
    def state_since(self) -> float | None:
        """Time of the last change of the state, as the gateway last returned it: seconds since 1970."""
        return None if self._seen is None else self._seen.since.timestamp()

    @property
    def last_sync_at(self) -> float | None:
        """Time of the last successful poll or fetch, as the gateway last returned it: seconds since 1970."""
        at = None if self._seen is None else self._seen.last_sync_at
        return None if at is None else at.timestamp()

    async def refresh(self) -> Account:
        """
        Ask the gateway for the account.

        Raises:
            NotLoggedIn: The account is logged out there.
        """
        self._seen = await self._calls.call(SHOW_ACCOUNT)
        if self.state not in _LOGGED_IN:
            raise NotLoggedIn(
                "The account is not logged in at the gateway; log it in there, in its console or with 'webwx login'."
            )
        return self.account

    async def log_out(self) -> None:
        """End the login of the gateway."""
        await self._calls.call(END_LOGIN)
        self._seen = await self._calls.call(SHOW_ACCOUNT)


class RemoteLogin:
    """
    Checks whether an account is logged in at a gateway; the gateway itself makes the logins.

    Args:
        session: The account.
    """

    def __init__(self, session: RemoteSession) -> None:
        self._session = session

    async def login(self, **_: object) -> Account:
        """Return the account if it is logged in at the gateway; no code is shown here."""
        return await self._session.refresh()

    async def resume(self) -> Account:
        """Return the account if it is logged in at the gateway."""
        return await self._session.refresh()

    async def check(self) -> Account:
        """Return the account if the gateway considers it logged in."""
        return await self._session.refresh()

    async def logout(self) -> None:
        """End the login of the gateway, here and on the platform."""
        await self._session.log_out()
