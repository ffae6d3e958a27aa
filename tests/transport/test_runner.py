"""The runner drives flows, and the account session keeps an account's state during concurrent flows."""

from __future__ import annotations

import asyncio
import io
from email.utils import formatdate
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import msgspec
import pytest
from tests.carriers import ScriptedTransport, at_once
from tests.flows.drive import reply
from tests.saved import LOGIN, NOW

from webwx.errors import ConnectFailed, NoSuchFile, ProtocolError, SendOutcomeUnknown, Timeout, TransportError
from webwx.flows.login import exchange_ticket
from webwx.flows.messages import send_text
from webwx.flows.sync import check, fetch
from webwx.model.login import Login
from webwx.protocol.hosts import DESKTOP, FAMILIES, FILEHELPER, WEB, Desktop, single
from webwx.protocol.http import Pause, Read, Request, Response, TimeLimit
from webwx.protocol.login import TICKET
from webwx.protocol.messages import TEXT
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC
from webwx.storage.login import LoginMemory
from webwx.transport.download_sink import DownloadSink
from webwx.transport.runner import SessionState, Timeouts, run_async

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.flows.call import Flow
    from webwx.transport.runner import Transport

T = TypeVar("T")
HOUR = 3600.0


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def session_state(login: Login = LOGIN, clock: Clock | None = None) -> SessionState:
    return SessionState(login, clock or Clock())


def dated(seconds: float, *cookies: str) -> Response:
    """Return an answer of a server with this time on its clock."""
    headers = (("Date", formatdate(seconds, usegmt=True)), *(("Set-Cookie", cookie) for cookie in cookies))
    return Response(headers=headers, body=reply(WEBWXSYNC).body)


async def ask(session_state: SessionState, *answers: Response) -> list[Request]:
    """Fetch as often as there are answers, and return the requests in the form in which they were sent."""
    transport = ScriptedTransport(*answers)
    for _ in answers:
        await run(fetch(session_state.login, session_state.now()), transport, session_state)
    return transport.requests


async def run(flow: Flow[T], transport: Transport, session_state: SessionState) -> T:
    """Drive a flow that does not wait."""
    return await run_async(flow, transport, session_state, at_once)


class TestRunning:
    async def test_returns_the_result_of_the_flow(self) -> None:
        transport = ScriptedTransport(reply(TEXT, msg_id="9"))

        assert await run(send_text(LOGIN, "filehelper", "hi", "1"), transport, session_state()) == "9"

    @pytest.mark.parametrize("failure", [Timeout("t"), TransportError("t"), ProtocolError("too large")])
    async def test_a_failure_is_thrown_into_the_flow(self, failure: Exception) -> None:
        with pytest.raises(SendOutcomeUnknown):
            await run(send_text(LOGIN, "filehelper", "hi", "1"), ScriptedTransport(failure), session_state())

    async def test_a_flow_may_continue_after_a_failure(self) -> None:
        def persistent() -> Flow[bool]:
            try:
                yield from check(LOGIN, NOW)
            except ConnectFailed:
                return (yield from check(LOGIN, NOW))
            return False

        transport = ScriptedTransport(ConnectFailed("c"), reply(SYNCCHECK, retcode=0, selector=2))

        assert await run(persistent(), transport, session_state())

    async def test_a_pause_of_a_flow_is_waited_for(self) -> None:
        pause = Pause(endpoint="webwxinit", ret=77)
        pauses: list[Pause] = []

        async def wait(each: Pause) -> None:
            pauses.append(each)

        def hesitant() -> Flow[bool]:
            assert (yield pause) is None
            return True

        assert await run_async(hesitant(), ScriptedTransport(), session_state(), wait)
        assert pauses == [pause]


class TestReading:
    def piece(self, source: str | bytes | BinaryIO) -> Flow[bytes]:
        content: bytes = yield Read(source=source, start=3, size=4)
        return content

    async def test_of_bytes(self) -> None:
        assert await run(self.piece(b"0123456789"), ScriptedTransport(), session_state()) == b"3456"

    async def test_of_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "图.png"
        file.write_bytes(b"0123456789")

        assert await run(self.piece(str(file)), ScriptedTransport(), session_state()) == b"3456"

    async def test_of_an_open_file_from_its_present_position(self) -> None:
        file = io.BytesIO(b"0123456789")
        file.read()

        assert await run(self.piece(file), ScriptedTransport(), session_state()) == b"3456"
        assert not file.closed

    async def test_of_an_open_file_that_fails_is_our_error(self, tmp_path: Path) -> None:
        with (tmp_path / "x").open("wb") as unreadable, pytest.raises(NoSuchFile, match="stream's content cannot be"):
            await run(self.piece(unreadable), ScriptedTransport(), session_state())

    async def test_of_a_deleted_file_is_our_error(self, tmp_path: Path) -> None:
        with pytest.raises(NoSuchFile, match=r"gone\.png' cannot be read"):
            await run(self.piece(str(tmp_path / "gone.png")), ScriptedTransport(), session_state())


async def test_a_body_is_written_to_a_sink_although_the_transport_supports_none() -> None:
    into = DownloadSink(io.BytesIO(), 100)

    def download() -> Flow[Response]:
        request = Request(endpoint="e", method="GET", url="https://wx2.qq.com/", sink=into)
        response: Response = yield request
        return response

    response = await run(download(), ScriptedTransport(Response(status=206, body=b"body")), session_state())

    assert (response.status, response.body) == (206, b"")
    assert (into.size, into.start) == (4, b"body")


class TestCookies:
    async def test_of_an_answer_are_sent_with_the_next_request_to_that_host(self) -> None:
        first, second = await ask(session_state(), dated(NOW, "fresh=1; Path=/"), dated(NOW))

        assert "fresh=1" not in first.header("Cookie")
        assert "fresh=1" in second.header("Cookie")

    async def test_expire_by_the_clock_of_the_server(self) -> None:
        """Our clock is an hour ahead: by our clock the cookie had expired before it arrived."""
        clock = Clock(NOW + HOUR)
        ours = session_state(clock=clock)
        expiring = f"fresh=1; Path=/; Expires={formatdate(NOW + 60, usegmt=True)}"
        await ask(ours, dated(NOW, expiring))
        clock.now += 30
        [second] = await ask(ours, dated(NOW + 30))
        clock.now += 31
        _, fourth = await ask(ours, dated(NOW + 61), dated(NOW + 61))

        assert "fresh=1" in second.header("Cookie")
        assert "fresh=1" not in fourth.header("Cookie")

    @pytest.mark.parametrize("day", [2, 400, 5_000])
    async def test_do_not_expire_by_the_date_of_an_error(self, day: int) -> None:
        ours = session_state()
        await ask(ours, dated(NOW, "fresh=1; Path=/; Max-Age=43200"))
        error = msgspec.structs.replace(dated(NOW + day * 24 * HOUR, "gateway=1; Path=/"), status=502)
        with pytest.raises(TransportError):
            await ask(ours, error)
        [request] = await ask(ours, dated(NOW))

        assert "fresh=1" in request.header("Cookie")
        assert "wxsid=" in request.header("Cookie")
        assert ours.now() == NOW

    @pytest.mark.parametrize("jump", [HOUR, -HOUR, 5_000 * 24 * HOUR, -5_000 * 24 * HOUR])
    @pytest.mark.parametrize("whose", ["ours", "the server's"])
    async def test_do_not_expire_by_a_jump_of_either_clock(self, whose: str, jump: float) -> None:
        clock, there = Clock(), NOW
        ours = session_state(clock=clock)
        await ask(ours, dated(there, "fresh=1; Path=/; Max-Age=2000"))
        if whose == "ours":
            clock.now += jump
        else:
            there += jump
        carried = []
        for number in range(5):
            requests = await ask(ours, *[dated(there, f"other{number}=1; Path=/")] * 2)
            carried.append(["fresh=1" in request.header("Cookie") for request in requests])
            clock.now, there = clock.now + 600, there + 600

        assert carried == [[True, True], [True, True], [True, True], [True, True], [True, False]]

    async def test_expire_although_our_clock_was_set_back_by_as_much_as_passed(self) -> None:
        clock, there = Clock(), NOW
        ours = session_state(clock=clock)
        await ask(ours, dated(there, "fresh=1; Path=/; Max-Age=2000"))
        clock.now, there = clock.now - 600, there + 600
        await ask(ours, dated(there))
        carried = []
        for _ in range(2):
            clock.now, there = clock.now + 1100, there + 1100
            requests = await ask(ours, *[dated(there)] * 2)
            carried.append(["fresh=1" in request.header("Cookie") for request in requests])

        assert carried == [[True, True], [True, False]]

    async def test_do_not_expire_by_a_saved_difference_of_clocks(self) -> None:
        clock = Clock()
        ours = session_state(clock=clock)
        await ask(ours, dated(NOW, "fresh=1; Path=/; Max-Age=43200"), dated(NOW + 5_000 * 24 * HOUR))
        [request] = await ask(session_state(ours.login, clock), dated(NOW))

        assert "fresh=1" in request.header("Cookie")

    async def test_expire_in_time_although_dates_count_whole_seconds(self) -> None:
        clock = Clock()
        ours = session_state(clock=clock)
        await ask(ours, dated(clock.now, "fresh=1; Path=/; Max-Age=60"))
        for _ in range(140):
            clock.now += 0.5
            [request] = await ask(ours, dated(clock.now))

        assert "fresh=1" not in request.header("Cookie")

    async def test_expire_by_our_clock_if_no_answer_has_a_date(self) -> None:
        clock = Clock()
        ours = session_state(clock=clock)
        fresh = Response(headers=(("Set-Cookie", "fresh=1; Path=/; Max-Age=60"),), body=reply(WEBWXSYNC).body)
        _, second = await ask(ours, fresh, reply(WEBWXSYNC))
        clock.now += 61
        _, fourth = await ask(ours, reply(WEBWXSYNC), reply(WEBWXSYNC))

        assert "fresh=1" in second.header("Cookie")
        assert "fresh=1" not in fourth.header("Cookie")

    async def test_do_not_expire_by_the_date_of_a_delayed_answer(self) -> None:
        clock = Clock()
        ours = session_state(clock=clock)
        await ask(ours, dated(NOW, "fresh=1; Path=/; Max-Age=43200"))

        class Slow(ScriptedTransport):
            async def send(self, request: Request) -> Response:
                clock.now += 24 * HOUR
                return await super().send(request)

        await run(fetch(LOGIN, NOW), Slow(dated(NOW)), ours)
        clock.now -= 24 * HOUR
        [request] = await ask(ours, dated(NOW))

        assert "fresh=1" in request.header("Cookie")

    async def test_that_are_set_again_expire_later(self) -> None:
        clock = Clock()
        ours, answer = session_state(clock=clock), dated(NOW, "fresh=1; Path=/; Max-Age=60")
        for _ in range(3):
            [request] = await ask(ours, answer)
            clock.now += 40

        assert "fresh=1" in request.header("Cookie")

    async def test_of_a_given_server_belong_to_it_despite_their_domain(self) -> None:
        server = "http://127.0.0.1:8790"
        login = msgspec.structs.replace(LOGIN, server=server, hosts=single(server))
        _, second = await ask(session_state(login), dated(NOW, "fresh=1; Domain=.qq.com; Secure"), dated(NOW))

        assert second.header("Cookie") == "fresh=1"

    async def test_of_concurrent_flows_are_all_stored(self) -> None:
        ours = session_state()
        transport = ScriptedTransport(*(dated(NOW, f"c{number}=1; Path=/") for number in range(32)))
        await asyncio.gather(*(run(fetch(LOGIN, NOW), transport, ours) for _ in range(32)))

        sent = ours.prepare(WEBWXSYNC.encode_request(WEBWXSYNC.request(), LOGIN.hosts)).header("Cookie")
        assert all(f"c{number}=1" in sent for number in range(32))


class TestTheServersClock:
    async def test_is_read_again_from_an_equal_header_after_our_clock_jumped(self) -> None:
        clock = Clock()
        ours, answer = session_state(clock=clock), dated(NOW)
        await ask(ours, answer)
        clock.now += HOUR
        await ask(ours, answer)

        assert ours.now() == int(NOW)  # The header counts whole seconds.

    @pytest.mark.parametrize("ahead", [-HOUR, -2.0, 2.0, HOUR])
    async def test_is_used_once_an_answer_has_a_date(self, ahead: float) -> None:
        ours = session_state()
        await ask(ours, dated(NOW + ahead))

        assert ours.now() == pytest.approx(NOW + ahead, abs=1)

    @pytest.mark.parametrize("date", ["", "yesterday", formatdate(NOW, usegmt=True)])
    async def test_is_ours_as_long_as_no_answer_has_a_date(self, date: str) -> None:
        ours = session_state()
        await ask(ours, Response(headers=(("Date", date),), body=reply(WEBWXSYNC).body))

        assert ours.now() == NOW

    @pytest.mark.parametrize("offset", [0.0, 10.0, 25.0])
    async def test_is_not_changed_by_a_delayed_answer(self, offset: float) -> None:
        clock = Clock()
        ours = session_state(clock=clock)

        class Slow(ScriptedTransport):
            async def send(self, request: Request) -> Response:
                clock.now += 25.0
                return await super().send(request)

        await run(fetch(LOGIN, NOW), Slow(dated(NOW + offset)), ours)
        assert ours.login.clock_skew == 0.0

        await run(fetch(LOGIN, NOW), Slow(dated(NOW + 60)), ours)
        assert ours.now() == pytest.approx(NOW + 60, abs=1)

    async def test_is_saved_with_the_login(self) -> None:
        ours = session_state()
        await ask(ours, dated(NOW + HOUR))

        assert session_state(ours.login).now() == pytest.approx(NOW + HOUR, abs=1)


class TestClientIds:
    async def test_have_13_digits_of_milliseconds_and_4_digits_of_a_counter(self) -> None:
        assert await session_state().next_client_id() == "15600000001230000"

    async def test_grow_strictly_with_a_frozen_clock_and_one_that_steps_back(self) -> None:
        clock = Clock()
        ours = session_state(clock=clock)
        made = [await ours.next_client_id() for _ in range(5_000)]
        clock.now -= HOUR
        made += [await ours.next_client_id() for _ in range(5_000)]

        assert sorted(made, key=int) == made
        assert len(set(made)) == 10_000
        assert {len(each) for each in made} == {17}

    async def test_are_all_reserved_before_they_are_used(self) -> None:
        ours = session_state(clock=Clock())
        for _ in range(10_002):  # a millisecond has ten thousand
            made = await ours.next_client_id()
            assert int(made) <= ours.login.last_client_id

    async def test_grow_across_a_save_and_a_load(self) -> None:
        ours = session_state()
        last = [await ours.next_client_id() for _ in range(3)][-1]
        loaded = msgspec.json.decode(msgspec.json.encode(ours.login), type=Login)

        assert int(await session_state(loaded, Clock(NOW - HOUR)).next_client_id()) > int(last)

    async def test_of_uploads_differ_within_a_millisecond(self) -> None:
        ours = session_state()

        assert [await ours.next_media_id(), await ours.next_media_id()] == [1560000000123, 1560000000124]

    async def test_of_uploads_differ_in_two_processes(self) -> None:
        store = LoginMemory()
        one, other = (SessionState(LOGIN, Clock(), reserve=store.reserve_id) for _ in range(2))
        made = []
        for _ in range(50):
            made += [await one.next_media_id(), await other.next_media_id(), await other.next_media_id()]
            await one.next_client_id()
            made.append(await one.next_media_id())
            await other.next_client_id()

        assert len(set(made)) == 200
        assert {len(str(each)) for each in made} == {13}


class TestHeaders:
    @pytest.mark.parametrize(
        ("profile", "page"),
        [("web", "https://wx2.qq.com/"), ("filehelper", "https://wx2.qq.com/"),
         ("desktop", "https://wx2.qq.com/?&lang=zh_CN&target=t")],
    )  # fmt: skip
    async def test_name_the_page_of_the_profile(self, profile: str, page: str) -> None:
        [request] = await ask(session_state(msgspec.structs.replace(LOGIN, profile_name=profile)), dated(NOW))

        assert request.header("Referer") == page

    async def test_of_the_ticket_exchange_of_the_desktop_name_the_page_of_the_login(self) -> None:
        """The exchange goes to the host of the redirect."""
        blank = Login(profile_name=DESKTOP.name, server=None, hosts=FAMILIES["wx.qq.com"])
        desktop = Desktop(client_version="2.0.0", extspam="opaque")
        redirect = "https://wx2.qq.com/cgi-bin/mmwebwx-bin/webwxnewloginpage?ticket=A@qrticket_0&uuid=Q==&scan=1"
        transport = ScriptedTransport(reply(TICKET, skey="@s", wxsid="s", wxuin=1, pass_ticket="p"))
        await run(exchange_ticket(blank, redirect, "e1", desktop), transport, session_state(blank))
        [request] = transport.requests

        assert request.url == f"{redirect}&fun=new&version=v2&mod=desktop"
        assert request.headers[:2] == (("client-version", "2.0.0"), ("extspam", "opaque"))
        assert request.header("Referer") == "https://wx.qq.com/?&lang=zh_CN&target=t"

    async def test_follow_the_host_that_the_login_ended_on(self) -> None:
        ours = session_state()
        ours.prepare(Request(endpoint="e", method="GET", url="https://wx2.qq.com/"))
        ours.change(hosts=single("http://127.0.0.1:1"), server="http://127.0.0.1:1")
        [request] = await ask(ours, dated(NOW))

        assert request.header("Referer") == "http://127.0.0.1:1/"

    async def test_name_the_app_on_file_transfer_helper_only(self) -> None:
        [web] = await ask(session_state(), dated(NOW))
        [filehelper] = await ask(
            session_state(msgspec.structs.replace(LOGIN, profile_name=FILEHELPER.name)), dated(NOW)
        )

        assert (web.header("mmweb_appid"), filehelper.header("mmweb_appid")) == ("", "wx_webfilehelper")

    async def test_state_the_origin_of_the_page_in_posts_of_file_transfer_helper_only(self) -> None:
        web, filehelper = (
            session_state(msgspec.structs.replace(LOGIN, profile_name=profile.name)) for profile in (WEB, FILEHELPER)
        )
        origins = [
            state.prepare(Request(endpoint="e", method=method, url="https://file.wx2.qq.com/")).header("Origin")
            for state in (web, filehelper)
            for method in ("GET", "POST")
        ]

        assert origins == ["", "", "", LOGIN.hosts.main]


def test_the_time_limits_are_those_of_the_documentation() -> None:
    assert Timeouts() == Timeouts(connect=10, call=30, poll=35, bulk=120, slowest=512, retry=1, keep_idle=4)


def test_each_kind_of_call_has_its_time_limit() -> None:
    timeouts = Timeouts(call=1, poll=2, bulk=3)

    assert [timeouts.of(kind) for kind in (TimeLimit.CALL, TimeLimit.POLL, TimeLimit.BULK)] == [1, 2, 3]


def test_a_download_has_a_limit_of_speed_and_not_of_time() -> None:
    timeouts = Timeouts(bulk=10, slowest=100)

    assert timeouts.until(TimeLimit.BULK, 5.0, 5.0, 0) == 15.0
    assert timeouts.until(TimeLimit.BULK, 5.0, 60.0, 3_000) == 45.0
    assert timeouts.until(TimeLimit.BULK, 5.0, 60.0, 1_000_000) == 70.0
    assert Timeouts(bulk=10, slowest=0).until(TimeLimit.BULK, 5.0, 60.0, 1) == 70.0
