"""Messages as they are delivered and sent; the four reference requests have their own file."""

from __future__ import annotations

import json

import msgspec
import pytest

from webwx.errors import ProtocolError
from webwx.protocol.codec import read_json
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.http import Request, Response
from webwx.protocol.login import Credentials
from webwx.protocol.messages import (
    IMAGE,
    RECALL,
    STATUSNOTIFY,
    TEXT,
    ImageRequest,
    OutgoingImage,
    OutgoingText,
    RecallReply,
    RecallRequest,
    SendReply,
    StatusNotifyReply,
    StatusNotifyRequest,
    TextRequest,
    WireMessage,
)

HOSTS = FAMILIES["wx.qq.com"]
CREDENTIALS = Credentials(uin=1234567890, sid="secret", skey="secret", device_id="e123456789012345")


def asked(call: str, body: str) -> Request:
    url = f"https://wx.qq.com/cgi-bin/mmwebwx-bin/{call}"
    return Request(endpoint="", method="POST", url=url, body=body.encode())


class TestAMessageThatArrives:
    @pytest.mark.parametrize(
        ("given", "read"),
        [
            ('"2900000000000000001"', "2900000000000000001"),
            ("2900000000000000001", "2900000000000000001"),
            ("18446744073709551615", "18446744073709551615"),
        ],
    )
    def test_an_id_keeps_every_digit(self, given: str, read: str) -> None:
        assert read_json(f'{{"MsgId":{given}}}'.encode(), WireMessage).msg_id == read

    def test_a_message_without_an_id_is_malformed(self) -> None:
        with pytest.raises(ProtocolError, match="MsgId is missing"):
            read_json(b'{"MsgType":1,"Content":"x"}', WireMessage)

    def test_an_invalid_type_affects_only_the_type(self) -> None:
        read = read_json(b'{"MsgId":"1","MsgType":"x","Content":"kept"}', WireMessage)
        assert (read.msg_type, read.content) == (0, "kept")

    def test_a_file_size_is_a_text(self) -> None:
        assert read_json(b'{"MsgId":"1","FileSize":123}', WireMessage).file_size == "123"
        assert '"FileSize":""' in msgspec.json.encode(WireMessage(msg_id="1")).decode()

    def test_a_message_has_every_field_that_other_clients_require(self) -> None:
        written = set(json.loads(msgspec.json.encode(WireMessage(msg_id="1"))))
        assert {
            "FromUserName", "ToUserName", "Content", "MsgType", "Url", "AppMsgType", "FileName", "MsgId", "NewMsgId",
        } <= written  # fmt: skip

    def test_irregular_field_names_are_those_of_the_platform(self) -> None:
        written = json.loads(msgspec.json.encode(WireMessage(msg_id="1")))
        assert "AppID" in written["AppInfo"]
        assert "QQNum" in written["RecommendInfo"]


class TestSends:
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param('{"Scene":0,"Msg":{"ToUserName":"@a","Content":"x"}}', id="Scene first, no credentials"),
            pytest.param('{"Msg":{"ToUserName":"@a","Content":"x","MediaId":""},"Scene":0}', id="an unused MediaId"),
            pytest.param('{"Msg":{"Type":"1","ToUserName":"@a","Content":"x","Other":[]}}', id="Type as a text"),
        ],
    )
    def test_a_text_is_decoded_in_every_form_that_other_clients_send(self, body: str) -> None:
        assert TEXT.decode_request(asked("webwxsendmsg", body)).msg == OutgoingText(to_user_name="@a", content="x")

    @pytest.mark.parametrize(("given", "read"), [("15600000001230", "15600000001230"), ('"abc"', "abc"), ("null", "")])
    def test_ids_may_be_numbers_of_any_length(self, given: str, read: str) -> None:
        body = f'{{"Msg":{{"ToUserName":"@a","LocalID":{given},"ClientMsgId":{given}}}}}'
        msg = TEXT.decode_request(asked("webwxsendmsg", body)).msg
        assert (msg.local_id, msg.client_msg_id) == (read, read)

    def test_a_send_without_a_recipient_is_refused(self) -> None:
        with pytest.raises(ProtocolError, match="ToUserName is missing"):
            TEXT.decode_request(asked("webwxsendmsg", '{"Msg":{"Content":"x"}}'))

    def test_a_reply_has_both_ids_as_texts(self) -> None:
        body = json.loads(TEXT.encode_reply(SendReply(msg_id="29", local_id="15")).body)
        assert (body["MsgID"], body["LocalID"]) == ("29", "15")

    def test_a_reply_without_an_id_can_be_decoded(self) -> None:
        reply = TEXT.decode_reply(Response(body=b'{"BaseResponse":{"Ret":0}}'))
        assert (reply.msg_id, reply.local_id) == ("", "")

    def test_a_picture_from_an_upload_has_an_empty_content(self) -> None:
        value = ImageRequest(credentials=CREDENTIALS, msg=OutgoingImage(media_id="@crypt_m", to_user_name="@a"))
        request = IMAGE.encode_request(value, HOSTS)
        assert request.query == "fun=async&f=json"
        msg = json.loads(request.content)["Msg"]
        assert list(msg) == ["Type", "MediaId", "Content", "FromUserName", "ToUserName", "LocalID", "ClientMsgId"]
        assert (msg["Type"], msg["MediaId"], msg["Content"]) == (3, "@crypt_m", "")


class TestRecall:
    def test_a_recall_without_ids_is_malformed(self) -> None:
        with pytest.raises(ProtocolError):
            RECALL.decode_request(asked("webwxrevokemsg", '{"ToUserName":"@a"}'))

    def test_the_reply_has_texts_for_display(self) -> None:
        body = json.loads(RECALL.encode_reply(RecallReply(introduction="i", sys_wording="已撤回")).body)
        assert (body["Introduction"], body["SysWording"]) == ("i", "已撤回")


class TestStatusNotify:
    @pytest.mark.parametrize("client_msg_id", ["1560000000", "1560000000123", '"1560000000123"'])
    def test_a_request_without_a_query_and_with_additional_fields_is_decoded(self, client_msg_id: str) -> None:
        body = f'{{"Code":1,"ToUserName":"@a","ClientMsgId":{client_msg_id},"DeviceID":"e","Sid":"s","Uin":5}}'
        read = STATUSNOTIFY.decode_request(asked("webwxstatusnotify", body))
        assert (read.code, read.to_user_name) == (1, "@a")

    def test_the_reply_has_an_id(self) -> None:
        response = STATUSNOTIFY.encode_reply(StatusNotifyReply(msg_id="30"))
        assert json.loads(response.body)["MsgID"] == "30"


@pytest.mark.parametrize(
    "value",
    [
        TextRequest(
            pass_ticket="secret", credentials=CREDENTIALS, msg=OutgoingText(content="secret", to_user_name="@a")
        ),
        ImageRequest(pass_ticket="secret", credentials=CREDENTIALS, msg=OutgoingImage(to_user_name="@a")),
        RecallRequest(credentials=CREDENTIALS, svr_msg_id="1"),
        StatusNotifyRequest(pass_ticket="secret", credentials=CREDENTIALS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_repr_shows_a_key(value: object) -> None:
    assert "secret" not in repr(value)
