"""Several accounts in one process: a folder with their logins and journals, and one client for each open account."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

import msgspec

from webwx.client.client import AsyncClient
from webwx.errors import NotLoggedIn
from webwx.model.login import Account, QrCode
from webwx.storage.account_folder import DEFAULT_ACCOUNT, AccountFolder, check_account_name
from webwx.storage.base import LOGIN_VERSION, RETENTION_DAYS, SavedLogin
from webwx.storage.encryption import UNREADABLE, read_sealed
from webwx.storage.login import LoginFile
from webwx.storage.open import open_journal

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Callable
    from types import TracebackType
    from typing import Self, Unpack

    from webwx.client.rate_limit import RateLimit
    from webwx.client.state import StateChange
    from webwx.model.archive import Keep
    from webwx.protocol.hosts import Desktop
    from webwx.storage.base import LoginStore
    from webwx.transport.runner import Timeouts, Transport


class SavedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A login that is saved in a folder; the platform may not accept it any more."""

    account: str
    """Name that the user gave to the account."""
    path: Path
    """Path of the file that holds the login."""
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
    """A step of a login."""

    step: Literal["code", "pushed", "scanned", "confirmed", "cancelled", "expired"]
    """
    `code`: show this code. `pushed`: the phone was asked to confirm without a code. `confirmed`: the account is logged
    in; no step follows. After `cancelled` and `expired` comes a new code, or an error.
    """
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


class Accounts:
    """
    The accounts of one folder. Each has a saved login, a journal, and at most one client in this process.

    The folder is the one of the command line (`WEBWX_HOME`), or has the same layout.

    Args:
        folder: The folder; it is created when the first login is saved.
        host: As for `AsyncClient`.
        server: As for `AsyncClient`.
        login_store: Returns the store of a login by the path of its file; `partial(LoginFile, passphrase=…)` encrypts
            the saved logins.
        retention_days: Days after which the journals delete received entries; 0: never.
        on_state: Called with the account's name and each change of its client's state.
        **options: Other arguments of each `AsyncClient`.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        host: str | None = None,
        server: str | None = None,
        login_store: Callable[[Path], LoginStore] = LoginFile,
        retention_days: float = RETENTION_DAYS,
        on_state: Callable[[str, StateChange], object] | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._folder = AccountFolder(Path(folder))
        self._host = host
        self._server = server
        self._login_store = login_store
        self._retention_days = retention_days
        self._on_state = on_state
        self._options = options
        self._clients: dict[str, AsyncClient] = {}
        self._closing = AsyncExitStack()

    def __repr__(self) -> str:
        return f"Accounts({str(self._folder.home)!r}, {len(self._clients)} open)"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def list_accounts(self) -> list[SavedAccount]:
        """Return all logins that are saved in the folder, including those of other hosts and servers."""
        return [read_saved_account(account, path) for account, path in self._folder.login_paths()]

    def client(self, account: str = DEFAULT_ACCOUNT) -> AsyncClient:
        """
        Return the account's client, logged in or not. It is created once, and closed by `close`.

        Raises:
            InvalidSettings: The name is not valid for an account.
        """
        if account not in self._clients:
            path = self._folder.login_path(check_account_name(account), host=self._host, server=self._server)
            journal = open_journal(path.with_suffix(".journal"), retention_days=self._retention_days)
            self._closing.push_async_callback(journal.close)
            client = AsyncClient(
                host=self._host,
                server=self._server,
                store=self._login_store(path),
                journal=journal,
                on_state=None if self._on_state is None else partial(self._on_state, account),
                **self._options,
            )
            self._clients[account] = client
            self._closing.push_async_callback(client.close)
        return self._clients[account]

    async def open(self, account: str = DEFAULT_ACCOUNT) -> AsyncClient:
        """
        Return the account's client with its saved login. No request is made.

        Raises:
            NotLoggedIn: No login is saved.
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
        steps: asyncio.Queue[LoginProgress | None] = asyncio.Queue()
        login = asyncio.ensure_future(
            self.client(account).login(
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

    async def close(self) -> None:
        """Close all clients and journals; the logins stay valid."""
        self._clients.clear()
        await self._closing.aclose()


def read_saved_account(account: str, path: Path) -> SavedAccount:
    """
    Read a saved login without changing its file, unlike `LoginFile`, which renames a damaged file.

    Args:
        account: Name of the account.
        path: File of the login.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return SavedAccount(account=account, path=path, state="unreadable")
    if read_sealed(content) is not None:
        return SavedAccount(account=account, path=path, state="encrypted")
    try:
        saved = msgspec.json.decode(content, type=SavedLogin)
    except UNREADABLE:
        return SavedAccount(account=account, path=path, state="unreadable")
    if saved.version != LOGIN_VERSION:
        return SavedAccount(account=account, path=path, state="unreadable")
    login = saved.login
    return SavedAccount(
        account=account,
        path=path,
        state="ended" if saved.ended else "saved",
        nickname=login.nickname,
        host=login.profile_name,
        server=login.server,
        reason=saved.ended.reason if saved.ended else None,
    )
