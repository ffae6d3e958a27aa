"""Authorization: every route and every WebSocket with every wrong key, and the limit for wrong keys."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from litestar.connection import ASGIConnection
from litestar.routes import HTTPRoute, WebSocketRoute

from webwx.gateway.access import auth
from webwx.gateway.access.auth import CONSOLE, FREE_FAILURES, REMEMBERED, FailedKeys, RequestRate, query_names
from webwx.gateway.access.keys import SCOPES
from webwx.gateway.access.sessions import HEADER, SIGNATURE_SECONDS
from webwx.gateway.config import GatewayConfig, LimitsTable
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litestar.handlers import BaseRouteHandler, HTTPRouteHandler, WebsocketRouteHandler
    from tests.gateway.conftest import Running, StartGateway

    from webwx.gateway.access.auth import Caller


def handlers_of(running: Running) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Yield the method, the path and the handler of every route of HTTP."""
    for route in running.gateway.routes.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for method in handler.http_methods - {"OPTIONS"}:
                    yield str(method), route.path, handler


def sockets_of(running: Running) -> Iterator[tuple[str, WebsocketRouteHandler]]:
    """Yield the path and the handler of every route of WebSockets."""
    for route in running.gateway.routes.routes:
        if isinstance(route, WebSocketRoute):
            yield route.path, route.route_handler


async def upgrade(
    running: Running, path: str, headers: dict[str, str], *, hello: str = "no hello", address: str = "127.0.0.1"
) -> list[dict[str, Any]]:
    """Ask for a WebSocket, and send a first message; return what the gateway sends until it closes the WebSocket."""
    sent: list[dict[str, Any]] = []
    received = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": hello}]
    lines = {"host": "127.0.0.1", **{name.lower(): value for name, value in headers.items()}}

    async def receive() -> Any:
        if not received:
            await asyncio.Event().wait()
        return received.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "path": path,
        "raw_path": path.encode(), "root_path": "", "query_string": b"", "client": (address, 50_000),
        "headers": [(name.encode(), value.encode()) for name, value in lines.items()], "subprotocols": [],
        "server": ("127.0.0.1", 8791), "state": {},
    }  # fmt: skip
    await running.gateway.app(scope, receive, send)
    return sent


def is_refused(sent: list[dict[str, Any]]) -> bool:
    """Return whether an upgrade was refused before the WebSocket was open; `test_refusals` has the answer on a port."""
    return [message["type"] for message in sent] == ["websocket.close"]


def filled(path: str, account: str) -> str:
    """Return a path with an account number and a value for every other parameter."""
    return re.sub(r"\{\w+:\w+\}", "1", path.replace("{account:str}", account))


async def test_a_caller_is_recognized_by_a_key_or_a_session_and_by_nothing_else(running: Running) -> None:
    access = running.gateway.access
    key = await running.key("bots", accounts=(1,))
    session = await running.gateway.sessions.exchange(await running.gateway.sessions.create_code())

    async def recognized(**headers: str) -> Caller | None:
        lines = [(name.encode(), value.encode()) for name, value in headers.items()]
        return await access.recognize(ASGIConnection({"type": "http", "headers": lines, "client": ("::1", 1)}))  # type: ignore[arg-type]

    caller = await recognized(authorization=f"Bearer {key}")
    assert caller is not None
    assert (caller.scopes, caller.accounts) == (("bots",), (1,))
    console = await recognized(**{HEADER: str(session)})
    assert console is not None
    assert console.id == CONSOLE
    assert await recognized() is None
    for wrong in ("Bearer wrong", f"Basic {key}"):
        assert await recognized(authorization=wrong) is None
    assert await recognized(**{HEADER: "wrong"}) is None
    assert await recognized(cookie=f"webwx_session={session}; {HEADER}={session}") is None


def code_of(answer: httpx.Response) -> str:
    """Return the code of a refusal; for HEAD, whose answer has no body, return the code of the status."""
    if answer.request.method != "HEAD":
        return str(answer.json()["code"])
    assert not answer.content
    return {401: "unauthorized", 403: "forbidden", 404: "not-found"}[answer.status_code]


def needed(handler: HTTPRouteHandler | WebsocketRouteHandler) -> Any:
    return handler.opt.get("scope")


async def test_every_route_names_its_scope_or_is_public(running: Running) -> None:
    for _, path, handler in handlers_of(running):
        assert handler.opt.get("is_public") or needed(handler) in SCOPES, path
    assert {path: needed(handler) for path, handler in sockets_of(running)} == {"/api/v1/events/ws": "events"}
    assert {path for _, path, handler in handlers_of(running) if handler.opt.get("is_public")} == PUBLIC


PUBLIC = {
    "/openapi.json", "/docs", "/docs/errors", "/docs/errors/{code:str}", "/docs/openapi.json", "/docs/{path:str}",
    "/docs/websocket.json",
    "/", "/console/{name:str}", "/api/v1/console/session", "/healthz", "/readyz",
    "/m/{token:str}/{name:str}", "/q/{token:str}",
}  # fmt: skip
"""All routes that need no key."""

OF_BOTS = {"/bots/{name:str}/{path:path}"}
"""The route whose requests and answers depend on the bots."""


async def wrong_keys(running: Running) -> dict[str, str]:
    """Return keys that were valid earlier, or are valid elsewhere."""
    keys = running.gateway.keys
    deleted = await running.key("admin")
    await keys.delete(deleted.split("_")[1])
    expired = await keys.create("expired", ["admin"])
    await keys.change(
        expired.key.id, lambda key: msgspec.structs.replace(key, expires_at=running.world.clock.now() - 1)
    )
    elsewhere = await keys.create("elsewhere", ["admin"], networks=("192.168.0.0/16",))
    rotated = await running.key("admin")
    await keys.rotate(rotated.split("_")[1], overlap=0)
    return {
        "nonsense": "x", "deleted": deleted, "expired": expired.text, "of another network": elsewhere.text,
        "rotated": rotated, "with another secret": rotated[:-1] + ("a" if rotated[-1] != "a" else "b"),
    }  # fmt: skip


async def test_every_route_refuses_a_wrong_key(running: Running) -> None:
    await running.port.add_account("mine")
    bearers = [{"Authorization": f"Bearer {key}"} for key in (await wrong_keys(running)).values()]
    for attempt, header in enumerate(({}, {"Authorization": "Basic eDp5"}, *bearers)):
        for number, (method, path, handler) in enumerate(handlers_of(running)):
            if not handler.opt.get("is_public"):
                async with running.anonymous(
                    headers=header, address=f"10.{attempt}.{number // 250}.{number % 250}"
                ) as client:
                    answer = await client.request(method, filled(path, "mine"))
                assert (answer.status_code, code_of(answer)) == (401, "unauthorized"), (method, path)
        for path, _ in sockets_of(running):
            sent = await upgrade(running, filled(path, "mine"), header, address=f"10.{attempt}.9.9")
            assert is_refused(sent), path


async def test_the_description_of_the_api_has_exactly_the_routes_of_these_tests(running: Running) -> None:
    async with running.anonymous() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    described = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    walked = {
        (method, re.sub(r":\w+\}", "}", path))
        for method, path, handler in handlers_of(running)
        if handler.resolve_include_in_schema()
    }
    assert described == walked
    hidden = {path for _, path, handler in handlers_of(running) if not handler.resolve_include_in_schema()}
    assert hidden <= PUBLIC | OF_BOTS


async def test_every_route_refuses_a_key_without_its_scope(running: Running) -> None:
    await running.port.add_account("mine")
    for other in SCOPES:
        key = await running.gateway.keys.create("other", [other])
        headers = {"Authorization": f"Bearer {key.text}"}
        async with running.anonymous(headers=headers) as client:
            for method, path, handler in handlers_of(running):
                scope = needed(handler)
                if scope is not None and not key.key.allows(scope):
                    answer = await client.request(method, filled(path, "mine"))
                    assert (answer.status_code, code_of(answer)) == (403, "forbidden"), (method, path, other)
        for path, socket_handler in sockets_of(running):
            sent = await upgrade(running, filled(path, "mine"), headers)
            assert is_refused(sent) is not key.key.allows(needed(socket_handler)), (path, other)


async def test_every_route_refuses_an_account_of_another_key(running: Running) -> None:
    mine, other = await running.port.add_account("mine"), await running.port.add_account("other")
    async with running.client("admin", accounts=(mine.number,)) as client:
        for method, path, _ in handlers_of(running):
            if "{account:str}" in path:
                for which in (other.name, str(other.number), "absent"):
                    answer = await client.request(method, filled(path, which))
                    assert (answer.status_code, code_of(answer)) == (404, "not-found"), (method, path)
    key = await running.key("admin", accounts=(mine.number,))
    for path, _ in sockets_of(running):
        for which in (other.name, str(other.number), "absent"):
            for consumer in (None, "shared"):
                hello = json.dumps({"op": "hello", "accounts": [which], "consumer": consumer})
                sent = await upgrade(running, path, {"Authorization": f"Bearer {key}"}, hello=hello)
                assert [message["type"].partition(".")[2] for message in sent] == ["accept", "send", "close"]
                assert json.loads(sent[1]["text"])["data"]["code"] == "not-found"


async def test_an_unknown_parameter_of_the_query_is_refused(running: Running) -> None:
    async with running.client("admin") as client:
        answer = await client.get("/api/v1/accounts?limt=5")
        assert (answer.status_code, code_of(answer)) == (400, "bad-request")
        assert "limt" in answer.json()["detail"]
        assert "<b>" not in (await client.get("/api/v1/accounts?<b>=1")).json()["detail"]


async def test_the_parameters_of_a_route_are_looked_up_once(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []

    def counted(handler: BaseRouteHandler) -> frozenset[str] | None:
        looked_up.append(str(handler))
        return query_names(handler)

    monkeypatch.setattr(auth, "query_names", counted)
    async with running.client("admin") as client:
        for _ in range(3):
            assert (await client.get("/api/v1/audit?limit=5")).status_code == 200
            assert (await client.get("/docs/errors?x=1")).status_code == 400
    assert len(looked_up) == 2


# -- the console -----------------------------------------------------------------------------------------------------


async def new_session(running: Running) -> str:
    """Return the secret of a new session of the console."""
    secret = await running.gateway.sessions.exchange(await running.gateway.sessions.create_code())
    assert secret is not None
    return secret


async def test_a_session_of_the_console_reaches_everything_until_it_ends(running: Running) -> None:
    headers = {HEADER: await new_session(running)}
    sockets = [path for path, _ in sockets_of(running)]
    async with running.anonymous(headers=headers) as client:
        assert (await client.get("/api/v1/accounts")).status_code == 200
        assert (await client.post("/api/v1/accounts", json={"name": "a"})).status_code == 201
        opened = [await upgrade(running, path, headers) for path in sockets]
        await running.gateway.sessions.end_all()
        assert (await client.get("/api/v1/accounts")).status_code == 401
        ended = [await upgrade(running, path, headers) for path in sockets]
    assert {(is_refused(first), is_refused(second)) for first, second in zip(opened, ended, strict=True)} == {
        (False, True)
    }


async def test_a_cookie_opens_nothing(running: Running) -> None:
    """Browsers send it to every port of this machine."""
    await running.port.add_account("mine")
    async with running.anonymous() as browser:
        opened = await browser.post(
            "/api/v1/console/session", json={"code": await running.gateway.sessions.create_code()}
        )
        assert "set-cookie" not in opened.headers
        secret = opened.json()["secret"]
    cookies = "; ".join(f"{name}={secret}" for name in ("webwx_session", HEADER, "session"))
    for number, (method, path, handler) in enumerate(handlers_of(running)):
        if not handler.opt.get("is_public"):
            async with running.anonymous(headers={"Cookie": cookies}, address=f"10.0.0.{number % 250}") as client:
                answer = await client.request(method, filled(path, "mine"))
            assert (answer.status_code, code_of(answer)) == (401, "unauthorized"), (method, path)
    for path, _ in sockets_of(running):
        assert is_refused(await upgrade(running, path, {"Cookie": cookies})), path


async def test_a_wrong_key_is_refused_despite_a_session(running: Running) -> None:
    headers = {HEADER: await new_session(running), "Authorization": "Bearer x"}
    async with running.anonymous(headers=headers) as client:
        assert (await client.get("/api/v1/accounts")).status_code == 401
    for path, _ in sockets_of(running):
        assert is_refused(await upgrade(running, path, headers)), path


SIGNABLE = {
    "/api/v1/accounts/{account:str}/login/qr", "/api/v1/accounts/{account:str}/messages/{event:int}/media",
}  # fmt: skip
"""The routes of what a page shows with elements, which cannot send a header."""


async def test_a_signature_opens_one_path_for_some_minutes(running: Running) -> None:
    await running.port.add_account("mine")
    code, other = "/api/v1/accounts/1/login/qr", "/api/v1/accounts/1/messages/1/media"
    now = running.world.clock.now()
    async with running.anonymous(headers={HEADER: await new_session(running)}) as page, running.anonymous() as client:
        answer = await page.get("/api/v1/console/signatures", params={"path": [code, "/api/v1/accounts"]})
        signed, unsignable = answer.json()["signatures"]
        assert (await client.get(code, params={"signature": signed, "format": "svg"})).json()["code"] == "not-found"
        for path, signature in ((other, signed), (code, unsignable), (code, signed[:-1]), (code, "x"), (code, "")):
            assert (await client.get(path, params={"signature": signature})).status_code == 401
        assert (await client.get("/api/v1/accounts", params={"signature": unsignable})).status_code == 401
        running.world.wind(SIGNATURE_SECONDS)
        assert running.world.clock.now() >= now + SIGNATURE_SECONDS
        assert (await client.get(code, params={"signature": signed})).status_code == 401
        [again] = (await page.get("/api/v1/console/signatures", params={"path": code})).json()["signatures"]
        assert (await client.get(code, params={"signature": again})).status_code == 404
        await running.gateway.sessions.end_all()
        assert (await client.get(code, params={"signature": again})).status_code == 401
    signable = {path for _, path, handler in handlers_of(running) if handler.opt.get("is_signable")}
    assert signable == SIGNABLE


async def test_every_socket_refuses_a_page_of_another_site_and_a_foreign_host(running: Running) -> None:
    headers = {"Authorization": f"Bearer {await running.key('admin')}"}
    for path, _ in sockets_of(running):
        assert not is_refused(await upgrade(running, path, headers))
        assert is_refused(await upgrade(running, path, headers | {"Origin": "https://evil.example"})), path
        assert is_refused(await upgrade(running, path, headers | {"Host": "evil.example"})), path


# -- limits ----------------------------------------------------------------------------------------------------------


async def test_an_address_with_wrong_keys_must_wait_and_a_valid_key_still_works(running: Running) -> None:
    async with running.anonymous(headers={"Authorization": "Bearer x"}) as guesser:
        statuses = [(await guesser.get("/api/v1/accounts")).status_code for _ in range(FREE_FAILURES + 1)]
        assert statuses == [401] * FREE_FAILURES + [429]
        answer = await guesser.get("/api/v1/accounts")
        assert int(answer.headers["retry-after"]) >= 1
    async with running.client("read") as client:
        assert (await client.get("/api/v1/accounts")).status_code == 200
    async with running.anonymous(headers={"Authorization": "Bearer x"}, address="10.0.0.9") as other:
        assert (await other.get("/api/v1/accounts")).status_code == 401


def test_the_pause_after_wrong_keys_doubles_and_ends() -> None:
    now = [0.0]
    failed = FailedKeys(lambda: now[0])
    for _ in range(FREE_FAILURES):
        failed.add("a")
    pauses = []
    for _ in range(3):
        with pytest.raises(GatewayProblem) as refused:
            failed.add("a")
        pauses.append(refused.value.retry_after)
        now[0] += refused.value.retry_after or 0
    assert pauses == [2.0, 4.0, 8.0]
    for _ in range(10):
        with pytest.raises(GatewayProblem) as refused:
            failed.add("a")
        now[0] += refused.value.retry_after or 0
    assert refused.value.retry_after == 300.0
    failed.forget("a")
    failed.add("a")


def test_the_least_recent_addresses_with_wrong_keys_are_forgotten() -> None:
    failed = FailedKeys(lambda: 0.0)
    for _ in range(FREE_FAILURES):
        failed.add("first")
    for number in range(REMEMBERED):
        failed.add(f"{number}")
    failed.add("first")


async def test_a_key_has_its_own_rate(start_gateway: StartGateway) -> None:
    config = GatewayConfig(limits=LimitsTable(requests_per_minute=2))
    async with start_gateway(config) as running, running.client("read") as client:
        answers = [await client.get("/api/v1/accounts") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[2].headers["retry-after"]) >= 1
        async with running.client("read") as other:
            assert (await other.get("/api/v1/accounts")).status_code == 200


async def test_the_rate_of_a_key_takes_precedence_over_that_of_the_gateway(start_gateway: StartGateway) -> None:
    async with start_gateway(GatewayConfig(limits=LimitsTable(requests_per_minute=2))) as running:
        statuses = {}
        for own in (1, 0):
            key = await running.gateway.keys.create("own", ["read"], requests_per_minute=own)
            async with running.anonymous(headers={"Authorization": f"Bearer {key.text}"}) as client:
                statuses[own] = [(await client.get("/api/v1/accounts")).status_code for _ in range(3)]
    assert statuses == {1: [200, 429, 429], 0: [200, 200, 200]}


def test_free_requests_are_restored_with_time() -> None:
    now = [0.0]
    rate = RequestRate(lambda: now[0])
    for _ in range(60):
        rate.take("k", 60)
    with pytest.raises(GatewayProblem):
        rate.take("k", 60)
    now[0] += 1
    rate.take("k", 60)
    with pytest.raises(GatewayProblem):
        rate.take("k", 60)
    for _ in range(1000):
        rate.take("k", 0)
