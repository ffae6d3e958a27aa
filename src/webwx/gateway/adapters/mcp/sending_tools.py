"""The tools that change something: sends, recalls, and marks of chats as read."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from typing import TYPE_CHECKING

from webwx.errors import UnknownContact, WxError
from webwx.gateway.adapters.confirmation import CONFIRMATION_KEYS
from webwx.gateway.adapters.mcp.agent import time_text
from webwx.gateway.adapters.mcp.failures import ToolRefused
from webwx.gateway.adapters.mcp.served_account import AgentFile, AgentForward, AgentText
from webwx.gateway.adapters.mcp.short_texts import named_chat, short_text
from webwx.gateway.adapters.mcp.tool_values import FoundSend, ReadMark, RecallReceipt
from webwx.gateway.problems import GatewayProblem
from webwx.model.mentions import mention_members
from webwx.model.messages import Event, Message, MessageRecalled
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.gateway.adapters.confirmation import Confirmation
    from webwx.gateway.adapters.mcp.agent import Agent, ReachedChat
    from webwx.gateway.adapters.mcp.tool_values import (
        FindSendInput,
        ForwardMessageInput,
        ForwardRecalledInput,
        FoundState,
        MarkReadInput,
        RecallMessageInput,
        ReplyInput,
        SendFileInput,
        SendReceipt,
        SendTextInput,
    )
    from webwx.representations.programs import ConfirmationState

MOST_FILE_BYTES = 20 * 1024 * 1024
"""Maximum size of a file in an argument."""

_SHOWN = 1_000
"""Maximum number of characters of the text that `find_send` returns."""

_NO_MEMBER = "\0"
"""An id that no member of a chatroom has."""

_RECALLS = 200
"""Number of recalls of a chat among which a recalled message is looked for."""


async def send_text(agent: Agent, args: SendTextInput) -> SendReceipt:
    """Send a text."""
    to, text = await agent.written(args.chat), args.text
    if args.mention:
        chatroom = await agent.client.find_contact(to.to)
        text = mention_members(chatroom, [await _member(agent, each) for each in args.mention]) + text
    return await _send_text(agent, "send_text", to, text, agent.key_of(args.idempotency_key))


async def _member(agent: Agent, which: str | int) -> str:
    """Return a name as it is, and for a number the id in the newest login, or an id that no member has."""
    if isinstance(which, str):
        return which
    with contextlib.suppress(UnknownContact):
        return (await agent.client.who(which)).contact_id or _NO_MEMBER
    return _NO_MEMBER


async def _send_text(agent: Agent, tool: str, to: ReachedChat, text: str, key: str) -> SendReceipt:
    return await agent.send(tool, to, key, AgentText(text))


async def _send_caption(agent: Agent, to: ReachedChat, text: str, key: str) -> SendReceipt:
    return await agent.send("send_file", to, f"{key}-caption", AgentText(text), is_accepted=True)


async def send_file(agent: Agent, args: SendFileInput) -> SendReceipt:
    """Send a file, and then its caption."""
    to = await agent.written(args.chat)
    if bool(args.data) == bool(args.path):
        raise ToolRefused("Pass either `data` or `path`.")
    content = _decoded(args.data) if args.data else await asyncio.to_thread(_allowed_file, agent.files, args.path)
    key = agent.key_of(args.idempotency_key)
    receipt = await agent.send("send_file", to, key, AgentFile(content, args.name, args.caption))
    if args.caption:
        try:
            await _send_caption(agent, to, args.caption, key)
        except (WxError, GatewayProblem) as error:
            raise ToolRefused(
                f"The file was sent, but its caption may be missing: {error}", code="caption", outcome="unknown"
            ) from None
    return receipt


def _decoded(data: str) -> bytes:
    if len(data) > MOST_FILE_BYTES * 4 // 3 + 4:
        raise ToolRefused("A file in `data` has at most 20 MiB.", code="too-large")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise ToolRefused("`data` is not base64.") from None


def _allowed_file(folder: Path | None, path: str) -> Path:
    """
    Return the path of a file below the allowed folder, without links that lead out of it.

    Raises:
        ToolRefused: No folder is allowed, or it has no such file.
    """
    if folder is None:
        raise ToolRefused(
            "The owner has allowed no folder, so pass the content as `data`; 'webwx mcp --files DIR' allows one.",
            code="no-folder", outcome="not_allowed",
        )  # fmt: skip
    root = folder.resolve()
    try:
        found = (root / path).resolve()
        is_inside = found.is_relative_to(root) and found.is_file()
    except (OSError, ValueError):
        is_inside = False
    if not is_inside:
        raise ToolRefused("There is no such file in the folder that the owner has allowed.", code="no-such-file")
    return found


async def reply(agent: Agent, args: ReplyInput) -> SendReceipt:
    """Send a text into the chat of a message."""
    found = await agent.message(args.message_id)
    to = await _chat_of(agent, found)
    return await _send_text(agent, "reply", to, args.text, agent.key_of(args.idempotency_key))


async def _chat_of(agent: Agent, found: Event | Outgoing) -> ReachedChat:
    """Return the chat of a message that the agent sees, if it may write to it."""
    chat = str(getattr(found, "chat", ""))
    (await agent.allowed()).require_write(chat)
    named = await agent.named(chat)
    return await agent.written(named.number or chat)


async def forward_message(agent: Agent, args: ForwardMessageInput) -> SendReceipt:
    """Forward a message that the agent sees to a chat to which it may write."""
    found = await agent.message(args.message_id)
    if not isinstance(found, Event):
        raise ToolRefused("This send has not come back from the platform yet, so it cannot be forwarded.")
    return await _forward(agent, "forward_message", found, args.chat, args.idempotency_key)


async def forward_recalled(agent: Agent, args: ForwardRecalledInput) -> SendReceipt:
    """Forward a recalled message that the agent sees to a chat to which it may write."""
    found = await agent.message(args.message_id)
    if isinstance(found, Event) and not isinstance(found, MessageRecalled):
        recalled = await agent.client.list_recalled(found.chat, limit=_RECALLS)
        found = next((each.notice for each in recalled if each.notice.message_id == args.message_id), found)
    if not isinstance(found, MessageRecalled):
        raise ToolRefused("This message was not recalled; forward_message forwards it.", code="not-recalled")
    return await _forward(agent, "forward_recalled", found, args.chat, args.idempotency_key)


async def _forward(agent: Agent, tool: str, event: Event, chat: str | int, idempotency_key: str) -> SendReceipt:
    to, key = await agent.written(chat), agent.key_of(idempotency_key)
    (await agent.allowed()).require_forward(str(getattr(event, "chat", "")), to.id)
    return await agent.send(tool, to, key, AgentForward(event))


async def recall_message(agent: Agent, args: RecallMessageInput) -> RecallReceipt:
    """Recall a message that the agent has sent."""
    found = await agent.message(args.message_id)
    (await agent.allowed()).require_recall(found.chat)
    row = await agent.client.find_send(message_id=args.message_id)
    if row is not None and (row.key.startswith(CONFIRMATION_KEYS) or await agent.is_question(row)):
        raise ToolRefused("This message asks the owner, so it stays.", code="not-own")
    target: Message | Outgoing | None = row
    if row is None and isinstance(found, Message) and found.is_self:
        if not agent.options.manage:
            raise ToolRefused(
                "The owner allows only recalls of messages that were sent with webwx.", code="manage",
                outcome="not_allowed",
            )  # fmt: skip
        target = found
    if target is None:
        raise ToolRefused("Only a message of this account can be recalled.", code="not-own")
    client = await agent.account.owned()
    await agent.audited("recall_message", await agent.named(found.chat), client.recall(target))
    return RecallReceipt(message_id=args.message_id)


async def mark_read(agent: Agent, args: MarkReadInput) -> ReadMark:
    """Mark a chat as read on the phone of the owner."""
    target = await agent.seen(args.chat)
    if not agent.options.manage:
        raise ToolRefused(
            "The owner has not allowed this; 'webwx mcp --manage' does.", code="manage", outcome="not_allowed"
        )  # fmt: skip
    client = await agent.account.owned()
    await agent.audited("mark_read", target.chat, client.mark_read(target.to))
    return ReadMark(chat=target.chat)


async def find_send(agent: Agent, args: FindSendInput) -> FoundSend:
    """Return what became of a send."""
    if bool(args.idempotency_key) == bool(args.message_id):
        raise ToolRefused("Pass either `idempotency_key` or `message_id`.")
    if args.message_id:
        row = await agent.client.find_send(message_id=args.message_id)
    else:
        row = await agent.client.find_send(key=agent.key_of(args.idempotency_key))
    if row is None and args.idempotency_key:
        question = await agent.question(agent.key_of(args.idempotency_key))
        if question is not None:
            return _asked(question)
    allowed = await agent.allowed()
    # A client of a gateway gets no keys; a row that was found by a key of the agent has it.
    is_own = row is not None and (bool(args.idempotency_key) or agent.is_own_key(row.key))
    if row is None or not (allowed.sees(row.chat) or (is_own and allowed.writes(row.chat))):
        raise ToolRefused(
            "No send is stored with this key or id, so nothing was sent under it.", code="not-found",
            is_hidden=row is not None,
        )  # fmt: skip
    return FoundSend(
        state=row.state, message_id="" if row.receipt is None else row.receipt.message_id,
        to=await agent.named(row.chat), kind=row.kind, text=short_text(row.text, _SHOWN),
        time=time_text(row.changed_at),
    )  # fmt: skip


_STATES: dict[ConfirmationState, FoundState] = {
    "preparing": "waiting_for_owner", "waiting": "waiting_for_owner", "refused": "refused_by_owner",
    "expired": "expired", "accepted": "queued", "failed": "failed", "made": "unknown",
}  # fmt: skip
"""States of a send about which the owner was asked and that the outbox does not have."""


def _asked(question: Confirmation) -> FoundSend:
    """Return a send about which the owner was asked, to the recipient as it was asked."""
    number = question.to if isinstance(question.to, int) else 0
    return FoundSend(
        state=_STATES[question.state], message_id="", kind=question.kind,
        to=named_chat(number, question.name, "chatroom" if question.is_group else "person"),
        text=short_text(question.file or question.text, _SHOWN),
        time=time_text(question.asked_at or question.created_at),
    )  # fmt: skip
