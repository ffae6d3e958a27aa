"""A message whose answer was lost with the node that runs the account gets an answer that is no success."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp_types import CallToolResult, JSONRPCError, JSONRPCResponse

from webwx.errors import SendOutcomeUnknown
from webwx.gateway.adapters.mcp.lost_calls import answer_to_lost
from webwx.gateway.adapters.mcp.tool_table import TOOLS
from webwx.gateway.problems import GatewayProblem

LOST = SendOutcomeUnknown("The answer of another gateway was lost.")


def answered(error: Any, method: str, **params: Any) -> Any:
    """Return the answer to a message as a client reads it."""
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode()
    made = answer_to_lost(body, error)
    assert made is not None
    answer = json.loads(made.body)
    assert (made.status, answer["id"]) == (200, 7)
    return answer


def called(tool: str, error: Any = LOST, **arguments: Any) -> tuple[str, str]:
    """Return the outcome and the words of a call that was lost."""
    response = JSONRPCResponse.model_validate(answered(error, "tools/call", name=tool, arguments=arguments))
    result = CallToolResult.model_validate(response.result)
    assert result.is_error is True
    assert result.structured_content is not None
    assert json.loads(result.content[0].text) == result.structured_content  # type: ignore[union-attr]
    assert result.structured_content.get("idempotency_key", "") == arguments.get("idempotency_key", "")
    return result.structured_content["outcome"], result.structured_content["message"]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_lost_call_is_no_success_of_its_tool(tool: str) -> None:
    outcome, words = called(tool)
    assert outcome == ("unavailable" if TOOLS[tool].is_read_only else "unknown")
    assert ("repeat it" in words) == TOOLS[tool].is_read_only


def test_a_lost_send_names_find_send_and_its_key() -> None:
    outcome, words = called("send_text", text="x", idempotency_key="k")
    assert outcome == "unknown"
    assert "Do not send it again; ask find_send with this idempotency_key" in words
    assert "no idempotency_key for find_send" in called("send_text", text="x")[1]


def test_a_call_that_no_node_has_taken_was_not_made() -> None:
    for tool in ("send_text", "read_messages"):
        assert called(tool, GatewayProblem("no-owner", "Nothing was done; send the request again later."))[0] == (
            "unavailable"
        )


@pytest.mark.parametrize("method", ["resources/read", "tools/list", "initialize", "tools/call"])
def test_another_message_gets_an_error_of_the_protocol(method: str) -> None:
    error = JSONRPCError.model_validate(answered(LOST, method, name="no_such_tool", arguments={}))
    assert error.error.code == -32603
    assert "Repeat it" in error.error.message


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [(LOST, 409, "do not send it again"), (GatewayProblem("no-owner", "Nothing was done."), 503, "Nothing was done.")],
)
@pytest.mark.parametrize("body", [b"", b"{", b'{"id": 7, "method": "tools/call', None])
def test_what_is_not_known_gets_an_error_without_an_id(body: bytes | None, error: Any, status: int, words: str) -> None:
    made = answer_to_lost(body, error)
    assert made is not None
    answer = JSONRPCError.model_validate_json(made.body)
    assert (made.status, answer.id, answer.error.code) == (status, None, -32603)
    assert words in answer.error.message


@pytest.mark.parametrize(
    "body", [b"[]", b'{"method":"notifications/initialized"}', b'{"id":1}', b'{"id":null,"method":"ping"}']
)
def test_what_has_no_answer_gets_none(body: bytes) -> None:
    assert answer_to_lost(body, LOST) is None
