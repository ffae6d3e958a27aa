"""Every stage of a request has a time limit, and a cancelled request leaves nothing behind."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, cast

import pytest
from tests.transport.lines import Caller, serving, silent_port

from webwx.errors import ConnectFailed, Timeout
from webwx.protocol.http import Request, TimeLimit
from webwx.transport.download_sink import DownloadSink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.transport.conformance.conftest import Make

    from webwx.protocol.http import Response
    from webwx.transport.runner import Transport

SILENCES = {
    "before the head": b"",
    "in the head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "in the body": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf",
}
silences = pytest.mark.parametrize("says", SILENCES.values(), ids=SILENCES)


def then_silent(says: bytes) -> Callable[[Caller], Awaitable[None]]:
    """Read a request, send the beginning of an answer, and then nothing."""

    async def talk(caller: Caller) -> None:
        await caller.receive()
        await caller.say(says)
        await caller.receive_end()

    return talk


@silences
@pytest.mark.parametrize("time_limit", TimeLimit)
async def test_silence_ends_the_request_and_the_connection(
    hasty: Transport, says: bytes, time_limit: TimeLimit
) -> None:
    async with serving(then_silent(says)) as server:
        with pytest.raises(Timeout, match=rf"webwxsync: no answer from 127\.0\.0\.1:{server.port} in time") as caught:
            await hasty.send(server.request(path="/?skey=secret", time_limit=time_limit))
        await server.until_gone()

    assert "secret" not in str(caught.value)


@silences
async def test_silence_ends_a_download(hasty: Transport, says: bytes) -> None:
    async with serving(then_silent(says)) as server:
        with pytest.raises(Timeout):
            await hasty.send(server.request(sink=DownloadSink(io.BytesIO(), 1000)))
        await server.until_gone()


async def test_a_slow_answer_must_be_complete_in_time(hasty: Transport) -> None:
    async with serving(dripping) as server:
        with pytest.raises(Timeout):
            await hasty.send(server.request())


async def test_a_download_has_a_time_limit_for_each_piece(make: Make) -> None:
    transport, file = make(call=0.6, slowest=10), io.BytesIO()  # less than all pieces take, and much more than one
    async with serving(dripping) as server:
        await transport.send(server.request(sink=DownloadSink(file, 1000)))

    assert file.getvalue() == b"drip" * 8


async def test_a_download_that_is_too_slow_ends(make: Make) -> None:
    async def drip(caller: Caller) -> None:
        await caller.receive()
        await caller.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await caller.say(b"x")
            await asyncio.sleep(0.01)

    transport, file = make(call=0.2), io.BytesIO()
    async with serving(drip) as server:
        with pytest.raises(Timeout, match=rf"webwxsync: no answer from 127\.0\.0\.1:{server.port} in time"):
            await transport.send(server.request(sink=DownloadSink(file, 100_000)))
        await server.until_gone()

    assert 0 < len(file.getvalue()) < 100


async def dripping(caller: Caller) -> None:
    await caller.receive()
    await caller.say(b"HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n")
    for _ in range(8):
        await asyncio.sleep(0.1)
        await caller.say(b"drip")


async def test_a_server_that_reads_nothing_ends_an_upload(hasty: Transport) -> None:
    async def listen_not(caller: Caller) -> None:
        cast("asyncio.Transport", caller.writer.transport).pause_reading()  # that of uvloop has no base class
        await asyncio.sleep(60)

    async with serving(listen_not) as server:
        with pytest.raises(Timeout):
            await hasty.send(server.request("POST", body=(b"head", bytes(64 << 20))))


# -- connecting ------------------------------------------------------------------------------------------------------


@pytest.fixture
def full_house() -> Iterator[int]:
    with silent_port() as port:
        yield port


async def test_a_connection_that_fails_has_sent_nothing(make: Make, full_house: int) -> None:
    transport = make(connect=0.1)
    url = f"http://127.0.0.1:{full_house}/?skey=secret"
    with pytest.raises(ConnectFailed, match=rf"no connection to 127\.0\.0\.1:{full_house}; nothing was sent"):
        await transport.send(Request(endpoint="webwxsync", method="POST", url=url, body=b"secret"))


async def test_a_connection_without_a_complete_handshake_has_sent_nothing(make: Make) -> None:
    async def listen(caller: Caller) -> None:
        server.received.append(await caller.reader.read())

    transport = make(connect=0.1)
    async with serving(listen) as server:
        with pytest.raises(ConnectFailed, match="nothing was sent"):
            await transport.send(server.request("POST", body=b"secret", tls=True))
        await server.until_gone()

    assert b"secret" not in server.received[0]


# -- cancellation ----------------------------------------------------------------------------------------------------


async def call_off(sending: asyncio.Task[Response]) -> None:
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


@silences
async def test_cancelling_a_request_closes_its_connection(transport: Transport, says: bytes) -> None:
    async def begin(caller: Caller) -> None:
        await caller.receive()
        await caller.say(says)
        begun.set()
        await caller.receive_end()

    begun = asyncio.Event()
    async with serving(begin) as server:
        sending = asyncio.create_task(transport.send(server.request()))
        await begun.wait()
        await call_off(sending)
        await server.until_gone()


async def test_cancelling_a_connect_closes_the_connection(transport: Transport, full_house: int) -> None:
    url = f"http://127.0.0.1:{full_house}/"
    sending = asyncio.create_task(transport.send(Request(endpoint="webwxsync", method="GET", url=url)))
    for _ in range(10):
        await asyncio.sleep(0)
    await call_off(sending)


async def test_cancelling_a_handshake_closes_the_connection(transport: Transport) -> None:
    async def listen(caller: Caller) -> None:
        await caller.reader.read(1)
        begun.set()
        await caller.receive_end()

    begun = asyncio.Event()
    async with serving(listen) as server:
        sending = asyncio.create_task(transport.send(server.request(tls=True)))
        await begun.wait()
        await call_off(sending)
        await server.until_gone()


async def test_closing_ends_running_requests(transport: Transport) -> None:
    async def begin(caller: Caller) -> None:
        await caller.receive()
        begun.set()
        await caller.receive_end()

    begun = asyncio.Event()
    async with serving(begin) as server:
        sending = asyncio.create_task(transport.send(server.request()))
        await begun.wait()
        await transport.close()
        await server.until_gone()
        with pytest.raises(Exception, match="webwxsync: the connection broke before the answer was complete"):
            await sending
