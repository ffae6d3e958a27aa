"""
Attacks on the listener of every adapter, by raw bytes: each request has to be refused, and the gateway goes on.

An adapter of the registry adds its routes to `ROUTES`. Every test runs for each of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.client.virtual_loop import on_virtual_clock
from tests.gateway.adapters.conftest import created, port_of

from webwx.gateway.adapters.registry import ADAPTERS
from webwx.gateway.config import GatewayConfig, LimitsTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.gateway.conftest import Running, StartGateway

    from webwx.gateway.adapters.registry import AdapterEntry


class AdapterRoute(NamedTuple):
    """A route of an adapter, as a client with a token uses it; `{token}` stands for the token."""

    method: str
    path: str
    headers: tuple[str, ...] = ()
    body: str = ""
    is_upgrade: bool = False
    """Whether it is a WebSocket."""


_BEARER = ("Authorization: Bearer {token}", "Accept: application/json, text/event-stream")

_CALL = """\
{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_messages", "arguments": {}}}"""

ROUTES: dict[str, list[AdapterRoute]] = {
    "mcp": [
        AdapterRoute("POST", "/mcp", _BEARER, _CALL),
        AdapterRoute("GET", "/mcp", _BEARER),
        AdapterRoute("POST", "/mcp/default", _BEARER, _CALL),
        AdapterRoute("POST", "/adapters/mcp", _BEARER, _CALL),
        AdapterRoute("POST", "/adapters/mcp/mcp", _BEARER, _CALL),
    ],
    "note": [
        AdapterRoute("POST", "/note{token}/send", body='{"chat":1,"text":"hi"}'),
        AdapterRoute("GET", "/note{token}/send"),
        AdapterRoute("GET", "/note{token}/socket", is_upgrade=True),
    ],
}
"""All routes of each adapter."""

LIMITS = LimitsTable(body=4096, patience=5.0)

UPGRADE = (
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip

FRAMES = (
    b"\x81\x02hi",  # not masked
    b"\x83\x80\x00\x00\x00\x00",  # a reserved opcode
    b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",  # as long as a frame can be
    b"\xf1\x80\x00\x00\x00\x00",  # reserved bits
    b"\x81\x81\x00\x00\x00\x00\xff",  # not UTF-8
    b"\x81\x82\x00\x00\x00\x00[[",  # not the protocol
)
"""Frames of a WebSocket that no adapter accepts."""

CLOSE = b"\x88"
"""Begin of a frame that closes a WebSocket."""

UNSEEN = "a text of a chat that the program does not see"


class AttackedPlace(NamedTuple):
    """An adapter, and where its requests arrive."""

    adapter: str
    is_own: bool
    """Whether it is a listener of the adapter's own, and not that of the gateway."""

    def __str__(self) -> str:
        return f"{self.adapter}-{'own' if self.is_own else 'mount'}"

    @property
    def routes(self) -> list[AdapterRoute]:
        """The routes there; the prefix of all adapters belongs to the gateway's listener."""
        return [each for each in ROUTES[self.adapter] if not (self.is_own and each.path.startswith("/adapters/"))]


every_place = pytest.mark.parametrize(
    "place", [AttackedPlace(name, is_own) for name in ROUTES for is_own in (False, True)], ids=str
)


def test_every_adapter_is_attacked() -> None:
    assert ADAPTERS.keys() <= ROUTES.keys()


REFUSED = {401, 403, 421, 429}


class Attacked:
    """A gateway that listens, with a program of an adapter on account 1."""

    def __init__(self, running: Running, address: str, token: str, place: AttackedPlace) -> None:
        self.running = running
        self.token = token
        self.place = place
        self._host, self._port = address.split(":")

    def head(
        self, route: AdapterRoute, token: str, *more: str, host: str = "127.0.0.1", length: int | None = None
    ) -> bytes:
        """Return the head of a request."""
        body = route.body.encode() if length is None else b" " * length
        own = [each.format(token=token) for each in route.headers]
        lines = [f"{route.method} {route.path.format(token=token)} HTTP/1.1", f"Host: {host}", *own, *more]
        if route.is_upgrade:
            lines += UPGRADE
        else:
            lines += ["Connection: close"]
        if not any(each.lower().startswith("transfer-encoding") for each in more) and route.method == "POST":
            lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"]
        return "\r\n".join((*lines, "", "")).encode()

    async def answer(self, *pieces: bytes, until: bytes = b"") -> bytes:
        """Send bytes, and return what is received until the server closes the connection, or until some bytes."""
        reader, writer = await asyncio.open_connection(self._host, int(self._port))
        for piece in pieces:
            writer.write(piece)
        received = b""
        with contextlib.suppress(ConnectionError):
            received = await (reader.readuntil(until) if until else reader.read())
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        return received

    async def sent_back(self, route: AdapterRoute, frame: bytes) -> bytes:
        """Send a frame over a WebSocket, and return the first byte that is received; empty if it is closed."""
        reader, writer = await asyncio.open_connection(self._host, int(self._port))
        writer.write(self.head(route, self.token))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        writer.write(frame)
        received = b""
        with contextlib.suppress(ConnectionError):
            received = await reader.read(1)
        writer.close()
        return received

    async def status(self, *pieces: bytes) -> int:
        """Send bytes, and return the status of the answer; 0 if there is none."""
        try:
            line = (await self.answer(*pieces, until=b"\r\n")).split(b" ")
        except asyncio.IncompleteReadError:
            return 0
        return int(line[1])

    async def request(self, route: AdapterRoute, token: str, *more: str, host: str = "127.0.0.1") -> int:
        """Send a request, and return the status of its answer."""
        return await self.status(self.head(route, token, *more, host=host), route.body.encode())

    @property
    def routes(self) -> list[AdapterRoute]:
        """The routes of the adapter."""
        return self.place.routes

    async def require_alive(self) -> None:
        """Check that a request with the token still reaches the adapter on every route."""
        for route in self.routes:
            status = await self.request(route, self.token)
            assert status not in REFUSED
            assert 100 < status < 500


@contextlib.asynccontextmanager
async def attacked(
    start_gateway: StartGateway, entries: Mapping[str, AdapterEntry], place: AttackedPlace,
    limits: LimitsTable = LIMITS,
) -> AsyncIterator[Attacked]:  # fmt: skip
    """Serve a gateway with an account, and a program of an adapter."""
    async with start_gateway(GatewayConfig(limits=limits), adapters={**ADAPTERS, **entries}) as running:
        await running.port.add_account("default")
        made = await created(running, adapter=place.adapter)
        async with port_of(running, place.adapter if place.is_own else "") as address:
            yield Attacked(running, address, made["token"], place)


@every_place
async def test_a_wrong_token_is_refused_on_every_route(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], place: AttackedPlace
) -> None:
    async with attacked(start_gateway, toy, place) as target:
        disabled = await created(target.running, adapter=place.adapter, enabled=False)
        key = await target.running.key("admin")
        for route in target.routes:
            for wrong in ("", "wrong", disabled["token"], key, target.token[:-1], f"{target.token}x"):
                assert await target.request(route, wrong, f"X-Authorization: Bearer {target.token}") in {401, 403, 404}
                target.running.gateway.failed_keys.forget("127.0.0.1")
        await target.require_alive()


@every_place
async def test_a_token_opens_neither_the_api_nor_another_adapter(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], place: AttackedPlace
) -> None:
    async with attacked(start_gateway, {**toy, "other": toy["note"]}, place) as target:
        await created(target.running, adapter="other")
        assert await target.status(
            f"GET /api/v1/accounts HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {target.token}\r\n\r\n".encode()
        ) in {401, 404}  # fmt: skip
        for route in ROUTES["note"]:
            other = route._replace(path=f"/adapters/other{route.path}")
            assert await target.request(other, target.token) in {401, 404}


@every_place
async def test_a_foreign_host_and_a_foreign_origin_are_refused_with_a_valid_token(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], place: AttackedPlace
) -> None:
    async with attacked(start_gateway, toy, place) as target:
        for route in target.routes:
            assert await target.request(route, target.token, host="attacker.example") == 421
            assert await target.request(route, target.token, "Host: attacker.example") in {400, 421}
            assert await target.request(route, target.token, "Origin: https://attacker.example") == 403
            assert await target.request(route, target.token, "Origin: null") == 403
        await target.require_alive()


@every_place
async def test_a_trailer_is_no_header(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], place: AttackedPlace
) -> None:
    async with attacked(start_gateway, toy, place) as target:
        trailers = f"0\r\nAuthorization: Bearer {target.token}\r\nHost: attacker.example\r\n\r\n".encode()
        for route in target.routes:
            head = target.head(route, "wrong", "Transfer-Encoding: chunked", "Trailer: Authorization")
            assert await target.status(head, b"2\r\n{}\r\n", trailers) in {400, 401, 403}
        await target.require_alive()


@every_place
async def test_a_request_has_one_length(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], place: AttackedPlace
) -> None:
    async with attacked(start_gateway, toy, place) as target:
        second = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        for route in target.routes:
            if not route.is_upgrade:
                both = target.head(route, target.token, "Content-Length: 3", "Transfer-Encoding: chunked")
                assert (await target.answer(both, second)).count(b"HTTP/1.1 ") <= 1
        await target.require_alive()


@every_place
@on_virtual_clock
async def test_a_request_and_an_upgrade_without_an_end_are_closed(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], place: AttackedPlace
) -> None:
    async with attacked(start_gateway, toy, place) as target:
        for route in target.routes:
            started = asyncio.get_running_loop().time()
            for head in (target.head(route, "wrong"), target.head(route._replace(is_upgrade=True), "wrong")):
                received = await target.answer(head[:-2])
                assert b"200 OK" not in received
                assert b"101 " not in received
            assert asyncio.get_running_loop().time() - started >= LIMITS.patience


@every_place
async def test_an_upgrade_to_a_route_that_has_none_is_refused(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], place: AttackedPlace
) -> None:
    async with attacked(start_gateway, toy, place) as target:
        for route in target.routes:
            if not route.is_upgrade:
                for token in (target.token, "wrong"):
                    upgrade = target.head(route._replace(is_upgrade=True, method="GET"), token)
                    assert 400 <= await target.status(upgrade) < 500
        await target.require_alive()


@every_place
async def test_a_body_that_is_too_large_or_malformed_is_refused(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], place: AttackedPlace
) -> None:
    async with attacked(start_gateway, toy, place) as target:
        for route in target.routes:
            if route.method == "POST":
                announced = b"Length: %d" % (200 * 1024 * 1024)
                head = target.head(route, target.token, length=0).replace(b"Length: 0", announced)
                assert await target.status(head) == 413
                for garbage in (b"", b"\xff\xfe", b"[" * 3000, b"null", b'{"a":' * 500, b'{"id":1e999}'):
                    head = target.head(route, target.token, length=len(garbage))
                    assert 200 <= await target.status(head, garbage) < 500
        await target.require_alive()


@every_place
async def test_a_malformed_frame_ends_the_connection(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], place: AttackedPlace
) -> None:
    async with attacked(start_gateway, toy, place) as target:
        for route in target.routes:
            for frame in FRAMES if route.is_upgrade else ():
                assert await target.sent_back(route, frame) in {CLOSE, b""}
        await target.require_alive()


@every_place
async def test_the_requests_of_a_program_are_limited(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], place: AttackedPlace
) -> None:
    async with attacked(start_gateway, toy, place, LimitsTable(requests_per_minute=3)) as target:
        [route, *_] = target.routes
        statuses = [await target.request(route, target.token) for _ in range(4)]
        assert 429 not in statuses[:3]
        assert statuses[3] == 429


@every_place
async def test_no_route_shows_chats_that_are_not_seen_nor_those_of_another_account(
    start_gateway: StartGateway, toy: dict[str, AdapterEntry], place: AttackedPlace
) -> None:
    async with attacked(start_gateway, toy, place) as target:
        running = target.running
        await running.log_in()
        other = await running.log_in("other", "ahua")
        running.world.say("ahua", "me", UNSEEN)
        await running.until_text(UNSEEN)
        running.world.say("me", "ahua", UNSEEN)
        await running.until_text(UNSEEN, other)
        for route in target.routes:
            until = b"\r\n\r\n" if route.is_upgrade else b""
            received = await target.answer(target.head(route, target.token), route.body.encode(), until=until)
            assert UNSEEN.encode() not in received
        assert await running.port.account(other).client.list_sends() == []
