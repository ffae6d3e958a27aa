"""Log in, go on with a saved login, ask whether it is alive, log out."""

from __future__ import annotations

import logging
import secrets
import sys
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from webwx.client.base import HELD_FROM
from webwx.client.retry import Backoff
from webwx.client.suspend import pause
from webwx.client.sync_cursor import PositionVerbs
from webwx.errors import (
    ApiError,
    ConnectFailed,
    InvalidLogin,
    LoggedOut,
    LoginRefused,
    LoginTimeout,
    NotLoggedIn,
    ProtocolError,
    RateLimited,
    StorageError,
    TlsError,
    TransportError,
    UnsafeRedirect,
)
from webwx.flows import contacts as contact_flows
from webwx.flows import login as login_flows
from webwx.flows import messages as message_flows
from webwx.model.contacts import Contact, ContactId, is_chatroom
from webwx.model.login import Account, Login, QrCode
from webwx.model.text import plain_text
from webwx.protocol.codes import PollCode, Ret
from webwx.protocol.login import Credentials
from webwx.storage.login import SavedLogin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.client.base import BaseClient
    from webwx.protocol.login import PollReply

_log = logging.getLogger("webwx.client")

T = TypeVar("T")

LoginStep = Literal["scanned", "cancelled", "expired"]
"""A step of a login that the server reports while a code is shown."""

_RETRIES = 4
"""Number of times that a step of a login is repeated after temporary failures in a row, within about eight seconds."""

_POLL_RETRIES = 10
"""Number of times that a poll is repeated: the phone may be at work meanwhile."""

_EXCHANGE_RETRIES = 2
"""Number of times that the exchange of a ticket is repeated: if it was done, the ticket is not valid any more."""

_LONGEST_DISTANCE = 8.0
"""Seconds between two polls that are answered at once and bring nothing, at most."""


def print_code(code: QrCode) -> None:
    """Draw a login code on the terminal's error stream, where it never mixes with results."""
    drawn = code.text(colors=sys.stderr.isatty())
    sys.stderr.write(f"{drawn}\nScan this with WeChat on your phone, then confirm there.\n")
    sys.stderr.flush()


class _Retries:
    """
    Repeats the steps of one login after temporary failures.

    Args:
        client: The client that logs in.
        is_endless: Repeat for ever, also without a connection.
    """

    def __init__(self, client: BaseClient, *, is_endless: bool) -> None:
        self.is_endless = is_endless
        self._client = client
        self._is_answered = False

    async def run(self, step: Callable[[], Awaitable[T]], retries: int = _RETRIES, *, is_limited: bool = False) -> T:
        """
        Run a step until it succeeds.

        Args:
            step: Runs it once.
            retries: Number of repetitions, unless this is endless.
            is_limited: Limit them all the same.

        Raises:
            TransportError, ProtocolError, ApiError: The failure cannot pass by itself, or did not.
        """
        backoff = self.backoff()
        while True:
            try:
                result = await step()
            except (TransportError, ProtocolError, ApiError) as error:
                is_last = backoff.failures >= retries and (is_limited or not self.is_endless)
                if is_last or not self.may_pass(error):
                    raise
                await self.wait(error, backoff)
            else:
                self._is_answered = True
                return result

    def may_pass(self, error: TransportError | ProtocolError | ApiError) -> bool:
        """Return whether a failure can pass by itself; before the first answer the address may be what is wrong."""
        match error:
            case UnsafeRedirect() | LoggedOut():
                return False
            case LoginRefused():
                return error.ret in {Ret.SYSTEM_ERROR, Ret.TOO_FREQUENT}
            case ConnectFailed() | TlsError():
                return self.is_endless or (self._is_answered and not isinstance(error, TlsError))
            case _:
                return True

    def backoff(self) -> Backoff:
        """Return the delays between the attempts at one step."""
        return Backoff(sleep=partial(pause, clock=self._client._clock))

    async def wait(self, error: TransportError | ProtocolError | ApiError, backoff: Backoff) -> None:
        """Report a failure, if it is the first one of this login, and wait until the next attempt."""
        is_too_often = isinstance(error, RateLimited) or (
            isinstance(error, LoginRefused) and error.ret == Ret.TOO_FREQUENT
        )
        self._client._liveness.delayed(error)
        await backoff.pause(skipped=3 if is_too_often else 0)


class _Display:
    """
    How a login shows its codes and their progress.

    Args:
        show_qr: Called with each code.
        max_codes: Number of codes to show.
        on_step: Called with what the server reports meanwhile.
    """

    def __init__(
        self,
        show_qr: Callable[[QrCode], object],
        max_codes: int,
        on_step: Callable[[LoginStep], object] | None,
    ) -> None:
        self.show_qr = show_qr
        self.max_codes = max_codes
        self.on_step = on_step or (lambda _: None)


class LoginVerbs(PositionVerbs):
    """The login of one account."""

    async def login(
        self,
        *,
        show_qr: Callable[[QrCode], object] = print_code,
        max_codes: int = 3,
        on_push: Callable[[], object] | None = None,
        on_step: Callable[[LoginStep], object] | None = None,
        is_patient: bool = False,
    ) -> Account:
        """
        Log in: go on with the saved login when it is alive, else show a code and wait for the phone.

        A saved login that is damaged is set aside. Temporary failures, such as a lost answer, a web page or ret -1,
        are retried, slower each time; the first one goes to the client's `on_state`.

        Args:
            show_qr: Called with each code; the default draws it on the terminal. `print` works as well.
            max_codes: Codes to show before giving up; each lives for about five minutes.
            on_push: Called when the phone was asked to confirm without a code, which a saved login that has ended
                makes possible; a code is shown when that leads to nothing. None: the phone is not asked.
            on_step: Called when the phone has scanned a code or cancelled the login, and when a code has expired.
            is_patient: Retry temporary failures for ever, as a service needs it, and wait for a connection. False:
                they are raised after some seconds, and a server that cannot be reached at once.

        Raises:
            LoginTimeout: No code was confirmed.
            LoginRefused: The account may not use this host; the text has the platform's words.
            UnsafeRedirect: The login was sent on to a host that is none of the platform's.
            NotOnThisHost: The desktop profile lacks its values; nothing was sent.
            InvalidLogin: A saved login is there, but must not or cannot be opened.
            StorageError: Nothing can be saved in the store, and nothing was sent; or the journal cannot be written.

        Wire: jslogin, login, webwxpushloginurl, webwxnewloginpage, webwxinit, webwxstatusnotify, webwxgetcontact,
        webwxbatchgetcontact

        """
        try:
            saved = self._store.load()
        except InvalidLogin:
            saved = self._store.load()  # none now, when it was damaged
        retries = _Retries(self, is_endless=is_patient)
        with self._liveness.logging_in():
            if saved is None or not await self._is_alive(saved, retries):
                self._forget()
                login_flows.check_profile(self._login, self._desktop)
                self._store.prepare()
                display = _Display(show_qr, max_codes, on_step)
                redirect_uri = ""
                if saved is not None and on_push is not None:
                    redirect_uri = await self._wait_for_push(saved.login, on_push, display, retries)
                backoff = retries.backoff()
                while True:
                    redirect_uri = redirect_uri or await self._wait_for_phone(display, retries)
                    try:
                        ticket = await self._exchange(redirect_uri, retries)
                        break
                    except (TransportError, ProtocolError, LoginRefused) as error:
                        if not is_patient or not retries.may_pass(error):
                            raise
                        await retries.wait(error, backoff)
                    redirect_uri = ""  # its ticket may be used up, so a new code is shown
                await self._enter(ticket, retries)
        return self.account

    async def resume(self) -> Account:
        """
        Go on with the saved login, without asking the server.

        Raises:
            NotLoggedIn: No login is saved.
            InvalidLogin: It cannot be read.
            StorageError: The journal cannot be.
        """
        saved = self._store.load()
        if saved is None:
            raise NotLoggedIn("No login is saved here; log in first.")
        return await self._restore(saved)

    async def _restore(self, saved: SavedLogin) -> Account:
        self._cell.login = self._kept = saved.login
        self._resume_pending(saved)
        self._contacts = await self._kept_contacts()
        self._liveness.restored()
        if saved.ended is not None:
            self._liveness.ended(LoggedOut(saved.ended.text, reason=saved.ended.reason))
        return self.account

    async def _is_alive(self, saved: SavedLogin, retries: _Retries) -> bool:
        """Go on with a saved login if one request shows that it is alive."""
        try:
            await self._restore(saved)
            await retries.run(self.check)
        except LoggedOut:
            return False
        return True

    async def check(self) -> Account:
        """
        Ask the server whether the login is alive. Nothing is taken from what `events` yields, here or elsewhere.

        Raises:
            LoggedOut: It has ended.

        Wire: webwxinit

        """
        account = self.account
        try:
            await self._run(login_flows.open_session(self._login, self._cell.now()))
        except ApiError as error:
            if isinstance(error, LoggedOut) or error.ret != Ret.TICKET_ERROR:
                raise
            await self._run(login_flows.open_session(self._login, self._cell.now()))  # with a new key
        return account

    async def logout(self) -> None:
        """
        End the login here and on the server.

        Raises:
            NotLoggedIn: There is no login.
            StorageError: The login has ended, and the store does not let go of it.

        Wire: webwxlogout

        """
        try:
            await self._run(login_flows.log_out(self._login))
        except BaseException:
            try:
                self._leave()
            except StorageError as error:
                _log.warning("The saved login could not be deleted: %s", error)
            raise
        self._leave()

    def _leave(self) -> None:
        """Forget the login, here and in the store."""
        try:
            saved = self._store.load()
            if saved is not None and saved.login.credentials.sid == self._login.credentials.sid:
                self._store.clear()
        finally:
            self._forget()
            self._liveness.left()

    async def _wait_for_phone(self, display: _Display, retries: _Retries) -> str:
        """Show codes until one is confirmed; returns the redirect."""
        for _ in range(display.max_codes):
            uuid = await retries.run(lambda: self._run_login(login_flows.request_code(self._login, self._cell.now())))
            display.show_qr(QrCode(url=login_flows.code_url(self._login, uuid)))
            redirect_uri = await self._poll(uuid, display, retries)
            if redirect_uri:
                return redirect_uri
        raise LoginTimeout(f"No login code was confirmed; {display.max_codes} were shown.")

    async def _wait_for_push(
        self, earlier: Login, on_push: Callable[[], object], display: _Display, retries: _Retries
    ) -> str:
        """Let the phone of an earlier login confirm without a code; returns the redirect, empty when it does not."""
        if not earlier.profile.can_push or earlier.profile_name != self._login.profile_name:
            return ""
        uin = Credentials(uin=earlier.credentials.uin)
        self._cell.change(hosts=earlier.hosts, jar=earlier.jar, credentials=uin)
        try:
            uuid = await self._run_login(login_flows.request_push_ticket(self._login))
            if not uuid:
                return ""
            on_push()
            return await self._poll(uuid, display, retries)
        except (TransportError, ProtocolError, ApiError):
            return ""  # a code is the way that is always open
        finally:
            self._cell.change(hosts=self._blank.hosts, jar=self._blank.jar, credentials=self._blank.credentials)

    async def _poll(self, uuid: str, display: _Display, retries: _Retries) -> str:
        """Wait until the phone confirms; returns the redirect, empty when the code has expired or was refused."""
        tip = 1
        # A server that does not hold polls is not polled at full speed.
        backoff = Backoff(longest=_LONGEST_DISTANCE, jitter=0, sleep=partial(pause, clock=self._clock))

        def step() -> Awaitable[PollReply]:
            return self._run_login(login_flows.poll(self._login, uuid, tip, self._cell.now()))

        while True:
            begun = self._moment()
            reply = await retries.run(step, _POLL_RETRIES)
            match reply.code:
                case PollCode.CONFIRMED:
                    return reply.redirect_uri
                case PollCode.SCANNED if tip:
                    tip = 0
                    backoff.reset()
                    display.on_step("scanned")
                case PollCode.SCANNED | PollCode.WAITING:
                    if self._seconds_since(begun) >= HELD_FROM:
                        backoff.reset()
                    else:
                        await backoff.pause()
                case PollCode.CANCELLED:
                    display.on_step("cancelled")
                    return ""
                case _:
                    display.on_step("expired")
                    return ""

    async def _exchange(self, redirect_uri: str, retries: _Retries) -> login_flows.Ticket:
        """Exchange the ticket of a confirmed poll."""
        device_id = f"e{secrets.randbelow(10**15):015d}"
        return await retries.run(
            lambda: self._run_login(login_flows.exchange_ticket(self._login, redirect_uri, device_id, self._desktop)),
            _EXCHANGE_RETRIES,
            is_limited=True,
        )

    async def _enter(self, ticket: login_flows.Ticket, retries: _Retries) -> None:
        """Take the first snapshot of a session, and save it all."""
        self._cell.change(hosts=ticket.hosts, credentials=ticket.credentials, pass_ticket=ticket.pass_ticket)
        await self._open_session(retries)
        self._store.save(SavedLogin(login=self._login))
        self._kept = self._login
        if self._journal is not None:
            await self._find_position()
        self._keep_contacts()

    async def _open_session(self, retries: _Retries) -> None:
        """Take the first snapshot after the ticket exchange."""
        reply = await retries.run(lambda: self._run_login(login_flows.open_session(self._login, self._cell.now())))
        self._cell.change(
            credentials=msgspec.structs.replace(
                self._login.credentials,
                uin=reply.user.uin or self._login.credentials.uin,
                skey=reply.skey or self._login.credentials.skey,
            ),
            user_id=reply.user.user_name,
            nickname=plain_text(reply.user.nick_name),
            invite_start_count=reply.invite_start_count or self._login.invite_start_count,
            fetch_key=reply.sync_key,
            check_key=reply.sync_key,
        )
        for contact in contact_flows.read_contacts(reply.contact_list, self._login.user_id):
            self._contacts.merge(contact)
        for each in reply.chat_set.split(","):
            if is_chatroom(each) and each not in self._contacts:
                self._contacts.merge(Contact(id=ContactId(each), kind="chatroom"))
        if self._login.profile.has_contacts:
            await retries.run(lambda: self._run(message_flows.announce(self._login, self._cell.now())))
            await retries.run(self._fetch_contacts)
