"""Requests for an account that another node owns: how they reach the owner, and what happens when they do not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
import uvicorn
from tests.client.conftest import PNG
from tests.client.virtual_loop import on_virtual_clock
from tests.gateway.api.test_consumer_socket import ask, next_text
from tests.gateway.api.test_events import consumer_socket, receive, socket_to
from tests.gateway.api.test_messages import picture
from tests.gateway.conftest import SERVER, Running
from tests.tcp_server import tcp_server
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from webwx import AsyncClient
from webwx.client.accounts import Accounts
from webwx.gateway.access.auth import FREE_FAILURES
from webwx.gateway.access.capability_links import CapabilityLinks
from webwx.gateway.access.keys import KeyRing
from webwx.gateway.accounts.account_finders import RouteAccounts
from webwx.gateway.app import Gateway
from webwx.gateway.bots.bots import HostedBots
from webwx.gateway.config import GatewayConfig, ListenTable
from webwx.gateway.forwarding.bot_exchange import BotExchange
from webwx.gateway.forwarding.forwarded_requests import Signatures, SignedRequests
from webwx.gateway.forwarding.forwarding import Elsewhere, RequestForwarding
from webwx.gateway.forwarding.owner_client import OwnerClient
from webwx.gateway.forwarding.upload_exchange import UploadExchange
from webwx.gateway.ownership.sole import LocalGateway
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sends.uploads import UploadStore
from webwx.gateway.serve import listen, serve_started
from webwx.storage.open import open_records
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar.types import Receive, Scope, Send
    from litestar.types.asgi_types import HTTPScope, WebSocketScope
    from tests.carriers import Counted
    from websockets.asyncio.client import ClientConnection

    from webwx.errors import WxError
    from webwx.gateway.access.auth import Connection
    from webwx.gateway.accounts.account_finders import RefusesForwarded
    from webwx.gateway.serve import Listener
    from webwx.sandbox.world import World

SECRET = b"a secret of the whole cluster"

EPOCH = 7

PATH = "/api/v1/accounts/1/messages"

MIB = 1024 * 1024


class Table:
    """The owners of one account, numbered 1, as a node knows them."""

    def __init__(self, known: str = "", fresh: str = "", *, owned: int = 0) -> None:
        self.known = known
        """Address of the owner; empty: this node answers."""
        self.fresh = fresh or known
        """Address of the owner that the database knows."""
        self.owned = owned
        """Epoch with which this node owns the account."""
        self.lookups: list[bool] = []
        self.here = ""
        """Address of this node."""

    async def look_up_account(self, which: str) -> int | None:
        return 1 if which in {"1", "default"} else None

    async def elsewhere(self, number: int, *, is_fresh: bool = False) -> Elsewhere | None:
        assert number == 1
        self.lookups.append(is_fresh)
        address = self.fresh if is_fresh else self.known
        return Elsewhere(address, EPOCH) if address else None

    def owns(self, number: int, epoch: int) -> bool:
        assert number == 1
        return epoch == self.owned

    async def other_nodes(self) -> list[str]:
        return [self.known] if self.known else []


async def without_caller(_: Connection) -> None:
    """Recognize no caller."""


class SocketPaths:
    """Finds the account of WebSockets below one path."""

    async def account_of(self, scope: HTTPScope | WebSocketScope) -> int | None:
        return 1 if scope["path"].startswith("/note") else None


class Owner:
    """The application of a node, whose answers a test writes; it records the requests."""

    def __init__(self, answer: Callable[[Scope, Receive, Send], Awaitable[None]] | None = None) -> None:
        self.answer = answer or echo
        self.scopes: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        await self.answer(scope, receive, send)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the method, the target and the body of a request."""
    message: Any = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    request: Any = scope
    described = {"method": request["method"], "target": request["raw_path"].decode(), "body": body.decode()}
    headers = [(b"content-type", b"application/json"), (b"x-answer", b"1"), (b"x-answer", b"2")]
    await send({"type": "http.response.start", "status": 207, "headers": headers})
    content = b"" if request["method"] == "HEAD" else json.dumps(described).encode()
    await send({"type": "http.response.body", "body": content, "more_body": False})


class _Server(uvicorn.Server):
    """A server that leaves the signals to the tests, and says when it accepts connections."""

    def __init__(self, app: Any) -> None:
        config = uvicorn.Config(app, lifespan="off", ws="websockets-sansio", log_level="critical", access_log=False)
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """Serve an application on a free port; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as the gateway's own listener
        server = _Server(app)
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))
        await server.ready.wait()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            await serving


class Node:
    """A node of the cluster: its application answers what is not forwarded."""

    def __init__(
        self, app: Any, table: Table, *, answer_timeout: float = 30, refuser: RefusesForwarded | None = None
    ) -> None:
        signatures = Signatures(SECRET)
        self._client = OwnerClient(answer_timeout=answer_timeout)
        records = open_records("memory:")
        exchange = UploadExchange(UploadStore(records, Path("uploads"), lambda: 0.0), signatures, self._client)
        links = CapabilityLinks(records, KeyRing(records, lambda: 0.0), lambda: 0.0)
        bots = BotExchange(HostedBots(), table, without_caller, signatures, self._client)
        finders = RouteAccounts(table.look_up_account), links, bots
        self.forwarding = RequestForwarding(
            app, table, signatures, self._client, exchange, bots, finders, SocketPaths(), refuser
        )  # fmt: skip
        self.app = SignedRequests(self.forwarding, self.forwarding, signatures)

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        async with served(self.app) as url:
            try:
                yield url
            finally:
                await self.forwarding.close()


@contextlib.asynccontextmanager
async def cluster(
    owner: Owner, *, owned: int = EPOCH, answer_timeout: float = 30
) -> AsyncIterator[tuple[httpx.AsyncClient, Node, Table]]:
    """Serve two nodes; yield a client of the first one, which believes that the second one owns the account."""
    second = Node(owner, Table(owned=owned))
    async with second.served() as address:
        table = Table(address)
        first = Node(Owner(), table, answer_timeout=answer_timeout)
        async with first.served() as url, httpx.AsyncClient(base_url=url, timeout=10_000) as client:
            yield client, first, table


# -- what reaches the owner --------------------------------------------------------------------------------------------


async def test_every_method_reaches_the_owner_once_with_its_target_and_body() -> None:
    owner = Owner()
    async with cluster(owner) as (client, _, _):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
            for content in (b"", b"content"):
                answer = await client.request(method, f"{PATH}/a%2Fb%20c?q=%E4%BD%A0&q=2", content=content)
                assert (answer.status_code, answer.headers.get_list("x-answer")) == (207, ["1", "2"])
                if method != "HEAD":
                    target = f"{PATH}/a%2Fb%20c"
                    assert answer.json() == {"method": method, "target": target, "body": content.decode()}
                [scope] = owner.scopes
                assert scope["query_string"] == b"q=%E4%BD%A0&q=2"
                owner.scopes.clear()


async def test_an_event_of_a_webhook_is_revived_by_the_owner_of_its_account() -> None:
    owner = Owner()
    async with cluster(owner) as (client, _, _):
        for path in ("dead-letters/1-7/revive", "dead-letters/2-7/revive", "dead-letters"):
            await client.post(f"/api/v1/webhooks/w/{path}")
    assert [scope["path"] for scope in owner.scopes] == ["/api/v1/webhooks/w/dead-letters/1-7/revive"]


async def test_the_owner_sees_the_caller_and_not_the_node_between_them() -> None:
    owner = Owner()
    async with cluster(owner) as (client, _, _):
        await client.get(
            PATH,
            headers={
                "Host": "chat.example:444", "Authorization": "Bearer wxk_a", "Cookie": "a=b", "Last-Event-ID": "9",
                "Connection": "close, X-Between", "X-Between": "1", "Range": "bytes=0-1", "Origin": "https://a.example",
            },
        )  # fmt: skip

    [scope] = owner.scopes
    headers = dict(scope["headers"])
    assert (headers[b"host"], scope["scheme"]) == (b"chat.example:444", "http")
    assert scope["client"][0] == "127.0.0.1"
    assert headers[b"authorization"] == b"Bearer wxk_a"
    assert (headers[b"cookie"], headers[b"last-event-id"], headers[b"range"]) == (b"a=b", b"9", b"bytes=0-1")
    assert headers[b"origin"] == b"https://a.example"
    assert not {b"x-between", b"webwx-forwarded"} & set(headers)
    assert headers[b"user-agent"].startswith(b"python-httpx")


async def test_a_request_of_no_account_or_of_an_own_account_is_answered_here() -> None:
    owner = Owner()
    here = Owner()
    async with served(owner) as address, Node(here, Table(address)).served() as url, httpx.AsyncClient() as client:
        for path in ("/api/v1/accounts", "/api/v1/accounts/2/messages", "/healthz"):
            assert (await client.get(f"{url}{path}")).status_code == 207
    async with Node(here, Table()).served() as url, httpx.AsyncClient() as client:
        assert (await client.get(f"{url}{PATH}")).status_code == 207

    assert (len(owner.scopes), len(here.scopes)) == (0, 4)


# -- bodies ------------------------------------------------------------------------------------------------------------


async def _count(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the number of bytes of a request's body."""
    size, has_more = 0, True
    while has_more:
        message: Any = await receive()
        size += len(message["body"])
        has_more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode(), "more_body": False})


async def _pieces(count: int) -> AsyncIterator[bytes]:
    piece = bytes(64 * 1024)
    for _ in range(count):
        yield piece


@pytest.mark.parametrize("mebibytes", [32, pytest.param(400, marks=pytest.mark.verify)])
async def test_an_upload_passes_in_bounded_memory(mebibytes: int) -> None:
    async with cluster(Owner(_count)) as (client, _, _):
        await client.post(PATH, content=b"warm")
        tracemalloc.start()
        try:
            answer = await client.post(PATH, content=_pieces(mebibytes * 16))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert int(answer.text) == mebibytes * MIB
    assert peak < 8 * MIB


@pytest.mark.parametrize("mebibytes", [32, pytest.param(400, marks=pytest.mark.verify)])
async def test_a_download_passes_in_bounded_memory(mebibytes: int) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async for piece in _pieces(mebibytes * 16):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    size = 0
    async with cluster(Owner(answer)) as (client, _, _):
        tracemalloc.start()
        try:
            async with client.stream("GET", PATH) as got:
                async for piece in got.aiter_raw():
                    size += len(piece)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert size == mebibytes * MIB
    assert peak < 8 * MIB


async def test_a_client_that_does_not_read_stops_the_owner() -> None:
    sent, is_blocked, total = 0, asyncio.Event(), 512

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async for piece in _pieces(total):
            sending = asyncio.ensure_future(send({"type": "http.response.body", "body": piece, "more_body": True}))
            done, _ = await asyncio.wait({sending}, timeout=0.2)
            if not done:
                is_blocked.set()
            await sending
            sent += 1
        is_blocked.set()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with cluster(Owner(answer)) as (client, _, _), client.stream("GET", PATH) as got:
        await is_blocked.wait()
        assert sent < total
        assert len(b"".join([piece async for piece in got.aiter_raw()])) == total * 64 * 1024


async def test_an_owner_that_does_not_read_stops_the_client() -> None:
    is_blocked, begin = asyncio.Event(), asyncio.Event()
    taken, total = 0, 512

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await begin.wait()
        await _count(scope, receive, send)

    async def watched() -> AsyncIterator[bytes]:
        nonlocal taken
        stalled = asyncio.ensure_future(_stalled(lambda: taken, is_blocked))
        async for piece in _pieces(total):
            taken += 1
            yield piece
        is_blocked.set()
        stalled.cancel()

    async with cluster(Owner(answer)) as (client, _, _):
        posting = asyncio.ensure_future(client.post(PATH, content=watched()))
        await is_blocked.wait()
        assert taken < total
        begin.set()
        assert (await posting).status_code == 200


async def _stalled(count: Callable[[], int], stalled: asyncio.Event) -> None:
    """Set an event when a number has not changed for some time."""
    last = -1
    while (now := count()) != last:
        last = now
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.2)
    stalled.set()


async def test_events_pass_one_by_one() -> None:
    more = asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number in range(3):
            await send({"type": "http.response.body", "body": f"id: {number}\n\n".encode(), "more_body": True})
            await more.wait()
            more.clear()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with cluster(Owner(answer)) as (client, _, _), client.stream("GET", PATH) as got:
        assert got.headers["content-type"] == "text/event-stream"
        pieces = got.aiter_raw()
        for number in range(3):
            assert await anext(pieces) == f"id: {number}\n\n".encode()
            more.set()
        assert [piece async for piece in pieces] == []


async def test_an_answer_without_a_body_read_keeps_the_body_at_the_client() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"no", "more_body": False})

    taken = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal taken
        async for piece in _pieces(16):
            taken += 1
            yield piece

    async with Node(Owner(answer), Table(owned=EPOCH)).served() as address:
        first = Node(Owner(), Table(address))
        transport = httpx.ASGITransport(cast("Any", first.app))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            got = await client.post(PATH, content=counted())
        await first.forwarding.close()

    assert (got.status_code, got.text, taken) == (401, "no", 0)


# -- clients that leave, and a node that stops -------------------------------------------------------------------------


def _hold(begun: asyncio.Event, left: asyncio.Event, *, is_answering: bool) -> Owner:
    """Return an owner that waits until its client has left."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if is_answering:
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b": connected\n\n", "more_body": True})
        begun.set()
        message: Any = {}
        while message.get("type") != "http.disconnect":
            message = await receive()
        left.set()

    return Owner(answer)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("is_answering", [False, True])
async def test_a_client_that_leaves_ends_the_request_at_the_owner(method: str, is_answering: bool) -> None:
    begun, left = asyncio.Event(), asyncio.Event()
    async with cluster(_hold(begun, left, is_answering=is_answering)) as (client, _, _):

        async def read() -> None:
            async with client.stream(method, PATH, content=b"content") as got:
                await got.aread()

        reading = asyncio.ensure_future(read())
        await begun.wait()
        reading.cancel()
        await left.wait()


async def test_a_client_that_leaves_in_the_middle_of_a_body_ends_the_request_at_the_owner() -> None:
    begun, left = asyncio.Event(), asyncio.Event()
    async with cluster(_hold(begun, left, is_answering=False)) as (client, _, _):
        _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf".encode())
        await begun.wait()
        writer.close()
        await left.wait()


async def test_a_stopping_node_ends_streams() -> None:
    begun, left = asyncio.Event(), asyncio.Event()
    async with (
        cluster(_hold(begun, left, is_answering=True)) as (client, first, _),
        client.stream("GET", PATH) as got,
    ):
        pieces = got.aiter_raw()
        assert await anext(pieces) == b": connected\n\n"
        first.forwarding.begin_closing()
        assert [piece async for piece in pieces] == []
        await left.wait()


async def test_a_stopping_node_refuses_requests_that_only_wait() -> None:
    begun, left = asyncio.Event(), asyncio.Event()
    async with cluster(_hold(begun, left, is_answering=False)) as (client, first, _):
        getting = asyncio.ensure_future(client.get(PATH))
        await begun.wait()
        first.forwarding.begin_closing()
        answer = await getting
        await left.wait()

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_a_stopping_node_finishes_a_change() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await go_on.wait()
        await echo(scope, receive, send)

    async with cluster(Owner(answer)) as (client, first, _):
        posting = asyncio.ensure_future(client.post(PATH, content=b"a"))
        await begun.wait()
        first.forwarding.begin_closing()
        go_on.set()
        assert (await posting).json()["body"] == "a"


# -- owners that are none ----------------------------------------------------------------------------------------------


async def test_a_node_that_is_not_the_owner_refuses_and_the_owner_is_looked_up_again() -> None:
    former, owner = Owner(), Owner()
    async with (
        Node(former, Table(owned=EPOCH - 1)).served() as wrong,
        Node(owner, Table(owned=EPOCH)).served() as right,
    ):
        table = Table(wrong, right)
        async with Node(Owner(), table).served() as url, httpx.AsyncClient() as client:
            answer = await client.post(f"{url}{PATH}", content=b"once")

    assert answer.json()["body"] == "once"
    assert (len(former.scopes), len(owner.scopes), table.lookups) == (0, 1, [False, True])


async def test_a_request_is_never_forwarded_twice() -> None:
    owner = Owner()
    first_url = ""
    second_table = Table("http://127.0.0.1:1", owned=EPOCH - 1)
    second = Node(owner, second_table)
    async with second.served() as address:
        table = Table(address)
        async with Node(Owner(), table).served() as first_url, httpx.AsyncClient() as client:
            second_table.known = second_table.fresh = first_url
            answer = await client.post(f"{first_url}{PATH}", content=b"a")

    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "no-owner", "2")
    assert (owner.scopes, table.lookups, second_table.lookups) == ([], [False, True], [])


async def test_an_owner_that_is_down_is_looked_up_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        down = f"http://127.0.0.1:{free.getsockname()[1]}"
    owner = Owner()
    async with Node(owner, Table(owned=EPOCH)).served() as right, httpx.AsyncClient() as client:
        for table, status in ((Table(down, right), 207), (Table(down), 503)):
            async with Node(Owner(), table).served() as url:
                assert (await client.post(f"{url}{PATH}", content=b"a")).status_code == status
            assert table.lookups == [False, True]

    assert len(owner.scopes) == 1


@pytest.mark.parametrize(("method", "content"), [("POST", b"a"), ("POST", b""), ("DELETE", b""), ("GET", b"")])
async def test_this_node_answers_if_the_second_look_finds_no_other_owner(method: str, content: bytes) -> None:
    here = Owner()
    async with Node(Owner(), Table(owned=EPOCH - 1)).served() as wrong:
        table = Table(wrong)
        table.fresh = ""
        async with Node(here, table).served() as url, httpx.AsyncClient() as client:
            answer = await client.request(method, f"{url}{PATH}", content=content)

    assert answer.json()["body"] == content.decode()
    assert len(here.scopes) == 1


class BreakingServer:
    """A server that reads the head of a request, and closes the connection or sends the beginning of an answer."""

    def __init__(self, start: bytes) -> None:
        self.heads: list[bytes] = []
        self._start = start

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self._start)
        writer.close()


@contextlib.asynccontextmanager
async def breaking(start: bytes = b"") -> AsyncIterator[tuple[httpx.AsyncClient, BreakingServer]]:
    """Serve a node that believes a breaking server to be the owner; yield its client and the server."""
    broken = BreakingServer(start)
    async with tcp_server(broken.serve) as port:
        node = Node(Owner(), Table(f"http://127.0.0.1:{port}"))
        async with node.served() as url, httpx.AsyncClient(base_url=url) as client:
            yield client, broken


@pytest.mark.parametrize(("method", "content"), [("POST", b"a"), ("POST", b""), ("DELETE", b""), ("PUT", b"a")])
async def test_a_change_whose_answer_is_lost_has_an_unknown_outcome_and_is_not_repeated(
    method: str, content: bytes
) -> None:
    async with breaking() as (client, broken):
        answer = await client.request(method, PATH, content=content)

    assert (answer.status_code, answer.json()["code"]) == (409, "send-outcome-unknown")
    assert len(broken.heads) == 1


class Refuser:
    """Answers lost requests with the body that was kept, or with `null`, and with the class of the error."""

    def has(self, scope: Scope) -> bool:
        return scope["path"] == PATH

    async def refuse_forwarded(
        self, scope: HTTPScope, send: Send, body: bytes | None, error: WxError | GatewayProblem
    ) -> None:
        content = b"null" if body is None else body
        headers = [(b"x-error", type(error).__name__.encode()), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})


@pytest.mark.parametrize("is_gone", [False, True])
async def test_a_long_message_to_a_lost_owner_is_known_without_its_long_texts(*, is_gone: bool) -> None:
    message = {"method": "tools/call", "params": {"data": "x" * 5 * MIB, "k": "key"}, "id": 7}
    broken = BreakingServer(b"")
    async with await asyncio.start_server(broken.serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        if is_gone:
            server.close()
        node = Node(Owner(), Table(f"http://{host}:{port}"), refuser=Refuser())
        async with node.served() as url, httpx.AsyncClient(base_url=url) as client:
            answer = await client.post(PATH, json=message)
            tracemalloc.start()
            try:
                endless = await client.post(PATH, content=_pieces(400))
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()

    assert answer.json() == {"method": "tools/call", "params": {"data": "", "k": "key"}, "id": 7}
    assert answer.headers["x-error"] in {"SendOutcomeUnknown", "GatewayProblem"}
    assert endless.json() is None  # it is no JSON
    assert peak < 8 * MIB


async def test_a_lost_read_is_repeated_once() -> None:
    async with breaking() as (client, broken):
        answer = await client.get(PATH)

    assert (answer.status_code, answer.json()["code"]) == (503, "no-owner")
    assert len(broken.heads) == 2
    assert len({head.partition(b"Webwx-Forwarded: ")[2] for head in broken.heads}) == 2


async def test_an_answer_that_breaks_off_does_not_look_complete() -> None:
    for start in (b"Content-Length: 9\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"):
        async with breaking(b"HTTP/1.1 200 OK\r\n" + start) as (client, _):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(PATH)


@on_virtual_clock
@pytest.mark.parametrize(("method", "status", "code"), [("GET", 504, "timeout"), ("POST", 409, "send-outcome-unknown")])
async def test_an_owner_that_does_not_answer_in_time(method: str, status: int, code: str) -> None:
    begun, left = asyncio.Event(), asyncio.Event()
    owner = _hold(begun, left, is_answering=False)
    async with cluster(owner, answer_timeout=3) as (client, _, _):
        answer = await client.request(method, PATH, content=b"")
        await left.wait()

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(owner.scopes) == 1


@on_virtual_clock
async def test_a_slow_upload_is_not_a_slow_owner() -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(5):
            await asyncio.sleep(2)
            yield b"a"

    async with cluster(Owner(_count), answer_timeout=3) as (client, _, _):
        assert (await client.post(PATH, content=slow())).text == "5"


# -- two gateways ------------------------------------------------------------------------------------------------------


class TwoGateways:
    """A gateway that owns an account, and one that forwards to it; they share keys and numbers of accounts."""

    def __init__(self, owner: Running, front: Running, owner_table: Table, front_table: Table) -> None:
        self.owner = owner
        self.front = front
        self.owner_table = owner_table
        self.front_table = front_table

    @contextlib.asynccontextmanager
    async def client(self, *scopes: str) -> AsyncIterator[httpx.AsyncClient]:
        """Return a client of the gateway that does not own the account."""
        key = await self.front.key(*scopes)
        async with httpx.AsyncClient(
            base_url=self.front_table.here, headers={"Authorization": f"Bearer {key}"}
        ) as client:
            yield client


@contextlib.asynccontextmanager
async def _started(gateway: Gateway, listener: Listener) -> AsyncIterator[None]:
    """Serve a gateway."""
    ready = asyncio.Event()
    server = asyncio.ensure_future(serve_started(gateway, listener, ready.set))
    await ready.wait()
    try:
        yield
    finally:
        server.cancel()
        await asyncio.wait([server])


@pytest.fixture
async def two(world: World, counted: Counted, tmp_path: Path) -> AsyncIterator[TwoGateways]:
    """Two gateways on ports, the first one below a path; the account 1 named `default` is logged in at the second."""
    async with contextlib.AsyncExitStack() as opened:
        runnings = []
        for name in ("front", "owner"):
            home = tmp_path / name
            home.mkdir()
            records = open_records(tmp_path / "gateway.db")
            port = LocalGateway(
                lambda on_state, home=home: Accounts(  # type: ignore[misc]
                    home, server=SERVER, transport=counted, clock=world.clock.now, timeouts=Timeouts(retry=0),
                    on_state=on_state,
                ),
                home, records, clock=world.clock.now,
            )  # fmt: skip
            table = Table(owned=EPOCH if name == "owner" else 0)
            config = GatewayConfig(listen=ListenTable(port=0, path="/wx" if name == "front" else ""))
            listener = listen(config)
            table.here = listener.url
            gateway = Gateway(
                config, records, port, home / "files", clock=world.clock.now, owners=table, secret=SECRET,
                address=listener.url, answers_clients=name == "front",
            )  # fmt: skip
            await gateway.start()
            opened.push_async_callback(gateway.close)
            await opened.enter_async_context(_started(gateway, listener))
            runnings.append((Running(gateway, port, world, home), table))
        [(front, front_table), (owner, owner_table)] = runnings
        await owner.log_in()
        await front.port.add_account("default")
        front_table.known = front_table.fresh = owner_table.here
        yield TwoGateways(owner, front, owner_table, front_table)


async def test_an_account_is_used_at_any_gateway(two: TwoGateways) -> None:
    async with two.client("read", "send", "manage") as client:
        for account in ("1", "default"):
            shown = await client.get(f"/api/v1/accounts/{account}")
            assert shown.json()["state"] == "online"
        sent = await client.post(PATH, json={"to": "阿华", "text": "hello"}, headers={"Idempotency-Key": "k"})
        again = await client.post(PATH, json={"to": "阿华", "text": "hello"}, headers={"Idempotency-Key": "k"})
        assert (sent.status_code, sent.json()["id"]) == (201, again.json()["id"])
        changed = await client.patch("/api/v1/accounts/1/contacts/阿华", json={"remark": "Hua"})
        assert changed.json()["remark"] == "Hua"
        assert (await client.post("/api/v1/accounts/1/contacts/Hua/read")).status_code == 204
        assert (await client.get("/api/v1/accounts/1/absent")).json()["code"] == "not-found"
    async with two.client("read") as client:
        refused = await client.post(PATH, json={"to": "阿华", "text": "hello"})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    async with two.client("admin") as client:
        removed = await client.delete("/api/v1/accounts/1")
        assert removed.status_code == 204


async def test_the_owner_checks_the_key_and_counts_failures_by_the_address_of_the_caller(two: TwoGateways) -> None:
    async with httpx.AsyncClient(base_url=two.front_table.here, headers={"Authorization": "Bearer no"}) as client:
        statuses = [(await client.get("/api/v1/accounts/1")).status_code for _ in range(FREE_FAILURES + 1)]
    assert statuses == [401] * FREE_FAILURES + [429]
    with pytest.raises(GatewayProblem):
        two.owner.gateway.failed_keys.add("127.0.0.1")


async def test_a_node_for_nodes_refuses_clients(two: TwoGateways) -> None:
    key = await two.owner.key("admin")
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as client:
        for path in ("/api/v1/accounts", "/healthz", "/console/", "/api/v1/accounts/1"):
            answer = await client.get(f"{two.owner_table.here}{path}")
            assert (answer.status_code, answer.json()["code"]) == (403, "bad-signature")


async def test_parts_of_media_are_downloaded_at_any_gateway(two: TwoGateways) -> None:
    number = await picture(two.owner)
    async with two.client("read:media") as client:
        whole = await client.get(f"{PATH}/{number}/media")
        assert (whole.status_code, whole.content) == (200, PNG)
        part = await client.get(f"{PATH}/{number}/media", headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, PNG[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(PNG)}"
        same = await client.get(f"{PATH}/{number}/media", headers={"If-None-Match": whole.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")


async def test_links_are_opened_at_any_gateway(two: TwoGateways) -> None:
    number = await picture(two.owner)
    async with two.client("read:media", "login") as client:
        media = (await client.post(f"{PATH}/{number}/media/link")).json()["url"]
        login = (await client.post("/api/v1/accounts/1/login/link")).json()["url"]
    assert media.startswith(f"{two.front_table.here}/wx/m/")
    async with httpx.AsyncClient() as anyone:
        assert (await anyone.get(media)).content == PNG
        assert "confirmed" in (await anyone.get(login)).text or "logged in" in (await anyone.get(login)).text
        guessed = await anyone.get(media.replace("/m/", "/m/x"))
        assert (guessed.status_code, guessed.json()["code"]) == (404, "not-found")


async def test_an_upload_to_one_gateway_is_sent_by_another(two: TwoGateways) -> None:
    async with two.client("send") as client:
        uploaded = (await client.post("/api/v1/uploads", params={"name": "cat.png"}, content=PNG)).json()
        file = {"upload_id": uploaded["upload_id"]}
        sent = await client.post(PATH, json={"to": "filehelper", "file": file})
        assert sent.status_code == 201
        kept = await client.get(f"/api/v1/uploads/{uploaded['upload_id']}")
        assert (kept.status_code, kept.json()["name"]) == (200, "cat.png")
        two.front.gateway.uploads.path(uploaded["upload_id"]).unlink()
        lost = await client.post(PATH, json={"to": "filehelper", "file": file})
        assert (lost.status_code, lost.json()["code"]) == (404, "not-found")

    assert len(two.owner.world.inbox("me")["filehelper"].messages) == 1
    assert list((two.owner.folder / "files" / "uploads").iterdir()) == []


async def test_the_steps_of_a_login_are_streamed_at_any_gateway(two: TwoGateways) -> None:
    async with two.client("login") as client:
        assert (await client.post("/api/v1/accounts/1/logout")).status_code == 204
        assert (await client.post("/api/v1/accounts/1/login")).status_code == 202
        async with client.stream("GET", "/api/v1/accounts/1/login/events") as stream:
            steps = []
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    steps.append(line.removeprefix("event: "))
                    if steps[-1] == "code":
                        two.owner.world.scan("me")
                    elif steps[-1] == "scanned":
                        two.owner.world.confirm()
    assert steps[-3:] == ["code", "scanned", "confirmed"]


@contextlib.asynccontextmanager
async def consuming(two: TwoGateways) -> AsyncIterator[ClientConnection]:
    """Open the consumer `reader` at the gateway that does not own the account."""
    key = await two.front.key("events", "manage")
    async with consumer_socket(two.front_table.here.removeprefix("http://"), key, accounts=["default"]) as opened:
        yield opened


async def test_a_consumer_reads_and_acknowledges_at_any_gateway(two: TwoGateways) -> None:
    async with consuming(two) as opened:
        for text in ("1", "2", "3"):
            two.owner.world.say("ahua", "me", text)
        first = (await next_text(opened))["event"]["number"]
        second = (await next_text(opened))["event"]["number"]
        assert (await ask(opened, op="ack", number=first, confirm=True))["op"] == "acknowledged"
        assert (await ask(opened, op="leave", unseen_from=second))["op"] == "left"
        await opened.wait_closed()
        assert opened.close_code == 1000
    async with consuming(two) as opened:
        texts = [(await next_text(opened))["event"]["data"]["text"] for _ in range(2)]
    assert texts == ["2", "3"]


async def test_a_client_that_disconnects_frees_its_consumer_at_the_owner(two: TwoGateways) -> None:
    for _ in range(2):
        async with consuming(two):
            pass  # the second one is refused as long as the first one is open


async def test_an_invalid_message_closes_the_socket_with_the_code_of_the_owner(two: TwoGateways) -> None:
    async with consuming(two) as opened:
        await opened.send("no JSON")
        await opened.wait_closed()
    assert (opened.close_code, opened.close_reason) == (1003, "bad-request")


@pytest.mark.parametrize("which", ["owner", "front"])
async def test_consumers_of_a_stopping_gateway_are_asked_to_connect_again(two: TwoGateways, which: str) -> None:
    async with consuming(two) as opened:
        stopping = two.owner if which == "owner" else two.front
        stopping.gateway.begin_closing()
        await opened.wait_closed()
    assert (opened.close_code, opened.close_reason) == (1012, "restart")


async def test_a_consumer_finds_the_owner_by_a_second_look(two: TwoGateways) -> None:
    two.front_table.known = two.front_table.here  # owns nothing
    async with consuming(two):
        assert two.front_table.lookups == [False, True]


async def test_a_consumer_without_a_reachable_owner_is_refused(two: TwoGateways) -> None:
    two.front_table.known = two.front_table.fresh = "http://127.0.0.1:1"
    key = await two.front.key("events")
    async with socket_to(two.front_table.here.removeprefix("http://"), key) as opened:
        await opened.send(json.dumps({"op": "hello", "consumer": "reader", "accounts": ["1"]}))
        assert (await receive(opened))["data"]["code"] == "no-owner"


async def test_a_python_program_sends_and_reads_at_any_gateway(two: TwoGateways) -> None:
    key = await two.front.key("admin")
    async with AsyncClient(gateway=two.front_table.here, key=key, account="default") as client:
        await client.login()
        async with client.subscribe("program") as subscription:
            receipt = await client.send_text("filehelper", "hello")
            two.owner.world.say("ahua", "me", "answer")
            texts: list[str] = []
            while "answer" not in texts:
                texts += [getattr(each.event, "text", "") for each in await subscription.take()]
    assert receipt.message_id


# -- WebSockets of adapters --------------------------------------------------------------------------------------------


async def _echo_messages(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept a WebSocket with the second subprotocol, and send each message back; `end` closes it with 4001."""
    upgrade: Any = scope
    await receive()
    accepted: Any = {"type": "websocket.accept", "subprotocol": upgrade["subprotocols"][1], "headers": []}
    await send(accepted)
    while (message := cast("Any", await receive()))["type"] == "websocket.receive":
        if message.get("text") == "end":
            await send({"type": "websocket.close", "code": 4001, "reason": "as was asked"})
            return
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})


def _refusing(status: int) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    async def refuse_upgrade(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["headers"]
        start: Any = {"type": "websocket.http.response.start", "status": status, "headers": []}
        await send(start)
        body: Any = {"type": "websocket.http.response.body", "body": b"", "more_body": False}
        await send(body)

    return refuse_upgrade


async def test_a_websocket_of_an_adapter_is_one_with_the_owner() -> None:
    owner = Owner(_echo_messages)
    async with cluster(owner) as (client, _, _):
        address = str(client.base_url).replace("http", "ws").rstrip("/")
        async with connect(f"{address}/note%20a?b=c", subprotocols=[Subprotocol("a"), Subprotocol("b")]) as socket:
            assert socket.subprotocol == "b"
            for message in ("text", b"\x00\xff", "", b""):
                await socket.send(message)
                assert await socket.recv() == message
            await socket.send("end")
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as was asked")
    [scope] = owner.scopes
    assert (scope["raw_path"], scope["query_string"], scope["client"][0]) == (b"/note%20a", b"b=c", "127.0.0.1")


@pytest.mark.parametrize(("status", "expected"), [(401, 401), (404, 404), (429, 429), (500, 503)])
async def test_an_upgrade_that_the_owner_refuses_is_refused(status: int, expected: int) -> None:
    async with cluster(Owner(_refusing(status))) as (client, _, _):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{str(client.base_url).replace('http', 'ws').rstrip('/')}/note")
    assert refused.value.response.status_code == expected


async def test_an_upgrade_whose_owner_is_gone_or_another_one_is_not_answered_here() -> None:
    here = Owner(_echo_messages)
    async with Node(here, Table("http://127.0.0.1:9")).served() as url:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{url.replace('http', 'ws')}/note")
    assert refused.value.response.status_code == 503
    assert here.scopes == []
    async with cluster(Owner(), owned=0) as (client, _, table):
        with pytest.raises(InvalidStatus):
            await connect(f"{str(client.base_url).replace('http', 'ws').rstrip('/')}/note")
    assert table.lookups == [False, True]
