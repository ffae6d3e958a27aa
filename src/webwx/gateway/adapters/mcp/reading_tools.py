"""The tools that read: the login, chats, members, messages, media and recalls."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.errors import InvalidRequest, LocalStateError, LoggedOut
from webwx.gateway.adapters.mcp.agent import FILEHELPER_CHAT, target_of, time_text
from webwx.gateway.adapters.mcp.failures import ToolRefused
from webwx.gateway.adapters.mcp.page_cursors import read_cursor, read_number, write_cursor
from webwx.gateway.adapters.mcp.short_texts import named_chat, short_name
from webwx.gateway.adapters.mcp.shown_messages import WHOLE_TEXT, MessageViews, fitting, is_of, text_of
from webwx.gateway.adapters.mcp.tool_values import (
    AgentStatus,
    ArrivedMessages,
    ChatRows,
    ListChatsInput,
    ListedChat,
    ListedMember,
    MemberRows,
    MessageRows,
    NamedChat,
    OneMessage,
    RecalledMessage,
    RecalledRows,
)
from webwx.model.contacts import FILEHELPER
from webwx.model.messages import Event, Message
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from webwx.gateway.adapters.mcp.agent import Agent, ReachedChat
    from webwx.gateway.adapters.mcp.tool_values import (
        AgentStatusInput,
        FindContactInput,
        GetMessageInput,
        ListMembersInput,
        ListRecalledInput,
        ReadMessagesInput,
        SearchMessagesInput,
        ShownMessage,
        WaitForMessageInput,
    )
    from webwx.gateway.adapters.permissions import AllowedChat

_ROUNDS = 10
"""Maximum number of pages of the journal that one call reads to find some messages or chats."""

_HALF = 17_000
"""Bytes for one of the two lists of chats in the state of the login."""

_MANY = 50
"""Number of listed chats above which a search reads all chats at once; a cursor has a position for each chat."""

_MEMBERS = 200
"""Number of members of one page."""

_BATCH = 200
"""Number of events that a waiting tool reads at once."""

_MOST_OLDEST = 2_000
"""Maximum number of messages of a chat that are read to find the oldest ones."""

_EVERY = "*"
"""Stands for all chats in a cursor."""


# -- login and chats ---------------------------------------------------------------------------------------------------


async def login_status(agent: Agent, args: AgentStatusInput) -> AgentStatus:  # noqa: ARG001 - every tool has arguments
    """Return the state of the login, and what the agent may do."""
    state, since = await agent.account.state(), await agent.account.since()
    allowed = await agent.allowed()
    nickname, host = "", ""
    with contextlib.suppress(LocalStateError):
        nickname, host = agent.client.account.nickname, agent.client.account.host
    seen, written = _named(allowed.chats), _named(allowed.written_chats)
    see_count, write_count = fitting(seen, _HALF), fitting(written, _HALF)
    return AgentStatus(
        account=agent.account.name, nickname=short_name(nickname), host=host, state=state,
        since=None if since is None else time_text(since),
        can_see=seen[:see_count], sees_every_chat=allowed.sees_every_chat,
        can_write=written[:write_count], writes_every_chat=allowed.writes_every_chat,
        chats_left_out=len(seen) - see_count + len(written) - write_count, sends_left=await agent.budget.left(),
    )  # fmt: skip


def _named(chats: Sequence[AllowedChat]) -> list[NamedChat]:
    return [target_of(each).chat for each in chats]


async def list_chats(agent: Agent, args: ListChatsInput) -> ChatRows:
    """Return the chats that the agent may read."""
    start = read_number(args.cursor) if args.cursor else 0
    found = [
        each
        for each in await readable_chats(agent)
        if args.query.casefold() in each.name.casefold() and args.kind in {"all", each.kind}
    ]
    rows = [await _row(agent, each) for each in found[start : start + args.limit]]
    count = fitting(rows)
    end = start + count
    return ChatRows(chats=rows[:count], next_cursor=write_cursor(end) if rows and end < len(found) else None)


async def find_contact(agent: Agent, args: FindContactInput) -> ChatRows:
    """Return the chats whose name contains a text."""
    return await list_chats(agent, ListChatsInput(query=args.query, limit=args.limit))


async def readable_chats(agent: Agent) -> list[NamedChat]:
    """Return all chats that the agent may read: File Transfer Helper, then by number."""
    allowed = await agent.allowed()
    if not allowed.sees_every_chat:
        return _named(allowed.chats)
    known = [each for each in await agent.client.list_identities() if each.contact_id not in {"", FILEHELPER}]
    known.sort(key=lambda each: each.number)
    return [FILEHELPER_CHAT, *(named_chat(each.number, each.name, each.kind) for each in known)]


async def newest_chats(agent: Agent, count: int) -> list[NamedChat]:
    """Return chats that the agent may read, those with the newest messages first; then others by number."""
    allowed, known = await agent.allowed(), await readable_chats(agent)
    if not allowed.sees_every_chat and len(known) <= _MANY:
        times = {chat.number: await _last_time(agent, chat) or 0 for chat in known}
        return sorted(known, key=lambda chat: -times[chat.number])[:count]
    found: dict[int, NamedChat] = {}
    before: str | None = ""
    for _ in range(_ROUNDS):
        page = await agent.client.history_page(limit=_BATCH, before=before or "")
        for chat in dict.fromkeys(_chat_of(each.entry) for each in page.entries):
            named = await agent.named(chat) if chat and allowed.sees(chat) else None
            if named is not None and (named.number or chat == FILEHELPER):
                found.setdefault(named.number, named)
        before = page.before
        if before is None or len(found) >= count:
            break
    return [*{**found, **{each.number: found.get(each.number, each) for each in known}}.values()][:count]


async def _last_time(agent: Agent, chat: NamedChat) -> float | None:
    """Return the time of the last message of a chat, in seconds since 1970; None for a chat without messages."""
    with contextlib.suppress(InvalidRequest):
        page = await agent.client.history_page(chat.number or FILEHELPER, limit=1)
        return _time_of(page.entries[0].entry) if page.entries else None
    return None


async def _row(agent: Agent, chat: NamedChat) -> ListedChat:
    client, which = agent.client, chat.number or FILEHELPER
    remark, pinned, muted = "", False, False
    with contextlib.suppress(InvalidRequest, LocalStateError):  # it may be a contact of an earlier login
        contact = await client.find_contact(which)
        remark, pinned, muted = short_name(contact.remark), contact.is_pinned, contact.is_muted
    last = await _last_time(agent, chat)
    return ListedChat(
        number=chat.number, name=chat.name, kind=chat.kind, remark=remark, pinned=pinned, muted=muted,
        last_at=None if last is None else time_text(last),
    )  # fmt: skip


async def list_members(agent: Agent, args: ListMembersInput) -> MemberRows:
    """Return the members of a chatroom that the agent may read."""
    start = read_number(args.cursor) if args.cursor else 0
    target = await agent.seen(args.chat)
    contact = await agent.client.find_contact(target.to)
    if contact.kind != "chatroom":
        raise ToolRefused("Only a chatroom has members.", code="not-a-chatroom")
    numbers = {each.contact_id: each.number for each in await agent.client.list_identities()}
    rows = [
        ListedMember(
            number=numbers.get(each.id, 0),
            name=short_name(each.nickname or each.name),
            card=short_name(each.display_name),
        )
        for each in contact.members[start : start + _MEMBERS]
    ]
    end = start + fitting(rows)
    return MemberRows(
        members=rows[: end - start], next_cursor=write_cursor(end) if rows and end < len(contact.members) else None
    )


# -- messages ----------------------------------------------------------------------------------------------------------


class _ReadUntil(NamedTuple):
    """
    The end of a page in a cursor: the highest numbers of its events and sends, and of those of the pages before it.

    Each kind is read in the order of its numbers, so what arrives late, with an earlier time, is still on a later page.
    """

    event: int = 0
    send: int = 0

    def has(self, entry: Event | Outgoing) -> bool:
        """Return whether an entry was on one of the pages."""
        return entry.number <= (self.send if isinstance(entry, Outgoing) else self.event)

    def after(self, entry: Event | Outgoing) -> _ReadUntil:
        """Return the end of a page that has another entry."""
        if isinstance(entry, Outgoing):
            return self._replace(send=max(self.send, entry.number))
        return self._replace(event=max(self.event, entry.number))


class _PlacedView(NamedTuple):
    """A message with the cursor behind it."""

    view: ShownMessage
    cursor: dict[str, str | None]


async def read_messages(agent: Agent, args: ReadMessagesInput) -> MessageRows:
    """Return the messages of one chat, the newest or the oldest first."""
    position = await agent.position()
    target = await agent.seen(args.chat)
    if args.order == "oldest":
        return await _oldest(agent, target, args, position)
    return await _page(
        agent, {_key(target): target}, "", args.since, args.until, args.limit, args.cursor, lambda _: True, position
    )  # fmt: skip


async def _oldest(agent: Agent, target: ReachedChat, args: ReadMessagesInput, position: int) -> MessageRows:
    """
    Return a page of the messages of a chat, the oldest first.

    The journal is read from its end, so this reads all messages of the time.

    Raises:
        ToolRefused: There are too many.
    """
    read = read_cursor(args.cursor, _ReadUntil) if args.cursor else _ReadUntil()
    found = await _all_of(agent, target, _seconds(args.since), _seconds(args.until))
    left = [entry for entry in reversed(found) if not read.has(entry)]
    views = MessageViews(agent)
    shown: list[tuple[int, ShownMessage]] = []
    """Messages, with the number of entries before each."""
    end = len(left)
    for count, entry in enumerate(left):
        if len(shown) >= args.limit:
            end = count
            break
        shown += [(count, view) for view in await views.of([entry])]
    count = fitting([view for _, view in shown])
    if count < len(shown):
        end = shown[count][0]
    for entry in left[:end]:
        read = read.after(entry)
    next_cursor = write_cursor(read) if end < len(left) else None
    return MessageRows(messages=[view for _, view in shown[:count]], next_cursor=next_cursor, position=position)


async def _all_of(agent: Agent, target: ReachedChat, since: float, until: float) -> list[Event | Outgoing]:
    """
    Return all messages of a chat in a time, the newest first.

    Raises:
        ToolRefused: There are too many.
    """
    found: list[Event | Outgoing] = []
    before: str | None = ""
    while before is not None:
        page = await agent.client.history_page(target.to, limit=_BATCH, before=before, since=since, until=until)
        found += [each.entry for each in page.entries]
        before = page.before
        if len(found) > _MOST_OLDEST:
            raise ToolRefused(
                f"The chat has more than {_MOST_OLDEST} messages in this time; limit it with `since` and `until`, or "
                "read the newest first.",
                code="too-many-messages",
            )  # fmt: skip
    return found


async def search_messages(agent: Agent, args: SearchMessagesInput) -> MessageRows:
    """Return the messages that contain all words, in the chats that the agent may read."""
    position = await agent.position()
    return await _page(
        agent, await _searched(agent, args.chat), args.query, args.since, args.until, args.limit, args.cursor,
        lambda view: is_of(view, args.author), position,
    )  # fmt: skip


async def _searched(agent: Agent, chat: str | int | None) -> dict[str, ReachedChat | None]:
    """Return the chats that a query reads, by their keys in a cursor; None: all chats at once."""
    if chat is not None:
        target = await agent.seen(chat)
        return {_key(target): target}
    allowed = await agent.allowed()
    if allowed.sees_every_chat or len(allowed.chats) > _MANY:
        return {_EVERY: None}
    return {_key(target): target for target in map(target_of, allowed.chats)}


def _key(target: ReachedChat) -> str:
    return str(target.to)


async def _page(
    agent: Agent,
    chats: dict[str, ReachedChat] | dict[str, ReachedChat | None],
    words: str,
    since: str,
    until: str,
    limit: int,
    cursor: str,
    is_wanted: Callable[[ShownMessage], bool],
    position: int,
) -> MessageRows:
    """Return a page of the messages of some chats, put in order by their times."""
    after, before, allowed = _seconds(since), _seconds(until), await agent.allowed()
    given = read_cursor(cursor, dict[str, str | None]) if cursor else {}
    places = {key: given.get(key, "") for key in chats}
    shown: list[_PlacedView] = []
    views = MessageViews(agent)
    for _ in range(_ROUNDS):
        pages = {
            key: await agent.client.history_page(
                None if target is None else target.to, words=words, limit=limit, before=places[key] or "",
                since=after, until=before,
            )
            for key, target in chats.items()
            if places[key] is not None
        }  # fmt: skip
        found = [(key, each) for key, page in pages.items() for each in page.entries]
        found.sort(key=lambda each: _time_of(each[1].entry), reverse=True)
        left = {key: len(page.entries) for key, page in pages.items()}
        places |= {key: None for key, count in left.items() if not count}
        for key, each in found:
            left[key] -= 1
            is_last = not left[key] and pages[key].before is None
            places[key] = None if is_last else each.before
            made = await views.of([each.entry] if key != _EVERY or allowed.sees(_chat_of(each.entry)) else [])
            shown += [_PlacedView(view, dict(places)) for view in made if is_wanted(view)]
            if len(shown) >= limit or (not left[key] and not is_last):
                break  # what is older in this chat comes before what is left of the others
        if len(shown) >= limit or all(place is None for place in places.values()):
            break
    count = fitting([each.view for each in shown])
    last = shown[count - 1].cursor if count < len(shown) else places
    has_more = count < len(shown) or any(place is not None for place in last.values())
    return MessageRows(
        messages=[each.view for each in shown[:count]], next_cursor=write_cursor(last) if has_more else None,
        position=position,
    )  # fmt: skip


def _chat_of(entry: Event | Outgoing) -> str | None:
    chat: str | None = getattr(entry, "chat", None)
    return chat


def _time_of(entry: Event | Outgoing) -> float:
    return entry.created_at if isinstance(entry, Outgoing) else float(getattr(entry, "time", 0))


def _seconds(text: str) -> float:
    """
    Return a time in seconds since 1970; 0 for no time.

    Raises:
        ToolRefused: It is not a time.
    """
    if not text:
        return 0
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ToolRefused("A time is not valid; write one like 2026-05-01T08:00:00+08:00.") from None


async def get_message(agent: Agent, args: GetMessageInput) -> OneMessage:
    """Return one message with its whole text."""
    found = await agent.message(args.message_id)
    [view] = await MessageViews(agent).of([found], length=WHOLE_TEXT, offset=args.offset)
    return OneMessage(message=view)


async def list_recalled(agent: Agent, args: ListRecalledInput) -> RecalledRows:
    """Return recalled messages of the chats that the agent may read, the newest recall first."""
    before = read_number(args.cursor) if args.cursor else None
    chat = None if args.chat is None else await agent.seen(args.chat)
    allowed, views = await agent.allowed(), MessageViews(agent)
    rows: list[RecalledMessage] = []
    places: list[int] = []
    is_all = False
    for _ in range(_ROUNDS):
        found = await agent.client.list_recalled(None if chat is None else chat.to, limit=args.limit, before=before)
        for each in found:
            before = each.notice.number
            if allowed.sees(each.notice.chat) and len(rows) < args.limit:
                [view] = await views.of([each.notice])
                rows.append(RecalledMessage(**msgspec.structs.asdict(view), can_forward=each.way != "none"))
                places.append(before)
        is_all = len(found) < args.limit
        if is_all or len(rows) >= args.limit:
            break
    count = fitting(rows)
    has_more = count < len(rows) or not is_all
    last = places[count - 1] if count < len(rows) else before
    return RecalledRows(messages=rows[:count], next_cursor=write_cursor(last) if has_more else None)


async def wait_for_message(agent: Agent, args: WaitForMessageInput) -> ArrivedMessages:
    """Return messages that arrive in the chats that the agent may read; those that webwx has sent are left out."""
    if await agent.account.state() == "logged_out":
        raise LoggedOut("The login of this account has ended; its owner has to log in again.", reason="logged_out")
    chats = None if args.chat is None else await agent.ids_of(await agent.seen(args.chat))
    position = await agent.position() if args.after is None else args.after
    loop = asyncio.get_running_loop()
    until = loop.time() + args.timeout_s
    while True:
        events = await agent.client.read_events(position, limit=_BATCH)
        left = until - loop.time()
        if events:
            position = events[-1].number
            views = await _arrived(agent, events, chats, args)
            if views:
                count = fitting([view for _, view in views])
                if count < len(views):
                    position = views[count][0] - 1
                return ArrivedMessages(messages=[view for _, view in views[:count]], timed_out=False, position=position)
            if left > 0:
                continue
        if left <= 0:
            return ArrivedMessages(messages=[], timed_out=True, position=position)
        await agent.account.wait_for_event(position, left)


async def _arrived(
    agent: Agent, events: Sequence[Event], chats: frozenset[str] | None, args: WaitForMessageInput
) -> list[tuple[int, ShownMessage]]:
    """Return the messages among some events that the agent waits for, with their numbers."""
    allowed = await agent.allowed()
    # Fewer events than were asked for are the newest ones, so the recalls of these messages are among them.
    views = MessageViews(agent, newest=events if len(events) < _BATCH else None)
    found = []
    for event in events:
        if not isinstance(event, Message) or not allowed.sees(event.chat):
            continue
        if chats is not None and event.chat not in chats:
            continue
        [view] = await views.of([event])
        is_wanted = is_of(view, args.author) or (view.is_self and args.author == "me")
        if not view.by_webwx and is_wanted and args.contains in text_of(event):
            found.append((event.number, view))
    return found
