"""
The client to call: the same verbs as `AsyncClient`, without `await`.

All clients of a process share one event loop in one thread; the logic stays in `AsyncClient` alone.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from webwx.client.client import AsyncClient
from webwx.client.login import print_code
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
    from pathlib import Path
    from types import TracebackType
    from typing import Any, Self

    from webwx.client.dead_letters import DeadLetter
    from webwx.client.files import Source
    from webwx.client.identity import To
    from webwx.client.login import LoginStep
    from webwx.client.media import Progress
    from webwx.client.rate_limit import Pace, Pacing, Why
    from webwx.client.recalled import Recalled
    from webwx.client.state import LoginState, StateChange
    from webwx.client.stream import EventStream
    from webwx.client.subscription import Delivered, Subscription
    from webwx.errors import LoggedOut
    from webwx.model.address_book import Contacts
    from webwx.model.archive import Keep
    from webwx.model.contacts import Admission, Contact, Lookup, Member
    from webwx.model.identities import Identity, Link
    from webwx.model.login import Account, QrCode
    from webwx.model.messages import Event, FriendRequest, Message, MessageRecalled, Person, Receipt
    from webwx.protocol.hosts import Desktop
    from webwx.storage.base import Journal, Outgoing, State
    from webwx.storage.login import LoginStore
    from webwx.transport.runner import Transport

T = TypeVar("T")
U = TypeVar("U", covariant=True)

_loop: asyncio.AbstractEventLoop | None = None
_starting = threading.Lock()


def _shared_loop() -> asyncio.AbstractEventLoop:
    """Give the process's loop, started at the first call."""
    global _loop
    with _starting:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="webwx", daemon=True).start()
        return _loop


class _Call(Generic[T]):
    """
    Some work on its way through the loop.

    An interrupt may come at any moment, so the outcome exists before the work begins, and nobody but its end sets it.
    """

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self.outcome: Future[T] = Future()
        self._work = work
        self._task: asyncio.Future[T] | None = None

    def begin(self) -> None:
        self._task = asyncio.ensure_future(self._work)
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        else:
            self._work.close()
            self.outcome.set_exception(CancelledError())

    def _end(self, task: asyncio.Future[T]) -> None:
        error = CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(task.result())


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
            server that is known to deliver such a repeat once; nobody knows that of the platform.
        pace: How fast the account may act, with all processes that share the journal; default: whatever is called
            leaves at once, and what the platform refuses as too often is raised.
        on_wait: Called with the seconds and the reason, `pace` or `refused`, when something has to wait for the pace.

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
        self._client = AsyncClient(
            host=host, server=server, store=store, transport=transport, timeouts=timeouts, clock=clock,
            proxy=proxy, ca_file=ca_file, allowed_hosts=allowed_hosts, desktop=desktop, on_logged_out=on_logged_out,
            on_state=on_state, journal=journal, keep=keep, dedupe_by_client_id=dedupe_by_client_id, pace=pace,
            on_wait=on_wait,
        )  # fmt: skip

    def __repr__(self) -> str:
        return repr(self._client).replace("AsyncClient", "Client", 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the loop; an interrupt here cancels it there, and goes on once it has ended."""
        loop, call = _shared_loop(), _Call(work)
        try:
            loop.call_soon_threadsafe(call.begin)
            return call.outcome.result()
        finally:
            if not call.outcome.done():
                loop.call_soon_threadsafe(call.cancel)
                call.outcome.exception()

    def close(self) -> None:
        """Save what the store does not know yet, and let go of all connections and files. The login lives on."""
        self._wait(self._client.close())

    def pacing(self) -> Pacing | None:
        """Say how this account stands with its pace; None when this client has none."""
        return self._wait(self._client.pacing())

    # -- login -------------------------------------------------------------------------------------------------------

    @property
    def account(self) -> Account:
        """
        Who is logged in.

        Raises:
            LoggedOut: Nobody.
        """
        return self._client.account

    @property
    def state(self) -> LoginState:
        """How the login is; only the platform's word ends it, never the network."""
        return self._client.state

    @property
    def last_sync_at(self) -> float | None:
        """When the platform last said what is new or that nothing is: seconds since 1970, by the server's clock."""
        return self._client.last_sync_at

    def login(
        self,
        *,
        show_qr: Callable[[QrCode], object] = print_code,
        max_codes: int = 3,
        on_push: Callable[[], object] | None = None,
        on_step: Callable[[LoginStep], object] | None = None,
        is_patient: bool = False,
    ) -> Account:
        """Log in: go on with the saved login when it is alive, else show a code and wait for the phone."""
        return self._wait(
            self._client.login(
                show_qr=show_qr, max_codes=max_codes, on_push=on_push, on_step=on_step, is_patient=is_patient
            )
        )

    def resume(self) -> Account:
        """Go on with the saved login, without asking the server."""
        return self._wait(self._client.resume())

    def check(self) -> Account:
        """Ask the server whether the login is alive. Nothing is taken from what `events` yields, here or elsewhere."""
        return self._wait(self._client.check())

    def logout(self) -> None:
        """End the login here and on the server."""
        self._wait(self._client.logout())

    # -- contacts ----------------------------------------------------------------------------------------------------

    @property
    def contacts(self) -> Contacts:
        """Everybody known in this login: found by id at once, by name through an index."""
        return self._client.contacts

    def list_contacts(self) -> list[Contact]:
        """Fetch all contacts again, chatrooms with their members."""
        return self._wait(self._client.list_contacts())

    def list_chats(self) -> list[Contact]:
        """Fetch the recent chats, the newest first. Nothing is taken from what `events` will yield."""
        return self._wait(self._client.list_chats())

    def get_contacts(self, ids: Iterable[str]) -> Lookup:
        """Fetch people and chatrooms by id, chatrooms with their members, and say who is missing."""
        return self._wait(self._client.get_contacts(ids))

    def set_remark(self, contact: To, remark: str) -> Contact:
        """Give somebody a name of your own; an empty one takes it away. Nobody but you sees it."""
        return self._wait(self._client.set_remark(contact, remark))

    def set_pinned(self, contact: To, is_pinned: bool = True) -> Contact:
        """Pin a chat to the top of the list on all devices, or let it go."""
        return self._wait(self._client.set_pinned(contact, is_pinned))

    def download_avatar(self, who: To | Member, *, met_in: To | None = None) -> bytes:
        """Download the picture of a person or a chatroom."""
        return self._wait(self._client.download_avatar(who, met_in=met_in))

    def add_friend(self, person: To | Person | Member, greeting: str = "") -> None:
        """Ask somebody to become a friend; they are one once they accept. The platform limits this heavily."""
        self._wait(self._client.add_friend(person, greeting))

    def accept_friend(self, request: FriendRequest) -> None:
        """Accept somebody's request; they come as a `ContactChanged` and a `FriendAdded` event."""
        self._wait(self._client.accept_friend(request))

    # -- chatrooms ---------------------------------------------------------------------------------------------------

    def create_chatroom(self, people: Iterable[To | Member], *, name: str = "") -> Admission:
        """Open a chatroom with at least two others."""
        return self._wait(self._client.create_chatroom(people, name=name))

    def add_members(self, chatroom: To, people: Iterable[To | Member]) -> Admission:
        """Add friends to a chatroom; to a large one they are invited, as the page does from about forty members."""
        return self._wait(self._client.add_members(chatroom, people))

    def invite_members(self, chatroom: To, people: Iterable[To | Member]) -> Admission:
        """Send invitations to a chatroom, which have to be accepted."""
        return self._wait(self._client.invite_members(chatroom, people))

    def remove_members(self, chatroom: To, people: Iterable[To | Member]) -> Contact:
        """Remove members from a chatroom of your own, and give it as it is then."""
        return self._wait(self._client.remove_members(chatroom, people))

    def rename_chatroom(self, chatroom: To, name: str) -> Contact:
        """Give a chatroom another name."""
        return self._wait(self._client.rename_chatroom(chatroom, name))

    def leave_chatroom(self, chatroom: To) -> None:
        """Leave a chatroom."""
        self._wait(self._client.leave_chatroom(chatroom))

    # -- the four actions, and what goes with them -------------------------------------------------------------------

    def send_text(self, to: To, text: str, *, key: str = "") -> Receipt:
        """Send a text."""
        return self._wait(self._client.send_text(to, text, key=key))

    def send_image(
        self, to: To, image: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """Send a picture: JPEG, PNG, BMP, or a GIF, which goes as a sticker and keeps moving."""
        return self._wait(self._client.send_image(to, image, name=name, progress=progress, key=key))

    def send_video(
        self, to: To, video: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """Send a video: mp4."""
        return self._wait(self._client.send_video(to, video, name=name, progress=progress, key=key))

    def send_sticker(
        self, to: To, sticker: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """Send a sticker: a GIF, or one that the platform knows by its md5."""
        return self._wait(self._client.send_sticker(to, sticker, name=name, progress=progress, key=key))

    def send_file(
        self, to: To, file: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """Send a file of any kind. It is read by pieces and never whole in memory."""
        return self._wait(self._client.send_file(to, file, name=name, progress=progress, key=key))

    def reply(self, message: Message, text: str, *, key: str = "") -> Receipt:
        """Send a text into the chat of a message."""
        return self._wait(self._client.reply(message, text, key=key))

    def retry_send(self, number: int) -> Receipt:
        """Send a text of the outbox that has not left, or was refused, under the client id that it has."""
        return self._wait(self._client.retry_send(number))

    def mark_read(self, chat: To) -> None:
        """Mark a whole chat as read: its badge goes on the account's other devices. The other side learns nothing."""
        self._wait(self._client.mark_read(chat))

    def recall(self, sent: Receipt | Outgoing) -> None:
        """Take back a message this account sent."""
        self._wait(self._client.recall(sent))

    def forward(self, message: Event, to: To, *, key: str = "") -> Receipt:
        """Send a received message on, recalled or not: by the keys in its content, else by download and upload."""
        return self._wait(self._client.forward(message, to, key=key))

    def download(self, message: Message | Receipt | str, *, progress: Progress | None = None) -> bytes:
        """Download what a message shows: a picture, sticker, voice, video, file, or a location's map."""
        return self._wait(self._client.download(message, progress=progress))

    def download_to(
        self, message: Message | Receipt | str, to: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> Path:
        """Download what a message shows into a file, and give its path."""
        return self._wait(self._client.download_to(message, to, progress=progress))

    def download_thumbnail(self, message: Message | Receipt | str) -> bytes:
        """Download the small picture of a picture, a video, a link or a location."""
        return self._wait(self._client.download_thumbnail(message))

    # -- sync --------------------------------------------------------------------------------------------------------

    def events(self, consumer: str = "events", *, include_all: bool = True, follow: bool = True) -> BlockingEventStream:
        """Yield what happens, for ever: messages, recalls, changes of contacts, activity of the phone."""
        return BlockingEventStream(self._client.events(consumer, include_all=include_all, follow=follow), self._wait)

    def subscribe(self, consumer: str, *, follow: bool = True, shows: bool = False) -> BlockingSubscription:
        """Return a subscription to this account's events, to be opened with `async with`."""
        return BlockingSubscription(self._client.subscribe(consumer, follow=follow, shows=shows), self._wait)

    # -- who is who --------------------------------------------------------------------------------------------------

    def who(self, which: To) -> Identity:
        """Say who somebody is, whatever their id was."""
        return self._wait(self._client.who(which))

    def list_identities(self, name: str = "") -> list[Identity]:
        """List everybody who has a number, those of earlier logins too."""
        return self._wait(self._client.list_identities(name))

    def why(self, which: To) -> list[Link]:
        """Say which contacts of which logins somebody was taken for, the newest first, each with the reasons."""
        return self._wait(self._client.why(which))

    def merge_identities(self, one: To, other: To) -> Identity:
        """Say that two are one and the same, for good; the first one's number stays."""
        return self._wait(self._client.merge_identities(one, other))

    def split_identity(self, which: To, contact_id: str) -> Identity:
        """Say that a contact is not who it was taken for, for good, and give who it is now."""
        return self._wait(self._client.split_identity(which, contact_id))

    def wait_for_kept(self) -> None:
        """Return once the media that have arrived are kept, or are not to be had."""
        self._wait(self._client.wait_for_kept())

    # -- the past ----------------------------------------------------------------------------------------------------

    def history(
        self,
        chat: To | None = None,
        *,
        limit: int = 50,
        before: int | None = None,
        since: float = 0,
        until: float = 0,
    ) -> list[Event | Outgoing]:
        """Give what was said, the oldest first: messages, recalls and gaps, with what was sent from here between."""
        return self._wait(self._client.history(chat, limit=limit, before=before, since=since, until=until))

    def search(
        self, words: str, *, chat: To | None = None, limit: int = 50, before: int | None = None
    ) -> list[Event | Outgoing]:
        """Give what holds all of these words, the newest first: messages, and what was sent from here."""
        return self._wait(self._client.search(words, chat=chat, limit=limit, before=before))

    def find_message(self, which: str | int) -> Event | None:
        """Find what was received, whatever its age; None when the journal does not have it."""
        return self._wait(self._client.find_message(which))

    def list_sends(self, *states: State, chat: To | None = None, limit: int = 50) -> list[Outgoing]:
        """Give what was sent from here, the newest first, each with what became of it."""
        return self._wait(self._client.list_sends(*states, chat=chat, limit=limit))

    def find_send(
        self, *, key: str = "", number: int = 0, client_id: str = "", message_id: str = ""
    ) -> Outgoing | None:
        """Find what was sent from here, by one of its names; None when there is none of that name."""
        return self._wait(self._client.find_send(key=key, number=number, client_id=client_id, message_id=message_id))

    def was_sent_here(self, message: Message | MessageRecalled) -> bool:
        """Say whether a message of this account's is one that was sent from here and came back through sync."""
        return self._wait(self._client.was_sent_here(message))

    def forget_send(self, number: int) -> bool:
        """Delete a send from the outbox, which frees its key; says whether there was one that is not on its way."""
        return self._wait(self._client.forget_send(number))

    def find_contact(self, which: To) -> Contact:
        """Find who is meant, among the contacts of this login."""
        return self._wait(self._client.find_contact(which))

    def find_people(self, ids: Iterable[str]) -> Contacts:
        """Find who had these ids, in this login or in an earlier one."""
        return self._wait(self._client.find_people(ids))

    def export_history(self) -> Generator[Event | Outgoing, None, None]:
        """Yield everything there is, oldest first: all events, then the sends that did not come back as one of them."""
        return _yielded(self._client.export_history(), self._wait)

    def purge_history(self, chat: To | None = None, *, before: float = 0) -> int:
        """Delete what was said and sent for good, and give how much that was; one of both must be given."""
        return self._wait(self._client.purge_history(chat, before=before))

    def purge_kept(self, *, before: float = 0) -> int:
        """Delete the media that were kept as they arrived, but not their messages; gives of how many."""
        return self._wait(self._client.purge_kept(before=before))

    def list_recalled(self, chat: To | None = None, *, limit: int = 50) -> list[Recalled]:
        """Give what was taken back, the newest first, by anybody and by this account."""
        return self._wait(self._client.list_recalled(chat, limit=limit))

    # -- what was given up -------------------------------------------------------------------------------------------

    def list_dead_letters(self, *, consumer: str = "bot", limit: int = 50) -> list[DeadLetter]:
        """Give the events that a handler has given up, the newest first."""
        return self._wait(self._client.list_dead_letters(consumer=consumer, limit=limit))

    def revive(self, number: int, *, consumer: str = "bot") -> bool:
        """Have an event handled once more that was given up, as one new attempt; says whether there was one."""
        return self._wait(self._client.revive(number, consumer=consumer))


for _name, _verb in vars(Client).items():
    if not _name.startswith("_"):
        # `help` shows all of what the asynchronous verb says: its guarantees, limits and errors.
        _verb.__doc__ = getattr(AsyncClient, _name).__doc__


class BlockingEventStream:
    """
    What `Client.events` gives: an iterator.

    A loop that may be left early closes it, with `with` or `close`, so that another can go on at once. A wait that is
    interrupted ends it as well.
    """

    def __init__(self, stream: EventStream, wait: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._stream = stream
        self._wait = wait
        # A generator, because one that was left by `break` and is looked at by nobody any more is closed.
        self._events = _yielded(stream, wait)

    def __repr__(self) -> str:
        return "BlockingEventStream()"

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ack(self) -> None:
        """Say that the last event is done with, and return once that is stored."""
        self._wait(self._stream.ack())

    def close(self) -> None:
        """End the stream. The last event was not done with, unless `ack` has said so."""
        self._events.close()


class BlockingSubscription:
    """A consumer of one account's events; `Client.subscribe` makes it, and it is open inside `with`."""

    def __init__(self, subscription: Subscription, wait: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.name: str = subscription.name
        self._subscription = subscription
        self._wait = wait

    def __repr__(self) -> str:
        return f"BlockingSubscription({self.name!r})"

    def __enter__(self) -> Self:
        self._wait(self._subscription.open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wait(self._subscription.close())

    def take(self, limit: int = 100) -> list[Delivered]:
        """Return the next entries in the order of arrival; wait until there is one."""
        taken: list[Delivered] = self._wait(self._subscription.take(limit))
        return taken

    def ack(self, number: int) -> None:
        """Note that an entry is done with, for good, and return once that is stored."""

        async def ack() -> None:
            self._subscription.ack(number)
            await self._subscription.flush()

        self._wait(ack())

    def failed(self, number: int, error: str) -> int:
        """Note that an attempt at an entry has failed; return how many have."""
        failures: int = self._wait(self._subscription.failed(number, error))
        return failures

    def give_up(self, number: int, error: str) -> None:
        """Make an entry a dead letter, and be done with it."""
        self._wait(self._subscription.give_up(number, error))


class _Stream(Protocol[U]):
    def __anext__(self) -> Awaitable[U]: ...

    def aclose(self) -> Coroutine[Any, Any, None]: ...


def _yielded(stream: _Stream[U], wait: Callable[[Coroutine[Any, Any, Any]], Any]) -> Generator[U, None, None]:
    try:
        while (event := wait(_next(stream))) is not None:
            yield event
    finally:
        wait(stream.aclose())


async def _next(stream: _Stream[U]) -> U | None:
    return await anext(stream, None)
