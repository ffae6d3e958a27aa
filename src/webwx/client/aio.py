"""
The client to await: verbs for one account.

Each verb drives a flow with what a flow may not have: the time, the next id, files, and the account's cell. Nothing is
sent before the arguments are known to be good, and no verb ever repeats a send.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import secrets
import sys
import time
from collections import OrderedDict, deque
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.errors import (
    ApiError,
    EmptyFile,
    LoggedOut,
    LoginTimeout,
    NoSuchFile,
    NotAPicture,
    NotForwardable,
    NotOnThisHost,
    ProtocolError,
    RecallExpired,
    RecallRefused,
    TooLarge,
    TransportError,
)
from webwx.flows import contacts as contact_flows
from webwx.flows import login as login_flows
from webwx.flows import media as media_flows
from webwx.flows import messages as message_flows
from webwx.flows import sync as sync_flows
from webwx.model.contacts import Contact, ContactId, Contacts, is_chatroom
from webwx.model.events import ContactChanged, ContactDeleted, Item, event_from_item
from webwx.model.login import Account, Login, QrCode
from webwx.model.messages import (
    Event,
    ImageMessage,
    Message,
    MessageRecalled,
    PhoneActivity,
    Receipt,
    TextMessage,
)
from webwx.model.text import plain_text
from webwx.protocol.codes import MAX_IMAGE, RECALL_WINDOW, PollCode
from webwx.protocol.hosts import choose
from webwx.protocol.media import image_type
from webwx.store.saved_login import Ended, LoginMemory, LoginStore, SavedLogin
from webwx.transport.run import Cell, Timeouts, Transport, run_async

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from types import TracebackType
    from typing import Self

    from webwx.flows.call import Flow
    from webwx.flows.sync import Batch

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

RECENT = 1_000
"""Messages kept in memory, so that a recall can show its original."""

SEEN = 10_000
"""Messages remembered, so that one delivered twice is handed out once."""

_CLOCK_TOLERANCE = 2.0
"""Seconds by which two clocks that both count whole seconds may disagree."""


def print_code(code: QrCode) -> None:
    """Draw a login code on the terminal's error stream, where it never mixes with results."""
    sys.stderr.write(f"{code}\nScan this with WeChat on your phone, then confirm there.\n")
    sys.stderr.flush()


class AsyncClient:
    """
    A client of one account.

    Args:
        host: Where to log in: `filehelper` (File Transfer Helper web, open to every account), `web`, or the name of an
            API host such as `wx2.qq.com`. Default: `filehelper`, or `web` when a server is given.
        server: Origin of a server that plays all hosts, such as a sandbox's `http://127.0.0.1:8790`.
        store: Where the login is kept; default: in memory.
        transport: What carries the requests; default: real HTTP.
        timeouts: How long to wait, for the default transport.
        clock: Seconds since 1970.

    Raises:
        NotOnThisHost: There is no such host, or the server is no address.
    """

    def __init__(
        self,
        *,
        host: str | None = None,
        server: str | None = None,
        store: LoginStore | None = None,
        transport: Transport | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - a frozen value
        clock: Callable[[], float] = time.time,
    ) -> None:
        profile, hosts = choose(host, server)
        self._blank = Login(profile_name=profile.name, server=server and hosts.main, hosts=hosts)
        self._cell = Cell(self._blank, clock)
        self._store = store or LoginMemory()
        self._given_transport = transport
        self._transport: Transport | None = transport
        self._timeouts = timeouts
        self._contacts = Contacts()
        self._pending: deque[Item] = deque()
        self._recent: OrderedDict[str, Message] = OrderedDict()
        self._seen: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._is_dirty = False
        """The login has changed since it was saved."""
        self._has_taken = False
        """Pending items have been handed out since they were saved."""
        self._has_more = False
        """The last batch said that more waits."""
        self._end: LoggedOut | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._cell.login!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Save what the store does not know yet, and let go of all connections. The login lives on."""
        try:
            self._save_session()
        finally:
            if self._transport is not None:
                await self._transport.close()
                self._transport = self._given_transport

    # -- login -------------------------------------------------------------------------------------------------------

    @property
    def account(self) -> Account:
        """
        Who is logged in.

        Raises:
            LoggedOut: Nobody.
        """
        return self._cell.login.account

    async def login(self, *, show_qr: Callable[[QrCode], object] = print_code, max_codes: int = 3) -> Account:
        """
        Log in: go on with the saved login when it is alive, else show a code and wait for the phone.

        Args:
            show_qr: Called with each code; the default draws it on the terminal. `print` works as well.
            max_codes: Codes to show before giving up; each lives for about five minutes.

        Raises:
            LoginTimeout: No code was confirmed.
            LoginRefused: The account may not use this host; the text has the platform's words.
            UnsafeRedirect: The login was sent on to a host that is none of the platform's.

        Wire: jslogin, login, webwxnewloginpage, webwxinit, webwxstatusnotify, webwxgetcontact, webwxbatchgetcontact

        """
        if self._store.load() is not None:
            try:
                await self.resume()
                return await self.check()
            except LoggedOut:
                pass  # the saved one has ended: on to a new one
        self._forget()
        redirect_uri = await self._wait_for_phone(show_qr, max_codes)
        device_id = f"e{secrets.randbelow(10**15):015d}"
        ticket = await self._run_login(login_flows.exchange_ticket(self._login, redirect_uri, device_id))
        self._cell.change(hosts=ticket.hosts, credentials=ticket.credentials, pass_ticket=ticket.pass_ticket)
        await self._open_session()
        self._store.save(SavedLogin(login=self._login))
        return self.account

    async def resume(self) -> Account:
        """
        Go on with the saved login, without asking the server.

        Raises:
            LoggedOut: None is saved (reason `absent`).
            InvalidLogin: It cannot be read.
        """
        saved = self._store.load()
        if saved is None:
            raise LoggedOut("No login is saved here; log in first.", reason="absent")
        self._cell.login = saved.login
        self._pending = deque(saved.pending)
        self._contacts = Contacts(self._store.load_contacts())
        if saved.ended is not None:
            self._end = LoggedOut(saved.ended.text, reason=saved.ended.reason)
        return self.account

    async def check(self) -> Account:
        """
        Ask the server whether the login is alive; nothing is taken from it.

        Raises:
            LoggedOut: It has ended.

        Wire: webwxsync

        """
        account = self.account
        await self._run(sync_flows.fetch(self._login, self._cell.now()))
        return account

    async def logout(self) -> None:
        """
        End the login here and on the server.

        Raises:
            LoggedOut: Nobody is logged in.

        Wire: webwxlogout

        """
        try:
            await self._run(login_flows.log_out(self._login))
        finally:
            saved = self._store.load()
            if saved is not None and saved.login.credentials.sid == self._login.credentials.sid:
                self._store.clear()
            self._forget()

    # -- contacts ----------------------------------------------------------------------------------------------------

    @property
    def contacts(self) -> Contacts:
        """Everybody known in this login: found by id at once, by name through an index."""
        return self._contacts

    async def list_contacts(self) -> list[Contact]:
        """
        Fetch all contacts again, chatrooms with their members.

        Raises:
            NotOnThisHost: File Transfer Helper has none.
            LoggedOut: The login ended.

        Wire: webwxgetcontact, webwxbatchgetcontact

        """
        self._require_contacts("contacts")
        login = self._login
        known = [contact.id for contact in self._contacts if contact.kind == "chatroom"]
        listed = await self._run(contact_flows.list_contacts(login, self._cell.now()))
        chatrooms = list(dict.fromkeys([*known, *(c.id for c in listed if c.kind == "chatroom")]))
        detailed = await self._run(contact_flows.get_contacts(login, chatrooms, self._cell.now()))
        self._contacts = Contacts([*listed, *detailed])
        self._store.save_contacts(list(self._contacts))
        return list(self._contacts)

    # -- the four actions, and what goes with them -------------------------------------------------------------------

    async def send_text(self, to: Contact | str, text: str) -> Receipt:
        """
        Send a text.

        Args:
            to: A contact, `filehelper`, a remark, a nickname, or an id of this login.
            text: Sent as it is: nothing in it is a command, a path or markup. At most 16,000 characters.

        Raises:
            UnknownContact: Nobody of that name, or several; nothing was sent.
            EmptyText: No character; nothing was sent.
            TextTooLong: Beyond the limit; nothing was sent.
            TargetRefused: Not a friend, or oneself.
            RateLimited: Too many sends.
            SendUnknown: The answer was lost: it may have been sent, and is never repeated for you.
            LoggedOut: The login ended; nothing was sent.

        Wire: webwxsendmsg

        """
        chat = self._target(to)
        message_flows.check_text(text)
        client_id = self._next_client_id()
        message_id = await self._run(message_flows.send_text(self._login, chat, text, client_id))
        return self._receipt(message_id, client_id, chat)

    async def send_image(self, to: Contact | str, image: str | os.PathLike[str] | bytes, *, name: str = "") -> Receipt:
        """
        Send a picture: JPEG, PNG or BMP.

        Args:
            to: As for `send_text`.
            image: A path, or the picture's bytes.
            name: The file's name; default: the path's.

        Raises:
            NoSuchFile: The path names no readable file; nothing was sent.
            EmptyFile: It has no bytes; nothing was sent.
            TooLarge: More than 20 MiB; nothing was sent.
            NotAPicture: It is none of these kinds; nothing was sent.
            UnknownContact: Nobody of that name, or several; nothing was sent.
            SendUnknown: An answer was lost: it may have been sent, and is never repeated for you.

        Wire: webwxuploadmedia, webwxsendmsgimg

        """
        chat = self._target(to)
        file = await asyncio.to_thread(_prepare_image, image, name)
        now = self._cell.now()
        login = self._login
        ticket = login.jar.value("webwx_data_ticket", login.hosts.file, now)
        media_id = await self._run(media_flows.upload(login, file, chat, self._cell.next_media_id(), ticket))
        client_id = self._next_client_id()
        message_id = await self._run(message_flows.send_image(self._login, chat, media_id, client_id))
        return self._receipt(message_id, client_id, chat)

    async def reply(self, message: Message, text: str) -> Receipt:
        """
        Send a text into the chat of a message.

        Raises: As `send_text`.

        Wire: webwxsendmsg

        """
        return await self.send_text(message.chat, text)

    async def mark_read(self, chat: Contact | str) -> None:
        """
        Mark a whole chat as read: its badge goes on the account's other devices. The other side learns nothing.

        Raises:
            UnknownContact: Nobody of that name, or several; nothing was sent.
            LoggedOut: The login ended.

        Wire: webwxstatusnotify (code 1)

        """
        await self._run(message_flows.mark_read(self._login, self._target(chat), self._cell.now()))

    async def recall(self, receipt: Receipt) -> None:
        """
        Take back a message this account sent.

        The other side sees a notice that something was recalled, not what it said. The platform allows this for two
        minutes; ask `receipt.can_recall(now)` first if you would rather not catch an exception.

        Args:
            receipt: What `send_…`, `reply` or `forward` returned, here or in another process.

        Raises:
            RecallExpired: The two minutes are over. The message stays.
            RecallRefused: It is not this account's message, or nobody knows it. The message stays.
            SendUnknown: The answer was lost.
            LoggedOut: The login ended.

        Wire: webwxrevokemsg

        """
        self._require_login()
        if self._cell.now() - receipt.time > RECALL_WINDOW + _CLOCK_TOLERANCE:
            raise RecallExpired("The message is older than two minutes and can no longer be recalled; it stays.")
        try:
            await self._run(message_flows.recall(self._login, receipt))
        except RecallRefused as error:
            if self._cell.now() - receipt.time < RECALL_WINDOW - _CLOCK_TOLERANCE:
                raise
            raise RecallExpired(
                "The message is older than two minutes and can no longer be recalled; it stays.",
                endpoint=error.endpoint, ret=error.ret, message=error.message,
            ) from None  # fmt: skip

    async def forward(self, message: Event, to: Contact | str) -> Receipt:
        """
        Send a received message on. A picture goes by the keys in its content, recalled or not, without an upload.

        Args:
            message: A text or a picture; or a recall notice whose original is still known.
            to: As for `send_text`.

        Raises:
            NotForwardable: Another kind of message, or a picture that came without keys; nothing was sent.
            UnknownContact: Nobody of that name, or several; nothing was sent.
            ApiError: The platform has the picture no longer.
            SendUnknown: The answer was lost: it may have been sent, and is never repeated for you.

        Wire: webwxsendmsgimg, webwxsendmsg

        """
        chat = self._target(to)
        if isinstance(message, MessageRecalled) and message.original is not None:
            message = message.original
        client_id = self._next_client_id()
        match message:
            case ImageMessage():
                flow = message_flows.forward_image(self._login, chat, message.forward_content, client_id)
            case TextMessage():
                flow = message_flows.forward_text(self._login, chat, message.text, client_id)
            case _:
                raise NotForwardable(
                    f"A {type(message).__name__} cannot be forwarded; texts and pictures can, "
                    "and a recalled one as long as its original is known."
                )
        return self._receipt(await self._run(flow), client_id, chat)

    async def download(self, message: ImageMessage | Receipt | str) -> bytes:
        """
        Download the picture of a message.

        Args:
            message: A received picture, the receipt of a sent one, or a message id.

        Raises:
            MediaUnavailable: Recalled, expired, not there yet, or no picture.
            LoggedOut: The login ended.

        Wire: webwxgetmsgimg

        """
        message_id = message if isinstance(message, str) else message.message_id
        return await self._run(media_flows.download_image(self._login, message_id))

    # -- sync --------------------------------------------------------------------------------------------------------

    async def events(self, *, include_all: bool = True) -> AsyncGenerator[Event, None]:
        """
        Yield what happens, for ever: messages, recalls, changes of contacts, activity of the phone.

        A batch is saved together with the position it leads to, before its first event is yielded; what was not yielded
        when you stop is yielded first the next time, also in another process with the same store. After a crash the
        events of one batch may come again.

        The network may come and go: polls and fetches are repeated, slower each time, until the login ends.

        Args:
            include_all: False leaves out activity of the phone and changes of contacts.

        Raises:
            LoggedOut: The login ended.
            AlreadyRunning: Another process, or another part of this one, is syncing this login.

        Wire: synccheck, webwxsync

        """
        self.account  # noqa: B018 - raises when nobody is logged in
        for _ in range(2):
            await asyncio.sleep(0)  # one that was left by `break` ends within two turns
        with self._store.syncing():
            self._take_up_position()
            try:
                while True:
                    while self._pending:
                        self._is_dirty = self._has_taken = True
                        event = self._take(self._pending.popleft())
                        if event is not None and (include_all or not isinstance(event, _QUIET)):
                            yield event
                    await self._next_batch()
            finally:
                self._save_session()

    def _take_up_position(self) -> None:
        """Begin where the last one that synced this login has stopped; it may have been another process."""
        saved = self._store.load()
        if saved is not None and saved.login.credentials.sid == self._login.credentials.sid:
            self._cell.change(fetch_key=saved.login.fetch_key, check_key=saved.login.check_key)
            self._pending = deque(saved.pending)

    async def _next_batch(self) -> None:
        """Wait for a batch that brings something and take it over, keys and items in one save."""
        empty = failures = 0
        while not self._pending:
            try:
                if not self._has_more and not await self._run(sync_flows.check(self._login, self._cell.now())):
                    empty = failures = 0
                    continue
                batch = await self._run(sync_flows.fetch(self._login, self._cell.now()))
            except (LoggedOut, NotOnThisHost):
                raise
            except (TransportError, ProtocolError, ApiError):
                failures += 1
                await asyncio.sleep(_backoff(failures))
                continue
            failures = 0
            self._has_more = batch.has_more
            self._take_over(batch)
            # A server that announces what it does not deliver must not be asked at full speed (protocol notes, sync 4).
            empty = 0 if batch.items else empty + 1
            if empty > 1:
                await asyncio.sleep(min(30.0, 2.0 ** (empty - 2)))

    def _take_over(self, batch: Batch) -> None:
        self._pending.extend(batch.items)
        changes: dict[str, object] = {"fetch_key": batch.fetch_key, "check_key": batch.check_key}
        if batch.skey:
            changes["credentials"] = msgspec.structs.replace(self._login.credentials, skey=batch.skey)
        self._cell.change(**changes)
        pending = tuple(self._pending)
        self._update(lambda saved: SavedLogin(login=self._merged(saved.login, keys=True), pending=pending))
        self._is_dirty = self._has_taken = False

    def _take(self, item: Item) -> Event | None:
        """Look at an item: its event, or None when it was handed out before."""
        event = event_from_item(item, self._login.user_id)
        match event:
            case ContactChanged(contact=contact):
                return ContactChanged(contact=self._contacts.merge(contact))
            case ContactDeleted(id=gone):
                self._contacts.remove(gone)
            case MessageRecalled(message_id=gone):
                if self._has_seen(event):
                    return None
                return msgspec.structs.replace(event, original=self._recent.get(gone))
            case Message():
                if self._has_seen(event):
                    return None
                _remember(self._recent, event.message_id, event, RECENT)
                self._meet(event.chat)
        return event

    def _has_seen(self, event: Message | MessageRecalled) -> bool:
        """Say whether an event was handed out before, and remember it. Its id alone does not tell: ids have met."""
        key = (event.message_id, hash((type(event), event.chat, event.time, event.content)))
        if key in self._seen:
            return True
        _remember(self._seen, key, None, SEEN)
        return False

    def _meet(self, chat: ContactId) -> None:
        """Learn of a chat by what is said there: not every chatroom is in the list, and it can be answered."""
        if self._contacts.get(chat) is None:
            self._contacts.merge(Contact(id=chat, kind="chatroom" if is_chatroom(chat) else "stranger"))

    # -- inside ------------------------------------------------------------------------------------------------------

    @property
    def _login(self) -> Login:
        return self._cell.login

    async def _run_login(self, flow: Flow[T]) -> T:
        """Drive a flow that needs no login."""
        if self._transport is None:
            from webwx.transport.network import Network

            self._transport = Network(self._timeouts)
        return await run_async(flow, self._transport, self._cell)

    async def _run(self, flow: Flow[T]) -> T:
        """Drive a flow of the logged-in account; an end of the login is remembered and not asked for twice."""
        self._require_login()
        self._is_dirty = True
        try:
            return await self._run_login(flow)
        except LoggedOut as end:
            self._end = end
            ended = Ended(reason=end.reason, text=str(end))
            self._update(lambda saved: msgspec.structs.replace(saved, ended=ended))
            raise

    def _require_login(self) -> None:
        self.account  # noqa: B018 - raises when nobody is logged in
        if self._end is not None:
            raise LoggedOut(str(self._end), reason=self._end.reason, endpoint=self._end.endpoint, ret=self._end.ret)

    async def _wait_for_phone(self, show_qr: Callable[[QrCode], object], max_codes: int) -> str:
        """Show codes until one is confirmed; gives the redirect."""
        for _ in range(max_codes):
            uuid = await self._run_login(login_flows.request_code(self._login, self._cell.now()))
            show_qr(QrCode(url=login_flows.code_url(self._login, uuid)))
            tip, failures = 1, 0
            while True:
                try:
                    reply = await self._run_login(login_flows.poll(self._login, uuid, tip, self._cell.now()))
                except TransportError:
                    failures += 1
                    if failures > _POLL_FAILURES:
                        raise
                    await asyncio.sleep(_backoff(failures))
                    continue
                failures = 0
                match reply.code:
                    case PollCode.CONFIRMED:
                        return reply.redirect_uri
                    case PollCode.SCANNED | PollCode.WAITING:
                        tip = 0 if reply.code == PollCode.SCANNED else tip
                    case _:
                        break  # expired, cancelled or broken: a new code
        raise LoginTimeout(f"No login code was confirmed; {max_codes} were shown.", endpoint="login")

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
            fetch_key=reply.sync_key,
            check_key=reply.sync_key,
        )
        if not reply.user.user_name:
            raise ProtocolError("webwxinit: the answer does not say who is logged in.")
        for contact in contact_flows.read_contacts(reply.contact_list, self._login.user_id):
            self._contacts.merge(contact)
        for each in reply.chat_set.split(","):
            if is_chatroom(each) and self._contacts.get(each) is None:
                self._contacts.merge(Contact(id=ContactId(each), kind="chatroom"))
        if self._login.profile.has_contacts:
            await self._run(message_flows.announce(self._login, self._cell.now()))
            await self.list_contacts()

    def _target(self, to: Contact | str) -> ContactId:
        self._require_login()
        return self._contacts.resolve(to).id

    def _require_contacts(self, what: str) -> None:
        if not self._login.profile.has_contacts:
            raise NotOnThisHost(
                f"File Transfer Helper web has no {what}; log in with host 'web', where the account may use it."
            )

    def _next_client_id(self) -> str:
        return self._cell.next_client_id()

    def _receipt(self, message_id: str, client_id: str, chat: ContactId) -> Receipt:
        return Receipt(message_id=message_id, client_id=client_id, chat=chat, time=self._cell.now())

    def _update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        """Change what is saved of this login; nothing happens when somebody has logged in anew meanwhile."""
        sid = self._login.credentials.sid
        self._store.update(lambda saved: change(saved) if saved.login.credentials.sid == sid else saved)

    def _merged(self, saved: Login, *, keys: bool) -> Login:
        """Our part of the login over what is saved now; another process may have saved its own part."""
        login = self._login
        return msgspec.structs.replace(
            login,
            last_client_id=max(saved.last_client_id, login.last_client_id),
            fetch_key=login.fetch_key if keys else saved.fetch_key,
            check_key=login.check_key if keys else saved.check_key,
        )

    def _save_session(self) -> None:
        if not self._is_dirty or not self._login.user_id:
            return
        pending, has_taken = tuple(self._pending), self._has_taken
        self._update(
            lambda saved: msgspec.structs.replace(
                saved,
                login=self._merged(saved.login, keys=False),
                # Whoever has only sent must not bring back what another process has handed out meanwhile.
                pending=pending if has_taken and saved.login.fetch_key == self._login.fetch_key else saved.pending,
            )
        )
        self._is_dirty = self._has_taken = False

    def _forget(self) -> None:
        self._cell.login = self._blank
        self._contacts = Contacts()
        self._pending.clear()
        self._is_dirty = self._has_taken = self._has_more = False
        self._end = None


_QUIET = (PhoneActivity, ContactChanged, ContactDeleted)
"""Events that are no messages."""

_POLL_FAILURES = 10
"""Polls in a row that may fail before a login gives up."""


def _backoff(failures: int) -> float:
    """Seconds before the next try: from half a second to thirty, spread so that many clients do not come at once."""
    return min(30.0, 0.5 * 2.0 ** (failures - 1)) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret


def _remember(kept: OrderedDict[K, V], key: K, value: V, limit: int) -> None:
    kept[key] = value
    if len(kept) > limit:
        kept.popitem(last=False)


def _prepare_image(image: str | os.PathLike[str] | bytes, name: str) -> media_flows.Upload:
    """Look at a picture before anything is sent: is it there, is it one, how large, which digest."""
    source: str | bytes
    if isinstance(image, bytes):
        source, content = image, image
    else:
        path = Path(image)
        try:
            size = path.stat().st_size
            content = path.read_bytes() if path.is_file() and size <= MAX_IMAGE else b""
        except OSError as error:
            raise NoSuchFile(f"The file {path} cannot be read: {error.strerror}.") from None
        if not path.is_file():
            raise NoSuchFile(f"{path} is no file.")
        if size > MAX_IMAGE:
            raise TooLarge(f"The picture {path} has {size:,} bytes; at most {MAX_IMAGE:,} can be sent.")
        source, name = str(path), name or path.name
    if not content:
        raise EmptyFile("The picture has no bytes.")
    if len(content) > MAX_IMAGE:
        raise TooLarge(f"The picture has {len(content):,} bytes; at most {MAX_IMAGE:,} can be sent.")
    kind = image_type(content)
    if kind not in _SENDABLE:
        raise NotAPicture("This is no picture that can be sent: JPEG, PNG and BMP can.")
    return media_flows.Upload(
        source=source,
        name=name or f"picture.{_SENDABLE[kind]}",
        size=len(content),
        md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        content_type=kind,
        kind="pic",
        modified=time.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (UTC)", time.gmtime()),
    )


_SENDABLE = {"image/jpeg": "jpg", "image/png": "png", "image/bmp": "bmp"}
"""Pictures the picture call takes. A GIF would lose all but its first frame there."""
