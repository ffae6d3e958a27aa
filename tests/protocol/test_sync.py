"""Sync: the forms of the poll's answer, the two keys, and batches with one malformed item."""

from __future__ import annotations

import json

import msgspec
import pytest

from webwx.errors import ProtocolError
from webwx.protocol.codec import read_json
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.http import Request, Response
from webwx.protocol.login import Credentials
from webwx.protocol.messages import WireMessage
from webwx.protocol.sync import (
    SYNCCHECK,
    WEBWXSYNC,
    CheckReply,
    CheckRequest,
    KeyValue,
    SyncKey,
    SyncReply,
    SyncRequest,
    read_sync_key,
)

HOSTS = FAMILIES["wx.qq.com"]
KEY = SyncKey(count=2, list=(KeyValue(key=1, val=700000001), KeyValue(key=1000, val=1560000000)))


class TestSynccheck:
    @pytest.mark.parametrize(
        ("body", "retcode", "selector"),
        [
            ('window.synccheck={retcode:"0",selector:"2"}', 0, 2),
            ('window.synccheck={retcode:"-1",selector:"0"}', -1, 0),
            ('window.synccheck={selector:"2",retcode:"0"}', 0, 2),
            ('  window.synccheck = { retcode : "1101" , selector : "0" } ;\n', 1101, 0),
            ('\ufeffwindow.synccheck={retcode:"0",selector:"0"};', 0, 0),
            ("window.synccheck={retcode:0,selector:7}", 0, 7),
            ("window.synccheck={'retcode':'1100','selector':'0'}", 1100, 0),
            ('window.synccheck={"retcode":"0","selector":"99"}', 0, 99),
            ('window.synccheck={retcode:"0"}', 0, 0),
            ('window.synccheck={retcode:"0",selector:"x"}', 0, 0),
        ],
    )
    def test_every_form_of_an_answer_is_decoded(self, body: str, retcode: int, selector: int) -> None:
        assert SYNCCHECK.decode_reply(Response(body=body.encode())) == CheckReply(retcode=retcode, selector=selector)

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "<html>502 Bad Gateway</html>",
            '{selector:"2",retcode:"0"}',
            "window.synccheck={}",
            'window.synccheck={retcode:"",selector:"0"}',
            'window.synccheck={retcode:"11O1",selector:"0"}',
            'window.synccheck={retcode:"' + "9" * 40 + '"}',
            'window.synccheck="1101"',
            "window.synccheck={retcode:window.x}",
            '{"retcode":"1101"}',
        ],
    )
    def test_an_answer_without_a_number_is_a_protocol_error_and_never_a_logout(self, body: str) -> None:
        with pytest.raises(ProtocolError, match="synccheck: no retcode in the answer"):
            SYNCCHECK.decode_reply(Response(body=body.encode()))

    def test_the_answer_has_the_exact_form_that_other_clients_match(self) -> None:
        response = SYNCCHECK.encode_reply(CheckReply(retcode=0, selector=2))
        assert response.body == b'window.synccheck={retcode:"0",selector:"2"}'

    def test_a_poll_goes_to_the_push_host_with_all_fields_encoded(self) -> None:
        value = CheckRequest(
            r=5, skey="@crypt_1", sid="a+b/c", uin=7, deviceid="e1", synckey=str(KEY), timestamp=9, mmweb_appid="wx"
        )
        assert SYNCCHECK.encode_request(value, HOSTS).url == (
            "https://webpush.wx.qq.com/cgi-bin/mmwebwx-bin/synccheck?r=5&skey=%40crypt_1&sid=a%2Bb%2Fc&uin=7"
            "&deviceid=e1&synckey=1_700000001%7C1000_1560000000&_=9&mmweb_appid=wx"
        )

    def test_unencoded_keys_of_other_clients_are_decoded(self) -> None:
        url = "https://h/cgi-bin/mmwebwx-bin/synccheck?sid=a+b/c&synckey=1_7|2_8&uin=&_=1"
        read = SYNCCHECK.decode_request(Request(endpoint="", method="GET", url=url))
        assert (read.sid, read.synckey, read.uin) == ("a+b/c", "1_7|2_8", 0)


class TestSyncKeys:
    def test_a_key_is_encoded_for_a_query(self) -> None:
        assert str(KEY) == "1_700000001|1000_1560000000"
        assert str(SyncKey()) == ""

    @pytest.mark.parametrize(
        "text",
        ["1_700000001|1000_1560000000", "x|1_700000001||1000_1560000000|2_-5|3", "1_700000001|²_1|1000_1560000000"],
    )
    def test_invalid_pairs_are_ignored(self, text: str) -> None:
        assert read_sync_key(text) == KEY

    def test_an_empty_key_never_replaces_a_valid_one(self) -> None:
        assert SyncKey().or_older(KEY) == KEY
        newer = SyncKey(count=1, list=(KeyValue(key=1, val=2),))
        assert newer.or_older(KEY) == newer

    def test_counters_that_are_lower_or_missing_are_lost(self) -> None:
        assert KEY.lost_counters(KEY) == frozenset()
        assert SyncKey().lost_counters(KEY) == {1, 1000}
        lower = SyncKey(count=2, list=(KeyValue(key=1, val=7), KeyValue(key=1000, val=1_560_000_001)))
        assert lower.lost_counters(KEY) == {1}

    def test_a_key_can_keep_counters_of_an_older_one(self) -> None:
        lower = SyncKey(count=2, list=(KeyValue(key=2, val=1), KeyValue(key=1, val=7)))
        assert str(lower.with_counters(KEY, frozenset({1, 1000}))) == "2_1|1_700000001|1000_1560000000"
        assert lower.with_counters(KEY, frozenset()) is lower

    @pytest.mark.parametrize("given", ["null", '""', "{}", '{"Count":0,"List":[]}', '{"Count":0,"List":null}', "[]"])
    def test_an_invalid_key_is_decoded_as_empty(self, given: str) -> None:
        body = f'{{"BaseResponse":{{"Ret":-1}},"SyncKey":{given}}}'.encode()
        reply = WEBWXSYNC.decode_reply(Response(body=body))
        assert (reply.base_response.ret, reply.sync_key.list) == (-1, ())

    def test_a_key_with_numbers_in_texts_is_decoded(self) -> None:
        body = b'{"BaseResponse":{"Ret":0},"SyncKey":{"Count":"1","List":[{"Key":"1","Val":"7"}]}}'
        assert WEBWXSYNC.decode_reply(Response(body=body)).sync_key == SyncKey(count=1, list=(KeyValue(key=1, val=7),))

    def test_a_key_with_an_invalid_pair_is_decoded_as_empty(self) -> None:
        body = b'{"BaseResponse":{"Ret":0},"SyncKey":{"Count":2,"List":[{"Key":1,"Val":7},{"Key":2}]}}'
        assert WEBWXSYNC.decode_reply(Response(body=body)).sync_key.list == ()


class TestSync:
    def test_a_fetch_has_the_fetch_key_and_a_lower_case_rr(self) -> None:
        value = SyncRequest(sid="a+b", skey="s", pass_ticket="p", credentials=Credentials(uin=5), sync_key=KEY, rr=-7)
        request = WEBWXSYNC.encode_request(value, HOSTS)
        assert request.query == "sid=a%2Bb&skey=s&pass_ticket=p"
        body = json.loads(request.content)
        assert list(body) == ["BaseRequest", "SyncKey", "rr"]
        assert body["SyncKey"]["List"][0] == {"Key": 1, "Val": 700000001}

    def test_an_rr_that_is_a_text_is_decoded(self) -> None:
        url = "https://h/cgi-bin/mmwebwx-bin/webwxsync?sid=x"
        read = WEBWXSYNC.decode_request(Request(endpoint="", method="POST", url=url, body=b'{"rr":"-7"}'))
        assert read.rr == -7

    def test_a_malformed_item_affects_no_other(self) -> None:
        items = b'[{"MsgId":"1"},{"MsgType":"x"},{"MsgId":3}]'
        body = b'{"BaseResponse":{"Ret":0},"AddMsgCount":3,"AddMsgList":%b,"SyncKey":{"Count":0}}' % items
        reply = WEBWXSYNC.decode_reply(Response(body=body))
        assert [read_json(reply.add_msg_list[place], WireMessage).msg_id for place in (0, 2)] == ["1", "3"]
        with pytest.raises(ProtocolError):
            read_json(reply.add_msg_list[1], WireMessage)

    def test_an_invalid_byte_in_one_item_affects_no_other(self) -> None:
        items = b'[{"MsgId":"1","Content":"a\xff\x01"},{"MsgId":"2","Content":"\\ud83d"}]'
        body = b'{"BaseResponse":{"Ret":0},"AddMsgList":%b,"SKey":null}' % items
        reply = WEBWXSYNC.decode_reply(Response(body=body))
        contents = [read_json(item, WireMessage).content for item in reply.add_msg_list]
        assert contents == ["a\ufffd\x01", "\ufffd"]

    def test_a_truncated_batch_is_a_protocol_error(self) -> None:
        message = msgspec.Raw(msgspec.json.encode(WireMessage(msg_id="1", content="你好😀")))
        whole = WEBWXSYNC.encode_reply(SyncReply(add_msg_list=[message], sync_key=KEY)).body
        end = whole.rindex(b"}")
        for length in range(end):
            with pytest.raises(ProtocolError):
                WEBWXSYNC.decode_reply(Response(body=whole[:length]))

    def test_the_reply_has_the_fields_that_other_clients_require(self) -> None:
        body = json.loads(WEBWXSYNC.encode_reply(SyncReply()).body)
        assert {"AddMsgList", "ModContactList", "SyncKey", "SyncCheckKey", "SKey", "ContinueFlag"} <= set(body)


@pytest.mark.parametrize(
    "value",
    [
        CheckRequest(skey="secret", sid="secret", deviceid="secret"),
        SyncRequest(skey="secret", sid="secret", pass_ticket="secret", credentials=Credentials(sid="secret")),
        SyncReply(skey="secret", add_msg_list=[msgspec.Raw(b'"secret"')]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_repr_shows_a_key(value: object) -> None:
    assert "secret" not in repr(value)
