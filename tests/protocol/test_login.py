"""Login: the exact texts that other clients match, and every form that we accept."""

from __future__ import annotations

from typing import Any

import pytest

from webwx.errors import ProtocolError
from webwx.protocol.codec import read_json
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.http import Request, Response
from webwx.protocol.login import (
    JSLOGIN,
    LOGIN_POLL,
    LOGOUT,
    QR_PICTURE,
    QR_TEXT,
    TICKET,
    BaseResponse,
    Credentials,
    LogoutRequest,
    PollReply,
    PollRequest,
    QrPictureRequest,
    QrReply,
    QrRequest,
    Reply,
    TicketReply,
    TicketRequest,
)

HOSTS = FAMILIES["filehelper.weixin.qq.com"]

GRANTED = TicketReply(
    skey="@crypt_0a1b2c3d_00112233445566778899aabbccddeeff",
    wxsid="AbCdEfGh/jKl+nOp",
    wxuin=1234567890,
    pass_ticket="k3Yq%2BZ0example%3D",
)
GRANTED_XML = (
    "<error><ret>0</ret><message></message><skey>@crypt_0a1b2c3d_00112233445566778899aabbccddeeff</skey>"
    "<wxsid>AbCdEfGh/jKl+nOp</wxsid><wxuin>1234567890</wxuin><pass_ticket>k3Yq%2BZ0example%3D</pass_ticket>"
    "<isgrayscale>1</isgrayscale></error>"
)


def asked(method: str, target: str, body: bytes = b"") -> Request:
    return Request(endpoint="", method=method, url=f"https://wx.qq.com{target}", body=body)


class TestUuid:
    def test_the_answer_has_the_exact_form_that_other_clients_match(self) -> None:
        response = JSLOGIN.encode_reply(QrReply(uuid="Qa1Zw2Sx3E=="))
        assert response.body == b'window.QRLogin.code = 200; window.QRLogin.uuid = "Qa1Zw2Sx3E==";'
        assert response.header("Content-Type") == "text/javascript"

    def test_an_answer_without_code_or_uuid_has_neither(self) -> None:
        assert JSLOGIN.decode_reply(Response(body=b"<html>")) == QrReply(code=0, uuid="")

    def test_the_request_is_sent_to_the_login_host(self) -> None:
        request = JSLOGIN.encode_request(
            QrRequest(appid="wx_webfilehelper", redirect_uri="https://h/?a", timestamp=5), HOSTS
        )
        assert request.url == (
            "https://login.wx.qq.com/jslogin?appid=wx_webfilehelper&redirect_uri=https%3A%2F%2Fh%2F%3Fa"
            "&fun=new&lang=zh_CN&_=5"
        )

    def test_a_post_with_an_empty_body_and_a_raw_address_is_decoded(self) -> None:
        request = asked("POST", "/jslogin?appid=x&redirect_uri=https://wx.qq.com/cgi&lang=zh-CN")
        assert JSLOGIN.matches(request.method, request.path)
        assert JSLOGIN.decode_request(request).redirect_uri == "https://wx.qq.com/cgi"

    @pytest.mark.parametrize(("endpoint", "path"), [(QR_PICTURE, "qrcode"), (QR_TEXT, "l")])
    def test_the_code_has_one_host_for_every_family(self, endpoint: Endpoint[Any, Any], path: str) -> None:
        request = endpoint.encode_request(QrPictureRequest(uuid="Qa1=="), HOSTS)
        assert request.url == f"https://login.weixin.qq.com/{path}/Qa1=="

    def test_a_hostile_uuid_cannot_change_the_address(self) -> None:
        request = QR_TEXT.encode_request(QrPictureRequest(uuid='a&b/../c?d#e"; rm'), HOSTS)
        assert request.url == "https://login.weixin.qq.com/l/a%26b%2F..%2Fc%3Fd%23e%22%3B%20rm"


class TestPoll:
    @pytest.mark.parametrize(
        ("reply", "body"),
        [
            (PollReply(code=408), "window.code=408;"),
            (
                PollReply(code=201, user_avatar="data:img/jpg;base64,/9j/"),
                "window.code=201;window.userAvatar = 'data:img/jpg;base64,/9j/';",
            ),
            (
                PollReply(code=200, redirect_uri="https://wx2.qq.com/x?ticket=A@q&scan=1"),
                'window.code=200;\nwindow.redirect_uri="https://wx2.qq.com/x?ticket=A@q&scan=1";',
            ),
        ],
    )
    def test_the_answer_has_the_exact_form_that_other_clients_match(self, reply: PollReply, body: str) -> None:
        response = LOGIN_POLL.encode_reply(reply)
        assert response.body.decode() == body
        assert LOGIN_POLL.decode_reply(response) == reply

    @pytest.mark.parametrize("body", [b"", b"<html>", b'window.code="x";', b"window.code=" + b"9" * 30])
    def test_an_answer_without_a_code_is_malformed(self, body: bytes) -> None:
        assert LOGIN_POLL.decode_reply(Response(body=body)).code == 0

    def test_a_poll_needs_a_uuid_and_nothing_else(self) -> None:
        assert LOGIN_POLL.decode_request(asked("GET", "/cgi-bin/mmwebwx-bin/login?uuid=x&tip=")) == PollRequest(
            uuid="x", tip=0
        )
        with pytest.raises(ProtocolError, match="login: a required field is missing"):
            LOGIN_POLL.decode_request(asked("GET", "/cgi-bin/mmwebwx-bin/login?tip=1"))


class TestTicketExchange:
    def test_the_answer_is_xml_on_one_line(self) -> None:
        response = TICKET.encode_reply(GRANTED)
        assert response.body.decode() == GRANTED_XML
        assert response.header("Content-Type") == "text/plain;charset=utf-8"
        assert TICKET.decode_reply(response) == GRANTED

    def test_a_refusal_has_the_platforms_message_and_no_keys(self) -> None:
        refused = TicketReply(ret=1203, message="当前登录环境异常 <a href='x'>&", skey="@crypt_1", isgrayscale=0)
        response = TICKET.encode_reply(refused)
        assert b"@crypt_1" not in response.body
        assert TICKET.decode_reply(response) == TicketReply(ret=1203, message=refused.message, isgrayscale=0)

    def test_another_host_for_the_exchange_is_decoded(self) -> None:
        body = b"<error><ret>0</ret><redirecturl><![CDATA[https://wx2.qq.com/x?a=1&amp;b=2]]></redirecturl></error>"
        assert TICKET.decode_reply(Response(body=body)).redirecturl == "https://wx2.qq.com/x?a=1&b=2"

    @pytest.mark.parametrize("field", ["skey", "wxsid", "wxuin", "pass_ticket"])
    def test_a_missing_key_is_empty(self, field: str) -> None:
        start, end = GRANTED_XML.index(f"<{field}>"), GRANTED_XML.index(f"</{field}>")
        reply = TICKET.decode_reply(Response(body=(GRANTED_XML[:start] + GRANTED_XML[end:]).encode()))
        assert not getattr(reply, field)
        assert sum(1 for name in ("skey", "wxsid", "wxuin", "pass_ticket") if getattr(reply, name)) == 3

    def test_values_that_are_not_well_formed_xml_are_decoded(self) -> None:
        body = b"<error><ret> 0 </ret><skey>a&b<c</skey><wxuin>many</wxuin><wxsid>\xff</wxsid>"
        reply = TICKET.decode_reply(Response(body=body))
        assert (reply.ret, reply.skey, reply.wxuin, reply.wxsid) == (0, "a&b<c", 0, "\ufffd")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<error><ret>ok</ret></error>",
            b"<ret></ret>",
            b"<html><head></head></html>",
            b"\x1f\x8b\x08",
            GRANTED_XML[:8].encode(),
        ],
    )
    def test_an_answer_without_ret_is_a_protocol_error(self, body: bytes) -> None:
        with pytest.raises(ProtocolError, match="webwxnewloginpage: no ticket in the answer"):
            TICKET.decode_reply(Response(body=body))

    def test_the_query_of_the_redirect_is_sent_unchanged_and_can_be_decoded(self) -> None:
        query = "ticket=A@qrticket_0&uuid=Qa1==&lang=zh_CN&scan=1560000030"
        value = TicketRequest(redirect_query=query, fun="new", version="v2")
        request = TICKET.encode_request(value, HOSTS)
        assert request.query == f"{query}&fun=new&version=v2"
        read = TICKET.decode_request(request)
        assert (read.field("ticket"), read.field("uuid"), read.field("other")) == ("A@qrticket_0", "Qa1==", "")


class TestLogout:
    def test_the_request_is_a_form_with_lower_case_names(self) -> None:
        request = LOGOUT.encode_request(LogoutRequest(skey="@crypt_1", sid="a+b", uin="5"), HOSTS)
        assert request.query == "redirect=1&type=0&skey=%40crypt_1"
        assert request.content == b"sid=a%2Bb&uin=5"

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_the_request_may_be_a_get_or_have_no_body(self, method: str) -> None:
        request = asked(method, "/cgi-bin/mmwebwx-bin/webwxlogout?type=1&skey=@crypt_1")
        assert LOGOUT.matches(request.method, request.path)
        assert LOGOUT.decode_request(request) == LogoutRequest(type=1, skey="@crypt_1")


class TestWhatEveryReplyBeginsWith:
    @pytest.mark.parametrize(
        ("body", "ret"),
        [
            (b'{"BaseResponse":{"Ret":1101,"ErrMsg":""}}', 1101),
            (b'{"BaseResponse":{"Ret":"1101"}}', 1101),
            (b'{"BaseResponse":{"Ret":-1,"ErrMsg":null}}', -1),
            (b"{}", 0),
        ],
    )
    def test_ret_may_be_a_number_or_a_text(self, body: bytes, ret: int) -> None:
        assert read_json(body, Reply).base_response == BaseResponse(ret=ret)


class TestWhatIsShown:
    @pytest.mark.parametrize(
        "value",
        [
            Credentials(uin="secret", sid="secret", skey="secret", device_id="secret"),
            QrReply(uuid="secret"),
            QrPictureRequest(uuid="secret"),
            PollRequest(uuid="secret"),
            PollReply(code=200, redirect_uri="secret"),
            TicketRequest(redirect_query="secret"),
            TicketReply(skey="secret", wxsid="secret", pass_ticket="secret", redirecturl="secret"),
            LogoutRequest(skey="secret", sid="secret", uin="secret"),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_no_repr_of_a_login_shows_a_key(self, value: object) -> None:
        assert "secret" not in repr(value)
        assert "secret" not in str(value)
