"""
The accounts of the gateway, as handlers and background work use them: in this process, or in others of a cluster.

An account has two clients: `client` reads its journal in any process, and `owned` returns the one that acts, which is
refused where the account does not run. The rest is what the gateway adds to a client, in three parts that callers use
directly: `sends` in the background, `logins` that several readers watch, and `events` with their names and consumers.

Errors are those of the library (`WxError`) and `GatewayProblem`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from webwx.representations.accounts import AccountSettings, AccountState
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Iterable
    from contextlib import AbstractAsyncContextManager

    from webwx.client.client import AsyncClient
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.accounts.account_sends import AccountSends
    from webwx.gateway.accounts.event_pages import EventPages
    from webwx.gateway.accounts.logins import AccountLogins


class AccountStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the gateway."""

    number: int
    """The account's number in this gateway; never used twice."""
    name: str
    """The account's name on this machine, which never changes."""
    label: str = ""
    """The name that the user wants to see; empty: `name`."""
    state: AccountState
    since: float
    """Time of the last change of the state: seconds since 1970."""
    nickname: str | None = None
    """The account's nickname; None before the first login."""
    host: str | None = None
    """Profile of the login: `filehelper`, `web` or `desktop`."""
    last_sync_at: float | None = None
    """Time of the last successful poll or fetch: seconds since 1970."""
    error: str | None = None
    """Why the account is degraded or logged out, or why its events are not read."""
    error_code: str = ""
    """Code of the error, as of a problem; empty for none, or in a state that an earlier version has published."""
    queued: int = 0
    """Number of sends that wait in the outbox for this gateway."""
    settings: AccountSettings = AccountSettings()
    """The account's own settings."""
    pending_settings: bool = False
    """Whether the settings apply to the next login only."""


class DownloadedMedia(msgspec.Struct, frozen=True, kw_only=True, weakref=True):
    """The media of a message; the file stays as long as this object exists, even if other files are removed."""

    path: Path
    """Path of the file, readable by this process."""

    def __repr__(self) -> str:
        return "DownloadedMedia(***)"


class EventConsumer(Protocol):
    """An open consumer of an account's events."""

    async def take(self, limit: int = 100) -> list[AccountEvent]:
        """Return the next events; wait until one has arrived. An empty list means that no further events will come."""
        ...

    def ack(self, number: int) -> None:
        """Acknowledge an event by its number, taken or not; it is not delivered to this consumer again."""
        ...

    async def flush(self) -> None:
        """Return once every acknowledgement is stored."""
        ...

    async def failed(self, number: int, error: str) -> int:
        """Store a failed attempt at an event, and return the number of failed attempts, counted across restarts."""
        ...

    async def give_up(self, number: int, error: str) -> None:
        """Make an event a dead letter, which acknowledges it."""
        ...

    async def close(self, *, unseen_from: int = 0) -> None:
        """
        Store every acknowledgement and close the consumer; a second call does nothing.

        Args:
            unseen_from: Number of the first event that was taken and not handled; 0: all were handled.
        """
        ...


class SendChange(NamedTuple):
    """A send that was stored, or whose state has changed."""

    account: int
    """Number of the account in the gateway."""
    send: Outgoing
    """The send as it is now."""


class AccountEvents(Protocol):
    """The events of one account; those that several accounts have are read by `GatewayAccounts.read_events`."""

    async def list_events(self, after: int, *, since: float, until: float, limit: int) -> list[AccountEvent]:
        """
        Return stored events in the order of arrival.

        Args:
            after: Only events with a higher number.
            since: Time of the earliest event: seconds since 1970.
            until: Time of the latest event; 0 for no limit.
            limit: Maximum number of events.
        """
        ...

    def consume(self, name: str, *, follow: bool = True) -> AbstractAsyncContextManager[EventConsumer]:
        """
        Open a consumer: a reader with a stored position.

        Args:
            name: Name of the consumer.
            follow: False: `take` returns an empty list once no event waits.
        """
        ...


class GatewayAccount(Protocol):
    """One account."""

    number: int
    name: str

    @property
    def sends(self) -> AccountSends:
        """The sends of the account."""
        ...

    @property
    def events(self) -> AccountEvents:
        """The events of the account."""
        ...

    @property
    def logins(self) -> AccountLogins:
        """The logins of the account in this process."""
        ...

    @property
    def client(self) -> AsyncClient:
        """
        Reads the account's journal, in any process; it has a login only where the account runs.

        Raises:
            GatewayProblem: The account was just handed over to another process.
        """
        ...

    async def owned(self) -> AsyncClient:
        """
        Return the client that acts for the account.

        Raises:
            NotLoggedIn: The account does not run here, and no login is saved.
            LoggedOut: The account does not run here, and its login has ended.
            GatewayProblem: Another process runs the account, or none does.
        """
        ...

    def saved(self) -> AbstractAsyncContextManager[AsyncClient]:
        """
        Open a client that knows the saved login with its contacts, in any process, and makes no request.

        Raises:
            NotLoggedIn: No login is saved.
        """
        ...

    async def status(self) -> AccountStatus:
        """Return the account's state."""
        ...

    async def check(self) -> AccountStatus:
        """Ask the platform whether the login is valid, where the account runs, and return the account's state."""
        ...

    # -- messages ----------------------------------------------------------------------------------------------------

    async def media(self, number: int) -> DownloadedMedia:
        """Return the file of a message's media, downloaded if necessary."""
        ...


class AccountFollower(Protocol):
    """A part of the gateway that follows the events of the accounts that run here, with consumers of its own."""

    def names_on(self, account: int) -> Iterable[str]:
        """
        Return the names of the consumers that begin with the sync of an account.

        A new consumer among them gets each event that this process reads, although it is opened later.
        """
        ...

    async def close_account(self, account: int) -> None:
        """
        End the consumers of an account that this process is about to close.

        The account may run in another process afterwards, so what works on it must end.
        """
        ...


class GatewayAccounts(Protocol):
    """All accounts of the gateway."""

    events: EventPages
    """The events of the accounts."""

    followers: list[AccountFollower]
    """What follows the accounts that run here; each adds itself, and the last one is the first to be closed."""

    @property
    def is_shared(self) -> bool:
        """Whether other gateways store records, and run accounts, of the same storage."""
        ...

    async def list_accounts(self) -> list[AccountStatus]:
        """Return all accounts, in the order of their numbers."""
        ...

    async def list_numbers(self) -> list[int]:
        """Return the numbers of all accounts, in their order."""
        ...

    def require_consumers(self, count: int) -> None:
        """
        Check that this process can open more consumers.

        Raises:
            TooManyOpenFiles: It cannot.
        """
        ...

    async def list_owned(self) -> list[int]:
        """Return the numbers of the accounts that this process runs, in their order."""
        ...

    async def add_account(self, name: str, settings: AccountSettings = AccountSettings()) -> GatewayAccount:  # noqa: B008 - a frozen value
        """
        Add an account without logging it in; return the existing account, unchanged, if it has this name.

        Raises:
            InvalidSettings: The name is not valid for an account.
            NotOnThisHost: The account could not log in at the host of the settings.
        """
        ...

    async def label_account(self, number: int, label: str) -> None:
        """
        Store the name that the user wants to see for an account; empty for none.

        Raises:
            GatewayProblem: There is no such account.
            RecordChanged: Another caller is changing it.
        """
        ...

    async def configure_account(self, number: int, settings: AccountSettings) -> None:
        """
        Store the settings of an account.

        They apply at once, unless the account is logged in or logging in; otherwise to its next login, or when the
        gateway starts again.

        Raises:
            GatewayProblem: There is no such account; or it has a journal, which belongs to another host.
            NotOnThisHost: The account could not log in at the host of the settings.
            RecordChanged: Another caller is changing it.
        """
        ...

    async def remove_account(self, number: int) -> bool:
        """
        Remove an account from the gateway, and return whether it existed.

        Its login and its journal stay; its background sends stay `queued` in the outbox.
        """
        ...

    def find_account(self, which: str) -> int | None:
        """Return the number of an account by its number or name, written as in a path; None if no account has it."""
        ...

    def account(self, number: int) -> GatewayAccount:
        """
        Return an account by its number.

        Raises:
            GatewayProblem: There is no such account.
        """
        ...

    def watch_states(self, *, owned: bool = False) -> AsyncGenerator[AccountStatus, None]:
        """
        Yield each change of an account's state from now on.

        Args:
            owned: Only of the accounts that this process runs.
        """
        ...

    def watch_sends(self, accounts: Collection[int] | None = None) -> AsyncGenerator[SendChange, None]:
        """Yield the sends of some accounts (None: all) that are stored, or whose states change, from now on."""
        ...

    async def start(self) -> None:
        """Open the saved accounts and begin to sync."""
        ...

    def begin_closing(self) -> None:
        """Begin to hand over to other gateways what they can continue, while requests in progress are finished."""
        ...

    def stop_waiting(self) -> None:
        """End without waiting for sends in progress and running handlers, after a second signal."""
        ...

    async def close(self) -> None:
        """Finish sends in progress, store all positions, and close the accounts."""
        ...
