"""`webwx mcp` as programs start it: the official client over stdin and stdout, with a login and through a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import pytest
from mcp import Client, StdioServerParameters
from tests.cli.conftest import WEBWX, log_in
from tests.cli.gateway.test_serve import new_key, serving

from webwx.cli.gateway.stored import open_records
from webwx.gateway.adapters.agent_configs import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.cli.conftest import Sandbox, Shell
    from tests.secret_scanner import SecretScanner


@contextlib.asynccontextmanager
async def connected(shell: Shell, *options: str, mode: Any = "auto", **environment: str) -> AsyncIterator[Client]:
    """Return the client of a server that it has started."""
    server = StdioServerParameters(
        command=str(WEBWX), args=["mcp", *options], env=shell.environment | environment
    )  # fmt: skip
    async with Client(server, mode=mode) as client:
        yield client


async def called(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that succeeds."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.structured_content
    structured: dict[str, Any] = result.structured_content
    return structured


def write(stdin: IO[str], number: int, method: str, params: dict[str, Any]) -> None:
    """Write the messages with which a client of the earlier era begins, and a request."""
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    for message in (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": number, "method": method, "params": params},
    ):
        stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    stdin.flush()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_asks_the_owner_and_reads_the_answer(me: Shell, sandbox: Sandbox, mode: str) -> None:
    async with connected(me, mode=mode) as client:
        status = await called(client, "login_status")
        assert (status["state"], datetime.fromisoformat(status["since"]) <= datetime.now(UTC)) == ("online", True)
        sent = await called(client, "send_text", text="Shall I go on?", idempotency_key=f"question-{mode}")
        waiting = asyncio.create_task(called(client, "wait_for_message", chat="filehelper", after=sent["position"]))
        await asyncio.to_thread(sandbox.say, "me", "filehelper", f"yes {mode}")
        arrived = await waiting
        assert [each["text"] for each in arrived["messages"]] == [f"yes {mode}"]
        refused = await client.call_tool("read_messages", {"chat": "阿华"})
        assert refused.is_error
    entries = me.run("history", "filehelper", "--json").lines
    assert sum(f"yes {mode}" in json.dumps(each, ensure_ascii=False) for each in entries) == 1


async def test_through_a_gateway_it_has_the_same_tools(me: Shell, sandbox: Sandbox) -> None:
    with serving(me) as (_, first_line):
        key = new_key(me, "read,send,manage")
        options = ("--gateway", first_line["url"], "--allow-read", "阿华", "--allow-send", "阿华")
        async with connected(me, *options, WEBWX_GATEWAY_KEY=key) as client:
            status = await called(client, "login_status")
            assert (status["state"], datetime.fromisoformat(status["since"]) <= datetime.now(UTC)) == ("online", True)
            start = (await called(client, "read_messages", chat="阿华"))["position"]
            await asyncio.to_thread(sandbox.say, "ahua", "me", "over the gateway")
            arrived = await called(client, "wait_for_message", chat="阿华", after=start)
            assert [each["text"] for each in arrived["messages"]] == ["over the gateway"]
            await called(client, "reply", message_id=arrived["messages"][0]["message_id"], text="I am here")
            texts = [each["text"] for each in (await called(client, "read_messages", chat="阿华"))["messages"]]
            assert texts[:2] == ["I am here", "over the gateway"]
            found = await called(client, "list_chats")
            assert [each["name"] for each in found["chats"]] == ["文件传输助手", "阿华"]
            again = await called(client, "send_text", text="once", idempotency_key="gateway-1")
            assert again == {
                **await called(client, "send_text", text="once", idempotency_key="gateway-1"),
                "position": again["position"],
            }


async def test_it_obeys_the_lists_and_the_limit_after_a_restart_and_notes_what_it_does(me: Shell) -> None:
    for number, outcome in enumerate((None, "too_many")):
        async with connected(me, "--max-sends", "1") as client:
            sent = (await client.call_tool("send_text", {"text": f"text {number}"})).structured_content
            other = (await client.call_tool("send_text", {"text": "x", "chat": "阿华"})).structured_content
            unseen = (await client.call_tool("read_messages", {"chat": "阿华"})).structured_content
        assert [each and each.get("outcome") for each in (sent, other, unseen)] == [outcome, *["not_allowed"] * 2]
    async with open_records(me.settings) as records:
        noted = [(each.action, each.detail) for each in await records.audit()]
    assert {*noted} >= {
        ("mcp.send_text", "done"), ("mcp.send_text", "chat-not-allowed"), ("mcp.read_messages", "chat-not-allowed"),
    }  # fmt: skip
    assert noted.count(("mcp.send_text", "done")) == 1


async def test_a_killed_server_has_sent_once_when_the_call_is_repeated(me: Shell, sandbox: Sandbox) -> None:
    with me.start_process("mcp", stdin=-1) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        arguments = {"text": "exactly once", "idempotency_key": "k"}
        write(first.stdin, 2, "tools/call", {"name": "send_text", "arguments": arguments})
        answers = [json.loads(first.stdout.readline()) for _ in range(2)]
        assert answers[1]["result"]["structuredContent"]["state"] == "sent"
        first.kill()
    async with connected(me) as client:
        again = await called(client, "send_text", text="exactly once", idempotency_key="k")
        assert again["message_id"] == answers[1]["result"]["structuredContent"]["message_id"]
    texts = [message["text"] for message in sandbox.chat("me", "filehelper")["messages"]]
    assert texts.count("exactly once") == 1


def test_a_waiting_tool_ends_with_its_client(me: Shell) -> None:
    with me.start_process("mcp", stdin=-1) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        write(server.stdin, 2, "tools/call", {"name": "wait_for_message", "arguments": {"timeout_s": 50}})
        assert "result" in json.loads(server.stdout.readline())
        server.stdin.close()
        assert server.wait(20) == 0


def test_without_a_login_it_says_so(shell: Shell) -> None:
    failed = shell.run("mcp", stdin="")
    assert (failed.code, failed.stdout) == (4, "")
    unknown = shell.run("mcp", "--gateway", "http://127.0.0.1:1", stdin="")
    assert (unknown.code, unknown.stdout) == (2, "")
    assert "WEBWX_GATEWAY_KEY" in unknown.sentence


def test_a_wrong_key_of_the_gateway_is_refused_at_the_start(me: Shell) -> None:
    with serving(me) as (_, first_line):
        failed = me.run("mcp", "--gateway", first_line["url"], stdin="", WEBWX_GATEWAY_KEY="wrong")
    assert (failed.code, failed.stdout) == (2, "")
    assert "not a valid key" in failed.sentence


def test_an_unknown_chat_is_refused_at_the_start(me: Shell) -> None:
    failed = me.run("mcp", "--allow-send", "unknown", stdin="")
    assert (failed.code, failed.stdout) == (2, "")
    assert "unknown" in failed.sentence


async def test_lists_stay_those_of_the_user_for_whom_they_were_given(
    me: Shell, sandbox: Sandbox, secret_scanner: SecretScanner
) -> None:
    options = ("--allow-send", "*", "--max-sends", "40", "--max-burst", "30")
    async with connected(me, *options) as client:
        status = await called(client, "login_status")
        assert (status["writes_every_chat"], status["sends_left"]) == (True, 30)
    assert me.run("logout").code == 0
    await asyncio.to_thread(log_in, "阿华", me.settings, sandbox, secret_scanner)
    async with connected(me, *options) as client:
        assert (await called(client, "login_status"))["writes_every_chat"] is False
    restarted = me.run("mcp", *options, stdin="")
    assert (restarted.code, restarted.stdout) == (0, "")
    assert "'webwx mcp rebind' gives them to the present user" in restarted.sentence
    assert me.run("mcp", "rebind").code == 0
    async with connected(me, *options) as client:
        assert (await called(client, "login_status"))["writes_every_chat"] is True


@pytest.mark.parametrize("program", [*PROGRAMS])
def test_the_configuration_of_each_program_starts_the_command(me: Shell, program: str) -> None:
    printed = me.run("mcp", "config", program, "--", "--allow-read", "阿华")
    assert printed.code == 0
    assert printed.stderr
    made = tomllib.loads(printed.stdout) if program == "codex" else json.loads(printed.stdout)
    [servers] = made.values()
    [server] = servers.values()
    assert server["args"] == ["mcp", "--server", me.environment["WEBWX_SERVER"], "--allow-read", "阿华"]
    assert server["env"] == {name: me.environment[name] for name in ("WEBWX_HOME", "WEBWX_CONFIG")}
    if program == "codex":  # it gives a server ten seconds to start, and a tool one minute, unless this says more
        assert (server["startup_timeout_sec"], server["tool_timeout_sec"]) == (60, 90)
    remote = me.run("mcp", "config", program, "--url", "https://wx.example.org/mcp")
    if program == "claude-desktop":
        assert remote.code == 1
    else:
        assert "https://wx.example.org/mcp" in remote.stdout
        assert "Bearer TOKEN" in remote.stdout
    assert me.run("mcp", "config", program, "--json").line["program"] == program


def test_a_configuration_starts_the_command_in_every_folder_and_names_what_it_must_not_show(
    me: Shell, tmp_path: Path
) -> None:
    (tmp_path / "key.txt").write_text("secret")
    (tmp_path / "files").mkdir()
    options = ("--gateway", "http://127.0.0.1:8791", "--key-file", "key.txt", "--files=files", "--confirm", "phone")
    printed = run_in(me, tmp_path, "mcp", "config", "cursor", "--", *options, WEBWX_PASSPHRASE_FILE="key.txt")
    [server] = json.loads(printed.stdout)["mcpServers"].values()
    assert server["args"][-6:] == [
        "http://127.0.0.1:8791", "--key-file", str(tmp_path / "key.txt"), f"--files={tmp_path / 'files'}", "--confirm",
        "phone",
    ]  # fmt: skip
    assert server["env"]["WEBWX_PASSPHRASE_FILE"] == str(tmp_path / "key.txt")
    secret = me.run("mcp", "config", "cursor", "--", *options[:2], WEBWX_PASSPHRASE="three words long")
    assert "three words long" not in secret.stdout + secret.stderr
    assert [line.split()[0] for line in secret.stderr.splitlines()[1:]] == ["WEBWX_GATEWAY_KEY", "WEBWX_PASSPHRASE"]
    for wrong in (("--confrim", "phone"), ("--confirm", "never"), ("--key-file", "missing")):
        refused = me.run("mcp", "config", "cursor", "--", *wrong)
        assert (refused.code, refused.stdout) == (2, "")
    useless = me.run("mcp", "config", "cursor", "--url", "https://wx.example.org/mcp", "--", "--manage")
    assert (useless.code, useless.stdout) == (2, "")


def run_in(shell: Shell, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder."""
    whole = shell.environment | environment
    return subprocess.run([WEBWX, *arguments], cwd=folder, env=whole, capture_output=True, text=True, check=True)


def test_without_the_adapter_its_library_is_not_imported() -> None:
    code = "import sys, webwx.cli.gateway.mcp, webwx.gateway.app; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_the_owner_logs_in_with_the_code_that_the_agent_shows(shell: Shell, sandbox: Sandbox) -> None:
    async with connected(shell, "--allow-login") as client:
        assert (await called(client, "login_status"))["state"] == "new"
        code = await called(client, "login_qr")
        assert (code["state"], code["link"][:4]) == ("code", "http")
        await asyncio.to_thread(functools.partial(sandbox.control, "scan", who="me"))
        await asyncio.to_thread(functools.partial(sandbox.control, "confirm", uuid=""))
        done = await called(client, "login_qr", after=code["step"])
        while done["state"] != "online":
            done = await called(client, "login_qr", after=done["step"])
        start = (await called(client, "send_text", text="I am here"))["position"]
        await asyncio.to_thread(sandbox.say, "me", "filehelper", "welcome back")
        arrived = await called(client, "wait_for_message", after=start, timeout_s=50)
        assert [each["text"] for each in arrived["messages"]] == ["welcome back"]
    assert shell.run("status").code == 0
    through = shell.run("mcp", "--allow-login", "--gateway", "http://127.0.0.1:1", stdin="")
    assert (through.code, through.stdout) == (2, "")
