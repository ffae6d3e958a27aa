"""The session of one account: its login, the saved login, the state of the login, and the flows it runs."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.client.sending.call_limit import CallLimit, CallPlaces
from webwx.client.state import Liveness, LoginState, StateChange
from webwx.errors import ApiError, LoggedOut, NotOnThisHost, RateLimited, StorageError
from webwx.flows import login as login_flows
from webwx.model.events import Item
from webwx.protocol.codes import KNOWN_RETS, Ret
from webwx.storage.saved_login import Ended, SavedLogin
from webwx.transport.file_chunks import read_window
from webwx.transport.runner import run_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.client.sending.rate_limiter import Limiter
    from webwx.client.state import LoginState
    from webwx.flows.call import Flow
    from webwx.model.login import Account, Login
    from webwx.protocol.http import Buffer, Pause, Read
    from webwx.storage.saved_login import LoginStore
    from webwx.transport.runner import SessionState, Timeouts, Transport

_log = logging.getLogger("webwx.client")

T = TypeVar("T")

Moment = tuple[float, float]
"""One moment as seconds of two clocks: the event loop's, and the machine's."""


class ClientSession:
    """
    The login of one account as this process knows it.

    Args:
        session_state: Credentials, cookies and ids of the account.
        store: Storage of the saved login.
        transport: Sends the requests; None: one is created when it is first needed, and again after `close`.
        make_transport: Creates the transport.
        timeouts: Delays between attempts.
        clock: Returns seconds since 1970.
        limiter: Receives each refusal as too frequent (1205).
        stores_sends: Whether the client has a journal, in which a send is stored before it is made.
        on_state: Called with each change of the state; default: it is logged.
        on_logged_out: Called once when the platform ends the login.
    """

    def __init__(
        self,
        session_state: SessionState,
        store: LoginStore,
        *,
        transport: Transport | None,
        make_transport: Callable[[], Transport],
        timeouts: Timeouts,
        clock: Callable[[], float],
        limiter: Limiter,
        stores_sends: bool,
        on_state: Callable[[StateChange], object] | None,
        on_logged_out: Callable[[LoggedOut], object] | None,
    ) -> None:
        self.blank: Login = session_state.login
        """The login before the account logs in."""
        self.store = store
        self.timeouts = timeouts
        self.clock = clock
        """Returns seconds since 1970 (machine's clock)."""
        self.liveness: Liveness = Liveness(on_state or _log_state, clock)
        self.pending: deque[Item] = deque()
        """Fetched items that were not delivered yet, for a client without a journal; they are saved with the login."""
        self.is_changed: bool = False
        """Whether the login has changed since it was saved."""
        # Bound methods are stored once, because each send calls several of them.
        self.now: Callable[[], float] = session_state.now
        """Returns seconds since 1970 (server's clock)."""
        self.change: Callable[..., None] = session_state.change
        self.cookie: Callable[[str, str], str] = session_state.cookie
        self.next_client_id: Callable[[], Awaitable[str]] = session_state.next_client_id
        self.next_media_id: Callable[[], Awaitable[int]] = session_state.next_media_id
        self._session_state = session_state
        self._saved: Login = session_state.login
        """The saved login when it was last read or written."""
        self._has_taken = False
        """Whether pending items have been delivered since the last save."""
        self._given_transport = self._transport = transport
        self._call_limit = CallLimit(stores_sends=stores_sends)
        self._make_transport = make_transport
        self._limiter = limiter
        self._renewing = asyncio.Lock()
        """Held while a new skey is requested."""
        self._on_logged_out = on_logged_out
        self._unknown_rets: set[tuple[str, int]] = set()
        """Pairs of a call and an answered code without a known meaning, which were logged."""

    def __repr__(self) -> str:
        return f"ClientSession({self._session_state.login!r})"

    @property
    def login(self) -> Login:
        """The present login, an immutable value that each change replaces."""
        return self._session_state.login

    @property
    def account(self) -> Account:
        """
        The account that is logged in.

        Raises:
            NotLoggedIn: There is no login.
        """
        return self._session_state.login.account

    @property
    def state(self) -> LoginState:
        """State of the login."""
        return self.liveness.state

    @property
    def state_since(self) -> float | None:
        """Time of the last change of the state: seconds since 1970 (machine's clock); None before the first one."""
        return self.liveness.state_since

    @property
    def last_sync_at(self) -> float | None:
        """Time of the last successful poll or fetch: seconds since 1970 (server's clock); None before the first one."""
        return self.liveness.last_sync_at

    @property
    def waiting_calls(self) -> int:
        """Number of calls that wait, because as many as allowed are in flight."""
        return self._call_limit.waiting

    # -- running flows -----------------------------------------------------------------------------------------------

    def send_places(self) -> CallPlaces:
        """Return the places of ordinary calls to the main host, which a send enters before it is stored as begun."""
        return self._call_limit.places(self._session_state.login.hosts.main)

    async def run(
        self, flow: Flow[T], read: Callable[[Read], Awaitable[Buffer]] = read_window, *, has_place: bool = False
    ) -> T:
        """
        Run a flow of the logged-in account. After the end of a login no request is sent.

        Args:
            flow: The conversation.
            read: Reads when the flow asks for it.
            has_place: Whether the caller has entered the places of its calls.

        Raises:
            ApiError: Among others: the key was too old and was renewed, so the call may be repeated.
            LoggedOut: The login has ended.
        """
        login, liveness = self._session_state.login, self.liveness
        if not login.user_id or liveness.end is not None:
            login.require()
            liveness.require()
        self.is_changed = True
        try:
            transport, limit = self._transport or self._open_transport(), None if has_place else self._call_limit
            result = await run_async(flow, transport, self._session_state, self._pause, read, limit)
        except LoggedOut as end:
            if self._session_state.login.credentials.sid != login.credentials.sid:
                raise  # a late answer to an earlier login says nothing about the present one
            if end.ret == Ret.TICKET_ERROR and await self._renew_key(login.credentials.skey):
                raise ApiError(
                    f"{end.endpoint} was refused (ret {end.ret}): the login's key was too old and has been "
                    "renewed; nothing was done, so repeat the call.",
                    endpoint=end.endpoint, ret=end.ret, message=end.message,
                ) from None  # fmt: skip
            raise await self._ended(end) from None
        except RateLimited:
            await self._limiter.refused()
            raise
        except ApiError as refused:
            self._note(refused.endpoint, refused.ret)
            raise
        liveness.answered(self._session_state.now())
        return result

    async def run_login(self, flow: Flow[T]) -> T:
        """Run a flow that needs no login."""
        try:
            return await run_async(flow, self._transport or self._open_transport(), self._session_state, self._pause)
        except ApiError as refused:
            self._note(refused.endpoint, refused.ret)
            raise

    async def require_login(self) -> None:
        """
        Check the login, and apply the keys that other processes have saved.

        Raises:
            NotLoggedIn: There is no login.
            LoggedOut: The login has ended.
        """
        self._session_state.login.require()
        await self.catch_up()
        self.liveness.require()

    def require_contacts(self, what: str) -> None:
        """
        Check that the host of this login has contacts.

        Raises:
            NotOnThisHost: The host has no contacts.
        """
        if not self._session_state.login.profile.has_contacts:
            raise NotOnThisHost(
                f"File Transfer Helper web has no {what}; log in with host 'web', where the account may use it."
            )

    def data_ticket(self) -> str:
        """Return the cookie of the file host; empty if the host has set no cookie."""
        return self._session_state.cookie("webwx_data_ticket", self._session_state.login.hosts.file)

    # -- time --------------------------------------------------------------------------------------------------------

    def moment(self) -> Moment:
        """Return the present moment."""
        return asyncio.get_running_loop().time(), self.clock()

    def seconds_since(self, moment: Moment) -> float:
        """Return the seconds since a moment, by the clock that advanced more: the loop's stops during a suspend."""
        return max(now - then for now, then in zip(self.moment(), moment, strict=True))

    # -- the saved login ---------------------------------------------------------------------------------------------

    def resume(self, saved: SavedLogin) -> None:
        """Continue with a saved login and its pending items."""
        self._session_state.login = self._saved = saved.login
        self.resume_pending(saved)

    def resume_pending(self, saved: SavedLogin) -> None:
        """Replace the pending items by those of the saved login, in place, because a reader may use the queue."""
        self.pending.clear()
        self.pending.extend(saved.pending)

    async def catch_up(self) -> SavedLogin | None:
        """Apply the changes that other processes have saved; return the saved login, None if it was deleted."""
        before = self._saved
        saved = await self.store.load()
        if saved is None or saved.login.credentials.sid != self._session_state.login.credentials.sid:
            return None
        # A save that ended meanwhile has applied these changes, and newer ones.
        if self._saved is before and saved.login is not before and saved.login != before:
            self._session_state.login = self._session_state.login.rebased(self._saved, saved.login)
            self._saved = saved.login
        if saved.ended is not None:
            self.liveness.ended(LoggedOut(saved.ended.text, reason=saved.ended.reason))
        return saved

    def take_pending(self) -> Item:
        """Remove and return the oldest pending item."""
        self.is_changed = self._has_taken = True
        return self.pending.popleft()

    async def save(self, **fields: object) -> None:
        """Save the changes of the login, and these fields, unless another process has saved a newer login."""
        login, kept = self._session_state.login, None
        is_changed, has_taken = self.is_changed, self._has_taken
        self.is_changed = self._has_taken = False

        def change(saved: SavedLogin) -> SavedLogin:
            nonlocal login, kept
            login = self._session_state.login
            if saved.login.credentials.sid != login.credentials.sid:
                return saved
            kept = login.rebased(self._saved, saved.login)
            beside = fields
            # A process that only sends must not restore items that another process has delivered meanwhile.
            if has_taken and saved.login.fetch_key == self._saved.fetch_key:
                beside = {"pending": tuple(self.pending), **fields}
            return msgspec.structs.replace(saved, login=kept, **beside)

        try:
            await self.store.update(change)
        except BaseException:
            self.is_changed, self._has_taken = self.is_changed or is_changed, self._has_taken or has_taken
            raise
        if kept is not None:
            changed = self._session_state.login
            self._session_state.login = kept if changed is login else changed.rebased(login, kept)
            self._saved = kept

    async def save_changes(self) -> None:
        """Save the login if it has changed."""
        if self.is_changed and self._session_state.login.user_id:
            await self.save()

    async def save_new(self) -> None:
        """Save a new login in place of an earlier one."""
        login = self._session_state.login
        await self.store.save(SavedLogin(login=login))
        self._saved = login

    async def delete_saved(self) -> None:
        """Delete the saved login, unless a newer login was saved."""
        saved = await self.store.load()
        if saved is not None and saved.login.credentials.sid == self._session_state.login.credentials.sid:
            await self.store.clear()

    def forget(self) -> None:
        """Drop the login of this process; calls that wait for a place fail."""
        self._call_limit.refuse()
        self._session_state.login = self._saved = self.blank
        self.pending.clear()
        self.is_changed = self._has_taken = False
        self.liveness.forget()

    async def close(self) -> None:
        """Save the login if it has changed, and close the connections; calls that wait for a place fail."""
        try:
            await self.save_changes()
        finally:
            self._call_limit.refuse()
            if self._transport is not None:
                await self._transport.close()
                self._transport = self._given_transport

    # -- effects of answers on the login -----------------------------------------------------------------------------

    def _open_transport(self) -> Transport:
        self._transport = self._make_transport()
        return self._transport

    async def _pause(self, pause: Pause) -> None:
        self._note(pause.endpoint, pause.ret)
        await asyncio.sleep(self.timeouts.retry)

    def _note(self, endpoint: str, ret: int | None) -> None:
        """Log a code without a known meaning, once for each call."""
        if ret is not None and ret not in KNOWN_RETS and (endpoint, ret) not in self._unknown_rets:
            self._unknown_rets.add((endpoint, ret))
            _log.info("%s was answered with the unknown ret %s; please report it.", endpoint, ret)

    async def _renew_key(self, refused: str) -> bool:
        """Request a new skey after one was refused, once for all calls with it; return whether there is a new one."""
        async with self._renewing:
            if self._session_state.login.credentials.skey != refused:  # another call has renewed it meanwhile
                return True
            return self.liveness.end is None and not self.liveness.is_renewed and await self._has_renewed(refused)

    async def _has_renewed(self, refused: str) -> bool:
        """Take the skey of another process, or request one; return whether it is new."""
        await self.catch_up()
        if self._session_state.login.credentials.skey == refused:  # no other process has renewed it yet
            try:
                reply = await self.run_login(
                    login_flows.open_session(self._session_state.login, self._session_state.now())
                )
            except LoggedOut as end:
                raise await self._ended(end) from None
            if reply.skey in {"", refused}:
                return False
            self._session_state.change(
                credentials=msgspec.structs.replace(self._session_state.login.credentials, skey=reply.skey)
            )
            await self.save()
        self.liveness.is_renewed = True
        return True

    async def _ended(self, end: LoggedOut) -> LoggedOut:
        """Store the end of the login; return the error, with its cause if it is known."""
        end = self._explained(end)
        if self.liveness.ended(end):
            try:
                await self.save(ended=Ended(reason=end.reason, text=str(end)))
            except StorageError as error:  # the next process gets the error from the platform
                _log.warning("The end of the login could not be saved: %s", error)
            if self._on_logged_out is not None and self.liveness.state is LoginState.LOGGED_OUT:
                self._on_logged_out(end)
        return end

    def _explained(self, end: LoggedOut) -> LoggedOut:
        """Return a more exact error for ret 1102, which has many causes, such as a missing cookie or an old login."""
        if end.ret != Ret.COOKIE_INVALID:
            return end
        reason, text, missing = end.reason, str(end), self._missing_cookies()
        if missing:
            text += f" It has no {' and no '.join(missing)} cookie (any more)."
        elif self.liveness.is_restored:
            reason = "restored_session_expired"
            text = f"The saved login is not alive any more ({end.endpoint}, ret {end.ret}); log in again."
        return LoggedOut(text, reason=reason, endpoint=end.endpoint, ret=end.ret, message=end.message)

    def _missing_cookies(self) -> list[str]:
        hosts = self._session_state.login.hosts
        needed = (("wxuin", hosts.main), ("wxsid", hosts.main), ("webwx_data_ticket", hosts.file))
        return [name for name, origin in needed if not self._session_state.cookie(name, origin)]


def _log_state(change: StateChange) -> None:
    if change.is_notable:
        _log.log(logging.INFO if change.error is None else logging.WARNING, "%s", change)
