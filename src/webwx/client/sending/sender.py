"""
The sender: it stores each send before the first attempt, and its outcome afterwards.

With a journal each send has a row in the outbox, with one client id that never changes. A send that provably did not
leave may be repeated under that id; a send that may have left is not repeated. If its answer was lost and the message
comes back through sync, its outcome is known.

With a rate limit a send waits as `queued`, before its first attempt and after a refusal as too frequent (1205).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from weakref import WeakValueDictionary

import msgspec

from webwx.errors import (
    ApiError,
    ConnectFailed,
    InvalidRequest,
    KeyReused,
    LocalStateError,
    LoggedOut,
    MediaUnavailable,
    NoJournal,
    NotLoggedIn,
    ProtocolError,
    RateLimited,
    RateLimitReached,
    SendOutcomeUnknown,
    StorageError,
    TlsError,
    TransportError,
    UnknownContact,
    WxError,
)
from webwx.model.contacts import Contact
from webwx.model.events import event_from_item
from webwx.model.identities import Identity
from webwx.model.messages import FileMessage, LocationMessage, Receipt, TextMessage
from webwx.protocol.codec import clean_text
from webwx.protocol.codes import Ret
from webwx.storage.entries import EntryQuery
from webwx.storage.lookup import find_send
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractAsyncContextManager

    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession
    from webwx.client.people.identities import AccountIdentities, To
    from webwx.client.sending.call_limit import CallPlaces
    from webwx.client.sending.rate_limiter import Limiter
    from webwx.flows.call import Flow
    from webwx.model.contacts import ContactId
    from webwx.model.messages import Event
    from webwx.storage.tables.outbox import Outbox, Outgoing

_log = logging.getLogger("webwx.client")

REPEATS = 3
"""Number of repetitions after a lost answer, for servers that deliver a repeated client id once; as on the page."""

_SEARCHED = 200
"""Number of recent sends, and of recent messages of a chat, that are searched for a send with a lost answer."""

_CLOCKS_DIFFER = 2.0
"""Seconds by which a message may seem older than its send, because both clocks have whole seconds."""

_LARGEST_RET = 2**31 - 1
"""Largest code that every storage can store."""

_NO_LOGIN = (LoggedOut, NotLoggedIn)
"""Errors after which a message was not sent, and may be sent after the next login."""

Settled = Literal["queued", "sent", "failed", "unknown"]

SendWayName = Literal["sent", "by_content", "by_upload"]

Make = Callable[[str], "Flow[str]"]
"""Makes the flow of a send from its client id; the flow returns the message's id."""

T = TypeVar("T")

Attempt = Callable[[], Awaitable[Receipt]]
"""Makes one attempt at a send."""


class StepKey(str):
    """
    The key of one step of a bot's handler.

    The step's send is made once, whatever the step sends when the handler is called again: a text that holds the time
    differs in each call.
    """

    __slots__ = ()


class WantedSend(msgspec.Struct, frozen=True):
    """A send as its caller describes it."""

    to: To
    """The recipient as the caller has named it."""
    kind: str
    """Kind of content, as in the outbox."""
    text: str
    """The text, or the file's name."""
    key: str = ""
    """The caller's key; empty for none."""
    content_id: str = ""
    """Id of the content, as in the outbox."""
    is_named: bool = True
    """Whether the caller has chosen the file's name; otherwise a send with another name may be the same one."""

    def __repr__(self) -> str:
        return f"WantedSend({self.kind})"


class SendWay(msgspec.Struct, frozen=True):
    """One way to send a message: at once, or after a preparation such as an upload."""

    make: Make | None = None
    """Makes the flow of the send; None: `ready` returns it."""
    ready: Callable[[], Awaitable[Make]] | None = None
    """Prepares the send, such as by an upload, and delivers nothing; None: no preparation."""
    name: SendWayName = "sent"
    """Name of the way, as in a receipt."""


class Sender:
    """
    Sends the messages of one account; with a journal each is stored before the first attempt.

    Args:
        session: The account's session.
        storage: The account's storage.
        identities: Compares the recipients of two sends with one key.
        limiter: Delays sends.
        dedupes: Whether the server is known to deliver a repeated client id once, so that a text whose answer was lost
            is repeated.
    """

    def __init__(
        self,
        session: ClientSession,
        storage: AccountStorage,
        identities: AccountIdentities,
        limiter: Limiter,
        *,
        dedupes: bool,
    ) -> None:
        self._session = session
        self._storage = storage
        self._identities = identities
        self._limiter = limiter
        self._dedupes = dedupes
        self._turns: WeakValueDictionary[str, asyncio.Lock] | None = None
        """Locks by key: a second send with the key of one in progress waits for its outcome. None: no key was used."""
        self._undoing: set[asyncio.Future[None]] = set()
        """Begins of cancelled sends that are being undone."""

    async def send(self, wanted: WantedSend, chat: ContactId, ways: tuple[SendWay, ...]) -> Receipt:
        """
        Send a message by the first way that works: the next way is used if the platform does not know the media.

        Args:
            wanted: The send. A message that was sent under its key is not sent again.
            chat: Id of the receiver in this login.
            ways: The ways, in the order in which they are tried.

        Raises:
            NoJournal: There is a key and no journal to store it.
            KeyReused: The key belongs to another send; nothing was sent.
            StorageError: The journal cannot be written; nothing was sent.
            SendOutcomeUnknown: The answer was lost, now or in an earlier send of the same key.
        """
        if self._storage.has_journal:
            return await self._send_stored(wanted, chat, ways)
        if wanted.key:
            raise _no_journal()
        client_id, way = await self._session.next_client_id(), ways[0]
        if len(ways) == 1 and way.make is not None:
            return await self._limiter.run("messages", partial(self._attempt, chat, client_id, way.name, way.make))
        return await self._try(chat, client_id, ways)

    async def queue(self, wanted: WantedSend, chat: ContactId, *, background: bool = False) -> Outgoing:
        """
        Store a send without an attempt, or return the existing send with the same key.

        Raises:
            NoJournal: There is no journal to store it.
            KeyReused: The key belongs to another send.
            StorageError: The journal cannot be written.
        """
        if not self._storage.has_journal:
            raise NoJournal("A queued send needs a journal, and this client has none.")
        client_id = await self._session.next_client_id()
        row = await self._adding(self._storage.outbox, wanted, chat, client_id)(background=background)
        if row.client_id != client_id:
            await self._check_key(row, wanted)
        return await self.in_background(row) if background else row

    async def in_background(self, row: Outgoing) -> Outgoing:
        """Make a text that may be sent now a background send, and return it; any other send is returned unchanged."""
        outbox, now = self._storage.outbox, self._session.now()
        if row.kind != "text" or row.background:
            return row
        if row.state == "failed" and await outbox.queue_again(row.number, now):
            return msgspec.structs.replace(row, state="queued", background=True, ret=0, changed_at=now)
        if row.state in {"queued", "sending"} and await outbox.move_to_background(row.number):
            return msgspec.structs.replace(row, background=True)
        return row

    def _adding(
        self, outbox: Outbox, wanted: WantedSend, chat: ContactId, client_id: str
    ) -> Callable[..., Coroutine[Any, Any, Outgoing]]:
        """Return a function that stores a send, or returns the existing send with the same key."""
        return partial(
            outbox.add, client_id=client_id, chat=chat, kind=wanted.kind, text=wanted.text, key=wanted.key,
            time=self._session.now(), addressed=_addressed(wanted.to) if wanted.key else "",
            content_id=wanted.content_id,
        )  # fmt: skip

    async def _send_stored(self, wanted: WantedSend, chat: ContactId, ways: tuple[SendWay, ...]) -> Receipt:
        outbox, now = self._storage.outbox, self._session.now
        client_id = await self._session.next_client_id()
        add = self._adding(outbox, wanted, chat, client_id)
        async with self._turn(wanted.key):
            # The first byte leaves at once, so one transaction stores the row and the attempt.
            if ways[0].make is not None and not self._limiter.delays:
                places = self._session.send_places()
                await places.enter()
                try:
                    row = await self._added(add(state="sending"), client_id)
                except BaseException:
                    places.leave()
                    raise
                if _is_begun(row, client_id):
                    return await self._try(chat, client_id, ways, _Record(outbox, row, now, places=places))
                places.leave()
            else:
                row = await add()
            if row.client_id != client_id:
                await self._check_key(row, wanted)
            return await self.go_on(row, chat, *ways)

    async def _added(self, adding: Coroutine[Any, Any, Outgoing], client_id: str) -> Outgoing:
        """Return the row of a send that is stored as `sending`; if cancelled, store that nothing was sent."""

        async def undo(row: Outgoing) -> None:
            if _is_begun(row, client_id):
                await self._storage.outbox.settle(
                    row.number, "queued", time=self._session.now(), begun_at=row.changed_at
                )

        return await self._stored_begin(adding, undo)

    async def _stored_begin(self, storing: Coroutine[Any, Any, T], undo: Callable[[T], Awaitable[None]]) -> T:
        """Store the begin of an attempt; if the caller is cancelled, also repeatedly, undo it afterwards."""
        stored = asyncio.ensure_future(storing)
        try:
            return await asyncio.shield(stored)
        except asyncio.CancelledError:

            async def undo_stored() -> None:
                with contextlib.suppress(StorageError, SendOutcomeUnknown, InvalidRequest):
                    await undo(await stored)

            undoing = asyncio.ensure_future(undo_stored())
            self._undoing.add(undoing)
            undoing.add_done_callback(self._undoing.discard)
            await asyncio.shield(undoing)
            raise

    async def close(self) -> None:
        """Complete what cancelled sends have left to store."""
        if self._undoing:
            await asyncio.wait(tuple(self._undoing))

    async def sent_as(self, wanted: WantedSend) -> Receipt | None:
        """
        Return the receipt of the send with the key of a wanted one; None if nothing was sent under it.

        A method that cannot make a send calls this: a send that is done needs neither its recipient nor its file.

        Raises:
            NoJournal: There is a key and no journal to store it.
            KeyReused: The key belongs to another send.
            SendOutcomeUnknown: The message may have been sent.
        """
        async with self._turn(wanted.key):
            row = await self.stored_as(wanted)
            return None if row is None else await self.outcome(row)

    async def stored_as(self, wanted: WantedSend) -> Outgoing | None:
        """
        Return the stored send that has the key of the wanted one; None if no send has it.

        Raises:
            NoJournal: There is a key and no journal to store it.
            KeyReused: The key belongs to another send.
        """
        if not wanted.key:
            return None
        if not self._storage.has_journal:
            raise _no_journal()
        row = await find_send(self._storage.outbox, key=wanted.key)
        if row is not None:
            await self._check_key(row, wanted)
        return row

    async def _check_key(self, row: Outgoing, wanted: WantedSend) -> None:
        """
        Check that the existing send with a key is the one that its caller wants now.

        Raises:
            KeyReused: It has another kind, content or recipient.
        """
        if isinstance(wanted.key, StepKey):
            return
        if not (_is_same_content(row, wanted) and await self._is_same_recipient(row, wanted.to)):
            raise KeyReused(
                f"The key belongs to send {row.number} of the outbox, which has another recipient or content; nothing"
                " was sent. Use a new key for another message."
            )

    async def _is_same_recipient(self, row: Outgoing, to: To) -> bool:
        """Return whether a send goes to a recipient, which may have had another id, or may not exist any more."""
        if row.addressed == _addressed(to) or row.chat == (to.id if isinstance(to, Contact) else to):
            return True
        try:
            if await self._identities.id_of(to) == row.chat:
                return True
        except (UnknownContact, NotLoggedIn):
            pass  # it may be known, and no contact of this login
        try:
            return (await self._identities.who(to)).number == (await self._identities.who(row.chat)).number
        except (UnknownContact, NotLoggedIn):
            return False

    async def note_refusal(self, key: str, error: WxError) -> None:
        """Store that the send with a key, if it was queued, cannot be made, because its file cannot be sent."""
        outbox = self._storage.outbox
        row = await find_send(outbox, key=key)
        if row is not None and row.state == "queued":
            await outbox.settle(row.number, _state_before(error), time=self._session.now(), ret=_ret(error))

    def _turn(self, key: str) -> AbstractAsyncContextManager[None]:
        if not key:
            return contextlib.nullcontext()
        if self._turns is None:
            self._turns = WeakValueDictionary()
        return self._turns.setdefault(key, asyncio.Lock())

    async def go_on(self, row: Outgoing, chat: ContactId, *ways: SendWay) -> Receipt:
        """
        Continue a send of any process, under its own client id.

        Raises:
            SendOutcomeUnknown: The message may have been sent.
        """
        receipt = await self.outcome(row)
        if receipt is not None:
            return receipt
        outbox = self._storage.outbox
        if row.state == "unknown":  # `outcome` allows a repetition
            await outbox.settle(row.number, "queued", time=self._session.now())
        return await self._try(chat, row.client_id, ways, _Record(outbox, row, self._session.now))

    async def stored(self, *, client_id: str = "", message_id: str = "") -> Outgoing | None:
        """Return the send with an id; None if none has it, and if the journal cannot be read, which is logged."""
        if not self._storage.has_journal:
            return None
        try:
            return await find_send(self._storage.outbox, client_id=client_id, message_id=message_id)
        except StorageError as error:
            _log.warning("The outbox could not be read for a recall: %s", error)
            return None

    async def note_recall(self, client_id: str) -> None:
        """Store that a message was recalled; a failure to store it is logged."""
        row = await self.stored(client_id=client_id)
        if row is None:
            return
        outbox = self._storage.outbox
        try:
            await outbox.settle(row.number, "recalled", time=self._session.now(), receipt=row.receipt)
        except StorageError as error:
            _log.warning("A recall could not be stored in the outbox: %s", error)

    async def outcome(self, row: Outgoing) -> Receipt | None:
        """
        Return the receipt of a send; None if an attempt is allowed.

        Raises:
            SendOutcomeUnknown: The message may have been sent.
        """
        if row.state in {"sent", "recalled"}:
            return row.receipt
        if row.state in {"queued", "failed"}:
            return None
        receipt = await self._settle_doubt(row) if row.state == "unknown" else None
        if receipt is not None:
            return receipt
        if row.state == "unknown" and row.kind == "text" and self._dedupes:
            # The same text under the same client id makes the same request; a new upload would not.
            return None
        raise SendOutcomeUnknown(
            f"Send {row.number} of the outbox may or may not have been sent; "
            f"check the chat before you send it again{' with another key' if row.key else ''}."
        )

    async def _try(
        self, chat: ContactId, client_id: str, ways: tuple[SendWay, ...], record: _Record | None = None
    ) -> Receipt:
        for number, way in enumerate(ways, 1):
            make = way.make or await _prepared(way, record)
            attempt: Attempt = partial(self._attempt, chat, client_id, way.name, make, has_place=record is not None)
            if record is not None:
                attempt = partial(self._recorded, record, chat, attempt)
            try:
                return await self._limiter.run("messages", attempt)
            except ApiError as error:
                if number == len(ways) or not _is_unknown_media_file(error):
                    raise
                if record is not None:
                    await record.settle("queued")
        raise AssertionError("send() needs at least one way.")

    async def _attempt(
        self, chat: ContactId, client_id: str, way: SendWayName, make: Make, *, has_place: bool = False
    ) -> Receipt:
        """Send once; after a lost answer repeat it, if the server is known to deliver a repeated client id once."""
        if self._dedupes:
            message_id = await self._repeated(make, client_id, has_place=has_place)
        else:
            message_id = await self._session.run(make(client_id), has_place=has_place)
        return Receipt(message_id=message_id, client_id=client_id, chat=chat, time=self._session.now(), way=way)

    async def _repeated(self, make: Make, client_id: str, *, has_place: bool) -> str:
        try:
            return await self._session.run(make(client_id), has_place=has_place)
        except SendOutcomeUnknown as lost:
            for _ in range(REPEATS):
                await asyncio.sleep(self._session.timeouts.retry)
                # Even if a repetition is refused, the first attempt may have succeeded.
                with contextlib.suppress(TransportError, ProtocolError, ApiError):
                    return await self._session.run(make(client_id), has_place=has_place)
            raise lost from None

    async def _recorded(self, record: _Record, chat: ContactId, attempt: Attempt) -> Receipt:
        """Wait for a place, store the begin of an attempt, make it, and store its outcome."""

        async def undo(sent_meanwhile: Receipt | None) -> None:
            if sent_meanwhile is None:
                await record.settle("queued")

        places = record.entered_places()
        has_begun = places is not None
        if places is None:
            places = self._session.send_places()
            await places.enter()
        try:
            sent_meanwhile = None if has_begun else await self._stored_begin(record.begin(chat), undo)
            return await self._settled(record, attempt) if sent_meanwhile is None else sent_meanwhile
        finally:
            places.leave()

    async def _settled(self, record: _Record, attempt: Attempt) -> Receipt:
        """Make an attempt that has begun, and store its outcome."""
        try:
            receipt = await attempt()
        except SendOutcomeUnknown:
            await record.settle("unknown")
            found = await self._settle_doubt(record.row)
            if found is None:
                raise
            return found
        except WxError as error:
            await record.settle(_state_after(error), _ret(error))
            raise
        except BaseException:  # cancelled, or an answer that no part expects
            await record.settle("unknown")
            raise
        await record.settle("sent", receipt=receipt)
        return receipt

    # -- sends with a lost answer ------------------------------------------------------------------------------------

    async def settle_doubts(self, chats: Collection[ContactId]) -> None:
        """Settle sends with a lost answer, in chats where sync has brought messages of this account."""
        if chats:
            doubtful = await self._storage.outbox.find(
                SendQuery(states=("unknown",), chats=tuple(chats), limit=_SEARCHED)
            )
            for row in reversed(doubtful):
                await self._settle_doubt(row)

    async def _settle_doubt(self, row: Outgoing) -> Receipt | None:
        """
        Check whether a send with a lost answer has come back through sync; return its receipt if so.

        A message matches if it has the same content in the same chat, is not older, and belongs to no other send.
        """
        part = self._storage.part()
        sends = await part.outbox.find(SendQuery(chats=(row.chat,), limit=_SEARCHED))
        if any(
            other.state == "sending" and (other.kind, other.text) == (row.kind, row.text) and other.number != row.number
            for other in sends
        ):
            return None  # the message may belong to the other send
        others = {other.receipt.message_id for other in sends if other.receipt is not None}
        since = row.created_at - _CLOCKS_DIFFER
        latest = await part.find(EntryQuery(chats=(row.chat,), since=since, limit=_SEARCHED))
        for entry in reversed(latest):
            content = _content_of(event_from_item(entry.item, entry.own_id))
            if content == (row.kind, row.text) and entry.message_id not in others:
                receipt = Receipt(
                    message_id=entry.message_id, client_id=row.client_id, chat=row.chat, time=float(entry.time)
                )
                await self._storage.outbox.settle(row.number, "sent", time=self._session.now(), receipt=receipt)
                return receipt
        return None


def _is_begun(row: Outgoing, client_id: str) -> bool:
    """Return whether a row was stored as `sending` under this client id, not found under its key."""
    return row.state == "sending" and row.client_id == client_id


def _addressed(to: To) -> str:
    """Return a recipient as the outbox stores it; a number and a name of digits differ."""
    named = to.id if isinstance(to, Contact) else to.number if isinstance(to, Identity) else to
    return msgspec.json.encode(clean_text(named) if isinstance(named, str) else named).decode()


def _is_same_content(row: Outgoing, wanted: WantedSend) -> bool:
    if row.kind != wanted.kind or (row.content_id and wanted.content_id and row.content_id != wanted.content_id):
        return False
    return not wanted.is_named or row.text == clean_text(wanted.text)


def _no_journal() -> NoJournal:
    return NoJournal("key= needs a journal, and this client has none; nothing was sent.")


async def _prepared(way: SendWay, record: _Record | None) -> Make:
    assert way.ready is not None  # noqa: S101 - a way has `make` or `ready`
    try:
        return await way.ready()
    except WxError as error:
        if record is not None:
            await record.settle(_state_before(error), _ret(error))
        raise


class _Record:
    """
    The row of a send in the outbox.

    Args:
        outbox: The outbox.
        row: The row as it was stored or found.
        now: Returns seconds since 1970 (server's clock).
        places: The places that the attempt which follows has entered, if the row was stored as `sending` for it.
    """

    def __init__(
        self, outbox: Outbox, row: Outgoing, now: Callable[[], float], *, places: CallPlaces | None = None
    ) -> None:
        self.row = row
        self._places = places
        self._begun_at = None if places is None else row.changed_at
        """Time at which the current attempt began; None: no attempt has begun."""
        self._outbox = outbox
        self._now = now

    def entered_places(self) -> CallPlaces | None:
        """Return the places of an attempt that is stored as begun; None for a further attempt, which begins itself."""
        places, self._places = self._places, None
        return places

    async def begin(self, chat: ContactId) -> Receipt | None:
        """
        Store that the first byte may leave from now on; return the receipt if another process has sent it meanwhile.

        The row is moved to the chat id of this login, from which the message comes back.

        Raises:
            InvalidRequest: The send was deleted from the outbox while it waited.
            SendOutcomeUnknown: Another process is sending it.
            StorageError: The begin cannot be stored.
        """
        now = self._now()
        if await self._outbox.sending(self.row.number, now, chat):
            self.row, self._begun_at = msgspec.structs.replace(self.row, chat=chat), now
            return None
        row = await find_send(self._outbox, number=self.row.number)
        if row is None:
            raise InvalidRequest("This send was deleted from the outbox while it waited; nothing was sent.")
        if row.receipt is None:
            raise SendOutcomeUnknown("Another process is sending this message under the same key; check its outcome.")
        return row.receipt

    async def settle(self, state: Settled, ret: int = 0, *, receipt: Receipt | None = None) -> None:
        """Store the outcome of an attempt or of its preparation; the caller gets the true result in any case."""
        begun_at, self._begun_at = self._begun_at, None
        try:
            await self._outbox.settle(
                self.row.number, state, time=self._now(), receipt=receipt, ret=ret, begun_at=begun_at
            )
        except StorageError as error:
            _log.warning("The outcome of a send could not be stored, so the outbox may show it as unknown: %s", error)


def _state_before(error: WxError) -> Settled:
    """Return the state of a send that did not leave: `queued` after a failure of the network."""
    if isinstance(error, (RateLimited, RateLimitReached, *_NO_LOGIN)):
        return "queued"
    is_final = isinstance(error, (ApiError, MediaUnavailable, InvalidRequest, LocalStateError))
    return "failed" if is_final else "queued"


def _state_after(error: WxError) -> Settled:
    """Return the state of a send by the error of its request; a lost answer is handled elsewhere."""
    return "queued" if isinstance(error, (ConnectFailed, TlsError, RateLimited, *_NO_LOGIN)) else "failed"


def _is_unknown_media_file(error: WxError) -> bool:
    return isinstance(error, ApiError) and error.ret == Ret.SYSTEM_ERROR


def _ret(error: WxError) -> int:
    """Return the platform's code for the outbox; 0 if there is none, or one that no code of the platform can be."""
    ret = error.ret if isinstance(error, ApiError) else None
    return ret if ret is not None and abs(ret) <= _LARGEST_RET else 0


def _content_of(event: Event) -> tuple[str, str] | None:
    """Return the kind and text of an own message as the outbox stores them; None if they do not identify it."""
    match event:
        case TextMessage(is_self=True, whole_text=text):
            return "text", text
        case FileMessage(is_self=True, name=name):
            return "file", name
        case LocationMessage(is_self=True, label=label):
            return "location", label
        case _:
            return None
