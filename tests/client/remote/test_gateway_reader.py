"""A subscription over connections that are lost: what is repeated, and what is not delivered twice."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.client.remote.conftest import QUICK
from tests.client.remote.test_calls import KEY
from websockets.asyncio.server import ServerConnection, serve

from webwx.client.client import AsyncClient
from webwx.errors import AlreadyRunning, GatewayRefused, LoggedOut, NotThroughGateway, StorageError, TransportError
from webwx.gateway.problems import problem, problem_of
from webwx.representations.consumers import EventFrame, OtherFrame
from webwx.representations.events import EventView

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from webwx.client.reading.subscription import Subscription

    Script = Callable[[ServerConnection], Awaitable[None]]


class ScriptedGateway:
    """A server whose connections follow one script each; the first messages of the clients are in `hellos`."""

    def __init__(self, *scripts: Script) -> None:
        self.hellos: list[dict[str, Any]] = []
        self._scripts = list(scripts)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[AsyncClient]:
        async with serve(self._answer, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with AsyncClient(gateway=f"http://127.0.0.1:{port}", key=KEY, account="me", timeouts=QUICK) as client:
                yield client

    async def _answer(self, connection: ServerConnection) -> None:
        self.hellos.append(await received(connection))
        await self._scripts.pop(0)(connection)


async def received(connection: ServerConnection) -> dict[str, Any]:
    """Return the next message of a client."""
    frame: dict[str, Any] = json.loads(await connection.recv())
    return frame


async def send(connection: ServerConnection, frame: EventFrame | OtherFrame) -> None:
    await connection.send(msgspec.json.encode(frame).decode())


async def ready(connection: ServerConnection, *numbers: int, redelivered: bool = False) -> None:
    """Send `ready`, and one text for each number."""
    await send(connection, OtherFrame(op="ready"))
    for number in numbers:
        data: dict[str, Any] = {
            "message_id": str(number), "text": str(number), "by": "", "mentions": [], "original": None,
        }  # fmt: skip
        view = EventView(
            id=f"1-{number}", number=number, account=1, type="message.text", time=None, chat="@a", chat_name="",
            sender="@a", sender_name="", is_self=False, redelivered=redelivered, data=data,
        )  # fmt: skip
        await send(connection, EventFrame(event=view, attempt=2 if redelivered else 1))


async def stay(connection: ServerConnection) -> None:
    """Answer the acknowledgements and the end of a client."""
    async for text in connection:
        frame = json.loads(text)
        if frame.get("confirm"):
            await send(connection, OtherFrame(op="acknowledged"))
        if frame["op"] == "leave":
            await send(connection, OtherFrame(op="left"))


async def take(subscription: Subscription, count: int) -> list[tuple[int, bool, int]]:
    """Return so many events: their numbers, whether they may have been delivered before, and the attempts."""
    found: list[tuple[int, bool, int]] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += [
                (each.entry.number, each.event.redelivered, each.entry.attempt) for each in await subscription.take()
            ]
    return found


async def test_unconfirmed_acknowledgements_are_repeated_on_the_next_connection() -> None:
    async def lost(connection: ServerConnection) -> None:
        await ready(connection, 7, 8)
        assert await received(connection) == {"op": "ack", "number": 7, "confirm": False}

    async def again(connection: ServerConnection) -> None:
        await ready(connection, 8, 9, redelivered=True)
        await stay(connection)

    gateway = ScriptedGateway(lost, again)
    async with gateway.serving() as client, client.subscribe("reader") as subscription:
        assert await take(subscription, 2) == [(7, False, 1), (8, False, 1)]
        subscription.ack(7)
        assert await take(subscription, 1) == [(9, True, 2)]
    assert [hello["acknowledged"] for hello in gateway.hellos] == [[], [7]]
    assert gateway.hellos[1] == {
        "op": "hello", "after": None, "consumer": "reader", "accounts": ["me"], "types": [], "follow": True,
        "acknowledged": [7],
    }  # fmt: skip


async def test_a_taken_event_is_not_delivered_twice_and_can_be_acknowledged_on_the_next_connection() -> None:
    acks = asyncio.Queue[dict[str, Any]]()

    async def lost(connection: ServerConnection) -> None:
        await ready(connection, 7, 8)
        await taken.wait()

    async def again(connection: ServerConnection) -> None:
        await ready(connection, 7, 8, 9, redelivered=True)
        acks.put_nowait(await received(connection))
        await stay(connection)

    taken = asyncio.Event()
    async with ScriptedGateway(lost, again).serving() as client, client.subscribe("reader") as subscription:
        [first] = await subscription.take(1)
        taken.set()
        # The other one was not taken, so it comes over the next connection.
        assert [number for number, _, _ in await take(subscription, 2)] == [8, 9]
        subscription.ack(first.entry.number)
        async with asyncio.timeout(20):
            assert (await acks.get())["number"] == 7


async def test_a_consumer_that_the_gateway_considers_open_is_tried_again_after_a_lost_connection_only() -> None:
    async def lost(connection: ServerConnection) -> None:
        await ready(connection, 7)

    async def busy(connection: ServerConnection) -> None:
        await send(connection, OtherFrame(op="error", data=problem_of(AlreadyRunning("The consumer is open."))))

    async def again(connection: ServerConnection) -> None:
        await ready(connection, 8)
        await stay(connection)

    gateway = ScriptedGateway(lost, busy, busy, again)
    async with gateway.serving() as client, client.subscribe("reader") as subscription:
        found = await take(subscription, 1)
        while found[-1][0] != 8:
            found += await take(subscription, 1)
    assert len(gateway.hellos) == 4

    async with ScriptedGateway(busy).serving() as client:
        with pytest.raises(AlreadyRunning):
            await client.subscribe("reader").open()


async def test_a_lost_confirmation_is_an_error_and_its_acknowledgement_is_repeated() -> None:
    async def lost(connection: ServerConnection) -> None:
        await ready(connection, 7)
        assert (await received(connection))["number"] == 7
        assert (await received(connection))["confirm"]

    async def again(connection: ServerConnection) -> None:
        await ready(connection, 8)
        await stay(connection)

    gateway = ScriptedGateway(lost, again)
    async with gateway.serving() as client, client.subscribe("reader") as subscription:
        await take(subscription, 1)
        subscription.ack(7)
        with pytest.raises(StorageError, match="confirmed"):
            await subscription.flush()
        await take(subscription, 1)
        subscription.ack(8)
        await subscription.flush()
    assert gateway.hellos[1]["acknowledged"] == [7]


async def test_one_that_does_not_follow_raises_the_error_of_a_lost_connection() -> None:
    async def lost(connection: ServerConnection) -> None:
        await ready(connection, 7)

    async with ScriptedGateway(lost).serving() as client, client.subscribe("reader", follow=False) as subscription:
        with pytest.raises(TransportError):
            await take(subscription, 2)


async def test_the_end_of_the_login_is_raised_after_the_last_event_and_can_still_be_acknowledged() -> None:
    left = asyncio.Queue[list[dict[str, Any]]]()

    async def logged_out(connection: ServerConnection) -> None:
        await ready(connection, 7)
        await send(
            connection, OtherFrame(op="end", data=problem_of(LoggedOut("The login has ended.", reason="logout")))
        )
        frames = [await received(connection) for _ in range(2)]
        await send(connection, OtherFrame(op="left"))
        left.put_nowait(frames)

    async with ScriptedGateway(logged_out).serving() as client, client.subscribe("reader") as subscription:
        await take(subscription, 1)
        with pytest.raises(LoggedOut, match="has ended"):
            await take(subscription, 1)
        subscription.ack(7)
        await subscription.close(unseen_from=8)
        ack, leave = await left.get()
    assert (ack["number"], leave) == (7, {"op": "leave", "unseen_from": 8})


async def test_a_refusal_is_raised_while_it_is_opened_and_later() -> None:
    async def refused(connection: ServerConnection) -> None:
        await send(connection, OtherFrame(op="error", data=problem("unauthorized", "The key was deleted.")))

    async def later(connection: ServerConnection) -> None:
        await ready(connection)
        await refused(connection)

    async with ScriptedGateway(refused).serving() as client:
        with pytest.raises(GatewayRefused, match="deleted"):
            await client.subscribe("reader").open()
    async with ScriptedGateway(later).serving() as client, client.subscribe("reader") as subscription:
        for _ in range(2):
            with pytest.raises(GatewayRefused, match="deleted"):
                await take(subscription, 1)


async def test_a_closed_client_and_a_stopped_subscription_deliver_nothing_more() -> None:
    async def serve_one(connection: ServerConnection) -> None:
        await ready(connection, 7)
        await stay(connection)

    async with ScriptedGateway(serve_one, serve_one).serving() as client:
        async with client.subscribe("reader") as subscription:
            await take(subscription, 1)
            await subscription.stop()
            assert await subscription.take() == []
            subscription.ack(7)
            await subscription.flush()
        with pytest.raises(StorageError, match="not open"):
            await subscription.take()
        async with client.subscribe("reader") as subscription:
            await take(subscription, 1)
            waiting = asyncio.ensure_future(subscription.take())
            await asyncio.sleep(0)
            await client.close()
            assert await waiting == []
            assert await subscription.take() == []


async def test_what_only_a_bot_uses_needs_a_journal_of_its_own() -> None:
    async with AsyncClient(gateway="http://127.0.0.1:9", key=KEY) as client:
        subscription = client.subscribe("bot", shows=True)
        assert repr(subscription) == "Subscription('bot')"
        for use in (lambda: subscription.part, lambda: subscription.consumer):
            with pytest.raises(NotThroughGateway):
                use()
