"""The first snapshot, the contact list and batches of details."""

from __future__ import annotations

import json

import msgspec
import pytest

from webwx.protocol.codec import read_json
from webwx.protocol.contacts import (
    BATCHGETCONTACT,
    GETCONTACT,
    WEBWXINIT,
    BatchContactsRequest,
    ContactKey,
    ContactsReply,
    ContactsRequest,
    InitReply,
    InitRequest,
    WireContact,
    WireUser,
)
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.http import Request, Response
from webwx.protocol.login import Credentials

HOSTS = FAMILIES["wx.qq.com"]
CREDENTIALS = Credentials(uin=1234567890, sid="secret", skey="secret", device_id="e123456789012345")


def written(value: msgspec.Struct) -> list[str]:
    keys: list[str] = list(json.loads(msgspec.json.encode(value)))
    return keys


class TestInit:
    def test_the_request_has_the_credentials_only(self) -> None:
        request = WEBWXINIT.encode_request(InitRequest(r=-5, pass_ticket="a%2B", credentials=CREDENTIALS), HOSTS)
        assert request.url == "https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxinit?r=-5&pass_ticket=a%252B"
        assert list(json.loads(request.content)) == ["BaseRequest"]
        assert list(json.loads(request.content)["BaseRequest"]) == ["Uin", "Sid", "Skey", "DeviceID"]

    def test_a_malformed_contact_affects_no_other(self) -> None:
        listed = b'[{"UserName":"@a"},{"UserName":{}},{"UserName":"@b"}]'
        body = b'{"BaseResponse":{"Ret":0},"ContactList":%b,"User":{"UserName":"@me","Uin":5}}' % listed
        reply = WEBWXINIT.decode_reply(Response(body=body))
        assert [read_json(reply.contact_list[place], WireContact).user_name for place in (0, 2)] == ["@a", "@b"]
        assert reply.user == WireUser(user_name="@me", uin=5)

    def test_the_reply_has_the_fields_that_other_clients_require(self) -> None:
        body = json.loads(WEBWXINIT.encode_reply(InitReply()).body)
        for name in ("BaseResponse", "ContactList", "SyncKey", "User", "ChatSet", "SKey", "InviteStartCount"):
            assert name in body


class TestContactList:
    def test_a_page_is_requested_by_its_cursor(self) -> None:
        request = GETCONTACT.encode_request(ContactsRequest(skey="@crypt_1", pass_ticket="t", r=5, seq=7), HOSTS)
        assert request.query == "skey=%40crypt_1&pass_ticket=t&r=5&seq=7"
        assert request.content == b""

    @pytest.mark.parametrize("query", ["", "?r=1560000000", "?skey=&lang=zh_CN"])
    def test_other_clients_send_fewer_fields(self, query: str) -> None:
        url = f"https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxgetcontact{query}"
        request = Request(endpoint="", method="POST", url=url, body=b"{}")
        assert GETCONTACT.matches(request.method, request.path)
        assert GETCONTACT.decode_request(request).seq == 0

    @pytest.mark.parametrize("fields", ["", ',"MemberList":null,"Seq":null', ',"MemberList":"x","Seq":{}'])
    def test_missing_fields_of_a_page_are_unset(self, fields: str) -> None:
        reply = GETCONTACT.decode_reply(Response(body=f'{{"BaseResponse":{{"Ret":0}}{fields}}}'.encode()))
        assert (reply.member_list, reply.seq) == (msgspec.UNSET, msgspec.UNSET)

    def test_a_server_sends_all_fields_of_a_page(self) -> None:
        body = json.loads(GETCONTACT.encode_reply(ContactsReply()).body)
        assert (body["MemberCount"], body["MemberList"], body["Seq"]) == (0, [], 0)


class TestBatch:
    def test_contacts_are_requested_by_user_name_and_chatroom(self) -> None:
        value = BatchContactsRequest(r=5, credentials=CREDENTIALS, count=1, list=(ContactKey(user_name="@@a"),))
        request = BATCHGETCONTACT.encode_request(value, HOSTS)
        assert request.query == "type=ex&r=5"
        body = json.loads(request.content)
        assert (body["Count"], body["List"]) == (1, [{"UserName": "@@a", "EncryChatRoomId": ""}])

    def test_entries_of_other_clients_are_decoded(self) -> None:
        body = b'{"Count":2,"List":[{"UserName":"@@a","ChatRoomId":""},{"UserName":"@b","NickName":"x","Sex":1}]}'
        url = "https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxbatchgetcontact?type=ex"
        read = BATCHGETCONTACT.decode_request(Request(endpoint="", method="POST", url=url, body=body))
        assert [entry.user_name for entry in read.list] == ["@@a", "@b"]

    def test_a_missing_list_is_unset(self) -> None:
        body = b'{"BaseResponse":{"Ret":0},"Count":0,"ContactList":null}'
        assert BATCHGETCONTACT.decode_reply(Response(body=body)).contact_list is msgspec.UNSET


class TestNames:
    def test_a_contact_has_the_platforms_field_names(self) -> None:
        names = written(WireContact(user_name="@a"))
        for name in (
            "UserName",
            "NickName",
            "HeadImgUrl",
            "PYInitial",
            "RemarkPYQuanPin",
            "Statues",
            "EncryChatRoomId",
        ):
            assert name in names

    def test_a_contact_has_the_fields_that_other_clients_require(self) -> None:
        assert {"UserName", "NickName", "Sex", "VerifyFlag", "MemberList"} <= set(written(WireContact(user_name="@a")))

    def test_the_account_itself_keeps_the_platforms_capitals(self) -> None:
        assert {"HeadImgUrl", "WebWxPluginSwitch", "HeadImgFlag"} <= set(written(WireUser()))


@pytest.mark.parametrize(
    "value",
    [
        InitRequest(pass_ticket="secret", credentials=CREDENTIALS),
        InitReply(skey="secret"),
        ContactsRequest(skey="secret", pass_ticket="secret"),
        BatchContactsRequest(pass_ticket="secret", credentials=CREDENTIALS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_repr_shows_a_key(value: object) -> None:
    assert "secret" not in repr(value)
