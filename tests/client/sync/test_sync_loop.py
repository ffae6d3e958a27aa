"""Events: each once, in order, saved with the next position, and none lost after faults."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.carriers import Counted
from tests.client.conftest import PNG, SERVER, is_online, last, later, saved_in, take, texts
from tests.client.virtual_loop import VirtualClockLoop

from webwx.client.client import AsyncClient
from webwx.client.poll_interval import LONGEST
from webwx.client.state import STALE_AFTER, LoginState, StateChange
from webwx.client.sync.missing_messages import MIN_FETCHES, MIN_SECONDS
from webwx.client.sync.refused_fetches import MIN_REFUSALS, REFUSED_FOR
from webwx.errors import (
    ConnectFailed,
    LoggedOut,
    Timeout,
    TransportError,
    UnknownContact,
)
from webwx.model.events import ContinuityLost, QuarantinedMessage
from webwx.model.messages import (
    Event,
    MessageRecalled,
    PhoneActivity,
    TextMessage,
)
from webwx.protocol.codes import POLL_HOLD, SyncKeyKind
from webwx.protocol.http import Response
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, CheckReply, KeyValue
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.storage.login import LoginFile, LoginMemory
from webwx.transport.failures import Failures
from webwx.transport.loopback import Loopback
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.client.conftest import LogIn, NewClient

    from webwx.model.login import QrCode
    from webwx.protocol.http import Request
    from webwx.protocol.sync import SyncKey, SyncReply
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.transport.runner import Transport

    Phone = Callable[[str], Callable[[QrCode], object]]


@pytest.fixture(params=["without a journal", "with a journal"])
def usual_journal(request: pytest.FixtureRequest) -> Journal | None:
    if request.param == "without a journal":
        return None
    journal: Journal = request.getfixturevalue("journal")
    return journal


@pytest.fixture
def virtual_runner(usual_journal: Journal | None) -> Iterator[asyncio.Runner]:
    """Run on a loop whose clock jumps, except while a journal writes."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        yield runner


class Repeating(Counted):
    """Delivers each batch of messages twice."""

    _again: Response | None = None

    async def send(self, request: Request) -> Response:
        if request.endpoint == "webwxsync" and self._again is not None:
            again, self._again = self._again, None
            return again
        response = await super().send(request)
        if request.endpoint == "webwxsync" and WEBWXSYNC.decode_reply(response).add_msg_list:
            self._again = response
        return response


class Edited(Counted):
    """Changes the answers of webwxsync."""

    def __init__(self, inner: Transport, edit: Callable[[SyncReply], SyncReply]) -> None:
        super().__init__(inner)
        self.skeys: list[str] = []
        """The keys of all fetches."""
        self._edit = edit

    async def send(self, request: Request) -> Response:
        response = await super().send(request)
        if request.endpoint != "webwxsync":
            return response
        self.skeys.append(WEBWXSYNC.decode_request(request).credentials.skey)
        reply = self._edit(WEBWXSYNC.decode_reply(response))
        return msgspec.structs.replace(response, body=WEBWXSYNC.encode_reply(reply).body)


class RepeatedBatch(Counted):
    """Never returns another key than that of the request, and so the same batch repeatedly."""

    async def send(self, request: Request) -> Response:
        response = await super().send(request)
        if request.endpoint != WEBWXSYNC.name:
            return response
        key = WEBWXSYNC.decode_request(request).sync_key
        reply = msgspec.structs.replace(WEBWXSYNC.decode_reply(response), sync_key=key, sync_check_key=key)
        return msgspec.structs.replace(response, body=WEBWXSYNC.encode_reply(reply).body)


class AlwaysSomething(Counted):
    """Always reports something to fetch."""

    async def send(self, request: Request) -> Response:
        if request.endpoint != "synccheck":
            return await super().send(request)
        self.calls.append(request.endpoint)
        return SYNCCHECK.encode_reply(CheckReply(retcode=0, selector=2))


class SlowFetch(AlwaysSomething):
    """Always reports something to fetch; fetches time out, and between two of them a poll does."""

    SECONDS = 31.0
    _polls = 0

    async def send(self, request: Request) -> Response:
        self._polls += request.endpoint == SYNCCHECK.name
        if request.endpoint == WEBWXSYNC.name or (request.endpoint == SYNCCHECK.name and self._polls % 2 == 0):
            await asyncio.sleep(self.SECONDS)
            raise Timeout(f"{request.endpoint}: no answer in time.")
        return await super().send(request)


class EndlessContactChanges(Counted):
    """Reports changes at once, and changes a contact with every fetch, under a new key."""

    _fetches = 0

    async def send(self, request: Request) -> Response:
        if request.endpoint == SYNCCHECK.name:
            self.calls.append(request.endpoint)
            return SYNCCHECK.encode_reply(CheckReply(retcode=0, selector=4))
        response = await super().send(request)
        if request.endpoint != WEBWXSYNC.name:
            return response
        self._fetches += 1
        reply = WEBWXSYNC.decode_reply(response)
        changed = msgspec.Raw(b'{"UserName":"@restless","NickName":"%d"}' % self._fetches)
        reply = msgspec.structs.replace(
            reply,
            mod_contact_list=[*reply.mod_contact_list, changed],
            sync_key=_moved(reply.sync_key, self._fetches),
            sync_check_key=_moved(reply.sync_check_key, self._fetches),
        )
        return msgspec.structs.replace(response, body=WEBWXSYNC.encode_reply(reply).body)


def _moved(key: SyncKey, by: int) -> SyncKey:
    """Count with a counter that the server does not know, and ignores."""
    return msgspec.structs.replace(key, count=len(key.list) + 1, list=(*key.list, KeyValue(key=9_000, val=by)))


class MovingKey(AlwaysSomething):
    """Always reports something to fetch, and returns nothing, under a new key."""

    _fetches = 0

    async def send(self, request: Request) -> Response:
        response = await super().send(request)
        if request.endpoint != WEBWXSYNC.name:
            return response
        self._fetches += 1
        reply = WEBWXSYNC.decode_reply(response)
        return WEBWXSYNC.encode_reply(
            msgspec.structs.replace(
                reply,
                sync_key=_moved(reply.sync_key, self._fetches),
                sync_check_key=_moved(reply.sync_check_key, self._fetches),
            )
        )


class TwoPositions(AlwaysSomething):
    """Always returns the same message, and in turn one of two keys."""

    _fetches = 0
    _known: msgspec.Raw | None = None

    async def send(self, request: Request) -> Response:
        response = await super().send(request)
        if request.endpoint != WEBWXSYNC.name:
            return response
        self._fetches += 1
        reply = WEBWXSYNC.decode_reply(response)
        if reply.add_msg_list:
            self._known = reply.add_msg_list[0].copy()
        elif self._known is not None:
            reply = msgspec.structs.replace(reply, add_msg_count=1, add_msg_list=[self._known])
        step = -1 if self._fetches % 2 else 1
        key = msgspec.structs.replace(reply.sync_key, list=reply.sync_key.list[::step])
        return WEBWXSYNC.encode_reply(msgspec.structs.replace(reply, sync_key=key, sync_check_key=key))


class Cut(Counted):
    """Truncates the answers of webwxsync: at byte 0, at byte `stride`, at twice that, and so on to the end."""

    def __init__(self, inner: Transport, store: LoginMemory, stride: int) -> None:
        super().__init__(inner)
        self._stride = stride
        self.is_cutting = False
        self.length = self.whole = 0
        self.positions: set[tuple[str, str, int]] = set()
        """Each requested key, the key saved at that time, and the number of items saved beside it."""
        self._store = store

    async def send(self, request: Request) -> Response:
        response = await super().send(request)
        if request.endpoint != WEBWXSYNC.name or not self.is_cutting:
            return response
        saved = await saved_in(self._store)
        asked = WEBWXSYNC.decode_request(request).sync_key
        self.positions.add((str(asked), str(saved.login.fetch_key), len(saved.pending)))
        cut, self.whole = self.length, len(response.body.rstrip())
        self.length += self._stride
        self.is_cutting = cut < self.whole
        return msgspec.structs.replace(response, body=response.body[:cut])


class Poisoned(Counted):
    """Puts a malformed item after the first message of an answer of webwxsync."""

    def __init__(self, inner: Transport, poison: bytes) -> None:
        super().__init__(inner)
        self._poison = poison

    async def send(self, request: Request) -> Response:
        response = await super().send(request)
        if request.endpoint != WEBWXSYNC.name:
            return response
        body = response.body.replace(b"}\n,{", b"}\n," + self._poison + b"\n,{", 1)
        return msgspec.structs.replace(response, body=body)


class TestEvents:
    async def test_are_delivered_once_and_in_order_over_many_batches(self, log_in: LogIn, world: World) -> None:
        world.options = Options(batch_size=2)
        client = await log_in()
        for number in range(7):
            world.say("ahua", "me", str(number))

        assert texts(await take(client, 7)) == list("0123456")

    async def test_a_batch_with_a_continue_flag_is_followed_by_a_fetch_at_once(
        self, log_in: LogIn, world: World, sandbox: SandboxCore
    ) -> None:
        """A full batch has two messages here."""

        def say_more(reply: SyncReply) -> SyncReply:
            return msgspec.structs.replace(reply, continue_flag=int(len(reply.add_msg_list) == 2))

        carrier = Edited(Loopback(sandbox), say_more)
        world.options = Options(batch_size=2)
        client = await log_in(transport=carrier)
        await take(client, 1, include_all=True)  # The phone's greeting.
        carrier.calls.clear()
        for number in range(5):
            world.say("ahua", "me", str(number))

        assert texts(await take(client, 5)) == list("01234")
        assert carrier.calls[:4] == ["synccheck", "webwxsync", "webwxsync", "webwxsync"]
        assert "webwxsync" not in carrier.calls[4:]

    async def test_a_repeated_batch_is_delivered_once(self, log_in: LogIn, world: World, sandbox: SandboxCore) -> None:
        client = await log_in(transport=Repeating(Loopback(sandbox)))
        events = client.events(include_all=False)
        world.say("ahua", "me", "1")
        world.recall("ahua", "me")
        got = [await anext(events), await anext(events)]
        world.say("ahua", "me", "2")
        got.append(await anext(events))
        await events.aclose()

        assert [type(event) for event in got] == [TextMessage, MessageRecalled, TextMessage]
        assert texts(got) == ["1", "2"]

    async def test_of_the_phone_and_of_contacts_are_left_out_on_request(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.say("ahua", "me", "1")

        assert [type(event) for event in await take(client, 2, include_all=True)] == [PhoneActivity, TextMessage]
        world.befriend("xiaoming", "ahua", remark="花")
        world.say("ahua", "me", "2")
        assert texts(await take(client, 1)) == ["2"]
        assert client.contacts.find(remark="花").nickname == "阿华"

    @pytest.mark.parametrize(
        ("act", "action"),
        [
            (lambda world: world.read_chat(who="me", chat="ahua"), "read"),
            (lambda world: world.open_chat(who="me", chat="ahua"), "opened"),
            (lambda world: world.close_chat(who="me", chat="ahua"), "left"),
        ],
    )
    async def test_of_the_phone_have_an_action_and_a_chat(
        self, log_in: LogIn, world: World, act: Callable[[World], None], action: str
    ) -> None:
        client = await log_in()
        await take(client, 1, include_all=True)  # The phone's greeting.
        act(world)
        [activity] = await take(client, 1, include_all=True)

        assert isinstance(activity, PhoneActivity)
        assert (activity.action, activity.chat) == (action, client.contacts.resolve("阿华").id)

    async def test_of_a_deleted_friend_remove_the_contact(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.unfriend("me", "ahua")
        await take(client, 2, include_all=True)

        with pytest.raises(UnknownContact):
            client.contacts.resolve("阿华")

    async def test_own_messages_are_delivered_where_the_platform_echoes_them(self, log_in: LogIn, world: World) -> None:
        world.options = Options(echo="on")
        client = await log_in()
        receipt = await client.send_text("阿华", "hi")
        [echo] = await take(client, 1)

        assert isinstance(echo, TextMessage)
        assert (echo.is_self, echo.message_id, echo.chat) == (True, receipt.message_id, receipt.chat)

    @pytest.mark.parametrize("chat", ["阿华", "周末爬山", "filehelper"])
    async def test_an_echo_handler_answers_others_once_and_never_itself(
        self, log_in: LogIn, world: World, chat: str
    ) -> None:
        world.options = Options(echo="on")
        client = await log_in()
        await client.send_text(chat, "from this client")
        world.say("me", world.chat_id(world.person("me"), chat), "from the phone")
        world.say("ahua", "me", "first")
        later(world, (60, lambda: world.say("ahua", "me", "last")))
        received: list[TextMessage] = []
        async for event in client.events():
            if isinstance(event, TextMessage):
                received.append(event)
                if not event.is_self:
                    await client.reply(event, event.text)
                if len(received) == 5:
                    break

        others = [event for event in received if not event.is_self]
        assert texts(others) == ["first", "last"]
        # The echo of the answer may arrive before the next message or after it.
        assert sorted(texts(received)) == ["first", "first", "from the phone", "from this client", "last"]
        assert [each.text for each in world.inbox("ahua")["xiaoming"].messages].count("first") == 2

    async def test_a_silent_change_is_fetched_once(self, log_in: LogIn, world: World, counted: Counted) -> None:
        """A client that polls with the fetch key would get an answer at once for ever."""
        world.options = Options(silent_changes=True)
        client = await log_in()
        await take(client, 1, include_all=True)
        await client.send_image("filehelper", PNG)
        counted.calls.clear()
        later(world, (100, lambda: world.say("ahua", "me", "hi")))

        assert texts(await take(client, 1)) == ["hi"]
        assert counted.calls.count("synccheck") >= 4
        assert counted.calls.count("webwxsync") == 2

    def test_a_server_that_never_delivers_what_it_announces_is_not_asked_at_full_speed(
        self, log_in: LogIn, sandbox: SandboxCore, virtual_runner: asyncio.Runner
    ) -> None:
        carrier = AlwaysSomething(Loopback(sandbox))
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(listen(client, 0.9))  # It ends in a pause, so no batch is left to store.
        carrier.calls.clear()
        virtual_runner.run(listen(client, 0.9))

        assert carrier.calls == ["synccheck", "webwxsync"] * 2

    async def test_a_server_that_repeats_one_batch_is_not_asked_at_full_speed(
        self, log_in: LogIn, world: World, sandbox: SandboxCore
    ) -> None:
        carrier = RepeatedBatch(Loopback(sandbox))
        client = await log_in(transport=carrier)
        world.say("ahua", "me", "hi")
        carrier.calls.clear()
        async with client.events(include_all=False) as events:
            assert texts([await anext(events)]) == ["hi"]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await anext(events)
        assert carrier.calls.count("webwxsync") <= 4

    async def test_a_new_skey_is_used_from_then_on(self, log_in: LogIn, world: World, sandbox: SandboxCore) -> None:
        carrier = Edited(Loopback(sandbox), lambda reply: msgspec.structs.replace(reply, skey="@crypt_new"))
        store = LoginMemory()
        client = await log_in(transport=carrier, store=store)
        await take(client, 1, include_all=True)
        world.say("ahua", "me", "hi")
        await take(client, 1)

        assert carrier.skeys[0] != "@crypt_new"
        assert carrier.skeys[1] == (await saved_in(store)).login.credentials.skey == "@crypt_new"

    async def test_a_lost_fetch_is_repeated_and_loses_nothing(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        world.say("ahua", "me", "hi")
        counted.lose_answers("webwxsync")

        assert texts(await take(client, 1)) == ["hi"]
        assert counted.calls.count("webwxsync") == 2

    async def test_are_not_lost_by_a_process_that_only_sends(
        self, log_in: LogIn, new_client: NewClient, world: World, tmp_path: Path
    ) -> None:
        path = tmp_path / "me.json"
        listener = await log_in(store=LoginFile(path))
        for number in range(3):
            world.say("ahua", "me", str(number))
        await take(listener, 1)
        sender = new_client(store=LoginFile(path))
        await sender.resume()
        await sender.send_text("filehelper", "hi")
        await take(listener, 1)
        await sender.close()
        after = new_client(store=LoginFile(path))
        await after.resume()

        assert texts(await take(after, 1)) == ["2"]

    async def test_a_new_chat_can_be_answered(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        client.contacts.remove(client.contacts.find(nickname="阿华").id)
        world.say("ahua", "me", "hi")
        [message] = await take(client, 1)
        assert isinstance(message, TextMessage)
        await client.reply(message, "hello")

        assert last(world, "ahua", "xiaoming").text == "hello"

    async def test_a_malformed_message_affects_no_other(
        self, log_in: LogIn, world: World, sandbox: SandboxCore
    ) -> None:
        def spoil(reply: SyncReply) -> SyncReply:
            messages = list(reply.add_msg_list)
            if len(messages) > 4:
                messages[2] = msgspec.Raw(b'{"MsgType":"x"}')
            return msgspec.structs.replace(reply, add_msg_list=messages)

        carrier = Edited(Loopback(sandbox), spoil)
        client = await log_in(transport=carrier)
        await take(client, 1, include_all=True)
        carrier.skeys.clear()
        for number in range(5):
            world.say("ahua", "me", str(number))
        got = await take(client, 5)

        assert texts(got) == list("0134")
        assert isinstance(got[2], QuarantinedMessage)
        assert msgspec.json.decode(got[2].raw) == {"MsgType": "x"}
        assert len(carrier.skeys) == 1

    async def test_a_fetch_that_is_refused_for_good_ends_the_login_at_once(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        await take(client, 1, include_all=True)
        world.say("ahua", "me", "hi")
        world.refuse_next("webwxsync", 1101)
        counted.calls.clear()

        with pytest.raises(LoggedOut) as caught:
            await take(client, 1)
        assert (caught.value.reason, caught.value.ret) == ("evicted", 1101)
        assert counted.calls == ["synccheck", "webwxsync"]
        assert client.state is LoginState.LOGGED_OUT

    async def test_an_error_without_a_key_keeps_the_stored_key(
        self, log_in: LogIn, world: World, sandbox: SandboxCore
    ) -> None:
        carrier = Garbled(Loopback(sandbox), endpoint=WEBWXSYNC.name)
        client = await log_in(transport=carrier)
        await take(client, 1, include_all=True)
        world.say("ahua", "me", "hi")
        carrier.answers = (Response(body=b'{"BaseResponse":{"Ret":-1},"SyncKey":null}'),)
        later_on = asyncio.get_running_loop().call_later(0.05, setattr, carrier, "answers", ())

        assert texts(await take(client, 1)) == ["hi"]
        later_on.cancel()

    @pytest.mark.parametrize("selector", [*range(1, 10), 10, 99])
    async def test_any_selector_but_0_leads_to_a_fetch(
        self, log_in: LogIn, world: World, sandbox: SandboxCore, selector: int
    ) -> None:
        carrier = Garbled(Loopback(sandbox))
        client = await log_in(transport=carrier)
        await take(client, 1, include_all=True)
        world.say("ahua", "me", "hi")
        carrier.answers = (SYNCCHECK.encode_reply(CheckReply(retcode=0, selector=selector)),)

        assert texts(await take(client, 1)) == ["hi"]

    async def test_a_burst_is_delivered_completely_and_in_order(
        self, log_in: LogIn, world: World, sandbox: SandboxCore
    ) -> None:
        dice = random.Random(9)
        client = await log_in()
        await take(client, 1, include_all=True)
        said: dict[str, list[str]] = {"ahua": [], "lilei": [], "zhangsan": []}
        for number in range(1_000):
            who = dice.choice(list(said))
            world.say(who, "me", f"{who} {number}")
            said[who].append(f"{who} {number}")
        got: list[str] = []
        async with client.events(include_all=False) as events:
            while len(got) < 1_000:
                world.options = Options(batch_size=dice.randint(1, 60))
                got += texts([await anext(events)])

        assert len(set(got)) == 1_000
        for who, theirs in said.items():
            assert [text for text in got if text.startswith(who)] == theirs

    async def test_messages_of_any_age_are_delivered(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        for number in range(10):
            world.say("ahua", "me", str(number))
        world.wind(60)

        assert texts(await take(client, 10)) == list("0123456789")


CONTROLS = bytes(range(0x20))
POISON: dict[str, tuple[bytes, str]] = {
    "a lone surrogate": (b'"Content":"a\\ud83db"', "a\ufffdb"),
    "NUL": (b'"Content":"a\\u0000b"', "a\0b"),
    "a number beyond 64 bits": (b'"Content":"ab","CreateTime":18446744073709551616', "ab"),
    "a number of 5,000 digits": (b'"Content":"ab","CreateTime":' + b"9" * 5_000, "ab"),
    "NaN": (b'"Content":"ab","CreateTime":NaN', "ab"),
    "two equal keys": (b'"Content":"a","Content":"ab"', "ab"),
    "100,000 brackets": (b'"Content":"ab","Url":' + b"[" * 100_000 + b"]" * 100_000, "ab"),
    "bytes that are no UTF-8": (b'"Content":"a\xffb"', "a\ufffdb"),
}


class TestPoison:
    """A poison item affects neither itself, nor other items, nor the next process that reads it."""

    async def read(self, log_in: LogIn, new_client: NewClient, world: World, poison: bytes, path: Path) -> list[Event]:
        """Fetch three messages in one process; read the poison item and the last message in the next."""
        client = await log_in(store=LoginFile(path))
        await take(client, 1, include_all=True)  # The phone's greeting.
        await client.close()
        item = b'{"MsgId":"7","MsgType":1,"FromUserName":"@a",' + poison + b"}"
        first = new_client(store=LoginFile(path), transport=Poisoned(Loopback(SandboxCore(world)), item))
        second = new_client(store=LoginFile(path))
        for text in ("first", "last"):
            world.say("ahua", "me", text)
        taken: list[Event] = []
        for reader, count in ((first, 1), (second, 2)):
            await reader.resume()
            taken += await take(reader, count)
            await reader.close()
        return taken

    @pytest.mark.parametrize("poison", POISON)
    async def test_is_delivered_and_the_next_message_as_well(
        self, log_in: LogIn, new_client: NewClient, world: World, tmp_path: Path, poison: str
    ) -> None:
        content, text = POISON[poison]
        taken = await self.read(log_in, new_client, world, content, tmp_path / "me.json")

        assert texts(taken) == ["first", text, "last"]

    async def test_raw_control_characters_are_delivered_and_saved_unchanged(
        self, log_in: LogIn, new_client: NewClient, world: World, tmp_path: Path
    ) -> None:
        content = b'"Content":"a%sb"' % CONTROLS
        taken = await self.read(log_in, new_client, world, content, tmp_path / "me.json")

        assert texts(taken) == ["first", f"a{CONTROLS.decode()}b", "last"]


class Garbled(Counted):
    """Answers long polls with given responses, and forwards all other calls."""

    def __init__(self, inner: Transport, *answers: Response | Exception, endpoint: str = SYNCCHECK.name) -> None:
        super().__init__(inner)
        self.answers = answers
        self._endpoint = endpoint
        self._asked = 0

    async def send(self, request: Request) -> Response:
        if request.endpoint != self._endpoint or not self.answers:
            return await super().send(request)
        self.calls.append(request.endpoint)
        answer = self.answers[self._asked % len(self.answers)]
        self._asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


async def listen(client: AsyncClient, seconds: float) -> None:
    """Listen for this many seconds of the loop's clock."""
    stream = client.events()
    try:
        async with asyncio.timeout(seconds):
            async for _ in stream:
                pass
    except TimeoutError:
        await stream.aclose()


MINUTE = 60.0


HTML = Response(body=b"<html>502 Bad Gateway</html>")


class TestBadDays:
    """A minute of the loop's clock passes at once here."""

    @pytest.mark.parametrize(
        ("usual_journal", "answer"),
        [
            ("without a journal", HTML),
            ("with a journal", HTML),
            ("without a journal", Response(body=b"")),
            ("without a journal", Response(status=503)),
            ("without a journal", Response(body=b'window.synccheck={retcode:"-1",selector:"0"}')),
            ("without a journal", Response(body=b'window.synccheck={retcode:"424242",selector:"0"}')),
            ("without a journal", Timeout("synccheck: no answer")),
            ("without a journal", TransportError("synccheck: the connection broke")),
            ("without a journal", ConnectFailed("synccheck: no connection")),
        ],
        indirect=["usual_journal"],
        ids=["html", "html, journal", "empty", "503", "ret -1", "unknown ret", "timeout", "broken", "refused"],
    )
    def test_faults_neither_end_the_login_nor_cause_polls_at_full_speed(
        self, log_in: LogIn, sandbox: SandboxCore, virtual_runner: asyncio.Runner, answer: Response | Exception
    ) -> None:
        carrier = Garbled(Loopback(sandbox))
        client = virtual_runner.run(log_in(transport=carrier))
        carrier.answers = (answer,)
        carrier.calls.clear()
        virtual_runner.run(listen(client, MINUTE))

        assert client.state is LoginState.DEGRADED
        assert 3 <= len(carrier.calls) <= 10
        carrier.answers = ()
        virtual_runner.run(take(client, 1, include_all=True))
        assert is_online(client)

    @pytest.mark.parametrize("hours", [4, pytest.param(24, marks=pytest.mark.verify)])
    @pytest.mark.parametrize("usual_journal", ["without a journal"], indirect=True)
    def test_a_server_that_never_delivers_what_it_announces_is_polled_for_hours(
        self, log_in: LogIn, sandbox: SandboxCore, hours: int
    ) -> None:
        carrier = AlwaysSomething(Loopback(sandbox))
        with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
            client = runner.run(log_in(transport=carrier))
            runner.run(listen(client, hours * 60 * MINUTE))

        assert 116 * hours < carrier.calls.count("synccheck") < 125 * hours

    @pytest.mark.parametrize("stride", [13, pytest.param(1, marks=pytest.mark.verify)])
    @pytest.mark.parametrize("usual_journal", ["without a journal"], indirect=True)
    def test_a_truncated_batch_moves_no_key_and_the_complete_one_delivers_each_once(
        self, log_in: LogIn, world: World, sandbox: SandboxCore, stride: int
    ) -> None:
        store = LoginMemory()
        carrier = Cut(Loopback(sandbox), store, stride)

        async def read(client: AsyncClient) -> list[Event]:
            stream = client.events(include_all=False)
            taken = [await anext(stream) for _ in range(3)]
            world.say("ahua", "me", "after")
            taken.append(await anext(stream))
            await stream.aclose()
            return taken

        with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
            client = runner.run(log_in(transport=carrier, store=store))
            runner.run(take(client, 1, include_all=True))  # The phone's greeting.
            before = str(runner.run(saved_in(store)).login.fetch_key)
            for number in range(3):
                world.say("ahua", "me", f"你好 <{number}> 😀")
            carrier.is_cutting = True
            taken = runner.run(read(client))

        assert carrier.whole > 3_000
        assert carrier.whole + stride <= carrier.length < carrier.whole + 2 * stride
        assert carrier.positions == {(before, before, 0)}
        assert texts(taken) == ["你好 <0> 😀", "你好 <1> 😀", "你好 <2> 😀", "after"]

    def test_an_ended_session_whose_polls_succeed_ends_at_the_next_send(
        self, log_in: LogIn, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        announced = SYNCCHECK.encode_reply(CheckReply(retcode=0, selector=2))
        carrier = Garbled(Loopback(sandbox), announced)

        async def send_meanwhile(client: AsyncClient) -> None:
            await asyncio.sleep(MINUTE)
            world.refuse_next("webwxsendmsg", 1101)
            with pytest.raises(LoggedOut):
                await client.send_text("filehelper", "hi")

        async def both(client: AsyncClient) -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(send_meanwhile(client))
                with pytest.raises(LoggedOut) as caught:
                    await listen(client, 10 * MINUTE)
            assert caught.value.reason == "evicted"

        virtual_runner.run(both(virtual_runner.run(log_in(transport=carrier))))

    @pytest.mark.parametrize("hours", [4, pytest.param(24, marks=pytest.mark.verify)])
    @pytest.mark.parametrize("usual_journal", ["without a journal"], indirect=True)
    def test_hours_without_changes_cause_no_send(
        self, log_in: LogIn, world: World, counted: Counted, virtual_runner: asyncio.Runner, hours: int
    ) -> None:
        client = virtual_runner.run(log_in())
        virtual_runner.run(take(client, 1, include_all=True))
        later(world, (hours * 3600, lambda: world.log_out("me")))
        counted.calls.clear()
        with pytest.raises(LoggedOut) as caught:
            virtual_runner.run(listen(client, MINUTE))

        assert set(counted.calls) == {"synccheck"}
        assert len(counted.calls) > 125 * hours
        assert caught.value.last_ok_at is not None
        assert caught.value.last_ok_at >= world.now - 30

    @pytest.mark.parametrize(
        ("usual_journal", "outages"), [("without a journal", 3), ("with a journal", 1)], indirect=["usual_journal"]
    )
    def test_after_an_outage_missed_messages_arrive_at_once_and_last_sync_at_shows_the_age(
        self, log_in: LogIn, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner, outages: int
    ) -> None:
        carrier = Hanging(Loopback(sandbox), Timeouts().poll)
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))

        async def outage() -> float:
            loop = asyncio.get_running_loop()
            carrier.hangs = True
            ages: list[float] = []
            async with client.events(include_all=False) as events:
                waiting = asyncio.ensure_future(anext(events))
                begun = loop.time()
                while loop.time() - begun < 3 * MINUTE:
                    await asyncio.sleep(5)
                    if client.state is LoginState.ONLINE:
                        ages.append(loop.time() - begun)
                assert not waiting.done()
                assert client.state is LoginState.DEGRADED
                world.say("ahua", "me", "hi")
                carrier.hangs = False
                mended = loop.time()
                event = await waiting
                await events.ack()
            assert texts([event]) == ["hi"]
            assert max(ages) <= 90
            assert client.last_sync_at is not None
            return loop.time() - mended

        # At worst a poll that hangs has just begun.
        for _ in range(outages):
            assert virtual_runner.run(outage()) <= Timeouts().poll + 36
            assert client.state is LoginState.ONLINE

    def test_a_poll_times_out_ten_seconds_after_its_hold_time(self) -> None:
        assert Timeouts().poll == POLL_HOLD + 10

    def test_the_time_of_the_last_sync_is_available(
        self, log_in: LogIn, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        client = virtual_runner.run(log_in())
        before = client.last_sync_at
        virtual_runner.run(take(client, 1, include_all=True))
        assert before is None
        assert client.last_sync_at is not None
        assert client.last_sync_at <= world.now

    def test_a_poll_that_hangs_during_a_suspend_is_repeated_at_once(
        self, new_client: NewClient, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner, phone_of: Phone
    ) -> None:
        carrier = Hanging(Loopback(sandbox), 10 * MINUTE)
        client = new_client(transport=carrier)
        virtual_runner.run(client.login(show_qr=phone_of("me")))
        virtual_runner.run(take(client, 1, include_all=True))

        async def sleep_meanwhile() -> float:
            loop = asyncio.get_running_loop()
            carrier.hangs = True
            async with client.events(include_all=False) as events:
                waiting = asyncio.ensure_future(anext(events))
                await carrier.hung.wait()
                carrier.hangs = False
                world.say("ahua", "me", "hi")
                world.clock.wind(300)  # Only the system clock goes on.
                woken = loop.time()
                await waiting
            return loop.time() - woken

        assert virtual_runner.run(sleep_meanwhile()) <= 6

    @pytest.mark.parametrize("usual_journal", ["without a journal"], indirect=True)
    def test_a_malformed_answer_never_ends_the_login(
        self, log_in: LogIn, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        """
        The error that the transport raises for a status line `HTTP/1.1 0`: tests/transport/conformance/test_answers.py.
        """
        garbage = TransportError("synccheck: the connection broke (BadStatusLine).")
        nothing = SYNCCHECK.encode_reply(CheckReply(retcode=0, selector=0))
        carrier = Garbled(Loopback(sandbox), *[garbage] * 50, nothing, *[garbage] * 50)
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(listen(client, 100 * 30.0))

        assert client.state is LoginState.DEGRADED
        carrier.answers = ()
        world.say("ahua", "me", "hi")
        assert texts(virtual_runner.run(take(client, 1))) == ["hi"]
        assert is_online(client)

    def test_a_key_that_is_refused_for_a_long_time_is_replaced_with_a_gap(
        self, log_in: LogIn, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        carrier = Garbled(Loopback(sandbox), endpoint=WEBWXSYNC.name)
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        carrier.answers = (Response(body=b'{"BaseResponse":{"Ret":1200}}'),)
        world.say("ahua", "me", "lost")

        async def read() -> list[Event]:
            loop, begun, got = asyncio.get_running_loop(), asyncio.get_running_loop().time(), []
            async with client.events(include_all=False) as events:
                got.append(await anext(events))
                assert loop.time() - begun > REFUSED_FOR
                carrier.answers = ()
                world.say("ahua", "me", "hi")
                got.append(await anext(events))
                await events.ack()
            return got

        gap, message = virtual_runner.run(read())
        assert isinstance(gap, ContinuityLost)
        assert gap.reason == "key_refused"
        assert gap.since <= gap.until
        assert texts([message]) == ["hi"]

    def test_a_batch_that_stays_too_large_is_reported_and_skipped(
        self,
        log_in: LogIn,
        sandbox: SandboxCore,
        world: World,
        virtual_runner: asyncio.Runner,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        carrier = Garbled(Loopback(sandbox), endpoint=WEBWXSYNC.name)
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        carrier.answers = (Failures(WEBWXSYNC.name).too_large(16),)
        carrier.calls.clear()
        world.say("ahua", "me", "too much")

        async def read() -> list[Event]:
            got = []
            async with client.events(include_all=False) as events:
                got.append(await anext(events))
                carrier.answers = ()
                world.say("ahua", "me", "hi")
                got.append(await anext(events))
                await events.ack()
            return got

        gap, message = virtual_runner.run(read())
        assert isinstance(gap, ContinuityLost)
        assert gap.reason == "answer_too_large"
        assert texts([message]) == ["hi"]
        assert carrier.calls.count(WEBWXSYNC.name) < 20
        reports = [line for line in caplog.messages if "its items are given up" in line]
        assert 1 <= len(reports) <= 2  # Not each of its fetches; after the gap one more has begun.
        assert reports[0] == (
            "webwxsync: the answer is larger than 16 bytes. It is fetched again; after 300 s its items are given up."
        )

    def test_a_batch_that_was_too_large_for_a_short_time_is_not_skipped(
        self, log_in: LogIn, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        carrier = Garbled(Loopback(sandbox), endpoint=WEBWXSYNC.name)
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        carrier.answers = (Failures(WEBWXSYNC.name).too_large(16),)
        world.say("ahua", "me", "hi")

        async def read() -> Event:
            asyncio.get_running_loop().call_later(REFUSED_FOR / 2, setattr, carrier, "answers", ())
            async with client.events(include_all=False) as events:
                return await anext(events)

        assert texts([virtual_runner.run(read())]) == ["hi"]

    def test_refusals_of_an_earlier_login_do_not_count_against_the_next_one(
        self,
        log_in: LogIn,
        sandbox: SandboxCore,
        world: World,
        virtual_runner: asyncio.Runner,
        phone_of: Phone,
    ) -> None:
        carrier = Garbled(Loopback(sandbox), endpoint=WEBWXSYNC.name)
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        carrier.answers = (Response(body=b'{"BaseResponse":{"Ret":1200}}'),)
        world.say("ahua", "me", "in the earlier login")
        virtual_runner.run(listen(client, REFUSED_FOR / 2))

        async def read() -> set[str]:
            """Read until the new login's message, and return the reasons of the gaps before it."""
            await client.logout()
            await client.login(show_qr=phone_of("me"))
            await asyncio.sleep(REFUSED_FOR)
            asyncio.get_running_loop().call_later(MINUTE / 2, setattr, carrier, "answers", ())
            world.say("ahua", "me", "hi")
            reasons = set[str]()
            async with asyncio.timeout(10 * MINUTE):
                async for event in client.events(include_all=False):
                    if isinstance(event, ContinuityLost):
                        reasons.add(event.reason)
                    elif isinstance(event, TextMessage):
                        break
            return reasons

        assert virtual_runner.run(read()) <= {"new_login"}

    def test_a_key_that_is_refused_sometimes_is_kept(
        self, log_in: LogIn, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        carrier = Garbled(Loopback(sandbox), endpoint=WEBWXSYNC.name)
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        carrier.answers = (Response(body=b'{"BaseResponse":{"Ret":1200}}'),)
        carrier.calls.clear()
        world.say("ahua", "me", "hi")

        async def read() -> Event:
            asyncio.get_running_loop().call_later(REFUSED_FOR / 2, setattr, carrier, "answers", ())
            async with client.events(include_all=False) as events:
                return await anext(events)

        assert texts([virtual_runner.run(read())]) == ["hi"]
        assert "webwxinit" not in carrier.calls

    @pytest.mark.parametrize("refusals", [1, MIN_REFUSALS - 1])
    def test_a_key_that_was_refused_before_the_network_failed_is_kept(
        self, log_in: LogIn, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner, refusals: int
    ) -> None:
        refused = Response(body=b'{"BaseResponse":{"Ret":1200}}')
        broken = TransportError("webwxsync: the connection broke.")
        carrier = Garbled(Loopback(sandbox), endpoint=WEBWXSYNC.name)
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        carrier.answers = (*[refused] * refusals, *[broken] * 1_000)
        carrier.calls.clear()
        world.say("ahua", "me", "hi")

        async def read() -> Event:
            asyncio.get_running_loop().call_later(2 * REFUSED_FOR, setattr, carrier, "answers", ())
            async with client.events(include_all=False) as events:
                return await anext(events)

        assert texts([virtual_runner.run(read())]) == ["hi"]
        assert "webwxinit" not in carrier.calls


REFUSED_FOR_NOW = Response(
    body=b'{"BaseResponse":{"Ret":3,"ErrMsg":""},"AddMsgCount":0,"AddMsgList":[],"ModContactCount":0,'
    b'"ModContactList":[],"DelContactCount":0,"DelContactList":[],"ModChatRoomMemberCount":0,'
    b'"ModChatRoomMemberList":[],"ContinueFlag":0,"SyncKey":{"Count":0,"List":[]},"SKey":"",'
    b'"SyncCheckKey":{"Count":0,"List":[]}}'
)
"""An answer that was observed for two hours, also on the official page."""


NOTHING_NEW = SYNCCHECK.encode_reply(CheckReply(retcode=0, selector=0))


class TestARefusalThatPasses:
    @pytest.mark.parametrize(
        ("usual_journal", "minutes"), [("without a journal", 120), ("with a journal", 10)], indirect=["usual_journal"]
    )
    def test_ret_3_of_a_fetch_degrades_the_login_and_is_logged_once(
        self,
        log_in: LogIn,
        sandbox: SandboxCore,
        world: World,
        virtual_runner: asyncio.Runner,
        minutes: int,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        carrier = Garbled(Loopback(sandbox), endpoint=WEBWXSYNC.name)
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        world.say("ahua", "me", "hi")
        carrier.answers = (REFUSED_FOR_NOW,)
        carrier.calls.clear()
        virtual_runner.run(listen(client, minutes * MINUTE))

        assert client.state is LoginState.DEGRADED
        assert set(carrier.calls) == {"synccheck", "webwxsync"}
        assert carrier.calls.count("webwxsync") <= 10 + 3 * minutes
        assert [line.levelname for line in caplog.records if "ret 3" in line.getMessage()] == ["WARNING"]
        carrier.answers = ()
        assert texts(virtual_runner.run(take(client, 1))) == ["hi"]
        assert is_online(client)
        assert [line.getMessage() for line in caplog.records][-1] == "The connection is restored."

    @pytest.mark.parametrize("usual_journal", ["without a journal"], indirect=True)
    def test_ret_3_of_a_poll_degrades_the_login(
        self, log_in: LogIn, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        carrier = Garbled(Loopback(sandbox))
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        carrier.answers = (SYNCCHECK.encode_reply(CheckReply(retcode=3)),)
        virtual_runner.run(listen(client, 10 * MINUTE))

        assert client.state is LoginState.DEGRADED
        carrier.answers = ()
        world.say("ahua", "me", "hi")
        assert texts(virtual_runner.run(take(client, 1))) == ["hi"]

    @pytest.mark.parametrize("usual_journal", ["without a journal"], indirect=True)
    def test_while_fetches_fail_each_poll_is_followed_by_one(
        self, log_in: LogIn, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        fetches = Garbled(Loopback(sandbox), endpoint=WEBWXSYNC.name)
        carrier = Garbled(fetches)
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        world.say("ahua", "me", "hi")
        fetches.answers = (REFUSED_FOR_NOW,)
        virtual_runner.run(listen(client, MINUTE))
        fetches.answers, carrier.answers = (), (NOTHING_NEW,)
        carrier.calls.clear()

        assert texts(virtual_runner.run(take(client, 1))) == ["hi"]
        assert carrier.calls == ["synccheck", "webwxsync"]

    @pytest.mark.parametrize("usual_journal", ["without a journal"], indirect=True)
    def test_announced_items_that_cannot_be_fetched_for_a_minute_degrade_the_state(
        self, log_in: LogIn, sandbox: SandboxCore, virtual_runner: asyncio.Runner
    ) -> None:
        """A poll that succeeds between two slow failures does not hide them."""
        carrier = SlowFetch(Loopback(sandbox))
        client = virtual_runner.run(log_in(transport=carrier))

        async def watch() -> set[LoginState]:
            listening = asyncio.create_task(listen(client, 5 * MINUTE))
            await asyncio.sleep(STALE_AFTER + 2 * carrier.SECONDS)
            states = set[LoginState]()
            while not listening.done():
                states.add(client.state)
                await asyncio.sleep(0.1)
            return states

        assert virtual_runner.run(watch()) == {LoginState.DEGRADED}

    def test_failing_fetches_degrade_the_state_until_one_succeeds(
        self, new_client: NewClient, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner, phone_of: Phone
    ) -> None:
        changes: list[StateChange] = []
        carrier = Garbled(Loopback(sandbox), endpoint=WEBWXSYNC.name)
        client = AsyncClient(server=SERVER, transport=carrier, clock=world.clock.now, on_state=changes.append)
        virtual_runner.run(client.login(show_qr=phone_of("me")))
        virtual_runner.run(take(client, 1, include_all=True))
        changes.clear()
        world.say("ahua", "me", "hi")
        carrier.answers = (HTML,)
        virtual_runner.run(listen(client, 4 * MINUTE))
        carrier.answers = ()

        assert texts(virtual_runner.run(take(client, 1))) == ["hi"]
        assert [(change.state, change.before) for change in changes] == [
            (LoginState.DEGRADED, LoginState.ONLINE),
            (LoginState.ONLINE, LoginState.DEGRADED),
        ]


class TestNonsense:
    """A server that answers at once without changes is called less and less often."""

    @pytest.fixture(params=["nothing waits", "something waits", "a contact changes", "a key moves", "two positions"])
    def carrier(self, request: pytest.FixtureRequest, sandbox: SandboxCore) -> Counted:
        loopback = Loopback(sandbox)
        match request.param:
            case "nothing waits":
                return Garbled(loopback, NOTHING_NEW)
            case "something waits":
                return AlwaysSomething(loopback)
            case "a key moves":
                return MovingKey(loopback)
            case "two positions":
                return TwoPositions(loopback)
            case _:
                return EndlessContactChanges(loopback)

    @pytest.mark.parametrize("usual_journal", ["without a journal"], indirect=True)
    def test_is_called_a_limited_number_of_times_and_messages_arrive(
        self, log_in: LogIn, world: World, virtual_runner: asyncio.Runner, carrier: Counted
    ) -> None:
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        carrier.calls.clear()
        virtual_runner.run(listen(client, MINUTE))
        first = len(carrier.calls)
        carrier.calls.clear()
        virtual_runner.run(listen(client, 10 * MINUTE))
        later_on = len(carrier.calls)

        async def wait_for_message() -> float:
            loop = asyncio.get_running_loop()
            async with client.events(include_all=False) as events:
                waiting = asyncio.ensure_future(anext(events))
                await asyncio.sleep(5 * MINUTE)
                world.say("ahua", "me", "hi")
                said = loop.time()
                assert texts([await waiting]) == ["hi"]
            return loop.time() - said

        is_about_contacts = isinstance(carrier, EndlessContactChanges)
        # Rounds that change contacts are two calls each, and at most four seconds apart.
        assert first <= (50 if is_about_contacts else 30)
        assert later_on <= (330 if is_about_contacts else 70)
        assert virtual_runner.run(wait_for_message()) <= (5 if is_about_contacts else 31)

    @pytest.mark.parametrize("usual_journal", ["with a journal"], indirect=True)
    def test_is_called_a_limited_number_of_times_with_a_journal(
        self, log_in: LogIn, virtual_runner: asyncio.Runner, carrier: Counted
    ) -> None:
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        carrier.calls.clear()
        virtual_runner.run(listen(client, MINUTE))

        assert len(carrier.calls) <= (50 if isinstance(carrier, EndlessContactChanges) else 30)

    def test_does_not_prevent_the_end_of_a_stream_without_follow(
        self, log_in: LogIn, sandbox: SandboxCore, virtual_runner: asyncio.Runner
    ) -> None:
        async def read() -> None:
            async for _ in client.events(follow=False):
                pass

        carrier = EndlessContactChanges(Loopback(sandbox))
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(read())

        assert carrier.calls.count("webwxsync") <= 10


class Hanging(Counted):
    """Holds polls until they time out, as after a silent loss of the connection."""

    def __init__(self, inner: Transport, patience: float) -> None:
        super().__init__(inner)
        self._patience = patience
        self.hangs = False
        self.hung = asyncio.Event()

    async def send(self, request: Request) -> Response:
        if request.endpoint == SYNCCHECK.name and self.hangs:
            self.hung.set()
            await asyncio.sleep(self._patience)
            raise Timeout("synccheck: no answer in time.")
        return await super().send(request)


KNOWN = 400
"""Messages that a client has received before a server goes back."""

SOON = 5.0
"""Maximum of seconds until a new message is delivered although known ones come first."""


class Keys(Edited):
    """Changes the answers of webwxsync, and records the key of each fetch."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner, lambda reply: self.change(reply))
        self.change: Callable[[SyncReply], SyncReply] = lambda reply: reply
        self.asked: list[SyncKey] = []

    async def send(self, request: Request) -> Response:
        if request.endpoint == WEBWXSYNC.name:
            self.asked.append(WEBWXSYNC.decode_request(request).sync_key)
        return await super().send(request)


def counters(key: SyncKey) -> dict[int, int]:
    return {pair.key: pair.val for pair in key.list}


def changed(key: SyncKey, number: int, value: int | None) -> SyncKey:
    """Return a key with another value of a counter, or without it."""
    kept = tuple(pair for pair in key.list if pair.key != number)
    if value is not None:
        kept = (*kept, KeyValue(key=number, val=value))
    return msgspec.structs.replace(key, count=len(kept), list=kept)


def with_keys(reply: SyncReply, change: Callable[[SyncKey], SyncKey]) -> SyncReply:
    return msgspec.structs.replace(reply, sync_key=change(reply.sync_key), sync_check_key=change(reply.sync_check_key))


EXTRA = 9_000
"""A counter that the sandbox does not know, and ignores."""


class TestAServerThatGoesBack:
    """It sends known messages again; they are skipped at full speed, and new ones are not late."""

    @pytest.fixture
    def carrier(self, sandbox: SandboxCore) -> Keys:
        return Keys(Loopback(sandbox))

    @pytest.fixture
    def client(self, log_in: LogIn, world: World, virtual_runner: asyncio.Runner, carrier: Keys) -> AsyncClient:
        client = virtual_runner.run(log_in(transport=carrier))
        for number in range(KNOWN):
            world.say("ahua", "me", str(number))
        assert len(virtual_runner.run(take(client, KNOWN))) == KNOWN
        carrier.asked.clear()
        return client

    async def read(self, client: AsyncClient, *says: Callable[[], object]) -> tuple[list[str], float]:
        """Return the next text after each action, and the seconds until the last one."""
        begun, got = asyncio.get_running_loop().time(), list[Event]()
        async with client.events(include_all=False) as events:
            for say in says:
                say()
                got.append(await anext(events))
            await events.ack()
        return texts(got), asyncio.get_running_loop().time() - begun

    @pytest.mark.parametrize("fault", ["shrunk_key:keep=1,times=2", "rewound_key:times=2"])
    def test_to_its_start_delays_no_new_message(
        self,
        client: AsyncClient,
        world: World,
        virtual_runner: asyncio.Runner,
        carrier: Keys,
        caplog: pytest.LogCaptureFixture,
        fault: str,
    ) -> None:
        world.faults.add(fault)
        says = [lambda text=text: world.say("ahua", "me", text) for text in "abc"]
        got, seconds = virtual_runner.run(self.read(client, *says))

        assert got == list("abc")
        assert seconds <= SOON
        assert len(carrier.asked) > KNOWN / 50  # It has sent everything again.
        assert len([line for line in caplog.messages if "are skipped" in line]) == 1

    def test_to_its_start_does_not_end_a_stream_that_does_not_follow(
        self, client: AsyncClient, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        async def read() -> list[str]:
            async with client.events(include_all=False, follow=False) as events:
                return texts([event async for event in events])

        world.faults.add("shrunk_key:keep=1,times=2")
        world.say("ahua", "me", "a")
        assert virtual_runner.run(read()) == ["a"]
        world.say("ahua", "me", "b")
        got = virtual_runner.run(read())
        world.say("ahua", "me", "c")

        assert [*got, *virtual_runner.run(read())] == ["b", "c"]

    @pytest.mark.parametrize("number", [SyncKeyKind.MESSAGES, SyncKeyKind.CONTACTS])
    @pytest.mark.parametrize("value", [None, 1], ids=["missing", "lower"])
    def test_once_in_one_counter_is_ignored(
        self,
        client: AsyncClient,
        world: World,
        virtual_runner: asyncio.Runner,
        carrier: Keys,
        number: int,
        value: int | None,
    ) -> None:
        def shorten(reply: SyncReply) -> SyncReply:
            carrier.change = lambda reply: reply
            return with_keys(reply, lambda key: changed(key, number, value))

        carrier.change = shorten
        says = [lambda text=text: world.say("ahua", "me", text) for text in "abc"]
        got, _ = virtual_runner.run(self.read(client, *says))

        assert got == list("abc")
        asked = [counters(key) for key in carrier.asked]
        assert [each[number] for each in asked] == sorted(each[number] for each in asked)
        assert len(asked) <= 6  # It has sent nothing twice but one batch.

    def test_again_in_one_counter_is_followed(
        self, client: AsyncClient, world: World, virtual_runner: asyncio.Runner, carrier: Keys
    ) -> None:
        carrier.change = lambda reply: with_keys(reply, lambda key: changed(key, SyncKeyKind.TIME, None))
        says = [lambda text=text: world.say("ahua", "me", text) for text in "abcd"]
        got, _ = virtual_runner.run(self.read(client, *says))

        assert got == list("abcd")
        has_time = [SyncKeyKind.TIME in counters(key) for key in carrier.asked]
        assert (has_time[:2], any(has_time[2:])) == ([True, True], False)

    @pytest.mark.parametrize("fault", ["rewound_key@0.5", "rewound_key", "shrunk_key@0.5", "shrunk_key"])
    def test_in_many_or_all_of_its_answers_delivers_new_messages(
        self, client: AsyncClient, world: World, virtual_runner: asyncio.Runner, fault: str
    ) -> None:
        world.faults.reseed(4)
        world.faults.add(fault)
        says = [lambda number=number: world.say("ahua", "me", f"new {number}") for number in range(20)]
        got, seconds = virtual_runner.run(self.read(client, *says))

        assert got == [f"new {number}" for number in range(20)]
        assert seconds <= 20 * LONGEST

    def test_in_one_key_affects_only_this_key(
        self, client: AsyncClient, world: World, virtual_runner: asyncio.Runner, carrier: Keys
    ) -> None:
        """The two keys of one answer were seen with different values of one counter."""

        def shift(key: SyncKey, by: int) -> SyncKey:
            return changed(key, EXTRA, 1_000 + by)

        def differ(reply: SyncReply) -> SyncReply:
            return msgspec.structs.replace(
                reply, sync_key=shift(reply.sync_key, 0), sync_check_key=shift(reply.sync_check_key, 500)
            )

        carrier.change = differ
        says = [lambda text=text: world.say("ahua", "me", text) for text in "abc"]
        got, _ = virtual_runner.run(self.read(client, *says))

        assert got == list("abc")
        assert {counters(key)[EXTRA] for key in carrier.asked[1:]} == {1_000}

    def test_in_a_new_login_is_followed_at_once(
        self, client: AsyncClient, world: World, virtual_runner: asyncio.Runner, carrier: Keys, phone_of: Phone
    ) -> None:
        carrier.change = lambda reply: with_keys(reply, lambda key: changed(key, EXTRA, 1_000))
        virtual_runner.run(self.read(client, lambda: world.say("ahua", "me", "a")))
        carrier.change = lambda reply: reply
        virtual_runner.run(client.logout())
        virtual_runner.run(client.login(show_qr=phone_of("me")))
        carrier.asked.clear()
        virtual_runner.run(take(client, 1, include_all=True))

        assert EXTRA not in counters(carrier.asked[0])


MISSING = ["null", "text", "object", "absent", "short"]
"""Forms of a list that does not hold the announced messages."""


class TestAnnouncedMessages:
    """Messages that an answer announces and does not hold are waited for, and reported if they do not come."""

    async def events(self, client: AsyncClient, count: int, *, follow: bool = True) -> tuple[list[Event], float]:
        begun, got = asyncio.get_running_loop().time(), list[Event]()
        async with client.events(include_all=False, follow=follow) as events:
            async for event in events:
                got.append(event)
                if len(got) == count:
                    break
            await events.ack()
        return got, asyncio.get_running_loop().time() - begun

    @pytest.mark.parametrize("form", MISSING)
    def test_are_delivered_once_an_answer_holds_them(
        self, log_in: LogIn, world: World, virtual_runner: asyncio.Runner, form: str
    ) -> None:
        client = virtual_runner.run(log_in())
        virtual_runner.run(take(client, 1, include_all=True))
        for text in "abc":
            world.say("ahua", "me", text)
        world.faults.add(f"missing_messages:list={form},times=2")
        got, _ = virtual_runner.run(self.events(client, 3))

        assert texts(got) == list("abc")
        assert client.state is LoginState.ONLINE

    @pytest.mark.parametrize("follow", [True, False])
    @pytest.mark.parametrize("form", MISSING)
    def test_that_never_come_are_reported_once(
        self,
        log_in: LogIn,
        sandbox: SandboxCore,
        world: World,
        virtual_runner: asyncio.Runner,
        form: str,
        *,
        follow: bool,
    ) -> None:
        carrier = Keys(Loopback(sandbox))
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        for text in "abc":
            world.say("ahua", "me", text)
        carrier.asked.clear()
        world.faults.add(f"missing_messages:list={form}")
        read = ["a", "b"] if form == "short" else []
        got, seconds = virtual_runner.run(self.events(client, 1 + len(read), follow=follow))
        fetches = [key for key in carrier.asked if key == carrier.asked[0]]
        world.faults.reset()
        world.say("ahua", "me", "d")
        later, _ = virtual_runner.run(self.events(client, 1, follow=follow))

        assert isinstance(got[0], ContinuityLost)
        assert got[0].reason == "messages_missing"
        assert (texts(got[1:]), texts(later)) == (read, ["d"])
        assert len(fetches) >= MIN_FETCHES
        assert seconds >= MIN_SECONDS
        assert len(got) + len(later) == 2 + len(read)

    def test_are_reported_once_although_the_position_does_not_move(
        self, log_in: LogIn, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        client = virtual_runner.run(log_in())
        virtual_runner.run(take(client, 1, include_all=True))
        for text in "ab":
            world.say("ahua", "me", text)
        world.faults.add("missing_messages:list=short")
        rule = world.faults.add("null_key")

        async def read() -> list[Event]:
            got: list[Event] = []
            async with client.events(include_all=False) as events:
                got.extend([await anext(events), await anext(events)])
                waiting = asyncio.ensure_future(anext(events))
                await asyncio.sleep(10 * MINUTE)
                world.faults.reset()
                got.append(await waiting)
                await events.ack()
            return got

        gap, first, second = virtual_runner.run(read())
        assert rule.hits > MIN_FETCHES
        assert isinstance(gap, ContinuityLost)
        assert texts([first, second]) == ["a", "b"]

    def test_degrade_the_state_until_they_are_given_up(
        self, log_in: LogIn, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        client = virtual_runner.run(log_in())
        virtual_runner.run(take(client, 1, include_all=True))
        world.say("ahua", "me", "a")
        world.faults.add("missing_messages")
        states: list[LoginState] = []

        async def read() -> None:
            reading = asyncio.create_task(self.events(client, 1))
            await asyncio.sleep(MIN_SECONDS / 2)
            states.append(client.state)
            await reading
            states.append(client.state)

        virtual_runner.run(read())
        assert states == [LoginState.DEGRADED, LoginState.ONLINE]

    @pytest.mark.parametrize("announced", [0, 1, 4])
    def test_fewer_than_the_answer_holds_are_no_failure(
        self, log_in: LogIn, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner, announced: int
    ) -> None:
        """A recorded answer announced one message, and held four."""
        carrier = Keys(Loopback(sandbox))
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        carrier.change = lambda reply: msgspec.structs.replace(reply, add_msg_count=announced)
        for text in "abcd":
            world.say("ahua", "me", text)
        got, seconds = virtual_runner.run(self.events(client, 4))

        assert texts(got) == list("abcd")
        assert seconds < 1

    def test_in_the_other_list_are_not_missing(
        self, log_in: LogIn, sandbox: SandboxCore, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        def move(reply: SyncReply) -> SyncReply:
            return msgspec.structs.replace(reply, add_msg_list=reply.add_msg_list[:1], msg_list=reply.add_msg_list[1:])

        carrier = Keys(Loopback(sandbox))
        client = virtual_runner.run(log_in(transport=carrier))
        virtual_runner.run(take(client, 1, include_all=True))
        carrier.change = move
        for text in "abc":
            world.say("ahua", "me", text)
        got, seconds = virtual_runner.run(self.events(client, 3))

        assert texts(got) == list("abc")
        assert seconds < 1

    def test_a_new_key_of_an_incomplete_answer_is_saved(
        self, log_in: LogIn, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        store = LoginMemory()
        client = virtual_runner.run(log_in(store=store))
        virtual_runner.run(take(client, 1, include_all=True))
        before = virtual_runner.run(saved_in(store)).login.credentials.skey
        world.say("ahua", "me", "a")
        world.faults.add("missing_messages")
        world.faults.add("rotated_skey:times=1")

        async def read() -> str:
            reading = asyncio.create_task(self.events(client, 1))
            await asyncio.sleep(MIN_SECONDS / 2)
            saved = await saved_in(store)
            await reading
            return saved.login.credentials.skey

        assert virtual_runner.run(read()) not in {"", before}

    def test_a_new_key_of_an_incomplete_answer_is_used(
        self, log_in: LogIn, world: World, virtual_runner: asyncio.Runner
    ) -> None:
        world.options = Options(strict_skey=True)
        client = virtual_runner.run(log_in())
        virtual_runner.run(take(client, 1, include_all=True))
        world.say("ahua", "me", "a")
        world.faults.add("missing_messages:times=1")
        world.faults.add("rotated_skey:times=1")
        got, _ = virtual_runner.run(self.events(client, 1))

        assert texts(got) == ["a"]
