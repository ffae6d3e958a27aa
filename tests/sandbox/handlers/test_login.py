from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
import segno
from PIL import Image
from tests.sandbox.conftest import Page, answered

from webwx.protocol.cookies import Jar
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.http import Request
from webwx.protocol.login import (
    JSLOGIN,
    LOGIN_POLL,
    LOGOUT,
    PUSHLOGIN,
    QR_PICTURE,
    QR_TEXT,
    TICKET,
    LogoutRequest,
    PollRequest,
    PushLoginReply,
    PushLoginRequest,
    QrPictureRequest,
    QrRequest,
    TicketReply,
    TicketRequest,
)
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.world import World


def poll(page: Page, uuid: str, *, tip: int = 0) -> int:
    return page.call(LOGIN_POLL, PollRequest(uuid=uuid, tip=tip)).code


def test_the_code_has_the_exact_form_that_clients_match(page: Page) -> None:
    response = page.ask(JSLOGIN, QrRequest())
    assert re.fullmatch(rb'window\.QRLogin\.code = 200; window\.QRLogin\.uuid = "[\w=-]{12}";', response.body)
    assert response.header("Content-Type") == "text/javascript"


def test_jslogin_takes_post(sandbox: SandboxCore) -> None:
    answer = answered(sandbox, Request(endpoint="jslogin", method="POST", url="http://127.0.0.1/jslogin?lang=zh-CN"))
    assert answer.status == 200


def test_the_code_is_drawn_and_explained(page: Page) -> None:
    uuid = page.new_code()
    picture = page.call(QR_PICTURE, QrPictureRequest(uuid=uuid))
    assert picture.content_type == "image/jpeg"
    modules = list(segno.make(f"{page.hosts.qr}/l/{uuid}").matrix_iter())
    drawn = Image.open(io.BytesIO(picture.content)).convert("L")
    pixels = drawn.tobytes()
    assert [
        [pixels[(8 * y + 4) * drawn.width + 8 * x + 4] < 128 for x in range(len(modules))] for y in range(len(modules))
    ] == [[bool(is_dark) for is_dark in row] for row in modules]
    assert b"scan" in page.call(QR_TEXT, QrPictureRequest(uuid=uuid)).content


@pytest.mark.parametrize("endpoint", [QR_PICTURE, QR_TEXT])
def test_an_unknown_code_is_not_found(page: Page, endpoint: Endpoint[Any, Any]) -> None:
    response = page.ask(endpoint, QrPictureRequest(uuid="unknown"))
    assert (response.status, response.body) == (404, b"")


def test_a_poll_is_held_until_the_scan(page: Page, world: World) -> None:
    uuid = page.new_code()
    park = page.hold(LOGIN_POLL, PollRequest(uuid=uuid))
    assert (park.until, park.account) == (world.now + 25, uuid)
    world.scan("me", uuid)
    response = page.ask(LOGIN_POLL, PollRequest(uuid=uuid), parked=park)
    assert response.body.startswith(b"window.code=201;window.userAvatar = 'data:img/jpg;base64,/9j/")
    assert response.body.endswith(b"';")


def test_a_poll_without_a_change_ends_after_its_hold_time(page: Page, world: World) -> None:
    request = PollRequest(uuid=page.new_code())
    park = page.hold(LOGIN_POLL, request)
    world.wind(25)
    assert page.ask(LOGIN_POLL, request, parked=park).body == b"window.code=408;"


def test_a_poll_with_tip_0_reports_a_scan_once_and_is_then_held(page: Page, world: World) -> None:
    uuid = page.new_code()
    world.scan("me", uuid)
    assert poll(page, uuid, tip=0) == 201
    page.hold(LOGIN_POLL, PollRequest(uuid=uuid, tip=0))


def test_a_poll_with_tip_1_reports_a_scan_every_time(page: Page, world: World) -> None:
    uuid = page.new_code()
    world.scan("me", uuid)
    assert [poll(page, uuid, tip=1), poll(page, uuid, tip=1)] == [201, 201]


def test_a_confirmed_poll_names_the_redirect_on_its_own_origin(page: Page, world: World) -> None:
    uuid = page.new_code()
    world.scan("me", uuid)
    world.confirm(uuid)
    body = page.ask(LOGIN_POLL, PollRequest(uuid=uuid)).body.decode()
    assert re.fullmatch(
        r'window\.code=200;\nwindow\.redirect_uri="http://127\.0\.0\.1:8790/cgi-bin/mmwebwx-bin/webwxnewloginpage'
        rf'\?ticket=[\w-]{{24}}@qrticket_0&uuid={re.escape(uuid)}&lang=zh_CN&scan=1560000000";',
        body,
    )


@pytest.mark.parametrize("options", [Options(redirect_origin="https://wx2.qq.com")])
def test_the_redirect_can_name_another_host(page: Page, world: World) -> None:
    uuid = page.new_code()
    world.scan("me", uuid)
    world.confirm(uuid)
    redirect = page.call(LOGIN_POLL, PollRequest(uuid=uuid)).redirect_uri
    assert redirect.startswith("https://wx2.qq.com/cgi-bin/mmwebwx-bin/webwxnewloginpage?ticket=")


def test_a_poll_reports_a_cancelled_code(page: Page, world: World) -> None:
    uuid = page.new_code()
    world.scan("me", uuid)
    world.cancel(uuid)
    assert poll(page, uuid) == 202


def test_unknown_and_expired_codes_are_expired(page: Page, world: World) -> None:
    uuid = page.new_code()
    world.wind(301)
    assert [poll(page, uuid), poll(page, "never")] == [400, 400]


def test_the_exchange_returns_equal_keys_in_xml_and_cookies(page: Page, world: World) -> None:
    uuid = page.new_code()
    world.scan("me", uuid)
    world.confirm(uuid)
    response = page.exchange(uuid)
    assert response.status == 200
    assert response.header("Content-Type") == "text/plain;charset=utf-8"
    assert response.body.startswith(b"<error><ret>0</ret><message></message><skey>@crypt_")
    assert b"\n" not in response.body
    ticket = TICKET.decode_reply(response)
    cookies = dict(value.split(";")[0].split("=", 1) for value in response.header_values("Set-Cookie"))
    assert (ticket.wxsid, str(ticket.wxuin)) == (cookies["wxsid"], cookies["wxuin"])
    assert re.fullmatch(r"gS[\w+/]{22}", cookies["webwx_data_ticket"])
    assert {"wxloadtime", "mm_lang", "webwxuvid", "webwx_auth_ticket"} < cookies.keys()


def test_cookies_are_host_only_and_have_attributes(page: Page, world: World) -> None:
    uuid = page.new_code()
    world.scan("me", uuid)
    world.confirm(uuid)
    for value in page.exchange(uuid).header_values("Set-Cookie"):
        assert "; Path=/; Expires=" in value
        assert "domain" not in value.lower()


def test_without_version_v2_the_exchange_is_a_301_without_location(page: Page, world: World) -> None:
    uuid = page.new_code()
    world.scan("me", uuid)
    world.confirm(uuid)
    response = page.exchange(uuid, version="")
    assert (response.status, response.header("Location")) == (301, "")
    assert TICKET.decode_reply(response).wxsid


def test_with_fun_new_alone_the_exchange_is_a_200_for_old_clients(page: Page, world: World) -> None:
    uuid = page.new_code()
    world.scan("me", uuid)
    world.confirm(uuid)
    redirect = page.call(LOGIN_POLL, PollRequest(uuid=uuid)).redirect_uri
    response = page.ask(TICKET, TicketRequest(redirect_query=redirect.partition("?")[2], fun="new"))
    assert response.status == 200
    assert TICKET.decode_reply(response).wxsid


def test_a_ticket_works_once(page: Page, world: World) -> None:
    uuid = page.new_code()
    world.scan("me", uuid)
    world.confirm(uuid)
    redirect = page.call(LOGIN_POLL, PollRequest(uuid=uuid)).redirect_uri
    request = TicketRequest(redirect_query=redirect.partition("?")[2], version="v2")
    assert page.call(TICKET, request).ret == 0
    again = page.call(TICKET, request)
    assert (again.ret, again.wxsid, bool(again.message)) == (1, "", True)
    assert poll(page, uuid) == 400


def test_a_login_can_be_refused_with_a_message(page: Page, world: World) -> None:
    world.refuse_next("webwxnewloginpage", 1203)
    assert page.call(TICKET, TicketRequest(redirect_query="ticket=x", version="v2")).ret == 1203


def person_of(world: World, ticket: TicketReply) -> str:
    """Return the id of the person who has logged in with a ticket."""
    session = world.logins.session(ticket.wxsid)
    assert session is not None
    return session.person.id


@pytest.mark.parametrize("options", [Options(auto_confirm=True)])
def test_auto_confirm_logs_in_the_first_account_without_a_login(new_page: Callable[..., Page], world: World) -> None:
    nicknames = []
    for _ in range(5):
        page = new_page()
        uuid = page.new_code()
        assert poll(page, uuid) == 201
        ticket = TICKET.decode_reply(page.exchange(uuid))
        nicknames.append(person_of(world, ticket))
    assert nicknames == ["xiaoming", "ahua", "zhangsan", "lilei", "xiaoming"]


@pytest.mark.parametrize("options", [Options(auto_confirm=True)])
def test_auto_confirm_leaves_a_manually_scanned_code_until_its_scan_is_reported(page: Page, world: World) -> None:
    uuid = page.new_code()
    world.scan("ahua", uuid)
    assert [poll(page, uuid), poll(page, uuid)] == [201, 200]


@pytest.mark.parametrize("options", [Options(auto_confirm=True)])
def test_auto_confirmed_logins_side_by_side_get_different_accounts(new_page: Callable[..., Page], world: World) -> None:
    pages = [new_page(), new_page()]
    uuids = [page.new_code() for page in pages]
    assert [poll(page, uuid) for page, uuid in zip(pages, uuids, strict=True)] == [201, 201]
    tickets = [TICKET.decode_reply(page.exchange(uuid)) for page, uuid in zip(pages, uuids, strict=True)]
    assert [person_of(world, ticket) for ticket in tickets] == ["xiaoming", "ahua"]


def test_logout_answers_json_and_ends_the_held_poll_a_moment_later(me: Page, world: World) -> None:
    park = me.hold_check()
    reply = me.call(LOGOUT, LogoutRequest(sid=me.credentials.sid), headers=(("Cookie", f"wxsid={me.credentials.sid}"),))
    assert reply.base_response.ret == 0
    silent = me.hold_check(parked=park)
    assert (silent.until, silent.account) == (world.now + 0.1, "xiaoming")
    world.wind(0.2)
    assert me.check(parked=silent).body == b'window.synccheck={retcode:"1101",selector:"0"}'


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_logout_takes_any_method_and_no_body(me: Page, sandbox: SandboxCore, method: str) -> None:
    url = "http://127.0.0.1/cgi-bin/mmwebwx-bin/webwxlogout?redirect=1&type=1"
    cookie = (("Cookie", f"wxuin=1; wxsid={me.credentials.sid}"),)
    response = answered(sandbox, Request(endpoint="webwxlogout", method=method, url=url, headers=cookie))
    assert response.body == b'{\n"BaseResponse": {\n"Ret": 0,\n"ErrMsg": ""\n}\n}\n'


def test_a_second_login_ends_the_first_at_once(me: Page, new_page: Callable[..., Page], world: World) -> None:
    park = me.hold_check()
    new_page().login()
    assert me.check(parked=park).body == b'window.synccheck={retcode:"1101",selector:"0"}'
    assert me.fetch().base_response.ret == 1101


# -- failures and variants of the ticket exchange --------------------------------------------------------------------


def confirmed(page: Page, world: World) -> str:
    """Confirm a login code and return it."""
    uuid = page.new_code()
    world.scan("me", uuid)
    world.confirm(uuid)
    return uuid


@pytest.mark.parametrize("code", [500, 408, 400])
def test_a_poll_can_be_answered_with_any_code(page: Page, world: World, code: int) -> None:
    world.refuse_next("login", code)
    uuid = page.new_code()
    assert poll(page, uuid) == code
    page.hold(LOGIN_POLL, PollRequest(uuid=uuid))


def test_an_expired_code_is_reported_at_once(page: Page, world: World) -> None:
    request = PollRequest(uuid=page.new_code())
    park = page.hold(LOGIN_POLL, request)
    world.expire()
    assert page.ask(LOGIN_POLL, request, parked=park).body == b"window.code=400;"


@pytest.mark.parametrize("options", [Options(login_refused=True)])
def test_a_refused_login_has_the_platforms_message(page: Page, world: World) -> None:
    uuid = confirmed(page, world)
    response = page.exchange(uuid)
    assert (
        response.body
        == (
            "<error><ret>1203</ret><message>当前登录环境异常。为了你的帐号安全，暂时不能登录web微信。"
            "你可以通过手机客户端或者windows微信登录。</message></error>"
        ).encode()
    )
    assert response.header_values("Set-Cookie") == ()
    assert world.logins.live(world.person("me")) is None
    assert poll(page, uuid) == 400, "the code is spent"


@pytest.mark.parametrize("options", [Options(login_refused=True, require_extspam=True)])
def test_file_transfer_helper_is_open_to_every_account(page: Page, world: World) -> None:
    page.headers = (("mmweb_appid", "wx_webfilehelper"),)
    assert TICKET.decode_reply(page.exchange(confirmed(page, world))).ret == 0


@pytest.mark.parametrize("options", [Options(require_extspam=True)])
@pytest.mark.parametrize(("extspam", "ret"), [("", 1203), ("Gp8ICJkIEpkICggwMDAwMDAwMRAG", 0)])
def test_by_an_option_the_desktop_profile_must_send_its_header(
    page: Page, world: World, extspam: str, ret: int
) -> None:
    redirect = page.call(LOGIN_POLL, PollRequest(uuid=confirmed(page, world))).redirect_uri
    query = redirect.partition("?")[2]
    request = TicketRequest(redirect_query=query, mod="desktop", client_version="2.0.0", extspam=extspam)
    response = page.ask(TICKET, request)
    assert (response.status, TICKET.decode_reply(response).ret) == (301, ret)


@pytest.mark.parametrize("options", [Options(exchange_status="moved")])
def test_the_xml_may_be_the_body_of_a_301_without_location(page: Page, world: World) -> None:
    response = page.exchange(confirmed(page, world))
    assert (response.status, response.header("Location")) == (301, "")
    assert TICKET.decode_reply(response).skey


@pytest.mark.parametrize("options", [Options(exchange_location="https://wx2.qq.com/")])
def test_a_301_with_a_location_gives_no_keys(page: Page, world: World) -> None:
    response = page.exchange(confirmed(page, world))
    assert (response.status, response.header("Location"), response.body) == (301, "https://wx2.qq.com/", b"")
    assert response.header_values("Set-Cookie") == ()


@pytest.mark.parametrize("options", [Options(ticket_page="html")])
def test_the_exchange_may_return_a_web_page_instead_of_xml(page: Page, world: World) -> None:
    response = page.exchange(confirmed(page, world))
    assert (response.status, response.header("Content-Type")) == (200, "text/html")
    assert b"<html" in response.body
    assert b"<head" in response.body


@pytest.mark.parametrize("options", [Options(exchange_origin="https://web2.wechat.com")])
def test_the_exchange_may_redirect_once_and_its_ticket_stays_valid(page: Page, world: World) -> None:
    uuid = confirmed(page, world)
    first = TICKET.decode_reply(page.exchange(uuid))
    redirect = page.call(LOGIN_POLL, PollRequest(uuid=uuid)).redirect_uri
    assert first.redirecturl == redirect.replace("http://127.0.0.1:8790", "https://web2.wechat.com")
    assert (first.ret, first.skey) == (0, "")
    assert TICKET.decode_reply(page.exchange(uuid)).skey


# -- hosts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("main", ["wx.qq.com", "wx2.qq.com", "web.wechat.com", "szfilehelper.weixin.qq.com"])
def test_a_login_over_real_hosts_ends_where_it_asked_to_and_its_cookies_are_shared_as_far_as_needed(
    page: Page, world: World, main: str
) -> None:
    page.hosts = FAMILIES[main]
    uuid = page.call(JSLOGIN, QrRequest(redirect_uri=f"https://{main}{TICKET.path}")).uuid
    world.scan("me", uuid)
    world.confirm(uuid)
    redirect = page.call(LOGIN_POLL, PollRequest(uuid=uuid)).redirect_uri
    assert redirect.startswith(f"https://{main}{TICKET.path}?ticket=")
    response = page.exchange(uuid)
    jar = Jar().updated(redirect, response.header_values("Set-Cookie"), world.now)
    assert len(jar.cookies) == 7
    assert jar.value("wxsid", page.hosts.main, world.now)
    assert jar.value("webwx_data_ticket", page.hosts.file, world.now)
    assert jar.value("webwx_data_ticket", "https://example.com/", world.now) == ""
    shared = f"; Domain=.{'.'.join(main.split('.')[-2:])}; Path=/; Expires="
    for value in response.header_values("Set-Cookie"):
        assert (shared if value.startswith("webwx_data_ticket=") else f"; Domain={main}; Path=/; Expires=") in value


# -- push login ------------------------------------------------------------------------------------------------------


def push(page: Page, jar: Jar, uin: int, now: float, **headers: str) -> PushLoginReply:
    cookie = (("Cookie", jar.header("http://127.0.0.1/", now)), *headers.items())
    return page.call(PUSHLOGIN, PushLoginRequest(uin=uin), headers=cookie)


@pytest.fixture
def jar(page: Page, world: World) -> Jar:
    """The cookies of a login of 小明 that has ended."""
    response = page.exchange(confirmed(page, world))
    world.log_out("me")
    return Jar().updated("http://127.0.0.1/", response.header_values("Set-Cookie"), world.now)


def test_a_push_login_asks_the_phone_of_the_earlier_login(page: Page, world: World, jar: Jar) -> None:
    reply = push(page, jar, 1000000001, world.now)
    assert (reply.ret, reply.msg) == ("0", "all ok")
    assert poll(page, reply.uuid, tip=1) == 201
    world.confirm()
    assert poll(page, reply.uuid, tip=0) == 200
    assert TICKET.decode_reply(page.exchange(reply.uuid)).wxuin == 1000000001


def test_the_answer_to_a_push_login_has_the_platforms_form(page: Page, world: World, jar: Jar) -> None:
    cookie = (("Cookie", jar.header("http://127.0.0.1/", world.now)),)
    body = page.ask(PUSHLOGIN, PushLoginRequest(uin=1000000001), headers=cookie).body
    assert re.fullmatch(rb'{"ret":"0","msg":"all ok","uuid":"[\w-]{10}=="}', body)


@pytest.mark.parametrize("uin", [0, 1000000002])
def test_a_push_for_another_person_is_refused(page: Page, world: World, jar: Jar, uin: int) -> None:
    reply = push(page, jar, uin, world.now)
    assert (reply.ret, reply.uuid) == ("1", "")


def test_file_transfer_helper_has_no_push_login(page: Page, world: World, jar: Jar) -> None:
    assert push(page, jar, 1000000001, world.now, mmweb_appid="wx_webfilehelper").ret == "1"


@pytest.mark.parametrize("options", [Options(auto_confirm=True)])
def test_auto_confirm_confirms_a_push_login_on_its_own_phone(page: Page, world: World) -> None:
    response = page.exchange(auto_confirmed(page))
    jar = Jar().updated("http://127.0.0.1/", response.header_values("Set-Cookie"), world.now)
    uuid = push(page, jar, 1000000001, world.now).uuid
    assert [poll(page, uuid), poll(page, uuid)] == [201, 200]
    assert TICKET.decode_reply(page.exchange(uuid)).wxuin == 1000000001, "the account of the push, not the next one"


def auto_confirmed(page: Page) -> str:
    uuid = page.new_code()
    assert poll(page, uuid) == 201
    return uuid


# -- logout as the page sees it --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [Options(logout_answer="redirect")])
def test_a_logout_may_redirect_to_the_start_page_and_delete_the_cookies(me: Page, world: World) -> None:
    cookie = (("Cookie", f"wxsid={me.credentials.sid}"),)
    response = me.ask(LOGOUT, LogoutRequest(redirect=1), headers=cookie)
    assert (response.status, response.header("Location"), response.body) == (301, "http://127.0.0.1:8790/", b"")
    jar = Jar().updated("http://127.0.0.1:8790/", (f"wxsid={me.credentials.sid}; Path=/",), world.now)
    assert jar.updated("http://127.0.0.1:8790/", response.header_values("Set-Cookie"), world.now) == Jar()
    assert me.fetch().base_response.ret == 1101


@pytest.mark.parametrize("options", [Options(logout_answer="redirect")])
def test_a_logout_without_redirect_may_have_an_empty_answer(me: Page) -> None:
    response = me.ask(LOGOUT, LogoutRequest(redirect=0, skey="x"), headers=(("Cookie", f"wxsid={me.credentials.sid}"),))
    assert (response.status, response.body) == (200, b"")
