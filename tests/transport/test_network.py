"""The HTTP library behind its door, over real sockets: what leaves, what comes back, and how it goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest
from tests.flows.drive import refusal

from webwx.errors import ConnectFailed, LocalStateError, ProtocolError, Timeout, TlsError, TransportError
from webwx.protocol.hosts import single
from webwx.protocol.http import Patience, Request
from webwx.protocol.messages import TEXT, OutgoingText, TextRequest
from webwx.transport.network import MAX_BODY, Network
from webwx.transport.run import Timeouts
from webwx.transport.spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SELF_SIGNED = Path(__file__).with_name("self_signed.pem")


class Server:
    """Says the same bytes to everybody and keeps what it heard."""

    def __init__(self, says: bytes, *, stays: bool = False) -> None:
        self.heard = bytearray()
        self.callers = 0
        self.ended = asyncio.Semaphore(0)
        """Released once for each caller, at the end."""
        self.port = 0
        self._says = says
        self._stays = stays

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self.answer(reader, writer)
            while self._stays:
                await self.answer(reader, writer)
            if not self._says:
                await reader.read()  # silence, until the caller gives up
        writer.close()
        self.ended.release()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heard += head
        if b"Content-Length: " in head:
            self.heard += await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
        writer.write(self._says)
        await writer.drain()

    def request(self, method: str = "GET", path: str = "/", body: bytes = b"", **more: object) -> Request:
        url = f"http://127.0.0.1:{self.port}{path}"
        return Request(endpoint="webwxsync", method=method, url=url, body=body, **more)


@contextlib.asynccontextmanager
async def serving(says: bytes, tls: ssl.SSLContext | None = None, *, stays: bool = False) -> AsyncIterator[Server]:
    """A server on a free port of this machine, which closes each connection after its answer unless it stays."""
    server = Server(says, stays=stays)
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network(Timeouts(call=0.2))
    yield network
    await network.close()


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """An answer as it stands on the wire."""
    head = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class TestWhatLeaves:
    async def test_is_the_request_as_it_was_made(self, network: Network) -> None:
        headers = (("mmweb_appid", "w"), ("Cookie", "b=2; a=1"), ("ACCEPT", "x/y"), ("Content-Type", "t"))
        path = "/a%2Fb?pass_ticket=k3Yq%252BZ0%253D&sid=a+b/c'd&&x=%7e|"
        async with serving(answer()) as server:
            await network.send(server.request("POST", path, b"body", headers=headers))

        line, *sent = bytes(server.heard).decode().split("\r\n")
        assert line == f"POST {path} HTTP/1.1"
        assert sent[1:5] == ["mmweb_appid: w", "Cookie: b=2; a=1", "ACCEPT: x/y", "Content-Type: t"]
        assert sent[-1] == "body"

    async def test_k3_has_only_the_headers_that_http_needs_besides(self, network: Network) -> None:
        async with serving(answer()) as server:
            await network.send(server.request("POST", "/", b"body"))

        names = [line.partition(":")[0] for line in bytes(server.heard).decode().split("\r\n")[1:-2]]
        assert sorted(names) == ["Accept-Encoding", "Content-Length", "Host"]

    async def test_may_be_a_body_of_several_buffers(self, network: Network) -> None:
        async with serving(answer()) as server:
            await network.send(server.request("POST", body=(b"head", b"\x00file", b"tail")))

        assert server.heard.endswith(b"Content-Length: 13\r\n\r\nhead\x00filetail")

    async def test_c9_a_text_is_raw_utf_8_and_says_so(self, network: Network) -> None:
        text = TextRequest(msg=OutgoingText(content="你好😀", to_user_name="filehelper"))
        async with serving(answer()) as server:
            await network.send(TEXT.encode_request(text, single(f"http://127.0.0.1:{server.port}")))

        head, _, body = bytes(server.heard).partition(b"\r\n\r\n")
        assert b"\r\nContent-Type: application/json;charset=UTF-8\r\n" in head + b"\r\n"
        assert '"Content":"你好😀"'.encode() in body
        assert b"\\u" not in body

    async def test_goes_past_a_proxy_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """B21: only what the user asked for is used."""
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.delenv("no_proxy", raising=False)
        network = Network()
        async with serving(answer(b"direct")) as server:
            assert (await network.send(server.request())).body == b"direct"
        await network.close()


class TestWhatComesBack:
    async def test_is_the_answer_with_every_header_in_its_place(self, network: Network) -> None:
        says = answer(b"hi", "Set-Cookie: a=1; Path=/", "X-Y: z", "Set-Cookie: b=2", status="404 Not Found")
        async with serving(says) as server:
            response = await network.send(server.request())

        assert (response.status, response.body) == (404, b"hi")
        assert response.header_values("set-cookie") == ("a=1; Path=/", "b=2")

    @pytest.mark.parametrize("location", ["Location: http://127.0.0.1:1/", None])
    async def test_b15_a_redirect_is_an_answer_and_is_not_followed(
        self, network: Network, location: str | None
    ) -> None:
        says = answer(b"<error>", *([location] if location else []), status="301 Moved Permanently")
        async with serving(says) as server:
            response = await network.send(server.request())

        assert (response.status, response.body, server.callers) == (301, b"<error>", 1)

    @pytest.mark.parametrize("charset", [None, "", "; charset=iso-8859-1", "; charset=gbk", "; charset=nonsense"])
    async def test_c1_no_charset_changes_a_text(self, network: Network, charset: str | None) -> None:
        body = refusal(0, "张 贳丽😀").body
        headers = [] if charset is None else [f"Content-Type: text/plain{charset}"]
        async with serving(answer(body, *headers)) as server:
            response = await network.send(server.request())

        assert TEXT.decode_reply(response).base_response.err_msg == "张 贳丽😀"

    async def test_cookies_are_not_kept_here(self, network: Network) -> None:
        async with serving(answer(b"", "Set-Cookie: a=1")) as server:
            await network.send(server.request())
            await network.send(server.request())

        assert b"Cookie:" not in server.heard

    async def test_is_unpacked(self, network: Network) -> None:
        async with serving(answer(gzip.compress(b"hello"), "Content-Encoding: gzip")) as server:
            assert (await network.send(server.request())).body == b"hello"


@pytest.mark.parametrize(("keep_idle", "connections"), [(3600.0, 1), (1e-9, 2)])
async def test_a_post_uses_no_connection_that_has_been_idle_for_longer(keep_idle: float, connections: int) -> None:
    network = Network(Timeouts(keep_idle=keep_idle))
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", stays=True) as server:
        for _ in range(2):
            assert (await network.send(server.request("POST", body=b"x"))).body == b"hi"
        await network.close()
        for _ in range(server.callers):
            await server.ended.acquire()

    assert connections == server.callers


class TestHowItGoesWrong:
    async def test_nobody_listens(self, network: Network) -> None:
        async with serving(answer()) as server:
            pass  # and now its port is free again

        with pytest.raises(ConnectFailed, match=r"webwxsync: no connection to 127\.0\.0\.1:\d+; nothing was sent"):
            await network.send(server.request())

    @pytest.mark.parametrize(
        "says", [b"HTTP/1.1 0\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"garbage\r\n\r\n", b"\x00" * 64]
    )
    async def test_a18_a_garbled_status_line_is_no_answer(self, network: Network, says: bytes) -> None:
        async with serving(says) as server:
            with pytest.raises(TransportError) as caught:
                await network.send(server.request())

        assert type(caught.value) is TransportError

    @pytest.mark.parametrize(
        "says",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf",
            b"HTTP/1.1 200 OK\r\nContent-Le",
            answer(b"garbage", "Content-Encoding: gzip"),
        ],
        ids=["body cut", "chunk cut", "head cut", "broken gzip"],
    )
    async def test_a_broken_off_answer_is_none(self, network: Network, says: bytes) -> None:
        async with serving(says) as server:
            with pytest.raises(TransportError) as caught:
                await network.send(server.request("POST", body=b"x"))

        assert type(caught.value) is TransportError

    async def test_g_r6_a_broken_off_one_is_not_asked_for_again_unasked(self, network: Network) -> None:
        """The HTTP library would repeat a GET at once."""

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            callers.append(await reader.readuntil(b"\r\n\r\n"))
            writer.close()

        callers: list[bytes] = []
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            with pytest.raises(TransportError, match="broke \\(ServerDisconnectedError\\)"):
                await network.send(Request(endpoint="synccheck", method="GET", url=f"http://127.0.0.1:{port}/"))
        assert len(callers) == 1

    async def test_silence_is_a_timeout(self, network: Network) -> None:
        async with serving(b"") as server:
            with pytest.raises(Timeout, match="no answer"):
                await network.send(server.request())

    async def test_an_answer_may_be_as_large_as_its_kind_allows(self, network: Network) -> None:
        limit = MAX_BODY[Patience.POLL]
        async with serving(answer(bytes(limit))) as server:
            assert len((await network.send(server.request(patience=Patience.POLL))).body) == limit

    async def test_a_larger_one_is_cut_off(self, network: Network) -> None:
        async with serving(answer(bytes(MAX_BODY[Patience.POLL] + 1))) as server:
            with pytest.raises(ProtocolError, match="larger than 1,048,576 bytes"):
                await network.send(server.request(patience=Patience.POLL))

    async def test_b20_nothing_is_sent_to_a_server_that_cannot_prove_who_it_is(self, network: Network) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(SELF_SIGNED)
        async with serving(answer(), tls) as server:
            url = f"https://127.0.0.1:{server.port}/?skey=secret"
            with pytest.raises(TlsError, match="nothing was sent") as caught:
                await network.send(Request(endpoint="webwxsync", method="POST", url=url, body=b"secret"))

        assert not server.heard
        assert "secret" not in str(caught.value)


async def test_b20_nothing_is_sent_to_a_server_that_speaks_no_tls(network: Network) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(status="400 Bad Request"))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listening:
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        with pytest.raises(TlsError, match="nothing was sent"):
            await network.send(Request(endpoint="webwxsync", method="POST", url=url, body=b"secret"))


async def test_it_can_be_used_again_after_it_was_closed(network: Network) -> None:
    async with serving(answer(b"hi")) as server:
        await network.send(server.request())
        await network.close()
        await network.close()

        assert (await network.send(server.request())).body == b"hi"


@pytest.fixture
def full_disk() -> Iterator[BinaryIO]:
    with Path("/dev/full").open("wb", buffering=0) as full:
        yield full


class TestE9IntoASink:
    """A download is written as it comes, and never more than it may."""

    async def test_a_body_goes_there_and_not_into_the_answer(self, network: Network) -> None:
        file = io.BytesIO()
        body = bytes(range(256)) * 4096
        async with serving(answer(body)) as server:
            response = await network.send(server.request(sink=Spool(file, MAX_BODY[Patience.CALL])))

        assert (response.status, response.body) == (200, b"")
        assert file.getvalue() == body

    async def test_an_endless_body_is_cut_at_the_limit(self, network: Network) -> None:
        file = io.BytesIO()
        endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"4000\r\n" + bytes(0x4000) + b"\r\n"
        async with serving(endless + 9 * (b"4000\r\n" + bytes(0x4000) + b"\r\n")) as server:
            with pytest.raises(ProtocolError, match="larger than 20,000 bytes"):
                await network.send(server.request(sink=Spool(file, 20_000)))

        assert len(file.getvalue()) <= 20_000

    async def test_a_body_that_breaks_off_is_an_error(self, network: Network) -> None:
        says = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
        async with serving(says) as server:
            with pytest.raises(TransportError):
                await network.send(server.request(sink=Spool(io.BytesIO(), 1000)))

    async def test_silence_in_the_middle_ends_it(self) -> None:
        network = Network(Timeouts(call=0.1))
        async with serving(b"") as server:
            with pytest.raises(Timeout):
                await network.send(server.request(sink=Spool(io.BytesIO(), 1000)))
        await network.close()

    async def test_a_full_disk_is_no_broken_connection(self, network: Network, full_disk: BinaryIO) -> None:
        async with serving(answer(b"body")) as server:
            with pytest.raises(LocalStateError, match="cannot be kept"):
                await network.send(server.request(sink=Spool(full_disk, 1000)))


async def test_g_r14_what_comes_after_an_answer_is_not_taken_for_the_next_one(network: Network) -> None:
    calls = 0
    again, done = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                calls += 1
                says = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % calls
                writer.write(says)
                await again.wait()
                writer.write(says)
                done.set()
        writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    request = Request(
        endpoint="webwxsync", method="GET", url=f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    )
    first = await network.send(request)
    again.set()
    await done.wait()
    for _ in range(10):
        await asyncio.sleep(0)  # until it has come
    second = await network.send(request)
    listening.close()
    assert [first.body, second.body] == [b"1", b"2"]
