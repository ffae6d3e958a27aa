"""
Kills in the middle of a send: of `webwx mcp`, of the gateway below it, and of a gateway with a program.

The sends are made with the owner's consent, or without one.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest
from tests.cli.conftest import PATIENCE, running_sandbox
from tests.cli.gateway.test_mcp_confirmations import codes_on_phone, texts
from tests.cli.gateway.test_serve import new_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Sandbox, Shell, Started
    from tests.forks import Forks

pytestmark = [pytest.mark.verify, pytest.mark.timeout(400)]

Way: TypeAlias = Literal["login", "gateway", "program"]
"""How the agent reaches the account: `webwx mcp` with a login or through a gateway, or a program of a gateway."""

Victim: TypeAlias = Literal["command", "gateway"]
"""The process that is killed."""

OPTIONS = ("sends_in_ten_minutes=1000", "sends_in_a_day=1000")

_PAUSE = 0.02
"""Seconds between two looks at a phone or a send, which the killed processes share the machine with."""

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


@pytest.fixture
def sandbox(forks: Forks) -> Iterator[Sandbox]:
    """A sandbox of its own, whose phones have no messages of other tests."""
    with running_sandbox(forks, "--echo", "on") as sandbox:
        yield sandbox


class StdioAgent:
    """A client of `webwx mcp`, of the earlier era."""

    def __init__(self, process: Started) -> None:
        self._process = process
        self._number = 0
        self._request("initialize", HELLO)
        self._write({"method": "notifications/initialized"})

    def _write(self, message: dict[str, Any]) -> None:
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._process.stdin.flush()

    def _begin(self, method: str, params: dict[str, Any]) -> None:
        self._number += 1
        self._write({"id": self._number, "method": method, "params": params})

    def _request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._begin(method, params)
        while line := self._process.stdout.readline():
            answer: dict[str, Any] = json.loads(line)
            if answer.get("id") == self._number:
                return answer
        raise AssertionError(self._process.stderr.read())

    def begin(self, tool: str, **arguments: Any) -> None:
        """Call a tool, and do not wait for its result."""
        self._begin("tools/call", {"name": tool, "arguments": arguments})

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool, and return its result or its failure."""
        answer = self._request("tools/call", {"name": tool, "arguments": arguments})
        structured: dict[str, Any] = answer["result"]["structuredContent"]
        return structured


class HttpAgent:
    """A client of a program of a gateway."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url}/mcp"
        self._headers = {
            "Authorization": f"Bearer {token}", "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25",
        }  # fmt: skip

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool, and return its result or its failure; nothing while the gateway does not answer."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        request = urllib.request.Request(self._url, json.dumps(body).encode(), self._headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                structured: dict[str, Any] = json.load(answer)["result"]["structuredContent"]
                return structured
        except urllib.error.HTTPError as refused:
            with closing(refused):
                return {}
        except (OSError, http.client.HTTPException):
            return {}


def quiet_port() -> int:
    """
    Return a free port that no connection of this machine gets, so that it is still free after a kill.

    Linux gives connections ports from 32768 on, and one of them would keep a gateway from listening there again.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port


class Scene:
    """An agent that sends to a person, with the owner's consent unless `confirm` is off, and a process to kill."""

    def __init__(
        self, shell: Shell, sandbox: Sandbox, way: Way, victim: Victim, *, confirm: Literal["phone", "off"] = "phone"
    ) -> None:
        self.shell, self.sandbox, self.way, self.victim, self._confirm = shell, sandbox, way, victim, confirm
        self._ends = contextlib.ExitStack()
        self._processes: dict[str, Started] = {}
        self._url = ""
        self._port = quiet_port()
        self._token = ""
        if way == "gateway":
            shell.environment["WEBWX_GATEWAY_KEY"] = new_key(shell, "read,send,manage")
        self.agent: StdioAgent | HttpAgent
        (shell.settings.home / "gateway.toml").write_text("[limits]\nrequests_per_minute = 0\n")

    def __enter__(self) -> Scene:
        if self.way != "login":
            self._start_gateway()
        if self.way != "program":
            self._start_command()
        return self

    def __exit__(self, *error: object) -> None:
        self._ends.close()

    def _start(self, kind: str, *arguments: str) -> Started:
        process = self.shell.start_process(*arguments, stdin=subprocess.PIPE)
        self._processes[kind] = self._ends.enter_context(process)
        self._ends.callback(process.kill)
        return process

    def _start_gateway(self) -> None:
        process = self._start("gateway", "serve", "--port", str(self._port), "--json")
        line = process.stdout.readline()
        assert line, process.stderr.read()
        self._url = json.loads(line)["url"]
        if self.way != "program":
            return
        if not self._token:
            create = ("serve", "program", "create", "--name", "agent", "--adapter", "mcp", "--write", "阿华", "--json")
            options = [part for each in ("confirm=phone", *OPTIONS) for part in ("--option", each)]
            self._token = self.shell.run(*create, *options).line["token"]
        self.agent = HttpAgent(self._url, self._token)

    def _start_command(self) -> None:
        where = ("--gateway", self._url) if self.way == "gateway" else ()
        options = ("--allow-send", "阿华", "--confirm", self._confirm, "--max-sends", "1000", *where)
        self.agent = StdioAgent(self._start("command", "mcp", *options))

    def asked(self, text: str) -> str:
        """Send a text to a person, with itself as its key, and return the code of the question."""
        known = codes_on_phone(self.sandbox)
        waiting = self.agent.call("send_text", chat="阿华", text=text, idempotency_key=text)
        assert waiting["outcome"] == "waiting_for_owner", waiting
        while not (new := [each for each in codes_on_phone(self.sandbox) if each not in known]):
            time.sleep(_PAUSE)
        return new[0]

    def write(self, text: str) -> None:
        """Write as the owner on the phone."""
        self.sandbox.say("me", "filehelper", text)

    def accept_in_terminal(self, code: str) -> None:
        """Accept a send with a command."""
        command = ("serve", "program") if self.way == "program" else ("mcp",)
        assert self.shell.run(*command, "accept", code).code == 0

    def received(self) -> list[str]:
        """Return the texts that the person has got."""
        return texts(self.sandbox, "ahua", "xiaoming")

    def stop(self) -> None:
        """Stop the process, which does nothing more until it is killed."""
        self._processes[self.victim].send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """Kill the process."""
        process = self._processes[self.victim]
        process.kill()
        process.wait(PATIENCE)

    def restart(self) -> None:
        """Start the process again."""
        if self.victim == "gateway":
            self._start_gateway()
        else:
            self._start_command()

    def until_decided(self, text: str) -> str:
        """Wait until a send has an outcome, and return it."""
        while True:
            state = self.agent.call("find_send", idempotency_key=text).get("state", "")
            if state not in {"", "waiting_for_owner", "queued", "sending"}:
                return str(state)
            time.sleep(_PAUSE)


def before_the_answer(scene: Scene, text: str) -> set[str]:
    code = scene.asked(text)
    scene.kill()
    scene.write(f"y {code}")
    return {"sent"}


def before_the_answer_is_read(scene: Scene, text: str) -> set[str]:
    code = scene.asked(text)
    scene.stop()
    scene.write(f"y {code}")
    scene.kill()
    return {"sent"}


def between_the_answer_and_the_send(scene: Scene, text: str) -> set[str]:
    code = scene.asked(text)
    scene.stop()
    scene.accept_in_terminal(code)
    scene.kill()
    return {"sent"}


def while_the_platform_answers(scene: Scene, text: str) -> set[str]:
    code = scene.asked(text)
    scene.sandbox.control("faults", fault="lost_answer", endpoint="webwxsendmsg", times=1)
    scene.write(f"y {code}")
    while text not in scene.received():
        time.sleep(_PAUSE)
    scene.kill()
    return {"sent", "unknown"}


def after_the_send(scene: Scene, text: str) -> set[str]:
    code = scene.asked(text)
    scene.write(f"y {code}")
    assert scene.until_decided(text) == "sent"
    scene.kill()
    return {"sent"}


def at_a_moment_of(seed: int) -> Callable[[Scene, str], set[str]]:
    """Return a kill some looks at a phone after the answer, which is soon, or after the send."""

    def at_a_moment(scene: Scene, text: str) -> set[str]:
        code = scene.asked(text)
        scene.write(f"y {code}")
        for _ in range(random.Random(seed).randrange(40)):
            scene.received()
        scene.kill()
        return {"sent", "unknown"}

    return at_a_moment


MOMENTS = {
    **{each.__name__: each for each in (
        before_the_answer, before_the_answer_is_read, between_the_answer_and_the_send, while_the_platform_answers,
        after_the_send,
    )},
    **{f"at_moment_{seed}": at_a_moment_of(seed) for seed in range(2)},
}  # fmt: skip


@pytest.mark.parametrize(
    ("way", "victim"),
    [
        pytest.param("login", "command", id="webwx-mcp-with-a-login"),
        pytest.param("gateway", "command", id="webwx-mcp-through-a-gateway"),
        pytest.param("gateway", "gateway", id="the-gateway-below-webwx-mcp"),
        pytest.param("program", "gateway", id="the-gateway-of-a-program"),
    ],
)
def test_a_send_that_the_owner_accepts_is_made_once_whenever_a_process_is_killed(
    me: Shell, sandbox: Sandbox, way: Way, victim: Victim
) -> None:
    with Scene(me, sandbox, way, victim) as scene:
        for moment, kill in MOMENTS.items():
            if kill is while_the_platform_answers and (way, victim) == ("gateway", "command"):
                continue  # the gateway makes the send
            expected = kill(scene, moment)
            scene.restart()
            state = scene.until_decided(moment)
            assert state in expected, moment
            repeated = scene.agent.call("send_text", chat="阿华", text=moment, idempotency_key=moment)
            assert (repeated.get("state") or repeated["outcome"]) in {state, "sent"}, (moment, repeated)
            received = scene.received().count(moment)
            if state == "sent" or kill is while_the_platform_answers:
                assert received == 1, moment
            else:  # killed with the send on its way, which may not have left the process
                assert received <= 1, moment


# -- without consent ---------------------------------------------------------------------------------------------------


def before_the_request_is_read(scene: Scene) -> list[str]:
    """Kill the process after a send, with another one whose answer it waits for, and one that it has not read."""
    after, lost, unread = "after", "lost", "unread"
    agent = command_of(scene)
    sent = agent.call("send_text", chat="阿华", text=after, idempotency_key=after)
    assert sent.get("state") == "sent", sent
    is_answered = (scene.way, scene.victim) == ("gateway", "command")  # by the gateway, which is not killed
    fault = {"fault": "late_answer", "options": {"seconds": 1}} if is_answered else {"fault": "lost_answer"}
    scene.sandbox.control("faults", endpoint="webwxsendmsg", times=1, **fault)
    agent.begin("send_text", chat="阿华", text=lost, idempotency_key=lost)
    while lost not in scene.received():
        time.sleep(_PAUSE)
    scene.stop()
    agent.begin("send_text", chat="阿华", text=unread, idempotency_key=unread)
    scene.kill()
    return [after, lost, unread]


def on_its_way(scene: Scene) -> list[str]:
    """Kill the process some looks at a phone after the begin of a send, which is before, in or after it."""
    text = "on-its-way"
    command_of(scene).begin("send_text", chat="阿华", text=text, idempotency_key=text)
    for _ in range(random.Random(scene.way + scene.victim).randrange(12)):
        scene.received()
    scene.kill()
    return [text]


def command_of(scene: Scene) -> StdioAgent:
    """Return the agent of `webwx mcp`."""
    assert isinstance(scene.agent, StdioAgent)
    return scene.agent


def repeated(scene: Scene, text: str) -> None:
    """Repeat a send with its key until it has an outcome."""
    while True:
        again = scene.agent.call("send_text", chat="阿华", text=text, idempotency_key=text)
        if again.get("state") == "sent" or again["outcome"] == "unknown":
            return
        assert again["outcome"] in {"unavailable", "logged_out", "queued", "sending"}, again
        time.sleep(_PAUSE)


@pytest.mark.parametrize(
    ("way", "victim"),
    [
        pytest.param("login", "command", id="webwx-mcp-with-a-login"),
        pytest.param("gateway", "command", id="webwx-mcp-through-a-gateway"),
        pytest.param("gateway", "gateway", id="the-gateway-below-webwx-mcp"),
    ],
)
def test_a_send_without_consent_is_made_once_whenever_a_process_is_killed(
    me: Shell, sandbox: Sandbox, way: Way, victim: Victim
) -> None:
    with Scene(me, sandbox, way, victim, confirm="off") as scene:
        for kill in (before_the_request_is_read, on_its_way):
            begun = kill(scene)
            scene.restart()
            for text in begun:
                received = scene.received().count(text)
                found = scene.agent.call("find_send", idempotency_key=text)
                assert received == 0 or found.get("code") != "not-found", (text, found)
                repeated(scene, text)
                state = scene.agent.call("find_send", idempotency_key=text)["state"]
                received = scene.received().count(text)
                assert state in {"sent", "unknown"}, text
                assert received == 1 if state == "sent" else received <= 1, text
        assert [scene.received().count(each) for each in ("after", "lost")] == [1, 1]
