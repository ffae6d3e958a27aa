"""
A subscription that takes its events from a gateway, over a WebSocket.

The connection is the lease of the consumer: while it is open, no other reader gets the events, and after it is lost the
gateway delivers the unacknowledged events again. A lost connection is opened again. Its first message then repeats the
acknowledgements that the gateway has not confirmed, and events that the program has taken are not delivered twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, NoReturn

import msgspec

from webwx.client.reading.delivered import Delivered
from webwx.client.reading.subscription import Subscription
from webwx.client.remote.missing import not_offered
from webwx.client.retry import Backoff
from webwx.errors import (
    AlreadyRunning,
    GatewayFailed,
    ProtocolError,
    StorageError,
    TransportError,
    WxError,
)
from webwx.model.contacts import ContactId
from webwx.model.events import Item
from webwx.override import override
from webwx.representations.accounts import SHOW_ACCOUNT
from webwx.representations.consumers import Ack, EventFrame, FailedAttempt, GivenUp, Hello, Leave, OtherFrame
from webwx.representations.events import EVENTS_SOCKET, event_of
from webwx.representations.problems import Problem, error_of_problem
from webwx.storage.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Collection

    from webwx.client.reading.delivered import Deferred
    from webwx.client.remote.calls import GatewayCalls
    from webwx.representations.consumers import ClientFrame
    from webwx.transport.aiohttp_transport import TextSocket

_log = logging.getLogger("webwx.client")

_UNCONFIRMED = 1000
"""Maximum number of acknowledgements that are repeated after a lost connection."""

_LEASE_ENDS = 60.0
"""Seconds in which the gateway notices that a connection is lost; until then it considers the consumer open."""

_LOST = "The connection to the gateway was lost before it was confirmed; the event may be delivered again."


class GatewayReader(Subscription):
    """
    A consumer of a gateway's account; `Subscription` states the guarantees.

    Args:
        calls: Calls of the gateway.
        name: The consumer's name.
        retry_after: Seconds until a lost connection is opened again the first time.
        follow: False: end once no event waits, and raise the error of a lost connection.
    """

    def __init__(self, calls: GatewayCalls, name: str, retry_after: float, *, follow: bool) -> None:
        super().__init__(name, is_synced_here=False)
        self._calls = calls
        self._follows = follow
        self._backoff = Backoff(retry_after)
        self._work: asyncio.Task[None] | None = None
        """Receives events; None: the reader is not open."""
        self._connection: _Lease | None = None
        """The present connection, once the gateway has opened the consumer; None before that."""
        self._has_opened = False
        """Whether the gateway has opened the consumer."""
        self._lost_at = 0.0
        """Time at which the last connection was lost (event loop's clock)."""
        self._news = asyncio.Event()
        """Set after a change that `take` or `open` waits for."""
        self._arrived: deque[Delivered] = deque()
        """Events that were not taken yet."""
        self._taken: set[int] = set()
        """Events that were taken and not acknowledged."""
        self._unconfirmed: dict[int, None] = {}
        """Acknowledged events, in order, of which the gateway has not confirmed that this is stored."""
        self._ended: OtherFrame | None = None
        """The last frame of a consumer that delivers nothing more."""
        self._is_stopped = False

    async def open(self) -> None:
        """Open the consumer, and begin to receive its events."""
        account = await self._calls.account()
        self._is_stopped, self._has_opened, self._ended = False, False, None
        self._work = work = asyncio.ensure_future(self._receive_all(account))
        work.add_done_callback(lambda _: self._news.set())
        try:
            while not self._has_opened and not work.done():
                self._news.clear()
                await self._news.wait()
            if work.done():
                work.result()
        except BaseException:
            await self.close()
            raise

    async def check_storage(self) -> None:
        """Check that the gateway can be reached, and knows the account."""
        await self._calls.call(SHOW_ACCOUNT)

    async def take(self, limit: int = 100) -> list[Delivered]:
        """Return the next events in the order of arrival; wait until there is one."""
        work = self._opened()
        while not self._is_stopped:
            if self._arrived:
                taken = [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]
                self._taken.update(each.entry.number for each in taken)
                return taken
            if self._ended is not None:
                if self._ended.data is not None:
                    raise _error_of(self._ended)
                break
            if work.done():
                work.result()
                break
            self._news.clear()
            await self._news.wait()
        return []

    def show(self, number: int) -> None:
        """Do nothing: `close` says which events no handler has seen."""

    def ack(self, number: int) -> None:
        """Acknowledge an event; it is sent at once, and again after a lost connection."""
        self._opened()
        self._taken.discard(number)
        self._unconfirmed[number] = None
        if len(self._unconfirmed) > _UNCONFIRMED:
            del self._unconfirmed[next(iter(self._unconfirmed))]
        if self._connection is not None:
            self._connection.send(Ack(number=number))

    async def failed(self, number: int, error: str) -> int:
        """Store that an attempt at an event has failed; return the number of failed attempts."""
        return msgspec.convert(await self._ask(FailedAttempt(number=number, error=error)), int)

    async def give_up(self, number: int, error: str) -> None:
        """Make an event a dead letter, which acknowledges it."""
        await self._ask(GivenUp(number=number, error=error))
        self._taken.discard(number)

    @override
    async def flush(self) -> None:
        acknowledged = [*self._unconfirmed]
        await self._ask(Ack(number=0, confirm=True))
        for number in acknowledged:
            self._unconfirmed.pop(number, None)

    async def stop(self) -> None:
        """Take no more events; taken events can still be acknowledged."""
        self._is_stopped = True
        self._news.set()

    @override
    async def close(self, *, unseen_from: int = 0) -> None:
        await self.disconnect(unseen_from=unseen_from)
        self._work = None
        self._arrived.clear()
        self._taken.clear()

    async def disconnect(self, *, unseen_from: int = 0) -> None:
        """Store all acknowledgements and close the connection; `take` then returns an empty list."""
        work = self._work
        if work is None:
            return
        await self.stop()
        try:
            if self._connection is not None or self._unconfirmed:
                await self._ask(Leave(unseen_from=unseen_from))
        except StorageError:
            _log.warning("The consumer %r has lost its gateway, which may deliver its last events again.", self.name)
        finally:
            self._unconfirmed.clear()
            work.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # `open` or `take` has raised it

    def _opened(self) -> asyncio.Task[None]:
        if self._work is None:
            raise StorageError(f"The consumer {self.name!r} is not open.")
        return self._work

    async def _ask(self, frame: ClientFrame) -> object:
        """
        Send a message, and return the answer to it.

        Raises:
            StorageError: There is no connection, or it was lost before the answer.
        """
        self._opened()
        if self._connection is None:
            raise StorageError(_LOST)
        return await self._connection.ask(frame)

    # -- what a bot needs beside its events ----------------------------------------------------------------------------

    @property
    def part(self) -> NoReturn:
        """Refuse."""
        raise not_offered("part")

    @property
    def consumer(self) -> NoReturn:
        """Refuse."""
        raise not_offered("consumer")

    async def read_again(self, entries: Collection[Deferred]) -> NoReturn:  # noqa: ARG002 - it is refused
        """Refuse."""
        raise not_offered("read_again")

    # -- the connection ------------------------------------------------------------------------------------------------

    async def _receive_all(self, account: str) -> None:
        """Receive events over one connection after the other."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._receive_from(account)
                raise GatewayFailed("The gateway has closed the connection.")
            except AlreadyRunning:  # perhaps by the connection that was lost
                if not self._has_opened or loop.time() - self._lost_at > _LEASE_ENDS:
                    raise
            except (TransportError, StorageError):
                if not self._follows or self._ended is not None:
                    raise
            await self._backoff.pause()

    async def _receive_from(self, account: str) -> None:
        """Receive events over a new connection until the gateway closes it."""
        async with self._calls.open_socket(EVENTS_SOCKET) as socket:
            repeated = [*self._unconfirmed]
            hello = Hello(consumer=self.name, accounts=[account], follow=self._follows, acknowledged=repeated)
            await socket.send(msgspec.json.encode(hello).decode())
            self._arrived.clear()  # they are delivered again
            async with _Lease(socket) as connection:
                try:
                    while (text := await socket.receive()) is not None:
                        frame = _frame_of(text)
                        if isinstance(frame, EventFrame):
                            self._store(frame)
                        elif frame.op == "ready":
                            self._begin(connection, repeated)
                        elif frame.op == "end":
                            self._ended = frame
                        elif frame.op == "error":
                            raise _error_of(frame)
                        else:
                            connection.answered(frame)
                        self._news.set()
                finally:
                    if self._connection is not None:
                        self._connection, self._lost_at = None, asyncio.get_running_loop().time()

    def _begin(self, connection: _Lease, repeated: Collection[int]) -> None:
        """Use a connection on which the gateway has opened the consumer, and stored repeated acknowledgements."""
        for number in repeated:
            self._unconfirmed.pop(number, None)
        for number in self._unconfirmed:  # since the first message
            connection.send(Ack(number=number))
        self._connection, self._has_opened = connection, True
        self._backoff.reset()

    def _store(self, frame: EventFrame) -> None:
        """Store an event until it is taken, unless the program has it already."""
        event, number = event_of(frame.event), frame.event.number
        if number in self._taken or number in self._unconfirmed:
            return
        entry = Entry(
            number=number, item=Item(kind="message"), own_id=ContactId(""),
            message_id=getattr(event, "message_id", ""), chat=ContactId(frame.event.chat or ""),
            time=0 if frame.event.time is None else int(frame.event.time.timestamp()), is_backlog=event.backlog,
            redelivered=event.redelivered, attempt=frame.attempt,
        )  # fmt: skip
        self._arrived.append(Delivered(entry, event))


class _Lease:
    """
    The lease of a consumer, which is a connection: messages are sent in order, and their answers come in this order.

    Args:
        socket: The connection.
    """

    def __init__(self, socket: TextSocket) -> None:
        self._socket = socket
        self._waiting: asyncio.Queue[ClientFrame] = asyncio.Queue()
        self._answers: deque[asyncio.Future[object]] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> _Lease:
        self._sending = asyncio.ensure_future(self._send_all())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._sending is not None  # noqa: S101 - the connection was entered
        self._sending.cancel()
        await asyncio.wait([self._sending])
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(StorageError(_LOST))

    def send(self, frame: ClientFrame) -> None:
        """Send a message soon."""
        self._waiting.put_nowait(frame)

    async def ask(self, frame: ClientFrame) -> object:
        """Send a message, and return the answer to it."""
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self.send(frame)
        return await answer

    def answered(self, frame: OtherFrame) -> None:
        """Pass an answer to the caller that waits for it."""
        if self._answers:
            answer = self._answers.popleft()
            if not answer.done():
                answer.set_result(frame.data)

    async def _send_all(self) -> None:
        with contextlib.suppress(TransportError):  # the receiver finds it as well
            while True:
                await self._socket.send(msgspec.json.encode(await self._waiting.get()).decode())


def _frame_of(text: str) -> EventFrame | OtherFrame:
    try:
        if msgspec.json.decode(text, type=_Op).op == "event":
            return msgspec.json.decode(text, type=EventFrame)
        return msgspec.json.decode(text, type=OtherFrame)
    except (msgspec.DecodeError, RecursionError):
        raise ProtocolError("The gateway sent an unknown frame; it may have another version.") from None


class _Op(msgspec.Struct, frozen=True):
    """The kind of a frame."""

    op: str


def _error_of(frame: OtherFrame) -> WxError:
    return error_of_problem(msgspec.convert(frame.data, Problem))
