"""One account's part of a journal, and a substitute in memory for clients without a journal."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING
from weakref import WeakSet

from webwx.client.reading.send_news import SendNews
from webwx.client.sending.rate_limiter import LimiterMemory
from webwx.errors import NoJournal, StorageError
from webwx.storage.database_url import is_database_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.client.sending.rate_limiter import LimiterStore
    from webwx.storage.base import AccountJournal, Journal
    from webwx.storage.tables.outbox import Outbox
    from webwx.transport.runner import SessionState


def _open(path: str | os.PathLike[str]) -> Journal:
    """Open a journal; a client without one imports no tables."""
    from webwx.storage.open import open_journal

    return open_journal(path)


class AccountStorage:
    """
    The storage of the account that is logged in.

    Args:
        journal: The path of a journal, which this object opens and closes; a journal, which its owner closes; or None.
        session_state: Session of the account.
        on_send: Called with the number of each send that this client stores or changes; None: nothing is called.
    """

    def __init__(
        self,
        journal: Journal | str | os.PathLike[str] | None,
        session_state: SessionState,
        on_send: Callable[[int], object] | None = None,
    ) -> None:
        self._path: str | os.PathLike[str] | None = None
        self._is_shared = isinstance(journal, str) and is_database_url(journal)
        """Whether the journal also holds the accounts of other logins."""
        if isinstance(journal, (str, os.PathLike)):
            self._path = journal
            journal = _open(journal)
        self._journal = journal
        self._session_state = session_state
        self._on_send = on_send
        self._send_readers: WeakSet[SendNews[int]] = WeakSet()
        """Those who follow the sends; one leaves the set when its reader ends."""
        self._parts: dict[int, AccountJournal] = {}
        """Parts of the journal by account."""
        self._states: dict[int, LimiterMemory] = {}
        """Named states of each account, for a client without a journal."""
        self.news: asyncio.Event = asyncio.Event()
        """Event that is set, and replaced by a new one, when something is stored."""

    def __repr__(self) -> str:
        return f"AccountStorage(has_journal={self.has_journal})"

    @property
    def has_journal(self) -> bool:
        """Whether there is a journal."""
        return self._journal is not None

    def part(self) -> AccountJournal:
        """
        Return this account's part of the journal.

        Raises:
            NotLoggedIn: There is no login.
            NoJournal: There is no journal.
        """
        uin = self._session_state.login.account.uin
        if self._journal is None:
            raise NoJournal("This needs a journal; give the client one, such as journal='me.journal'.")
        if uin not in self._parts:
            self._parts[uin] = part = self._journal.account(uin)
            part.outbox.on_change = self._note_send
        return self._parts[uin]

    @property
    def outbox(self) -> Outbox:
        """
        The sends of this account.

        Raises:
            NotLoggedIn: There is no login.
            NoJournal: There is no journal.
        """
        return self.part().outbox

    def follow_sends(self) -> SendNews[int]:
        """Return the numbers of the sends that this client stores or changes from now on."""
        news = SendNews[int]()
        self._send_readers.add(news)
        return news

    def _note_send(self, number: int) -> None:
        for reader in self._send_readers:
            reader.note(number)
        if self._on_send is not None:  # later, because its errors must change no send
            asyncio.get_running_loop().call_soon(self._on_send, number)

    def fingerprint(self) -> object:
        """
        Return what `Journal.fingerprint` returns of this account; None without a journal.

        Raises:
            NotLoggedIn: There is no login.
            StorageError: The journal was closed.
        """
        return None if self._journal is None else self._journal.fingerprint(self._session_state.login.account.uin)

    async def latest_part(self) -> AccountJournal:
        """
        Return this account's part of the journal; without a login, the part of the account that was logged in last.

        In a database that holds several accounts, any of them may belong to another login, so a login is necessary;
        the journal of a `Storage` has only the accounts of its login.

        Raises:
            NoJournal: There is no journal.
            NotLoggedIn: There was never a login, or the database holds several accounts.
        """
        if self._journal is not None and not self._session_state.login.user_id:
            return self._journal.account(await self.latest_uin())
        return self.part()

    async def latest_uin(self) -> int:
        """
        Return the platform's number of the account whose part `latest_part` returns.

        Raises:
            NotLoggedIn: There was never a login, or the database holds several accounts.
        """
        if self._journal is not None and not self._session_state.login.user_id:
            accounts = await self._journal.accounts()
            if accounts and not (self._is_shared and len(accounts) > 1):
                return accounts[0]
        return self._session_state.login.account.uin

    def states(self) -> LimiterStore:
        """
        Return the storage of this account's named states: the journal, or memory for a client without a journal.

        Raises:
            NotLoggedIn: There is no login.
        """
        if self._journal is None:
            return self._states.setdefault(self._session_state.login.account.uin, LimiterMemory())
        return self.part()

    def notify(self) -> None:
        """Wake all tasks that wait for new entries."""
        self.news.set()
        self.news = asyncio.Event()

    async def store_outcomes(self) -> None:
        """
        Return once the outcomes of all finished sends are stored.

        Raises:
            StorageError: They cannot be stored.
        """
        for part in self._parts.values():
            await part.outbox.flush()

    async def close(self) -> None:
        """Store the outcomes of all sends, and close a journal that this object opened; the next use opens it again."""
        with contextlib.suppress(StorageError):  # the journal logs the error, and the sends stay `unknown`
            await self.store_outcomes()
        if self._path is not None and self._journal is not None:
            closed, self._journal = self._journal, _open(self._path)
            self._parts.clear()
            await closed.close()
