"""Log in, continue with a saved login, check whether it is alive, log out."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from webwx.client.poll_interval import HELD_FROM
from webwx.client.retry import Backoff
from webwx.client.suspend import pause
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

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession
    from webwx.client.people.contact_book import ContactBook
    from webwx.client.people.contacts import ContactDirectory
    from webwx.client.sync.sync_cursor import SyncCursor
    from webwx.protocol.hosts import Desktop
    from webwx.protocol.login import PollReply
    from webwx.storage.saved_login import SavedLogin

_log = logging.getLogger("webwx.client")

T = TypeVar("T")

LoginStep = Literal["scanned", "cancelled", "expired"]
"""A step of a login that the server reports while a code is shown."""

_RETRIES = 4
"""Number of times that a step of a login is repeated after temporary failures in a row, within about eight seconds."""

_POLL_RETRIES = 10
"""Number of times that a poll is repeated; more, because the user may be busy with the phone."""

_EXCHANGE_RETRIES = 2
"""Number of times that the ticket exchange is repeated; few, because a successful exchange invalidates the ticket."""

_LONGEST_DISTANCE = 8.0
"""Maximum seconds between two polls that are answered at once without a result."""


def print_code(code: QrCode) -> None:
    """Draw a login code on the standard error stream, so that it does not mix with results."""
    drawn = code.text(colors=sys.stderr.isatty())
    sys.stderr.write(f"{drawn}\nScan this with WeChat on your phone, then confirm there.\n")
    sys.stderr.flush()


class _Retries:
    """
    Repeats the steps of one login after temporary failures.

    Args:
        session: The session of the account that logs in.
        is_endless: Whether to repeat without limit, also before the first connection succeeds.
    """

    def __init__(self, session: ClientSession, *, is_endless: bool) -> None:
        self.is_endless = is_endless
        self._session = session
        self._is_answered = False

    async def run(self, step: Callable[[], Awaitable[T]], retries: int = _RETRIES, *, is_limited: bool = False) -> T:
        """
        Run a step until it succeeds.

        Args:
            step: Runs the step once.
            retries: Number of repetitions, unless `is_endless`.
            is_limited: Whether `retries` applies even if `is_endless` is set.

        Raises:
            TransportError, ProtocolError, ApiError: The failure is permanent, or no repetition succeeded.
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
        """Return whether a failure can be temporary; before the first response the address may be wrong."""
        match error:
            case UnsafeRedirect() | LoggedOut():
                return False
            case LoginRefused():
                return error.ret != Ret.LOGIN_REFUSED  # any other: the ticket may be used up, as after a lost answer
            case ConnectFailed() | TlsError():
                return self.is_endless or (self._is_answered and not isinstance(error, TlsError))
            case _:
                return True

    def backoff(self) -> Backoff:
        """Return the delays between the attempts at one step."""
        return Backoff(sleep=partial(pause, clock=self._session.clock))

    async def wait(self, error: TransportError | ProtocolError | ApiError, backoff: Backoff) -> None:
        """Report the first failure of this login, and wait until the next attempt."""
        is_too_often = isinstance(error, RateLimited) or (
            isinstance(error, LoginRefused) and error.ret == Ret.TOO_FREQUENT
        )
        self._session.liveness.delayed(error)
        await backoff.pause(skipped=3 if is_too_often else 0)


class _Display:
    """
    The display of a login's codes and their progress.

    Args:
        show_qr: Called with each code.
        max_codes: Number of codes to show.
        on_step: Called with each step that the server reports.
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


class AccountLogin:
    """
    Logs one account in and out.

    Args:
        session: The account's session.
        storage: The account's storage.
        book: The contacts of the present login.
        directory: Fetches contacts.
        cursor: Finds the account's place in the journal.
        desktop: Values for a login at host `desktop`.
        forget: Drops everything that the client knows of a login.
    """

    def __init__(
        self,
        session: ClientSession,
        storage: AccountStorage,
        book: ContactBook,
        directory: ContactDirectory,
        cursor: SyncCursor,
        desktop: Desktop | None,
        forget: Callable[[], None],
    ) -> None:
        self._session = session
        self._storage = storage
        self._book = book
        self._directory = directory
        self._cursor = cursor
        self._desktop = desktop
        self._forget = forget
        self._is_logging_in = False
        self._restoring = asyncio.Lock()

    async def login(
        self,
        *,
        show_qr: Callable[[QrCode], object] = print_code,
        max_codes: int = 3,
        on_push: Callable[[], object] | None = None,
        on_step: Callable[[LoginStep], object] | None = None,
        is_patient: bool = False,
    ) -> Account:
        self._is_logging_in = True
        try:
            return await self._login(show_qr, max_codes, on_push, on_step, is_patient)
        finally:
            self._is_logging_in = False

    async def _login(
        self,
        show_qr: Callable[[QrCode], object],
        max_codes: int,
        on_push: Callable[[], object] | None,
        on_step: Callable[[LoginStep], object] | None,
        is_patient: bool,
    ) -> Account:
        try:
            saved = await self._session.store.load()
        except InvalidLogin:
            saved = await self._session.store.load()  # None if the file was damaged
        retries = _Retries(self._session, is_endless=is_patient)
        with self._session.liveness.logging_in():
            if saved is None or not await self._is_alive(saved, retries):
                self._forget()
                login_flows.check_profile(self._session.login, self._desktop)
                await self._session.store.prepare()
                display = _Display(show_qr, max_codes, on_step)
                redirect_uri = ""
                if saved is not None and on_push is not None:
                    redirect_uri = await self._wait_for_push(saved.login, on_push, display, retries)
                backoff = retries.backoff()
                while True:
                    redirect_uri = redirect_uri or await self._wait_for_phone(display, retries)
                    try:
                        ticket = await self._exchange(redirect_uri, retries)
                        await self._enter(ticket, retries)
                        break
                    except (TransportError, ProtocolError, LoginRefused, LoggedOut) as error:
                        is_over = isinstance(error, LoggedOut)  # such as by another login at the same time
                        if not is_patient or not (is_over or retries.may_pass(error)):
                            raise
                        if is_over:
                            self._forget()
                        await retries.wait(error, backoff)
                    redirect_uri = ""  # its ticket may be used up, so a new code is shown
        return self._session.login.account

    async def resume(self) -> Account:
        saved = await self._session.store.load()
        if saved is None:
            raise NotLoggedIn("No login is saved here; log in first.")
        if self._is_logging_in:  # the saved login is the one that is being replaced
            raise NotLoggedIn("A login is in progress; wait until it ends.")
        return await self._restore(saved)

    async def _restore(self, saved: SavedLogin) -> Account:
        async with self._restoring:  # a login must not begin while the saved login is half restored
            self._session.resume(saved)
            await self._book.load()
            end = saved.ended
            self._session.liveness.restored(None if end is None else LoggedOut(end.text, reason=end.reason))
        return self._session.login.account

    async def _is_alive(self, saved: SavedLogin, retries: _Retries) -> bool:
        """Continue with a saved login if one request shows that it is alive; return whether it is."""
        try:
            await self._restore(saved)
            await retries.run(self.check)
        except LoggedOut:
            return False
        return True

    async def check(self) -> Account:
        """Ask the server whether the login is alive. No event is consumed."""
        account = self._session.login.account
        try:
            await self._session.run(login_flows.open_session(self._session.login, self._session.now()))
        except ApiError as error:
            if isinstance(error, LoggedOut) or error.ret != Ret.TICKET_ERROR:
                raise
            await self._session.run(
                login_flows.open_session(self._session.login, self._session.now())
            )  # with a new key
        return account

    async def logout(self) -> None:
        try:
            await self._session.run(login_flows.log_out(self._session.login))
        except BaseException:
            try:
                await self._leave()
            except StorageError as error:
                _log.warning("The saved login could not be deleted: %s", error)
            raise
        await self._leave()

    async def _leave(self) -> None:
        """Delete the login from memory and from the store."""
        try:
            await self._session.delete_saved()
        finally:
            self._forget()
            self._session.liveness.left()

    async def _wait_for_phone(self, display: _Display, retries: _Retries) -> str:
        """Show codes until one is confirmed; return the redirect."""
        for _ in range(display.max_codes):
            uuid = await retries.run(
                lambda: self._session.run_login(login_flows.request_code(self._session.login, self._session.now()))
            )
            display.show_qr(QrCode(url=login_flows.code_url(self._session.login, uuid)))
            redirect_uri = await self._poll(uuid, display, retries)
            if redirect_uri:
                return redirect_uri
        raise LoginTimeout(f"No login code was confirmed; {display.max_codes} were shown.")

    async def _wait_for_push(
        self, earlier: Login, on_push: Callable[[], object], display: _Display, retries: _Retries
    ) -> str:
        """Ask the phone of an earlier login to confirm without a code; return the redirect, or an empty text."""
        if not earlier.profile.can_push or earlier.profile_name != self._session.login.profile_name:
            return ""
        uin = Credentials(uin=earlier.credentials.uin)
        self._session.change(hosts=earlier.hosts, jar=earlier.jar, credentials=uin)
        try:
            uuid = await self._session.run_login(login_flows.request_push_ticket(self._session.login))
            if not uuid:
                return ""
            on_push()
            return await self._poll(uuid, display, retries)
        except (TransportError, ProtocolError, ApiError):
            return ""  # show a code instead, which always works
        finally:
            blank = self._session.blank
            self._session.change(hosts=blank.hosts, jar=blank.jar, credentials=blank.credentials)

    async def _poll(self, uuid: str, display: _Display, retries: _Retries) -> str:
        """Wait until the phone confirms; return the redirect, empty if the code has expired or was refused."""
        tip = 1
        # Delays for a server that answers polls at once.
        backoff = Backoff(longest=_LONGEST_DISTANCE, jitter=0, sleep=partial(pause, clock=self._session.clock))

        def step() -> Awaitable[PollReply]:
            return self._session.run_login(login_flows.poll(self._session.login, uuid, tip, self._session.now()))

        while True:
            begun = self._session.moment()
            reply = await retries.run(step, _POLL_RETRIES)
            match reply.code:
                case PollCode.CONFIRMED:
                    return reply.redirect_uri
                case PollCode.SCANNED if tip:
                    tip = 0
                    backoff.reset()
                    display.on_step("scanned")
                case PollCode.SCANNED | PollCode.WAITING:
                    if self._session.seconds_since(begun) >= HELD_FROM:
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
            lambda: self._session.run_login(
                login_flows.exchange_ticket(self._session.login, redirect_uri, device_id, self._desktop)
            ),
            _EXCHANGE_RETRIES,
            is_limited=True,
        )

    async def _enter(self, ticket: login_flows.Ticket, retries: _Retries) -> None:
        """Open the session of a new login, fetch its first snapshot, and save everything."""
        self._session.change(hosts=ticket.hosts, credentials=ticket.credentials, pass_ticket=ticket.pass_ticket)
        await self._open_session(retries)
        await self._session.save_new()
        if self._storage.has_journal:
            await self._cursor.begin()
        await self._book.save_beside_login()

    async def _open_session(self, retries: _Retries) -> None:
        """Fetch the first snapshot after the ticket exchange."""
        reply = await retries.run(
            lambda: self._session.run_login(login_flows.open_session(self._session.login, self._session.now()))
        )
        self._session.change(
            credentials=msgspec.structs.replace(
                self._session.login.credentials,
                uin=reply.user.uin or self._session.login.credentials.uin,
                skey=reply.skey or self._session.login.credentials.skey,
            ),
            user_id=reply.user.user_name,
            nickname=plain_text(reply.user.nick_name),
            invite_start_count=reply.invite_start_count or self._session.login.invite_start_count,
            fetch_key=reply.sync_key,
            check_key=reply.sync_key,
        )
        account = self._session.login.account
        for contact in contact_flows.read_contacts(reply.contact_list, account.id, account.uin):
            self._book.contacts.merge(contact)
        for each in reply.chat_set.split(","):
            if is_chatroom(each) and each not in self._book.contacts:
                self._book.contacts.merge(Contact(id=ContactId(each), kind="chatroom"))
        if self._session.login.profile.has_contacts:
            await retries.run(
                lambda: self._session.run(message_flows.announce(self._session.login, self._session.now()))
            )
            await retries.run(self._directory.fetch_all)
