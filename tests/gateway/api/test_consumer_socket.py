"""The WebSocket of a consumer: attempts that fail, events that are given up, the end, and a lost connection."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from tests.gateway.api.test_events import consumer_socket, port_of, receive, receive_texts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from tests.gateway.conftest import Running
    from websockets.asyncio.client import ClientConnection

DEAD_LETTERS = "/api/v1/accounts/1/consumers/reader/dead-letters"


class OpenConsumer(Protocol):
    def __call__(self, **hello: Any) -> AbstractAsyncContextManager[ClientConnection]: ...


@pytest.fixture
async def consuming(online: Running) -> AsyncIterator[OpenConsumer]:
    """Open the consumer `reader` on a WebSocket."""
    key = await online.key("events")
    async with port_of(online) as address:
        yield partial(consumer_socket, address, key)


async def ask(socket: ClientConnection, **message: Any) -> dict[str, Any]:
    """Send a message, and return the answer to it; leave out events."""
    await socket.send(json.dumps(message))
    while (answer := await receive(socket))["op"] == "event":
        pass
    return answer


async def next_text(socket: ClientConnection) -> dict[str, Any]:
    """Return the frame of the next text; acknowledge all other events."""
    while True:
        frame = await receive(socket)
        assert frame["op"] == "event"
        if frame["event"]["type"] == "message.text":
            return frame
        await socket.send(json.dumps({"op": "ack", "number": frame["event"]["number"]}))


async def test_failed_attempts_are_counted_and_an_event_can_be_given_up(
    online: Running, consuming: OpenConsumer
) -> None:
    async with consuming() as socket:
        online.world.say("ahua", "me", "difficult")
        number = (await next_text(socket))["event"]["number"]
        for count in (1, 2):
            assert await ask(socket, op="failed", number=number, error="ValueError") == {
                "op": "failed", "data": count,
            }  # fmt: skip
        assert (await ask(socket, op="give_up", number=number, error="ValueError"))["op"] == "given_up"
        assert (await ask(socket, op="leave"))["op"] == "left"
        await socket.wait_closed()
        assert socket.close_code == 1000
    async with online.client("read") as client:
        [letter] = (await client.get(DEAD_LETTERS)).json()["dead_letters"]
    assert (letter["event"]["number"], letter["attempts"], letter["error"]) == (number, 2, "ValueError")


async def test_events_that_were_not_seen_are_not_marked_after_the_client_has_left(
    online: Running, consuming: OpenConsumer
) -> None:
    async with consuming() as socket:
        for text in ("1", "2"):
            online.world.say("ahua", "me", text)
        numbers = [(await next_text(socket))["event"]["number"] for _ in range(2)]
        assert (await ask(socket, op="leave", unseen_from=numbers[1]))["op"] == "left"
    async with consuming() as socket:
        frames = [await next_text(socket) for _ in range(2)]
    assert [frame["event"]["number"] for frame in frames] == numbers
    assert [frame["event"]["redelivered"] for frame in frames] == [True, False]


async def test_one_that_does_not_follow_ends_and_its_last_event_can_still_be_acknowledged(
    online: Running, consuming: OpenConsumer
) -> None:
    async with consuming() as socket:
        await ask(socket, op="leave")
    online.world.say("ahua", "me", "it waits")
    async with consuming(follow=False) as socket:
        number = (await next_text(socket))["event"]["number"]
        assert await receive(socket) == {"op": "end", "data": None}
        assert (await ask(socket, op="ack", number=number, confirm=True))["op"] == "acknowledged"
    async with consuming(follow=False) as socket:
        assert (await receive(socket))["op"] == "end"


async def test_the_end_of_the_login_is_reported_and_the_last_event_can_still_be_acknowledged(
    online: Running, consuming: OpenConsumer
) -> None:
    async with consuming() as socket:
        online.world.say("ahua", "me", "last")
        number = (await next_text(socket))["event"]["number"]
        online.world.log_out("me")
        await online.port.account(1).check()
        end = await receive(socket)
        while end["op"] == "event":
            end = await receive(socket)
        assert (end["op"], end["data"]["code"]) == ("end", "logged-out")
        assert (await ask(socket, op="ack", number=number, confirm=True))["op"] == "acknowledged"
        [position] = [each for each in await online.port.account(1).client.list_consumers() if each.name == "reader"]
        assert position.acked >= number


async def test_acknowledgements_are_repeated_on_the_next_connection(online: Running, consuming: OpenConsumer) -> None:
    async with consuming() as socket:
        for text in ("1", "2"):
            online.world.say("ahua", "me", text)
        first, second = [(await next_text(socket))["event"]["number"] for _ in range(2)]
    async with consuming(acknowledged=[first, second + 1_000]) as socket:
        frame = await next_text(socket)
        assert (frame["event"]["number"], frame["event"]["redelivered"]) == (second, True)
        # It was acknowledged before it arrived: the event of a number that does not exist yet is not skipped.
        online.world.say("ahua", "me", "3")
        [(third, _)] = await receive_texts(socket, 1)
        assert third == "3"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"op": "failed", "number": 9_999, "error": "ValueError"}, 1011),
        ({"op": "give_up", "number": 0, "error": "ValueError"}, 1011),
        ({"op": "failed", "number": 1, "error": "x" * 1_001}, 1003),
        ({"op": "hello"}, 1003),
    ],
)
async def test_an_invalid_message_closes_the_socket(
    consuming: OpenConsumer, message: dict[str, Any], code: int
) -> None:
    async with consuming() as socket:
        await socket.send(json.dumps(message))
        await socket.wait_closed()
        assert socket.close_code == code


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"op": "ack", "number": "7"}, "number: Expected `int`, got `str`"),
        ({"op": "ack"}, "message: Object missing required field `number`"),
        ({"op": "ack", "number": 7, "confrim": True}, "message: Object contains unknown field `confrim`"),
        ({"op": "failed", "number": 7, "error": "x" * 1_001}, "error: Expected `str` of length <= 1000"),
    ],
)
async def test_a_refused_message_names_its_field(consuming: OpenConsumer, message: dict[str, Any], error: str) -> None:
    async with consuming() as socket:
        await socket.send(json.dumps(message))
        frame = await receive(socket)

    assert (frame["op"], frame["data"]["code"], frame["data"]["errors"]) == ("error", "bad-request", [error])


async def test_a_client_that_acknowledges_nothing_is_sent_no_more_than_the_window(
    online: Running, consuming: OpenConsumer
) -> None:
    async with consuming(types=["message.text"]) as socket:
        for number in range(501):
            online.world.say("ahua", "me", str(number))
        frames = [await receive(socket) for _ in range(500)]
        answer = await ask(socket, op="ack", number=0, confirm=True)
        assert answer == {"op": "acknowledged", "data": 0}
        await socket.send(json.dumps({"op": "ack", "number": frames[0]["event"]["number"]}))
        assert (await receive(socket))["event"]["data"]["text"] == "500"
