"""
The asynchronous client: a facade over the components of one account.

Each component runs flows and passes them what a flow may not read itself: the time, new ids, files, and the account's
session. The arguments are checked before anything is sent, and no method repeats a send on its own.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from webwx.client.components import local_components
from webwx.client.login.login import print_code
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Callable, Iterable
    from pathlib import Path
    from types import TracebackType
    from typing import Literal, Self

    from webwx.client.login.login import LoginStep
    from webwx.client.login.measurement import AccountMeasurement
    from webwx.client.people.identities import To
    from webwx.client.reading.dead_letters import DeadLetter
    from webwx.client.reading.message_page import MessagePage
    from webwx.client.reading.recalled import Recalled
    from webwx.client.reading.stream import EventStream
    from webwx.client.reading.subscription import Subscription
    from webwx.client.sending.files import Source
    from webwx.client.sending.media import Progress
    from webwx.client.sending.rate_limit import RateLimit, RateLimitState, WaitReason
    from webwx.client.state import LoginState, StateChange
    from webwx.errors import LoggedOut
    from webwx.model.address_book import Contacts
    from webwx.model.archive import Keep
    from webwx.model.contacts import Admission, Contact, Lookup, Member
    from webwx.model.identities import Identity, Link
    from webwx.model.login import Account, QrCode
    from webwx.model.messages import Event, FriendRequest, Message, MessageRecalled, Person, Receipt
    from webwx.model.publications import Publication
    from webwx.protocol.hosts import Desktop
    from webwx.storage.base import Journal
    from webwx.storage.saved_login import LoginStore
    from webwx.storage.tables.consumers import ConsumerPosition
    from webwx.storage.tables.outbox import Outgoing, State
    from webwx.transport.runner import Transport


class AsyncClient:
    """
    A client of one account.

    Args:
        host: Where to log in: `filehelper` (File Transfer Helper web, open to every account), `web`, `desktop`, or the
            name of an API host such as `wx2.qq.com`. Default: `filehelper`, or `web` when a server is given.
        server: Origin of a server that plays all hosts, such as a sandbox's `http://127.0.0.1:8790`.
        store: Storage of the login; default: in memory.
        transport: Sends the requests; default: HTTP.
        timeouts: Time limits and delays of the default transport.
        clock: Returns seconds since 1970.
        proxy: Address of a proxy for the default transport; proxies of the environment are not used.
        ca_file: Certificates for the default transport to trust in place of the system's.
        allowed_hosts: API hosts to which a login may be redirected beside the platform's own, such as `wx9.qq.com`.
        desktop: Values for a login at host `desktop`; not used elsewhere.
        on_logged_out: Called once with the reason when the platform ends the login; it must not call methods of the
            client.
        on_state: Called with each change of `state`, and when a login is retried; it must not call methods of the
            client. Default: the change is logged.
        journal: Stores received events and sends: the path of a file, which this client opens and closes, or a journal,
            which any number of clients can share and which its owner closes after them.
        keep: Which media are archived beside the journal as they arrive, because of recalls; default: none.
        dedupe_by_client_id: Repeat a send whose answer was lost, up to three times with the same client id. Only for a
            server that is known to deliver such a repetition once; whether the platform does is unknown.
        rate_limit: Rate limit of the account, shared by all processes of the journal; by default calls are sent at once
            and a refusal as too frequent (1205) is raised.
        on_wait: Called with the seconds and the reason, `rate_limit` or `refused`, when a call has to wait.
        on_send: Called soon after this client has stored or changed a send of the outbox, with the send's number; it
            must not call methods of the client.
        gateway: Origin of a gateway, such as `http://127.0.0.1:8791`: the client uses an account of it, which is logged
            in there. Only `key`, `account`, `timeouts`, `clock`, `proxy` and `ca_file` can be combined with it; a
            method that the gateway does not offer raises `NotThroughGateway`.
        key: Key of the gateway.
        account: Name or number of the gateway's account; None: the only one that the key reaches.

    Raises:
        TypeError: `gateway` without `key`, or with an argument that is for a login of its own.
        NotOnThisHost: There is no such host, or the server is not an address.
        InvalidSettings: The proxy is not an address.
        NoJournal: `keep` without a journal.
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
        proxy: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        allowed_hosts: tuple[str, ...] = (),
        desktop: Desktop | None = None,
        on_logged_out: Callable[[LoggedOut], object] | None = None,
        on_state: Callable[[StateChange], object] | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        keep: Keep | None = None,
        dedupe_by_client_id: bool = False,
        rate_limit: RateLimit | None = None,
        on_wait: Callable[[float, WaitReason], object] | None = None,
        on_send: Callable[[int], object] | None = None,
        gateway: str | None = None,
        key: str | None = None,
        account: str | None = None,
    ) -> None:
        if gateway is None:
            if key is not None or account is not None:
                raise TypeError("key= and account= are for a gateway; give its address with gateway=.")
            components = local_components(
                host=host, server=server, store=store, transport=transport, timeouts=timeouts, clock=clock, proxy=proxy,
                ca_file=ca_file, allowed_hosts=allowed_hosts, desktop=desktop, on_logged_out=on_logged_out,
                on_state=on_state, journal=journal, keep=keep, dedupe_by_client_id=dedupe_by_client_id,
                rate_limit=rate_limit, on_wait=on_wait, on_send=on_send,
            )  # fmt: skip
        else:
            local = (
                host, server, store, transport, desktop, on_logged_out, on_state, journal, keep, rate_limit, on_wait,
                on_send,
            )  # fmt: skip
            if key is None or allowed_hosts or dedupe_by_client_id or any(each is not None for each in local):
                raise TypeError(
                    "With gateway= a client needs key=, and takes account=, timeouts=, clock=, proxy= and ca_file= "
                    "only; the gateway decides everything else."
                )
            from webwx.client.remote_components import remote_components  # few programs use a gateway

            components = remote_components(
                gateway=gateway, key=key, account=account, timeouts=timeouts, clock=clock, proxy=proxy, ca_file=ca_file
            )
        self._components = components
        self._session = components.session
        self._identities = components.identities
        self._directory = components.directory
        self._chatrooms = components.chatrooms
        self._messages = components.messages
        self._media = components.media
        self._history = components.history
        self._events = components.events

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._components.describe()})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Save the state, and close all connections and files; the login stays valid."""
        await self._components.close()

    @property
    def account(self) -> Account:
        """
        The account that is logged in.

        Raises:
            NotLoggedIn: There is no login.
        """
        return self._session.account

    @property
    def state(self) -> LoginState:
        """State of the login; only an answer of the platform ends it, never a failure of the network."""
        return self._session.state

    @property
    def state_since(self) -> float | None:
        """
        Time of the last change of `state`: seconds since 1970; None before the first one.

        A login that was saved is ONLINE since this client has read it. Through a gateway it is what the gateway knows.
        """
        return self._session.state_since

    @property
    def last_sync_at(self) -> float | None:
        """
        Time of the last successful poll or fetch: seconds since 1970 (server's clock); None before the first one.

        While events are read and the state is ONLINE it is never older than a minute and a half.
        """
        return self._session.last_sync_at

    async def rate_limit_state(self) -> RateLimitState | None:
        """
        Return what this account's rate limit allows now; None if this client has no rate limit.

        With a journal it covers all processes of the account. Actions that wait in a process behind another one are not
        counted, because they have no reservation yet.

        Raises:
            NotLoggedIn: There is no login.
            StorageError: The journal cannot be read.

        """
        return await self._components.limiter.state()

    async def measure(self) -> AccountMeasurement:
        """
        Return the present state of the account in numbers, for a monitor.

        It can be called before a login and after its end as well, and raises no error unless it asks a gateway.
        """
        return await self._components.measurements.measure()

    # -- login ---------------------------------------------------------------------------------------------------------

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
        Log in: continue with the saved login if it is alive, else show a code and wait for the phone.

        A damaged saved login is set aside. Temporary failures, such as a lost answer, a web page or ret -1, are retried
        with growing delays; the first one is reported to the client's `on_state`.

        Args:
            show_qr: Called with each code; the default draws it on the terminal. `print` works as well.
            max_codes: Number of codes to show before giving up; each is valid for about five minutes.
            on_push: Called when the phone was asked to confirm without a code, which is possible after the end of a
                saved login; if it does not confirm, a code is shown. None: the phone is not asked.
            on_step: Called when the phone has scanned a code or cancelled the login, and when a code has expired.
            is_patient: Retry temporary failures for ever, as a service needs it, and wait for a connection. False:
                temporary failures are raised after some seconds, and an unreachable server at once.

        Raises:
            LoginTimeout: No code was confirmed.
            LoginRefused: The account may not use this host; the text quotes the platform.
            UnsafeRedirect: The login was redirected to a host that does not belong to the platform.
            NotOnThisHost: The desktop profile lacks its values; nothing was sent.
            InvalidLogin: The saved login must not or cannot be opened.
            StorageError: The store is not writable, and nothing was sent; or the journal cannot be written.

        Wire: jslogin, login, webwxpushloginurl, webwxnewloginpage, webwxinit, webwxstatusnotify, webwxgetcontact,
        webwxbatchgetcontact

        """
        return await self._components.login.login(
            show_qr=show_qr, max_codes=max_codes, on_push=on_push, on_step=on_step, is_patient=is_patient
        )

    async def resume(self) -> Account:
        """
        Continue with the saved login, without a request.

        Raises:
            NotLoggedIn: No login is saved, or a login is in progress.
            InvalidLogin: The saved login cannot be read.
            StorageError: The journal cannot be read.
        """
        return await self._components.login.resume()

    async def check(self) -> Account:
        """
        Ask the server whether the login is alive. No waiting event is consumed, in this or another process.

        Raises:
            LoggedOut: The login has ended.

        Wire: webwxinit

        """
        return await self._components.login.check()

    async def logout(self) -> None:
        """
        End the login here and on the server.

        Raises:
            NotLoggedIn: There is no login.
            StorageError: The login has ended, but it could not be deleted from the store.

        Wire: webwxlogout

        """
        await self._components.login.logout()

    # -- contacts ------------------------------------------------------------------------------------------------------

    @property
    def clock(self) -> Callable[[], float]:
        """The client's clock: returns seconds since 1970."""
        return self._session.clock

    @property
    def contacts(self) -> Contacts:
        """All known contacts of this login; a lookup by id is immediate, a lookup by name uses an index."""
        return self._components.book.contacts

    async def list_contacts(self) -> list[Contact]:
        """
        Fetch all contacts again, including chatrooms with their members.

        A contact is removed only if a complete list lacks it. A chatroom with missing members has `is_incomplete`.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts.
            ProtocolError: The list came incomplete. Its contacts are stored, and no known contact was removed.
            LoggedOut: The login ended.

        Wire: webwxgetcontact, webwxbatchgetcontact

        """
        return await self._directory.list_contacts()

    async def list_chats(self) -> list[Contact]:
        """
        Fetch the recent chats, the newest first. No waiting event is consumed.

        Raises:
            LoggedOut: The login ended.

        Wire: webwxinit, webwxbatchgetcontact

        """
        return await self._directory.list_chats()

    async def list_articles(self) -> list[Publication]:
        """
        Fetch the latest articles of the official accounts that this account follows, as the platform orders them.

        The platform lists only accounts with recent articles, and none on File Transfer Helper. No waiting event is
        consumed.

        Raises:
            LoggedOut: The login ended.

        Wire: webwxinit

        """
        return await self._directory.list_articles()

    async def get_contacts(self, ids: Iterable[str]) -> Lookup:
        """
        Fetch people and chatrooms by id, including the members of chatrooms; the result lists the missing ids.

        Args:
            ids: Any number of ids; they are requested fifty at a time, and omitted ones a second time.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts.
            LoggedOut: The login ended.

        Wire: webwxbatchgetcontact

        """
        return await self._directory.get_contacts(ids)

    async def set_remark(self, contact: To, remark: str) -> Contact:
        """
        Set the remark of a contact, a name that only this account sees; an empty one removes it.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            RateLimited: Too many changes.

        Wire: webwxoplog

        """
        return await self._directory.set_remark(contact, remark)

    async def set_pinned(self, contact: To, is_pinned: bool = True) -> Contact:
        """
        Pin a chat to the top of the list on all devices, or unpin it.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            RateLimited: Too many changes.

        Wire: webwxoplog

        """
        return await self._directory.set_pinned(contact, is_pinned)

    async def download_avatar(self, who: To | Member, *, met_in: To | None = None) -> bytes:
        """
        Download the picture of a person or a chatroom.

        Args:
            who: The person or chatroom.
            met_in: The chatroom of a member who is not a friend.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            MediaUnavailable: There is no picture, or there were too many requests.

        Wire: webwxgeticon, webwxgetheadimg

        """
        return await self._directory.download_avatar(who, met_in=met_in)

    async def add_friend(self, person: To | Person | Member, greeting: str = "") -> None:
        """
        Send a friend request. The platform limits this heavily.

        Args:
            person: A person of a card, a member of a chatroom, or an id.
            greeting: Text that the person reads.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            RateLimited: Too many requests.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxverifyuser

        """
        await self._directory.add_friend(person, greeting)

    async def accept_friend(self, request: FriendRequest) -> None:
        """
        Accept a friend request; the events `ContactChanged` and `FriendAdded` follow.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            ApiError: The request is not open any more.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxverifyuser

        """
        await self._directory.accept_friend(request)

    # -- identities ----------------------------------------------------------------------------------------------------

    async def who(self, which: To) -> Identity:
        """
        Return the identity of a contact of any login.

        Args:
            which: A number, a contact, an id of any login, or a name.

        Raises:
            NoJournal: There is no journal, which assigns the numbers.
            UnknownContact: No contact has that number, id or name, or several have that name.
            StorageError: The journal cannot be read.
        """
        return await self._identities.who(which)

    async def find_contact(self, which: To) -> Contact:
        """
        Find a contact of this login.

        Args:
            which: A contact, an id, a remark or a nickname; with a journal also an identity, or its number.

        Raises:
            NotLoggedIn: There is no login.
            UnknownContact: No contact has that name or number, or several have.
            StaleContact: An id of an earlier login, or a number, that matches no contact of this login.
        """
        return await self._identities.find_contact(which)

    async def list_identities(self, name: str = "") -> list[Identity]:
        """
        Return all identities, including those of earlier logins.

        Args:
            name: Only identities with this display name, nickname or remark.

        Raises:
            NoJournal: There is no journal, which assigns the numbers.
            StorageError: The journal cannot be read.
        """
        return await self._identities.list_identities(name)

    async def why(self, which: To) -> list[Link]:
        """
        Return the contacts of all logins that are linked to an identity, the newest first, with the evidence.

        Args:
            which: As for `who`.

        Raises:
            NoJournal: There is no journal, which assigns the numbers.
            UnknownContact: No contact has that number, id or name, or several have that name.
            StorageError: The journal cannot be read.
        """
        return await self._identities.why(which)

    async def merge_identities(self, one: To, other: To) -> Identity:
        """
        Merge two identities permanently; the number of the first one stays.

        Args:
            one: As for `who`.
            other: As for `who`; its number refers to the first identity from now on.

        Raises:
            NoJournal: There is no journal, which assigns the numbers.
            UnknownContact: One of the two is not a known number, id or name, or several contacts have the name.
            InvalidRequest: The identities are the same, differ in kind, or both have a contact in this login.
            StorageError: The journal cannot be written.
        """
        return await self._identities.merge_identities(one, other)

    async def split_identity(self, which: To, contact_id: str) -> Identity:
        """
        Unlink a contact from an identity permanently, and return its new identity.

        Args:
            which: The identity to which the contact is linked, as for `who`.
            contact_id: Id of the contact, as in the result of `why`.

        Raises:
            NoJournal: There is no journal, which assigns the numbers.
            UnknownContact: No contact has that number, id or name; or the identity never had that id, or has no other
                id.
            StorageError: The journal cannot be written.
        """
        return await self._identities.split_identity(which, contact_id)

    # -- chatrooms -----------------------------------------------------------------------------------------------------

    async def create_chatroom(self, people: Iterable[To | Member], *, name: str = "") -> Admission:
        """
        Create a chatroom with at least two others.

        Args:
            people: The others. The result lists the people who could not be added.
            name: Name of the chatroom; if it is empty, apps show the members' names.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            TooFewMembers: Fewer than two others; nothing was sent.
            UnknownContact: No contact has a name, or several have it; nothing was sent.
            RateLimited: Too many new chatrooms.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxcreatechatroom, webwxbatchgetcontact

        """
        return await self._chatrooms.create_chatroom(people, name=name)

    async def add_members(self, chatroom: To, people: Iterable[To | Member]) -> Admission:
        """
        Add friends to a chatroom; invite them to a large one, as the page does from about forty members.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            UnknownContact: A name is unknown, ambiguous, or not that of a chatroom; nothing was sent.
            RecipientRejected: This account is not a member of the chatroom.
            RateLimited: Too many changes.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxupdatechatroom (addmember, invitemember), webwxbatchgetcontact

        """
        return await self._chatrooms.add_members(chatroom, people)

    async def invite_members(self, chatroom: To, people: Iterable[To | Member]) -> Admission:
        """
        Send invitations to a chatroom; each person has to accept.

        Raises: As `add_members`.

        Wire: webwxupdatechatroom (invitemember)

        """
        return await self._chatrooms.invite_members(chatroom, people)

    async def remove_members(self, chatroom: To, people: Iterable[To | Member]) -> Contact:
        """
        Remove members from a chatroom that this account owns; return the chatroom after the change.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            UnknownContact: A name is unknown, ambiguous, or not that of a chatroom; nothing was sent.
            ApiError: A member is still there: only the owner can remove members.
            SendOutcomeUnknown: The answer was lost, or the member list fetched afterwards was incomplete.

        Wire: webwxupdatechatroom (delmember), webwxbatchgetcontact

        """
        return await self._chatrooms.remove_members(chatroom, people)

    async def rename_chatroom(self, chatroom: To, name: str) -> Contact:
        """
        Rename a chatroom.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            UnknownContact: A name is unknown, ambiguous, or not that of a chatroom; nothing was sent.
            ApiError: This account may not rename the chatroom.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxupdatechatroom (modtopic)

        """
        return await self._chatrooms.rename_chatroom(chatroom, name)

    async def leave_chatroom(self, chatroom: To) -> None:
        """
        Leave a chatroom.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            UnknownContact: No contact has that name, several have it, or the contact is not a chatroom; nothing was
                sent.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxupdatechatroom (quitchatroom)

        """
        await self._chatrooms.leave_chatroom(chatroom)

    # -- messages ------------------------------------------------------------------------------------------------------

    async def send_text(self, to: To, text: str, *, key: str = "") -> Receipt:
        """
        Send a text.

        Args:
            to: A contact, `filehelper`, a remark, a nickname, or an id. With a journal also an identity, its number,
                or an id or contact of an earlier login, which is resolved if the match is certain.
            text: The text; it is sent unchanged, without commands, paths or markup. At most 16,000 characters.
            key: A unique name for this send, which needs a journal: a second call with the same key, in any process,
                sends nothing twice. After a success it returns the receipt; after a refusal, or if nothing was
                transmitted, it sends again; if the text may have been sent, it raises `SendOutcomeUnknown`.

        Raises:
            NoJournal: A key without a journal; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            StaleContact: An id of an earlier login without a certain match in this login; nothing was sent.
            EmptyText: The text is empty; nothing was sent.
            TextTooLong: The text exceeds the limit; nothing was sent.
            RecipientRejected: The receiver is not a friend, or is this account itself.
            RateLimited: Too many sends.
            SendOutcomeUnknown: The answer was lost: the text may have been sent, and is not sent again automatically.
            LoggedOut: The login ended; nothing was sent.
            StorageError: The journal cannot be written; nothing was sent.

        Wire: webwxsendmsg

        """
        return await self._messages.send_text(to, text, key=key)

    async def reply(self, message: Message, text: str, *, key: str = "") -> Receipt:
        """
        Send a text into the chat of a message.

        Raises: As `send_text`.

        Wire: webwxsendmsg

        """
        return await self._messages.reply(message, text, key=key)

    async def retry_send(self, number: int) -> Receipt:
        """
        Send a queued or refused text of the outbox again, under the same client id.

        If it was sent meanwhile, return its receipt. The outbox stores only the names of media: send a file again with
        its own method, and with the same key if it has one.

        Args:
            number: Number of the send, as in the result of `list_sends`.

        Raises:
            NoJournal: There is no journal.
            InvalidRequest: There is no such send, or it is not a text; nothing was sent.
            StaleContact: The receiver is of an earlier login, without a certain match in this one; nothing was sent.
            SendOutcomeUnknown: The text may have been sent, in this or an earlier attempt.
            LoggedOut: The login ended; nothing was sent.

        Wire: webwxsendmsg

        """
        return await self._messages.retry_send(number)

    async def queue_text(self, to: To, text: str, *, key: str = "", background: bool = False) -> Outgoing:
        """
        Store a text in the outbox without sending it; `retry_send` sends it. No request is made.

        It also works after the login has ended, for a text to send after the next login.

        Args:
            to: As for `send_text`.
            text: As for `send_text`.
            key: A unique name for this send, as for `send_text`: the existing send with this key is returned unchanged.
            background: Whether the gateway or the worker that runs the account sends the text by itself, as soon as it
                can, also an existing send with this key that has no outcome or was refused. With a client of a
                gateway the gateway always does.

        Raises:
            NotLoggedIn: There is no login.
            NoJournal: There is no journal.
            KeyReused: The key belongs to another send.
            UnknownContact: No contact has that name, or several have.
            EmptyText: The text is empty.
            TextTooLong: The text exceeds the limit.
            StorageError: The journal cannot be written.
        """
        return await self._messages.queue_text(to, text, key=key, background=background)

    async def queue_file(
        self,
        to: To,
        name: str,
        *,
        kind: Literal["image", "video", "file", "sticker"] = "file",
        key: str,
        sha256: str = "",
    ) -> Outgoing:
        """
        Store the send of a file in the outbox without sending it. No request is made.

        The outbox does not store the file: `send_file`, `send_image`, `send_video` or `send_sticker` with the same key
        sends it. This also works after the login has ended, for a file that is to be sent after the next one.

        Args:
            to: As for `send_text`.
            name: Name of the file for the receiver.
            kind: Kind of the message, which decides the method that sends it.
            key: A unique name for this send, as for `send_text`: the existing send with this key is returned unchanged.
            sha256: SHA-256 of the file in hexadecimal, by which a later send of another file with this key is refused;
                empty: only names are compared.

        Raises:
            NotLoggedIn: There is no login.
            NoJournal: There is no journal.
            KeyReused: The key belongs to another send.
            UnknownContact: No contact has that name, or several have.
            StorageError: The journal cannot be written.
        """
        return await self._media.queue_file(to, name, kind=kind, key=key, sha256=sha256)

    async def mark_read(self, chat: To) -> None:
        """
        Mark a whole chat as read on the account's other devices, and in the journal for `count_unread`.

        The other person is not notified. A journal that cannot be written is logged only, because the chat is marked.

        Raises:
            UnknownContact: No contact has that name, or several have; nothing was sent.
            LoggedOut: The login ended.

        Wire: webwxstatusnotify (code 1)

        """
        await self._messages.mark_read(chat)

    async def recall(self, sent: Receipt | Outgoing | Message) -> None:
        """
        Recall a message that this account wrote, here, on the phone or on another device.

        The other person sees a notice of the recall without the content. The platform allows this for two minutes;
        check `receipt.can_recall(now)` first to avoid an exception. With a journal, a second recall of a message
        succeeds without a request.

        Args:
            sent: The receipt that `send_…`, `reply` or `forward` returned, in any process; the send as in the result of
                `list_sends` or `find_send`; or the message as it arrived, with `is_self`, which is the only form of one
                that another device sent.

        Raises:
            InvalidRequest: The message is not of this account, was not sent, or its outcome is still unknown; the
                outbox is read for a receipt with `is_unknown`.
            RecallExpired: The two minutes are over. The message stays.
            StaleContact: The message is of an earlier login, and its chat has no certain match. The message stays.
            RecallRefused: The message is not of this account, or the platform does not know it. The message stays.
            SendOutcomeUnknown: The answer was lost.
            LoggedOut: The login ended.

        Wire: webwxrevokemsg

        """
        await self._messages.recall(sent)

    # -- media ---------------------------------------------------------------------------------------------------------

    async def send_image(
        self, to: To, image: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """
        Send a picture: JPEG, PNG, BMP, or a GIF, which is sent as a sticker and stays animated.

        Args:
            to: As for `send_text`.
            image: A path, the picture's bytes, or a binary stream, which is read to its end.
            name: The file's name; default: the path's.
            progress: Called with the number of transferred bytes and the total.
            key: As for `send_text`.

        Raises:
            NoSuchFile: The path names no readable file; nothing was sent.
            EmptyFile: The file has no bytes; nothing was sent.
            TooLarge: The file has more than 20 MiB; nothing was sent.
            NotAPicture: The file has none of these formats; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            LocalStateError: The file changed during the upload; nothing was sent.
            InvalidLogin: The login has no cookie of the file host; nothing was sent.
            SendOutcomeUnknown: An answer was lost: the message may have been sent, and is not sent again automatically.

        Wire: webwxuploadmedia, webwxsendmsgimg, webwxsendemoticon

        """
        return await self._media.send_image(to, image, name=name, progress=progress, key=key)

    async def send_video(
        self, to: To, video: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """
        Send a video: mp4.

        Args:
            to: As for `send_text`.
            video: A path, the video's bytes, or a binary stream, which is read to its end.
            name: The file's name; default: the path's.
            progress: Called with the number of transferred bytes and the total.
            key: As for `send_text`.

        Raises:
            NoSuchFile: The path names no readable file; nothing was sent.
            EmptyFile: The file has no bytes; nothing was sent.
            TooLarge: The file has more than 20 MiB; nothing was sent.
            InvalidRequest: The file is not an mp4; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            LocalStateError: The file changed during the upload; nothing was sent.
            InvalidLogin: The login has no cookie of the file host; nothing was sent.
            SendOutcomeUnknown: An answer was lost: the message may have been sent, and is not sent again automatically.

        Wire: webwxuploadmedia, webwxsendvideomsg

        """
        return await self._media.send_video(to, video, name=name, progress=progress, key=key)

    async def send_sticker(
        self, to: To, sticker: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """
        Send a sticker: a GIF, or one that the platform knows by its md5.

        Args:
            to: As for `send_text`.
            sticker: A path, the GIF's bytes, a binary stream, or 32 hex digits: the `md5` of a `StickerMessage`.
            name: The file's name; default: the path's.
            progress: Called with the number of transferred bytes and the total.
            key: As for `send_text`.

        Raises:
            NoSuchFile: The path names no readable file; nothing was sent.
            EmptyFile: The file has no bytes; nothing was sent.
            TooLarge: The file has more than 20 MiB; nothing was sent.
            NotAPicture: The file is not a GIF; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            ApiError: The platform knows no sticker with that md5.
            LocalStateError: The file changed during the upload; nothing was sent.
            InvalidLogin: The login has no cookie of the file host; nothing was sent.
            SendOutcomeUnknown: An answer was lost: the message may have been sent, and is not sent again automatically.

        Wire: webwxuploadmedia, webwxsendemoticon

        """
        return await self._media.send_sticker(to, sticker, name=name, progress=progress, key=key)

    async def send_file(
        self, to: To, file: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """
        Send a file of any kind. It is read in pieces and never as a whole.

        Args:
            to: As for `send_text`.
            file: A path, the file's bytes, or a binary stream, which is read to its end before anything is sent.
            name: File name that the receiver sees; default: the path's.
            progress: Called with the number of transferred bytes and the total.
            key: As for `send_text`.

        Raises:
            NoSuchFile: The path names no readable file; nothing was sent.
            EmptyFile: The file has no bytes; nothing was sent.
            TooLarge: The file has more than 1 GiB; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            LocalStateError: The file changed during the upload; nothing was sent.
            InvalidLogin: The login has no cookie of the file host; nothing was sent.
            SendOutcomeUnknown: An answer was lost: the message may have been sent, and is not sent again automatically.

        Wire: webwxcheckupload, webwxuploadmedia, webwxuploadmediaparallel, webwxsendappmsg

        """
        return await self._media.send_file(to, file, name=name, progress=progress, key=key)

    async def download(self, message: Message | Receipt | str, *, progress: Progress | None = None) -> bytes:
        """
        Download the media of a message: a picture, sticker, voice, video, file, or a location's map.

        At most 64 MiB; use `download_to` for large media. Archived media (`keep=`) are returned without a request, even
        after a recall.

        Args:
            message: A received message. A receipt or a message id: the picture of that message.
            progress: Called with the number of transferred bytes and the total; a total of 0: the size is unknown.

        Raises:
            MediaUnavailable: The media are recalled, expired or not available yet, or the message has none.
            InvalidLogin: The message is a file, and the login has no cookie of the file host; nothing was requested.
            ProtocolError: The media are larger than 64 MiB.
            LoggedOut: The login ended.

        Wire: webwxgetmsgimg, webwxgetvoice, webwxgetvideo, webwxgetmedia, webwxgetpubliclinkimg

        """
        return await self._media.download(message, progress=progress)

    async def download_to(
        self, message: Message | Receipt | str, to: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> Path:
        """
        Download the media of a message into a file, and return its path.

        The file appears when it is complete, and only its owner can read it; existing files are never overwritten.
        Archived media (`keep=`) are copied without a request, even after a recall.

        Args:
            message: As for `download`.
            to: A folder, or the path of a file that does not exist yet. In a folder the file gets the name that its
                sender gave it, without unsafe characters, or a generated name.
            progress: Called with the number of transferred bytes and the total; a total of 0: the size is unknown.

        Raises:
            MediaUnavailable: The media are recalled, expired or not available yet, or the message has none.
            NoSuchFile: There is no such folder; nothing was requested.
            InvalidRequest: The path exists already; nothing was requested.
            LocalStateError: The file cannot be written.
            InvalidLogin: The message is a file, and the login has no cookie of the file host; nothing was requested.
            ProtocolError: The media are larger than 1 GiB.
            LoggedOut: The login ended.

        Wire: webwxgetmsgimg, webwxgetvoice, webwxgetvideo, webwxgetmedia, webwxgetpubliclinkimg

        """
        return await self._media.download_to(message, to, progress=progress)

    async def download_thumbnail(self, message: Message | Receipt | str) -> bytes:
        """
        Download the thumbnail of a picture, a video, a link or a location.

        Raises:
            MediaUnavailable: The message has no thumbnail, or the platform does not serve it any more.
            LoggedOut: The login ended.

        Wire: webwxgetmsgimg

        """
        return await self._media.download_thumbnail(message)

    async def forward(self, message: Event, to: To, *, key: str = "") -> Receipt:
        """
        Forward a received message, recalled or not: by the keys in its content, else by download and upload.

        Texts, locations, pictures, videos, stickers and files can be forwarded. The receipt's `way` shows the way that
        was used. Without valid keys the media are uploaded again: from the archive (`keep=`), else after a download,
        which is mostly impossible after a recall. An archived voice is sent as a file.

        Args:
            message: A message; or a recall whose original is known.
            to: As for `send_text`.
            key: As for `send_text`.

        Raises:
            NotForwardable: Another kind of message, a sticker of the store, or a picture or video without keys that the
                platform does not serve any more; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            MediaUnavailable: The keys have expired, and the platform does not serve the media; nothing was sent.
            SendOutcomeUnknown: The answer was lost: it may have been sent, and is not sent again automatically.

        Wire: webwxsendmsg, webwxsendmsgimg, webwxsendvideomsg, webwxsendemoticon, webwxsendappmsg

        """
        return await self._components.forwarder.forward(message, to, key=key)

    # -- history -------------------------------------------------------------------------------------------------------

    async def history(
        self,
        chat: To | None = None,
        *,
        limit: int = 50,
        before: int | None = None,
        since: float = 0,
        until: float = 0,
    ) -> list[Event | Outgoing]:
        """
        Return messages, recalls, gaps and sends, the oldest first.

        A send that came back as a message is returned as that message only.

        Args:
            chat: As for `send_text`, including the chats of that person or chatroom in earlier logins; a name may be
                one of an earlier login. None: all chats.
            limit: Maximum number of results, counted from the newest.
            before: Only events older than the event with this number, and sends that are not newer than it;
                `history_page` reads page by page.
            since: Earliest time: seconds since 1970.
            until: Latest time: seconds since 1970; 0: no limit.

        Raises:
            NoJournal: There is no journal.
            UnknownContact: No contact ever had that name, or several had.
            StorageError: The journal cannot be read.
        """
        return await self._history.history(chat, limit=limit, before=before, since=since, until=until)

    async def history_page(
        self,
        chat: To | None = None,
        *,
        words: str = "",
        limit: int = 50,
        before: str = "",
        since: float = 0,
        until: float = 0,
    ) -> MessagePage:
        """
        Return a page of messages, recalls, gaps and sends, the newest first.

        The pages together have each entry once, however many entries have the same time. Entries that are stored
        meanwhile are on no later page; a send whose state changes meanwhile may be on none.

        Args:
            chat: As for `history`.
            words: Only messages and sends that contain all of these words, as for `search`; empty: all.
            limit: Maximum number of entries, at least 1.
            before: `before` of the previous page, or of one of its entries; empty: the newest entries.
            since: Earliest time: seconds since 1970.
            until: Latest time: seconds since 1970; 0: no limit.

        Raises:
            InvalidCursor: `before` is not a value of a page.
            InvalidRequest: More words than a search takes.
            NoJournal: There is no journal.
            UnknownContact: No contact ever had that name, or several had.
            StorageError: The journal cannot be read.
        """
        return await self._history.history_page(chat, words=words, limit=limit, before=before, since=since, until=until)

    async def count_unread(self, chat: To) -> int | None:
        """
        Return the number of unread messages in a chat, as far as the journal has received them.

        They are the messages of others that arrived after the chat was last read. Each of these reads it: a message of
        this account, from here or from another device; the phone's notices that it read or opened the chat; and
        `mark_read`. Notices, recalled messages and messages that could not be decoded do not count.

        Args:
            chat: As for `send_text`, including the chats of that person or chatroom in earlier logins; a name may be
                one of an earlier login.

        Returns:
            The number; None if the journal has no message in any chat, so that nothing is known. What arrived before a
            journal of an earlier version was migrated counts as read.

        Raises:
            NoJournal: There is no journal.
            UnknownContact: No contact ever had that name, or several had.
            StorageError: The journal cannot be read.
        """
        return await self._history.count_unread(chat)

    async def search(
        self, words: str, *, chat: To | None = None, limit: int = 50, before: int | None = None
    ) -> list[Event | Outgoing]:
        """
        Return the messages and sends that contain all of these words, the newest first.

        Chinese is found at any position, a word of another script by its beginning.

        Args:
            words: Words in any order, separated by blanks; at most 200 words or Chinese characters.
            chat: As for `history`.
            limit: Maximum number of results, counted from the newest.
            before: As for `history`.

        Raises:
            InvalidRequest: More words than a search takes.
            NoJournal: There is no journal.
            UnknownContact: No contact ever had that name, or several had.
            StorageError: The journal cannot be read.
        """
        return await self._history.search(words, chat=chat, limit=limit, before=before)

    async def find_message(self, which: str | int) -> Event | None:
        """
        Find a received event of any age; None if the journal does not have it.

        Args:
            which: The platform's id of a message, or the number of an event.

        Raises:
            NoJournal: There is no journal.
            StorageError: The journal cannot be read.
        """
        return await self._history.find_message(which)

    async def read_events(self, after: int = 0, *, since: float = 0, until: float = 0, limit: int = 500) -> list[Event]:
        """
        Return the events after a number, in the order of arrival, for a reader that stores its own position.

        An empty list means that nothing has arrived after that number yet. No consumer is involved, and nothing is
        acknowledged.

        Args:
            after: Number of the last event that was read; 0 for the beginning.
            since: Only events that were not written before this time: seconds since 1970.
            until: Only events that were not written after this time; 0 for no limit.
            limit: Maximum number of results.

        Raises:
            NoJournal: There is no journal.
            NotLoggedIn: There was never a login.
            StorageError: The journal cannot be read.
        """
        return await self._history.read_events(after, since=since, until=until, limit=limit)

    async def list_sends(
        self, *states: State, chat: To | None = None, limit: int = 50, before: int | None = None
    ) -> list[Outgoing]:
        """
        Return the sends of the outbox, the newest first, with their states.

        Args:
            states: Only sends in one of these states; default: all.
            chat: As for `history`.
            limit: Maximum number of results.
            before: Only sends older than the one with this number, for the next page.

        Raises:
            NoJournal: There is no journal.
            UnknownContact: No contact ever had that name, or several had.
            StorageError: The journal cannot be read.
        """
        return await self._history.list_sends(*states, chat=chat, limit=limit, before=before)

    def follow_sends(self) -> AsyncGenerator[Outgoing, None]:
        """
        Yield each send of this account that is stored, or whose state changes, from now on, as it is then.

        Several quick changes of a send are one. The sends of other processes with the same journal are yielded
        too, about half a second later, if they are among the newest hundred. Nothing is yielded again, and nothing is
        stored for it: a program that needs every outcome reads `list_sends` as well.

        Raises:
            NoJournal: There is no journal.
            NotLoggedIn: There is no login.
            StorageError: The journal cannot be read.
        """
        return self._components.followed_sends.follow()

    async def find_send(
        self, *, key: str = "", number: int = 0, client_id: str = "", message_id: str = ""
    ) -> Outgoing | None:
        """
        Find a send of the outbox by its key, number or id; None if no send matches.

        Args:
            key: Key that was passed to `send_text` or another send.
            number: Number of the send.
            client_id: Client id, as in the receipt.
            message_id: Platform's id of the message, as in the receipt.

        Raises:
            NoJournal: There is no journal.
            StorageError: The journal cannot be read.
        """
        return await self._history.find_send(key=key, number=number, client_id=client_id, message_id=message_id)

    async def store_outcomes(self) -> None:
        """
        Return once the outcomes of all finished sends are stored, so that not even a kill makes one of them `unknown`.

        Without this call, an outcome is stored at most a few milliseconds after its send has returned. Without a
        journal, this does nothing.

        Raises:
            StorageError: The outcomes cannot be stored.
        """
        await self._components.storage.store_outcomes()

    async def was_sent_here(self, message: Message | MessageRecalled) -> bool:
        """
        Return whether a message of this account was sent by this library and came back through sync.

        Return False for messages from the phone. For a recall, the recalled message counts. While a send to that chat
        is in progress the result is unknown, so the call waits for its end.

        Raises:
            NoJournal: There is no journal.
            StorageError: The journal cannot be read.
        """
        return await self._history.was_sent_here(message)

    async def forget_send(self, number: int) -> bool:
        """
        Delete a send from the outbox, which frees its key; return False if there is no such send, or it is in progress.

        Raises:
            NoJournal: There is no journal.
            StorageError: The journal cannot be written.
        """
        return await self._history.forget_send(number)

    async def find_people(self, ids: Iterable[str]) -> Contacts:
        """
        Find the contacts that had these ids, in this login or an earlier one.

        Raises:
            NoJournal: There is no journal.
            StorageError: The journal cannot be read.
        """
        return await self._history.find_people(ids)

    def export_history(self) -> AsyncGenerator[Event | Outgoing, None]:
        """
        Yield the whole history, oldest first: all events, then the sends that did not come back as an event.

        Raises:
            NoJournal: There is no journal.
            StorageError: The journal cannot be read.
        """
        return self._history.export_history()

    async def purge_history(self, chat: To | None = None, *, before: float = 0) -> int:
        """
        Delete events and sends permanently, and return their number; `chat` or `before` is required.

        A consumer that has not read all of them gets an event for the gap.

        Args:
            chat: As for `history`. None: all chats.
            before: Delete only what is older than this time: seconds since 1970. 0: of any age.

        Raises:
            NoJournal: There is no journal.
            UnknownContact: No contact ever had that name, or several had.
            StorageError: The journal cannot be written.
        """
        return await self._history.purge_history(chat, before=before)

    async def purge_kept(self, *, before: float = 0) -> int:
        """
        Delete archived media, but not their messages; return the number of messages.

        Args:
            before: Delete only media that were archived before this time: seconds since 1970. 0: all.

        Raises:
            NoJournal: There is no journal.
            StorageError: The journal cannot be written.
        """
        return await self._history.purge_kept(before=before)

    async def list_recalled(
        self, chat: To | None = None, *, limit: int = 50, before: int | None = None
    ) -> list[Recalled]:
        """
        Return the recalls, the newest first, including those by this account.

        Args:
            chat: As for `history`.
            limit: Maximum number of results.
            before: Only recalls with a lower number, for the next page.

        Raises:
            NoJournal: There is no journal.
            UnknownContact: No contact ever had that name, or several had.
            StorageError: The journal cannot be read.
        """
        return await self._components.recalled.list_recalled(chat, limit=limit, before=before)

    async def list_dead_letters(
        self, *, consumer: str = "bot", limit: int = 50, before: int | None = None
    ) -> list[DeadLetter]:
        """
        Return the dead letters of a consumer, the newest first.

        Args:
            consumer: Name of the consumer, as passed to `deliver` or `Bot`.
            limit: Maximum number of results.
            before: Only events with a lower number, for the next page.

        Raises:
            NoJournal: There is no journal.
            StorageError: The journal cannot be read.
        """
        return await self._components.dead_letters.list_dead_letters(consumer=consumer, limit=limit, before=before)

    async def revive(self, number: int, *, consumer: str = "bot") -> bool:
        """
        Deliver a dead letter once more, as one new attempt; return whether there was one with this number.

        A running bot gets the event within seconds, in any process; a stopped bot gets it at its next start. Later
        events of the chat may have been handled before it.

        Args:
            number: Number of the event.
            consumer: As for `list_dead_letters`.

        Raises:
            NoJournal: There is no journal.
            StorageError: The journal cannot be written.
        """
        return await self._components.dead_letters.revive(number, consumer=consumer)

    async def list_consumers(self) -> list[ConsumerPosition]:
        """
        Return the consumers of the journal in the order of their names, each with its position.

        Raises:
            NoJournal: There is no journal.
            StorageError: The journal cannot be read.
        """
        return await self._components.consumers.list_consumers()

    async def forget_consumer(self, name: str) -> bool:
        """
        Delete a consumer with its position, its dead letters and its conversations; return whether there was one.

        Messages stay. A consumer that is opened under this name later begins as a new one.

        Args:
            name: Name of the consumer, as passed to `subscribe`, `events` or `Bot`.

        Raises:
            NoJournal: There is no journal.
            AlreadyRunning: The consumer is open, in this process or another one.
            StorageError: The journal cannot be written.
        """
        return await self._components.consumers.forget_consumer(name)

    # -- events ------------------------------------------------------------------------------------------------------

    def events(self, consumer: str = "events", *, include_all: bool = True, follow: bool = True) -> EventStream:
        """
        Yield events without end: messages, recalls, changes of contacts, activity of the phone.

        With a journal each event is stored before it is yielded, and a request for the next event acknowledges the one
        before. An event that was yielded and not acknowledged is yielded again, marked `redelivered`; no other event is
        yielded twice. A slow or missing reader does not delay the sync.

        Without a journal, a batch is saved together with its next position before its first event is yielded. Events
        that were not yielded are yielded first the next time, also in another process with the same store. After a
        crash the events of one batch may be yielded again.

        Failures of the network do not end the stream: polls and fetches are retried with growing delays until the login
        ends.

        Args:
            consumer: Name of the consumer; each name has its own position in the journal. A new consumer begins with
                new events; only the first consumer of a journal begins with its oldest event. Without a journal there
                is one position.
            include_all: False leaves out activity of the phone and changes of contacts.
            follow: False ends the stream once no event waits, and after a failure of the network.

        Raises:
            LoggedOut: The login ended.
            AlreadyRunning: Another process is syncing this login, or this consumer is open elsewhere; without a journal
                also if another part of this process is syncing.
            StorageError: The journal cannot be opened.

        Wire: synccheck, webwxsync

        """
        return self._events.events(consumer, include_all=include_all, follow=follow)

    def subscribe(self, consumer: str, *, follow: bool = True, shows: bool = False) -> Subscription:
        """
        Return a subscription to this account's events; open it with `async with`.

        It is for programs that acknowledge events by number and in any order, as a bot does; `events` is simpler. It
        needs a journal.

        Args:
            consumer: Name of the consumer, as for `events`.
            follow: False: do not poll; the subscription ends once no event waits.
            shows: The caller calls `Subscription.show` for each event that a handler gets; otherwise each taken event
                counts as shown, and is marked `redelivered` when it is delivered again.

        """
        return self._events.subscribe(consumer, follow=follow, shows=shows)

    async def wait_for_kept(self) -> None:
        """
        Return once the received media are archived or given up.

        It is for a program that reads some events and ends. Media are archived in the background anyway (`keep=`); the
        rest is fetched at the next start, if the platform still has it. The call does not wait for media that need the
        network or the disk to recover, and returns at once without `keep=` or a stream of events.
        """
        await self._events.wait_for_kept()
