"""Programs of adapters at several gateways of one database: an agent whose account another node runs, then none."""

from __future__ import annotations

import base64
import json
import signal
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.conftest import PATIENCE
from tests.client.conftest import PNG
from tests.cluster.conftest import wait_until
from tests.cluster.gateways import two_gateways
from tests.cluster.witness import problems

if TYPE_CHECKING:
    from tests.cluster.conftest import Deployment
    from tests.cluster.gateways import RunningGateway

pytestmark = pytest.mark.verify


class AgentAnswer:
    """The answer of a node to a call of a tool."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        """Status of the HTTP answer."""
        found = json.loads(body).get("result", {})
        self.is_error: bool = status != 200 or found.get("isError", False)
        self.value: dict[str, Any] = found.get("structuredContent", {})
        self.content: list[dict[str, Any]] = found.get("content", [])


class CallingAgent:
    """A client of MCP with the token of a program."""

    def __init__(self, token: str) -> None:
        self.token = token

    def call(self, node: RunningGateway, tool: str, **arguments: Any) -> AgentAnswer:
        """Call a tool at a node."""
        params = {"name": tool, "arguments": arguments}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        headers = {
            "Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25",
        }  # fmt: skip
        request = urllib.request.Request(f"{node.url}/mcp", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE + 50) as answer:
                return AgentAnswer(answer.status, answer.read())
        except urllib.error.HTTPError as refused:
            with closing(refused):
                return AgentAnswer(refused.code, refused.read())

    def value(self, node: RunningGateway, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return the result of a call that has to succeed."""
        answer = self.call(node, tool, **arguments)
        assert not answer.is_error, (answer.status, answer.value)
        return answer.value


def texts_on_phone(deployment: Deployment) -> list[str]:
    return [each["text"] for each in deployment.sandbox.chat("me", "filehelper")["messages"]]


def test_an_agent_works_at_a_node_that_does_not_run_its_account_and_after_the_owner_was_killed(
    deployment: Deployment,
) -> None:
    with two_gateways(deployment) as (owner, other), ThreadPoolExecutor(2) as pool:
        program = {"name": "agent", "adapter": "mcp", "account": other.number("one"), "see": ["*"], "write": ["*"]}
        made = other.call("POST", "/programs", program)
        assert made.status == 201, made
        place = f"/programs/{made.value['program']['id']}"

        # What one node stores is valid at the others at once.
        first = CallingAgent(made.value["token"])
        assert first.value(owner, "login_status")["state"] == "online"
        renewed = owner.call("POST", f"{place}/rotate")
        agent = CallingAgent(renewed.value["token"])
        assert first.call(other, "login_status").status == 401
        assert agent.value(other, "login_status")["state"] == "online"

        # Each kind of tool, at a node that does not run the account.
        sends = [
            pool.submit(agent.value, node, "send_text", text="recalled", idempotency_key="first")
            for node in (owner, other)
        ]
        [sent, again] = [each.result() for each in sends]
        assert sent["message_id"] == again["message_id"]
        assert agent.value(other, "recall_message", message_id=sent["message_id"])["recalled"] is True

        position = agent.value(other, "read_messages")["position"]
        waiting = pool.submit(agent.value, other, "wait_for_message", after=position, timeout_s=20)
        content = base64.b64encode(PNG).decode()
        deployment.sandbox.control("picture", **{"from": "lilei", "to": "me", "name": "a.png", "content": content})
        arrived = waiting.result()
        [picture] = arrived["messages"]
        media = agent.call(other, "get_media", message_id=picture["message_id"])
        assert [each["type"] for each in media.content if each["type"] != "text"] == ["image"]

        # The owner is killed during a wait and a send; the agent calls again what has failed, and misses and doubles
        # nothing.
        waiting_at_the_end = pool.submit(agent.call, other, "wait_for_message", after=arrived["position"], timeout_s=20)
        deployment.sandbox.control("faults", fault="blackhole", endpoint="webwxsendmsg", times=1)
        perhaps = pool.submit(agent.call, other, "send_text", text="perhaps", idempotency_key="lost")
        wait_until(lambda: deployment.sandbox.control("faults")["hits"].get("blackhole", 0) > 0)
        owner.signal(signal.SIGKILL)
        deployment.sandbox.say("lilei", "me", "meanwhile")
        ends = [waiting_at_the_end.result(), perhaps.result()]
        assert [(each.status, each.is_error, each.value["outcome"]) for each in ends] == [
            (200, True, "unavailable"), (200, True, "unknown"),
        ]  # fmt: skip
        assert "find_send" in ends[1].value["message"]
        repeated: list[AgentAnswer] = []

        def is_repeated() -> bool:
            repeated.append(agent.call(other, "send_text", text="sent once", idempotency_key="second"))
            return not repeated[-1].is_error

        wait_until(is_repeated)
        once_more = agent.value(other, "send_text", text="sent once", idempotency_key="second")
        assert once_more["message_id"] == repeated[-1].value["message_id"]
        missed = agent.value(other, "wait_for_message", after=arrived["position"], timeout_s=20)
        assert [each["text"] for each in missed["messages"]] == ["meanwhile"]
        later = agent.value(other, "wait_for_message", after=missed["position"], timeout_s=0)
        assert later["messages"] == []
        assert texts_on_phone(deployment).count("sent once") == 1
        assert agent.value(other, "find_send", idempotency_key="lost")["state"] == "unknown"
        assert agent.call(other, "send_text", text="perhaps", idempotency_key="lost").value["outcome"] == "unknown"
        assert sorted(deployment.states()) == ["recalled", "sent", "unknown"]

        assert other.call("DELETE", place).status == 204
        assert agent.call(other, "login_status").status in {401, 404}
    assert problems(deployment.schema) == []
