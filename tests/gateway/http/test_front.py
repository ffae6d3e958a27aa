"""Foreign host names and origins are refused before any handler, and every answer has the security headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin

import httpx
import pytest
from litestar.enums import ScopeType

from webwx.gateway.config import GatewayConfig, ListenTable
from webwx.gateway.http.front import SECURITY_HEADERS, Front, client_address
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.receivers.hooks import is_vendor_request

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


@pytest.mark.parametrize("root", ["", "/wx"], ids=["removed by the proxy", "kept by the proxy"])
async def test_the_gateway_is_served_below_a_path(online: Running, root: str) -> None:
    front = Front(online.gateway.answer, GatewayConfig(listen=ListenTable(path="/wx")))
    key = await online.key("admin")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(cast("Any", front)), base_url="http://127.0.0.1:8791",
        headers={"Authorization": f"Bearer {key}"},
    ) as client:  # fmt: skip
        assert "console/console.js" in (await client.get(f"{root}/")).text
        assert (await client.get(f"{root}/console/console.js")).status_code == 200
        sent = await client.post(f"{root}/api/v1/accounts/1/messages", json={"to": "filehelper", "text": "/wx/a"})
        assert sent.headers["location"].startswith("/wx/api/v1/accounts/1/sends/")
        assert (await client.get(f"{root}/api/v1/accounts/1/contacts/absent%2Fwx%2Fa")).json()["code"] == (
            "unknown-contact"
        )
        link = await client.post(f"{root}/api/v1/accounts/1/login/link")
        assert link.json()["url"].startswith("http://127.0.0.1:8791/wx/q/")
        assert (await client.get(f"{root}/q/{link.json()['url'].rpartition('/')[2]}")).status_code == 200
        assert (await client.get(f"{root}/openapi.json")).json()["servers"] == [{"url": "/wx"}]
        moved = await client.get("/wx")
        assert (moved.status_code, moved.headers["location"]) == (308, "/wx/")
        assert (await client.get("/wxyz")).status_code == 404


async def test_the_pages_of_the_documentation_link_to_each_other_below_any_path(running: Running) -> None:
    async with running.anonymous() as client:
        for path in ("/docs", "/docs/errors", "/docs/errors/not-found"):
            links = re.findall(r"href='([^'#]*)'", (await client.get(path)).text)
            assert links
            assert not any(link.startswith("/") for link in links)
            targets = {urljoin(path, link) for link in links}
            assert [target for target in targets if (await client.get(target)).status_code != 200] == []
