"""
Questions to the person at the agent's client (elicitation in form mode), and their answers.

A client of the modern era gets a question instead of a result, with a sealed state that it sends back with the answer.
The state is sealed with a key of all nodes, and bound to the program, the tool, its arguments and ten minutes; it holds
the key of the send, so a second call with it finds the send of the first one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import mcp_types as types
import msgspec
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity

from webwx.gateway.adapters.confirmation import LIFE
from webwx.gateway.shared_keys import shared_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mcp.server.context import ServerRequestContext

    from webwx.gateway.adapters.mcp.agent import Agent
    from webwx.gateway.adapters.mcp.owner_consent import ClientMustAsk
    from webwx.storage.tables.records import RecordStore

    Context = ServerRequestContext[Any]

_KIND = "mcp/state-key"

_MODERN = "2026-07-28"
"""The first version of the protocol in which a result may be a question."""

_QUESTION = "consent"
"""Name of the question in a result, and of its answer."""

_FORM: dict[str, object] = {
    "type": "object",
    "properties": {"ok": {"type": "boolean", "title": "Send it", "description": "Whether this may be sent"}},
    "required": ["ok"],
}


class AskedSend(msgspec.Struct, frozen=True):
    """The state of a call that waits for an answer."""

    key: str
    """Key of the send in the outbox."""

    def __repr__(self) -> str:
        return "AskedSend(***)"


async def state_key(records: RecordStore, time: float) -> bytes:
    """Return the key that seals states, which is the same at all nodes."""
    return await shared_key(records, _KIND, time)


def sealing(key: bytes, agent_of: Callable[[Context], Agent]) -> RequestStateBoundary:
    """Return what seals and opens the states of all requests, each for one program."""

    def program_of(context: Context) -> str:
        consent = agent_of(context).consent
        return "" if consent is None else consent.program_id

    security = RequestStateSecurity(keys=[key], ttl=LIFE, bind_principal=program_of)
    return RequestStateBoundary(security, default_audience="webwx")


def can_ask(context: Context) -> bool:
    """Return whether the client of a request can ask the person there."""
    capabilities = context.session.client_capabilities
    elicitation = None if capabilities is None else capabilities.elicitation
    has_form = elicitation is not None and (elicitation.form is not None or elicitation.url is None)
    return context.protocol_version >= _MODERN and has_form


def asked(question: ClientMustAsk) -> types.InputRequiredResult:
    """Return the result that makes the client ask."""
    params = types.ElicitRequestFormParams(message=question.question, requested_schema=_FORM)
    state = msgspec.json.encode(AskedSend(question.key)).decode()
    return types.InputRequiredResult(
        input_requests={_QUESTION: types.ElicitRequest(params=params)}, request_state=state
    )  # fmt: skip


async def take_answer(agent: Agent, params: types.CallToolRequestParams) -> str:
    """
    Store the answer with which a client repeats its call, if it has one.

    Args:
        agent: The agent.
        params: The call; its state is opened, so this server has made it.

    Returns:
        The key of the send that the call is about; empty if the call is not repeated.
    """
    if params.request_state is None or agent.consent is None:
        return ""
    state = msgspec.json.decode(params.request_state, type=AskedSend)
    answer = (params.input_responses or {}).get(_QUESTION)
    if isinstance(answer, types.ElicitResult):
        is_yes = answer.action == "accept" and (answer.content or {}).get("ok") is True
        await agent.consent.answer(state.key, is_yes=is_yes)
    return state.key
