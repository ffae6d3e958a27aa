"""Requests and responses as values."""

from __future__ import annotations

import pytest

from webwx.protocol.http import Read, Request, Response, first_header, http_time

SECRET_URL = "https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxsync?sid=a%2Bb%2Fc&skey=@crypt_secret"


@pytest.fixture
def request_() -> Request:
    return Request(
        endpoint="webwxsync", method="POST", url=SECRET_URL, headers=(("Cookie", "wxsid=secret"),), body=b"secret"
    )


def test_the_repr_of_a_request_shows_the_name_of_its_call_only(request_: Request) -> None:
    assert repr(request_) == "Request(webwxsync)"


def test_the_repr_of_a_response_shows_status_and_size_only() -> None:
    response = Response(status=200, headers=(("Set-Cookie", "wxsid=secret"),), body=b"secret")
    assert repr(response) == "Response(200, 6 bytes)"


def test_the_repr_of_a_file_chunk_shows_the_range_and_not_the_file() -> None:
    assert repr(Read(source=b"secret", start=5, size=7)) == "Read(5, 7)"


def test_the_query_stays_encoded_and_the_path_is_decoded(request_: Request) -> None:
    assert request_.query == "sid=a%2Bb%2Fc&skey=@crypt_secret"
    picture = Request(endpoint="qrcode", method="GET", url="https://login.weixin.qq.com/qrcode/Qa1Zw2Sx3E%3D%3D")
    assert picture.path == "/qrcode/Qa1Zw2Sx3E=="


@pytest.mark.parametrize("body", [b"abcdef", (b"abc", b"", b"def")], ids=["one piece", "buffers"])
def test_content_is_the_body_in_one_piece(body: bytes | tuple[bytes, ...]) -> None:
    assert Request(endpoint="x", method="POST", url="http://h/", body=body).content == b"abcdef"


def test_headers_are_found_without_regard_to_case() -> None:
    headers = (("content-TYPE", "text/plain"), ("Content-Type", "second"))
    assert first_header(headers, "Content-Type") == "text/plain"
    assert Response(headers=headers).header("CONTENT-TYPE") == "text/plain"
    assert Request(endpoint="x", method="GET", url="http://h/", headers=headers).header("X-None") == ""


def test_all_values_of_a_repeated_header_are_returned_in_order() -> None:
    response = Response(headers=(("Set-Cookie", "a=1"), ("Date", "x"), ("set-cookie", "b=2")))
    assert response.header_values("Set-Cookie") == ("a=1", "b=2")


def test_with_headers_returns_a_new_request_and_leaves_the_old_one(request_: Request) -> None:
    more = request_.with_headers(("Accept", "*/*"))
    assert more.headers == (("Cookie", "wxsid=secret"), ("Accept", "*/*"))
    assert request_.headers == (("Cookie", "wxsid=secret"),)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", 1_700_000_000.0),
        ("Tue, 14-Nov-2023 22:13:20 GMT", 1_700_000_000.0),
        ("Tue, 14 Nov 2023 22:13:20", 1_700_000_000.0),
        ("Wed, 15 Nov 2023 06:13:20 +0800", 1_700_000_000.0),
        ("", None),
        ("soon", None),
        ("Tue, 99 Nov 2023 22:13:20 GMT", None),
        ("Tue, 14 Nov 2023 22:13:20 +999999", None),
        pytest.param("Tue, 14 Nov 2023 22:13:20 GMT" + " " * 64, None, id="longer than a date"),
    ],
)
def test_http_dates_are_decoded_to_seconds_and_invalid_ones_to_none(text: str, seconds: float | None) -> None:
    assert http_time(text) == seconds
