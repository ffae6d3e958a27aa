"""Bodies, forms and headers of a request."""

from __future__ import annotations

import pytest

from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.request import (
    HookRequest,
    HookRoute,
    as_object,
    as_string,
    decode_form,
    decode_header,
    decode_json,
    decode_text,
    inner,
    objects,
    string,
)


def test_a_byte_order_mark_is_ignored() -> None:
    assert decode_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert decode_text(b"\xef\xbb\xbfa") == "a"


def test_a_header_is_utf8_or_latin1() -> None:
    assert [decode_header("é".encode()), decode_header(b"\xe9")] == ["é", "é"]


def test_the_last_value_of_a_field_counts() -> None:
    assert decode_form(b"a=1&a=2&b=&c=%E5%AD%97") == {"a": "2", "b": "", "c": "字"}


@pytest.mark.parametrize("body", [b"\xff", b"&a" * 2000 + b"=1", b"a=%ff"])
def test_an_invalid_form_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        decode_form(body.replace(b"&a", b"&a=1"))
    assert caught.value.reason is RefusalReason.INVALID_BODY


def test_only_an_object_is_an_object() -> None:
    with pytest.raises(Refusal):
        as_object([])


def test_values_of_the_wrong_type_are_read_as_none() -> None:
    value: dict[str, object] = {"list": [{"a": 1}, 2], "text": "t", "null": None, "number": 1.5, "yes": True}
    assert [objects(value["list"]), objects("x"), inner(value, "text"), inner(value, "list")] == [
        [{"a": 1}],
        [],
        {},
        {},
    ]
    assert [string(value, "null", "text"), string(value, "missing")] == ["t", ""]
    assert [as_string(value["number"]), as_string(value["yes"]), as_string([1])] == ["1.5", "true", "[1]"]


def test_a_request_has_names_for_its_parts() -> None:
    request = HookRequest(
        route=HookRoute("/"),
        query=(("a", ""), ("b", "2")),
        headers={"content-type": "Text/Plain; charset=utf-8", "x-b": "3"},
        body=b"k=v",
    )
    assert (request.media_type, request.query_value("a", "b"), request.header("x-a", "x-b")) == ("text/plain", "2", "3")
    assert (request.query_value("c"), request.header("x-c"), request.form(), request.is_multipart) == (
        "",
        "",
        {"k": "v"},
        False,
    )
