"""
Answers to messages whose answer was lost with the node that runs the account, or that no node could take.

The node that the client has called makes them from the message alone, in the form of the protocol: a result of a tool
that is no success, and an error for everything else. A message that is not known gets an error without an id, with the
HTTP status of the failure: clients take it for the answer to their request.
"""

from __future__ import annotations

from typing import Any

import msgspec

from webwx.errors import SendOutcomeUnknown, WxError
from webwx.gateway.adapters.adapter import AnswerToLost
from webwx.gateway.adapters.mcp.failures import failure_of
from webwx.gateway.adapters.mcp.tool_table import TOOLS
from webwx.gateway.adapters.mcp.tool_values import ToolFailure
from webwx.gateway.problems import GatewayProblem, answer_of

_CALL = "tools/call"

_INTERNAL = -32603
"""JSON-RPC: the message was valid, and the server could not answer it."""

_LOST = "The gateway that runs the account was lost during this call."

_MAY_BE_DONE = "It may have been done; do not send it again, and ask find_send or look at the chat."


class _Params(msgspec.Struct, frozen=True):
    name: str = ""
    arguments: dict[str, Any] | None = None


class _LostMessage(msgspec.Struct, frozen=True):
    """A JSON-RPC message, as far as the answer needs it."""

    method: str
    id: int | str
    params: _Params = _Params()


def answer_to_lost(body: bytes | None, error: WxError | GatewayProblem) -> AnswerToLost | None:
    """
    Return the answer to a request; None for a notification, which has no answer.

    Args:
        body: The message, as JSON, perhaps without its long texts; None: it is too long even so.
        error: Why there is no answer; `SendOutcomeUnknown` if the message may have been acted upon.
    """
    try:
        message = msgspec.json.decode(body or b"", type=_LostMessage)
    except msgspec.ValidationError:
        return None
    except msgspec.DecodeError:
        return _to_unknown_message(error)
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message.id}
    if message.method == _CALL and message.params.name in TOOLS:
        failure = _failure_of(message.params, error)
        content = [{"type": "text", "text": msgspec.json.encode(failure).decode()}]
        answer["result"] = {
            "resultType": "complete", "content": content, "structuredContent": failure, "isError": True,
        }  # fmt: skip
    else:
        text = f"{_LOST} Repeat it." if isinstance(error, SendOutcomeUnknown) else str(error)
        answer["error"] = {"code": _INTERNAL, "message": text}
    return AnswerToLost(msgspec.json.encode(answer))


def _to_unknown_message(error: WxError | GatewayProblem) -> AnswerToLost:
    text = f"{_LOST} {_MAY_BE_DONE}" if isinstance(error, SendOutcomeUnknown) else str(error)
    answer = {"jsonrpc": "2.0", "id": None, "error": {"code": _INTERNAL, "message": text}}
    return AnswerToLost(msgspec.json.encode(answer), answer_of(error).content.status)


def _failure_of(params: _Params, error: WxError | GatewayProblem) -> ToolFailure:
    tool = TOOLS[params.name]
    given = (params.arguments or {}).get("idempotency_key", "") if tool.takes_key else ""
    key = given if isinstance(given, str) else ""
    if not isinstance(error, SendOutcomeUnknown):
        return failure_of(error, key)
    if tool.is_read_only:
        return ToolFailure(outcome="unavailable", code="owner-lost", message=f"{_LOST} Nothing was changed; repeat it.")
    text = f"{_LOST} It has no idempotency_key for find_send." if tool.takes_key and not key else _LOST
    return failure_of(SendOutcomeUnknown(text), key)
