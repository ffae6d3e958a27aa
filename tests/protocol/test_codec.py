"""Formats of bodies: tolerant decoding and exact encoding."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from tests.recording import RECORDINGS
from tests.steps import lines_of

from webwx.errors import ProtocolError
from webwx.protocol.codec import (
    FORM,
    JSON,
    MAX_COMMAS,
    MAX_DEPTH,
    MAX_SCRIPT,
    MAX_VALUES,
    MEDIA,
    MULTIPART,
    FilePart,
    Media,
    Wire,
    clean_text,
    coerce,
    from_pairs,
    keep_encoded,
    number,
    percent_decode,
    percent_encode,
    platform_json,
    read_json,
    read_pairs,
    read_script,
    read_sound_json,
    tag_text,
    write_json,
    write_pairs,
)

TEXT = "张 贳丽😀"


AS_PRINTED = [
    "base-answer/001.json",
    "send-answer/008.json",
    "send-answer/014.json",
    "webwxgetcontact/004.json",
    "webwxgetcontact/007.json",
    "webwxinit/004.json",
    "webwxrevokemsg/001.json",
    "webwxuploadmedia/004.json",
    "webwxuploadmedia/007.json",
]
"""Recorded answers with the line breaks of the server."""


HOSTILE_FIELDS = {
    "lists": ("[", "1", "]"),
    "objects": ('{"a":', "1", "}"),
    "lists in objects": ('[{"a":', "1", "}]"),
    "lists beside values": ("[1,", "1", "]"),
    "lists beside lists": ("[[],", "1", "]"),
    "texts": ('["[{",', '"]"', "]"),
}
"""Content of a field: a repeated beginning, a middle, and an end for each beginning."""


class Inner(Wire, frozen=True, kw_only=True):
    key: int = 0


class Item(Wire, frozen=True, kw_only=True):
    msg_id: str
    content: str = ""
    create_time: int = 0
    uin: int | str = 0
    inner: Inner = Inner()
    raw: list[msgspec.Raw] = msgspec.field(default_factory=list)
    flags: dict[str, int] = msgspec.field(default_factory=dict)


class Upload(Wire, frozen=True, kw_only=True, rename=None):
    name: str = ""
    size: int = 0
    filename: FilePart
    note: str = "none"


def item(**fields: object) -> Item:
    return read_json(json.dumps({"MsgId": "1"} | fields).encode(), Item)


# -- JSON ------------------------------------------------------------------------------------------------------------


class TestReadingJson:
    @pytest.mark.parametrize(
        "content_type", ["", "text/plain", "text/plain; charset=iso-8859-1", "text/html; charset=gbk"]
    )
    def test_text_is_utf_8_despite_the_content_type(self, content_type: str) -> None:
        body = json.dumps({"MsgId": "1", "Content": TEXT}, ensure_ascii=False).encode()
        assert JSON.load(body, Item, content_type).content == TEXT

    def test_bytes_that_are_not_utf_8_become_replacement_characters(self) -> None:
        assert read_json(b'{"MsgId":"1","Content":"a\xffb"}', Item).content == "a\ufffdb"

    @pytest.mark.parametrize("code", range(0x20))
    def test_raw_control_characters_in_a_text_are_kept(self, code: int) -> None:
        body = b'{"MsgId":1,"Content":"a' + bytes([code]) + b'b"}'
        assert read_json(body, Item).content == f"a{chr(code)}b"

    @pytest.mark.parametrize(
        ("escaped", "text"),
        [
            (r"\ud83d", "\ufffd"),
            (r"\ud83d\ude00", "😀"),
            (r"\ude00\ud83d", "\ufffd\ufffd"),
            (r"\u0000", "\0"),
        ],
    )
    def test_a_lone_surrogate_becomes_a_replacement_character(self, escaped: str, text: str) -> None:
        read = read_json(f'{{"MsgId":"1","Content":"{escaped}"}}'.encode(), Item)
        assert read.content == text
        read.content.encode()

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b'{"MsgId":"1","Other":' + b"[" * 100_000, id="100,000 brackets"),
            pytest.param(b"[" * 100_000 + b"]" * 100_000, id="100,000 closed brackets"),
            pytest.param(b"NaN", id="NaN"),
            pytest.param(b"", id="empty"),
            pytest.param(b"<html>502</html>", id="a web page"),
            pytest.param(b'{"MsgId":"1"', id="cut off"),
            pytest.param(b"[]", id="a list"),
            pytest.param(b"{}", id="without what is required"),
            pytest.param(b'{"MsgId":[1]}', id="a list for an id"),
            pytest.param(b'{"MsgId":true}', id="a boolean for an id"),
        ],
    )
    def test_malformed_json_is_a_protocol_error(self, body: bytes) -> None:
        with pytest.raises(ProtocolError):
            read_json(body, Item)

    @pytest.mark.parametrize("rest", [b'"Content":"kept"', b'"Content":"kept","Other":"\xff"'], ids=["clean", "broken"])
    @pytest.mark.parametrize(
        "poison",
        [
            pytest.param(b'"CreateTime":NaN', id="NaN"),
            pytest.param(b'"CreateTime":-Infinity', id="Infinity"),
            pytest.param(b'"CreateTime":' + b"9" * 5_000, id="a number of 5,000 digits"),
            pytest.param(b'"Other":' + b"[" * 100_000 + b"]" * 100_000, id="100,000 brackets"),
            pytest.param(b'"Other":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="100,000 braces"),
            pytest.param(
                b'"Other":[' + b"[" * 100_000 + b'"]]\\"[["' + b"]" * 100_000 + b",1]", id="with a text inside"
            ),
        ],
    )
    def test_an_unusable_value_affects_no_other(self, poison: bytes, rest: bytes) -> None:
        read = read_json(b'{"MsgId":"1",' + poison + b"," + rest + b"}", Item)
        assert read == Item(msg_id="1", content="kept")

    @pytest.mark.parametrize("rest", [b"1", b'"\xff"'], ids=["clean", "broken"])
    def test_an_id_keeps_thousands_of_digits(self, rest: bytes) -> None:
        assert read_json(b'{"MsgId":' + b"9" * 5_000 + b',"Other":' + rest + b"}", Item).msg_id == "9" * 5_000

    def test_numbers_of_any_size_are_decoded(self) -> None:
        assert item(CreateTime=2**200).create_time == 2**200

    def test_the_last_of_two_equal_keys_counts_on_both_paths(self) -> None:
        assert read_json(b'{"MsgId":"1","MsgId":"2"}', Item).msg_id == "2"
        assert read_json(b'{"MsgId":"1","MsgId":2}', Item).msg_id == "2"

    @pytest.mark.parametrize("digits", ["9007199254740993", "9223372036854775807", "18446744073709551615"])
    def test_ids_given_as_numbers_keep_every_digit(self, digits: str) -> None:
        assert read_json(f'{{"MsgId":{digits}}}'.encode(), Item).msg_id == digits

    @pytest.mark.parametrize(
        ("given", "read"),
        [("", 0), (None, 0), ("12", 12), (12.0, 12), (-3, -3), (True, 1), ("twelve", 0), ([], 0), (1e400, 0)],
    )
    def test_an_invalid_number_becomes_the_default(self, given: object, read: int) -> None:
        body = json.dumps({"MsgId": 1, "CreateTime": given}).replace("Infinity", "1e400").encode()
        assert read_json(body, Item).create_time == read

    @pytest.mark.parametrize(("given", "read"), [(12, "12"), (1.5, "1.5"), (None, ""), ("", "")])
    def test_a_number_or_null_for_a_text_is_decoded_as_text(self, given: object, read: str) -> None:
        assert item(Content=given).content == read

    @pytest.mark.parametrize(("given", "read"), [(1, 1), ("1", "1"), ("", 0), (None, 0), ([], 0)])
    def test_a_field_of_two_types_keeps_the_delivered_type(self, given: object, read: int | str) -> None:
        body = json.dumps({"MsgId": 1, "Uin": given}).encode()
        assert read_json(body, Item).uin == read

    @pytest.mark.parametrize("given", [None, "", 5, []])
    def test_a_nested_value_that_is_not_an_object_becomes_the_default(self, given: object) -> None:
        assert item(Inner=given).inner == Inner()

    @pytest.mark.parametrize("given", [None, "", 5, {}])
    def test_a_value_that_is_not_a_list_becomes_an_empty_list(self, given: object) -> None:
        assert item(Raw=given).raw == []

    def test_a_field_that_the_slow_path_cannot_coerce_keeps_its_default(self) -> None:
        assert read_json(b'{"MsgId":1,"Flags":{"a":1}}', Item).flags == {}

    def test_the_items_of_a_raw_list_survive_the_slow_path(self) -> None:
        read = read_json(b'{"MsgId":1,"Raw":[{"a":["\\ud83d\xff",1]},{"b":null}]}', Item)
        assert [msgspec.json.decode(raw) for raw in read.raw] == [{"a": ["\ufffd\ufffd", 1]}, {"b": None}]

    def test_an_item_that_is_nested_too_deeply_affects_no_other_item(self) -> None:
        deep = "[" * (MAX_DEPTH + 5) + "]" * (MAX_DEPTH + 5)
        read = read_json(f'{{"MsgId":1,"Raw":[{{"a":1}},{deep},{{"b":2}}]}}'.encode(), Item)
        first, _, last = (msgspec.json.decode(raw) for raw in read.raw)
        assert (first, last) == ({"a": 1}, {"b": 2})

    def test_a_byte_order_mark_is_skipped(self) -> None:
        assert read_json(b'\xef\xbb\xbf{"MsgId":"1"}', Item).msg_id == "1"

    def test_unknown_keys_are_ignored(self) -> None:
        assert item(SomethingNew={"a": 1}) == Item(msg_id="1")

    def test_an_invalid_required_field_is_an_error_without_its_value(self) -> None:
        with pytest.raises(ProtocolError, match="a text was expected"):
            read_json(b'{"MsgId":{"secret":1}}', Item)

    def test_any_value_is_repaired_as_a_field_is(self) -> None:
        value: object = read_json(b'{"a":"x\ny","b":"\xff\\ud83d"}', Any)
        assert value == {"a": "x\ny", "b": "\ufffd\ufffd"}

    @pytest.mark.parametrize("size", [10_000, 6_000_000])
    @pytest.mark.parametrize("deep", HOSTILE_FIELDS)
    def test_a_hostile_field_affects_no_other_item_and_takes_few_steps(self, deep: str, size: int) -> None:
        before, middle, after = HOSTILE_FIELDS[deep]
        times = size // len(before + after)
        body = f'{{"MsgId":1,"Raw":[{{"a":1}},{{"c":{before * times}{middle}{after * times}}},{{"b":2}}]}}'.encode()
        read: list[Item] = []
        lines = lines_of(lambda: read.append(read_json(body, Item)))

        assert [json.loads(bytes(raw)) for raw in read[0].raw][::2] == [{"a": 1}, {"b": 2}]
        assert len(read[0].raw[1]) < 1_000
        assert lines < 5_000 + len(body) / 50

    @pytest.mark.parametrize("around", ["", "\\\\", '\\"[', "]}"])
    @pytest.mark.parametrize("length", range(65_500, 65_560, 7))
    def test_brackets_inside_texts_are_not_counted(self, around: str, length: int) -> None:
        text = "[{" + "x" * length + around
        body = f'{{"MsgId":1,"Raw":["{text}",{"[" * 1_200}{"]" * 1_200},"{text}"]}}'.encode()
        raws = [json.loads(bytes(raw)) for raw in read_json(body, Item).raw]

        assert raws[::2] == [json.loads(f'"{text}"')] * 2

    def test_punctuation_inside_texts_is_not_counted_as_values(self) -> None:
        body = f'{{"MsgId":1,"Raw":["{"[" * MAX_VALUES * 5}"]}}'.encode()
        assert len(read_json(body, Item).raw[0]) == MAX_VALUES * 5 + 2

    @pytest.mark.parametrize("value", ["[]", "{}", '{"a":1}', "[[],{}]"])
    def test_too_many_values_are_refused_before_they_are_allocated(self, value: str) -> None:
        body = f'{{"MsgId":1,"Raw":[{",".join([value] * (MAX_VALUES + 1))}]}}'.encode().replace(b",", b" ,")
        body += b" " * (2_000_000 - len(body))
        assert read_sound_json(body, Item) is None
        with pytest.raises(ProtocolError, match="not readable"):
            read_json(body, Item)

    @pytest.mark.parametrize("body", ['{"MsgId":1,"Raw":[%s]}', '{"MsgId":"1","Unknown":[%s]}'], ids=["raw", "unknown"])
    def test_too_many_numbers_are_refused_before_they_are_allocated(self, body: str) -> None:
        assert isinstance(read_json((body % ("0," * 1_000 + "0")).encode(), Item), Item)
        full = (body % ("0," * (MAX_COMMAS + 1) + "0")).encode()
        assert read_sound_json(full, Item) is None
        with pytest.raises(ProtocolError, match="not readable"):
            read_json(full, Item)

    def test_commas_inside_texts_are_not_counted_as_values(self) -> None:
        body = f'{{"MsgId":1,"Raw":["{"," * (MAX_COMMAS + 5)}"]}}'.encode()
        assert len(read_json(body, Item).raw[0]) == MAX_COMMAS + 7

    def test_values_that_cannot_be_counted_in_few_steps_are_refused(self) -> None:
        body = f'{{"MsgId":1,"Raw":[{"[]," * 2 * MAX_VALUES}{"[" * 2_000}{"]" * 2_000}]}}'.encode()
        with pytest.raises(ProtocolError, match="not readable"):
            read_json(body, Item)

    def test_many_values_below_the_limit_are_decoded(self) -> None:
        body = f'{{"MsgId":1,"Raw":[{",".join(["{}"] * (MAX_VALUES - 2))}]}}'.encode() + b" " * 1_000_000
        assert len(read_json(body, Item).raw) == MAX_VALUES - 2

    def test_types_nested_too_deeply_to_be_coerced_are_refused(self) -> None:
        nested: object = int
        value: object = 1
        for _ in range(MAX_DEPTH + 2):
            nested, value = list[nested], [value]  # type: ignore[valid-type]  # built as it runs
        with pytest.raises(ProtocolError, match="nested too deeply"):
            coerce(value, nested)  # type: ignore[arg-type]  # a generic alias stands for its class


class TestReadingSoundJson:
    def test_returns_the_same_value(self) -> None:
        body = b'{"MsgId":"1","Content":"\\ud83d\\ude00","CreateTime":"7","Other":[]}'

        assert read_sound_json(body, Item) == read_json(body, Item)

    @pytest.mark.parametrize(
        "body", [b"", b"{", b'{"MsgId":7}', b'{"Content":"x"}', b'{"MsgId":"1","Content":"\xff"}', b"[" * 100_000]
    )
    def test_does_not_coerce_odd_values(self, body: bytes) -> None:
        assert read_sound_json(body, Item) is None


class TestWritingJson:
    def test_text_is_raw_utf_8(self) -> None:
        assert write_json({"Content": "你好😀"}) == '{"Content":"你好😀"}'.encode()

    def test_a_lone_surrogate_is_written_as_a_replacement_character(self) -> None:
        assert read_json(write_json(Item(msg_id="1", content="a\ud83db")), Item).content == "a\ufffdb"

    def test_a_request_is_compact_json_in_utf_8(self) -> None:
        assert JSON.dump(Inner(key=1), is_reply=False) == ("application/json;charset=UTF-8", b'{"Key":1}')

    def test_a_reply_is_formatted_as_on_the_platform(self) -> None:
        content_type, body = JSON.dump(
            Item(msg_id="1", raw=[msgspec.Raw(b'{"a":1}'), msgspec.Raw(b"2")]), is_reply=True
        )
        assert content_type == "text/plain"
        assert body == (
            b'{\n"MsgId": "1",\n"Content": "",\n"CreateTime": 0,\n"Uin": 0,\n"Inner": {\n"Key": 0\n}\n,\n'
            b'"Raw": [{\n"a": 1\n}\n,\n2\n],\n"Flags": {}\n}\n'
        )

    @pytest.mark.parametrize("name", AS_PRINTED)
    def test_an_answer_is_formatted_with_the_bytes_of_the_live_service(self, name: str) -> None:
        indented = (RECORDINGS / "corpus" / name).read_bytes()
        printed = re.sub(rb"\n +", b"\n", indented).rstrip() + b"\n"  # One recording was indented afterwards.
        assert platform_json(write_json(msgspec.json.decode(printed))) == printed

    def test_formatting_never_changes_text(self) -> None:
        text = 'a\n   b\n},\n{[\n{c "x"\r\n'
        assert msgspec.json.decode(platform_json(write_json({"Content": text}))) == {"Content": text}

    @pytest.mark.parametrize("text", [TEXT, "", "\0", "a\nb"])
    def test_clean_text_does_not_change_valid_text(self, text: str) -> None:
        assert clean_text(text) is text


# -- scripts and tags ------------------------------------------------------------------------------------------------


class TestScripts:
    def test_assignments_are_decoded_and_all_else_is_ignored(self) -> None:
        body = b"window.code=200;require('child_process').exec('rm -rf /');window.redirect_uri=\"https://wx.qq.com/\";"
        assert read_script(body) == {"code": "200", "redirect_uri": "https://wx.qq.com/"}

    def test_only_the_beginning_of_a_very_long_script_is_decoded(self) -> None:
        body = b"window.code=200;" + b"a" * MAX_SCRIPT + b"window.late=1;"
        assert read_script(body) == {"code": "200"}

    def test_an_expression_is_not_a_value(self) -> None:
        assert read_script(b"window.code=alert(1);window.code=window.x;window.a=`b`") == {}

    @pytest.mark.parametrize(
        ("body", "values"),
        [
            (
                'window.QRLogin.code = 200; window.QRLogin.uuid = "Qa1=="',
                {"QRLogin.code": "200", "QRLogin.uuid": "Qa1=="},
            ),
            ("window.userAvatar = 'data:img/jpg;base64,/9j/';", {"userAvatar": "data:img/jpg;base64,/9j/"}),
            ("window.code=-1", {"code": "-1"}),
            ("window.a={b:\"1\", 'c' : '2',\"d\":3}", {"a.b": "1", "a.c": "2", "a.d": "3"}),
            ("window.a={}", {}),
            (f"window.a={{{'b' * 65}:1,c:2}}", {"a.c": "2"}),
            ("window.a=1;window.a=2", {"a": "1"}),
            ('window.a="";window.a="x"', {"a": ""}),
            ("\ufeffwindow.a=1", {"a": "1"}),
            ("", {}),
        ],
    )
    def test_all_forms_of_an_assignment_are_decoded(self, body: str, values: dict[str, str]) -> None:
        assert read_script(body.encode()) == values

    @pytest.mark.parametrize(
        "body", [b"window." * 100_000, b"window.a={" + b"a" * 500_000 + b"}", b"window.a=" * 100_000], ids=len
    )
    @pytest.mark.timeout(30)  # An algorithm with quadratic time would take minutes.
    def test_a_hostile_script_takes_linear_time(self, body: bytes) -> None:
        read_script(body)

    @pytest.mark.parametrize(
        ("text", "value"), [("12", 12), ("-1", -1), ("", 7), (None, 7), ("1.5", 7), ("9" * 19, 7), (" 1", 7)]
    )
    def test_number_returns_the_default_for_invalid_text(self, text: str | None, value: int) -> None:
        assert number(text, 7) == value


class TestTags:
    @pytest.mark.parametrize(
        ("xml", "text"),
        [
            ("<a>1</a><a>2</a>", "1"),
            ("<a></a>", ""),
            ("<a><![CDATA[1 < 2]]></a>", "1 < 2"),
            ("<a>1", None),
            ("1</a>", None),
            ("", None),
        ],
    )
    def test_the_first_complete_tag_is_decoded(self, xml: str, text: str | None) -> None:
        assert tag_text(xml, "a") == text

    @pytest.mark.timeout(30)  # An algorithm with quadratic time would take minutes.
    def test_a_hostile_text_takes_linear_time(self) -> None:
        assert tag_text("<msgid>" * 1_000_000, "msgid") is None


# -- queries and forms -----------------------------------------------------------------------------------------------


class TestPairs:
    def test_everything_but_unreserved_characters_is_percent_encoded(self) -> None:
        assert percent_encode("aZ0-._~+/=%@ 你") == "aZ0-._~%2B%2F%3D%25%40%20%E4%BD%A0"

    def test_a_plus_is_a_plus(self) -> None:
        assert percent_decode("QQ+x%2Fy%20") == "QQ+x/y "
        assert read_pairs("sid=QQ+x/y") == {"sid": "QQ+x/y"}

    def test_bytes_that_are_not_utf_8_become_replacement_characters(self) -> None:
        assert percent_decode("%ff") == "\ufffd"

    def test_a_lone_surrogate_is_sent_as_a_replacement_character(self) -> None:
        assert percent_decode(percent_encode("a\ud83d")) == "a\ufffd"

    def test_names_are_decoded_in_lower_case_and_the_first_of_two_counts(self) -> None:
        assert read_pairs("MsgID=1&msgid=2&=3&&flag") == {"msgid": "1", "flag": ""}

    def test_pairs_are_written_in_order(self) -> None:
        assert write_pairs([("b", "1&2"), ("a", "")]) == "b=1%262&a="

    def test_a_query_from_the_server_is_sent_back_unchanged_without_line_breaks(self) -> None:
        query = "ticket=A%2Bb@qrticket_0&uuid=Qa1==&lang=zh_CN"
        assert keep_encoded(query) == query
        assert keep_encoded("a b\r\nHost: x#y你") == "a%20b%0D%0AHost:%20x%23y%E4%BD%A0"

    def test_pairs_are_decoded_to_a_struct_without_regard_to_case(self) -> None:
        assert from_pairs({"key": "5"}, Inner) == Inner(key=5)

    def test_a_required_field_that_is_missing_is_an_error(self) -> None:
        with pytest.raises(ProtocolError, match="MsgId is missing"):
            from_pairs({}, Item)


class Form(Wire, frozen=True, kw_only=True, rename=None):
    sid: str = ""
    uin: int = 0


class TestForms:
    def test_a_form_is_written_percent_encoded(self) -> None:
        assert FORM.dump(Form(sid="a+b", uin=5), is_reply=False) == (
            "application/x-www-form-urlencoded",
            b"sid=a%2Bb&uin=5",
        )

    def test_a_form_is_decoded(self) -> None:
        assert FORM.load(b"uin=5&sid=a%2Bb", Form, "") == Form(sid="a+b", uin=5)

    def test_an_empty_form_is_decoded_to_the_defaults(self) -> None:
        assert FORM.load(b"", Form, "") == Form()


# -- multipart -------------------------------------------------------------------------------------------------------


def upload(body: tuple[bytes, ...] | bytes, content_type: str) -> Upload:
    return MULTIPART.load(body if isinstance(body, bytes) else b"".join(body), Upload, content_type)


def sent(value: Upload) -> tuple[str, bytes]:
    content_type, buffers = MULTIPART.dump(value, is_reply=False)
    assert isinstance(buffers, tuple)
    return content_type, b"".join(buffers)


BOUNDARY = "----a1b2c3"

FILE = FilePart(name="a.jpg", content_type="image/jpeg", content=b"\xff\xd8\r\n\r\n--x", boundary=BOUNDARY)


class TestMultipart:
    def test_text_fields_keep_their_order_and_the_file_is_last(self) -> None:
        content_type, body = sent(Upload(name="a.jpg", size=5, filename=FILE))
        boundary = BOUNDARY
        assert content_type == f"multipart/form-data; boundary={boundary}"
        assert (
            body
            == (
                f'--{boundary}\r\nContent-Disposition: form-data; name="name"\r\n\r\na.jpg\r\n'
                f'--{boundary}\r\nContent-Disposition: form-data; name="size"\r\n\r\n5\r\n'
                f'--{boundary}\r\nContent-Disposition: form-data; name="note"\r\n\r\nnone\r\n'
                f'--{boundary}\r\nContent-Disposition: form-data; name="filename"; filename="a.jpg"\r\n'
                "Content-Type: image/jpeg\r\n\r\n"
            ).encode()
            + FILE.content
            + f"\r\n--{boundary}--\r\n".encode()
        )

    def test_the_bytes_of_a_file_are_a_separate_buffer_and_never_copied(self) -> None:
        _, buffers = MULTIPART.dump(Upload(filename=FILE), is_reply=False)
        assert any(buffer is FILE.content for buffer in buffers)

    def test_an_empty_text_is_left_out(self) -> None:
        _, body = sent(Upload(name="", filename=FILE))
        assert b'name="name"' not in body

    def test_parts_are_decoded_in_any_order_with_or_without_quotes(self) -> None:
        body = (
            b'--X\r\nContent-Disposition: form-data; name="filename"; filename="b.png"\r\nContent-Type: image/png\r\n'
            b"\r\nPNG\r\n--X\r\ncontent-disposition: form-data; name=size\r\n\r\n7\r\n--X--\r\n"
        )
        read = upload(body, "multipart/form-data; boundary=X")
        assert read == Upload(
            size=7, filename=FilePart(name="b.png", content_type="image/png", content=b"PNG", boundary="X")
        )

    def test_a_part_without_a_name_or_a_head_is_ignored(self) -> None:
        body = (
            b"--X\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n--X\r\nheadless\r\n"
            b'--X\r\nContent-Disposition: form-data; name="filename"; filename="b"\r\n\r\nB\r\n--X--\r\n'
        )
        read = upload(body, 'multipart/form-data; boundary="X"')
        assert read == Upload(filename=FilePart(name="b", content_type="", content=b"B", boundary="X"))

    @pytest.mark.parametrize(
        ("body", "content_type", "error"),
        [
            (b"--X--", "multipart/form-data", "no boundary"),
            (b"--X--\r\n", "multipart/form-data; boundary=X", "filename is missing"),
            (
                b'--X\r\nContent-Disposition: form-data; name="filename"\r\n\r\nB\r\n--X--\r\n',
                "multipart/form-data; boundary=X",
                "a file instead of a text, or the reverse",
            ),
            (
                b'--X\r\nContent-Disposition: form-data; name="name"; filename="b"\r\n\r\nB\r\n--X--\r\n',
                "multipart/form-data; boundary=X",
                "a file instead of a text, or the reverse",
            ),
        ],
    )
    def test_a_malformed_upload_is_a_protocol_error(self, body: bytes, content_type: str, error: str) -> None:
        with pytest.raises(ProtocolError, match=error):
            upload(body, content_type)

    @pytest.mark.parametrize(
        "name",
        [
            "我的文档.txt",
            "Мой.txt",
            "내 문서.txt",
            "汉" * 200,
            'a"b\r\nX: y.txt',
            "a;name=evil.txt",
            "😀.png",
            "100%.txt",
        ],
    )
    def test_a_file_name_cannot_inject_a_header_and_is_decoded_completely(self, name: str) -> None:
        content_type, body = sent(Upload(name=name, filename=FilePart(name=name, content=b"B", boundary=BOUNDARY)))
        heads = [part.partition(b"\r\n\r\n")[0] for part in body.split(BOUNDARY.encode())]
        assert b"filename*" not in body
        assert not any(line.startswith(b"X:") for head in heads for line in head.split(b"\r\n"))
        read = upload(body, content_type)
        assert (read.name, read.filename.name) == (name, name)

    def test_a_recorded_upload_with_another_boundary_is_decoded_completely(self) -> None:
        _, inner = sent(Upload(filename=FILE))
        part = FilePart(name="recorded upload", content_type="text/plain", content=inner, boundary=BOUNDARY[::-1])
        content_type, body = sent(Upload(filename=part))
        assert upload(body, content_type) == Upload(filename=part)

    def test_a_lone_surrogate_in_a_name_is_sent_as_a_replacement_character(self) -> None:
        content_type, body = sent(
            Upload(name="a\udcff.txt", filename=FilePart(name="a\udcff.txt", content=b"B", boundary=BOUNDARY))
        )
        read = upload(body, content_type)
        assert (read.name, read.filename.name) == ("a\ufffd.txt", "a\ufffd.txt")

    def test_the_repr_of_a_file_shows_its_size_only(self) -> None:
        assert repr(FilePart(name="secret.txt", content=b"secret", boundary=BOUNDARY)) == "FilePart(6 bytes)"


class TestMedia:
    def test_bytes_are_sent_unchanged(self) -> None:
        assert MEDIA.dump(Media(content_type="image/png", content=b"\x89"), is_reply=True) == ("image/png", b"\x89")
        assert MEDIA.load(b"\x89", Media, "image/png") == Media(content_type="image/png", content=b"\x89")

    def test_the_repr_of_media_shows_type_and_size_only(self) -> None:
        assert repr(Media(content_type="image/png", content=b"secret")) == "Media(image/png, 6 bytes)"
