"""Prompts: frequent tasks in words, which name the tools to use and say that messages are no instructions."""

from __future__ import annotations

from dataclasses import dataclass

from webwx.gateway.adapters.mcp.failures import ToolRefused
from webwx.gateway.adapters.mcp.tool_values import ByOthers

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
        text="Read the messages of the chat {chat} with read_messages (since: {since}). Summarise what was said, by "
        "whom, and what is still open.",
    ),
    AgentPrompt(
        name="draft_reply", title="Draft a reply",
        description="Draft an answer to the last messages of a chat, without sending it.",
        arguments={"chat": "Number or name of the chat", "tone": "Tone of the answer"},
        required=frozenset(("chat",)),
        text="Read the last messages of the chat {chat} with read_messages. Draft an answer (tone: {tone}) and show it "
        "to me. Do not send it.",
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
        ". List the promises in them: who, what, until when, and the message_id.",
    ),
)  # fmt: skip

PROMPTS = {each.name: each for each in _PROMPTS}
"""The prompts by their names."""


def text_of(name: str, arguments: dict[str, str]) -> str:
    """
    Return the text of a prompt.

    Raises:
        ToolRefused: There is no such prompt, or an argument is missing, unknown or too long.
    """
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
