"""Completions: a client completes the chats that the agent may read, and no others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from webwx.gateway.adapters.mcp import completions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gateway.adapters.mcp.conftest import MakeAgent

CHAT = ResourceTemplateReference(uri="wx://default/chat/{number}")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_numbers_and_names_of_readable_chats_are_completed(
    make_agent: MakeAgent, number_of: Callable[[str], Any], mode: str
) -> None:
    boss, hua = await number_of("Boss"), await number_of("阿华")
    here = make_agent(see=("filehelper", boss))
    async with here.mcp(mode) as client:

        async def values(ref: Any, name: str, value: str) -> list[str]:
            made = (await client.complete(ref, {"name": name, "value": value})).completion
            assert (made.total, made.has_more) == (len(made.values), False)
            return made.values

        assert await values(CHAT, "number", "") == ["filehelper", str(boss)]
        assert await values(CHAT, "number", str(boss)[:2]) == [str(boss)]
        assert await values(CHAT, "number", "bos") == [str(boss)]
        assert await values(CHAT, "number", str(hua)) == []
        assert await values(CHAT, "id", "") == []
        prompt = PromptReference(name="draft_reply")
        assert await values(prompt, "chat", "b") == ["Boss"]
        assert await values(prompt, "tone", "b") == []
        assert await values(PromptReference(name="daily_digest"), "chat", "") == []
        for unknown in (PromptReference(name="x"), ResourceTemplateReference(uri="wx://other/chat/{number}")):
            with pytest.raises(MCPError) as error:
                await client.complete(unknown, {"name": "number", "value": ""})
            assert error.value.error.code == -32602


async def test_at_most_a_hundred_values_are_returned_and_the_rest_is_counted(
    make_agent: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = make_agent(see=("*",))
    monkeypatch.setattr(completions, "_MOST", 2)
    async with here.mcp() as client:
        made = (await client.complete(CHAT, {"name": "number", "value": ""})).completion
    assert (len(made.values), made.has_more) == (2, True)
    assert (made.total or 0) > 2


async def test_a_prompt_completes_numbers_of_chats_with_the_same_name(
    make_agent: MakeAgent, number_of: Callable[[str], Any]
) -> None:
    boss, hua = await number_of("Boss"), await number_of("阿华")
    here = make_agent(see=(boss, hua))
    assert (await completions.complete_prompt(here.agent, "draft_reply", "chat", "")).values == ["阿华", "Boss"]
    here.world.change_profile("ahua", nickname="Boss")
    await here.hear("ahua", "I have a new name")
    while (await here.client.who(hua)).name != "Boss":  # noqa: ASYNC110 - no event is awaited here
        await asyncio.sleep(0.01)
    found = set((await completions.complete_prompt(here.agent, "draft_reply", "chat", "")).values)
    assert found == {str(boss), str(hua)}
