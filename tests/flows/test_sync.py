"""Sync: the two keys stay separate, and a malformed response changes neither."""

from __future__ import annotations

import gc
import json
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.delivered import FIELDS, VALUES
from tests.flows.drive import drive, reply
from tests.saved import LOGIN, NOW, sync_key
from tests.steps import lines_of

from webwx.errors import ApiError, LoggedOut, ProtocolError, TransportError, WxError
from webwx.flows.sync import MANY_TEXTS, check, fetch
from webwx.model.delivery import MAX_ITEM
from webwx.model.events import Item, QuarantinedMessage, event_from_item
from webwx.model.messages import TextMessage
from webwx.model.raw_fields import raw_fields
from webwx.protocol.codec import percent_encode
from webwx.protocol.hosts import FILEHELPER
from webwx.protocol.http import Response
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, SyncKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from webwx.model.messages import Event


def delivered(fields: dict[str, object]) -> msgspec.Raw:
    return msgspec.Raw(json.dumps({"MsgId": "1", "MsgType": 1} | fields).encode())


def message(number: int, **fields: object) -> msgspec.Raw:
    usual = {"FromUserName": "@peer", "ToUserName": "@me", "Content": f"你好 {number}", "CreateTime": 5}
    return delivered({"MsgId": str(number)} | usual | fields)


def body_of(raws: Iterable[msgspec.Raw]) -> bytes:
    return b'{"BaseResponse":{"Ret":0},"AddMsgList":[' + b",".join(map(bytes, raws)) + b"]}"


def events(items: Iterable[Item]) -> list[Event]:
    return [event_from_item(item, LOGIN.user_id) for item in items]


def alone(raw: msgspec.Raw) -> Event:
    """Return the event of a message that is decoded separately."""
    return event_from_item(Item(kind="message", raw=raw), LOGIN.user_id)


def check_of(text: str, status: int = 200) -> bool:
    return drive(check(LOGIN, NOW), Response(status=status, body=text.encode()))[0]


class TestCheck:
    def test_asks_the_push_host_with_the_check_key(self) -> None:
        _, [request] = drive(check(LOGIN, NOW), reply(SYNCCHECK, retcode=0))

        assert request.url.startswith("https://webpush.wx2.qq.com/cgi-bin/mmwebwx-bin/synccheck?r=1560000000123&skey=")
        assert "&synckey=1_11%7C2_21&" in request.url

    def test_asks_with_the_keys_of_the_login(self) -> None:
        _, [request] = drive(check(LOGIN, NOW), reply(SYNCCHECK, retcode=0))
        asked = SYNCCHECK.decode_request(request)

        assert (asked.uin, asked.sid, asked.skey, asked.deviceid) == (
            LOGIN.credentials.uin, LOGIN.credentials.sid, LOGIN.credentials.skey, LOGIN.credentials.device_id,
        )  # fmt: skip
        assert asked.timestamp == int(NOW * 1000)

    @pytest.mark.parametrize(("profile", "app"), [(LOGIN.profile_name, ""), (FILEHELPER.name, "wx_webfilehelper")])
    def test_the_app_of_the_login_is_sent(self, profile: str, app: str) -> None:
        login = msgspec.structs.replace(LOGIN, profile_name=profile)
        _, [request] = drive(check(login, NOW), reply(SYNCCHECK, retcode=0))

        assert SYNCCHECK.decode_request(request).mmweb_appid == app

    @pytest.mark.parametrize("selector", [*range(1, 10), "10", "99", "-1"])
    def test_any_selector_but_0_means_fetch(self, selector: object) -> None:
        assert check_of(f'window.synccheck={{retcode:"0",selector:"{selector}"}}')

    def test_selector_0_means_nothing_to_fetch(self) -> None:
        assert not check_of('window.synccheck={retcode:"0",selector:"0"}')

    @pytest.mark.parametrize(
        "text",
        ['{selector:"2",retcode:"0"}', '{ retcode : "0" , selector : "2" }', "{retcode:0,selector:2}",
         "{'retcode':'0','selector':'2'};"],
    )  # fmt: skip
    def test_other_forms_are_decoded(self, text: str) -> None:
        assert check_of(f"\ufeffwindow.synccheck={text}")

    @pytest.mark.parametrize("text", ["", "<html>502</html>", "window.synccheck={}", 'window.synccheck={retcode:"x"}'])
    def test_a_malformed_answer_is_not_a_logout(self, text: str) -> None:
        with pytest.raises(ProtocolError):
            check_of(text)

    def test_an_empty_503_is_not_a_logout(self) -> None:
        with pytest.raises(TransportError):
            check_of("", status=503)

    @pytest.mark.parametrize("retcode", [-1, 1, 1200, 7777])
    def test_another_code_is_not_a_logout(self, retcode: int) -> None:
        with pytest.raises(ApiError) as caught:
            check_of(f'window.synccheck={{retcode:"{retcode}",selector:"0"}}')
        assert not isinstance(caught.value, LoggedOut)


class TestFetch:
    def test_asks_with_the_fetch_key(self) -> None:
        _, [request] = drive(fetch(LOGIN, NOW), reply(WEBWXSYNC))
        body = msgspec.json.decode(request.content)

        assert body["SyncKey"] == {"Count": 2, "List": [{"Key": 1, "Val": 10}, {"Key": 2, "Val": 20}]}
        assert body["rr"] == ~1_560_000_000

    def test_returns_both_keys_the_new_skey_and_whether_more_is_waiting(self) -> None:
        answer = reply(WEBWXSYNC, sync_key=sync_key(1), sync_check_key=sync_key(2), skey="@new", continue_flag=1)
        batch, _ = drive(fetch(LOGIN, NOW), answer)

        assert (sync_key(1), sync_key(2), "@new", True) == (
            batch.fetch_key,
            batch.check_key,
            batch.skey,
            batch.has_more,
        )

    def test_an_empty_key_replaces_no_valid_one(self) -> None:
        batch, _ = drive(fetch(LOGIN, NOW), reply(WEBWXSYNC, sync_key=SyncKey(), sync_check_key=SyncKey()))

        assert (LOGIN.fetch_key, LOGIN.check_key, False) == (batch.fetch_key, batch.check_key, batch.has_more)

    def test_a_missing_check_key_is_the_fetch_key(self) -> None:
        batch, _ = drive(fetch(LOGIN, NOW), reply(WEBWXSYNC, sync_key=sync_key(12, 22)))

        assert sync_key(12, 22) == batch.check_key

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b'{"BaseResponse":{"Ret":1101}}', LoggedOut),
            (b'{"BaseResponse":{"Ret":-1},"SyncKey":null}', ApiError),
            (b'{"BaseResponse":{"Ret":1},"SyncKey":{"Count":1,"List":[{"Key":1,"Val":1}]}}', ApiError),
        ],
    )
    def test_a_refusal_is_not_an_empty_success(self, body: bytes, kind: type[WxError]) -> None:
        with pytest.raises(kind):
            drive(fetch(LOGIN, NOW), Response(body=body))

    def test_a_message_that_is_too_large_is_quarantined_alone(self) -> None:
        large = message(2, Content="x" * MAX_ITEM)
        batch, _ = drive(fetch(LOGIN, NOW, with_body=True), Response(body=body_of([message(1), large, message(3)])))

        assert [type(event) for event in events(batch.items)] == [TextMessage, QuarantinedMessage, TextMessage]
        assert [len(raw) for raw in batch.delivered()] == [len(message(1)), len(large), len(message(3))]

    @pytest.mark.parametrize("field", ["[" * 3_000_000 + "]" * 3_000_000, '[{"a":' * 800_000 + "1" + "}]" * 800_000])
    def test_a_message_with_a_hostile_field_affects_no_other(self, field: str) -> None:
        hostile = msgspec.Raw(f'{{"MsgId":"2","MsgType":1,"Odd":{field}}}'.encode())
        batches = []
        lines = lines_of(
            lambda: batches.append(
                drive(fetch(LOGIN, NOW, with_body=True), Response(body=body_of([message(1), hostile, message(3)])))[0]
            )
        )

        assert [getattr(event, "message_id", None) for event in events(batches[0].items)] == ["1", "2", "3"]
        assert lines < 50_000

    def test_items_are_raw_with_deletions_first_and_messages_last(self) -> None:
        answer = reply(
            WEBWXSYNC,
            add_msg_list=[msgspec.Raw(b'{"MsgId":"1"}')],
            mod_contact_list=[msgspec.Raw(b'{"UserName":"@b"}')],
            del_contact_list=[msgspec.Raw(b'{"UserName":"@c"}')],
        )
        batch, _ = drive(fetch(LOGIN, NOW), answer)

        assert [(item.kind, next(iter(msgspec.json.decode(item.raw).values()))) for item in batch.items] == [
            ("deleted", "@c"),
            ("contact", "@b"),
            ("message", "1"),
        ]

    def test_messages_in_the_other_list_are_decoded_as_well(self) -> None:
        answer = reply(
            WEBWXSYNC, add_msg_list=[msgspec.Raw(b'{"MsgId":"1"}')], msg_list=[msgspec.Raw(b'{"MsgId":"2"}')]
        )
        batch, _ = drive(fetch(LOGIN, NOW), answer)

        assert [msgspec.json.decode(item.raw)["MsgId"] for item in batch.items] == ["1", "2"]

    def test_the_body_is_returned_unchanged_on_request(self) -> None:
        answer = reply(WEBWXSYNC, add_msg_list=[msgspec.Raw(b'{"MsgId":"1"}')])
        batch, _ = drive(fetch(LOGIN, NOW, with_body=True), answer)
        other, _ = drive(fetch(LOGIN, NOW), answer)

        assert (batch.body, other.body) == (answer.body, b"")
        assert batch.items == other.items
        assert all(bytes(item.raw) in batch.body for item in batch.items)

    @pytest.mark.parametrize(
        "key", [LOGIN.credentials.skey, LOGIN.credentials.sid, LOGIN.pass_ticket, "@crypt_new/key"]
    )
    @pytest.mark.parametrize("spelling", [str, percent_encode, lambda key: key.replace("/", "\\/")])
    def test_stored_items_have_no_key(self, key: str, spelling: Callable[[str], str]) -> None:
        """The addresses of the pictures of chatrooms have a key."""
        written = spelling(key)
        room = b'{"UserName":"@@room","HeadImgUrl":"/cgi-bin/mmwebwx-bin/webwxgetheadimg?skey=%s"}' % written.encode()
        body = b'{"BaseResponse":{"Ret":0},"ModContactList":[%s],"SKey":"@crypt_new/key"}' % room
        batch, _ = drive(fetch(LOGIN, NOW, with_body=True), Response(body=body))
        other, _ = drive(fetch(LOGIN, NOW), Response(body=body))

        assert batch.skey == "@crypt_new/key"
        assert batch.items == other.items
        assert len(batch.body) == len(body)
        for kept in (batch.body, *(bytes(item.raw) for item in batch.items)):
            assert written.encode() not in kept
        assert bytes(batch.items[0].raw) in batch.body

    @pytest.mark.parametrize("with_body", [True, False])
    def test_a_key_is_removed_from_stored_items_and_not_from_texts(self, *, with_body: bool) -> None:
        skey = LOGIN.credentials.skey
        answer = reply(WEBWXSYNC, add_msg_list=[message(1, Content=skey)])
        batch, _ = drive(fetch(LOGIN, NOW, with_body=with_body), answer)
        (text,) = [item.text for item in batch.items]

        assert text is not None
        assert text.content == ("*" * len(skey) if with_body else skey)

    def test_texts_as_delivered_are_copies_and_do_not_keep_their_answer(self) -> None:
        raws = [message(1, Status=3), message(2, MsgType=3), message(3)]
        batch, _ = drive(fetch(LOGIN, NOW), Response(body=body_of(raws)))
        texts = list(batch.texts_as_delivered())

        assert [(wire.msg_id, bytes(raw)) for wire, raw in texts] == [("1", bytes(raws[0])), ("3", bytes(raws[2]))]
        assert all(raw.copy() is raw for _, raw in texts)  # which is true of a copy only

    @pytest.mark.parametrize("count", [1, MANY_TEXTS, MANY_TEXTS + 1])
    @pytest.mark.parametrize("has_picture", [True, False])
    def test_texts_share_an_answer_in_which_each_is_found_as_delivered(self, count: int, *, has_picture: bool) -> None:
        raws = [message(number, Status=number) for number in range(count)]
        pictures = [message(count, MsgType=3)] * has_picture
        batch, _ = drive(fetch(LOGIN, NOW), Response(body=body_of([*raws, *pictures])))
        answer = batch.text_answer()
        texts = [item.text for item in batch.items if item.text is not None]

        assert answer is not None
        assert [raw_fields(text, answer) for text in texts] == [json.loads(bytes(raw)) for raw in raws]

    def test_texts_do_not_share_an_answer_of_other_items(self) -> None:
        texts = [message(number) for number in range(MANY_TEXTS)]
        picture = message(MANY_TEXTS, MsgType=3, Content="-" * 100_000)
        batch, _ = drive(fetch(LOGIN, NOW), Response(body=body_of([*texts, picture])))

        assert sum(map(sys.getsizeof, gc.get_referents(batch.text_answer()))) < 50_000

    @pytest.mark.parametrize("with_body", [True, False])
    def test_an_answer_without_texts_or_with_its_body_has_no_texts_as_delivered(self, *, with_body: bool) -> None:
        raws = [message(1)] if with_body else [message(1, MsgType=3)]
        batch, _ = drive(fetch(LOGIN, NOW, with_body=with_body), Response(body=body_of(raws)))
        assert list(batch.texts_as_delivered()) == []
        assert batch.text_answer() is None

    def test_texts_are_decoded_with_their_batch_and_other_items_stay_raw(self) -> None:
        picture, news = message(2, MsgType=3), message(3, FromUserName="newsapp")
        raws = [message(1), picture, news, message(4), message(5, ImgWidth=1)]
        batch, _ = drive(fetch(LOGIN, NOW, with_body=True), reply(WEBWXSYNC, add_msg_list=raws))

        assert [item.text and item.text.msg_id for item in batch.items] == ["1", None, None, "4", "5"]
        assert [bytes(item.raw) for item in batch.items[1:3]] == [bytes(raw) for raw in batch.delivered()[1:3]]
        assert events(batch.items) == [alone(raw) for raw in raws]

    @given(some.lists(some.builds(delivered, some.dictionaries(some.sampled_from(FIELDS), VALUES)), max_size=4))
    @settings(derandomize=True, database=None)
    def test_an_item_of_a_batch_equals_the_item_alone(self, raws: list[msgspec.Raw]) -> None:
        answer = Response(body=body_of([*raws, message(1)]))
        batch, _ = drive(fetch(LOGIN, NOW, with_body=True), answer)
        other, _ = drive(fetch(LOGIN, NOW), answer)

        assert other.items == batch.items
        assert events(batch.items) == [alone(raw) for raw in (*raws, message(1))]
        assert [alone(raw) for raw in batch.delivered()] == events(batch.items)

    @pytest.mark.parametrize("broken", [b'{"MsgId":{}}', b'{"MsgId":"2","MsgType":1,"Content":"\xff"}', b"[]", b"7"])
    def test_a_malformed_item_does_not_affect_the_texts_of_its_batch(self, broken: bytes) -> None:
        batch, _ = drive(fetch(LOGIN, NOW), Response(body=body_of([message(1), msgspec.Raw(broken), message(3)])))
        first, _, last = events(batch.items)

        assert (first, last) == (alone(message(1)), alone(message(3)))

    def test_delivered_returns_all_items_in_their_order(self) -> None:
        lists = {
            "del_contact_list": [msgspec.Raw(b'{"UserName":"@c"}')],
            "mod_contact_list": [msgspec.Raw(b'{"UserName":"@b"}')],
            "mod_chat_room_member_list": [msgspec.Raw(b'{"UserName":"@@r"}')],
            "add_msg_list": [message(1), message(2, MsgType=3)],
            "msg_list": [message(3)],
        }
        answer = reply(WEBWXSYNC, **lists)
        batch, _ = drive(fetch(LOGIN, NOW, with_body=True), answer)

        items = [msgspec.json.decode(raw) for raw in batch.delivered()]
        assert items == [msgspec.json.decode(raw) for raws in lists.values() for raw in raws]
        assert [item.kind for item in batch.items] == ["deleted", "contact", "contact", *3 * ["message"]]
        assert all(bytes(raw) in answer.body for raw in batch.delivered())

    def test_a_text_that_was_stored_and_loaded_is_equal(self) -> None:
        batch, _ = drive(fetch(LOGIN, NOW), reply(WEBWXSYNC, add_msg_list=[message(1), message(2, MsgType=3)]))
        saved = msgspec.json.decode(msgspec.json.encode(batch.items), type=tuple[Item, ...])
        later = msgspec.structs.replace(batch, items=saved, body=b"")

        assert saved == batch.items
        assert [alone(raw) for raw in later.delivered()] == events(batch.items)

    def test_our_own_record_of_a_gap_comes_before_what_was_delivered(self) -> None:
        batch, _ = drive(fetch(LOGIN, NOW, with_body=True), reply(WEBWXSYNC, add_msg_list=[message(1)]))
        gap = Item(kind="gap", raw=msgspec.Raw(b'{"type":"continuity.lost"}'))
        reported = msgspec.structs.replace(batch, items=(gap, *batch.items))

        assert list(map(bytes, reported.delivered())) == [bytes(gap.raw), *map(bytes, batch.delivered())]

    @pytest.mark.parametrize(
        ("announced", "lists", "missing"),
        [
            (3, b'"AddMsgList":null', 3),
            (3, b'"AddMsgList":""', 3),
            (3, b'"AddMsgList":{}', 3),
            (3, b'"ContinueFlag":0', 3),
            (3, b'"AddMsgList":[{"MsgId":"1"}]', 2),
            (3, b'"AddMsgList":[{"MsgId":"1"}],"MsgList":[{"MsgId":"2"}]', 1),
            (3, b'"AddMsgList":[],"MsgList":null', 3),
            (1, b'"AddMsgList":[{"MsgId":"1"},{"MsgId":"2"}]', 0),
            (0, b'"AddMsgList":null', 0),
        ],
    )
    def test_announced_messages_that_are_not_there_are_counted(
        self, announced: int, lists: bytes, missing: int
    ) -> None:
        body = b'{"BaseResponse":{"Ret":0},"AddMsgCount":%d,%b}' % (announced, lists)
        batch, _ = drive(fetch(LOGIN, NOW), Response(body=body))

        assert batch.missing == missing

    def test_an_answer_with_an_error_status_is_not_a_batch(self) -> None:
        with pytest.raises(ProtocolError):
            drive(fetch(LOGIN, NOW), Response(status=302, body=body_of([message(1)])))

    def test_the_repr_of_a_batch_shows_its_size_only(self) -> None:
        batch, _ = drive(fetch(LOGIN, NOW), reply(WEBWXSYNC, add_msg_list=[message(1)]))

        assert repr(batch) == "Batch(1 items)"

    def test_a_truncated_batch_is_never_accepted(self) -> None:
        whole = reply(WEBWXSYNC, add_msg_list=[msgspec.Raw(b'{"MsgId":"1","Content":"\xe4\xbd\xa0"}')]).body.rstrip()

        for size in range(len(whole)):
            with pytest.raises(ProtocolError):
                drive(fetch(LOGIN, NOW), Response(body=whole[:size]))
