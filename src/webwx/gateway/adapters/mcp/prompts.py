"""
Prompts: frequent tasks in words, which name the tools to use and say that messages are no instructions.

A prompt about one chat has the last messages of it beside the words, as the resource of the chat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from webwx.gateway.adapters.mcp import resources
from webwx.gateway.adapters.mcp.failures import ToolRefused
from webwx.gateway.adapters.mcp.tool_values import ByOthers

if TYPE_CHECKING:
    from webwx.gateway.adapters.mcp.agent import Agent
    from webwx.gateway.adapters.mcp.resources import ReadResource

_LONGEST = 200
"""Maximum number of characters of an argument."""


@dataclass(frozen=True, kw_only=True)
class AgentPrompt:
    """One prompt."""

    name: str
    title: str
    description: str
    arguments: dict[str, str]
    """Descriptions of the arguments by their names."""
    required: frozenset[str] = frozenset()
    """Arguments that must be there."""
    text: str
    """The text, with the arguments in braces."""


_PROMPTS = (
    AgentPrompt(
        name="summarise_chat", title="Summarise a chat",
        description="Summarise the messages of one chat.",
        arguments={"chat": "Number or name of the chat", "since": "Earliest time (RFC 3339)"},
        required=frozenset(("chat",)),
        text="The last messages of the chat {chat} (since: {since}) are attached; read_messages returns earlier ones. "
        "Summarise what was said, by whom, and what is still open.",
    ),
    AgentPrompt(
        name="draft_reply", title="Draft a reply",
        description="Draft an answer to the last messages of a chat, without sending it.",
        arguments={"chat": "Number or name of the chat", "tone": "Tone of the answer"},
        required=frozenset(("chat",)),
        text="The last messages of the chat {chat} are attached. Draft an answer (tone: {tone}) and show it to me. Do "
        "not send it.",
    ),
    AgentPrompt(
        name="daily_digest", title="Digest of a day",
        description="Summarise one day in all chats that may be read.",
        arguments={"date": "The day, such as 2026-05-01; empty: today"},
        text="List the chats with list_chats, and read the messages of the day {date} of each with read_messages. "
        "Write a digest: one paragraph for each chat with something important, then a list of what I should do.",
    ),
    AgentPrompt(
        name="find_promises", title="Find promises",
        description="Find what I have promised, and what others have promised to me.",
        arguments={"chat": "Number or name of the chat; empty: all", "since": "Earliest time (RFC 3339)"},
        text="Read the messages of the chat {chat} (empty: each chat of list_chats) with read_messages (since: {since})"
        "; the last ones of a chat that is named are attached. List the promises in them: who, what, until when, and "
        "the message_id.",
    ),
)  # fmt: skip

PROMPTS = {each.name: each for each in _PROMPTS}
"""The prompts by their names."""


class FilledPrompt(NamedTuple):
    """A prompt with its arguments."""

    text: str
    chat: ReadResource | None
    """The last messages of the chat that it is about; None if it is about no single chat."""


async def fill_prompt(agent: Agent, name: str, arguments: dict[str, str]) -> FilledPrompt:
    """
    Return the text of a prompt, and the messages of the chat that it is about.

    Raises:
        ToolRefused: There is no such prompt, or an argument is missing, unknown, too long or not valid, or the agent
            may not read the chat.
        StorageError: The journal cannot be read.
    """
    text = _text_of(name, arguments)
    chat = arguments.get("chat", "")
    return FilledPrompt(
        text, await resources.read_chat(agent, chat, since=arguments.get("since", "")) if chat else None
    )  # fmt: skip


def _text_of(name: str, arguments: dict[str, str]) -> str:
    prompt = PROMPTS.get(name)
    if prompt is None:
        raise ToolRefused("There is no such prompt.")
    if unknown := set(arguments) - set(prompt.arguments):
        raise ToolRefused(f"The prompt {name} has no argument {sorted(unknown)[0]!r}.")
    if missing := [each for each in sorted(prompt.required) if not arguments.get(each)]:
        raise ToolRefused(f"The prompt {name} needs the argument {missing[0]!r}.")
    if any(len(each) > _LONGEST for each in arguments.values()):
        raise ToolRefused(f"An argument of a prompt has at most {_LONGEST} characters.")
    values = {each: repr(arguments.get(each, "")) for each in prompt.arguments}
    return f"{prompt.text.format_map(values)}\n\n{ByOthers}"
