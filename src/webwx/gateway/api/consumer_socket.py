"""The WebSocket of a consumer: it sends events, and receives the acknowledgements and failures of the client."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from webwx.errors import WxError
from webwx.gateway.problems import problem_of
from webwx.gateway.views import view_of_event
from webwx.model.event_filters import matches
from webwx.representations.consumers import (
    Ack,
    AnswerFrame,
    ClientFrame,
    EndFrame,
    EventFrame,
    FailedAttempt,
    GivenUp,
    Hello,
    Leave,
    LeftFrame,
    ServerFrame,
)

if TYPE_CHECKING:
    from litestar import WebSocket

    from webwx.gateway.access.auth import Caller
    from webwx.gateway.accounts.account import EventConsumer
    from webwx.gateway.http.open_streams import OpenStream

_WINDOW = 500
"""Maximum number of unacknowledged events of a consumer."""

_REMEMBERED = 2 * _WINDOW
"""Number of acknowledgements that are remembered because they came before their events were sent."""


class ConsumerRelay(Protocol):
    """Connects clients with consumers of accounts that other nodes of a cluster own."""

    async def relay(self, socket: WebSocket[Any, Any, Any], number: int, first: str) -> bool:
        """
        Connect a client with the owner of an account until one of them closes the connection.

        Args:
            socket: The accepted connection of the client.
            number: Number of the account.
            first: The first message of the client.

        Returns:
            False if the account has no other owner than this node.

        Raises:
            GatewayProblem: There is no owner, or it has refused the connection.
            StorageError: The owner cannot be looked up.
            WebSocketDisconnect: The client has left.
        """
        ...


class ConsumerSocket:
    """
    Sends the events of one consumer to a client, and stores acknowledgements and failures of the client.

    Args:
        socket: The client.
        consumer: The open consumer.
        hello: The first message of the client. Events of types that it does not read are acknowledged at once.
        stream: The stream of the client.
    """

    def __init__(
        self, socket: WebSocket[Caller, None, Any], consumer: EventConsumer, hello: Hello, stream: OpenStream
    ) -> None:
        self.unseen_from: int | None = None
        """Number of the first event that the client has not handled, once it has left."""
        self._socket = socket
        self._consumer = consumer
        self._stream = stream
        self._types = tuple(hello.types)
        self._follows = hello.follow
        self._unacknowledged: set[int] = set()
        self._early: deque[int] = deque(maxlen=_REMEMBERED)
        """Events that were acknowledged before this connection sent them."""
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def send_all(self) -> None:
        """
        Send events, and wait while too many are not acknowledged.

        After `end`, wait for the acknowledgements of the client. Return if the account is closed here.
        """
        problem = None
        try:
            while batch := await self._consumer.take():
                async for account_event in self._stream.turns.spread(batch):
                    number = account_event.event.number
                    await self._has_room.wait()
                    if number in self._early:
                        self._early.remove(number)
                        continue
                    if not matches(account_event.event.type, self._types):
                        self._consumer.ack(number)
                        continue
                    self._unacknowledged.add(number)
                    if len(self._unacknowledged) >= _WINDOW:
                        self._has_room.clear()
                    await self._send(EventFrame(event=view_of_event(account_event), attempt=account_event.attempt))
            if self._follows:
                return
        except WxError as error:
            problem = problem_of(error)
        await self._send(EndFrame(data=problem))
        await asyncio.get_running_loop().create_future()

    async def receive_all(self) -> None:
        """Receive the messages of the client until it leaves."""
        while True:
            match msgspec.json.decode(await self._socket.receive_text(), type=ClientFrame):
                case Ack() as ack:
                    if ack.number:
                        self._consumer.ack(ack.number)
                        self._settle(ack.number)
                    if ack.confirm:
                        await self._consumer.flush()
                        await self._send(AnswerFrame(op="acknowledged", data=ack.number))
                case FailedAttempt(number=number, error=error):
                    failures = await self._consumer.failed(number, error)
                    await self._send(AnswerFrame(op="failed", data=failures))
                case GivenUp(number=number, error=error):
                    await self._consumer.give_up(number, error)
                    self._settle(number)
                    await self._send(AnswerFrame(op="given_up", data=number))
                case Leave(unseen_from=unseen_from):
                    self.unseen_from = unseen_from
                    return

    def _settle(self, number: int) -> None:
        """Note that the client has handled an event."""
        if number in self._unacknowledged:
            self._unacknowledged.discard(number)
            self._has_room.set()
        else:
            self._early.append(number)

    async def leave(self) -> None:
        """Close the consumer, and confirm it to the client."""
        await self._consumer.close(unseen_from=self.unseen_from or 0)
        await self._send(LeftFrame())

    async def _send(self, frame: ServerFrame) -> None:
        await self._socket.send_text(msgspec.json.encode(frame).decode())
