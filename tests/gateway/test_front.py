"""Foreign host names and origins are refused before any handler, and every answer has the security headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from litestar.enums import ScopeType

from webwx.gateway.config import GatewayConfig, ListenTable
from webwx.gateway.front import SECURITY_HEADERS, Front, client_address
from webwx.gateway.hooks import is_vendor_request
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from litestar.types.asgi_types import HTTPScope
    from tests.gateway.conftest import Running


def scope_of(path: str = "/", client: tuple[str, int] | None = None, **headers: str) -> HTTPScope:
    return {  # type: ignore[typeddict-item]  # the parts that the checks read
        "type": ScopeType.HTTP, "method": "POST", "path": path, "client": client,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip


@pytest.fixture
def front(running: Running) -> Front:
    listen = ListenTable(hosts=("wx.example.org",), origins=("https://dash.example.org",))
    return Front(running.gateway.answer, GatewayConfig(listen=listen), is_vendor_request)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8791", "localhost:8791", "LOCALHOST", "[::1]:8791", "wx.example.org", "wx.example.org:443"]
)
def test_the_gateways_own_names_are_accepted(front: Front, host: str) -> None:
    front.check(scope_of(host=host))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8791", "127.0.0.1.evil.example", "", "[::2]:8791", "[::1]evil",
        "[::1].evil.example:8791", "[::1]:evil", "evil@127.0.0.1", "127.0.0.1:\xb2",
    ],
)  # fmt: skip
def test_other_names_are_refused(front: Front, host: str) -> None:
    with pytest.raises(GatewayProblem) as refused:
        front.check(scope_of(host=host))
    assert refused.value.code == "wrong-host"


def test_a_vendors_name_is_accepted_for_its_paths_only(front: Front) -> None:
    front.check(scope_of("/cgi-bin/webhook/send", host="qyapi.weixin.qq.com"))
    with pytest.raises(GatewayProblem):
        front.check(scope_of("/api/v1/accounts", host="qyapi.weixin.qq.com"))


def test_two_host_headers_are_refused(front: Front) -> None:
    scope = scope_of(host="127.0.0.1")
    scope["headers"] = [*scope["headers"], (b"host", b"evil.example")]
    with pytest.raises(GatewayProblem):
        front.check(scope)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8791", "https://127.0.0.1:8791", "https://dash.example.org"])
def test_pages_of_the_gateway_and_of_allowed_sites_may_call_it(front: Front, origin: str) -> None:
    front.check(scope_of(host="127.0.0.1:8791", origin=origin))


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "http://127.0.0.1:9999", "https://dash.example.org.x"]
)
def test_pages_of_other_sites_are_refused(front: Front, origin: str) -> None:
    with pytest.raises(GatewayProblem) as refused:
        front.check(scope_of(host="127.0.0.1:8791", origin=origin))
    assert refused.value.code == "bad-origin"


async def test_a_refusal_is_a_problem_for_every_path(running: Running) -> None:
    async with running.anonymous() as client:
        for path in ("/api/v1/accounts", "/openapi.json", "/absent"):
            answer = await client.get(path, headers={"Host": "evil.example"})
            assert (answer.status_code, answer.json()["code"]) == (421, "wrong-host")
            assert answer.headers["content-type"] == "application/problem+json"


async def test_every_answer_has_the_security_headers(running: Running) -> None:
    async with running.anonymous() as client:
        for answer in [await client.get("/openapi.json"), await client.get("/absent")]:
            for name, value in SECURITY_HEADERS:
                assert answer.headers[name.decode()] == value.decode()


def test_the_address_of_a_caller_is_in_its_usual_form() -> None:
    clients = [("127.0.0.1", 1), ("::ffff:10.0.0.7", 1), ("0:0::1", 1), ("testclient", 1), None]
    assert [client_address(scope_of(client=client)) for client in clients] == [
        "127.0.0.1", "10.0.0.7", "::1", "", "",
    ]  # fmt: skip
