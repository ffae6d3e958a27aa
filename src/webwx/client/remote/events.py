"""
Events of a gateway over a WebSocket, for a consumer whose position the gateway's journal stores.

The connection is the consumer's lease: while it is open, no other reader gets the consumer's events, and when it is
lost, the events that were not acknowledged are delivered again. A lost connection is opened again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from webwx.client.remote.missing import missing
from webwx.client.retry import Backoff
from webwx.client.stream import EventStream
from webwx.errors import NotThroughGateway, ProtocolError, StorageError, TransportError
from webwx.model.events import is_quiet
from webwx.representations.consumers import Ack, EventFrame, Hello, OtherFrame
from webwx.representations.events import event_of
from webwx.representations.problems import Problem, error_of_problem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import NoReturn

    from webwx.client.remote.calls import GatewayCalls
    from webwx.model.messages import Event
    from webwx.transport.aiohttp_transport import TextSocket

_REMEMBERED = 1000
"""Number of acknowledged events that are remembered, because an acknowledgement may be lost with its connection."""


class RemoteEvents:
    """
    Streams of events of an account of a gateway.

    Args:
        calls: Calls of the gateway.
        retry_after: Seconds until a lost connection is opened again the first time.
    """

    def __init__(self, calls: GatewayCalls, retry_after: float) -> None:
        self._calls = calls
        self._retry_after = retry_after

    def __getattr__(self, name: str) -> Any:
        raise missing(name)

    def events(self, consumer: str, *, include_all: bool, follow: bool) -> EventStream:
        """Yield the events of a consumer without end; a request for the next event acknowledges the previous one."""
        if not follow:
            raise NotThroughGateway(
                "A client of a gateway does not support follow=False; use read_events, which ends with the last event."
            )
        reading = _Reading(self._calls, consumer, self._retry_after, include_all=include_all)
        return EventStream(reading.events(), reading.confirm)


class _Reading:
    """One stream of a consumer, which continues over a new connection when one is lost."""

    def __init__(self, calls: GatewayCalls, consumer: str, retry_after: float, *, include_all: bool) -> None:
        self._calls = calls
        self._consumer = consumer
        self._include_all = include_all
        self._backoff = Backoff(retry_after)
        self._socket: TextSocket | None = None
        self._yielded = 0
        """Number of the event that was yielded and is not acknowledged; 0: none."""
        self._acknowledged: deque[int] = deque(maxlen=_REMEMBERED)
        self._waiting: deque[EventFrame | OtherFrame] = deque()
        """Frames that arrived during the wait for a confirmation."""

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield events until the reader stops or a permanent error occurs."""
        account = await self._calls.account()
        hello = msgspec.json.encode(Hello(consumer=self._consumer, accounts=[account])).decode()
        while True:
            try:
                async with self._calls.open_socket("/events/ws") as socket:
                    await socket.send(hello)
                    self._socket = socket
                    async for event in self._frames(socket):
                        yield event
                        await self.acknowledge()
            except TransportError:
                pass
            finally:
                self._socket = None
            await self._backoff.pause()

    async def _frames(self, socket: TextSocket) -> AsyncGenerator[Event, None]:
        """Yield the events for the reader; acknowledge the others."""
        self._waiting.clear()
        while (frame := await self._next_frame(socket)) is not None:
            if isinstance(frame, OtherFrame):
                self._backoff.reset()
                continue
            event = event_of(frame.event)
            is_done = event.number in self._acknowledged
            if is_done or (is_quiet(event) and not self._include_all):
                await self._send_ack(event.number)
            else:
                self._yielded = event.number
                yield event

    async def _next_frame(self, socket: TextSocket) -> EventFrame | OtherFrame | None:
        """Return the next frame; None at the end of the connection."""
        if self._waiting:
            return self._waiting.popleft()
        text = await socket.receive()
        if text is None:
            return None
        frame = _frame_of(text)
        if isinstance(frame, OtherFrame) and frame.op == "error":
            _raise(frame.data)
        return frame

    async def acknowledge(self) -> None:
        """Acknowledge the event that was yielded last."""
        number, self._yielded = self._yielded, 0
        if number:
            self._acknowledged.append(number)
            await self._send_ack(number)

    async def confirm(self) -> None:
        """
        Acknowledge the event that was yielded last, and return once the gateway has stored it.

        Raises:
            StorageError: The connection was lost before the confirmation; the event may be delivered again.
        """
        number, socket = self._yielded, self._socket
        if not number:
            return
        self._yielded = 0
        try:
            await self._send_ack(number, confirm=True)
            while socket is not None and (text := await socket.receive()) is not None:
                frame = _frame_of(text)
                if isinstance(frame, OtherFrame) and frame.op == "acknowledged":
                    self._acknowledged.append(number)
                    return
                self._waiting.append(frame)
        except TransportError:
            pass
        raise StorageError("The connection to the gateway was lost before the acknowledgement was confirmed.")

    async def _send_ack(self, number: int, *, confirm: bool = False) -> None:
        if self._socket is not None:
            await self._socket.send(msgspec.json.encode(Ack(number=number, confirm=confirm)).decode())


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


def _raise(data: object) -> NoReturn:
    raise error_of_problem(msgspec.convert(data, Problem))
