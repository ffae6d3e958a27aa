"""MCP at a gateway whose process is killed, or whose client is, in the middle of a call."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.interop.phones import Phones
from tests.interop.processes import WEBWX
from tests.interop.served_gateway import started
from tests.interop.test_gateway_crash import call, texts_on_phone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.interop.served_gateway import Served

pytestmark = [pytest.mark.verify, pytest.mark.timeout(200)]

KILLS = 3

SENDS = 3
"""Number of sends that are open at each kill."""

OPTIONS = {"sends_in_ten_minutes": 1000, "sends_in_a_day": 1000}


def body_of(tool: str, arguments: dict[str, Any]) -> bytes:
    params = {"name": tool, "arguments": arguments}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


def headers_of(token: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-11-25",
    }


def called(url: str, token: str, tool: str, **arguments: Any) -> dict[str, Any] | None:
    """Call a tool, and return its result; None without an answer, or for that of a gateway that ends."""
    request = urllib.request.Request(f"{url}/mcp", body_of(tool, arguments), headers_of(token))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            result: dict[str, Any] = json.load(answer)["result"]
            return result
    except urllib.error.HTTPError as refused:
        with closing(refused):
            return None
    except (OSError, ValueError, http.client.HTTPException):  # the last one, if the answer ends in its body
        return None


@contextmanager
def killable(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve a gateway, and kill it at the end."""
    command: list[str | Path] = [WEBWX, "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout is not None
        try:
            yield gateway, json.loads(gateway.stdout.readline())["url"]
        finally:
            gateway.kill()


def test_a_call_that_a_killed_gateway_has_not_answered_is_repeated_and_sends_once(tmp_path: Path) -> None:
    environment = {**os.environ, "WEBWX_HOME": str(tmp_path)}
    (tmp_path / "gateway.toml").write_text("[limits]\nrequests_per_minute = 0\n")
    create: list[str | Path] = [WEBWX, "serve", "key", "create", "--name", "test", "--scopes", "admin", "--json"]
    told: dict[str, bool] = {}
    """Whether a send was answered before its gateway was killed."""
    with started("sandbox", "--auto-confirm", environment=environment) as sandbox:
        environment["WEBWX_SERVER"] = sandbox["url"]
        subprocess.run([WEBWX, "login"], env=environment, capture_output=True, check=True)
        key = json.loads(subprocess.run(create, env=environment, capture_output=True, check=True).stdout)["key"]
        token = ""
        for kill in range(KILLS):
            with killable(environment) as (gateway, url), ThreadPoolExecutor(SENDS) as pool:
                if not token:
                    program = {"name": "agent", "adapter": "mcp", "account": 1, "options": OPTIONS}
                    token = call("POST", f"{url}/api/v1/programs", key, program)["token"]
                status = called(url, token, "login_status")  # the adapter is imported now
                assert status is not None
                texts = [f"{kill}-{number}" for number in range(SENDS)]
                calls = {
                    text: pool.submit(called, url, token, "send_text", text=text, idempotency_key=text)
                    for text in texts
                }
                while not any(texts_on_phone(sandbox["control"])[text] for text in texts):
                    time.sleep(0.001)  # one of them has reached the platform; the gateway may not know it yet
                gateway.kill()
                told |= {text: (result := each.result()) is not None and not result.get("isError", False)
                         for text, each in calls.items()}  # fmt: skip
        with started("serve", environment=environment) as last, ThreadPoolExecutor(len(told)) as pool:
            repeated = {
                text: pool.submit(called, last["url"], token, "send_text", text=text, idempotency_key=text)
                for text in told
            }
            again = {text: each.result() for text, each in repeated.items()}
        found = texts_on_phone(sandbox["control"])
    assert max(found.values()) == 1
    for text, result in again.items():
        assert result is not None
        outcome = result["structuredContent"]
        if result.get("isError", False):
            assert outcome["outcome"] == "unknown", outcome
            assert not told[text]
        else:
            assert (outcome["state"], found[text]) == ("sent", 1)


CLIENT = """
import sys, urllib.request
url, body, *headers = sys.argv[1:]
request = urllib.request.Request(url, body.encode(), dict(each.split(": ", 1) for each in headers))
urllib.request.urlopen(request, timeout=60).read()
"""


def test_a_wait_of_a_client_that_was_killed_ends_and_the_next_one_gets_the_message(served: Served) -> None:
    programs = f"{served.url}/api/v1/programs"
    token = call("POST", programs, served.key, {"name": "agent", "adapter": "mcp", "account": 1})["token"]
    status = called(served.url, token, "read_messages")
    assert status is not None
    position = status["structuredContent"]["position"]

    def peers() -> int:
        return sum(len(each["peers"]) for each in call("GET", programs, served.key)["programs"])

    body = body_of("wait_for_message", {"timeout_s": 50, "after": position}).decode()
    headers = [f"{name}: {value}" for name, value in headers_of(token).items()]
    with subprocess.Popen([sys.executable, "-c", CLIENT, f"{served.url}/mcp", body, *headers]) as client:
        while not peers():
            time.sleep(0.01)
        client.kill()
    while peers():
        time.sleep(0.01)
    Phones(served.control).do("say", **{"from": "me"}, to="filehelper", text="yes")
    waited = called(served.url, token, "wait_for_message", timeout_s=50, after=position)
    assert waited is not None
    assert [each["text"] for each in waited["structuredContent"]["messages"]] == ["yes"]
