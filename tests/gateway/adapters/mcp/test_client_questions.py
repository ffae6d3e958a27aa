"""Consent that the agent's client asks for: with a sealed state that is spent once, in the modern era."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from tests.gateway.adapters.conftest import created, port_of
from tests.gateway.adapters.mcp.test_adapter import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.conftest import Running

SEND = {"chat": "Boss", "text": "hello"}

YES = types.ElicitResult(action="accept", content={"ok": True})


async def token_of(running: Running) -> str:
    """Create a program whose client asks before sends to people, and return its token."""
    made = await created(running, adapter="mcp", see=["*"], write=["*"], options={"confirm": "client"})
    return str(made["token"])


@contextlib.asynccontextmanager
async def person(place: str, token: str, answer: types.ElicitResult, asked: list[str]) -> AsyncIterator[Client]:
    """Return a client at which a person gives an answer to each question."""

    async def ask(context: Any, params: Any) -> types.ElicitResult:
        del context
        asked.append(params.message)
        return answer

    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(streamable_http_client(f"http://{place}/mcp", http_client=http), elicitation_callback=ask) as client,
    ):
        yield client


def received(running: Running) -> list[str]:
    """Return what Boss has got."""
    chat = running.world.inbox("lilei").get("xiaoming")
    return [] if chat is None else [each.text for each in chat.messages]


async def test_the_person_at_the_client_decides(online: Running) -> None:
    token, asked = await token_of(online), list[str]()
    async with port_of(online) as place:
        async with person(place, token, types.ElicitResult(action="decline"), asked) as client:
            refused = await client.call_tool("send_text", SEND)
            assert refused.structured_content is not None
            assert (refused.is_error, refused.structured_content["code"]) == (True, "refused-by-owner")
        async with person(place, token, YES, asked) as client:
            sent = await client.call_tool("send_text", SEND)
            assert sent.structured_content is not None
            assert sent.structured_content["state"] == "sent"
            helper = await client.call_tool("send_text", {"text": "for me"})  # this chat needs no consent
            assert not helper.is_error
        for mode in ("auto", "legacy"):  # these clients cannot ask
            async with connected(place, token, mode) as client:
                refused = await client.call_tool("send_text", SEND)
                assert refused.structured_content is not None
                assert refused.structured_content["outcome"] == "not_allowed"
    assert len(asked) == 2
    assert asked[0].startswith("Send to the person 'Boss' (number ")
    assert asked[0].endswith("\n\nhello")
    assert received(online) == ["hello"]


async def test_a_state_is_spent_once_and_bound_to_its_call(online: Running) -> None:
    token, other = await token_of(online), await token_of(online)
    async with port_of(online) as place:
        async with person(place, token, YES, []) as client:
            session = client.session

            async def call(state: str | None, answer: types.ElicitResult, **changed: Any) -> Any:
                return await session.call_tool(
                    "send_text", {**SEND, **changed}, input_responses={"consent": answer}, request_state=state,
                    allow_input_required=True,
                )  # fmt: skip

            question = await session.call_tool("send_text", SEND, allow_input_required=True)
            assert isinstance(question, types.InputRequiredResult)
            assert question.request_state is not None
            state = question.request_state
            for wrong in (state[:-2] + ("AA" if state[-2:] != "AA" else "BB"), "", "v1.AAAA"):
                with pytest.raises(MCPError, match="Invalid or expired requestState"):
                    await call(wrong, YES)
            with pytest.raises(MCPError, match="Invalid or expired requestState"):
                await call(state, YES, text="harmful")
            assert isinstance(await call(None, YES), types.InputRequiredResult)  # an answer to no question
            assert received(online) == []
            first, again = await call(state, YES), await call(state, YES)
            assert first.structured_content["message_id"] == again.structured_content["message_id"]
            declined = await session.call_tool("send_text", SEND, allow_input_required=True)
            assert isinstance(declined, types.InputRequiredResult)
            for answer in (types.ElicitResult(action="cancel"), YES):  # the first answer counts
                refused = await call(declined.request_state, answer)
                assert refused.structured_content["code"] == "refused-by-owner"
        async with person(place, other, YES, []) as client:
            with pytest.raises(MCPError, match="Invalid or expired requestState"):
                await client.session.call_tool(
                    "send_text", SEND, input_responses={"consent": YES}, request_state=state
                )  # fmt: skip
    assert received(online) == ["hello"]
