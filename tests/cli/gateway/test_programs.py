"""`webwx serve program`: programs of adapters, created and changed with and without a running gateway."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import urllib.error
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.conftest import PATIENCE
from tests.cli.gateway.test_serve import serving
from tests.cli.test_completion import complete
from tests.gateway.adapters.stored_question import state_of, store_accepted

from webwx.gateway.adapters.program import StoredProgram

if TYPE_CHECKING:
    from tests.cli.conftest import Sandbox, Shell

INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}  # fmt: skip


def status_of(url: str, token: str) -> int:
    """Return the status of a first request of an agent."""
    headers = {
        "Authorization": f"Bearer {token}", "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }  # fmt: skip
    request = urllib.request.Request(f"{url}/", json.dumps(INITIALIZE).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with closing(refused):
            return refused.code


def test_a_program_is_created_changed_and_deleted_beside_a_running_gateway(me: Shell) -> None:
    def run(*arguments: str) -> dict[str, Any]:
        return me.run("serve", "program", *arguments, "--json").line

    with serving(me) as (_, first_line):
        made = run("create", "--name", "assistant", "--adapter", "mcp", "--option", "sends_in_a_day=20")
        program = made["id"]
        assert made["url"] == f"{first_line['url']}/adapters/mcp"
        assert status_of(made["url"], made["token"]) == 200

        changed = run(
            "change", program, "--see", "filehelper", "--see", "阿华", "--write", "", "--option", "manage=true"
        )
        assert changed["see"] == ["filehelper", me.run("identity", "show", "阿华", "--json").line["number"]]
        assert (changed["write"], changed["name"]) == ([], "assistant")
        assert changed["options"] == {"sends_in_a_day": 20, "manage": True}
        assert run("change", program, "--option", "manage", "--name", "helper") == {
            **changed, "options": {"sends_in_a_day": 20}, "name": "helper",
        }  # fmt: skip

        renewed = run("rotate", program)
        assert renewed["token"] != made["token"]
        assert status_of(made["url"], made["token"]) == 401
        assert status_of(made["url"], renewed["token"]) == 200

        shown = me.run("serve", "program", "show", program)
        assert shown.stdout.splitlines() == [
            f"{program}  mcp  helper  account 1, enabled",
            f"Sees: filehelper, {changed['see'][1]}",
            "Writes to: no chat",
            "Options: sends_in_a_day=20",
        ]
        listed = me.run("serve", "program", "list", "--json")
        assert listed.line["id"] == program
        assert made["token"] not in listed.stdout
        assert renewed["token"] not in listed.stdout

        assert run("disable", program)["enabled"] is False
        assert status_of(made["url"], renewed["token"]) in {401, 404}
        assert run("enable", program)["enabled"] is True
        assert status_of(made["url"], renewed["token"]) == 200
        assert run("delete", program) == {"id": program, "deleted": True}
        assert status_of(made["url"], renewed["token"]) in {401, 404}
        assert me.run("serve", "program", "list").stdout == ""


def test_the_sends_of_a_deleted_program_that_waited_for_its_owner_are_deleted(shell: Shell) -> None:
    home = shell.environment["WEBWX_HOME"]
    program = asyncio.run(store_accepted(home))
    assert asyncio.run(state_of(home, program)) == "accepted"
    assert shell.run("serve", "program", "delete", program).code == 0
    assert asyncio.run(state_of(home, program)) == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "unknown"), "'webwx serve program list' lists them"),
        (("delete", "unknown"), "'webwx serve program list' lists them"),
        (("create", "--name", "n", "--adapter", "mcp"), "start 'webwx serve' once"),
    ],
)
def test_a_program_or_an_account_that_is_unknown_is_refused(
    shell: Shell, arguments: tuple[str, ...], said: str
) -> None:
    done = shell.run("serve", "program", *arguments)
    assert done.code == 2
    assert said in done.sentence


def test_an_unknown_adapter_option_or_chat_is_refused(me: Shell) -> None:
    with serving(me):
        pass
    create = ("serve", "program", "create", "--name", "n", "--adapter")
    for arguments, said in [
        (("none",), "There is no adapter 'none'; the adapters are mcp."),
        (("mcp", "--option", "none=1"), "The options of the adapter 'mcp' are not valid"),
        (("mcp", "--see", "Stranger"), "Stranger"),
    ]:
        done = me.run(*create, *arguments)
        assert done.code == 2, done
        assert said in done.sentence
    assert me.run("serve", "program", "list").stdout == ""


def test_the_adapters_are_listed_with_the_configurations_of_programs(shell: Shell) -> None:
    found = shell.run("serve", "program", "adapters", "--json").line
    assert (found["name"], found["path"]) == ("mcp", "/adapters/mcp")
    assert all("{url}" in each and "{token}" in each for each in found["configurations"].values())


def test_the_json_of_a_program_has_its_stored_fields_without_the_digest(me: Shell) -> None:
    with serving(me):
        pass
    made = me.run("serve", "program", "create", "--name", "n", "--adapter", "mcp", "--disable", "--json").line
    lists = {"see", "write"}
    assert made.keys() - {"token", "url"} == {*StoredProgram.__struct_fields__} - {"digest", "permissions"} | lists
    assert made["enabled"] is False


def test_an_adapter_with_a_listener_of_its_own_is_served_there_until_the_gateway_ends(me: Shell) -> None:
    (me.settings.home / "gateway.toml").write_text("[adapters.mcp]\nport = 0\n")
    with serving(me) as (process, first_line):
        url = first_line["adapters"]["mcp"]
        assert url != first_line["url"]
        made = me.run("serve", "program", "create", "--name", "n", "--adapter", "mcp", "--json").line
        assert made["url"] == url
        assert status_of(url, made["token"]) == 200
        assert status_of(f"{first_line['url']}/adapters/mcp", made["token"]) == 200
        assert status_of(f"{url}/api/v1/accounts", made["token"]) == 404
        process.terminate()
        process.wait(timeout=PATIENCE)
    with pytest.raises(urllib.error.URLError):
        status_of(url, made["token"])


def test_a_port_of_an_adapter_that_is_taken_or_that_of_the_gateway_ends_the_command(shell: Shell) -> None:
    shell.settings.home.mkdir(exist_ok=True)
    config = shell.settings.home / "gateway.toml"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config.write_text(f"[adapters.mcp]\nport = {port}\n")
        done = shell.run("serve", "--port", "0")
        assert f"Port {port} is taken; choose another in [adapters.mcp] of the configuration" in done.sentence
        same = shell.run("serve", "--port", f"{port}")
        assert f"[adapters.mcp] has the port {port} of [listen]" in same.sentence
    checked = shell.run("serve", "check")
    assert f"The adapter mcp also listens on 127.0.0.1, port {port}" in checked.stdout


def called(url: str, token: str, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool as an agent, and return its result or its failure."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    headers = {
        "Authorization": f"Bearer {token}", "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25",
    }  # fmt: skip
    request = urllib.request.Request(f"{url}/", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        structured: dict[str, Any] = json.load(answer)["result"]["structuredContent"]
        return structured


def test_a_send_that_waits_is_listed_accepted_and_refused_beside_a_running_gateway(me: Shell, sandbox: Sandbox) -> None:
    with serving(me):
        made = me.run(
            "serve", "program", "create", "--name", "assistant", "--adapter", "mcp", "--write", "阿华",
            "--option", "confirm=phone", "--json",
        ).line  # fmt: skip
        for text in ("accepted", "refused"):
            waiting = called(made["url"], made["token"], "send_text", chat="阿华", text=text, idempotency_key=text)
            assert waiting["outcome"] == "waiting_for_owner"
        pending = me.run("serve", "program", "pending", "--program", made["id"], "--json").lines
        assert [(each["text"], each["name"], each["program"]) for each in pending] == [
            ("accepted", "阿华", made["id"]), ("refused", "阿华", made["id"]),
        ]  # fmt: skip
        codes = [each["code"] for each in pending]
        assert complete(me, "webwx serve program accept ") == codes
        assert [line.split()[0] for line in me.run("serve", "program", "pending").stdout.splitlines()] == codes
        assert me.run("serve", "program", "accept", codes[0]).stdout == "Accepted: to 阿华.\n"
        assert me.run("serve", "program", "refuse", codes[1]).stdout == "Refused: to 阿华; nothing is sent.\n"
        again = me.run("serve", "program", "refuse", codes[0])
        assert (again.code, again.stdout) == (1, "")
        unknown = me.run("serve", "program", "accept", codes[0], "--program", "unknown")
        assert (unknown.code, unknown.stdout) == (2, "")
        while called(made["url"], made["token"], "find_send", idempotency_key="accepted")["state"] != "sent":
            time.sleep(0.05)
        refused = called(made["url"], made["token"], "find_send", idempotency_key="refused")
        assert refused["state"] == "refused_by_owner"
        assert me.run("serve", "program", "pending").stdout == ""
    received = [message["text"] for message in sandbox.chat("ahua", "xiaoming")["messages"]]
    assert (received.count("accepted"), received.count("refused")) == (1, 0)
