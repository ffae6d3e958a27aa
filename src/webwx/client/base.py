"""What every verb stands on: the account's cell, its store, its contacts, and the way a flow is driven."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.client.rate_limiter import RateLimiter, StatesInMemory
from webwx.client.state import Liveness, LoginState, StateChange
from webwx.errors import (
    ApiError,
    LoggedOut,
    NoJournal,
    NotOnThisHost,
    RateLimited,
    StorageError,
)
from webwx.flows import login as login_flows
from webwx.model.address_book import Contacts
from webwx.model.events import Item
from webwx.model.login import Account, Login
from webwx.protocol.codes import KNOWN_RETS, Ret
from webwx.protocol.hosts import Desktop, check_proxy, choose
from webwx.storage.login import Ended, LoginMemory, LoginStore, SavedLogin
from webwx.storage.open import open_journal
from webwx.transport.default import default_transport
from webwx.transport.file_chunks import read_window
from webwx.transport.runner import Cell, Timeouts, Transport, run_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from webwx.client.rate_limit import Kind, Pace, Pacing, Why
    from webwx.client.rate_limiter import States
    from webwx.flows.call import Flow
    from webwx.model.archive import Keep
    from webwx.protocol.http import Buffer, Pause, Read
    from webwx.storage.base import AccountJournal, Journal

_log = logging.getLogger("webwx.client")

T = TypeVar("T")

HELD_FROM = 4.0
"""Seconds after which an answer to a poll shows that the server holds polls, so that they need no distance."""

Moment = tuple[float, float]
"""A time by the loop's clock, and the same by the clock on the wall."""


class BaseClient:
    """The state of one account's client, and what the verbs share."""

    _own_journal: str | os.PathLike[str] | None = None
    """The path of a journal that is opened and closed here; None: it is somebody else's, or there is none."""

    def __init__(
        self,
        *,
        host: str | None = None,
        server: str | None = None,
        store: LoginStore | None = None,
        transport: Transport | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - a frozen value
        clock: Callable[[], float] = time.time,
        proxy: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        allowed_hosts: tuple[str, ...] = (),
        desktop: Desktop | None = None,
        on_logged_out: Callable[[LoggedOut], object] | None = None,
        on_state: Callable[[StateChange], object] | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        keep: Keep | None = None,
        dedupe_by_client_id: bool = False,
        pace: Pace | None = None,
        on_wait: Callable[[float, Why], object] | None = None,
    ) -> None:
        profile, hosts = choose(host, server, allowed_hosts)
        if proxy is not None:
            check_proxy(proxy)
        self._blank = Login(
            profile_name=profile.name, server=server and hosts.main, hosts=hosts, allowed_hosts=allowed_hosts
        )
        self._store = store or LoginMemory()
        self._clock = clock
        self._cell = Cell(self._blank, clock, reserve=self._store.reserve_id)
        self._kept = self._blank
        """The login as the store and we last had it in common."""
        self._liveness = Liveness(on_state or _log_state)
        self._on_logged_out = on_logged_out
        if isinstance(journal, (str, os.PathLike)):
            self._own_journal = journal
            journal = open_journal(journal)
        self._journal = journal
        if keep is not None and journal is None:
            raise NoJournal("Media are kept beside a journal; give the client one, such as journal='me.journal'.")
        self._to_keep = keep
        self._parts: dict[int, AccountJournal] = {}
        """Of the journal, by account."""
        self._dedupes = dedupe_by_client_id
        self._governor = None if pace is None else RateLimiter(pace, self._states, clock, on_wait)
        self._remembered: dict[int, StatesInMemory] = {}
        """What the governor knows, by account, where there is no journal to keep it."""
        self._desktop = desktop
        self._given_transport = transport
        self._transport: Transport | None = transport
        self._timeouts = timeouts
        self._default_transport = partial(default_transport, timeouts, proxy=proxy, ca_file=ca_file)
        self._contacts = Contacts()
        self._pending: deque[Item] = deque()
        self._odd: set[tuple[str, int]] = set()
        """Codes that nobody knows, with the calls that were answered with them."""
        self._is_dirty = False
        """The login has changed since it was saved."""
        self._has_taken = False
        """Pending items have been handed out since they were saved."""
        self._has_more = False
        """The last batch said that more waits."""
        self._prepare()

    def _prepare(self) -> None:
        """Make what the verbs of a topic keep: plain attributes, found soonest where there are fewer than thirty."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._cell.login!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Save what the store does not know yet, and let go of all connections and files. The login lives on."""
        try:
            self._save_session()
        finally:
            try:
                if self._transport is not None:
                    await self._transport.close()
                    self._transport = self._given_transport
            finally:
                await self._close_own_journal()

    async def _close_own_journal(self) -> None:
        """Close the journal that this client has opened; one more of the same file takes its place."""
        if self._own_journal is not None and self._journal is not None:
            closed, self._journal = self._journal, open_journal(self._own_journal)
            self._parts.clear()
            await closed.close()

    @property
    def account(self) -> Account:
        """
        The account that is logged in.

        Raises:
            NotLoggedIn: There is no login.
        """
        return self._cell.login.account

    @property
    def state(self) -> LoginState:
        """How the login is; only the platform's word ends it, never the network."""
        return self._liveness.state

    @property
    def last_sync_at(self) -> float | None:
        """
        When the platform last said what is new or that nothing is: seconds since 1970, by the server's clock.

        None: not yet. While events are read and the state is ONLINE it is never older than a minute and a half.
        """
        return self._liveness.last_sync_at

    @property
    def contacts(self) -> Contacts:
        """Everybody known in this login: found by id at once, by name through an index."""
        return self._contacts

    @property
    def _login(self) -> Login:
        return self._cell.login

    def _part_of_account(self) -> AccountJournal:
        """
        Give the part of the journal that is this account's.

        Raises:
            NotLoggedIn: There is no login.
            NoJournal: There is no journal.
        """
        uin = self.account.uin
        if self._journal is None:
            raise NoJournal("This needs a journal; give the client one, such as journal='me.journal'.")
        if uin not in self._parts:
            self._parts[uin] = self._journal.account(uin)
        return self._parts[uin]

    async def pacing(self) -> Pacing | None:
        """
        Say how this account stands with its pace; None when this client has none.

        With a journal it is how all its processes stand together. What waits in a process behind a first one is not
        counted: it has no place yet.

        Raises:
            NotLoggedIn: There is no login.
            StorageError: The journal cannot be read.

        """
        return None if self._governor is None else await self._governor.pacing()

    async def _paced(self, kind: Kind, act: Callable[[], Awaitable[T]]) -> T:
        """
        Do something once this account's pace allows it.

        Args:
            kind: What it counts as.
            act: Does it; it is called again when the platform has said that it came too soon.

        Raises:
            RateLimited: The platform refused, and there is no rate limit or the next attempt would be too late.
            RateLimitReached: The rate limit allows nothing for longer than its patience.
        """
        return await act() if self._governor is None else await self._governor.run(kind, act)

    def _states(self) -> States:
        if self._journal is None:
            return self._remembered.setdefault(self.account.uin, StatesInMemory())
        return self._part_of_account()

    async def _readable_part(self) -> AccountJournal:
        """
        Give this account's part of the journal; when nobody is logged in, that of whoever was last.

        Raises:
            NoJournal: There is none.
            NotLoggedIn: There was never a login.
        """
        if self._journal is not None and not self._login.user_id:
            last = await self._journal.accounts()
            if last:
                return self._journal.account(last[0])
        return self._part_of_account()

    async def _run_login(self, flow: Flow[T]) -> T:
        """Drive a flow that needs no login."""
        try:
            return await run_async(flow, self._transport or self._default(), self._cell, self._pause)
        except ApiError as refused:
            self._note(refused.endpoint, refused.ret)
            raise

    def _default(self) -> Transport:
        """Make what carries requests where nobody has given it."""
        self._transport = self._default_transport()
        return self._transport

    async def _pause(self, wish: Pause) -> None:
        self._note(wish.endpoint, wish.ret)
        await asyncio.sleep(self._timeouts.retry)

    def _note(self, endpoint: str, ret: int | None) -> None:
        """Log a code that nobody knows, the first time a call is answered with it."""
        if ret is not None and ret not in KNOWN_RETS and (endpoint, ret) not in self._odd:
            self._odd.add((endpoint, ret))
            _log.info("%s was answered with ret %s, which nobody knows; please report it.", endpoint, ret)

    async def _run(self, flow: Flow[T], read: Callable[[Read], Awaitable[Buffer]] = read_window) -> T:
        """
        Drive a flow of the logged-in account; an end of the login is remembered and not asked for twice.

        Raises:
            ApiError: The key was too old, and there is a new one now: the call may be made again.
            LoggedOut: The login ended.
        """
        login, liveness = self._cell.login, self._liveness
        if not login.user_id or liveness.end is not None:
            login.require()
            liveness.require()
        self._is_dirty = True
        try:
            result = await run_async(flow, self._transport or self._default(), self._cell, self._pause, read)
        except LoggedOut as end:
            if end.ret == Ret.TICKET_ERROR and await self._renew_key(login.credentials.skey):
                raise ApiError(
                    f"{end.endpoint} was refused (ret {end.ret}): this login's key was too old; "
                    "it has a new one now and nothing was done, so the call may be made again.",
                    endpoint=end.endpoint, ret=end.ret, message=end.message,
                ) from None  # fmt: skip
            raise self._ended(end) from None
        except RateLimited:
            if self._governor is not None:
                await self._governor.refused()
            raise
        except ApiError as refused:
            self._note(refused.endpoint, refused.ret)
            raise
        liveness.answered(self._cell.now())
        return result

    async def _renew_key(self, refused: str) -> bool:
        """Get a new skey in place of one that was refused; says whether there is one. It is tried once."""
        if self._liveness.is_renewed:
            return False
        self._catch_up()
        if self._login.credentials.skey == refused:  # no other process has got one yet
            try:
                reply = await self._run_login(login_flows.open_session(self._login, self._cell.now()))
            except LoggedOut as end:
                raise self._ended(end) from None
            if reply.skey in {"", refused}:
                return False
            self._cell.change(credentials=msgspec.structs.replace(self._login.credentials, skey=reply.skey))
            self._save()
        self._liveness.is_renewed = True
        return True

    def _ended(self, end: LoggedOut) -> LoggedOut:
        """Take note of the login's end, and give it with what we know of its cause."""
        end = self._explained(end)
        if self._liveness.ended(end):
            try:
                self._save(ended=Ended(reason=end.reason, text=str(end)))
            except StorageError as error:  # the next process hears of it from the platform
                _log.warning("The end of the login could not be saved: %s", error)
            if self._on_logged_out is not None and self.state is LoginState.LOGGED_OUT:
                self._on_logged_out(end)
        return end

    def _explained(self, end: LoggedOut) -> LoggedOut:
        """Say more about ret 1102, which means everything from a cookie we never had to a login long gone."""
        if end.ret != Ret.COOKIE_INVALID:
            return end
        reason, text, missing = end.reason, str(end), self._missing_cookies()
        if missing:
            text += f" It has no {' and no '.join(missing)} cookie (any more)."
        elif self._liveness.is_restored:
            reason = "restored_session_expired"
            text = f"The saved login is not alive any more ({end.endpoint}, ret {end.ret}); log in again."
        return LoggedOut(text, reason=reason, endpoint=end.endpoint, ret=end.ret, message=end.message)

    def _missing_cookies(self) -> list[str]:
        hosts = self._login.hosts
        needed = (("wxuin", hosts.main), ("wxsid", hosts.main), ("webwx_data_ticket", hosts.file))
        return [name for name, origin in needed if not self._cell.cookie(name, origin)]

    def _require_login(self) -> None:
        """
        Check the login, and take over the keys that other processes have saved.

        Raises:
            NotLoggedIn: There is no login.
            LoggedOut: It has ended.
        """
        self._cell.login.require()
        self._catch_up()
        self._liveness.require()

    def _catch_up(self) -> SavedLogin | None:
        """Take over what other processes have saved of this login; gives it, or None when it is saved no more."""
        saved = self._store.load()
        if saved is None or saved.login.credentials.sid != self._cell.login.credentials.sid:
            return None
        if saved.login is not self._kept and saved.login != self._kept:
            self._cell.login = self._login.rebased(self._kept, saved.login)
            self._kept = saved.login
        if saved.ended is not None:
            self._liveness.ended(LoggedOut(saved.ended.text, reason=saved.ended.reason))
        return saved

    def _moment(self) -> Moment:
        return asyncio.get_running_loop().time(), self._clock()

    def _seconds_since(self, moment: Moment) -> float:
        """Return the time since a moment, by the clock that went on: the loop's stands still in a suspended machine."""
        return max(now - then for now, then in zip(self._moment(), moment, strict=True))

    def _require_contacts(self, what: str) -> None:
        if not self._login.profile.has_contacts:
            raise NotOnThisHost(
                f"File Transfer Helper web has no {what}; log in with host 'web', where the account may use it."
            )

    def _save(self, **fields: object) -> None:
        """Save what we have changed of the login, and these fields beside it; unless somebody has logged in anew."""
        kept: Login | None = None

        def change(saved: SavedLogin) -> SavedLogin:
            nonlocal kept
            if saved.login.credentials.sid != self._login.credentials.sid:
                return saved
            kept = self._login.rebased(self._kept, saved.login)
            beside = fields
            # Whoever has only sent must not bring back what another process has handed out meanwhile.
            if self._has_taken and saved.login.fetch_key == self._kept.fetch_key:
                beside = {"pending": tuple(self._pending), **fields}
            return msgspec.structs.replace(saved, login=kept, **beside)

        self._store.update(change)
        if kept is not None:
            self._cell.login = self._kept = kept
        self._is_dirty = self._has_taken = False

    def _resume_pending(self, saved: SavedLogin) -> None:
        """Wait with what the saved login says is pending; whoever reads it already goes on with that."""
        self._pending.clear()
        self._pending.extend(saved.pending)

    def _save_session(self) -> None:
        if self._is_dirty and self._login.user_id:
            self._save()

    def _forget(self) -> None:
        self._cell.login = self._kept = self._blank
        self._contacts = Contacts()
        self._pending.clear()
        self._is_dirty = self._has_taken = self._has_more = False
        self._liveness.forget()


def _log_state(change: StateChange) -> None:
    if change.is_notable:
        _log.log(logging.INFO if change.error is None else logging.WARNING, "%s", change)
