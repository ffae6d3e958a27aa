"""Login: the code, polls, the ticket exchange with all its variants, and the first snapshot."""

from __future__ import annotations

import msgspec
import pytest
from tests.flows.drive import drive, refusal, reply
from tests.saved import LOGIN, NOW, SECRETS

from webwx.errors import (
    ApiError,
    LoginRefused,
    NotOnThisHost,
    ProtocolError,
    SendOutcomeUnknown,
    UnexpectedLoginPage,
    UnsafeRedirect,
    WxError,
)
from webwx.flows import login as flows
from webwx.model.login import Login
from webwx.protocol.contacts import WEBWXINIT, WireUser
from webwx.protocol.hosts import FAMILIES, Desktop, choose, single
from webwx.protocol.http import Response
from webwx.protocol.login import JSLOGIN, LOGIN_POLL, LOGOUT, PUSHLOGIN, TICKET
from webwx.protocol.sync import KeyValue, SyncKey

KEY = SyncKey(count=1, list=(KeyValue(key=1, val=700000001),))

UUID = "AbCdEfGhIj=="

REDIRECT = (
    "https://wx2.qq.com/cgi-bin/mmwebwx-bin/webwxnewloginpage?ticket=A1b/+2@qrticket_0&uuid=AbCdEfGhIj==&lang=zh_CN"
)

FIELDS = {"skey": "@crypt_1_2", "wxsid": "sId+/1", "wxuin": "1234567890", "pass_ticket": "p%2Bt"}


def blank(host: str = "web", server: str | None = None) -> Login:
    """A login before the scan."""
    profile, hosts = choose(host, server)
    return Login(profile_name=profile.name, server=server, hosts=hosts)


def ticket(*, without: str = "", status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return the answer of a ticket exchange, with one field left out on request."""
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in FIELDS.items() if name != without)
    return Response(status=status, headers=headers, body=f"<error><ret>0</ret>{fields}</error>".encode())


def exchange(*answers: Response | Exception, server: str | None = None) -> flows.Ticket:
    return drive(flows.exchange_ticket(blank(server=server), REDIRECT, "e1"), *answers)[0]


class TestRequestCode:
    def test_asks_the_login_host_with_the_profiles_app_id_and_returns_the_uuid(self) -> None:
        uuid, [request] = drive(flows.request_code(blank("filehelper"), NOW), reply(JSLOGIN, uuid=UUID))

        assert uuid == UUID
        assert request.url.startswith(
            "https://login.wx.qq.com/jslogin?appid=wx_webfilehelper&redirect_uri=https%3A%2F%2F"
        )
        assert "filehelper.weixin.qq.com%2Fcgi-bin%2Fmmwebwx-bin%2Fwebwxnewloginpage" in request.url

    @pytest.mark.parametrize(
        "uuid",
        ["", "short", "AbCdEfGh&calc", "$(reboot)aaaa", "../../../etc", "x" * 10_000, "uuid\u4f60\u597d\u4f60\u597d",
         "AbCdEfGhIj\n", "-AbCdEfGhIj==="],
    )  # fmt: skip
    def test_refuses_a_malformed_uuid(self, uuid: str) -> None:
        with pytest.raises(ProtocolError, match="no valid login code"):
            drive(flows.request_code(blank(), NOW), reply(JSLOGIN, uuid=uuid))

    def test_refuses_another_code_than_200(self) -> None:
        with pytest.raises(ProtocolError, match="no valid login code"):
            drive(flows.request_code(blank(), NOW), reply(JSLOGIN, code=500, uuid=UUID))


class TestThePush:
    @pytest.mark.parametrize("body", [b'{"ret": "0", "msg": "all ok", "uuid": "b7Xk-Zq1Aw=="}',
                                      b'{"ret": 0, "uuid": "b7Xk-Zq1Aw=="}'])  # fmt: skip
    def test_asks_the_phone_of_an_earlier_login(self, body: bytes) -> None:
        uuid, [request] = drive(flows.request_push_ticket(LOGIN), Response(body=body))

        assert uuid == "b7Xk-Zq1Aw=="
        assert request.url == "https://wx2.qq.com/cgi-bin/mmwebwx-bin/webwxpushloginurl?uin=1234567890"

    @pytest.mark.parametrize(("ret", "uuid"), [("1", ""), ("1", UUID), ("-1", ""), ("0", "")])
    def test_returns_no_uuid_when_the_phone_was_not_asked(self, ret: str, uuid: str) -> None:
        assert drive(flows.request_push_ticket(LOGIN), reply(PUSHLOGIN, ret=ret, uuid=uuid))[0] == ""

    def test_refuses_a_malformed_uuid(self) -> None:
        with pytest.raises(ProtocolError, match="no valid uuid"):
            drive(flows.request_push_ticket(LOGIN), reply(PUSHLOGIN, ret="0", uuid="a&b"))


VALUES = Desktop(client_version="2.0.0", extspam="opaque")


class TestTheDesktop:
    def test_sends_its_parameter_where_the_login_begins(self) -> None:
        _, [request] = drive(flows.request_code(blank("desktop"), NOW), reply(JSLOGIN, uuid=UUID))

        assert "webwxnewloginpage%3Fmod%3Ddesktop&" in request.url

    def test_sends_its_values_in_the_ticket_exchange_only(self) -> None:
        _, [request] = drive(flows.exchange_ticket(blank("desktop"), REDIRECT, "e1", VALUES), ticket(status=301))

        assert (request.header("client-version"), request.header("extspam")) == ("2.0.0", "opaque")
        assert request.url.endswith("&fun=new&version=v2&mod=desktop")

    def test_keeps_its_values_when_another_profile_logs_in(self) -> None:
        _, [request] = drive(flows.exchange_ticket(blank("web"), REDIRECT, "e1", VALUES), ticket())

        assert (request.header("client-version"), request.header("extspam")) == ("", "")
        assert "mod=" not in request.url

    def test_sends_its_parameter_to_the_phone_of_an_earlier_login(self) -> None:
        earlier = msgspec.structs.replace(LOGIN, profile_name="desktop")
        _, [request] = drive(flows.request_push_ticket(earlier), reply(PUSHLOGIN, ret="0", uuid=UUID))

        assert request.url.endswith("?uin=1234567890&mod=desktop")

    def test_without_its_values_the_error_names_them_and_an_alternative(self) -> None:
        with pytest.raises(NotOnThisHost, match=r"Desktop\(client_version=\.\.\., extspam=\.\.\.\).*filehelper"):
            flows.check_profile(blank("desktop"), None)

    @pytest.mark.parametrize(("host", "values"), [("desktop", VALUES), ("web", None), ("filehelper", VALUES)])
    def test_with_its_values_or_in_another_profile_the_exchange_succeeds(
        self, host: str, values: Desktop | None
    ) -> None:
        flows.check_profile(blank(host), values)


class TestSentOnByTheExchange:
    def test_goes_to_the_other_host_with_the_given_query(self) -> None:
        elsewhere = reply(TICKET, redirecturl=REDIRECT.replace("wx2.", "wx8.").replace("A1b", "B2c"))
        given, [_, request] = drive(flows.exchange_ticket(blank(), REDIRECT, "e1"), elsewhere, ticket())

        assert given.hosts == FAMILIES["wx8.qq.com"]
        assert request.url.startswith(
            "https://wx8.qq.com/cgi-bin/mmwebwx-bin/webwxnewloginpage?ticket=B2c/+2@qrticket_0&uuid=AbCdEfGhIj=="
        )

    def test_goes_to_no_host_outside_the_platform(self) -> None:
        with pytest.raises(UnsafeRedirect, match=r"evil\.example"):
            exchange(reply(TICKET, redirecturl="https://evil.example/?ticket=1"))

    def test_goes_to_a_host_that_the_user_has_added(self) -> None:
        login = msgspec.structs.replace(blank(), allowed_hosts=("wx9.qq.com",))
        given, _ = drive(flows.exchange_ticket(login, REDIRECT.replace("wx2.", "wx9."), "e1"), ticket())

        assert given.hosts.push == "https://webpush.wx9.qq.com"

    def test_ends_after_a_limited_number_of_redirects(self) -> None:
        with pytest.raises(UnsafeRedirect, match="too many times"):
            exchange(*[reply(TICKET, redirecturl=REDIRECT)] * 3)


def test_the_code_has_the_platforms_address() -> None:
    assert flows.code_url(blank(), UUID) == "https://login.weixin.qq.com/l/AbCdEfGhIj=="


class TestPoll:
    def test_asks_for_the_uuid_with_the_given_tip(self) -> None:
        answer, [request] = drive(flows.poll(blank(), UUID, 0, NOW), reply(LOGIN_POLL, code=408))

        assert answer.code == 408
        assert (
            "https://login.wx.qq.com/cgi-bin/mmwebwx-bin/login?loginicon=true&uuid=AbCdEfGhIj%3D%3D&tip=0"
            f"&r={flows.cache_breaker(1_560_000_000_123)}&_=1560000000123"
        ) == request.url

    def test_names_the_app_on_file_transfer_helper(self) -> None:
        _, [request] = drive(flows.poll(blank("filehelper"), UUID, 1, NOW), reply(LOGIN_POLL, code=408))

        assert request.url.endswith("&appid=wx_webfilehelper")

    def test_returns_the_redirect_of_a_confirmed_code(self) -> None:
        answer, _ = drive(flows.poll(blank(), UUID, 0, NOW), reply(LOGIN_POLL, code=200, redirect_uri=REDIRECT))

        assert (answer.code, answer.redirect_uri) == (200, REDIRECT)

    @pytest.mark.parametrize(
        "body", [b"", b"<html>502</html>", b"window.code=0;", b"window.code=500;"], ids=["empty", "page", "0", "500"]
    )
    def test_an_answer_without_a_code_is_a_protocol_error(self, body: bytes) -> None:
        with pytest.raises(ProtocolError, match="no valid answer to the poll"):
            drive(flows.poll(blank(), UUID, 0, NOW), Response(body=body))


class TestExchangeTicket:
    def test_goes_to_the_host_of_the_redirect_with_its_query_unchanged(self) -> None:
        given, [request] = drive(flows.exchange_ticket(blank(), REDIRECT, "e123"), ticket())

        assert REDIRECT.replace("https://wx.", "https://wx2.") + "&fun=new&version=v2" == request.url
        assert FAMILIES["wx2.qq.com"] == given.hosts
        assert (
            given.credentials.sid, given.credentials.skey, given.credentials.uin, given.credentials.device_id,
            given.pass_ticket,
        ) == ("sId+/1", "@crypt_1_2", 1234567890, "e123", "p%2Bt")  # fmt: skip
        assert repr(given) == "Ticket(***)"

    @pytest.mark.parametrize(
        "redirect",
        [
            "https://evil.example/?x=wx2.qq.com", "https://wx2.qq.com.evil.example/", "http://wx.qq.com/",
            "https://wx.qq.com@evil.example/", "https://user@wx.qq.com/", "https://wx.qq.com:444/",
            "https://wх.qq.com/", "https://wx9.qq.com/", "https://[wx.qq.com/", "https://wx.qq.com:port/", "",
            "?ticket=1",
        ],
    )  # fmt: skip
    def test_sends_nothing_to_a_host_outside_the_platform(self, redirect: str) -> None:
        with pytest.raises(UnsafeRedirect):
            next(flows.exchange_ticket(blank(), redirect, "e1"))

    def test_stays_at_a_given_server_although_the_redirect_names_a_real_host(self) -> None:
        server = "http://127.0.0.1:8790"
        given, [request] = drive(flows.exchange_ticket(blank(server=server), REDIRECT, "e1"), ticket())

        assert single(server) == given.hosts
        assert request.url.startswith("http://127.0.0.1:8790/cgi-bin/mmwebwx-bin/webwxnewloginpage?ticket=")

    def test_goes_from_a_given_server_to_no_other(self) -> None:
        with pytest.raises(UnsafeRedirect):
            next(flows.exchange_ticket(blank(server="http://127.0.0.1:8790"), "http://127.0.0.1:8791/?a=1", "e1"))

    def test_decodes_the_ticket_of_a_301_without_location(self) -> None:
        assert exchange(ticket(status=301)).credentials.sid == "sId+/1"

    def test_does_not_follow_a_301(self) -> None:
        moved = Response(status=301, headers=(("Location", "https://evil.example/"),))

        with pytest.raises(UnsafeRedirect, match="nothing was sent there"):
            exchange(moved)

    def test_a_refusal_has_the_platforms_message_and_the_next_step(self) -> None:
        answer = Response(body="<error><ret>1203</ret><message>你的帐号不能登录网页版</message></error>".encode())

        with pytest.raises(LoginRefused, match="File Transfer Helper") as caught:
            exchange(answer)
        assert (caught.value.ret, caught.value.message) == (1203, "你的帐号不能登录网页版")

    def test_a_refusal_repeats_the_platforms_message_without_key_like_texts(self) -> None:
        answer = Response(body=b"<error><ret>1</ret><message>no: skey=@crypt_1f2e3d4_0a1b2c</message></error>")

        with pytest.raises(LoginRefused, match=r"ret 1\): no: \*\*\*\.$") as caught:
            exchange(answer)
        assert caught.value.message == "no: ***"

    @pytest.mark.parametrize(
        ("words", "shown"),
        [
            (
                "Windows微信下载地址：https://pc.weixin.qq.com  Mac微信下载地址：https://mac.weixin.qq.com",
                "Windows微信下载地址：https://pc.weixin.qq.com Mac微信下载地址：https://mac.weixin.qq.com",
            ),
            ("Use Mac WeChat at http://wechat.com.", "Use Mac WeChat at http://wechat.com"),
            (
                "请打开https://weixin.qq.com/cgi-bin/readtemplate?t=weixin_faq，谢谢",
                "请打开https://weixin.qq.com/cgi-bin/readtemplate，谢谢",
            ),
        ],
    )
    def test_a_refusal_shows_its_links(self, words: str, shown: str) -> None:
        answer = Response(body=f"<error><ret>1203</ret><message>{words}</message></error>".encode())
        with pytest.raises(LoginRefused) as caught:
            exchange(answer)
        assert caught.value.message == shown
        assert f"): {shown}; File Transfer Helper" in str(caught.value)

    @pytest.mark.parametrize(
        "address",
        [
            "https://wx.qq.com/?sid=AbC",
            "https://user:key@wx.qq.com/x",
            "https://wx.qq.com:80/AbC",
            "https://abcdefghijklmnopqrst.com",
            "https://wx.qq.com/a/0123456789",
            "https://a1b2c3.qq.com",
            "//wx.qq.com/x",
        ],
    )
    def test_the_links_of_a_refusal_contain_nothing_that_may_be_a_key(self, address: str) -> None:
        answer = Response(body=f"<error><ret>1203</ret><message>{address}</message></error>".encode())
        with pytest.raises(LoginRefused) as caught:
            exchange(answer)
        assert caught.value.message in {"", "https://wx.qq.com", "https://wx.qq.com/a"}

    def test_another_refusal_has_no_next_step(self) -> None:
        with pytest.raises(LoginRefused, match=r"ret 1\): no reason given\.$"):
            exchange(Response(body=b"<error><ret>1</ret><message></message></error>"))

    def test_a_web_page_is_recognised(self) -> None:
        with pytest.raises(UnexpectedLoginPage):
            exchange(Response(body=b"<!DOCTYPE HTML><HTML><body>Log in</body></HTML>"))

    def test_the_text_of_a_web_page_is_repeated_without_key_like_texts(self) -> None:
        page = """<!DOCTYPE html><html><head><title>微信 &amp; web</title>
            <script>window.skey = "scriptOnly";</script><style>p { color: red }</style></head>
            <!-- commentOnly --><body><p class="classOnly">Please\n\t try   again\x1b[2J,\u202e error 502</p>
            <a href="https://hrefOnly.example/">here</a> https://wx2.qq.com/?sid=AbC or //wx.qq.com/x,
            wx.qq.com/a/long/path @crypt_1f2e3d4_0a1b2c uin=1234567890
            1234567890 @s&#107;ey skey:QWERTYUIOPASDFGH k3Yq%2BZ0example%3D=
            &#104;ttps://hidden.example/ </body></html>"""

        with pytest.raises(UnexpectedLoginPage) as caught:
            exchange(Response(body=page.encode()))
        assert str(caught.value) == (
            "webwxnewloginpage: the server sent a web page instead of the ticket. It says: "
            "微信 & web Please try again[2J, error 502 here or *** *** *** *** *** *** ***"
        )

    def test_two_hundred_characters_of_a_long_web_page_are_repeated(self) -> None:
        with pytest.raises(UnexpectedLoginPage) as caught:
            exchange(Response(body=b"<html>" + 100 * b"so much "))
        _, _, excerpt = str(caught.value).partition(" It says: ")
        assert (len(excerpt), excerpt[-1]) == (200, "…")

    @pytest.mark.parametrize(
        "page",
        ["<html>", "<html><script>x()</script><body>\x00 https://a.example/b </body></html>", "<html><script>x <b>"],
    )
    def test_a_web_page_without_text_is_not_repeated(self, page: str) -> None:
        with pytest.raises(UnexpectedLoginPage, match=r"instead of the ticket\.$"):
            exchange(Response(body=page.encode()))

    @pytest.mark.parametrize("body", [b"", b"<error><ret>0", b"\x1f\x8b\x08\x00garbage", b'{"ret":0}'])
    def test_anything_else_is_a_protocol_error(self, body: bytes) -> None:
        with pytest.raises(ProtocolError) as caught:
            exchange(Response(body=body))
        assert ProtocolError is type(caught.value)

    @pytest.mark.parametrize("name", FIELDS)
    def test_a_missing_field_is_named(self, name: str) -> None:
        with pytest.raises(ProtocolError, match=rf"lacks {name}\."):
            exchange(ticket(without=name))

    def test_cookies_replace_a_missing_sid_and_uin(self) -> None:
        cookies = (("Set-Cookie", "wxuin=77; Path=/"), ("Set-Cookie", "wxsid=fromCookie; Path=/; Secure"))
        body = b"<error><ret>0</ret><skey>@s</skey><pass_ticket>p</pass_ticket></error>"
        given = exchange(Response(headers=cookies, body=body))

        assert (given.credentials.uin, given.credentials.sid) == (77, "fromCookie")

    def test_a_cookie_that_is_not_a_number_is_no_uin(self) -> None:
        answer = ticket(without="wxuin", headers=(("Set-Cookie", "wxuin=none; Path=/"),))

        with pytest.raises(ProtocolError, match=r"lacks wxuin\."):
            exchange(answer)

    def test_a_lost_answer_leaves_an_unknown_outcome(self) -> None:
        with pytest.raises(SendOutcomeUnknown):
            exchange(Response(status=502))

    def test_no_error_contains_the_ticket(self) -> None:
        for answer in (Response(body=b"?"), Response(status=502), ticket(without="wxsid")):
            with pytest.raises(WxError) as caught:
                exchange(answer)
            assert "qrticket" not in str(caught.value)


def test_open_session_asks_with_the_first_keys_and_returns_the_snapshot() -> None:
    snapshot = reply(WEBWXINIT, user=WireUser(user_name="@me"), skey="@new", sync_key=KEY)
    given, [request] = drive(flows.open_session(LOGIN, NOW), snapshot)

    assert (given.user.user_name, given.skey) == ("@me", "@new")
    assert f"r={flows.cache_breaker(int(NOW * 1000))}&" in request.url
    assert "pass_ticket=k3Yq%252BZ0example%253D" in request.url
    assert {"BaseRequest": {"Uin": 1234567890, "Sid": "AbCdEfGhIjKlMnOp", "Skey": LOGIN.credentials.skey,
                            "DeviceID": "e123456789012345"}} == msgspec.json.decode(request.content)  # fmt: skip


def test_only_file_transfer_helper_names_a_language_when_it_opens_the_session() -> None:
    snapshot = reply(WEBWXINIT, user=WireUser(user_name="@me"), sync_key=KEY)
    helper = msgspec.structs.replace(LOGIN, profile_name="filehelper")
    urls = [drive(flows.open_session(login, NOW), snapshot)[1][0].url for login in (LOGIN, helper)]

    assert ["lang=zh_CN" in url for url in urls] == [False, True]


@pytest.mark.parametrize(
    ("snapshot", "lack"),
    [
        (reply(WEBWXINIT, sync_key=KEY), "does not name the account"),
        (reply(WEBWXINIT, user=WireUser(user_name="@me")), "no sync key"),
    ],
)
def test_a_snapshot_without_a_required_field_is_a_protocol_error(snapshot: Response, lack: str) -> None:
    with pytest.raises(ProtocolError, match=lack):
        drive(flows.open_session(LOGIN, NOW), snapshot)


@pytest.mark.parametrize("answer", [reply(LOGOUT), Response(status=301), Response(body=b" \n"), refusal(1101)])
def test_log_out_sends_the_session(answer: Response) -> None:
    _, [request] = drive(flows.log_out(LOGIN), answer)

    assert request.content == b"sid=AbCdEfGhIjKlMnOp&uin=1234567890"
    assert request.url.startswith("https://wx2.qq.com/cgi-bin/mmwebwx-bin/webwxlogout?redirect=1&type=0&skey=%40crypt_")


@pytest.mark.parametrize("body", [b"<html>", b'{"error":"blocked by proxy"}', b"[]", b'{"Ret":0}'])
def test_an_answer_of_a_proxy_does_not_confirm_a_logout(body: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"did not confirm.* end it on the phone as well"):
        drive(flows.log_out(LOGIN), Response(body=body))


def test_a_refused_logout_is_raised() -> None:
    with pytest.raises(ApiError, match="ret -1"):
        drive(flows.log_out(LOGIN), refusal(-1))


@pytest.mark.parametrize(
    ("milliseconds", "r"), [(0, -1), (1, -2), (2**31 - 1, -(2**31)), (1_560_000_000_123, -926871676)]
)
def test_the_cache_breaker_is_the_times_complement_in_32_bits(milliseconds: int, r: int) -> None:
    assert r == flows.cache_breaker(milliseconds)


def test_no_flow_of_the_login_exposes_a_key() -> None:
    assert not [secret for secret in SECRETS if secret in repr(LOGIN)]
