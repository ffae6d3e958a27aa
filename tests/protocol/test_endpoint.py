"""The four methods of an endpoint: where each field is sent, and how the other side decodes it."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import msgspec
import pytest
from tests.protocol.requests import HOSTS, RECORDS, record

from webwx.errors import ProtocolError
from webwx.protocol import ENDPOINTS, find_endpoint
from webwx.protocol.codec import FORM, MEDIA, MULTIPART, FilePart, Media, Wire
from webwx.protocol.endpoint import Endpoint, In, InPath, InQuery, InRawQuery, Where
from webwx.protocol.hosts import Host
from webwx.protocol.http import Request, Response, TimeLimit


class Everywhere(Wire, frozen=True, kw_only=True):
    chat: InPath[str]
    seq: InQuery[int] = 3
    lang: InQuery[str] = ""
    timestamp: Annotated[int, In(Where.QUERY, "_")] = 0
    user_name: str
    tags: list[str] = msgspec.field(name="TagList", default_factory=list)


class Answer(Wire, frozen=True, kw_only=True):
    ret: int = 0


class Referred(Wire, frozen=True, kw_only=True):
    given: InRawQuery[str]
    fun: InQuery[str] = ""


class Plain(Wire, frozen=True, kw_only=True, rename=None):
    sid: str = ""


CALL = Endpoint(
    name="call", method="POST", host=Host.FILE, path="/cgi-bin/a.b/{chat}", also=("GET",), time_limit=TimeLimit.BULK,
    request=Everywhere, reply=Answer, purpose="test",
)  # fmt: skip
REFERRED = Endpoint(
    name="referred", method="GET", host=Host.MAIN, path="/r", request=Referred, reply=Answer, purpose="test"
)
FORMED = Endpoint(
    name="formed", method="POST", host=Host.MAIN, path="/f", request=Plain, reply=Answer, body=FORM, purpose="test"
)


def asked(url: str, body: bytes = b"", *headers: tuple[str, str]) -> Request:
    return Request(endpoint="", method="POST", url=f"https://h{url}", headers=headers, body=body)


class TestEncodingARequest:
    def test_each_field_is_sent_in_its_declared_place(self) -> None:
        value = Everywhere(chat="@@a/b", seq=0, lang="zh CN", timestamp=5, user_name="你", tags=["x"])
        request = CALL.encode_request(value, HOSTS)
        assert request.method == "POST"
        assert request.url == "https://file.wx.qq.com/cgi-bin/a.b/%40%40a%2Fb?seq=0&lang=zh%20CN&_=5"
        assert request.content == '{"UserName":"你","TagList":["x"]}'.encode()
        assert (request.endpoint, request.time_limit) == ("call", TimeLimit.BULK)

    def test_an_empty_query_field_is_left_out(self) -> None:
        request = CALL.encode_request(Everywhere(chat="a", lang="", user_name=""), HOSTS)
        assert request.query == "seq=3&_=0"

    def test_a_request_without_any_query_has_no_question_mark(self) -> None:
        assert FORMED.encode_request(Plain(), HOSTS).url == "https://wx.qq.com/f"

    def test_given_headers_follow_the_content_type(self) -> None:
        request = FORMED.encode_request(Plain(sid="a"), HOSTS, (("Accept", "*/*"),))
        assert request.headers == (("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "*/*"))
        assert request.content == b"sid=a"

    def test_a_call_without_body_fields_has_neither_body_nor_content_type(self) -> None:
        request = REFERRED.encode_request(Referred(given="a=1"), HOSTS)
        assert (request.content, request.headers) == (b"", ())

    def test_a_query_from_the_server_is_first_and_cannot_inject_a_line(self) -> None:
        request = REFERRED.encode_request(Referred(given="ticket=A@b%2B&x=1 HTTP/1.1\r\nHost: evil", fun="new"), HOSTS)
        assert request.url == "https://wx.qq.com/r?ticket=A@b%2B&x=1%20HTTP/1.1%0D%0AHost:%20evil&fun=new"

    def test_an_empty_query_from_the_server_leaves_our_own(self) -> None:
        assert REFERRED.encode_request(Referred(given="", fun="new"), HOSTS).query == "fun=new"

    def test_concurrent_threads_get_their_own_addresses(self) -> None:
        def write(lang: str) -> set[str]:
            value = Everywhere(chat="a", lang=lang, user_name="")
            return {CALL.encode_request(value, HOSTS).query for _ in range(10_000)}

        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(2) as threads:
                written = list(threads.map(write, ("en", "zh")))
        finally:
            sys.setswitchinterval(before)
        assert written == [{"seq=3&lang=en&_=0"}, {"seq=3&lang=zh&_=0"}]


class TestDecodingARequest:
    def test_each_field_is_decoded_from_its_place(self) -> None:
        read = CALL.decode_request(asked("/cgi-bin/a.b/x%20y?SEQ=7&_=5&other=1", b'{"TagList":["x"],"UserName":7}'))
        assert read == Everywhere(chat="x y", seq=7, timestamp=5, user_name="7", tags=["x"])

    def test_missing_fields_have_their_defaults(self) -> None:
        assert CALL.decode_request(asked("/cgi-bin/a.b/x", b'{"UserName":"a"}')) == Everywhere(chat="x", user_name="a")

    @pytest.mark.parametrize("odd", ["seven", "", "9" * 5_000])
    def test_an_invalid_number_in_a_query_becomes_a_number(self, odd: str) -> None:
        read = CALL.decode_request(asked(f"/cgi-bin/a.b/x?seq={odd}", b'{"UserName":"a"}'))
        assert read.seq == (0 if odd == "" else 3)

    @pytest.mark.parametrize(
        ("url", "body"),
        [
            pytest.param("/elsewhere", b'{"UserName":"a"}', id="another path"),
            pytest.param("/cgi-bin/a.b/x", b"", id="no body"),
            pytest.param("/cgi-bin/a.b/x", b"{}", id="an empty body"),
            pytest.param("/cgi-bin/a.b/x", b"<html>", id="an unreadable body"),
        ],
    )
    def test_a_request_without_a_required_field_is_a_protocol_error(self, url: str, body: bytes) -> None:
        with pytest.raises(ProtocolError):
            CALL.decode_request(asked(url, body))

    def test_a_form_may_have_no_body(self) -> None:
        assert FORMED.decode_request(asked("/f")) == Plain()

    def test_a_query_from_the_server_is_decoded_without_our_own_fields(self) -> None:
        read = REFERRED.decode_request(asked("/r?ticket=A@b%2B&x=&fun=new"))
        assert read == Referred(given="ticket=A@b%2B&x=", fun="new")


class TestReplies:
    def test_a_reply_can_be_decoded(self) -> None:
        response = CALL.encode_reply(Answer(ret=5))
        assert response == Response(headers=(("Content-Type", "text/plain"),), body=b'{\n"Ret": 5\n}\n')
        assert CALL.decode_reply(response) == Answer(ret=5)

    def test_a_malformed_reply_is_a_protocol_error_with_the_call_and_no_content(self) -> None:
        with pytest.raises(ProtocolError, match=r"^call: the body is not readable JSON$") as error:
            CALL.decode_reply(Response(body=b"secret"))
        assert error.value.__cause__ is None

    def test_a_reply_of_several_buffers_is_joined(self) -> None:
        class File(Wire, frozen=True, kw_only=True):
            file: FilePart

        endpoint = Endpoint(
            name="x", method="GET", host=Host.MAIN, path="/x", request=Plain, reply=File, reply_shape=MULTIPART,
            purpose="test",
        )  # fmt: skip
        value = File(file=FilePart(name="a", content=b"B", boundary="X"))
        assert endpoint.decode_reply(endpoint.encode_reply(value)) == value


class TestMatching:
    @pytest.mark.parametrize(
        ("method", "path", "matches"),
        [
            ("POST", "/cgi-bin/a.b/x", True),
            ("GET", "/cgi-bin/a.b/x", True),
            ("PUT", "/cgi-bin/a.b/x", False),
            ("POST", "/CGI-BIN/a.b/x", False),
            ("POST", "/cgi-bin/aXb/x", False),
            ("POST", "/cgi-bin/a.b/x/y", False),
            ("POST", "/cgi-bin/a.b/", False),
        ],
    )
    def test_a_request_matches_by_method_and_complete_path(self, method: str, path: str, matches: bool) -> None:
        assert CALL.matches(method, path) is matches


def test_the_repr_of_an_endpoint_shows_its_name() -> None:
    assert repr(CALL) == "Endpoint(call)"


class TestTheWholeApi:
    def test_no_two_calls_match_the_same_request(self) -> None:
        for endpoint in ENDPOINTS:
            path = endpoint.path.replace("{uuid}", "Qa1Zw2Sx3E==")
            assert [endpoint] == [each for each in ENDPOINTS if each.matches(endpoint.method, path)]
            assert endpoint is find_endpoint(endpoint.method, path)

    def test_names_are_unique_and_end_the_path(self) -> None:
        names = [endpoint.name for endpoint in ENDPOINTS]
        assert sorted(set(names)) == sorted(names)
        for endpoint in ENDPOINTS:
            assert endpoint.path.removesuffix("/{uuid}").endswith(f"/{endpoint.name}")


# -- every request, byte for byte ------------------------------------------------------------------------------------


def kept_records() -> dict[str, str]:
    """Return the stored records by the name of the call."""
    records = re.split(r"\n\n(?=### )", RECORDS.read_text("utf-8").rstrip("\n"))
    return {each.removeprefix("### ").partition("\n")[0]: each for each in records}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_request_equals_its_record(endpoint: Endpoint[Any, Any]) -> None:
    assert kept_records().get(endpoint.name) == record(endpoint), "if the change is intended, run `make records`"


def test_every_record_belongs_to_a_call() -> None:
    assert list(kept_records()) == [endpoint.name for endpoint in ENDPOINTS]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_an_answer_of_media_has_their_shape_and_no_other_has_it(endpoint: Endpoint[Any, Any]) -> None:
    assert (endpoint.reply is Media) == (endpoint.reply_shape is MEDIA)
