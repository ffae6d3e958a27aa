"""The client without `await`: each call runs on the loop that all clients of the process share."""

# Written by `make blocking` from AsyncClient; do not edit.

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from webwx.client.blocking_stream import BlockingEventStream, iterate
from webwx.client.blocking_subscription import BlockingSubscription
from webwx.client.client import AsyncClient
from webwx.client.login import print_code
from webwx.client.loop_thread import run
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from webwx.client.dead_letters import DeadLetter
    from webwx.client.files import Source
    from webwx.client.identities import To
    from webwx.client.login import LoginStep
    from webwx.client.media import Progress
    from webwx.client.rate_limit import RateLimit, RateLimitState, WaitReason
    from webwx.client.recalled import Recalled
    from webwx.client.state import LoginState, StateChange
    from webwx.errors import LoggedOut
    from webwx.model.address_book import Contacts
    from webwx.model.archive import Keep
    from webwx.model.contacts import Admission, Contact, Lookup, Member
    from webwx.model.identities import Identity, Link
    from webwx.model.login import Account, QrCode
    from webwx.model.messages import Event, FriendRequest, Message, MessageRecalled, Person, Receipt
    from webwx.protocol.hosts import Desktop
    from webwx.storage.base import Journal, LoginStore, Outgoing, State
    from webwx.transport.runner import Transport


class Client:
    """
    A client of one account.

    Args:
        host: Where to log in: `filehelper` (File Transfer Helper web, open to every account), `web`, `desktop`, or the
            name of an API host such as `wx2.qq.com`. Default: `filehelper`, or `web` when a server is given.
        server: Origin of a server that plays all hosts, such as a sandbox's `http://127.0.0.1:8790`.
        store: Where the login is kept; default: in memory.
        transport: What carries the requests; default: real HTTP.
        timeouts: How long to wait, for the default transport.
        clock: Seconds since 1970.
        proxy: Address of a proxy for the default transport; none of the environment is used.
        ca_file: Certificates to trust in place of the system's, for the default transport.
        allowed_hosts: API hosts a login may be sent on to beside the platform's own, such as `wx9.qq.com`.
        desktop: What host `desktop` needs for its login; not used elsewhere.
        on_logged_out: Called once when the platform ends the login, with the reason; it must not call verbs itself.
        on_state: Called with each change of `state`, and when a login has to be tried again; it must not call verbs
            itself. Default: it is logged.
        journal: Where what arrives and what is sent is kept: the path of a file, which this client opens and closes, or
            a journal for as many clients as you like, to be closed after them.
        keep: Which media are fetched as they arrive and kept beside the journal, against recalls; default: none.
        dedupe_by_client_id: Repeat a send whose answer was lost, up to three times with the same client id. Only for a
            server that is known to deliver such a repeat once; of the platform this is not known.
        rate_limit: Rate limit of the account, shared by all processes of the journal; by default calls are sent at once
            and a refusal as too frequent (1205) is raised.
        on_wait: Called with the seconds and the reason, `rate_limit` or `refused`, when a call has to wait.

    Raises:
        NotOnThisHost: There is no such host, or the server is no address.
        InvalidSettings: The proxy is no address.
        NoJournal: Media are to be kept, and there is no journal to keep them beside.
    """

    def __init__(
        self,
        *,
        host: str | None = None,
        server: str | None = None,
        store: LoginStore | None = None,
        transport: Transport | None = None,
        timeouts: Timeouts = Timeouts(),
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
    ) -> None:
        self._client = AsyncClient(
            host=host,
            server=server,
            store=store,
            transport=transport,
            timeouts=timeouts,
            clock=clock,
            proxy=proxy,
            ca_file=ca_file,
            allowed_hosts=allowed_hosts,
            desktop=desktop,
            on_logged_out=on_logged_out,
            on_state=on_state,
            journal=journal,
            keep=keep,
            dedupe_by_client_id=dedupe_by_client_id,
            rate_limit=rate_limit,
            on_wait=on_wait,
        )

    def __repr__(self) -> str:
        return repr(self._client).replace("AsyncClient", "Client", 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Save what the store does not know yet, and let go of all connections and files. The login lives on."""
        run(self._client.close())

    @property
    def account(self) -> Account:
        """
        The account that is logged in.

        Raises:
            NotLoggedIn: There is no login.
        """
        return self._client.account

    @property
    def state(self) -> LoginState:
        """How the login is; only the platform's word ends it, never the network."""
        return self._client.state

    @property
    def last_sync_at(self) -> float | None:
        """
        When the platform last said what is new or that nothing is: seconds since 1970, by the server's clock.

        None: not yet. While events are read and the state is ONLINE it is never older than a minute and a half.
        """
        return self._client.last_sync_at

    def rate_limit_state(self) -> RateLimitState | None:
        """
        Return what this account's rate limit allows now; None if this client has no rate limit.

        With a journal it covers all processes of the account. Actions that wait in a process behind another one are not
        counted, because they have no reservation yet.

        Raises:
            NotLoggedIn: There is no login.
            StorageError: The journal cannot be read.
        """
        return run(self._client.rate_limit_state())

    def login(
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
        return run(
            self._client.login(
                show_qr=show_qr, max_codes=max_codes, on_push=on_push, on_step=on_step, is_patient=is_patient
            )
        )

    def resume(self) -> Account:
        """
        Continue with the saved login, without a request.

        Raises:
            NotLoggedIn: No login is saved.
            InvalidLogin: It cannot be read.
            StorageError: The journal cannot be.
        """
        return run(self._client.resume())

    def check(self) -> Account:
        """
        Ask the server whether the login is alive. Nothing is taken from what `events` yields, here or elsewhere.

        Raises:
            LoggedOut: It has ended.

        Wire: webwxinit
        """
        return run(self._client.check())

    def logout(self) -> None:
        """
        End the login here and on the server.

        Raises:
            NotLoggedIn: There is no login.
            StorageError: The login has ended, and the store does not let go of it.

        Wire: webwxlogout
        """
        run(self._client.logout())

    @property
    def clock(self) -> Callable[[], float]:
        """What this client takes the time from: seconds since 1970."""
        return self._client.clock

    @property
    def contacts(self) -> Contacts:
        """Everybody known in this login: found by id at once, by name through an index."""
        return self._client.contacts

    def list_contacts(self) -> list[Contact]:
        """
        Fetch all contacts again, chatrooms with their members.

        A contact is removed only if a complete list lacks it. A chatroom with missing members has `is_incomplete`.

        Raises:
            NotOnThisHost: File Transfer Helper has none.
            ProtocolError: The list came incomplete. Those who came are known, and all others are still.
            LoggedOut: The login ended.

        Wire: webwxgetcontact, webwxbatchgetcontact
        """
        return run(self._client.list_contacts())

    def list_chats(self) -> list[Contact]:
        """
        Fetch the recent chats, the newest first. Nothing is taken from what `events` will yield.

        Raises:
            LoggedOut: The login ended.

        Wire: webwxinit, webwxbatchgetcontact
        """
        return run(self._client.list_chats())

    def get_contacts(self, ids: Iterable[str]) -> Lookup:
        """
        Fetch people and chatrooms by id, chatrooms with their members, and say who is missing.

        Args:
            ids: Any number; the server is asked for fifty at a time, and once more for those it left out.

        Raises:
            NotOnThisHost: File Transfer Helper has none.
            LoggedOut: The login ended.

        Wire: webwxbatchgetcontact
        """
        return run(self._client.get_contacts(ids))

    def set_remark(self, contact: To, remark: str) -> Contact:
        """
        Set the remark of a contact, a name that only this account sees; an empty one removes it.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            RateLimited: Too many changes.

        Wire: webwxoplog
        """
        return run(self._client.set_remark(contact, remark))

    def set_pinned(self, contact: To, is_pinned: bool = True) -> Contact:
        """
        Pin a chat to the top of the list on all devices, or let it go.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            RateLimited: Too many changes.

        Wire: webwxoplog
        """
        return run(self._client.set_pinned(contact, is_pinned))

    def download_avatar(self, who: To | Member, *, met_in: To | None = None) -> bytes:
        """
        Download the picture of a person or a chatroom.

        Args:
            who: Whose.
            met_in: For a member who is no friend, the chatroom.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            MediaUnavailable: There is none, or you have asked too often.

        Wire: webwxgeticon, webwxgetheadimg
        """
        return run(self._client.download_avatar(who, met_in=met_in))

    def add_friend(self, person: To | Person | Member, greeting: str = "") -> None:
        """
        Send a friend request. The platform limits this heavily.

        Args:
            person: From a card, a chatroom's members, or an id.
            greeting: What they read.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            RateLimited: Too many requests.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxverifyuser
        """
        run(self._client.add_friend(person, greeting))

    def accept_friend(self, request: FriendRequest) -> None:
        """
        Accept a friend request; the events `ContactChanged` and `FriendAdded` follow.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            ApiError: The request is not open any more.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxverifyuser
        """
        run(self._client.accept_friend(request))

    def who(self, which: To) -> Identity:
        """
        Return the identity of a contact of any login.

        Args:
            which: A number, a contact, an id of any login, or a name.

        Raises:
            NoJournal: There is none, and so no numbers.
            UnknownContact: No contact has that number, id or name, or several have that name.
            StorageError: The journal cannot be read.
        """
        return run(self._client.who(which))

    def find_contact(self, which: To) -> Contact:
        """
        Find a contact of this login.

        Args:
            which: A contact, an id, a remark or a nickname; with a journal also an identity, or its number.

        Raises:
            NotLoggedIn: There is no login.
            UnknownContact: No contact has that name or number, or several have.
            StaleContact: It is an id of an earlier login, or a number, and no contact of this login.
        """
        return run(self._client.find_contact(which))

    def list_identities(self, name: str = "") -> list[Identity]:
        """
        List everybody who has a number, those of earlier logins too.

        Args:
            name: Only who was last shown as this, or has it as nickname or remark.

        Raises:
            NoJournal: There is none, and so no numbers.
            StorageError: The journal cannot be read.
        """
        return run(self._client.list_identities(name))

    def why(self, which: To) -> list[Link]:
        """
        Return the contacts of all logins that are linked to an identity, the newest first, with the evidence.

        Args:
            which: As for `who`.

        Raises:
            NoJournal: There is none, and so no numbers.
            UnknownContact: No contact has that number, id or name, or several have that name.
            StorageError: The journal cannot be read.
        """
        return run(self._client.why(which))

    def merge_identities(self, one: To, other: To) -> Identity:
        """
        Merge two identities for good; the first one's number stays.

        Args:
            one: As for `who`.
            other: As for `who`; this number leads to the first one from now on.

        Raises:
            NoJournal: There is none, and so no numbers.
            UnknownContact: No contact has a number, id or name, or several have a name.
            InvalidRequest: Twice the same, a person and a chatroom, or two who are both in this login.
            StorageError: The journal cannot be written.
        """
        return run(self._client.merge_identities(one, other))

    def split_identity(self, which: To, contact_id: str) -> Identity:
        """
        Unlink a contact from an identity for good, and return the identity it has now.

        Args:
            which: Whom it was taken for, as for `who`.
            contact_id: Its id, as `why` gives it.

        Raises:
            NoJournal: There is none, and so no numbers.
            UnknownContact: No contact has that number, id or name; or the identity never had that id, or no other.
            StorageError: The journal cannot be written.
        """
        return run(self._client.split_identity(which, contact_id))

    def create_chatroom(self, people: Iterable[To | Member], *, name: str = "") -> Admission:
        """
        Open a chatroom with at least two others.

        Args:
            people: The others. The result says who could not be added.
            name: May be empty; then apps show the members' names.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            TooFewMembers: Fewer than two others; nothing was sent.
            UnknownContact: No contact has a name, or several have it; nothing was sent.
            RateLimited: Too many chatrooms.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxcreatechatroom, webwxbatchgetcontact
        """
        return run(self._client.create_chatroom(people, name=name))

    def add_members(self, chatroom: To, people: Iterable[To | Member]) -> Admission:
        """
        Add friends to a chatroom; to a large one they are invited, as the page does from about forty members.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            UnknownContact: No contact has a name, several have it, or it is no chatroom; nothing was sent.
            RecipientRejected: You are no member.
            RateLimited: Too many changes.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxupdatechatroom (addmember, invitemember), webwxbatchgetcontact
        """
        return run(self._client.add_members(chatroom, people))

    def invite_members(self, chatroom: To, people: Iterable[To | Member]) -> Admission:
        """
        Send invitations to a chatroom, which have to be accepted.

        Raises: As `add_members`.

        Wire: webwxupdatechatroom (invitemember)
        """
        return run(self._client.invite_members(chatroom, people))

    def remove_members(self, chatroom: To, people: Iterable[To | Member]) -> Contact:
        """
        Remove members from a chatroom of your own, and give it as it is then.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            UnknownContact: No contact has a name, several have it, or it is no chatroom; nothing was sent.
            ApiError: A member is still there: only the owner can remove members.
            SendOutcomeUnknown: The answer was lost, or the members that came afterwards were incomplete.

        Wire: webwxupdatechatroom (delmember), webwxbatchgetcontact
        """
        return run(self._client.remove_members(chatroom, people))

    def rename_chatroom(self, chatroom: To, name: str) -> Contact:
        """
        Rename a chatroom.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            UnknownContact: No contact has a name, several have it, or it is no chatroom; nothing was sent.
            ApiError: You may not.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxupdatechatroom (modtopic)
        """
        return run(self._client.rename_chatroom(chatroom, name))

    def leave_chatroom(self, chatroom: To) -> None:
        """
        Leave a chatroom.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            UnknownContact: No contact has that name, several have it, or it is no chatroom; nothing was sent.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxupdatechatroom (quitchatroom)
        """
        run(self._client.leave_chatroom(chatroom))

    def send_text(self, to: To, text: str, *, key: str = "") -> Receipt:
        """
        Send a text.

        Args:
            to: A contact, `filehelper`, a remark, a nickname, or an id. With a journal also an identity or its number,
                and an id or a contact of an earlier login leads to that person or chatroom, if they are surely known.
            text: Sent as it is: nothing in it is a command, a path or markup. At most 16,000 characters.
            key: Your own name for this send, which needs a journal: with the same key again, in whatever process,
                nothing is sent twice. What was sent gives its receipt, what was refused or never left is tried again,
                and what may have been sent raises `SendOutcomeUnknown`.

        Raises:
            NoJournal: A key, and no journal; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            StaleContact: An id of an earlier login, whose owner is gone or not surely known; nothing was sent.
            EmptyText: No character; nothing was sent.
            TextTooLong: Beyond the limit; nothing was sent.
            RecipientRejected: Not a friend, or oneself.
            RateLimited: Too many sends.
            SendOutcomeUnknown: The answer was lost: it may have been sent, and is not repeated for you.
            LoggedOut: The login ended; nothing was sent.
            StorageError: The journal cannot be written; nothing was sent.

        Wire: webwxsendmsg
        """
        return run(self._client.send_text(to, text, key=key))

    def reply(self, message: Message, text: str, *, key: str = "") -> Receipt:
        """
        Send a text into the chat of a message.

        Raises: As `send_text`.

        Wire: webwxsendmsg
        """
        return run(self._client.reply(message, text, key=key))

    def retry_send(self, number: int) -> Receipt:
        """
        Send a text of the outbox that has not left, or was refused, under the client id that it has.

        What was sent meanwhile gives its receipt. Of anything but a text the outbox keeps the name only: send it anew,
        with the same key where it has one.

        Args:
            number: The send's, as `list_sends` gives it.

        Raises:
            NoJournal: There is none.
            InvalidRequest: There is no such send, or it is no text; nothing was sent.
            StaleContact: Its receiver is of an earlier login and gone, or not surely known; nothing was sent.
            SendOutcomeUnknown: It may have been sent, now or then.
            LoggedOut: The login ended; nothing was sent.

        Wire: webwxsendmsg
        """
        return run(self._client.retry_send(number))

    def mark_read(self, chat: To) -> None:
        """
        Mark a whole chat as read: its badge goes on the account's other devices. The other side learns nothing.

        Raises:
            UnknownContact: No contact has that name, or several have; nothing was sent.
            LoggedOut: The login ended.

        Wire: webwxstatusnotify (code 1)
        """
        run(self._client.mark_read(chat))

    def recall(self, sent: Receipt | Outgoing) -> None:
        """
        Take back a message this account sent.

        The other side sees a notice that something was recalled, not what it said. The platform allows this for two
        minutes; ask `receipt.can_recall(now)` first if you would rather not catch an exception.

        Args:
            sent: What `send_…`, `reply` or `forward` returned, here or in another process; or the send as `list_sends`
                and `find_send` give it.

        Raises:
            InvalidRequest: The message was not sent, or that is unknown; there is nothing to recall yet.
            RecallExpired: The two minutes are over. The message stays.
            StaleContact: It was sent in an earlier login, and that chat is gone or not surely known. The message stays.
            RecallRefused: It is not a message of this account, or unknown to the platform. The message stays.
            SendOutcomeUnknown: The answer was lost.
            LoggedOut: The login ended.

        Wire: webwxrevokemsg
        """
        run(self._client.recall(sent))

    def send_image(
        self, to: To, image: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """
        Send a picture: JPEG, PNG, BMP, or a GIF, which goes as a sticker and keeps moving.

        Args:
            to: As for `send_text`.
            image: A path, the picture's bytes, or a binary stream, which is read to its end.
            name: The file's name; default: the path's.
            progress: Called with the bytes that are done and those of the whole.
            key: As for `send_text`.

        Raises:
            NoSuchFile: The path names no readable file; nothing was sent.
            EmptyFile: It has no bytes; nothing was sent.
            TooLarge: More than 20 MiB; nothing was sent.
            NotAPicture: It is none of these kinds; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            LocalStateError: The file was changed while it was uploaded; nothing was sent to anybody.
            InvalidLogin: The login has no cookie of the file host; nothing was sent.
            SendOutcomeUnknown: An answer was lost: it may have been sent, and is not repeated for you.

        Wire: webwxuploadmedia, webwxsendmsgimg, webwxsendemoticon
        """
        return run(self._client.send_image(to, image, name=name, progress=progress, key=key))

    def send_video(
        self, to: To, video: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """
        Send a video: mp4.

        Args:
            to: As for `send_text`.
            video: A path, the video's bytes, or a binary stream, which is read to its end.
            name: The file's name; default: the path's.
            progress: Called with the bytes that are done and those of the whole.
            key: As for `send_text`.

        Raises:
            NoSuchFile: The path names no readable file; nothing was sent.
            EmptyFile: It has no bytes; nothing was sent.
            TooLarge: More than 20 MiB; nothing was sent.
            InvalidRequest: It is no mp4; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            LocalStateError: The file was changed while it was uploaded; nothing was sent to anybody.
            InvalidLogin: The login has no cookie of the file host; nothing was sent.
            SendOutcomeUnknown: An answer was lost: it may have been sent, and is not repeated for you.

        Wire: webwxuploadmedia, webwxsendvideomsg
        """
        return run(self._client.send_video(to, video, name=name, progress=progress, key=key))

    def send_sticker(
        self, to: To, sticker: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """
        Send a sticker: a GIF, or one that the platform knows by its md5.

        Args:
            to: As for `send_text`.
            sticker: A path, the GIF's bytes, a binary stream, or 32 hex digits: what a `StickerMessage` has as `md5`.
            name: The file's name; default: the path's.
            progress: Called with the bytes that are done and those of the whole.
            key: As for `send_text`.

        Raises:
            NoSuchFile: The path names no readable file; nothing was sent.
            EmptyFile: It has no bytes; nothing was sent.
            TooLarge: More than 20 MiB; nothing was sent.
            NotAPicture: It is no GIF; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            ApiError: The platform knows no sticker of that md5.
            LocalStateError: The file was changed while it was uploaded; nothing was sent to anybody.
            InvalidLogin: The login has no cookie of the file host; nothing was sent.
            SendOutcomeUnknown: An answer was lost: it may have been sent, and is not repeated for you.

        Wire: webwxuploadmedia, webwxsendemoticon
        """
        return run(self._client.send_sticker(to, sticker, name=name, progress=progress, key=key))

    def send_file(
        self, to: To, file: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """
        Send a file of any kind. It is read by pieces and never whole in memory.

        Args:
            to: As for `send_text`.
            file: A path, the file's bytes, or a binary stream, which is read to its end before anything is sent.
            name: What the receiver sees; default: the path's.
            progress: Called with the bytes that are done and those of the whole.
            key: As for `send_text`.

        Raises:
            NoSuchFile: The path names no readable file; nothing was sent.
            EmptyFile: It has no bytes; nothing was sent.
            TooLarge: More than 1 GiB; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            LocalStateError: The file was changed while it was uploaded; nothing was sent to anybody.
            InvalidLogin: The login has no cookie of the file host; nothing was sent.
            SendOutcomeUnknown: An answer was lost: it may have been sent, and is not repeated for you.

        Wire: webwxcheckupload, webwxuploadmedia, webwxuploadmediaparallel, webwxsendappmsg
        """
        return run(self._client.send_file(to, file, name=name, progress=progress, key=key))

    def download(self, message: Message | Receipt | str, *, progress: Progress | None = None) -> bytes:
        """
        Download what a message shows: a picture, sticker, voice, video, file, or a location's map.

        For what may be large there is `download_to`: here it is at most 64 MiB. What was kept of it when it arrived is
        given without asking, whatever has become of the message.

        Args:
            message: A received message. The receipt of a sent picture or a message id: its picture.
            progress: Called with the bytes that are done and those of the whole; 0: the size is unknown.

        Raises:
            MediaUnavailable: Recalled, expired, not there yet, or nothing that can be downloaded.
            InvalidLogin: The login has no cookie of the file host, and it is a file; nothing was asked for.
            ProtocolError: It is larger than that.
            LoggedOut: The login ended.

        Wire: webwxgetmsgimg, webwxgetvoice, webwxgetvideo, webwxgetmedia, webwxgetpubliclinkimg
        """
        return run(self._client.download(message, progress=progress))

    def download_to(
        self, message: Message | Receipt | str, to: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> Path:
        """
        Download what a message shows into a file, and give its path.

        The file appears when it is complete, for its owner alone; nothing is ever written over. What was kept of it
        when it arrived is given without asking, whatever has become of the message.

        Args:
            message: As for `download`.
            to: A folder, in which it gets the name its sender gave it, made harmless, or one of its own; or the path
                of a file that does not exist yet.
            progress: Called with the bytes that are done and those of the whole; 0: the size is unknown.

        Raises:
            MediaUnavailable: Recalled, expired, not there yet, or nothing that can be downloaded.
            NoSuchFile: There is no such folder; nothing was asked for.
            InvalidRequest: The path is taken; nothing was asked for.
            LocalStateError: It cannot be written there.
            InvalidLogin: The login has no cookie of the file host, and it is a file; nothing was asked for.
            ProtocolError: It is larger than 1 GiB.
            LoggedOut: The login ended.

        Wire: webwxgetmsgimg, webwxgetvoice, webwxgetvideo, webwxgetmedia, webwxgetpubliclinkimg
        """
        return run(self._client.download_to(message, to, progress=progress))

    def download_thumbnail(self, message: Message | Receipt | str) -> bytes:
        """
        Download the small picture of a picture, a video, a link or a location.

        Raises:
            MediaUnavailable: It has none, or not any more.
            LoggedOut: The login ended.

        Wire: webwxgetmsgimg
        """
        return run(self._client.download_thumbnail(message))

    def forward(self, message: Event, to: To, *, key: str = "") -> Receipt:
        """
        Send a received message on, recalled or not: by the keys in its content, else by download and upload.

        Texts, locations, pictures, videos, stickers and files can be sent on. The receipt's `way` says how it went.
        Without keys, or when they are not valid any more, it is sent anew: from what was kept of it when it arrived
        (`keep=`), else by a download, which a recalled one mostly does not allow. A voice that was kept goes as a file.

        Args:
            message: A message; or a recall notice whose original is still known.
            to: As for `send_text`.
            key: As for `send_text`.

        Raises:
            NotForwardable: Another kind of message, a sticker of the store, or a picture or video that came without
                keys and is not served any more; nothing was sent.
            UnknownContact: No contact has that name, or several have; nothing was sent.
            MediaUnavailable: Its keys are not valid any more, and the platform has it no longer; nothing was sent.
            SendOutcomeUnknown: The answer was lost: it may have been sent, and is not repeated for you.

        Wire: webwxsendmsg, webwxsendmsgimg, webwxsendvideomsg, webwxsendemoticon, webwxsendappmsg
        """
        return run(self._client.forward(message, to, key=key))

    def history(
        self, chat: To | None = None, *, limit: int = 50, before: int | None = None, since: float = 0, until: float = 0
    ) -> list[Event | Outgoing]:
        """
        Return messages, recalls, gaps and sends, the oldest first.

        A send that came back as a message is given as that message alone.

        Args:
            chat: As for `send_text`, and all that this person or chatroom ever was counts; a name may be one of an
                earlier login. None: all chats.
            limit: The newest so many.
            before: Older than the event with this number, to go on from there.
            since: Not before this time, in seconds since 1970.
            until: Not after this time; 0: until now.

        Raises:
            NoJournal: There is none.
            UnknownContact: No contact ever had that name, or several had.
            StorageError: The journal cannot be read.
        """
        return run(self._client.history(chat, limit=limit, before=before, since=since, until=until))

    def search(
        self, words: str, *, chat: To | None = None, limit: int = 50, before: int | None = None
    ) -> list[Event | Outgoing]:
        """
        Return the messages and sends that contain all of these words, the newest first.

        A word of Chinese is found anywhere; one of another script by its beginning. What was sent from here is looked
        for among the newest 10,000 sends.

        Args:
            words: In any order, with blanks between them; at most 200 words or Chinese characters.
            chat: As for `history`.
            limit: The newest so many.
            before: Older than the event with this number, to go on from there; then without sends.

        Raises:
            InvalidRequest: More words than a search takes.
            NoJournal: There is none.
            UnknownContact: No contact ever had that name, or several had.
            StorageError: The journal cannot be read.
        """
        return run(self._client.search(words, chat=chat, limit=limit, before=before))

    def find_message(self, which: str | int) -> Event | None:
        """
        Find what was received, whatever its age; None when the journal does not have it.

        Args:
            which: The platform's id, or an event's number.

        Raises:
            NoJournal: There is none.
            StorageError: The journal cannot be read.
        """
        return run(self._client.find_message(which))

    def list_sends(self, *states: State, chat: To | None = None, limit: int = 50) -> list[Outgoing]:
        """
        Return the sends of the outbox, the newest first, with their states.

        Args:
            states: Only those that are in one of these.
            chat: As for `history`.
            limit: At most so many.

        Raises:
            NoJournal: There is none.
            UnknownContact: No contact ever had that name, or several had.
            StorageError: The journal cannot be read.
        """
        return run(self._client.list_sends(*states, chat=chat, limit=limit))

    def find_send(
        self, *, key: str = "", number: int = 0, client_id: str = "", message_id: str = ""
    ) -> Outgoing | None:
        """
        Find what was sent from here, by one of its names; None when there is none of that name.

        Args:
            key: What `send_text` and its like were given.
            number: The send's.
            client_id: As in its receipt.
            message_id: The same.

        Raises:
            NoJournal: There is none.
            StorageError: The journal cannot be read.
        """
        return run(self._client.find_send(key=key, number=number, client_id=client_id, message_id=message_id))

    def was_sent_here(self, message: Message | MessageRecalled) -> bool:
        """
        Return whether a message of this account was sent by this library and came back through sync.

        The phone's own are not. Of a recall it says whether the message was. While a send to that chat is on its way
        the answer is not known, so this waits for its end.

        Raises:
            NoJournal: There is none.
            StorageError: The journal cannot be read.
        """
        return run(self._client.was_sent_here(message))

    def forget_send(self, number: int) -> bool:
        """
        Delete a send from the outbox, which frees its key; says whether there was one that is not on its way.

        Raises:
            NoJournal: There is none.
            StorageError: The journal cannot be written.
        """
        return run(self._client.forget_send(number))

    def find_people(self, ids: Iterable[str]) -> Contacts:
        """
        Find the contacts that had these ids, in this login or an earlier one.

        Raises:
            NoJournal: There is none.
            StorageError: The journal cannot be read.
        """
        return run(self._client.find_people(ids))

    def export_history(self) -> Generator[Event | Outgoing, None, None]:
        """
        Yield everything there is, oldest first: all events, then the sends that did not come back as one of them.

        Raises:
            NoJournal: There is none.
            StorageError: The journal cannot be read.
        """
        return iterate(self._client.export_history())

    def purge_history(self, chat: To | None = None, *, before: float = 0) -> int:
        """
        Delete what was said and sent for good, and give how much that was; one of both must be given.

        A consumer that had not seen all of it gets an event for the gap.

        Args:
            chat: As for `history`. None: all chats.
            before: Only what is older than this time, in seconds since 1970. 0: of any age.

        Raises:
            NoJournal: There is none.
            UnknownContact: No contact ever had that name, or several had.
            StorageError: The journal cannot be written.
        """
        return run(self._client.purge_history(chat, before=before))

    def purge_kept(self, *, before: float = 0) -> int:
        """
        Delete the media that were kept as they arrived, but not their messages; gives of how many.

        Args:
            before: Only what was kept before this time, in seconds since 1970. 0: all.

        Raises:
            NoJournal: There is none.
            StorageError: The journal cannot be written.
        """
        return run(self._client.purge_kept(before=before))

    def list_recalled(self, chat: To | None = None, *, limit: int = 50) -> list[Recalled]:
        """
        Return the recalls, the newest first, those of this account as well.

        Args:
            chat: As for `history`.
            limit: At most so many.

        Raises:
            NoJournal: There is none.
            UnknownContact: No contact ever had that name, or several had.
            StorageError: The journal cannot be read.
        """
        return run(self._client.list_recalled(chat, limit=limit))

    def list_dead_letters(self, *, consumer: str = "bot", limit: int = 50) -> list[DeadLetter]:
        """
        Return the dead letters of a consumer, the newest first.

        Args:
            consumer: Name of the consumer, as given to `deliver` or `Bot`.
            limit: At most so many.

        Raises:
            NoJournal: There is none.
            StorageError: The journal cannot be read.
        """
        return run(self._client.list_dead_letters(consumer=consumer, limit=limit))

    def revive(self, number: int, *, consumer: str = "bot") -> bool:
        """
        Have an event handled once more that was given up, as one new attempt; says whether there was one.

        A bot that is running gets it within seconds, whichever process it is in; one that is not, when it starts. Its
        place in its chat has passed: it comes behind what was handled since.

        Args:
            number: The event's.
            consumer: As for `list_dead_letters`.

        Raises:
            NoJournal: There is none.
            StorageError: The journal cannot be written.
        """
        return run(self._client.revive(number, consumer=consumer))

    def events(self, consumer: str = "events", *, include_all: bool = True, follow: bool = True) -> BlockingEventStream:
        """
        Yield what happens, for ever: messages, recalls, changes of contacts, activity of the phone.

        With a journal everything is stored before it is yielded, and asking for the next event says that one is done
        with the one before. What was yielded and not done with comes again, marked `redelivered`; nothing else comes
        twice. Reading slowly, or not at all, holds nothing up.

        Without one, a batch is saved together with the position it leads to, before its first event is yielded; what
        was not yielded when you stop is yielded first the next time, also in another process with the same store. After
        a crash the events of one batch may come again.

        The network may come and go: polls and fetches are repeated, slower each time, until the login ends.

        Args:
            consumer: Whose place in the journal is read from and moved on; each name has its own. A new one begins
                now, and the first one of all with what is there. Without a journal there is one place only.
            include_all: False leaves out activity of the phone and changes of contacts.
            follow: False ends as soon as nothing waits any more; a failure of the network ends it too, then.

        Raises:
            LoggedOut: The login ended.
            AlreadyRunning: Another process is syncing this login, or this consumer is read from elsewhere; without a
                journal also when another part of this process is syncing.
            StorageError: The journal cannot be opened.

        Wire: synccheck, webwxsync
        """
        return BlockingEventStream(self._client.events(consumer, include_all=include_all, follow=follow))

    def subscribe(self, consumer: str, *, follow: bool = True, shows: bool = False) -> BlockingSubscription:
        """
        Return a subscription to this account's events, to be opened with `with`.

        For programs that acknowledge events by number and out of order, as a bot does; `events` is the simpler way. A
        journal is needed.

        Args:
            consumer: Whose place in the journal is read from and moved on, as for `events`.
            follow: False: do not poll; the subscription ends once nothing waits any more.
            shows: `Subscription.show` tells what is handed out; otherwise everything that is taken counts as handed
                out, and is marked `redelivered` when it comes again.
        """
        return BlockingSubscription(self._client.subscribe(consumer, follow=follow, shows=shows))

    def wait_for_kept(self) -> None:
        """
        Return once the media that have arrived are kept, or are not to be had.

        For a program that reads some events and ends. While it runs they are fetched anyway, as `keep=` has asked for;
        what was not fetched when it ends is fetched the next time, if the platform still has it. Media that only a
        better network or disk could bring are not waited for, and without `keep=` or a stream of events none are.
        """
        run(self._client.wait_for_kept())
