"""Several accounts in one process: a storage with their logins and journals, and one client for each open account."""

from __future__ import annotations

import asyncio
import contextlib
import os
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict

import msgspec

from webwx.client.client import AsyncClient
from webwx.errors import NotLoggedIn
from webwx.flows import login as login_flows
from webwx.model.login import Account, Login, QrCode
from webwx.protocol.hosts import choose
from webwx.storage.account_folder import DEFAULT_ACCOUNT, LoginName, check_account_name, login_name
from webwx.storage.encryption import UNREADABLE, read_encrypted
from webwx.storage.open import open_storage
from webwx.storage.saved_login import LOGIN_VERSION, SavedLogin

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from types import TracebackType
    from typing import Self, Unpack

    from webwx.client.sending.rate_limit import RateLimit
    from webwx.client.state import StateChange
    from webwx.model.archive import Keep
    from webwx.protocol.hosts import Desktop
    from webwx.storage.base import Journal, Storage
    from webwx.storage.saved_login import LoginStore
    from webwx.storage.tables.outbox import Outbox
    from webwx.transport.runner import Timeouts, Transport


class SavedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A login that is saved in a storage; the platform may not accept it any more."""

    account: str
    """Name that the user gave to the account."""
    place: str
    """Server or profile of the login, as in the name of its file."""
    state: Literal["saved", "ended", "encrypted", "unreadable"]
    """`ended`: the platform has ended the login. `encrypted`: the other fields are unknown without the passphrase."""
    nickname: str | None = None
    host: str | None = None
    """Profile of the login, as in `Account.host`."""
    server: str | None = None
    """Origin of the server that plays all hosts; None: the platform."""
    reason: str | None = None
    """Reason why the login has ended, as in `LoggedOut.reason`."""


class LoginProgress(msgspec.Struct, frozen=True, kw_only=True):
    """
    A step of a login.

    | Step                   | Change                                                         | Next step   |
    |------------------------|----------------------------------------------------------------|-------------|
    | the begin              | the phone of an earlier login is asked to confirm without code | `pushed`    |
    |                        | no such phone can be asked                                     | `code`      |
    |                        | the saved login is still alive                                 | `confirmed` |
    | `code`, `pushed`       | the phone shows what is to be confirmed                        | `scanned`   |
    | `code`, `pushed`,      | the phone confirms                                             | `confirmed` |
    | `scanned`              | the phone refuses                                              | `cancelled` |
    |                        | the time to confirm has passed                                 | `expired`   |
    | `cancelled`, `expired` | `max_codes` codes were not shown yet                           | `code`      |
    |                        | all of them were                                               | an error    |
    """

    step: Literal["code", "pushed", "scanned", "confirmed", "cancelled", "expired"]
    """`code`: show this code. `pushed`: the phone was asked to confirm without a code. `confirmed`: no step follows."""
    code: QrCode | None = None
    """The code of step `code`."""
    account: Account | None = None
    """The account of step `confirmed`."""


class ClientOptions(TypedDict, total=False):
    """Arguments that `Accounts` passes to each `AsyncClient`."""

    proxy: str | None
    ca_file: str | os.PathLike[str] | None
    allowed_hosts: tuple[str, ...]
    desktop: Desktop | None
    transport: Transport | None
    timeouts: Timeouts
    clock: Callable[[], float]
    keep: Keep | None
    rate_limit: RateLimit | None


class _OpenClient(NamedTuple):
    """The client of an account, with what closes it."""

    client: AsyncClient
    journal: Journal
    closing: AsyncExitStack
    """Closes the client and its journal."""


class Accounts:
    """
    The accounts of one storage. Each has a saved login, a journal, and at most one client in this process.

    Args:
        storage: A storage, which its owner closes; or the path of a folder, such as that of the command line
            (`WEBWX_HOME`), for logins without encryption. `open_storage` opens a storage with a passphrase, or in a
            PostgreSQL database.
        host: As for `AsyncClient`.
        server: As for `AsyncClient`.
        on_state: Called with the account's name and each change of its client's state.
        **options: Other arguments of each `AsyncClient`.
    """

    def __init__(
        self,
        storage: Storage | str | os.PathLike[str],
        *,
        host: str | None = None,
        server: str | None = None,
        on_state: Callable[[str, StateChange], object] | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._closing = AsyncExitStack()
        if isinstance(storage, (str, os.PathLike)):
            storage = open_storage(storage)
            self._closing.push_async_callback(storage.close)
        self._storage = storage
        self._host = host
        self._server = server
        self._on_state = on_state
        self._options = options
        self._hosts: dict[str, str] = {}
        """Hosts of the accounts that have one of their own."""
        self._own_options: dict[str, ClientOptions] = {}
        """Other arguments of the accounts that have their own."""
        self._open: dict[str, _OpenClient] = {}
        self._known: dict[str, int] = {}
        """The platform's number of the account that was last logged in at each open client."""
        self.on_send: Callable[[str, int], object] | None = None
        """Called with the account's name and the number of each send that its client stores or changes."""
        self.login_of: Callable[[LoginName], LoginStore] = storage.login
        """Returns the store of a login; default: that of the storage."""
        self.closes_journals: bool = True
        """Whether the journal of an account is closed with its client; False if others read the same journal."""

    def __repr__(self) -> str:
        return f"Accounts({self._storage.place!r}, {len(self._open)} open)"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def list_accounts(self) -> list[SavedAccount]:
        """Return all logins that are saved in the storage, including those of other hosts and servers."""
        return [saved_account(name, content) for name, content in (await self._storage.list_logins()).items()]

    async def list_changes(self) -> dict[str, int]:
        """
        Return a number for each account with a saved login on this host or server, by the account's name.

        The number differs after each change of the saved login, by any process.
        """
        found = await self._storage.list_changes()
        return {name.account: changes for name, changes in found.items() if name == self._login_name(name.account)}

    async def has_logged_in(self, account: str = DEFAULT_ACCOUNT) -> bool:
        """Return whether an account has ever logged in on its host or server, so that its journal belongs to them."""
        name = self._login_name(account)
        if not await self._storage.has_journal(name):
            return False
        journal = self._storage.journal(name)
        try:
            return bool(await journal.accounts())
        finally:
            await journal.close()

    def _login_name(self, account: str) -> LoginName:
        return login_name(account, host=self._host_of(account), server=self._server)

    def _host_of(self, account: str) -> str | None:
        return self._hosts.get(account, self._host)

    def check_host(self, host: str) -> None:
        """
        Check that an account could log in at a host; no request is made.

        Raises:
            NotOnThisHost: There is no such host, or it is `desktop`, and its values are missing.
        """
        profile, hosts = choose(host, self._server, self._options.get("allowed_hosts", ()))
        login_flows.check_profile(
            Login(profile_name=profile.name, server=None, hosts=hosts), self._options.get("desktop")
        )

    async def configure(self, account: str, *, host: str | None = None, **options: Unpack[ClientOptions]) -> None:
        """
        Use other arguments for the client of one account than for the others.

        If the client exists, it and its journal are closed; `client` creates another one.

        Args:
            account: Name of the account.
            host: As for `AsyncClient`; None: the host of all accounts.
            **options: Other arguments of `AsyncClient`, in place of those of all accounts.
        """
        if host is None:
            self._hosts.pop(account, None)
        else:
            self._hosts[account] = host
        self._own_options[account] = options
        if account in self._open:
            self._known.pop(account, None)
            await self._open.pop(account).closing.aclose()

    def client(self, account: str = DEFAULT_ACCOUNT) -> AsyncClient:
        """
        Return the account's client, logged in or not. It is created once, and closed by `close` or `configure`.

        Raises:
            InvalidSettings: The name is not valid for an account.
        """
        if account not in self._open:
            name = self._login_name(check_account_name(account))
            closing = AsyncExitStack()
            journal = self._storage.journal(name)
            if self.closes_journals:
                closing.push_async_callback(journal.close)
            options: ClientOptions = {**self._options, **self._own_options.get(account, {})}
            client = AsyncClient(
                host=self._host_of(account),
                server=self._server,
                store=self.login_of(name),
                journal=journal,
                on_state=None if self._on_state is None else partial(self._on_state, account),
                on_send=partial(self._note_send, account),
                **options,
            )
            closing.push_async_callback(client.close)
            self._open[account] = _OpenClient(client, journal, closing)
        return self._open[account].client

    def outbox(self, account: str = DEFAULT_ACCOUNT) -> tuple[int, Outbox]:
        """
        Return the platform's number of the account that is logged in, and its stored sends.

        During a login, and after one that has failed, the account is the one that was logged in before.

        Raises:
            NotLoggedIn: There was no login yet.
        """
        client = self.client(account)
        try:
            self._known[account] = client.account.uin
        except NotLoggedIn:
            if account not in self._known:
                raise
        uin = self._known[account]
        return uin, self._open[account].journal.account(uin).outbox

    def fingerprint(self, account: str = DEFAULT_ACCOUNT) -> object:
        """Return what `Journal.fingerprint` returns of an account; None if it is not open, or never logged in."""
        with contextlib.suppress(KeyError, NotLoggedIn):
            opened = self._open[account]
            return opened.journal.fingerprint(opened.client.account.uin)
        return None

    def _note_send(self, account: str, number: int) -> None:
        if self.on_send is not None:
            self.on_send(account, number)

    async def open(self, account: str = DEFAULT_ACCOUNT) -> AsyncClient:
        """
        Return the account's client with its saved login. No request is made.

        Raises:
            NotLoggedIn: No login is saved, or a login is in progress.
            InvalidLogin: The saved login cannot be read.
            InvalidSettings: The name is not valid for an account.
        """
        client = self.client(account)
        try:
            _ = client.account
        except NotLoggedIn:
            await client.resume()
        return client

    async def log_in(
        self, account: str = DEFAULT_ACCOUNT, *, max_codes: int = 3, is_patient: bool = False, asks_phone: bool = True
    ) -> AsyncGenerator[LoginProgress, None]:
        """
        Log an account in and yield each step; leaving the loop early cancels the login.

        While the saved login is alive, the only step is `confirmed`.

        Args:
            account: Name of the account.
            max_codes: Number of codes to show before giving up.
            is_patient: As for `AsyncClient.login`.
            asks_phone: Ask the phone to confirm without a code, where an earlier login makes that possible.

        Raises: As `AsyncClient.login`.
        """
        steps = login_steps(self.client(account), max_codes=max_codes, is_patient=is_patient, asks_phone=asks_phone)
        async with aclosing(steps):
            async for step in steps:
                yield step

    async def close(self) -> None:
        """Close all clients and journals; the logins stay valid."""
        for opened in self._open.values():
            self._closing.push_async_callback(opened.closing.aclose)
        self._open.clear()
        await self._closing.aclose()


async def login_steps(
    client: AsyncClient, *, max_codes: int = 3, is_patient: bool = False, asks_phone: bool = True
) -> AsyncGenerator[LoginProgress, None]:
    """Log a client in and yield each step, as `Accounts.log_in`; closing the generator cancels the login."""
    steps: asyncio.Queue[LoginProgress | None] = asyncio.Queue()
    login = asyncio.ensure_future(
        client.login(
            show_qr=lambda code: steps.put_nowait(LoginProgress(step="code", code=code)),
            max_codes=max_codes,
            on_push=(lambda: steps.put_nowait(LoginProgress(step="pushed"))) if asks_phone else None,
            on_step=lambda step: steps.put_nowait(LoginProgress(step=step)),
            is_patient=is_patient,
        )
    )
    login.add_done_callback(lambda _: steps.put_nowait(None))
    try:
        while step := await steps.get():
            yield step
        yield LoginProgress(step="confirmed", account=await login)
    finally:
        login.cancel()
        await asyncio.wait([login])


def saved_account(name: LoginName, content: bytes | None) -> SavedAccount:
    """
    Describe a saved login by its stored form, without changing it, unlike a `LoginStore`, which renames a damaged one.

    Args:
        name: Name of the login.
        content: Stored form of the login; None if it cannot be read.
    """
    account, place = name.account, name.place
    if content is None:
        return SavedAccount(account=account, place=place, state="unreadable")
    if read_encrypted(content) is not None:
        return SavedAccount(account=account, place=place, state="encrypted")
    try:
        saved = msgspec.json.decode(content, type=SavedLogin)
    except UNREADABLE:
        return SavedAccount(account=account, place=place, state="unreadable")
    if saved.version != LOGIN_VERSION:
        return SavedAccount(account=account, place=place, state="unreadable")
    login = saved.login
    return SavedAccount(
        account=account,
        place=place,
        state="ended" if saved.ended else "saved",
        nickname=login.nickname,
        host=login.profile_name,
        server=login.server,
        reason=saved.ended.reason if saved.ended else None,
    )
