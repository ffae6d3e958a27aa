"""
The composition of a client with a login of its own; each component gets its dependencies in its constructor.

`remote_components.py` composes a client of a gateway, and is imported by those only.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from webwx.client.login.account_storage import AccountStorage
from webwx.client.login.login import AccountLogin
from webwx.client.login.measurement import Measurements
from webwx.client.login.session import ClientSession
from webwx.client.people.chatrooms import Chatrooms
from webwx.client.people.contact_book import ContactBook
from webwx.client.people.contacts import ContactDirectory
from webwx.client.people.identities import AccountIdentities
from webwx.client.people.identity_updates import IdentityUpdates
from webwx.client.poll_interval import PollInterval
from webwx.client.reading.consumers import StoredConsumers
from webwx.client.reading.dead_letters import DeadLetters
from webwx.client.reading.event_source import EventSource
from webwx.client.reading.followed_sends import FollowedSends
from webwx.client.reading.history import MessageHistory
from webwx.client.reading.recalled import RecalledMessages
from webwx.client.sending.forward import Forwarder
from webwx.client.sending.media import MediaTransfers
from webwx.client.sending.messages import Messages
from webwx.client.sending.rate_limiter import NoRateLimit, RateLimiter
from webwx.client.sending.sender import Sender
from webwx.client.sync.archive import MediaArchive
from webwx.client.sync.ingestion import Ingestion
from webwx.client.sync.pending import PendingEvents
from webwx.client.sync.sync_cursor import SyncCursor
from webwx.client.sync.sync_loop import SyncLoop
from webwx.errors import NoJournal
from webwx.model.login import Login
from webwx.protocol.hosts import check_proxy, choose
from webwx.storage.login import LoginMemory
from webwx.transport.default import default_transport
from webwx.transport.runner import SessionState

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable

    from webwx.client.remote.consumers import RemoteConsumers
    from webwx.client.remote.contacts import RemoteChatrooms, RemoteContacts
    from webwx.client.remote.events import RemoteEvents
    from webwx.client.remote.health import RemoteHealth
    from webwx.client.remote.history import RemoteDeadLetters, RemoteHistory, RemoteRecalled
    from webwx.client.remote.identities import RemoteIdentities
    from webwx.client.remote.media import RemoteMedia
    from webwx.client.remote.messages import RemoteMessages
    from webwx.client.remote.missing import MissingBook, MissingSendNews
    from webwx.client.remote.session import RemoteLogin, RemoteSession
    from webwx.client.sending.rate_limit import RateLimit, WaitReason
    from webwx.client.sending.rate_limiter import Limiter
    from webwx.client.state import StateChange
    from webwx.errors import LoggedOut
    from webwx.model.archive import Keep
    from webwx.protocol.hosts import Desktop
    from webwx.storage.base import Journal
    from webwx.storage.saved_login import LoginStore
    from webwx.transport.runner import Timeouts, Transport


class Components(NamedTuple):
    """Components to which the methods of a client delegate."""

    describe: Callable[[], str]
    """Returns a description of the client, without secrets."""
    close: Callable[[], Awaitable[None]]
    session: ClientSession | RemoteSession
    login: AccountLogin | RemoteLogin
    book: ContactBook | MissingBook
    directory: ContactDirectory | RemoteContacts
    identities: AccountIdentities | RemoteIdentities
    chatrooms: Chatrooms | RemoteChatrooms
    messages: Messages | RemoteMessages
    media: MediaTransfers | RemoteMedia
    forwarder: Forwarder | RemoteMessages
    storage: AccountStorage | RemoteMessages
    history: MessageHistory | RemoteHistory
    followed_sends: FollowedSends | MissingSendNews
    recalled: RecalledMessages | RemoteRecalled
    dead_letters: DeadLetters | RemoteDeadLetters
    consumers: StoredConsumers | RemoteConsumers
    events: EventSource | RemoteEvents
    limiter: Limiter | RemoteHealth
    measurements: Measurements | RemoteHealth


def local_components(
    *,
    host: str | None,
    server: str | None,
    store: LoginStore | None,
    transport: Transport | None,
    timeouts: Timeouts,
    clock: Callable[[], float],
    proxy: str | None,
    ca_file: str | os.PathLike[str] | None,
    allowed_hosts: tuple[str, ...],
    desktop: Desktop | None,
    on_logged_out: Callable[[LoggedOut], object] | None,
    on_state: Callable[[StateChange], object] | None,
    journal: Journal | str | os.PathLike[str] | None,
    keep: Keep | None,
    dedupe_by_client_id: bool,
    rate_limit: RateLimit | None,
    on_wait: Callable[[float, WaitReason], object] | None,
    on_send: Callable[[int], object] | None,
) -> Components:
    """
    Return the components of a client with a login of its own; for the arguments see `AsyncClient`.

    Raises:
        NotOnThisHost: There is no such host, or the server is not an address.
        InvalidSettings: The proxy is not an address.
        NoJournal: `keep` without a journal.
    """
    profile, hosts = choose(host, server, allowed_hosts)
    if proxy is not None:
        check_proxy(proxy)
    if keep is not None and journal is None:
        raise NoJournal("keep= needs a journal; give the client one, such as journal='me.journal'.")
    blank = Login(profile_name=profile.name, server=server and hosts.main, hosts=hosts, allowed_hosts=allowed_hosts)
    store = store or LoginMemory()
    session_state = SessionState(blank, clock, reserve=store.reserve_id)
    storage = AccountStorage(journal, session_state, on_send)
    limiter: Limiter = NoRateLimit() if rate_limit is None else RateLimiter(rate_limit, storage.states, clock, on_wait)
    session = ClientSession(
        session_state, store, transport=transport,
        make_transport=partial(default_transport, timeouts, proxy=proxy, ca_file=ca_file),
        timeouts=timeouts, clock=clock, limiter=limiter, stores_sends=storage.has_journal, on_state=on_state,
        on_logged_out=on_logged_out,
    )  # fmt: skip
    book = ContactBook(session, storage)
    updates = IdentityUpdates(session, storage, book)
    identities = AccountIdentities(session, storage, book, updates)
    directory = ContactDirectory(session, storage, book, identities, updates, limiter)
    sender = Sender(session, storage, identities, limiter, dedupes=dedupe_by_client_id)
    media = MediaTransfers(session, storage, identities, sender, limiter)
    history = MessageHistory(book, identities, updates)
    cursor = SyncCursor(session, storage, book, updates)
    interval = PollInterval()
    pending = None if storage.has_journal else PendingEvents(session, book, directory, interval)
    batches = pending or Ingestion(session, storage, book, directory, updates, sender, limiter, interval)
    archive = None if keep is None else partial(MediaArchive, session, storage, book, media, keep)
    sync = SyncLoop(session, storage, cursor, batches, interval, archive)

    def forget() -> None:
        """Drop all state of the login, because ids are new in the next login."""
        for component in (session, book, updates.queue, directory.lookups, sync):
            component.forget()

    async def close() -> None:
        async with AsyncExitStack() as closing:  # calls them from the last line to the first, also after errors
            closing.push_async_callback(storage.close)
            closing.push_async_callback(session.close)
            closing.push_async_callback(sender.close)
            closing.push_async_callback(updates.queue.done)
            closing.push_async_callback(directory.close)
            closing.push_async_callback(sync.stop)

    return Components(
        describe=lambda: repr(session.login),
        close=close,
        session=session,
        login=AccountLogin(session, storage, book, directory, cursor, desktop, forget),
        book=book,
        directory=directory,
        identities=identities,
        chatrooms=Chatrooms(session, book, directory, identities, limiter),
        messages=Messages(session, storage, identities, updates, sender),
        media=media,
        forwarder=Forwarder(session, identities, sender, media),
        storage=storage,
        history=history,
        followed_sends=FollowedSends(storage, session.now),
        recalled=RecalledMessages(history, updates),
        dead_letters=DeadLetters(history, updates),
        consumers=StoredConsumers(updates),
        events=EventSource(session, sync, storage, history, pending),
        limiter=limiter,
        measurements=Measurements(session, sync, updates, limiter),
    )
