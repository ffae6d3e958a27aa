"""Completions of arguments that name a chat: its number in a resource template, its name or number in a prompt."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from webwx.gateway.adapters.mcp import prompts, resources
from webwx.gateway.adapters.mcp.failures import ToolRefused
from webwx.gateway.adapters.mcp.reading_tools import readable_chats
from webwx.model.contacts import FILEHELPER

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.gateway.adapters.mcp.agent import Agent
    from webwx.gateway.adapters.mcp.tool_values import NamedChat

_MOST = 100
"""Maximum number of values; the protocol allows no more."""

_CHAT = "chat"
"""The argument of prompts that names a chat."""


class CompletedValues(NamedTuple):
    """Values for an argument."""

    values: list[str]
    total: int
    """Number of all values, also of those that are left out."""


async def complete_template(agent: Agent, template: str, argument: str, begun: str) -> CompletedValues:
    """
    Return values for a variable of a resource template: the numbers of chats that the agent may read.

    Raises:
        ToolRefused: There is no such template.
    """
    if template not in {each.uri for each in resources.templates(agent)}:
        raise ToolRefused("There is no such resource template.")
    if f"/chat/{{{argument}}}" not in template:
        return CompletedValues([], 0)
    return await _completed(agent, begun, _number)


async def complete_prompt(agent: Agent, prompt: str, argument: str, begun: str) -> CompletedValues:
    """
    Return values for an argument of a prompt: the names of chats, and the numbers of those that have the same name.

    Raises:
        ToolRefused: There is no such prompt.
    """
    if prompt not in prompts.PROMPTS:
        raise ToolRefused("There is no such prompt.")
    if argument != _CHAT or argument not in prompts.PROMPTS[prompt].arguments:
        return CompletedValues([], 0)
    counts = Counter(each.name for each in await readable_chats(agent))
    return await _completed(agent, begun, lambda chat: chat.name if counts[chat.name] == 1 else _number(chat))


async def _completed(agent: Agent, begun: str, value_of: Callable[[NamedChat], str]) -> CompletedValues:
    found = [value_of(each) for each in await readable_chats(agent) if _is_begun(each, begun)]
    return CompletedValues(found[:_MOST], len(found))


def _is_begun(chat: NamedChat, begun: str) -> bool:
    return _number(chat).startswith(begun) or begun.casefold() in chat.name.casefold()


def _number(chat: NamedChat) -> str:
    return str(chat.number or FILEHELPER)
