"""MCP at the gateway, over HTTP: the official client in both eras, the token, and the end of a request."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tests.gateway.adapters.conftest import created, port_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from tests.carriers import Counted
    from tests.gateway.conftest import Running

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}

MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}

JSON = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}

both_eras = pytest.mark.parametrize("mode", ["auto", "legacy"])


async def token_of(running: Running, **fields: Any) -> str:
    """Create a program for an agent, and return its token."""
    made = await created(running, adapter="mcp", **fields)
    return str(made["token"])


@contextlib.asynccontextmanager
async def connected(place: str, token: str, mode: Any = "auto") -> AsyncIterator[Client]:
    """Return the official client of a gateway at a host and port."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(streamable_http_client(f"http://{place}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def called(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that succeeds."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.structured_content
    structured: dict[str, Any] = result.structured_content
    return structured


@both_eras
async def test_an_agent_asks_the_owner_and_reads_the_answer(online: Running, mode: str) -> None:
    token = await token_of(online)
    async with port_of(online) as place, connected(place, token, mode) as client:
        assert len((await client.list_tools()).tools) == 19
        assert (await called(client, "login_status"))["state"] == "online"
        sent = await called(client, "send_text", text="Shall I go on?", idempotency_key="q")
        again = await called(client, "send_text", text="Shall I go on?", idempotency_key="q")
        assert again["message_id"] == sent["message_id"]
        waiting = asyncio.create_task(called(client, "wait_for_message", after=sent["position"]))
        await asyncio.sleep(0)
        online.world.say("me", "filehelper", "yes")
        assert [each["text"] for each in (await waiting)["messages"]] == ["yes"]
        file = await called(client, "send_file", name="a.txt", data="aGVsbG8=")
        assert file["state"] == "sent"
        resources = [str(each.uri) for each in (await client.list_resources()).resources]
        assert "wx://default/chat/filehelper" in resources
        assert (await client.list_prompts()).prompts
    async with online.client("admin") as admin:
        entries = (await admin.get("/api/v1/audit")).json()["entries"]
    assert {each["action"] for each in entries} >= {"mcp.send_text", "mcp.send_file"}


async def test_a_program_reaches_only_its_chats(online: Running) -> None:
    boss = (await online.port.account(1).client.who("Boss")).number
    one = await token_of(online)
    other = await token_of(online, see=["filehelper", boss], write=["filehelper"])
    online.world.say("lilei", "me", "salary")
    await online.until_text("salary")
    async with port_of(online) as place:
        async with connected(place, one) as client:
            assert (await client.call_tool("read_messages", {"chat": "Boss"})).is_error
        async with connected(place, other) as client:
            assert [each["text"] for each in (await called(client, "read_messages", chat="Boss"))["messages"]] == [
                "salary"
            ]
            refused = await client.call_tool("send_text", {"chat": "Boss", "text": "hello"})
            assert refused.structured_content is not None
            assert refused.structured_content["outcome"] == "not_allowed"


async def posted(client: httpx.AsyncClient, body: Any, **headers: str) -> httpx.Response:
    """Post a message."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.post("/mcp", content=content, headers={**JSON, **headers})


def request(method: str, params: dict[str, Any] | None = None, number: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}


async def test_first_requests_at_the_same_time_are_all_answered(online: Running) -> None:
    headers = {"Authorization": f"Bearer {await token_of(online)}"}
    async with online.anonymous(headers=headers) as client:
        assert (await client.get("/mcp")).status_code == 405  # the program is known now
        answers = await asyncio.gather(*(posted(client, request("tools/list")) for _ in range(5)))
    assert {each.status_code for each in answers} == {200}


async def test_the_answers_are_those_of_the_specification(online: Running) -> None:
    headers = {"Authorization": f"Bearer {await token_of(online)}"}
    async with online.anonymous(headers=headers) as client:
        hello = await posted(client, request("initialize", HELLO))
        assert (hello.status_code, hello.headers["content-type"]) == (200, "application/json")
        assert hello.json()["result"]["protocolVersion"] == "2025-11-25"
        assert "mcp-session-id" not in hello.headers
        version = {"MCP-Protocol-Version": "2025-11-25"}
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await posted(client, note, **version)).status_code == 202
        assert (await posted(client, request("ping"), **version)).json()["result"] == {}
        unknown = await posted(client, request("no/such"), **version)
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (200, -32601)
        for method in ("GET", "DELETE"):
            refused = await client.request(method, "/mcp", headers=JSON)
            assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        assert (await posted(client, b"{")).status_code == 400
        for path in ("/adapters/mcp", "/adapters/mcp/", "/adapters/mcp/mcp"):
            named = await client.post(path, content=json.dumps(request("ping")), headers={**JSON, **version})
            assert (path, named.status_code) == (path, 200)
        assert (await client.post("/adapters/mcp/other", content=b"{}", headers=JSON)).status_code == 404
        modern = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "server/discover"}
        found = await posted(client, request("server/discover", {"_meta": MODERN}), **modern)
        assert (found.status_code, found.json()["result"]["supportedVersions"]) == (200, ["2026-07-28"])
        missing = await posted(client, request("no/such", {"_meta": MODERN}), **{**modern, "Mcp-Method": "no/such"})
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, -32601)
        mismatch = await posted(client, request("ping", {"_meta": MODERN}), **modern)
        assert (mismatch.status_code, mismatch.json()["error"]["code"]) == (400, -32020)
        future = {**MODERN, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}
        later = await posted(
            client,
            request("tools/list", {"_meta": future}),
            **{"MCP-Protocol-Version": "2099-01-01", "Mcp-Method": "tools/list"},
        )
        assert (later.status_code, later.json()["error"]["code"]) == (400, -32022)


async def test_a_path_may_name_the_account_of_the_token_and_no_other_one(online: Running) -> None:
    headers = {"Authorization": f"Bearer {await token_of(online)}", **JSON}
    content = json.dumps(request("ping"))
    async with online.anonymous(headers=headers) as client:
        for path, status in (
            ("/mcp/1", 200), ("/mcp/default", 200), ("/mcp/2", 404), ("/mcp/other", 404), ("/mcp/", 404),
            ("/mcp/1/2", 404), ("/mcp/..%2fapi", 404),
        ):  # fmt: skip
            assert (path, (await client.post(path, content=content)).status_code) == (path, status)
        assert (await client.get("/mcp/1")).status_code == 405
    async with online.anonymous(headers=JSON) as client:
        assert (await client.post("/mcp/1", content=content)).status_code == 401


async def test_messages_that_are_none_are_errors_of_the_protocol(online: Running) -> None:
    headers = {"Authorization": f"Bearer {await token_of(online)}"}
    async with online.anonymous(headers=headers) as client:
        for body, code in (
            (b"{", -32700),
            (b'{"jsonrpc": "2.0"}', -32600),
            ([request("ping")], -32600),
            (b"7", -32600),
        ):
            refused = await posted(client, body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)


async def test_the_headers_of_the_present_era_have_to_fit_the_message(online: Running) -> None:
    headers = {"Authorization": f"Bearer {await token_of(online)}"}
    version = {"MCP-Protocol-Version": "2026-07-28"}
    call = request("tools/call", {"name": "login_status", "arguments": {}, "_meta": MODERN})
    prompt = request("prompts/get", {"name": "no such 提示", "_meta": MODERN})
    encoded = f"=?base64?{base64.b64encode('no such 提示'.encode()).decode()}?="
    async with online.anonymous(headers=headers) as client:
        for message, more, status, code in (
            (call, {"Mcp-Method": "tools/call", "Mcp-Name": "login_status"}, 200, None),
            (call, {"Mcp-Method": "tools/call", "Mcp-Name": "send_text"}, 400, -32020),
            (call, {"Mcp-Name": "login_status"}, 400, -32020),
            (prompt, {"Mcp-Method": "prompts/get", "Mcp-Name": encoded}, 400, -32602),
        ):  # fmt: skip
            answer = await posted(client, message, **version, **more)
            assert (answer.status_code, answer.json().get("error", {}).get("code")) == (status, code), answer.text


async def test_results_of_the_present_era_say_how_long_they_are_valid(online: Running) -> None:
    headers = {"Authorization": f"Bearer {await token_of(online)}"}
    async with online.anonymous(headers=headers) as client:
        for method in (
            "server/discover", "tools/list", "resources/list", "resources/templates/list", "prompts/list",
        ):  # fmt: skip
            named = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
            result = (await posted(client, request(method, {"_meta": MODERN}), **named)).json()["result"]
            assert (result["resultType"], result["cacheScope"], result["ttlMs"] >= 0) == ("complete", "private", True)
            assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "webwx"


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_each_version_of_the_era_before_is_answered_with_itself(online: Running, version: str) -> None:
    headers = {"Authorization": f"Bearer {await token_of(online)}"}
    async with online.anonymous(headers=headers) as client:
        hello = await posted(client, request("initialize", {**HELLO, "protocolVersion": version}))
        assert hello.json()["result"]["protocolVersion"] == version
        other = await posted(client, request("initialize", {**HELLO, "protocolVersion": "1999-01-01"}))
        assert other.json()["result"]["protocolVersion"] == "2025-11-25"
        level = await posted(
            client, request("logging/setLevel", {"level": "debug"}), **{"MCP-Protocol-Version": version}
        )
        assert level.json()["result"] == {}


async def test_a_wrong_token_is_refused_on_every_method(online: Running) -> None:
    await token_of(online)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
        async with online.anonymous(headers=headers) as client:
            for method in ("POST", "GET", "DELETE"):
                answer = await client.request(method, "/mcp", headers=JSON)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
            assert (await client.get("/.well-known/oauth-protected-resource")).status_code == 404


async def test_requests_write_nothing_to_the_log(online: Running, caplog: pytest.LogCaptureFixture) -> None:
    async with port_of(online) as place, connected(place, await token_of(online)) as client:
        await called(client, "send_text", text="a text of a chat")
    assert [each.getMessage() for each in caplog.records if each.name.startswith("mcp.server")] == []


async def test_a_foreign_host_or_page_is_refused(online: Running) -> None:
    headers = {"Authorization": f"Bearer {await token_of(online)}"}
    async with online.anonymous(headers=headers) as client:
        for foreign in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
            assert (await posted(client, request("ping"), **foreign)).status_code in {403, 421}


async def test_a_wait_ends_when_its_client_leaves(online: Running) -> None:
    token = await token_of(online)
    call = request("tools/call", {"name": "wait_for_message", "arguments": {"timeout_s": 50}})
    body = json.dumps(call).encode()
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    async with port_of(online) as place:
        host, _, port = place.partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(head.encode() + body)
        await writer.drain()
        async with online.client("admin") as admin:
            while not await peers(admin):  # noqa: ASYNC110 - the test sees requests only from outside
                await asyncio.sleep(0.01)
            writer.close()
            await writer.wait_closed()
            while await peers(admin):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def peers(admin: httpx.AsyncClient) -> int:
    """Return the number of open requests of all programs."""
    return sum(len(each["peers"]) for each in (await admin.get("/api/v1/programs")).json()["programs"])


async def test_sends_in_progress_are_finished_and_noted_before_the_gateway_ends(
    online: Running, counted: Counted
) -> None:
    headers = {"Authorization": f"Bearer {await token_of(online)}"}
    held = counted.hold("webwxsendmsg")
    call = request("tools/call", {"name": "send_text", "arguments": {"text": "the last one"}})
    async with online.anonymous(headers=headers) as client:
        sending = asyncio.create_task(posted(client, call))
        while not await online.port.account(1).client.list_sends():  # noqa: ASYNC110 - no stored send is announced
            await asyncio.sleep(0.01)
        sending.cancel()
        await asyncio.wait([sending])
        closing = asyncio.create_task(online.gateway.adapters.close())
        await asyncio.wait([closing], timeout=0.1)
        assert not closing.done()
        held.set()
        await closing
    [last, *_] = await online.gateway.records.audit()
    assert (last.action, last.detail) == ("mcp.send_text", "done")


async def test_a_change_of_the_program_ends_its_waits(online: Running) -> None:
    made = await created(online, adapter="mcp")
    headers = {"Authorization": f"Bearer {made['token']}"}
    async with online.anonymous(headers=headers) as client, online.client("admin") as admin:
        assert (await posted(client, request("ping"), **{"MCP-Protocol-Version": "2025-11-25"})).status_code == 200
        await admin.delete(f"/api/v1/programs/{made['program']['id']}")
        assert (await posted(client, request("ping"))).status_code in {401, 404}


def test_without_an_agent_neither_the_library_nor_the_adapter_is_imported() -> None:
    code = (
        "import sys, webwx.gateway.app, webwx.gateway.serve;"
        "sys.exit(any(each in sys.modules for each in ('mcp', 'webwx.gateway.adapters.mcp')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
