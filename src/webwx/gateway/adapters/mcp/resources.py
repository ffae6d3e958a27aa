"""Resources: the account, its chats with their last messages, single messages, and media."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote, urlsplit

import msgspec

from webwx.errors import InvalidRequest, WxError
from webwx.gateway.adapters.mcp import media_tool, reading_tools
from webwx.gateway.adapters.mcp.failures import ToolRefused, refusal_of
from webwx.gateway.adapters.mcp.short_texts import short_text
from webwx.gateway.adapters.mcp.tool_values import (
    AgentStatusInput,
    ByOthers,
    GetMessageInput,
    ListChatsInput,
    ReadMessagesInput,
)
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from webwx.gateway.adapters.mcp.agent import Agent

RESOURCE_ERRORS = (WxError, GatewayProblem)
"""What a resource may raise beside `ToolRefused`."""

_LISTED = 20
"""Number of chats that the list of resources has."""

_MESSAGES = 50
"""Number of messages of a chat."""

_JSON = "application/json"
_TEXT = "text/plain"


class ListedResource(NamedTuple):
    """A resource or a template, as clients list it."""

    uri: str
    name: str
    title: str
    mime: str


class ReadResource(NamedTuple):
    """The content of a resource."""

    uri: str
    mime: str
    content: str | bytes


def _base(agent: Agent) -> str:
    return f"wx://{quote(agent.account.name, safe='')}"


async def list_resources(agent: Agent) -> list[ListedResource]:
    """Return the account, the list of chats, and the chats with the newest messages among those that it may read."""
    base = _base(agent)
    return [
        ListedResource("wx://accounts", "accounts", "Login and limits", _JSON),
        ListedResource(f"{base}/chats", "chats", "Chats", _JSON),
        *(
            ListedResource(
                chat_uri(agent, chat.number),
                f"chat-{chat.number or 'filehelper'}",
                chat.name,
                "text/plain",
            )
            for chat in await reading_tools.newest_chats(agent, _LISTED)
        ),
    ]


def templates(agent: Agent) -> list[ListedResource]:
    """Return the templates of addresses."""
    base = _base(agent)
    return [
        ListedResource(f"{base}/chat/{{number}}", "chat", "The last messages of a chat", "text/plain"),
        ListedResource(f"{base}/message/{{id}}", "message", "A message", _JSON),
        ListedResource(f"{base}/media/{{id}}", "media", "The media of a message", ""),
    ]


async def read_resource(agent: Agent, uri: str) -> ReadResource:
    """
    Return the content of a resource that the agent may see.

    Raises:
        ToolRefused: There is no such resource, or the agent does not see it.
    """
    if uri == "wx://accounts":
        return _json(uri, await reading_tools.login_status(agent, AgentStatusInput()))
    kind, which = _parts(agent, uri)
    try:
        match kind:
            case "chats" if not which:
                return _json(uri, await reading_tools.list_chats(agent, ListChatsInput(limit=200)))
            case "chat" if which:
                return ReadResource(uri, _TEXT, await _chat_text(agent, which))
            case "message" if which:
                return _json(uri, await reading_tools.get_message(agent, GetMessageInput(message_id=which)))
            case "media" if which:
                file = await media_tool.read_media(agent, which)
                return ReadResource(uri, file.mime, file.content or b"")
            case _:
                pass
    except InvalidRequest as error:
        raise await _refused(agent, "read_resource", error) from None
    raise _no_such_resource()


async def read_chat(agent: Agent, chat: str, *, since: str = "") -> ReadResource:
    """
    Return the resource of a chat by its number or name, as a prompt embeds it.

    Args:
        agent: The agent.
        chat: Number or exact name of the chat.
        since: Earliest time of its messages (RFC 3339); empty for no limit.

    Raises:
        ToolRefused: The agent does not see such a chat, or the time is not valid.
    """
    try:
        uri = chat_uri(agent, (await agent.seen(chat)).chat.number)
        return ReadResource(uri, _TEXT, await _chat_text(agent, chat, since=since))
    except InvalidRequest as error:
        raise await _refused(agent, "get_prompt", error) from None


async def _refused(agent: Agent, action: str, error: InvalidRequest) -> ToolRefused:
    """Return the error for what cannot be read, and note it if the owner has not allowed it."""
    if refusal := refusal_of(error):
        await agent.note_refusal(action, refusal, may_repeat=True)
    return ToolRefused(short_text(str(error)))


def chat_uri(agent: Agent, number: int) -> str:
    """Return the address of a chat by its number; 0 is File Transfer Helper."""
    return f"{_base(agent)}/chat/{number or 'filehelper'}"


def chat_in(agent: Agent, uri: str) -> str:
    """Return the chat of an address as it is written there; empty if it is not the address of a chat."""
    kind, which = _parts(agent, uri)
    return which if kind == "chat" else ""


def _parts(agent: Agent, uri: str) -> tuple[str, str]:
    """Return the kind and the name of a resource of the account; empty texts for another address."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "", ""
    if parts.scheme != "wx" or unquote(parts.netloc) != agent.account.name:
        return "", ""
    kind, _, which = parts.path.lstrip("/").partition("/")
    return kind, unquote(which)


def _no_such_resource() -> ToolRefused:
    return ToolRefused("There is no such resource among those that you may read.", code="not-found")


async def _chat_text(agent: Agent, chat: str, *, since: str = "") -> str:
    """Return the last messages of a chat as text: one JSON object on each line, the oldest first."""
    rows = await reading_tools.read_messages(agent, ReadMessagesInput(chat=chat, limit=_MESSAGES, since=since))
    lines = [msgspec.json.encode(each).decode() for each in reversed(rows.messages)]
    return "\n".join([ByOthers, *lines])


def _json(uri: str, value: msgspec.Struct) -> ReadResource:
    return ReadResource(uri, _JSON, msgspec.json.encode(value).decode())
