"""Logging in, continuing with a saved login, logging out."""

from __future__ import annotations

import asyncio
import gzip
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import keyring
import msgspec
import pytest
from tests.carriers import PAGE, TEMPORARY, Counted, DeliversOnce, FaultyTransport
from tests.client.conftest import PNG, SERVER, last_file, later, refuse_code, saved_in, take
from tests.client.virtual_loop import VirtualClockLoop
from tests.keyrings import ReadOnlyKeyring
from tests.ticket_server import ticket_server

from webwx.client.client import AsyncClient
from webwx.client.state import LoginState
from webwx.errors import (
    ConnectFailed,
    InvalidLogin,
    LoggedOut,
    LoginRefused,
    LoginTimeout,
    NotLoggedIn,
    NotOnThisHost,
    ProtocolError,
    SendOutcomeUnknown,
    StorageError,
    Timeout,
    TlsError,
    UnexpectedLoginPage,
    UnsafeRedirect,
    WxError,
)
from webwx.model.messages import TextMessage
from webwx.protocol.cookies import read_cookie_header
from webwx.protocol.hosts import Desktop
from webwx.protocol.http import Response
from webwx.protocol.login import LOGIN_POLL, PollReply
from webwx.protocol.media import UPLOAD
from webwx.sandbox.options import Options
from webwx.storage.login import LoginFile, LoginMemory
from webwx.storage.passphrase import KeyringPassphrase
from webwx.storage.saved_login import SavedLogin
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.client.conftest import LogIn, NewClient
    from tests.keyrings import MemoryKeyring

    from webwx.model.login import Account, QrCode
    from webwx.protocol.http import Request
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.transport.runner import Transport

    Phone = Callable[[str], Callable[[QrCode], object]]


class WithoutChatrooms(Counted):
    """Leaves the chatrooms out of the contacts of the first snapshot and of the contact list."""

    async def send(self, request: Request) -> Response:
        response = await super().send(request)
        name = {"webwxinit": "ContactList", "webwxgetcontact": "MemberList"}.get(request.endpoint)
        if name is None:
            return response
        body = msgspec.json.decode(response.body)
        body[name] = [each for each in body[name] if not each["UserName"].startswith("@@")]
        return msgspec.structs.replace(response, body=msgspec.json.encode(body))


class TestLogin:
    async def test_returns_the_account(self, new_client: NewClient, world: World, phone_of: Phone) -> None:
        world.person("me").nickname = "A&B <3"
        client = new_client()
        account = await client.login(show_qr=phone_of("me"))

        assert account == client.account
        assert (account.nickname, account.host, account.uin) == ("A&B <3", "web", world.person("me").uin)

    async def test_loads_all_contacts(self, log_in: LogIn) -> None:
        client = await log_in()

        assert client.contacts.find(remark="Boss").nickname == "李雷"
        [room] = [contact for contact in client.contacts if contact.kind == "chatroom"]
        assert [member.nickname for member in room.members] == ["小明", "阿华", "张三", "李雷"]

    async def test_knows_a_chatroom_that_only_the_list_of_recent_chats_names(
        self, log_in: LogIn, sandbox: SandboxCore
    ) -> None:
        client = await log_in(transport=WithoutChatrooms(Loopback(sandbox)))

        [room] = [contact for contact in client.contacts if contact.kind == "chatroom"]
        assert (room.nickname, len(room.members)) == ("周末爬山", 4)

    async def test_continues_with_a_saved_login_by_one_request(
        self, log_in: LogIn, new_client: NewClient, counted: Counted, tmp_path: Path
    ) -> None:
        store = LoginFile(tmp_path / "me.json")
        first = await log_in(store=store)
        await first.close()
        second = new_client(store=LoginFile(tmp_path / "me.json"))

        assert await second.login(show_qr=refuse_code) == first.account
        assert counted.calls == ["webwxinit"]
        assert second.contacts.find(remark="Boss") == first.contacts.find(remark="Boss")

    async def test_shows_a_new_code_when_one_has_expired(self, new_client: NewClient, world: World) -> None:
        shown: list[QrCode] = []

        def show(code: QrCode) -> None:
            shown.append(code)
            if len(shown) < 3:
                world.wind(301)
            else:
                world.scan()
                world.confirm()

        await new_client().login(show_qr=show)

        assert len({code.url for code in shown}) == 3

    async def test_fails_after_several_expired_codes(self, new_client: NewClient, world: World) -> None:
        shown: list[QrCode] = []

        def show(code: QrCode) -> None:
            shown.append(code)
            world.wind(301)

        with pytest.raises(LoginTimeout, match="2 were shown"):
            await new_client().login(show_qr=show, max_codes=2)
        assert len(shown) == 2

    async def test_shows_a_new_code_when_the_phone_refused_one(self, new_client: NewClient, world: World) -> None:
        shown: list[QrCode] = []

        def show(code: QrCode) -> None:
            shown.append(code)
            world.scan()
            (world.cancel if len(shown) == 1 else world.confirm)()

        await new_client().login(show_qr=show)

        assert len(shown) == 2

    async def test_one_code_is_valid_for_many_polls(
        self, new_client: NewClient, world: World, counted: Counted
    ) -> None:
        shown: list[QrCode] = []
        later(world, (50, world.scan), (100, world.confirm))
        await new_client().login(show_qr=shown.append)

        assert len(shown) == 1
        assert counted.calls.count("login") == 4  # Waiting, scanned, waiting, confirmed.

    async def test_a_lost_poll_is_repeated(self, new_client: NewClient, counted: Counted, phone_of: Phone) -> None:
        shown: list[QrCode] = []
        counted.lose_answers("login")
        confirm = phone_of("me")

        def show(code: QrCode) -> None:
            shown.append(code)
            confirm(code)

        await new_client().login(show_qr=show)

        assert len(shown) == 1

    async def test_a_refused_account_is_an_error_and_nothing_is_saved(
        self, new_client: NewClient, world: World, phone_of: Phone
    ) -> None:
        store = LoginMemory()
        world.refuse_next("webwxnewloginpage", 1203)

        with pytest.raises(LoginRefused, match="File Transfer Helper"):
            await new_client(store=store).login(show_qr=phone_of("me"))
        assert await store.load() is None

    @pytest.mark.parametrize(
        ("ticket", "encoding", "kind"),
        [
            (b"<error><ret>0</ret><message></message><skey>@crypt", "", ProtocolError),
            (b"<error><ret>0</ret><message></message><skey>s</skey><wxsid>s</wxsid><wxuin>1", "", ProtocolError),
            (b"<error><re", "", ProtocolError),
            (b"\x1f\x8bgarbage", "gzip", SendOutcomeUnknown),
            (gzip.compress(b"<error><ret>0</ret>")[:-9], "gzip", SendOutcomeUnknown),
            (b"<html><title>WeChat</title>", "", UnexpectedLoginPage),
        ],
        ids=["cut in a key", "cut in a number", "cut in a tag", "broken gzip", "cut gzip", "web page"],
    )
    async def test_a_malformed_ticket_is_a_typed_error_over_real_http(
        self, ticket: bytes, encoding: str, kind: type[WxError]
    ) -> None:
        store = LoginMemory()
        with ticket_server() as server:
            server.ticket, server.encoding = ticket, encoding
            async with AsyncClient(server=server.url, store=store) as client:
                with pytest.raises(WxError) as caught:
                    await client.login(show_qr=lambda _: None)

        assert type(caught.value) is kind
        assert await store.load() is None

    async def test_a_foreign_redirect_is_not_followed(
        self, new_client: NewClient, world: World, counted: Counted, phone_of: Phone
    ) -> None:
        world.options = Options(redirect_origin="https://evil.example")

        with pytest.raises(UnsafeRedirect, match=r"evil\.example"):
            await new_client().login(show_qr=phone_of("me"))
        assert counted.calls == ["jslogin", "login"]

    async def test_stays_at_the_given_server_although_the_redirect_names_a_real_host(
        self, new_client: NewClient, world: World, phone_of: Phone
    ) -> None:
        world.options = Options(redirect_origin="https://wx2.qq.com")

        assert (await new_client().login(show_qr=phone_of("me"))).nickname == "小明"

    def test_a_snapshot_without_an_account_is_an_error(
        self, new_client: NewClient, world: World, phone_of: Phone
    ) -> None:
        store = LoginMemory()
        world.refuse_next("webwxinit", 0, times=100)  # An empty answer with Ret 0.

        with (
            asyncio.Runner(loop_factory=VirtualClockLoop) as runner,
            pytest.raises(ProtocolError, match="does not name the account"),
        ):
            runner.run(new_client(store=store).login(show_qr=phone_of("me")))
        assert asyncio.run(store.load()) is None

    async def test_draws_the_code_on_stderr(
        self, new_client: NewClient, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world.options = Options(auto_confirm=True)
        await new_client().login()
        printed = capsys.readouterr()

        assert printed.out == ""
        assert "Scan this with WeChat" in printed.err


class TestResumeAndLogout:
    async def test_resume_makes_no_request(self, log_in: LogIn, new_client: NewClient, counted: Counted) -> None:
        store = LoginMemory()
        account = (await log_in(store=store)).account
        client = new_client(store=store)

        assert await client.resume() == account
        assert counted.calls == []
        assert await client.check() == account

    async def test_resume_without_a_saved_login_is_an_error(self, new_client: NewClient) -> None:
        with pytest.raises(NotLoggedIn):
            await new_client().resume()

    async def test_logout_ends_it_on_both_sides(self, log_in: LogIn, world: World) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        await client.logout()

        assert await store.load() is None
        assert world.logins.live(world.person("me")) is None
        with pytest.raises(NotLoggedIn):
            _ = client.account

    async def test_a_logout_that_the_server_does_not_answer_deletes_the_saved_login(
        self, log_in: LogIn, counted: Counted
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        counted.lose_answers("webwxlogout", times=9)
        with pytest.raises(Timeout):
            await client.logout()

        assert await store.load() is None

    async def test_a_login_that_has_ended_is_resumed_as_ended(
        self, log_in: LogIn, new_client: NewClient, world: World, counted: Counted
    ) -> None:
        store = LoginMemory()
        earlier = await log_in(store=store)
        world.log_out("me")
        with pytest.raises(LoggedOut):
            await earlier.check()
        counted.calls.clear()
        client = new_client(store=store)
        await client.resume()

        assert client.state is LoginState.LOGGED_OUT
        with pytest.raises(LoggedOut) as caught:
            await client.send_text("filehelper", "hi")
        assert caught.value.reason == "phone"
        assert counted.calls == []

    async def test_close_leaves_the_login_valid(self, log_in: LogIn, world: World) -> None:
        async with await log_in():
            pass

        assert world.logins.live(world.person("me")) is not None

    async def test_the_repr_of_a_client_shows_no_key(self, log_in: LogIn, world: World) -> None:
        client = await log_in()

        assert repr(client) == "AsyncClient(Login(web, logged in))"


async def test_a_resume_during_a_login_is_refused_and_leaves_the_login_alone(
    log_in: LogIn, new_client: NewClient, world: World, phone_of: Phone
) -> None:
    store = LoginMemory()
    earlier = await log_in(store=store)
    world.log_out("me")
    with pytest.raises(LoggedOut):
        await earlier.check()
    client = new_client(store=store)
    resumed: list[asyncio.Task[Account]] = []

    def show_qr(code: QrCode) -> None:
        resumed.append(asyncio.get_running_loop().create_task(client.resume()))
        phone_of("me")(code)

    await client.login(show_qr=show_qr)

    with pytest.raises(NotLoggedIn, match="A login is in progress"):
        await resumed[0]
    assert client.state is LoginState.ONLINE
    assert await client.check()


class TestThePush:
    """Logging in without a code, by the phone of an earlier login."""

    @pytest.fixture
    async def ended(self, log_in: LogIn, world: World, counted: Counted) -> LoginMemory:
        """A saved login that its phone has ended."""
        store = LoginMemory()
        await log_in(store=store)
        world.log_out("me")
        counted.calls.clear()
        return store

    async def test_needs_no_code(self, ended: LoginMemory, new_client: NewClient, world: World) -> None:
        asked: list[str] = []
        client = new_client(store=ended)

        def confirm() -> None:
            asked.append("asked")
            world.confirm()

        account = await client.login(show_qr=refuse_code, on_push=confirm, max_codes=0)

        assert asked == ["asked"]
        assert account.nickname == "小明"
        assert (await client.send_text("filehelper", "hi")).message_id

    async def test_is_not_tried_unless_requested(
        self, ended: LoginMemory, new_client: NewClient, counted: Counted, phone_of: Phone
    ) -> None:
        await new_client(store=ended).login(show_qr=phone_of("me"))

        assert "webwxpushloginurl" not in counted.calls

    async def test_that_is_refused_on_the_phone_leads_to_a_code(
        self, ended: LoginMemory, new_client: NewClient, world: World, counted: Counted, phone_of: Phone
    ) -> None:
        await new_client(store=ended).login(show_qr=phone_of("me"), on_push=world.cancel)

        assert counted.calls[1:4] == ["webwxpushloginurl", "login", "jslogin"]

    @pytest.mark.parametrize("ret", [1, -1, 1205])
    async def test_that_the_server_refuses_leads_to_a_code(
        self, ended: LoginMemory, new_client: NewClient, world: World, phone_of: Phone, ret: int
    ) -> None:
        world.refuse_next("webwxpushloginurl", ret)

        assert await new_client(store=ended).login(show_qr=phone_of("me"), on_push=pytest.fail)

    async def test_whose_answer_is_lost_leads_to_a_code(
        self, ended: LoginMemory, new_client: NewClient, counted: Counted, phone_of: Phone
    ) -> None:
        counted.lose_answers("webwxpushloginurl")

        assert await new_client(store=ended).login(show_qr=phone_of("me"), on_push=pytest.fail)

    async def test_is_not_tried_on_file_transfer_helper(
        self, log_in: LogIn, new_client: NewClient, world: World, counted: Counted, phone_of: Phone
    ) -> None:
        store = LoginMemory()
        await log_in(store=store, host="filehelper")
        world.log_out("me")
        await new_client(store=store, host="filehelper").login(show_qr=phone_of("me"), on_push=pytest.fail)

        assert "webwxpushloginurl" not in counted.calls


class RecordingTransport(Counted):
    """Forwards requests and keeps a list of them."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        return await super().send(request)


class TestTheDesktop:
    async def test_logs_in_where_the_web_is_refused(self, world: World, counted: Counted, phone_of: Phone) -> None:
        world.options = Options(require_extspam=True)
        client = AsyncClient(
            host="desktop", server=SERVER, transport=counted, clock=world.clock.now,
            desktop=Desktop(client_version="2.0.0", extspam="opaque"),
        )  # fmt: skip

        assert (await client.login(show_qr=phone_of("me"))).host == "desktop"

    async def test_sends_files_as_its_page_does(self, world: World, sandbox: SandboxCore, phone_of: Phone) -> None:
        carrier = RecordingTransport(Loopback(sandbox))
        client = AsyncClient(
            host="desktop", server=SERVER, transport=carrier, clock=world.clock.now,
            desktop=Desktop(client_version="2.0.0", extspam="opaque"),
        )  # fmt: skip
        await client.login(show_qr=phone_of("me"))
        await client.send_file("阿华", b"hello", name="a.txt")
        [sent] = [request for request in carrier.requests if request.endpoint == "webwxsendappmsg"]

        assert "mod=desktop" in sent.query.split("&")
        assert "<appmsg appid='' sdkver=''>" in sent.content.decode()
        assert {f"{SERVER}/?&lang=zh_CN&target=t"} == {request.header("Referer") for request in carrier.requests}
        assert last_file(world, "ahua", "xiaoming").name == "a.txt"

    async def test_without_its_values_nothing_is_sent(self, new_client: NewClient, counted: Counted) -> None:
        client = new_client(host="desktop")

        with pytest.raises(NotOnThisHost, match="does not include"):
            await client.login(show_qr=refuse_code)
        assert counted.calls == []
        assert client.state is LoginState.NEW


class Script(Counted):
    """Answers the first polls of a login by a script, and forwards all other calls."""

    def __init__(self, inner: Transport, *codes: int) -> None:
        super().__init__(inner)
        self._codes = list(codes)

    async def send(self, request: Request) -> Response:
        assert len(self.calls) < 100, "too many polls"
        if request.endpoint == LOGIN_POLL.name and self._codes:
            self.calls.append(request.endpoint)
            return LOGIN_POLL.encode_reply(PollReply(code=self._codes.pop(0)))
        return await super().send(request)


def test_waiting_and_scanned_in_any_order_need_one_code(
    new_client: NewClient, sandbox: SandboxCore, phone_of: Phone
) -> None:
    carrier = Script(Loopback(sandbox), 408, 408, 408, 201, 201, 201, 201, 201, 408)
    shown: list[QrCode] = []
    confirm = phone_of("me")

    def show(code: QrCode) -> None:
        shown.append(code)
        confirm(code)

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        client = new_client(transport=carrier)
        runner.run(client.login(show_qr=show))
        waited = runner.get_loop().time()

    assert len(shown) == 1
    assert carrier.calls.count("webwxnewloginpage") == 1
    assert waited >= 2  # A server that repeats itself is not polled at full speed.


@pytest.mark.parametrize("code", [400, 999])
async def test_the_number_of_codes_is_limited(new_client: NewClient, sandbox: SandboxCore, code: int) -> None:
    shown: list[QrCode] = []
    client = new_client(transport=Script(Loopback(sandbox), code, code, code))

    with pytest.raises(LoginTimeout):
        await client.login(show_qr=shown.append)
    assert len(shown) == 3
    assert client.state is LoginState.NEW


TOO_OFTEN = Response(body=b"<error><ret>1205</ret><message></message></error>")

NO_CONNECTION = ConnectFailed("No connection.")
AWAY = Response(status=302, headers=(("Location", "https://evil.example/"),))


class TestTemporaryFailures:
    """The loop's clock jumps, so pauses take no time."""

    @pytest.fixture
    def virtual_runner(self) -> Iterator[asyncio.Runner]:
        with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
            yield runner

    @pytest.fixture
    def shown(self) -> list[QrCode]:
        return []

    @pytest.fixture
    def show(self, shown: list[QrCode], phone_of: Phone) -> Callable[[QrCode], object]:
        """Confirm each code by a phone."""
        confirm = phone_of("me")

        def show(code: QrCode) -> None:
            shown.append(code)
            confirm(code)

        return show

    @pytest.mark.parametrize("answer", TEMPORARY)
    @pytest.mark.parametrize("endpoint", ["jslogin", "login", "webwxinit", "webwxstatusnotify", "webwxgetcontact"])
    def test_are_retried_with_one_code_and_one_line(
        self,
        new_client: NewClient,
        sandbox: SandboxCore,
        virtual_runner: asyncio.Runner,
        shown: list[QrCode],
        show: Callable[[QrCode], object],
        caplog: pytest.LogCaptureFixture,
        endpoint: str,
        answer: str,
    ) -> None:
        carrier = FaultyTransport(Loopback(sandbox), **{endpoint: [TEMPORARY[answer]] * 3})
        client = new_client(transport=carrier)
        virtual_runner.run(client.login(show_qr=show))

        assert client.state is LoginState.ONLINE
        assert len(shown) == 1
        assert carrier.calls.count(endpoint) >= 4
        assert virtual_runner.get_loop().time() >= 2
        lines = [line.getMessage() for line in caplog.records if line.levelname == "WARNING"]
        assert [line.partition(":")[0] for line in lines] == ["The login is retried"]

    @pytest.mark.parametrize("answer", [*TEMPORARY.values(), TOO_OFTEN, NO_CONNECTION])
    def test_of_the_exchange_are_retried_with_the_same_ticket(
        self,
        new_client: NewClient,
        sandbox: SandboxCore,
        virtual_runner: asyncio.Runner,
        shown: list[QrCode],
        show: Callable[[QrCode], object],
        answer: Response | Exception,
    ) -> None:
        carrier = FaultyTransport(Loopback(sandbox), webwxnewloginpage=[answer] * 2)
        virtual_runner.run(new_client(transport=carrier).login(show_qr=show))

        assert len(shown) == 1
        assert carrier.calls.count("webwxnewloginpage") == 3

    @pytest.mark.parametrize("answer", TEMPORARY)
    def test_of_a_saved_login_s_first_call_are_retried_without_a_code(
        self, new_client: NewClient, log_in: LogIn, sandbox: SandboxCore, virtual_runner: asyncio.Runner, answer: str
    ) -> None:
        store = LoginMemory()
        virtual_runner.run(log_in(store=store))
        carrier = FaultyTransport(Loopback(sandbox), webwxinit=[TEMPORARY[answer]] * 3)
        virtual_runner.run(new_client(store=store, transport=carrier).login(show_qr=refuse_code))

        assert carrier.calls == ["webwxinit"] * 4

    def test_that_do_not_end_are_raised_after_some_time(
        self, new_client: NewClient, sandbox: SandboxCore, virtual_runner: asyncio.Runner
    ) -> None:
        carrier = FaultyTransport(Loopback(sandbox), jslogin=[PAGE] * 100)
        client = new_client(transport=carrier)

        with pytest.raises(ProtocolError):
            virtual_runner.run(client.login(show_qr=refuse_code))
        assert 4 <= len(carrier.calls) <= 10
        assert client.state is LoginState.NEW

    def test_that_do_not_end_are_retried_by_a_patient_login(
        self,
        new_client: NewClient,
        sandbox: SandboxCore,
        virtual_runner: asyncio.Runner,
        show: Callable[[QrCode], object],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        carrier = FaultyTransport(
            Loopback(sandbox),
            jslogin=[NO_CONNECTION, TlsError("Not trusted."), PAGE] * 30,
            webwxnewloginpage=[PAGE] * 10,
            webwxinit=[TEMPORARY["ret 1205"]] * 50,
        )
        virtual_runner.run(new_client(transport=carrier).login(show_qr=show, is_patient=True))

        assert [line.levelname for line in caplog.records if line.name == "webwx.client"] == ["WARNING"]
        assert virtual_runner.get_loop().time() / len(carrier.calls) > 15

    @pytest.mark.parametrize("journal", [None, "memory:"])
    @pytest.mark.parametrize("endpoint", ["webwxnewloginpage", "webwxinit", "webwxstatusnotify", "webwxgetcontact"])
    @pytest.mark.parametrize("fault", ["evicted", "phone_logout"])
    def test_that_end_a_new_session_show_a_new_code_in_a_patient_login(
        self,
        world: World,
        sandbox: SandboxCore,
        virtual_runner: asyncio.Runner,
        show: Callable[[QrCode], object],
        fault: str,
        endpoint: str,
        journal: str | None,
    ) -> None:
        async def run() -> None:
            async with AsyncClient(server=SERVER, transport=Loopback(sandbox), journal=journal) as client:
                await client.login(show_qr=show, is_patient=True)
                assert client.state is LoginState.ONLINE
                await client.send_text("filehelper", "hi")

        world.faults.add(f"{fault}:endpoint={endpoint},times=2")
        virtual_runner.run(run())

    def test_of_a_ticket_whose_answer_was_lost_show_a_new_code_in_a_patient_login(
        self,
        new_client: NewClient,
        sandbox: SandboxCore,
        virtual_runner: asyncio.Runner,
        show: Callable[[QrCode], object],
    ) -> None:
        """A repeated exchange is refused, because the first one has used the ticket."""
        expired = Response(body="<error><ret>1</ret><message>登录二维码已失效，请重新扫描</message></error>".encode())
        carrier = FaultyTransport(Loopback(sandbox), webwxnewloginpage=[Timeout("No answer."), *[expired] * 3])
        client = new_client(transport=carrier)
        virtual_runner.run(client.login(show_qr=show, is_patient=True))

        assert client.state is LoginState.ONLINE
        assert carrier.calls.count("jslogin") == 2

    @pytest.mark.parametrize(
        ("endpoint", "answer", "kind"),
        [
            ("jslogin", NO_CONNECTION, ConnectFailed),
            ("jslogin", TlsError("Not trusted."), TlsError),
            ("webwxnewloginpage", AWAY, UnsafeRedirect),
            ("webwxnewloginpage", Response(body=b"<error><ret>1203</ret></error>"), LoginRefused),
            ("webwxinit", Response(body=b'{"BaseResponse":{"Ret":1101}}'), LoggedOut),
            ("webwxinit", Response(body=b'{"BaseResponse":{"Ret":3}}'), LoggedOut),
        ],
    )  # fmt: skip
    async def test_do_not_include_other_errors(
        self,
        new_client: NewClient,
        sandbox: SandboxCore,
        phone_of: Phone,
        endpoint: str,
        answer: Response | Exception,
        kind: type[WxError],
    ) -> None:
        carrier = FaultyTransport(Loopback(sandbox), **{endpoint: [answer]})

        with pytest.raises(kind):
            await new_client(transport=carrier).login(show_qr=phone_of("me"))
        assert carrier.calls.count(endpoint) == 1

    def test_of_polls_do_not_cause_polls_at_full_speed(
        self, new_client: NewClient, sandbox: SandboxCore, virtual_runner: asyncio.Runner, world: World
    ) -> None:
        async def scan_later() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(client.login(show_qr=shown.append))
                await asyncio.sleep(60)
                counts.append(carrier.calls.count("login"))
                carrier.answers.clear()
                world.scan("me")
                world.confirm()

        shown: list[QrCode] = []
        counts: list[int] = []
        carrier = FaultyTransport(Loopback(sandbox), login=[LOGIN_POLL.encode_reply(PollReply(code=408))] * 900)
        client = new_client(transport=carrier)
        virtual_runner.run(scan_later())

        assert counts[0] <= 15
        assert virtual_runner.get_loop().time() <= 70
        assert len(shown) == 1


async def test_the_steps_of_a_login_are_reported(new_client: NewClient, world: World) -> None:
    steps: list[str] = []

    def show(_: QrCode) -> None:
        steps.append("shown")
        match steps.count("shown"):
            case 1:
                world.wind(301)
            case 2:
                later(world, (30, world.scan), (60, world.cancel))
            case _:
                later(world, (30, world.scan), (60, world.confirm))

    await new_client().login(show_qr=show, on_step=steps.append)

    assert steps == ["shown", "expired", "shown", "scanned", "cancelled", "shown", "scanned"]


async def test_checking_a_login_takes_no_event(
    log_in: LogIn, new_client: NewClient, world: World, sandbox: SandboxCore
) -> None:
    """The server delivers each item once."""
    store, carrier = LoginMemory(), DeliversOnce(Loopback(sandbox))
    client = await log_in(store=store, transport=carrier)
    await take(client, 1, include_all=True)
    world.say("ahua", "me", "hi")
    await client.check()
    await client.close()
    following = new_client(store=store, transport=carrier)
    await following.login(show_qr=refuse_code)
    await following.check()

    [message] = await take(following, 1)
    assert isinstance(message, TextMessage)
    assert message.text == "hi"


async def test_the_device_has_its_own_id(log_in: LogIn, counted: Counted) -> None:
    store = LoginMemory()
    await log_in(store=store)
    login = (await saved_in(store)).login

    assert re.fullmatch(r"e\d{15}", login.credentials.device_id)
    assert login.credentials.device_id != login.pass_ticket


def damage(path: Path, content: bytes | None) -> None:
    """Replace a login's file by these bytes, or by a folder."""
    if content is None:
        path.mkdir(mode=0o700)
    else:
        path.touch(mode=0o600)
        path.write_bytes(content)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"version":99}', None])
async def test_a_damaged_login_is_followed_by_a_new_code(
    new_client: NewClient, phone_of: Phone, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "me.json"
    damage(path, content)
    await new_client(store=LoginFile(path)).login(show_qr=phone_of("me"))

    assert await LoginFile(path).load() is not None


async def test_a_login_that_others_can_read_is_neither_used_nor_replaced(
    log_in: LogIn, new_client: NewClient, tmp_path: Path, counted: Counted
) -> None:
    path = tmp_path / "me.json"
    await log_in(store=LoginFile(path))
    path.chmod(0o644)

    with pytest.raises(InvalidLogin, match="chmod 600"):
        await new_client(store=LoginFile(path)).login(show_qr=refuse_code)
    assert counted.calls == []


async def test_a_login_that_could_not_be_saved_is_an_error_before_a_code(
    new_client: NewClient, tmp_path: Path, counted: Counted, memory_keyring: MemoryKeyring
) -> None:
    keyring.set_keyring(ReadOnlyKeyring())
    store = LoginFile(tmp_path / "me.json", passphrase=KeyringPassphrase("me"))

    with pytest.raises(StorageError, match="keyring failed"):
        await new_client(store=store).login(show_qr=refuse_code)
    assert counted.calls == []


async def test_a_passphrase_in_the_keyring_is_created_and_deleted_with_a_login(
    log_in: LogIn, new_client: NewClient, tmp_path: Path, memory_keyring: MemoryKeyring
) -> None:
    store = LoginFile(tmp_path / "me.json", passphrase=KeyringPassphrase("me"))
    client = await log_in(store=store)
    assert len(memory_keyring.entries) == 1
    assert len(await store.load_contacts()) > 1

    again = new_client(store=LoginFile(tmp_path / "me.json", passphrase=KeyringPassphrase("me")))
    assert await again.resume() == client.account
    await client.logout()
    assert memory_keyring.entries == {}


async def test_an_allowed_host_is_followed_and_saved(world: World, counted: Counted, phone_of: Phone) -> None:
    world.options = Options(redirect_origin="https://wx9.qq.com")
    store = LoginMemory()
    client = AsyncClient(
        server=SERVER, store=store, transport=counted, clock=world.clock.now, allowed_hosts=("wx9.qq.com",)
    )
    await client.login(show_qr=phone_of("me"))

    assert (await saved_in(store)).login.allowed_hosts == ("wx9.qq.com",)


class TestOnThePlatformsOwnNames:
    @pytest.fixture
    def carrier(self, world: World, sandbox: SandboxCore) -> RecordingTransport:
        world.options = Options(redirect_origin="https://wx8.qq.com", strict_hosts=True, strict_cookies=True)
        return RecordingTransport(Loopback(sandbox))

    @pytest.fixture
    async def store(self, world: World, carrier: RecordingTransport, phone_of: Phone, tmp_path: Path) -> LoginFile:
        """The store of a login that began on wx.qq.com and ended on wx8.qq.com."""
        store = LoginFile(tmp_path / "me.json")
        async with AsyncClient(host="web", store=store, transport=carrier, clock=world.clock.now) as client:
            await client.login(show_qr=phone_of("me"))
            await take(client, 1, include_all=True)
        return store

    async def test_a_code_after_a_push_in_vain_comes_from_the_host_where_logins_begin(
        self, world: World, carrier: RecordingTransport, store: LoginFile, phone_of: Phone
    ) -> None:
        world.log_out("me")
        begun = len(carrier.requests)
        async with AsyncClient(host="web", store=store, transport=carrier, clock=world.clock.now) as again:
            await again.login(show_qr=phone_of("me"), on_push=world.cancel)
        hosts = {request.endpoint: urlsplit(request.url).hostname for request in carrier.requests[begun:]}

        assert (hosts["webwxpushloginurl"], hosts["jslogin"]) == ("wx8.qq.com", "login.wx.qq.com")

    async def test_later_calls_go_to_the_family_of_the_redirect_also_after_a_restart(
        self, world: World, carrier: RecordingTransport, store: LoginFile
    ) -> None:
        begun = len(carrier.requests)
        async with AsyncClient(host="web", store=store, transport=carrier, clock=world.clock.now) as again:
            await again.resume()
            await again.send_image("filehelper", PNG)
            world.say("ahua", "me", "hi")
            await take(again, 1)
        places = [(request.endpoint, urlsplit(request.url).hostname) for request in carrier.requests]

        assert [name for name, host in places[:begun] if host in {"wx.qq.com", "login.wx.qq.com"}] == [
            "jslogin",
            "login",
        ]
        assert ("synccheck", "webpush.wx8.qq.com") in places[:begun]
        assert {
            ("webwxuploadmedia", "file.wx8.qq.com"), ("webwxsendmsgimg", "wx8.qq.com"),
            ("synccheck", "webpush.wx8.qq.com"), ("webwxsync", "wx8.qq.com"),
        } == set(places[begun:])  # fmt: skip

    async def test_each_host_gets_its_own_cookies_and_the_upload_the_file_hosts_ticket(
        self, world: World, carrier: RecordingTransport, store: LoginFile
    ) -> None:
        saved = await store.load()
        assert saved is not None
        jar = saved.login.jar
        for host in ("wx8.qq.com", "webpush.wx8.qq.com", "login.wx8.qq.com"):
            jar = jar.updated(f"https://{host}/", (f"webwx_data_ticket={host}; Path=/",), world.now)
        await store.save(SavedLogin(login=msgspec.structs.replace(saved.login, jar=jar)))
        async with AsyncClient(host="web", store=store, transport=carrier, clock=world.clock.now) as again:
            await again.resume()
            await again.send_image("filehelper", PNG)
        upload, send = carrier.requests[-2:]
        ticket = saved.login.jar.value("webwx_data_ticket", "https://file.wx8.qq.com/", world.now)

        assert ticket.startswith("gS")
        assert UPLOAD.decode_request(upload).webwx_data_ticket == ticket
        assert read_cookie_header(upload.header("Cookie"))["webwx_data_ticket"] == ticket
        assert read_cookie_header(send.header("Cookie"))["webwx_data_ticket"] == "wx8.qq.com"


async def test_the_ticket_exchange_may_be_redirected(
    new_client: NewClient, world: World, counted: Counted, phone_of: Phone
) -> None:
    world.options = Options(exchange_origin=SERVER)
    await new_client().login(show_qr=phone_of("me"))

    assert counted.calls.count("webwxnewloginpage") == 2
