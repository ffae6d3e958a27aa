"""
Subscriptions to chats: a client gets a notification when a chat has a new message or a recall, and reads it again.

Clients of the present era listen with one request, whose answer is a stream; so it ends with the client, and with each
change of the program. Clients of the earlier era subscribe on their connection, which only stdin and stdout have.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.subscriptions import ListenHandler, ResourceUpdated

from webwx.errors import InvalidRequest, WxError
from webwx.gateway.adapters.mcp import resources
from webwx.gateway.adapters.mcp.failures import ToolRefused, refusal_of
from webwx.gateway.problems import GatewayProblem
from webwx.model.messages import Message, MessageRecalled

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.context import ServerRequestContext
    from mcp.server.session import ServerSession
    from mcp.server.subscriptions import ServerEvent

    from webwx.gateway.adapters.mcp.agent import Agent

MOST_STREAMS = 4
"""Maximum number of open streams of an agent."""

MOST_CHATS = 50
"""Maximum number of chats of a stream, or of a connection."""

_BATCH = 200
"""Number of events that are read at once."""

_WAIT = 30.0
"""Seconds after which the journal is looked at again."""

_TRY_AGAIN = 5.0
"""Seconds until the journal is read again after a failure."""


class ChatNews:
    """
    Announces to its listeners which chats of an agent have changed, as long as it has any: a bus of the SDK.

    Args:
        agent: The agent; the chats that it may read are looked up again for each event.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._listeners: dict[object, Callable[[ServerEvent], None]] = {}
        self._following: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()

    def __repr__(self) -> str:
        return f"ChatNews({len(self._listeners)} listeners)"

    async def begin(self) -> None:
        """Follow the events from now on; a listener that subscribes afterwards misses none of them."""
        async with self._beginning:
            if self._following is None or self._following.done():
                position = await self._agent.position()
                self._following = asyncio.get_running_loop().create_task(self._follow(position))

    def end_if_unused(self) -> None:
        """Stop following if there is no listener."""
        if self._following is not None and not self._listeners:
            self._following.cancel()
            self._following = None

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Add a listener, and return a function that removes it."""
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    async def publish(self, event: ServerEvent) -> None:
        """Announce an event to all listeners."""
        for listener in [*self._listeners.values()]:
            listener(event)

    async def _follow(self, position: int) -> None:
        while True:
            try:
                events = await self._agent.client.read_events(position, limit=_BATCH)
                if not events:
                    await self._agent.account.wait_for_event(position, _WAIT)
                    continue
                allowed = await self._agent.allowed()
                chats = {each.chat for each in events if isinstance(each, (Message, MessageRecalled))}
                for chat in sorted(filter(allowed.sees, chats)):
                    number = (await self._agent.named(chat)).number
                    await self.publish(ResourceUpdated(resources.chat_uri(self._agent, number)))
                position = events[-1].number
            except (WxError, GatewayProblem):
                await asyncio.sleep(_TRY_AGAIN)


class AgentSubscriptions:
    """
    The subscriptions of one agent.

    Args:
        agent: The agent.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._news = ChatNews(agent)
        self._handler = ListenHandler(self._news, max_subscriptions=MOST_STREAMS)
        self._uris: set[str] = set()
        """Chats to which the connection has subscribed."""
        self._untold: dict[str, None] = {}
        """Chats whose change the connection was not told yet, the first one first."""
        self._has_untold = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return "AgentSubscriptions()"

    async def listen(
        self, context: ServerRequestContext[Any], params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Serve one stream until its client leaves; chats that the agent may not read are not among its chats."""
        wanted = params.notifications
        found = [await self._seen(str(uri)) for uri in (wanted.resource_subscriptions or ())[:MOST_CHATS]]
        honored = types.SubscriptionFilter(resource_subscriptions=[each for each in found if each])
        await self._news.begin()
        try:
            return await self._handler(context, params.model_copy(update={"notifications": honored}))
        finally:
            self._news.end_if_unused()

    async def subscribe(self, session: ServerSession, uri: str) -> None:
        """
        Announce the changes of a chat to a connection from now on.

        Raises:
            ToolRefused: The agent may not read it, or has subscribed to too many.
        """
        found = await self._seen(uri)
        if not found:
            raise ToolRefused("There is no such chat among those that you may read.", code="not-found")
        if len(self._uris) >= MOST_CHATS:
            raise ToolRefused(f"A connection subscribes to at most {MOST_CHATS} chats.", code="too-many")
        await self._news.begin()
        self._uris.add(found)
        if self._telling is None:
            unsubscribe = self._news.subscribe(self._note)
            self._telling = asyncio.get_running_loop().create_task(self._tell(session))
            self._telling.add_done_callback(lambda _: unsubscribe())

    async def unsubscribe(self, uri: str) -> None:
        """Announce the changes of a chat no longer."""
        self._uris.discard(await self._seen(uri))

    def _note(self, event: ServerEvent) -> None:
        uri = getattr(event, "uri", "")
        if uri in self._uris:  # once, however much happens until the client reads
            self._untold[uri] = None
            self._has_untold.set()

    async def _tell(self, session: ServerSession) -> None:
        while True:
            await self._has_untold.wait()
            self._has_untold.clear()
            while self._untold:
                uri = next(iter(self._untold))
                del self._untold[uri]
                if uri in self._uris:
                    await session.send_resource_updated(uri)

    async def close(self) -> None:
        """End what the connection has subscribed to."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])
        self._news.end_if_unused()

    async def _seen(self, uri: str) -> str:
        """Return the address of a chat with its number; empty if the agent may not read it."""
        which = resources.chat_in(self._agent, uri)
        try:
            return resources.chat_uri(self._agent, (await self._agent.seen(which)).chat.number) if which else ""
        except InvalidRequest as error:
            if refusal := refusal_of(error):
                await self._agent.note_refusal("subscribe", refusal, may_repeat=True)
            return ""
