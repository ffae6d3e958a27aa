"""Log in, go on with a saved login, ask whether it is alive, log out."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from typing import TYPE_CHECKING

import msgspec

from webwx.client.base import backoff
from webwx.client.position import PositionVerbs
from webwx.errors import (
    ApiError,
    InvalidLogin,
    LoggedOut,
    LoginTimeout,
    ProtocolError,
    StorageError,
    TransportError,
)
from webwx.flows import contacts as contact_flows
from webwx.flows import login as login_flows
from webwx.flows import messages as message_flows
from webwx.model.contacts import Contact, ContactId, is_chatroom
from webwx.model.login import Account, Login, QrCode
from webwx.model.text import plain_text
from webwx.protocol.codes import PollCode, Ret
from webwx.protocol.login import Credentials
from webwx.store.saved_login import SavedLogin

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger("webwx.client")

_POLL_FAILURES = 10
"""Polls in a row that may fail before a login gives up."""

_SCANNED_PAUSE = 0.5
"""Seconds until the next poll when a server tells of one scan again and again instead of holding the poll."""


def print_code(code: QrCode) -> None:
    """Draw a login code on the terminal's error stream, where it never mixes with results."""
    drawn = code.text(colors=sys.stderr.isatty())
    sys.stderr.write(f"{drawn}\nScan this with WeChat on your phone, then confirm there.\n")
    sys.stderr.flush()


class LoginVerbs(PositionVerbs):
    """The login of one account."""

    async def login(
        self,
        *,
        show_qr: Callable[[QrCode], object] = print_code,
        max_codes: int = 3,
        on_push: Callable[[], object] | None = None,
    ) -> Account:
        """
        Log in: go on with the saved login when it is alive, else show a code and wait for the phone.

        A saved login that is damaged is set aside.

        Args:
            show_qr: Called with each code; the default draws it on the terminal. `print` works as well.
            max_codes: Codes to show before giving up; each lives for about five minutes.
            on_push: Called when the phone was asked to confirm without a code, which a saved login that has ended
                makes possible; a code is shown when that leads to nothing. None: the phone is not asked.

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
        with self._liveness.logging_in():
            if saved is None or not await self._is_alive(saved):
                self._forget()
                login_flows.check_profile(self._login, self._desktop)
                self._store.prepare()
                redirect_uri = ""
                if saved is not None and on_push is not None:
                    redirect_uri = await self._wait_for_push(saved.login, on_push)
                await self._enter(redirect_uri or await self._wait_for_phone(show_qr, max_codes))
        return self.account

    async def resume(self) -> Account:
        """
        Go on with the saved login, without asking the server.

        Raises:
            LoggedOut: None is saved (reason `absent`).
            InvalidLogin: It cannot be read.
            StorageError: The journal cannot be.
        """
        saved = self._store.load()
        if saved is None:
            raise LoggedOut("No login is saved here; log in first.", reason="absent")
        return await self._restore(saved)

    async def _restore(self, saved: SavedLogin) -> Account:
        self._cell.login = self._kept = saved.login
        self._resume_pending(saved)
        self._contacts = await self._kept_contacts()
        self._liveness.restored()
        if saved.ended is not None:
            self._liveness.ended(LoggedOut(saved.ended.text, reason=saved.ended.reason))
        return self.account

    async def _is_alive(self, saved: SavedLogin) -> bool:
        """Go on with a saved login if one request shows that it is alive."""
        try:
            await self._restore(saved)
            await self.check()
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
            LoggedOut: Nobody is logged in.
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

    async def _wait_for_phone(self, show_qr: Callable[[QrCode], object], max_codes: int) -> str:
        """Show codes until one is confirmed; gives the redirect."""
        for _ in range(max_codes):
            uuid = await self._run_login(login_flows.request_code(self._login, self._cell.now()))
            show_qr(QrCode(url=login_flows.code_url(self._login, uuid)))
            redirect_uri = await self._poll(uuid)
            if redirect_uri:
                return redirect_uri
        raise LoginTimeout(f"No login code was confirmed; {max_codes} were shown.", endpoint="login")

    async def _wait_for_push(self, earlier: Login, on_push: Callable[[], object]) -> str:
        """Let the phone of an earlier login confirm without a code; gives the redirect, empty when it does not."""
        if not earlier.profile.can_push or earlier.profile_name != self._login.profile_name:
            return ""
        uin = Credentials(uin=earlier.credentials.uin)
        self._cell.change(hosts=earlier.hosts, jar=earlier.jar, credentials=uin)
        try:
            uuid = await self._run_login(login_flows.request_push_ticket(self._login))
            if not uuid:
                return ""
            on_push()
            return await self._poll(uuid)
        except (TransportError, ProtocolError, ApiError):
            return ""  # a code is the way that is always open
        finally:
            self._cell.change(hosts=self._blank.hosts, jar=self._blank.jar, credentials=self._blank.credentials)

    async def _poll(self, uuid: str) -> str:
        """Wait until somebody confirms; gives the redirect, empty when the code has expired or was refused."""
        tip, failures = 1, 0
        while True:
            try:
                reply = await self._run_login(login_flows.poll(self._login, uuid, tip, self._cell.now()))
            except TransportError:
                failures += 1
                if failures > _POLL_FAILURES:
                    raise
                await asyncio.sleep(backoff(failures))
                continue
            failures = 0
            match reply.code:
                case PollCode.CONFIRMED:
                    return reply.redirect_uri
                case PollCode.SCANNED if tip:
                    tip = 0
                case PollCode.SCANNED:
                    await asyncio.sleep(_SCANNED_PAUSE)
                case PollCode.WAITING:
                    pass
                case _:
                    return ""

    async def _enter(self, redirect_uri: str) -> None:
        """Exchange the ticket of a confirmed poll, take the first snapshot, and save it all."""
        device_id = f"e{secrets.randbelow(10**15):015d}"
        ticket = await self._run_login(login_flows.exchange_ticket(self._login, redirect_uri, device_id, self._desktop))
        self._cell.change(hosts=ticket.hosts, credentials=ticket.credentials, pass_ticket=ticket.pass_ticket)
        await self._open_session()
        self._store.save(SavedLogin(login=self._login))
        self._kept = self._login
        if self._journal is not None:
            await self._find_position()
        self._keep_contacts()

    async def _open_session(self) -> None:
        """Take the first snapshot after the ticket exchange."""
        reply = await self._run_login(login_flows.open_session(self._login, self._cell.now()))
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
            await self._run(message_flows.announce(self._login, self._cell.now()))
            await self._fetch_contacts()
