"""Subscriptions to chats, with the official client: only of listed chats, bounded, and ended with the client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest
from mcp import Client
from mcp.client.subscriptions import ResourceUpdated, SubscriptionLost
from mcp.shared.exceptions import MCPError
from tests.gateway.adapters.conftest import created, port_of
from tests.gateway.adapters.mcp.test_adapter import connected, peers, token_of

from webwx.gateway.adapters.mcp import subscriptions
from webwx.gateway.adapters.mcp.server import make_server
from webwx.gateway.adapters.mcp.subscriptions import AgentSubscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gateway.adapters.mcp.conftest import AgentHere, MakeAgent
    from tests.gateway.conftest import Running

FILEHELPER = "wx://default/chat/filehelper"


async def test_a_client_learns_of_messages_in_listed_chats_only(
    make_agent: MakeAgent, number_of: Callable[[str], Any]
) -> None:
    boss, hua = await number_of("Boss"), await number_of("阿华")
    here = make_agent(see=("filehelper", boss))
    theirs, hidden = f"wx://default/chat/{boss}", f"wx://default/chat/{hua}"
    async with here.mcp() as client:
        async with client.listen(
            resource_subscriptions=["wx://default/chat/Boss", hidden, "wx://default/chats", "file:///x"],
            tools_list_changed=True,
            resources_list_changed=True,
        ) as stream:
            assert list(stream.honored.resource_subscriptions or ()) == [theirs]
            assert (stream.honored.resources_list_changed, stream.honored.tools_list_changed) == (None, None)
            await here.hear("ahua", "not for the agent")
            await here.note("not subscribed")
            await here.hear("lilei", "for the agent")
            assert await anext(aiter(stream)) == ResourceUpdated(uri=theirs)
            here.world.recall("lilei", "me")
            assert await anext(aiter(stream)) == ResourceUpdated(uri=theirs)
        async with client.listen(resource_subscriptions=[theirs]) as stream:  # after the first one has ended
            await here.hear("lilei", "again")
            assert await anext(aiter(stream)) == ResourceUpdated(uri=theirs)
    assert here.audit == [("subscribe", "", "chat-not-allowed")]


async def test_streams_of_an_agent_are_limited(here: AgentHere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MOST_STREAMS", 1)
    async with here.mcp() as client, client.listen(resource_subscriptions=[FILEHELPER]):
        with pytest.raises(MCPError, match="limit"):
            async with client.listen(resource_subscriptions=[FILEHELPER]):
                pass


async def test_a_stream_ends_with_its_client_and_with_a_change_of_its_program(online: Running) -> None:
    made = await created(online, adapter="mcp")
    async with port_of(online) as place, online.client("admin") as admin:
        async with connected(place, made["token"]) as client, client.listen(resource_subscriptions=[FILEHELPER]) as one:
            online.world.say("me", "filehelper", "hello")
            assert await anext(aiter(one)) == ResourceUpdated(uri=FILEHELPER)
            assert await peers(admin) == 1
        while await peers(admin):  # noqa: ASYNC110 - the test sees streams only from outside
            await asyncio.sleep(0.01)
        async with connected(place, made["token"]) as client, client.listen(resource_subscriptions=[FILEHELPER]) as two:
            path = f"/api/v1/programs/{made['program']['id']}"
            assert (await admin.patch(path, json={"see": []})).status_code == 200
            with pytest.raises(SubscriptionLost):
                await anext(aiter(two))
            async with client.listen(resource_subscriptions=[FILEHELPER]) as three:
                assert not three.honored.resource_subscriptions


async def test_a_connection_of_the_earlier_era_subscribes(
    make_agent: MakeAgent, number_of: Callable[[str], Any]
) -> None:
    boss = await number_of("Boss")
    here, theirs = make_agent(see=("filehelper", boss)), f"wx://default/chat/{boss}"
    told: asyncio.Queue[str] = asyncio.Queue()

    async def note(message: Any) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            told.put_nowait(str(message.params.uri))

    connection = AgentSubscriptions(here.agent)
    server = make_server(lambda _: here.agent, connection=connection)
    async with Client(server, mode="legacy", message_handler=note) as client:
        assert client.server_capabilities.resources is not None
        assert client.server_capabilities.resources.subscribe
        with pytest.warns(Warning, match="removed"):
            await client.subscribe_resource(FILEHELPER)
        await here.note("hello")
        assert await told.get() == FILEHELPER
        with pytest.warns(Warning, match="removed"), pytest.raises(MCPError):
            await client.subscribe_resource("wx://default/chat/阿华")
        with pytest.warns(Warning, match="removed"):
            await client.subscribe_resource(theirs)
        with pytest.warns(Warning, match="removed"):
            await client.unsubscribe_resource(FILEHELPER)
        await here.note("not told")
        await here.hear("lilei", "told")
        assert await told.get() == theirs
    await connection.close()


async def test_a_client_that_does_not_read_is_told_of_a_chat_once(make_agent: MakeAgent) -> None:
    here = make_agent(see=("filehelper",))
    reading, told = asyncio.Event(), list[str]()

    class Slow:
        """A connection whose client does not read."""

        async def send_resource_updated(self, uri: str) -> None:
            told.append(uri)
            await reading.wait()

    connection = AgentSubscriptions(here.agent)
    session: Any = Slow()
    await connection.subscribe(session, FILEHELPER)
    for _ in range(1_000):
        await connection._news.publish(ResourceUpdated(uri=FILEHELPER))
        await connection._news.publish(ResourceUpdated(uri="wx://default/chat/7"))
    while not told:  # noqa: ASYNC110 - the connection has no event
        await asyncio.sleep(0)
    await connection._news.publish(ResourceUpdated(uri=FILEHELPER))
    reading.set()
    while len(told) < 2:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    assert told == [FILEHELPER] * 2
    await connection.close()


async def test_over_http_clients_of_the_earlier_era_cannot_subscribe(online: Running) -> None:
    async with port_of(online) as place, connected(place, await token_of(online), "legacy") as client:
        assert client.server_capabilities.resources is not None
        assert not client.server_capabilities.resources.subscribe
