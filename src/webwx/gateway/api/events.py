"""
Events: by page, as a stream of server-sent events, and over a WebSocket.

All three read the journal, so a reader that was disconnected misses nothing. Pages and streams have the same opaque
cursor.
A WebSocket may name a consumer, whose position the journal stores: it acknowledges events by their numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Annotated, Any, cast

import msgspec
from litestar import Router, WebSocket, websocket
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from litestar.params import HeaderParameter, SkipValidation
from litestar.response import Stream

from webwx.errors import WxError
from webwx.gateway.access.auth import Caller
from webwx.gateway.accounts.account import AccountStatus, GatewayAccount, GatewayAccounts, SendChange
from webwx.gateway.accounts.event_broadcast import FollowedEvent
from webwx.gateway.accounts.send_changes import SEND_CHANGED
from webwx.gateway.api.accounts import view_of_account
from webwx.gateway.api.consumer_owners import ConsumerOwners
from webwx.gateway.api.consumer_socket import ConsumerRelay, ConsumerSocket
from webwx.gateway.api.documented import stream_of
from webwx.gateway.api.event_reader import (
    EventReader,
    StreamItem,
    chosen_accounts,
    patterns_of,
)
from webwx.gateway.api.parameters import (
    InjectedCaller,
    InjectedConfig,
    InjectedPort,
    InjectedStream,
)
from webwx.gateway.api.serve_route import serve
from webwx.gateway.config import GatewayConfig
from webwx.gateway.http.open_streams import OpenStream
from webwx.gateway.problems import GatewayProblem, problem_of, problem_of_message
from webwx.gateway.views import json_of, view_of_change, view_of_event
from webwx.gateway.webhooks.notices import WebhookNotice, WebhookNotices, view_of_notice
from webwx.model.event_filters import check_patterns, is_named
from webwx.representations.accounts import AccountView
from webwx.representations.consumers import (
    AccountStateFrame,
    ErrorFrame,
    EventFrame,
    Hello,
    NoticeFrame,
    ReadyFrame,
    ResetFrame,
    SendChangedFrame,
    ServerFrame,
)
from webwx.representations.events import (
    EVENT_TYPES,
    EVENTS_SOCKET,
    READ_EVENTS,
    STREAM_EVENTS,
    EventsQuery,
    EventsView,
    EventView,
    NoticeView,
    Reset,
    StreamQuery,
)
from webwx.representations.sends import SendChangeView

_GOING_AWAY = 1012
"""Close code of a WebSocket: the service restarts."""

_NO_HELLO = 4408
"""Close code of a WebSocket whose client did not send its first message in time; 408 is the status for HTTP."""

Streamed = EventView | AccountView | NoticeView | SendChangeView | Reset
"""What the data of a server-sent event is."""

InjectedRelay = NamedDependency[SkipValidation[ConsumerRelay | None]]
"""Connects clients with consumers of other nodes; None without a cluster."""

InjectedConsumerOwners = NamedDependency[SkipValidation[ConsumerOwners]]

InjectedNotices = NamedDependency[SkipValidation[WebhookNotices]]


@serve(READ_EVENTS)
async def read_events(
    port: InjectedPort, caller: InjectedCaller, stream: InjectedStream, query: EventsQuery
) -> EventsView:
    """
    Return events after a cursor, or the oldest ones; those of each account are in the order of arrival.

    `since` and `until` leave out events that were written earlier or later.
    """
    reader = EventReader(port, await chosen_accounts(port, caller, query.accounts), patterns_of(query.types))
    events, cursor, is_lost = await reader.page(
        query.after or "", stream, limit=query.limit, wait=query.wait, since=query.since, until=query.until
    )
    views = [view_of_event(account_event) async for account_event in stream.turns.spread(events)]
    return EventsView(events=views, next=cursor, lost=is_lost)


@serve(STREAM_EVENTS, responses=stream_of(Streamed, "Each `data` is the JSON of one of these, until the end"))
async def stream_events(
    port: InjectedPort,
    caller: InjectedCaller,
    stream: InjectedStream,
    notices: InjectedNotices,
    query: StreamQuery,
    last_event_id: Annotated[
        str | None, HeaderParameter(name="Last-Event-ID", description="Cursor of the last event, sent by a browser")
    ] = None,
) -> Stream:
    """
    Stream events as they are stored (`text/event-stream`).

    The `id` of an event is the cursor after it. Without a cursor the stream begins with new events; it first has an
    id without data, from which a client continues that is disconnected before the first event. `event: reset` means
    that events after the given cursor are gone. Some kinds of events have no id: `account.state`, and
    `webhook.disabled` and `webhook.failing` for webhooks whose accounts the key reaches; and if `types` names it,
    `send.changed`, a send that was stored or whose state has changed.
    """
    numbers = await chosen_accounts(port, caller, query.accounts)
    reader = EventReader(port, numbers, patterns_of(query.types))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    watched = notices.watch(caller.accounts if query.accounts is None else numbers)
    cursor, begin = last_event_id or query.after, ""
    if cursor is None:  # read before the answer begins, so the stream has every later event
        cursor = begin = port.events.newest_cursor(numbers)
    followed = reader.follow(cursor, stream, watched)
    can_read = caller.allows("read")
    return Stream(_server_sent(followed, begin, with_text=can_read), media_type="text/event-stream", headers=headers)


async def _server_sent(
    followed: AsyncGenerator[StreamItem, None], begin: str, *, with_text: bool
) -> AsyncIterator[bytes]:
    """Return the items of a stream; its begin is an id, so that a client can continue before the first event too."""
    try:
        yield b": connected\n" + (f"id: {begin}\n".encode() if begin else b"") + b"\n"
        async for item in followed:
            yield server_sent(item, with_text=with_text)
    finally:
        await followed.aclose()


def server_sent(item: StreamItem, *, with_text: bool) -> bytes:
    """
    Return one item of a stream as a server-sent event; a heartbeat as a comment.

    Args:
        item: The item.
        with_text: Whether the reader may read the texts of sends.
    """
    match item:
        case FollowedEvent(shared, cursor):
            if shared.server_sent[0] != cursor:
                shared.server_sent = cursor, b"id: " + cursor.encode() + b"\ndata: " + json_of(shared) + b"\n\n"
            return shared.server_sent[1]
        case AccountStatus():
            return b"event: account.state\ndata: " + msgspec.json.encode(view_of_account(item)) + b"\n\n"
        case WebhookNotice():
            return f"event: {item.type}\ndata: ".encode() + msgspec.json.encode(view_of_notice(item)) + b"\n\n"
        case SendChange():
            data = msgspec.json.encode(view_of_change(item, with_text=with_text))
            return f"event: {SEND_CHANGED}\ndata: ".encode() + data + b"\n\n"
        case Reset():
            return f"event: reset\nid: {item.cursor}\ndata: ".encode() + msgspec.json.encode(item) + b"\n\n"
        case None:
            return b": alive\n\n"


# -- WebSocket ---------------------------------------------------------------------------------------------------------


@websocket(EVENTS_SOCKET, scope="events")
async def socket_events(
    socket: WebSocket[Caller, None, State],
    port: InjectedPort,
    caller: InjectedCaller,
    stream: InjectedStream,
    notices: InjectedNotices,
    config: InjectedConfig,
    relay: InjectedRelay,
    consumer_owners: InjectedConsumerOwners,
) -> None:
    """Send events over a WebSocket; the first message of the client selects them."""
    with contextlib.suppress(WebSocketDisconnect, OSError):  # the client has left; a send then raises an OSError
        await socket.accept()
        try:
            await _serve(socket, port, caller, stream, notices, config, relay, consumer_owners)
        except (msgspec.DecodeError, RecursionError) as error:
            await _send(socket, ErrorFrame(data=problem_of_message(error)))
            await socket.close(1003, "bad-request")
        except GatewayProblem as refusal:
            await _send(socket, ErrorFrame(data=refusal.problem))
            await socket.close(1008, refusal.code)
        except WxError as error:
            await _send(socket, ErrorFrame(data=problem_of(error)))
            await socket.close(1011, problem_of(error).code)


async def _serve(
    socket: WebSocket[Caller, None, State],
    port: GatewayAccounts,
    caller: Caller,
    stream: OpenStream,
    notices: WebhookNotices,
    config: GatewayConfig,
    relay: ConsumerRelay | None,
    consumer_owners: ConsumerOwners,
) -> None:
    """Send events, and close the connection unless the client has left."""
    try:
        first = await stream.run(socket.receive_text(), within=config.limits.patience)
    except TimeoutError:
        await socket.close(_NO_HELLO, "hello-timeout")
        return
    stream.require_valid()
    if first is None:
        await socket.close(_GOING_AWAY, "restart")
        return
    hello = msgspec.json.decode(first, type=Hello)
    check_patterns(hello.types, EVENT_TYPES)
    wanted = None if hello.accounts is None else ",".join(hello.accounts)
    numbers = await chosen_accounts(port, caller, wanted)
    if hello.consumer is None:
        watched = notices.watch(caller.accounts if wanted is None else numbers)
        await _send_positioned(socket, port, numbers, hello, stream, watched, caller)
    else:
        number = _only_account(numbers)
        if relay is not None and await relay.relay(socket, number, first):
            return
        await consumer_owners.require(caller, port.account(number), hello.consumer)
        has_left = await _send_consumed(socket, port, port.account(number), hello, stream, caller)
        if has_left:
            await socket.close()
            return
    stream.require_valid()
    await socket.close(_GOING_AWAY, "restart")


def _only_account(numbers: list[int]) -> int:
    if len(numbers) != 1:
        raise GatewayProblem("bad-request", "A consumer reads one account; name it in 'accounts'.")
    return numbers[0]


async def _send_positioned(
    socket: WebSocket[Caller, None, State],
    port: GatewayAccounts,
    numbers: list[int],
    hello: Hello,
    stream: OpenStream,
    notices: AsyncGenerator[WebhookNotice, None],
    caller: Caller,
) -> None:
    """Send the events after a cursor until the client disconnects or the server stops."""
    cursor = hello.after
    if cursor is None:
        cursor = port.events.newest_cursor(numbers)
    reader = EventReader(port, numbers, tuple(hello.types))
    followed = reader.follow(cursor, stream, notices)
    await _send(socket, ReadyFrame(cursor=cursor))

    async def send_all() -> None:
        try:
            async for item in followed:
                match item:
                    case FollowedEvent():
                        event = cast("EventView", msgspec.Raw(json_of(item.shared)))  # it is encoded as it is
                        await _send(socket, EventFrame(event=event, cursor=item.cursor))
                    case AccountStatus():
                        await _send(socket, AccountStateFrame(data=view_of_account(item)))
                    case WebhookNotice():
                        await _send(socket, NoticeFrame(op=item.type, data=view_of_notice(item)))
                    case SendChange():
                        await _send(socket, _frame_of(item, caller))
                    case Reset():
                        await _send(socket, ResetFrame(cursor=item.cursor))
                    case None:
                        pass  # the server pings
        finally:
            await followed.aclose()

    await _together(send_all(), _until_gone(socket))


async def _send_consumed(
    socket: WebSocket[Caller, None, State], port: GatewayAccounts, account: GatewayAccount, hello: Hello,
    stream: OpenStream, caller: Caller,
) -> bool:  # fmt: skip
    """Send the events of a consumer until the client leaves or the server stops; return whether the client has left."""
    async with account.events.consume(hello.consumer or "", follow=hello.follow) as consumer:
        for number in hello.acknowledged:
            consumer.ack(number)
        await consumer.flush()
        # From now on: before the client hears that it may begin to send.
        changes = port.watch_sends([account.number]) if is_named(SEND_CHANGED, hello.types) else None
        await _send(socket, ReadyFrame())
        client = ConsumerSocket(socket, consumer, hello, stream)
        works = [client.send_all(), client.receive_all(), _ended(stream)]
        if changes is not None:
            works.append(_send_changes(socket, changes, caller))
        await _together(*works)
        if client.unseen_from is None:
            return False
        await client.leave()
        return True


async def _send_changes(
    socket: WebSocket[Caller, None, State], changes: AsyncGenerator[SendChange, None], caller: Caller
) -> None:
    """Send the changes of sends, which need no acknowledgement."""
    async for change in changes:
        await _send(socket, _frame_of(change, caller))


def _frame_of(change: SendChange, caller: Caller) -> SendChangedFrame:
    return SendChangedFrame(data=view_of_change(change, with_text=caller.allows("read")))


async def _send(socket: WebSocket[Caller, None, State], frame: ServerFrame) -> None:
    await socket.send_text(msgspec.json.encode(frame).decode())


async def _until_gone(socket: WebSocket[Caller, None, State]) -> None:
    """Ignore the messages of a client without a consumer until it disconnects."""
    while True:
        await socket.receive_text()


async def _ended(stream: OpenStream) -> None:
    await stream.ended.wait()


async def _together(*works: Coroutine[Any, Any, None]) -> None:
    """Run coroutines until the first one ends, and raise its error."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


events_router = Router("/", route_handlers=[read_events, stream_events, socket_events], tags=["events"])
