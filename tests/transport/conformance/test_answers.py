"""Responses: every framing, every header, and malformed ones."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import logging
import tracemalloc
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest
from tests.flows.drive import refusal
from tests.transport.lines import Caller, answer, serving

from webwx.errors import LocalStateError, ProtocolError, TransportError
from webwx.protocol.http import TimeLimit
from webwx.protocol.messages import TEXT
from webwx.transport.download_sink import DownloadSink
from webwx.transport.runner import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transport.conformance.conftest import Make

    from webwx.transport.runner import Transport

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def packed_raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


# -- valid answers ---------------------------------------------------------------------------------------------------


async def test_every_header_is_returned_in_order(transport: Transport) -> None:
    says = answer(b"hi", "Set-Cookie: a=1; Path=/", "X-Y: ü", "Set-Cookie: b=2", status="404 Not Found")
    async with serving(says) as server:
        response = await transport.send(server.request())

    assert (response.status, response.body) == (404, b"hi")
    assert response.header_values("set-cookie") == ("a=1; Path=/", "b=2")
    assert response.header("x-y") == "ü"


async def test_the_debug_log_has_one_line_per_answer_with_its_call_and_no_address(
    transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(answer(b"hi")) as server:
        for level in (logging.INFO, logging.DEBUG):
            caplog.set_level(level, "webwx.transport")
            await transport.send(server.request(path="/?skey=secret"))

    lines = [record.getMessage() for record in caplog.records if record.name == "webwx.transport"]
    assert lines == [f"{server.request().endpoint} -> 200, 2 bytes"]


FRAMINGS = {
    "chunks": CHUNKED + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
    "chunks and a trailer": CHUNKED + b"5\r\nhello\r\n0\r\nX-Y: z\r\n\r\n",
    "until the end": OK + b"\r\nhello",
    "http 1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "1xx before": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(b"hello"),
    "gzip": answer(gzip.compress(b"hello"), "Content-Encoding: gzip"),
    "gzip in two members": answer(gzip.compress(b"he") + gzip.compress(b"llo"), "Content-Encoding: gzip"),
    "deflate": answer(zlib.compress(b"hello"), "Content-Encoding: deflate"),
    "raw deflate": answer(packed_raw(b"hello"), "Content-Encoding: deflate"),
    "not packed": answer(b"hello", "Content-Encoding: identity"),
}


@pytest.mark.parametrize("at_a_time", [1, 1 << 20], ids=["byte by byte", "at once"])
@pytest.mark.parametrize("says", FRAMINGS.values(), ids=FRAMINGS)
async def test_a_body_is_complete_in_every_framing(transport: Transport, says: bytes, at_a_time: int) -> None:
    async def say(caller: Caller) -> None:
        await caller.receive()
        for start in range(0, len(says), at_a_time):
            await caller.say(says[start : start + at_a_time])

    async with serving(say) as server:
        response = await transport.send(server.request())

    assert (response.status, response.body) == (200, b"hello")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_some_answers_have_no_body_despite_their_headers(transport: Transport, status: str) -> None:
    async with serving(f"HTTP/1.1 {status}\r\n\r\n".encode()) as server:
        for _ in range(2):
            assert (await transport.send(server.request())).body == b""

    assert server.callers == 1


@pytest.mark.parametrize("location", ["Location: http://127.0.0.1:1/", None])
async def test_a_redirect_is_returned_and_not_followed(transport: Transport, location: str | None) -> None:
    says = answer(b"<error>", *([location] if location else []), status="301 Moved Permanently")
    async with serving(says) as server:
        response = await transport.send(server.request())

    assert (response.status, response.body, len(server.received)) == (301, b"<error>", 1)


@pytest.mark.parametrize("charset", [None, "", "; charset=iso-8859-1", "; charset=gbk", "; charset=nonsense"])
async def test_a_text_is_utf_8_despite_its_charset(transport: Transport, charset: str | None) -> None:
    body = refusal(0, "张 贳丽😀").body
    headers = [] if charset is None else [f"Content-Type: text/plain{charset}"]
    async with serving(answer(body, *headers)) as server:
        response = await transport.send(server.request())

    assert TEXT.decode_reply(response).base_response.err_msg == "张 贳丽😀"


async def test_the_transport_stores_no_cookies(transport: Transport) -> None:
    async with serving(answer(b"", "Set-Cookie: a=1")) as server:
        await transport.send(server.request())
        await transport.send(server.request())

    assert b"Cookie:" not in b"".join(server.received)


# -- malformed answers -----------------------------------------------------------------------------------------------

GARBLED = {
    "a status of one digit": b"HTTP/1.1 0\r\n\r\n",
    "a status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "another protocol": b"garbage\r\n\r\n",
    "zeros": b"\x00" * 64,
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
    "a length and chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "a length below zero": OK + b"Content-Length: -1\r\n\r\n",
    "a head without end": OK + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
    "a change of protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "no gzip": answer(b"garbage", "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("says", GARBLED.values(), ids=GARBLED)
async def test_a_malformed_answer_is_an_error(transport: Transport, says: bytes) -> None:
    async with serving(says) as server:
        with pytest.raises(TransportError) as caught:
            await transport.send(server.request())

    assert (type(caught.value), str(caught.value)) == (TransportError, "webwxsync: the answer is not HTTP.")


CUT = {
    "before the head": b"",
    "in the head": OK + b"Content-Le",
    "in the body": OK + b"Content-Length: 10\r\n\r\nhalf",
    "in a chunk": CHUNKED + b"5\r\nhalf",
    "before the last chunk": CHUNKED + b"4\r\nhalf\r\n",
}


@pytest.mark.parametrize("says", CUT.values(), ids=CUT)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_truncated_answer_is_an_error_and_not_requested_again(
    transport: Transport, method: str, says: bytes
) -> None:
    async def hang_up(caller: Caller) -> None:
        server.received.append(await caller.receive())
        await caller.say(says)

    async with serving(hang_up) as server:
        with pytest.raises(TransportError) as caught:
            await transport.send(server.request(method, body=b"x" if method == "POST" else b""))

    sentence = "webwxsync: the connection broke before the answer was complete."
    assert (type(caught.value), str(caught.value)) == (TransportError, sentence)
    assert len(server.received) == 1


@pytest.mark.parametrize("says", [OK + b"Content-Length: %d\r\n\r\n", CHUNKED], ids=["length", "chunks"])
async def test_the_size_of_an_answer_is_limited_by_its_kind(transport: Transport, says: bytes) -> None:
    limit = MAX_BODY[TimeLimit.POLL]
    async with serving(answer(bytes(limit))) as server:
        assert len((await transport.send(server.request(time_limit=TimeLimit.POLL))).body) == limit
    async with serving(answer(bytes(limit + 1))) as server:
        with pytest.raises(ProtocolError, match="webwxsync: the answer is larger than 1,048,576 bytes"):
            await transport.send(server.request(time_limit=TimeLimit.POLL))


async def test_a_decompression_bomb_is_refused(transport: Transport) -> None:
    async with serving(answer(gzip.compress(bytes(4 << 20)), "Content-Encoding: gzip")) as server:
        with pytest.raises(ProtocolError, match="larger than 1,048,576 bytes"):
            await transport.send(server.request(time_limit=TimeLimit.POLL))


async def test_what_follows_a_chunked_body_is_no_header(transport: Transport) -> None:
    async with serving(CHUNKED + b"2\r\nhi\r\n0\r\nSet-Cookie: wxuin=1\r\nX-Y: z\r\n\r\n") as server:
        response = await transport.send(server.request())

    assert response.body == b"hi"
    assert (response.header("Set-Cookie"), response.header("X-Y")) == ("", "")


ENDLESS = {
    "trailers": (CHUNKED + b"2\r\nhi\r\n0\r\n", b"".join(b"X-%d: y\r\n" % number for number in range(1_000))),
    "one trailer": (CHUNKED + b"2\r\nhi\r\n0\r\nX: ", b"y" * 16_384),
    "the name of a trailer": (CHUNKED + b"2\r\nhi\r\n0\r\n", b"y" * 16_384),
    "extensions of a chunk": (CHUNKED + b"2", b";x=y" * 4_096),
    "an extension of a chunk": (CHUNKED + b'2;x="', b"y" * 16_384),
    "blanks behind the size of a chunk": (CHUNKED + b"2", b" " * 16_384),
    "digits of the size of a chunk": (CHUNKED, b"0" * 16_384),
    "headers": (OK, b"".join(b"X-%d: y\r\n" % number for number in range(1_000))),
    "cookies": (OK, b"Set-Cookie: a=b\r\n" * 1_000),
    "forerunners": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 400),
    "packed emptiness": (OK + b"Content-Encoding: deflate\r\n\r\n\x78\x9c", b"\0\0\0\xff\xff" * 3_000),
}


@contextlib.contextmanager
def no_more_than(size: int) -> Iterator[None]:
    """Fail when more memory is allocated in the block."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before <= size


@pytest.mark.parametrize("is_download", [False, True], ids=["kept", "into a sink"])
@pytest.mark.parametrize("what", ENDLESS)
async def test_the_memory_for_each_part_of_an_answer_is_limited(make: Make, what: str, is_download: bool) -> None:
    begins, goes_on = ENDLESS[what]

    async def say_for_ever(caller: Caller) -> None:
        await caller.receive()
        await caller.say(begins)
        while True:
            await caller.say(goes_on)
            await asyncio.sleep(0)

    sink = DownloadSink(io.BytesIO(), 1_000) if is_download else None
    transport = make(call=0.5)
    async with serving(say_for_ever) as server:
        with no_more_than(2 << 20), pytest.raises(TransportError):
            await transport.send(server.request(sink=sink))
        await server.until_gone()


@pytest.mark.parametrize("is_download", [False, True], ids=["kept", "into a sink"])
async def test_a_body_in_tiny_chunks_needs_no_more_memory(make: Make, is_download: bool) -> None:
    body, chunk = bytes(64 * 1024), b"2\r\n\0\0\r\n"

    async def say_in_chunks(caller: Caller) -> None:
        await caller.receive()
        await caller.say(CHUNKED)
        for _ in range(64):
            await caller.say(chunk * (len(body) // 128))
            await asyncio.sleep(0)
        await caller.say(b"0\r\n\r\n")

    file = io.BytesIO()
    sink = DownloadSink(file, len(body)) if is_download else None
    transport = make(call=30)
    async with serving(say_in_chunks) as server:
        with no_more_than(8 * len(body)):
            response = await transport.send(server.request(sink=sink))

    assert body == (file.getvalue() if is_download else response.body)


# -- downloads into a sink -------------------------------------------------------------------------------------------


@pytest.fixture
def full_disk() -> Iterator[BinaryIO]:
    with Path("/dev/full").open("wb", buffering=0) as full:
        yield full


async def test_a_body_is_written_to_the_sink_only(transport: Transport) -> None:
    file, body = io.BytesIO(), bytes(range(256)) * 4096
    async with serving(answer(body)) as server:
        response = await transport.send(server.request(sink=DownloadSink(file, MAX_BODY[TimeLimit.CALL])))

    assert (response.status, response.body) == (200, b"")
    assert file.getvalue() == body


async def test_an_endless_body_ends_at_the_limit_of_the_sink(transport: Transport) -> None:
    file = io.BytesIO()
    async with serving(CHUNKED + 10 * (b"4000\r\n" + bytes(0x4000) + b"\r\n")) as server:
        with pytest.raises(ProtocolError, match="larger than 20,000 bytes"):
            await transport.send(server.request(sink=DownloadSink(file, 20_000)))
        await server.until_gone()

    assert len(file.getvalue()) <= 20_000


async def test_a_truncated_body_is_an_error(transport: Transport) -> None:
    async def half(caller: Caller) -> None:
        await caller.receive()
        await caller.say(OK + b"Content-Length: 100\r\n\r\nhalf")

    async with serving(half) as server:
        with pytest.raises(TransportError, match="broke before the answer was complete"):
            await transport.send(server.request(sink=DownloadSink(io.BytesIO(), 1000)))


async def test_a_full_disk_is_not_a_connection_error(transport: Transport, full_disk: BinaryIO) -> None:
    async with serving(answer(b"body")) as server:
        with pytest.raises(LocalStateError, match="cannot be stored"):
            await transport.send(server.request(sink=DownloadSink(full_disk, 1000)))
