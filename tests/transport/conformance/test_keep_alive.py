"""The connection of a request: the most recently used open one, or a new one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.transport.lines import Caller, answer, serving

if TYPE_CHECKING:
    from tests.transport.conformance.conftest import Make

    from webwx.transport.runner import Transport


@pytest.mark.parametrize(("keep_idle", "connections"), [(3600.0, 1), (0.0, 2)])
async def test_a_connection_beyond_the_idle_limit_is_not_used(make: Make, keep_idle: float, connections: int) -> None:
    transport = make(keep_idle=keep_idle)
    async with serving(answer(b"hi")) as server:
        for _ in range(2):
            assert (await transport.send(server.request("POST", body=b"x"))).body == b"hi"

    assert connections == server.callers


async def test_an_idle_connection_is_closed_without_another_request(make: Make) -> None:
    transport = make(keep_idle=0.01)
    async with serving(answer()) as server:
        await transport.send(server.request())
        await server.until_gone()


async def test_concurrent_requests_have_their_own_connections_which_are_reused(transport: Transport) -> None:
    async with serving(answer(b"hi")) as server:
        for _ in range(2):
            await asyncio.gather(*(transport.send(server.request()) for _ in range(8)))

    assert server.callers == 8


@pytest.mark.parametrize(
    "says", [answer(b"hi", "Connection: close"), b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"]
)
async def test_a_server_can_disable_keep_alive(transport: Transport, says: bytes) -> None:
    async with serving(says) as server:
        for _ in range(2):
            assert (await transport.send(server.request())).body == b"hi"
        await server.until_gone(2)

    assert server.callers == 2


async def test_a_connection_that_the_server_closed_is_not_used(transport: Transport) -> None:
    async def answer_once(caller: Caller) -> None:
        server.received.append(await caller.receive())
        await caller.say(answer(b"hi"))

    async with serving(answer_once) as server:
        for count in (1, 2):
            assert (await transport.send(server.request("POST", body=b"x"))).body == b"hi"
            await server.until_gone(count)
            await asyncio.sleep(0.01)  # The kernel is delivering the end of the connection.

    assert len(server.received) == 2


@pytest.mark.parametrize("more", [answer(b"2"), b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_bytes_sent_with_an_answer_are_not_read_as_the_next_one(transport: Transport, more: bytes) -> None:
    async def babble(caller: Caller) -> None:
        while True:
            await caller.receive()
            await caller.say(answer(b"%d" % server.callers) + more)

    async with serving(babble) as server:
        bodies = [(await transport.send(server.request())).body for _ in range(2)]

    assert bodies == [b"1", b"2"]


async def test_bytes_sent_after_an_answer_are_not_read_as_the_next_one(transport: Transport) -> None:
    again, done = asyncio.Event(), asyncio.Event()

    async def repeat(caller: Caller) -> None:
        while True:
            await caller.receive()
            says = answer(b"%d" % server.callers)
            await caller.say(says)
            await again.wait()
            await caller.say(says)
            done.set()

    async with serving(repeat) as server:
        first = await transport.send(server.request())
        again.set()
        await done.wait()
        for _ in range(10):
            await asyncio.sleep(0)  # Until the bytes have arrived.
        second = await transport.send(server.request())

    assert [first.body, second.body] == [b"1", b"2"]


async def test_a_transport_can_be_used_after_it_was_closed(transport: Transport) -> None:
    async with serving(answer(b"hi")) as server:
        await transport.send(server.request())
        await transport.close()
        await transport.close()
        await server.until_gone()

        assert (await transport.send(server.request())).body == b"hi"
