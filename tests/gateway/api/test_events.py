"""Events by page, as server-sent events and over WebSockets, on a real port."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.webhook_receiver import Pauses
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from webwx.bot.bot import Bot
from webwx.gateway.accounts.account_sends import TextContent
from webwx.gateway.api import event_reader
from webwx.gateway.bots.bots import AssignedBot, HostedBots
from webwx.gateway.config import GatewayConfig, LimitsTable, ListenTable
from webwx.gateway.serve import listen, serve_started
from webwx.gateway.webhooks.webhooks import StoredWebhook
from webwx.storage.cursors import decode_cursor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.conftest import Running, StartGateway

EVENTS = "/api/v1/events"

NOTICE = StoredWebhook(
    id="w", secret="", created_at=0, name="n", url="https://h.example/", accounts=(1,)
).new_notice("webhook.disabled", time=1000.0, reason="r")  # fmt: skip


def texts(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["text"] for event in events if event["type"] == "message.text"]


async def read_until(client: Any, count: int, **query: Any) -> tuple[list[dict[str, Any]], str]:
    """Read pages until there are this many texts; return all events and the last cursor."""
    events: list[dict[str, Any]] = []
    while len(texts(events)) < count:
        page = (await client.get(EVENTS, params={"wait": 20, **query})).json()
        events += page["events"]
        query["after"] = page["next"]
    return events, str(query["after"])


async def test_pages_follow_each_other_without_a_gap_and_wait_for_more(online: Running) -> None:
    async with online.client("events") as client:
        online.world.say("ahua", "me", "1")
        events, cursor = await read_until(client, 1)
        later = asyncio.ensure_future(read_until(client, 1, after=cursor))
        online.world.say("ahua", "me", "2")
        more, _ = await later

    assert (texts(events), texts(more)) == (["1"], ["2"])
    [event] = [event for event in events if event["type"] == "message.text"]
    assert (event["account"], event["chat_name"], event["is_self"]) == (1, "阿华", False)
    assert event["id"] == f"1-{event['number']}"
    assert "content" not in event["data"]


async def test_a_page_has_the_wanted_types_and_its_cursor_goes_past_the_others(online: Running) -> None:
    async with online.client("events") as client:
        online.world.say("ahua", "me", "1")
        await read_until(client, 1)
        page = (await client.get(EVENTS, params={"types": "phone.*,message.image"})).json()
        assert all(event["type"] == "phone.activity" for event in page["events"])
        assert (await client.get(EVENTS, params={"after": page["next"]})).json()["events"] == []


async def test_pages_can_leave_out_events_by_their_time(online: Running) -> None:
    async with online.client("events") as client:
        for text in ("1", "2", "3"):
            online.world.say("ahua", "me", text)
            online.world.wind(60)
        events, cursor = await read_until(client, 3)
        times = {
            event["data"]["text"]: datetime.fromisoformat(event["time"]).timestamp()
            for event in events
            if event["type"] == "message.text"
        }
        page = (await client.get(EVENTS, params={"since": times["2"], "limit": 1})).json()
        assert (texts(page["events"]), page["lost"]) == (["2"], False)
        rest = (await client.get(EVENTS, params={"since": times["2"], "after": page["next"]})).json()
        assert texts(rest["events"]) == ["3"]
        assert texts((await client.get(EVENTS, params={"until": times["2"]})).json()["events"]) == ["1", "2"]
        none = (await client.get(EVENTS, params={"since": times["3"] + 1_000})).json()
        assert (none["events"], none["next"]) == ([], cursor)


async def test_a_damaged_cursor_and_an_unreached_account_are_refused(online: Running) -> None:
    async with online.client("events") as client:
        answer = await client.get(EVENTS, params={"after": "x"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-cursor")
        assert (await client.get(EVENTS, params={"accounts": "absent"})).status_code == 404
    await online.port.add_account("other")
    async with online.client("events", accounts=(2,)) as client:
        assert (await client.get(EVENTS)).json()["events"] == []
        assert (await client.get(EVENTS, params={"accounts": "1"})).status_code == 404


# -- on a port -------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def port_of(running: Running) -> AsyncIterator[str]:
    """Serve on a free port; yield the host and the port."""
    ready = asyncio.Event()
    listener = listen(GatewayConfig(listen=ListenTable(port=0)))
    server = asyncio.ensure_future(serve_started(running.gateway, listener, ready.set))
    await ready.wait()
    try:
        yield listener.url.removeprefix("http://")
    finally:
        server.cancel()
        await asyncio.wait([server])


class EventSource:
    """A reader of server-sent events, as a browser's."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def next(self) -> dict[str, str]:
        """Return the fields of the next event, without comments and without the id that a stream begins with."""
        while "data" not in (fields := await self.next_block()):
            pass
        return fields

    async def next_block(self) -> dict[str, str]:
        """Return the fields up to the next empty line, without comments."""
        fields: dict[str, str] = {}
        while True:
            line = (await self._reader.readline()).decode().rstrip("\r\n")
            if not line and fields.keys() - {""}:
                return fields
            name, separator, value = line.partition(":")
            if separator:
                fields[name] = value.strip()

    async def until_end(self) -> None:
        """Read until the server ends the stream."""
        while await self._reader.readline() != b"0\r\n":
            pass

    async def until_heartbeat(self) -> None:
        """Read until there is a heartbeat."""
        while (await self._reader.readline()).strip() != b": alive":
            pass

    async def next_text(self) -> tuple[str, str]:
        """Return the text and the id of the next message."""
        while True:
            fields = await self.next()
            data = json.loads(fields["data"])
            if "event" not in fields and data["type"] == "message.text":
                return data["data"]["text"], fields["id"]


@contextlib.asynccontextmanager
async def event_source(address: str, key: str, *, query: str = "", **headers: str) -> AsyncIterator[EventSource]:
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = {"Host": address, "Authorization": f"Bearer {key}", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"GET {EVENTS}/stream{query} HTTP/1.1\r\n{head}\r\n".encode())
    assert b" 200 " in await reader.readline()
    while (await reader.readline()).strip() != b": connected":
        pass
    try:
        yield EventSource(reader)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_stream_continues_after_its_last_event(online: Running) -> None:
    key = await online.key("events")
    async with port_of(online) as address:
        async with event_source(address, key) as source:
            for text in ("1", "2", "3"):
                online.world.say("ahua", "me", text)
            first, cursor = await source.next_text()
        async with event_source(address, key, **{"Last-Event-ID": cursor}) as source:
            rest = [(await source.next_text())[0] for _ in range(2)]

    assert [first, *rest] == ["1", "2", "3"]


async def test_a_stream_begins_with_the_id_from_which_it_continues(online: Running) -> None:
    key = await online.key("events")
    async with port_of(online) as address:
        async with event_source(address, key) as source:
            online.world.say("ahua", "me", "before")
            await source.next_text()
        async with event_source(address, key) as source:
            begin = await source.next_block()
        online.world.say("ahua", "me", "while disconnected")
        async with event_source(address, key, **{"Last-Event-ID": begin["id"]}) as source:
            assert (await source.next_text())[0] == "while disconnected"
    assert list(begin) == ["id"]


async def test_a_stream_reports_an_unusable_cursor(online: Running) -> None:
    damaged = {"Last-Event-ID": "damaged"}
    async with port_of(online) as address, event_source(address, await online.key("events"), **damaged) as source:
        fields = await source.next()
        assert fields["event"] == "reset"
        position = decode_cursor(json.loads(fields["data"])["cursor"])
        newest = decode_cursor(online.port.events.newest_cursor([1]))  # an event of the login may be stored meanwhile
        assert position.get(1, 0) <= newest.get(1, 0)


async def test_a_stream_shows_the_end_of_a_login(online: Running) -> None:
    async with port_of(online) as address, event_source(address, await online.key("events")) as source:
        online.world.log_out("me")
        fields = await source.next()
        while fields.get("event") != "account.state" or json.loads(fields["data"])["state"] != "logged_out":
            fields = await source.next()
        assert "id" not in fields


async def test_the_states_of_sends_are_followed_by_every_reader_that_names_them(online: Running) -> None:
    account = online.port.account(1)
    async with contextlib.AsyncExitStack() as opened:
        address = await opened.enter_async_context(port_of(online))
        readers = [
            await opened.enter_async_context(
                event_source(address, await online.key("events", *scopes), query=f"?types={types}")
            )
            for types, *scopes in (("*,send.changed", "read"), ("send.*", "read"), ("send.changed",))
        ]
        await account.sends.send("filehelper", TextContent(text="done"), key="k")
        for reader, text in zip(readers, ("done", "done", ""), strict=True):
            states = []
            while "sent" not in states:
                fields = await reader.next()
                if fields.get("event") == "send.changed":
                    data = json.loads(fields["data"])
                    assert "id" not in fields
                    assert (data["account"], data["send"]["text"], data["send"]["chat"]) == (1, text, "filehelper")
                    states.append(data["send"]["state"])
            assert states in (["sending", "sent"], ["sent"])


async def test_the_states_of_sends_are_in_no_stream_that_does_not_name_them(online: Running) -> None:
    async with contextlib.AsyncExitStack() as opened:
        address = await opened.enter_async_context(port_of(online))
        key = await online.key("events", "read")
        readers = [
            await opened.enter_async_context(event_source(address, key, query=query))
            for query in ("", "?types=*", "?types=*.*", "?types=message.*,s*")
        ]
        await online.port.account(1).sends.send("filehelper", TextContent(text="secret"), key="k")
        online.world.say("ahua", "me", "after the send")
        for reader in readers:
            while "after the send" not in (fields := await reader.next())["data"]:
                assert fields.get("event") != "send.changed"


async def test_events_that_a_stream_leaves_out_delay_no_heartbeat(
    online: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_reader, "HEARTBEAT", 1.0)
    key = await online.key("events")
    async with port_of(online) as address, event_source(address, key, query="?types=message.image") as source:
        heartbeat = asyncio.ensure_future(source.until_heartbeat())
        async with asyncio.timeout(20):
            while not heartbeat.done():
                online.world.say("ahua", "me", "not wanted")
                await asyncio.sleep(0.01)


async def test_a_stream_ends_with_its_key(online: Running) -> None:
    key, other = await online.key("events"), await online.key("events")
    async with (
        port_of(online) as address,
        event_source(address, key) as source,
        event_source(address, other) as other_source,
    ):
        await online.gateway.keys.delete(key.split("_")[1])
        await source.until_end()
        online.world.say("ahua", "me", "for the other key")
        assert (await other_source.next_text())[0] == "for the other key"


async def test_a_long_poll_ends_with_its_key(online: Running) -> None:
    key = await online.key("events")
    online.world.say("ahua", "me", "the last one")
    await online.until_text("the last one")
    cursor = online.port.events.newest_cursor([1])
    async with online.anonymous(headers={"Authorization": f"Bearer {key}"}) as client:
        waiting = asyncio.ensure_future(
            client.get(EVENTS, params={"after": cursor, "wait": 25, "types": "loop.detected"})
        )
        while not len(online.gateway.streams):  # noqa: ASYNC110 - nothing marks the begin of the wait
            await asyncio.sleep(0)
        await online.gateway.keys.rotate(key.split("_")[1], overlap=0)
        answer = await waiting

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def receive(socket: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(await socket.recv())
    return frame


async def receive_texts(socket: ClientConnection, count: int, *, acks: bool = False) -> list[tuple[str, str]]:
    """Return the next texts with the cursors after them; acknowledge everything if asked to."""
    found: list[tuple[str, str]] = []
    while len(found) < count:
        frame = await receive(socket)
        if frame["op"] == "event":
            if frame["event"]["type"] == "message.text":
                found.append((frame["event"]["data"]["text"], frame["cursor"]))
            if acks:
                await socket.send(json.dumps({"op": "ack", "number": frame["event"]["number"]}))
    return found


async def socket_until_closed(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    """Yield the messages of a server until it closes the socket."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            yield await socket.recv()


def socket_to(address: str, key: str) -> connect:
    return connect(f"ws://{address}{EVENTS}/ws", additional_headers={"Authorization": f"Bearer {key}"})


@contextlib.asynccontextmanager
async def consumer_socket(address: str, key: str, **hello: Any) -> AsyncIterator[ClientConnection]:
    """Open the consumer `reader`, and connect again while an earlier connection to it still ends at the gateway."""
    while True:
        async with socket_to(address, key) as socket:
            await socket.send(json.dumps({"op": "hello", "consumer": "reader", **hello}))
            answer = await receive(socket)
            if answer["op"] == "ready":
                yield socket
                return
            assert answer["data"]["code"] == "already-running", answer
        await asyncio.sleep(0.01)


async def test_a_socket_continues_from_a_cursor(online: Running) -> None:
    key = await online.key("events")
    async with port_of(online) as address:
        async with socket_to(address, key) as socket:
            await socket.send('{"op": "hello", "types": ["message.*"]}')
            assert (await receive(socket))["op"] == "ready"
            for text in ("1", "2"):
                online.world.say("ahua", "me", text)
            [(first, cursor)] = await receive_texts(socket, 1)
        async with socket_to(address, key) as socket:
            await socket.send(json.dumps({"op": "hello", "after": cursor}))
            [(second, _)] = await receive_texts(socket, 1)

    assert (first, second) == ("1", "2")


async def test_a_consumer_gets_unacknowledged_events_again(online: Running) -> None:
    key = await online.key("events")
    hello = json.dumps({"op": "hello", "consumer": "accounting"})
    async with port_of(online) as address:
        async with socket_to(address, key) as socket:
            await socket.send(hello)
            assert (await receive(socket))["op"] == "ready"
            for text in ("1", "2"):
                online.world.say("ahua", "me", text)
            await receive_texts(socket, 1, acks=True)
            await receive_texts(socket, 1)
        async with socket_to(address, key) as socket:
            await socket.send(hello)
            [(again, _)] = await receive_texts(socket, 1)

    assert again == "2"


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ("x", 1003),
        ('{"op": "ack", "number": 1}', 1003),
        ('{"op": "hello", "accounts": ["absent"]}', 1008),
        ('{"op": "hello", "consumer": "keep", "accounts": ["1"]}', 1011),
        ('{"op": "hello", "types": ["text_message"]}', 1011),
        ('{"op": "hello", "after": "damaged"}', None),
    ],
)
async def test_a_socket_with_an_invalid_message_is_closed(online: Running, hello: str, code: int | None) -> None:
    async with port_of(online) as address, socket_to(address, await online.key("events")) as socket:
        await socket.send(hello)
        if code is None:
            assert [(await receive(socket))["op"] for _ in range(2)] == ["ready", "reset"]
            return
        await socket.wait_closed()
        assert socket.close_code == code


async def test_a_refused_first_message_names_its_field(online: Running) -> None:
    async with port_of(online) as address, socket_to(address, await online.key("events")) as socket:
        await socket.send('{"op": "hello", "types": ["message.*", 7]}')
        frame = await receive(socket)

    assert frame["data"]["errors"] == ["types[1]: Expected `str`, got `int`"]


async def test_a_socket_that_never_sends_its_first_message_is_closed(start_gateway: StartGateway) -> None:
    pauses = Pauses(lasts=True)
    async with start_gateway(sleep=pauses) as running, port_of(running) as address:
        key = await running.key("events")
        async with socket_to(address, key) as silent, socket_to(address, key) as early:
            await early.send('{"op": "hello"}')
            assert (await receive(early))["op"] == "ready"
            await pauses.begun.wait()
            pauses.released.set()
            await silent.wait_closed()
            assert (silent.close_code, silent.close_reason) == (4408, "hello-timeout")
            running.gateway.notices.publish(NOTICE)
            assert (await receive(early))["op"] == "webhook.disabled"

    assert set(pauses.seconds) == {LimitsTable().patience}


async def test_a_socket_with_a_message_that_is_too_large_is_closed(online: Running) -> None:
    async with port_of(online) as address, socket_to(address, await online.key("events")) as socket:
        await socket.send(" " * (1024 * 1024 + 1))
        await socket.wait_closed()
        assert socket.close_code == 1009


async def test_streams_and_sockets_show_that_a_webhook_was_disabled(online: Running) -> None:
    key = await online.key("events")
    async with (
        port_of(online) as address, event_source(address, key) as source, socket_to(address, key) as socket,
    ):  # fmt: skip
        await socket.send('{"op": "hello"}')
        assert (await receive(socket))["op"] == "ready"
        online.world.say("ahua", "me", "both read now")
        await source.next_text()
        await receive_texts(socket, 1)
        online.gateway.notices.publish(NOTICE)
        fields = await source.next()
        frame = await receive(socket)
    assert (fields["event"], "id" in fields) == ("webhook.disabled", False)
    assert json.loads(fields["data"])["data"] == {"webhook": "w", "name": "n", "reason": "r"}
    assert (frame["op"], frame["data"]["data"]["webhook"]) == ("webhook.disabled", "w")


@pytest.mark.parametrize("consumer", [{}, {"consumer": "reader"}], ids=["with a cursor", "of a consumer"])
async def test_a_socket_has_the_states_of_sends_if_it_names_them(online: Running, consumer: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {await online.key('events', 'read')}"}
    async with port_of(online) as address, connect(f"ws://{address}{EVENTS}/ws", additional_headers=headers) as socket:
        await socket.send(json.dumps({"op": "hello", "types": ["send.changed"], **consumer}))
        assert json.loads(await socket.recv())["op"] == "ready"
        await online.port.account(1).sends.send("filehelper", TextContent(text="done"), key="k")
        state = ""
        while state != "sent":
            frame = json.loads(await socket.recv())
            assert (frame["op"], frame["data"]["send"]["text"]) == ("send.changed", "done")
            state = frame["data"]["send"]["state"]


async def test_streams_and_sockets_end_with_the_server(online: Running) -> None:
    key = await online.key("events")
    async with contextlib.AsyncExitStack() as stack:
        async with port_of(online) as address:
            socket = await stack.enter_async_context(socket_to(address, key))
            await socket.send('{"op": "hello"}')
            assert (await receive(socket))["op"] == "ready"
        await socket.wait_closed()
        assert socket.close_code == 1012


@pytest.mark.parametrize("hello", [None, {"op": "hello"}, {"op": "hello", "consumer": "bot", "accounts": ["1"]}])
async def test_a_socket_ends_with_its_key(online: Running, hello: dict[str, Any] | None) -> None:
    key = await online.key("events")
    async with port_of(online) as address, socket_to(address, key) as socket:
        if hello is not None:
            await socket.send(json.dumps(hello))
            assert (await receive(socket))["op"] == "ready"
        await online.gateway.keys.delete(key.split("_")[1])
        frames = [json.loads(frame) async for frame in socket_until_closed(socket)]

    assert (socket.close_code, socket.close_reason) == (1008, "unauthorized")
    assert frames[-1]["data"]["code"] == "unauthorized"


@pytest.mark.parametrize("name", ["gateway", "webhook-abcdefgh", "incoming-files-1", "echo"])
@pytest.mark.parametrize("scope", ["events", "admin"])
async def test_no_key_opens_a_consumer_of_the_gateway(start_gateway: StartGateway, name: str, scope: str) -> None:
    async with start_gateway(bots=HostedBots([AssignedBot(Bot(name="echo"))])) as running:
        await running.log_in()
        async with port_of(running) as address:
            assert await refusal_of(address, await running.key(scope), name) == "forbidden"


async def refusal_of(address: str, key: str, consumer: str) -> str:
    """Return the code with which a consumer is refused; empty if it was opened."""
    async with socket_to(address, key) as socket:
        await socket.send(json.dumps({"op": "hello", "consumer": consumer, "accounts": ["1"]}))
        answer = await receive(socket)
        if answer["op"] == "ready":
            await socket.send('{"op": "leave"}')
            await socket.wait_closed()
            return ""
        return str(answer["data"]["code"])


async def test_a_consumer_belongs_to_the_key_that_opened_it_first(online: Running) -> None:
    mine, other, manager = [await online.key("events", *more) for more in ((), ("read",), ("manage",))]
    async with port_of(online) as address:
        for key, refusal in ((mine, ""), (mine, ""), (other, "forbidden"), (manager, "")):
            assert await refusal_of(address, key, "mine") == refusal
        async with online.client("manage") as client:
            assert (await client.delete("/api/v1/accounts/1/consumers/mine")).status_code == 204
        assert await refusal_of(address, other, "mine") == ""
        assert await refusal_of(address, mine, "mine") == "forbidden"
        await online.gateway.keys.delete(other.split("_")[1])
        assert await refusal_of(address, mine, "mine") == ""


async def test_the_consumer_of_another_program_is_not_opened(online: Running) -> None:
    async with online.port.account(1).client.subscribe("elsewhere", follow=False):
        pass
    async with port_of(online) as address:
        assert await refusal_of(address, await online.key("events"), "elsewhere") == "forbidden"


@pytest.mark.parametrize("message", ["[" * 200_000, '{"op": "hello", "acknowledged": [99999999999999999999]}'])
async def test_a_socket_whose_first_message_is_impossible_is_closed(online: Running, message: str) -> None:
    async with port_of(online) as address, socket_to(address, await online.key("events")) as socket:
        await socket.send(message)
        await socket.wait_closed()
        assert socket.close_code == 1003


@pytest.mark.parametrize("op", ["ready", "event"])
@pytest.mark.parametrize("hello", [{"op": "hello"}, {"op": "hello", "consumer": "bot"}])
async def test_a_socket_that_vanishes_while_the_gateway_sends_is_no_error(
    online: Running, hello: dict[str, Any], op: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The server raises an `OSError` in `send` once the client is gone, and no later message is allowed."""
    is_gone = False
    messages = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": json.dumps(hello)}]

    async def receive_next() -> Any:
        return messages.pop(0) if messages else await asyncio.get_running_loop().create_future()

    async def send(message: Any) -> None:
        nonlocal is_gone
        assert not is_gone
        sent = json.loads(message["text"])["op"] if message["type"] == "websocket.send" else ""
        if sent == op:
            is_gone = True
            raise ConnectionResetError
        if sent == "ready":
            online.world.say("ahua", "me", "hello")

    scope = {
        "type": "websocket", "path": f"{EVENTS}/ws", "raw_path": f"{EVENTS}/ws".encode(), "query_string": b"",
        "headers": [(b"authorization", f"Bearer {await online.key('events')}".encode()), (b"host", b"127.0.0.1:8791")],
        "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 8791), "scheme": "ws", "http_version": "1.1",
        "subprotocols": [], "extensions": {"websocket.http.response": {}}, "asgi": {"version": "3.0"}, "root_path": "",
    }  # fmt: skip
    async with asyncio.timeout(20):
        await online.gateway.app({**scope, "state": {}}, receive_next, send)  # type: ignore[arg-type]
    assert is_gone
    assert [record.getMessage() for record in caplog.records if record.levelname in {"ERROR", "WARNING"}] == []
