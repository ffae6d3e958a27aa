"""Refused upgrades to WebSockets, on a real port: they have the status and the problem of any other refused request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.client.remote.conftest import QUICK
from tests.gateway.api.test_events import port_of
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from webwx.client.client import AsyncClient
from webwx.errors import GatewayRefused, RateLimitReached
from webwx.gateway.access.auth import FREE_FAILURES
from webwx.gateway.config import GatewayConfig, LimitsTable
from webwx.gateway.http.front import SECURITY_HEADERS
from webwx.gateway.http.refusals import refuse
from webwx.gateway.problems import GatewayProblem, answer_of

if TYPE_CHECKING:
    from litestar.types import Message, Scope
    from tests.gateway.conftest import Running, StartGateway
    from websockets.http11 import Response

SOCKET = "/api/v1/events/ws"


async def refusal_of(address: str, path: str = SOCKET, **headers: str) -> tuple[Response, dict[str, Any]]:
    """Ask for a WebSocket that the gateway refuses; return the answer and its problem."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://{address}{path}", additional_headers=headers):
            pass
    answer = refused.value.response
    assert answer.body is not None
    problem: dict[str, Any] = json.loads(answer.body)
    assert (answer.headers["content-type"], problem["status"]) == ("application/problem+json", answer.status_code)
    return answer, problem


async def test_a_refused_upgrade_says_whether_the_key_is_wrong_or_lacks_the_scope(online: Running) -> None:
    async with port_of(online) as address:
        for headers in ({}, {"Authorization": "Bearer x"}):
            answer, problem = await refusal_of(address, **headers)
            assert (answer.status_code, problem["code"]) == (401, "unauthorized")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        answer, problem = await refusal_of(address, Authorization=f"Bearer {await online.key('send')}")
        assert (answer.status_code, problem["code"]) == (403, "forbidden")
        assert "'events'" in problem["detail"]


async def test_every_other_refusal_of_an_upgrade_has_its_own_status(online: Running) -> None:
    key = {"Authorization": f"Bearer {await online.key('events')}"}
    async with port_of(online) as address:
        found = [
            await refusal_of(address, "/api/v1/absent", **key),
            await refusal_of(address, f"{SOCKET}?limt=1", **key),
            await refusal_of(address, **key, Origin="https://evil.example"),
            *[await refusal_of(address, Authorization="Bearer x") for _ in range(FREE_FAILURES + 1)][-1:],
        ]
    assert [(answer.status_code, problem["code"]) for answer, problem in found] == [
        (404, "not-found"), (400, "bad-request"), (403, "bad-origin"), (429, "too-many-requests"),
    ]  # fmt: skip
    assert int(found[-1][0].headers["retry-after"]) >= 1
    for answer, _ in found:
        for name, value in SECURITY_HEADERS:
            assert answer.headers[name.decode()] == value.decode()


async def test_a_server_that_cannot_answer_an_upgrade_closes_it_with_the_code_of_the_problem() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await refuse(cast("Scope", {"type": "websocket"}), send, answer_of(GatewayProblem("forbidden")))
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "forbidden"}]


async def test_a_client_raises_the_reason_of_a_refused_upgrade(start_gateway: StartGateway) -> None:
    async with start_gateway(GatewayConfig(limits=LimitsTable(requests_per_minute=1))) as running:
        await running.log_in()
        reasons: dict[str, Exception] = {}
        async with port_of(running) as address:
            for name, key in {
                "wrong": "x",
                "no scope": (await running.gateway.keys.create("a", ["send"], requests_per_minute=0)).text,
                "too many": await running.key("events"),
            }.items():
                async with AsyncClient(gateway=f"http://{address}", key=key, account="1", timeouts=QUICK) as client:
                    for _ in range(2):
                        try:
                            async with client.subscribe("reader") as events:
                                assert name == "too many", events
                        except (GatewayRefused, RateLimitReached) as error:
                            reasons[name] = error
    assert [(type(each), getattr(each, "code", "")) for each in reasons.values()] == [
        (GatewayRefused, "unauthorized"), (GatewayRefused, "forbidden"), (RateLimitReached, ""),
    ]  # fmt: skip
    assert "'events'" in str(reasons["no scope"])
