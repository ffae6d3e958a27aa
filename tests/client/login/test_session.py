"""The account's session: the end of a login, several processes with one login, and calls of the process."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import pytest
from tests.carriers import Counted
from tests.client.conftest import PNG, SERVER, saved_in, take
from tests.client.virtual_loop import VirtualClockLoop
from tests.saved import LOGIN

from webwx.client.client import AsyncClient
from webwx.client.state import LoginState
from webwx.errors import (
    ApiError,
    ConnectFailed,
    InvalidSettings,
    LoggedOut,
    NotOnThisHost,
    TransportError,
)
from webwx.protocol.contacts import WEBWXINIT
from webwx.protocol.cookies import Jar
from webwx.protocol.messages import TEXT
from webwx.protocol.sync import SYNCCHECK
from webwx.storage.login import LoginFile, LoginMemory
from webwx.storage.saved_login import SavedLogin
from webwx.transport.loopback import Loopback
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from tests.client.conftest import LogIn, NewClient

    from webwx.client.reading.subscription import Subscription
    from webwx.model.login import QrCode
    from webwx.protocol.http import Request, Response
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.storage.sqlite.journal import SqliteJournal
    from webwx.transport.runner import Transport

    Phone = Callable[[str], Callable[[QrCode], object]]


def refuse_end(error: LoggedOut) -> NoReturn:
    """Fail, because this end of a login should not be reported."""
    pytest.fail(str(error))


class HoldsPolls(Counted):
    """Holds the answers to polls."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.is_holding = False
        self.is_held = asyncio.Event()
        self.release = asyncio.Event()

    async def send(self, request: Request) -> Response:
        if not self.is_holding or request.endpoint != SYNCCHECK.name:
            return await super().send(request)
        self.is_held.set()
        await self.release.wait()
        return await super().send(request)


async def read_all(subscription: Subscription) -> None:
    """Acknowledge events until the subscription ends."""
    while events := await subscription.take():
        for each in events:
            subscription.ack(each.entry.number)


class TestTheEndOfALogin:
    @pytest.mark.parametrize("ret", [-14, 1100, 1101, 1102])
    async def test_by_any_call_stops_every_other(self, log_in: LogIn, world: World, counted: Counted, ret: int) -> None:
        client = await log_in()
        world.refuse_next("webwxsendmsg", ret)
        with pytest.raises(LoggedOut) as first:
            await client.send_text("filehelper", "hi")
        counted.calls.clear()

        for attempt in (client.send_text("filehelper", "hi"), client.mark_read("阿华"), client.list_contacts(),
                        client.check(), client.download("1"), anext(client.events())):  # fmt: skip
            with pytest.raises(LoggedOut) as again:
                await attempt
            assert (again.value.reason, str(again.value)) == (first.value.reason, str(first.value))
        assert counted.calls == []

    async def test_is_reported_by_the_long_poll(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        await take(client, 1, include_all=True)
        world.log_out("me")

        with pytest.raises(LoggedOut) as caught:
            await take(client, 1)
        assert caught.value.reason == "phone"

    async def test_may_come_from_a_login_elsewhere(self, log_in: LogIn) -> None:
        first = await log_in()
        await log_in()

        with pytest.raises(LoggedOut) as caught:
            await first.send_text("filehelper", "hi")
        assert caught.value.reason == "evicted"

    async def test_leaves_pending_events_readable(
        self, log_in: LogIn, new_client: NewClient, world: World, counted: Counted
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        for number in range(3):
            world.say("ahua", "me", str(number))
        await take(client, 1)
        world.log_out("me")
        with pytest.raises(LoggedOut):
            await client.send_text("filehelper", "hi")
        counted.calls.clear()
        other = new_client(store=store)
        await other.resume()

        assert [getattr(event, "text", "") for event in await take(other, 2)] == ["1", "2"]
        with pytest.raises(LoggedOut):
            await take(other, 1)
        assert counted.calls == []

    async def test_is_followed_by_a_new_code(
        self, log_in: LogIn, new_client: NewClient, world: World, phone_of: Phone
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        world.log_out("me")
        with pytest.raises(LoggedOut):
            await client.check()
        for each in (client, new_client(store=store)):
            await each.login(show_qr=phone_of("me"))

            assert (await each.send_text("filehelper", "hi")).message_id

    @pytest.mark.parametrize("arrives", ["before the new login", "during the new login", "after the new login"])
    async def test_a_late_answer_to_an_earlier_login_does_not_end_the_present_one(
        self, log_in: LogIn, sandbox: SandboxCore, phone_of: Phone, journal: SqliteJournal, arrives: str
    ) -> None:
        carrier, scan = HoldsPolls(Loopback(sandbox)), phone_of("me")
        client = await log_in(transport=carrier, journal=journal)

        def show(code: QrCode) -> None:
            if arrives.startswith("during"):
                carrier.release.set()
            scan(code)

        async with client.subscribe("reader") as subscription:
            carrier.is_holding = True
            reading = asyncio.create_task(read_all(subscription))
            await carrier.is_held.wait()
            await client.logout()
            carrier.is_holding = False
            if arrives.startswith("before"):
                carrier.release.set()
            await client.login(show_qr=show)
            carrier.release.set()
            with pytest.raises(LoggedOut):
                await reading

        assert client.state is LoginState.ONLINE
        assert (await client.send_text("filehelper", "hi")).message_id

    async def test_of_a_saved_login_is_followed_by_a_new_code(
        self, log_in: LogIn, new_client: NewClient, world: World, phone_of: Phone
    ) -> None:
        store = LoginMemory()
        await log_in(store=store)
        world.log_out("me")
        shown: list[QrCode] = []
        confirm = phone_of("me")

        def show(code: QrCode) -> None:
            shown.append(code)
            confirm(code)

        await new_client(store=store).login(show_qr=show)

        assert len(shown) == 1

    async def test_does_not_replace_a_newer_login(self, log_in: LogIn) -> None:
        store, newer = LoginMemory(), LoginMemory()
        old = await log_in(store=store)
        await log_in(store=newer)
        await store.save(await saved_in(newer))
        with pytest.raises(LoggedOut):
            await old.send_text("filehelper", "hi")
        await old.close()

        assert await store.load() == await newer.load()


async def test_no_signal_handler_of_the_process_is_changed(log_in: LogIn) -> None:
    def handlers() -> list[object]:
        loop = asyncio.get_running_loop()
        signals = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
        return [sys.excepthook, sys.unraisablehook, threading.excepthook, loop.get_exception_handler(), *signals]

    before = handlers()
    async with await log_in() as client:
        await client.send_text("filehelper", "hi")
        await take(client, 1, include_all=True)

    assert handlers() == before


async def test_without_a_transport_it_uses_the_network(unused_port: int) -> None:
    async with AsyncClient(server=f"http://127.0.0.1:{unused_port}") as client:
        with pytest.raises(ConnectFailed, match=f"no connection to 127.0.0.1:{unused_port}"):
            await client.login()


@pytest.mark.parametrize(
    ("host", "server"),
    [("wx9.qq.com", None), ("evil.example", None), (None, "sandbox.test"), (None, "http://u:p@sandbox.test")],
)
def test_an_invalid_host_is_refused_at_once(host: str | None, server: str | None) -> None:
    with pytest.raises(NotOnThisHost):
        AsyncClient(host=host, server=server)


class Renewing(Counted):
    """Returns a new skey at each opened session, unless this is disabled."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.skey = ""
        self.sent_with = ""
        """The key of the last text that was sent."""

    async def send(self, request: Request) -> Response:
        if request.endpoint == TEXT.name:
            self.sent_with = TEXT.decode_request(request).credentials.skey
        response = await super().send(request)
        if request.endpoint != WEBWXINIT.name or not self.skey:
            return response
        reply = WEBWXINIT.decode_reply(response)
        return WEBWXINIT.encode_reply(msgspec.structs.replace(reply, skey=self.skey))


class RenewingForAll(Renewing):
    """Sends texts on as soon as eight have come."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self._come = asyncio.Barrier(8)

    async def send(self, request: Request) -> Response:
        if request.endpoint == TEXT.name:
            await self._come.wait()
        return await super().send(request)


class DelayedStore(LoginMemory):
    """A store on another machine; a test can delay the next answer of each method."""

    load_gate: asyncio.Event | None = None
    update_gate: asyncio.Event | None = None

    def __init__(self) -> None:
        super().__init__()
        self.is_updating = asyncio.Event()

    async def load(self) -> SavedLogin | None:
        saved = await super().load()
        gate, self.load_gate = self.load_gate, None
        if gate is not None:
            await gate.wait()
        return saved

    async def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        await super().update(change)
        gate, self.update_gate = self.update_gate, None
        if gate is not None:
            self.is_updating.set()
            await gate.wait()


class TestADistantStore:
    async def test_an_answer_from_before_a_save_restores_no_older_key(
        self, log_in: LogIn, world: World, sandbox: SandboxCore
    ) -> None:
        store, carrier, gate = DelayedStore(), Renewing(Loopback(sandbox)), asyncio.Event()
        client = await log_in(store=store, transport=carrier)
        carrier.skey = "@crypt_new"
        world.refuse_next("webwxinit", -14)
        store.load_gate = gate
        sending = asyncio.ensure_future(client.send_text("filehelper", "hi"))
        await asyncio.sleep(0)  # The send waits for the saved login.
        await client.check()  # This saves a new key.
        gate.set()
        await sending

        assert carrier.sent_with == "@crypt_new"

    async def test_a_change_during_a_save_is_stored_by_the_next_save(self, log_in: LogIn, world: World) -> None:
        store, gate = DelayedStore(), asyncio.Event()
        client = await log_in(store=store)
        world.say("ahua", "me", "hi")
        store.update_gate = gate
        reading = asyncio.ensure_future(take(client, 1))
        await store.is_updating.wait()
        earlier = (await saved_in(store)).login.last_client_id
        await client.send_text("filehelper", "hi")
        gate.set()
        await reading
        await client.close()

        assert (await saved_in(store)).login.last_client_id > earlier


class TestAKeyThatIsTooOld:
    @pytest.fixture
    def carrier(self, sandbox: SandboxCore) -> Renewing:
        return Renewing(Loopback(sandbox))

    async def test_is_renewed_once_and_the_call_is_repeated(
        self, log_in: LogIn, world: World, carrier: Renewing
    ) -> None:
        store = LoginMemory()
        client = await log_in(transport=carrier, store=store)
        carrier.calls.clear()
        carrier.skey = "@crypt_new"
        world.refuse_next("webwxsendmsg", -14)

        with pytest.raises(ApiError, match="repeat the call") as caught:
            await client.send_text("filehelper", "hi")
        assert not isinstance(caught.value, LoggedOut)
        assert client.state is LoginState.ONLINE
        assert (await client.send_text("filehelper", "hi")).message_id
        assert carrier.calls == ["webwxsendmsg", "webwxinit", "webwxsendmsg"]
        assert (await saved_in(store)).login.credentials.skey == "@crypt_new"

    async def test_is_renewed_once_for_all_calls_that_were_made_with_it(
        self, log_in: LogIn, world: World, sandbox: SandboxCore
    ) -> None:
        carrier = RenewingForAll(Loopback(sandbox))
        client = await log_in(transport=carrier)
        carrier.calls.clear()
        carrier.skey = "@crypt_new"
        world.refuse_next("webwxsendmsg", -14, times=8)

        sending = (client.send_text("filehelper", f"text {number}") for number in range(8))
        refusals = await asyncio.gather(*sending, return_exceptions=True)
        assert {type(each) for each in refusals} == {ApiError}
        assert client.state is LoginState.ONLINE
        assert carrier.calls.count("webwxinit") == 1

    async def test_that_is_refused_again_ends_the_login(self, log_in: LogIn, world: World, carrier: Renewing) -> None:
        client = await log_in(transport=carrier)
        carrier.skey = "@crypt_new"
        world.refuse_next("webwxsendmsg", -14, times=2)
        with pytest.raises(ApiError, match="repeat the call"):
            await client.send_text("filehelper", "hi")

        with pytest.raises(LoggedOut) as caught:
            await client.send_text("filehelper", "hi")
        assert caught.value.reason == "ticket"
        assert client.state is LoginState.LOGGED_OUT

    async def test_is_renewed_no_second_time_before_a_call_succeeds(
        self, log_in: LogIn, world: World, carrier: Renewing
    ) -> None:
        client = await log_in(transport=carrier)
        world.refuse_next("webwxsendmsg", -14, times=2)
        carrier.skey = "@crypt_new"
        with pytest.raises(ApiError, match="repeat the call"):
            await client.send_text("filehelper", "hi")
        carrier.skey = "@crypt_newer"
        with pytest.raises(LoggedOut):
            await client.send_text("filehelper", "hi")

    async def test_without_a_newer_one_ends_the_login(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.refuse_next("webwxsendmsg", -14)

        with pytest.raises(LoggedOut) as caught:
            await client.send_text("filehelper", "hi")
        assert caught.value.reason == "ticket"

    async def test_of_a_session_that_cannot_be_opened_ends_the_login_for_that_reason(
        self, log_in: LogIn, world: World
    ) -> None:
        client = await log_in()
        world.refuse_next("webwxsendmsg", -14)
        world.refuse_next("webwxinit", 1100)

        with pytest.raises(LoggedOut) as caught:
            await client.send_text("filehelper", "hi")
        assert caught.value.reason == "phone"

    async def test_is_taken_from_the_process_that_has_a_newer_one(
        self, log_in: LogIn, new_client: NewClient, world: World, counted: Counted
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        world.refuse_next("webwxinit", -14)
        checking = client.check()
        newer = msgspec.structs.replace((await saved_in(store)).login.credentials, skey="@crypt_new")
        await store.update(lambda saved: msgspec.structs.replace(
            saved, login=msgspec.structs.replace(saved.login, credentials=newer)
        ))  # fmt: skip
        await checking

        assert counted.calls == ["webwxinit", "webwxinit"]


class TestTheReason:
    @pytest.mark.parametrize(("ret", "reason"), [(1100, "phone"), (1101, "evicted"), (1103, "evicted"), (3, "evicted")])
    async def test_follows_from_the_code(self, log_in: LogIn, world: World, ret: int, reason: str) -> None:
        client = await log_in()
        world.refuse_next("webwxinit", ret)

        with pytest.raises(LoggedOut) as caught:
            await client.check()
        assert caught.value.reason == reason

    async def test_a_phone_that_is_offline_ends_no_login(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.refuse_next("webwxsendmsg", 3)

        with pytest.raises(ApiError, match="open WeChat"):
            await client.send_text("filehelper", "hi")
        assert client.state is LoginState.ONLINE

    @pytest.mark.parametrize("name", ["wxuin", "wxsid", "webwx_data_ticket"])
    async def test_1102_names_a_cookie_that_is_missing(
        self, log_in: LogIn, new_client: NewClient, world: World, name: str
    ) -> None:
        store = LoginMemory()
        await log_in(store=store)
        login = (await saved_in(store)).login
        rest = Jar(tuple(cookie for cookie in login.jar.cookies if cookie.name != name))
        await store.save(SavedLogin(login=msgspec.structs.replace(login, jar=rest)))
        client = new_client(store=store)
        await client.resume()
        world.refuse_next("webwxinit", 1102)

        with pytest.raises(LoggedOut, match=rf"It has no {name} cookie") as caught:
            await client.check()
        assert caught.value.reason == "cookie"

    async def test_1102_right_after_a_restore_says_that_the_saved_login_is_too_old(
        self, log_in: LogIn, new_client: NewClient, world: World
    ) -> None:
        store = LoginMemory()
        await log_in(store=store)
        client = new_client(store=store)
        await client.resume()
        world.refuse_next("webwxinit", 1102, times=2)

        with pytest.raises(LoggedOut, match="saved login is not alive any more") as caught:
            await client.check()
        assert caught.value.reason == "restored_session_expired"
        ended = (await saved_in(store)).ended
        assert ended is not None
        assert ended.reason == "restored_session_expired"

    async def test_1102_later_has_another_explanation(self, log_in: LogIn, new_client: NewClient, world: World) -> None:
        store = LoginMemory()
        await log_in(store=store)
        client = new_client(store=store)
        await client.resume()
        await client.check()
        world.refuse_next("webwxinit", 1102)

        with pytest.raises(LoggedOut) as caught:
            await client.check()
        assert caught.value.reason == "cookie"


class YieldingTransport(Counted):
    """Runs other tasks before it forwards a call."""

    async def send(self, request: Request) -> Response:
        await asyncio.sleep(0)
        return await super().send(request)


class TestTheHook:
    async def test_is_called_once_with_the_reason_and_times(
        self, world: World, counted: Counted, phone_of: Phone
    ) -> None:
        ends: list[LoggedOut] = []
        client = AsyncClient(server=SERVER, transport=counted, clock=world.clock.now, on_logged_out=ends.append)
        await client.login(show_qr=phone_of("me"))
        await client.check()
        last_ok = world.now
        world.wind(60)
        world.log_out("me")
        for _ in range(3):
            with pytest.raises(LoggedOut):
                await client.send_text("filehelper", "hi")

        [end] = ends
        assert (end.reason, end.ret, end.last_ok_at) == ("phone", 1100, last_ok)
        await client.login(show_qr=phone_of("me"))
        assert client.state is LoginState.ONLINE

    async def test_is_called_once_although_several_calls_fail(
        self, world: World, sandbox: SandboxCore, phone_of: Phone
    ) -> None:
        reported: list[LoggedOut] = []
        carrier = YieldingTransport(Loopback(sandbox))
        client = AsyncClient(server=SERVER, transport=carrier, clock=world.clock.now, on_logged_out=reported.append)
        await client.login(show_qr=phone_of("me"))
        carrier.calls.clear()
        world.log_out("me")
        ends = await asyncio.gather(*(client.mark_read("阿华") for _ in range(3)), return_exceptions=True)

        assert [type(end) for end in ends] == [LoggedOut] * 3
        assert carrier.calls == ["webwxstatusnotify"] * 3
        assert len(reported) == 1

    async def test_is_not_called_for_a_saved_login_that_login_replaces(
        self, log_in: LogIn, world: World, counted: Counted, phone_of: Phone
    ) -> None:
        store = LoginMemory()
        await log_in(store=store)
        world.log_out("me")
        client = AsyncClient(
            server=SERVER, store=store, transport=counted, clock=world.clock.now, on_logged_out=refuse_end
        )
        await client.login(show_qr=phone_of("me"))

        assert client.state is LoginState.ONLINE

    async def test_is_not_called_for_our_own_logout(self, world: World, counted: Counted, phone_of: Phone) -> None:
        client = AsyncClient(server=SERVER, transport=counted, clock=world.clock.now, on_logged_out=refuse_end)
        await client.login(show_qr=phone_of("me"))
        await client.logout()

        assert client.state is LoginState.LOGGED_OUT


ODD = 424242
"""An unknown return code."""


async def fetch_once(client: AsyncClient) -> None:
    async for _ in client.events(follow=False):
        break


VERBS: dict[str, Callable[[AsyncClient], Coroutine[Any, Any, object]]] = {
    "webwxinit": lambda client: client.list_chats(),
    "webwxgetcontact": lambda client: client.list_contacts(),
    "webwxbatchgetcontact": lambda client: client.get_contacts([client.contacts.resolve("阿华").id]),
    "webwxoplog": lambda client: client.set_remark("阿华", "A"),
    "webwxstatusnotify": lambda client: client.mark_read("阿华"),
    "webwxsync": fetch_once,
    "webwxsendmsg": lambda client: client.send_text("filehelper", "hi"),
    "webwxuploadmedia": lambda client: client.send_image("filehelper", PNG),
    "webwxcreatechatroom": lambda client: client.create_chatroom(["阿华", "张三"]),
    "webwxverifyuser": lambda client: client.add_friend("李雷", "hi"),
}
"""The method that makes each of these calls first."""

ONCE = {"webwxsync", "webwxsendmsg", "webwxuploadmedia", "webwxcreatechatroom", "webwxverifyuser"}
"""Calls that are made once: sends, and those that the sync loop repeats itself."""


class TestACodeThatNobodyKnows:
    @pytest.mark.parametrize("endpoint", VERBS)
    async def test_is_raised_after_three_repetitions_or_at_once_and_logged_once(
        self, log_in: LogIn, world: World, counted: Counted, endpoint: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = await log_in()
        calls = 1 if endpoint in ONCE else 4
        for times in (1, 2):
            world.refuse_next(endpoint, ODD, times=calls)
            with pytest.raises(ApiError, match=r"ret 424242") as caught:
                await VERBS[endpoint](client)

            assert (type(caught.value), caught.value.endpoint, caught.value.ret) == (ApiError, endpoint, ODD)
            assert counted.calls == [endpoint] * calls * times
        assert client.state is LoginState.ONLINE
        assert said(caplog) == [f"{endpoint} was answered with the unknown ret 424242; please report it."]

    async def test_that_ends_is_not_raised_and_logged_once(
        self, log_in: LogIn, world: World, counted: Counted, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = await log_in()
        world.refuse_next("webwxstatusnotify", ODD, times=3)
        await client.mark_read("阿华")

        assert counted.calls == ["webwxstatusnotify"] * 4
        assert len(said(caplog)) == 1

    @pytest.mark.parametrize("ret", [-1, -2, 1, 1200, 1205])
    async def test_is_the_only_code_that_is_repeated(
        self, log_in: LogIn, world: World, counted: Counted, caplog: pytest.LogCaptureFixture, ret: int
    ) -> None:
        client = await log_in()
        world.refuse_next("webwxstatusnotify", ret)
        with pytest.raises(ApiError):
            await client.mark_read("阿华")

        assert counted.calls == ["webwxstatusnotify"]
        assert said(caplog) == []

    def test_is_not_repeated_at_full_speed(self, sandbox: SandboxCore, world: World, phone_of: Phone) -> None:
        carrier = Counted(Loopback(sandbox))
        client = AsyncClient(server=SERVER, transport=carrier, clock=world.clock.now, timeouts=Timeouts(retry=5))
        with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
            runner.run(client.login(show_qr=phone_of("me")))
            world.refuse_next("webwxstatusnotify", ODD, times=3)
            begun = runner.get_loop().time()
            runner.run(client.mark_read("阿华"))

            assert runner.get_loop().time() - begun == pytest.approx(15, abs=0.1)

    async def test_of_the_long_poll_is_left_to_the_sync_loop(
        self, log_in: LogIn, world: World, counted: Counted, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = await log_in()
        await take(client, 1, include_all=True)
        counted.calls.clear()
        world.say("ahua", "me", "hi")
        world.refuse_next("synccheck", ODD)
        await take(client, 1)

        assert counted.calls == ["synccheck", "synccheck", "webwxsync"]
        assert said(caplog) == ["synccheck was answered with the unknown ret 424242; please report it."]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The log messages of the client."""
    return [record.getMessage() for record in caplog.records if record.name == "webwx.client"]


class TestProcessesSideBySide:
    async def test_a_sender_uses_the_key_that_the_listener_received(self, log_in: LogIn, new_client: NewClient) -> None:
        store = LoginMemory()
        await log_in(store=store)
        sender = new_client(store=store)
        await sender.resume()
        newer = msgspec.structs.replace((await saved_in(store)).login.credentials, skey="@crypt_new")
        await store.update(lambda saved: msgspec.structs.replace(
            saved, login=msgspec.structs.replace(saved.login, credentials=newer)
        ))  # fmt: skip
        await sender.send_text("filehelper", "hi")
        await sender.close()

        assert (await saved_in(store)).login.credentials.skey == "@crypt_new"

    async def test_a_sender_that_ends_does_not_change_the_position_of_the_listener(
        self, log_in: LogIn, new_client: NewClient, world: World
    ) -> None:
        store = LoginMemory()
        listener = await log_in(store=store)
        sender = new_client(store=store)
        await sender.resume()
        await sender.send_text("filehelper", "hi")
        world.say("ahua", "me", "1")
        await take(listener, 1)
        reached = (await saved_in(store)).login.fetch_key
        await sender.close()

        assert (await saved_in(store)).login.fetch_key == reached

    async def test_a_logout_in_one_process_stops_the_other_without_a_request(
        self, log_in: LogIn, new_client: NewClient, world: World, counted: Counted
    ) -> None:
        store = LoginMemory()
        one = await log_in(store=store)
        other = new_client(store=store)
        await other.resume()
        world.log_out("me")
        with pytest.raises(LoggedOut):
            await one.send_text("filehelper", "hi")
        counted.calls.clear()

        with pytest.raises(LoggedOut) as caught:
            await other.send_text("filehelper", "hi")
        assert caught.value.reason == "phone"
        assert counted.calls == []

    async def test_two_concurrent_processes_never_use_an_id_twice(self, tmp_path: Path) -> None:
        path = tmp_path / "me.json"
        await LoginFile(path).save(SavedLogin(login=LOGIN))
        senders = [
            subprocess.Popen(
                [sys.executable, "-c", SEND, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        ready = [sender.stdout and sender.stdout.readline() for sender in senders]
        assert ready == ["ready\n"] * 2  # Both have the same login now.
        for sender in senders:
            assert sender.stdin is not None
            sender.stdin.write("go\n")
            sender.stdin.flush()
        ids = [each for sender in senders for each in sender.communicate(timeout=50)[0].split()]

        assert len(ids) == len(set(ids)) == 400


SEND = """
import asyncio, sys
from webwx import AsyncClient, LoginFile
from webwx.protocol.http import Response

class Echo:
    async def send(self, request):
        await asyncio.sleep(0)
        return Response(body=b'{"BaseResponse":{"Ret":0},"MsgID":"1"}')

    async def close(self):
        pass

async def send():
    # The clock stands still, so only what the two know of each other keeps their ids apart.
    async with AsyncClient(host="web", store=LoginFile(sys.argv[1]), transport=Echo(), clock=lambda: 1.56e9) as client:
        await client.resume()
        print("ready", flush=True)
        sys.stdin.readline()
        receipts = await asyncio.gather(*(client.send_text("filehelper", str(each)) for each in range(200)))
    print(*(receipt.client_id for receipt in receipts))

asyncio.run(send())
"""


@pytest.fixture
def unused_port() -> Iterator[int]:
    """Return a port of this machine without a listener; it stays bound, so that no other program listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


class TestTheLibraryLeavesTheProcessAlone:
    async def test_an_unreachable_server_is_an_error(self, unused_port: int) -> None:
        async with AsyncClient(server=f"http://127.0.0.1:{unused_port}") as client:
            with pytest.raises(ConnectFailed):
                await client.login()
        assert client.state is LoginState.NEW

    async def test_a_proxy_is_used_only_when_it_was_given(
        self, unused_port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[bytes] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readline())
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as proxy:
            address = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
                monkeypatch.setenv(name, address)
            async with AsyncClient(server=f"http://127.0.0.1:{unused_port}") as direct:
                with pytest.raises(ConnectFailed):
                    await direct.login()
            assert asked == []
            async with AsyncClient(server="http://unknown.invalid", proxy=address) as through:
                with pytest.raises(TransportError):
                    await through.login()
        assert asked[0].startswith(b"GET http://unknown.invalid/jslogin")


@pytest.mark.parametrize("proxy", ["127.0.0.1:3128", "socks5://127.0.0.1:1080", "http://127.0.0.1:3128/path"])
def test_an_invalid_proxy_is_refused_at_once(proxy: str) -> None:
    with pytest.raises(InvalidSettings, match="The proxy's address"):
        AsyncClient(proxy=proxy)
