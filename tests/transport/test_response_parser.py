"""The response parser: bytes in pieces of any size, and malformed responses."""

from __future__ import annotations

import gzip
import weakref
from array import array

import httptools
import pytest
from tests.transport.lines import answer

from webwx.transport.response_parser import LONGEST_HEAD, BodyRejected, BodyTooLong, ResponseError, ResponseParser


def expecting() -> tuple[ResponseParser, list[bytes]]:
    answers = ResponseParser()
    body: list[bytes] = []
    answers.expect(0, body.append)
    return answers, body


def test_responses_are_read_one_after_the_other() -> None:
    answers = ResponseParser()
    for status in ("200 OK", "404 Not Found"):
        body: list[bytes] = []
        answers.expect(0, body.append)
        answers.feed(answer(b"hi", "A: b", "A: c", status=status))
        assert (answers.is_whole, answers.is_last, answers.status, body) == (True, False, int(status[:3]), [b"hi"])
        assert answers.headers == (("Content-Length", "2"), ("A", "b"), ("A", "c"))


def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the bytes that the parser gets from now on."""
    given: list[bytes] = []

    class Parser(httptools.HttpResponseParser):
        def feed_data(self, data: bytes | bytearray | memoryview[int] | array[int]) -> None:
            given.append(bytes(data))
            super().feed_data(data)

    monkeypatch.setattr(httptools, "HttpResponseParser", Parser)
    return given


def test_a_repeated_head_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given = parsed(monkeypatch)
    answers = ResponseParser()
    for body in (b"first", b"again", b"more!"):
        answers.expect(1000)
        answers.feed(answer(body, "A: b", status="404 Not Found"))
        assert (answers.is_whole, answers.is_last, answers.status, answers.size) == (True, False, 404, 5)
        assert answers.headers == (("Content-Length", "5"), ("A", "b"))
        assert answers.take_response().body == body
    assert len(given) == 1


@pytest.mark.parametrize(
    "other",
    [
        answer(b"other", "A: c"),
        answer(b"other", "A: b", status="200 ok"),
        answer(b"others", "A: b"),
        answer(b"other", "A: b", "Connection: close"),
        answer(b"other", "A: b").replace(b"\r\n\r\n", b"\r\nX: y\r\n\r\n"),
    ],
)
def test_every_different_head_is_parsed(monkeypatch: pytest.MonkeyPatch, other: bytes) -> None:
    given = parsed(monkeypatch)
    answers = ResponseParser()
    for said in (answer(b"first", "A: b"), other):
        answers.expect(1000)
        answers.feed(said)
        assert answers.is_whole
    assert len(given) == 2
    assert answers.take_response().body == other.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"hello"),
        answer(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"") + b"5\r\nhello\r\n0\r\n\r\n",
        answer(gzip.compress(b"hello", mtime=0), "Content-Encoding: gzip"),
        answer(b"hello").replace(b"\r\n", b"\n"),
    ],
    ids=["a forerunner", "chunks", "packed", "bare line ends"],
)
def test_only_a_head_that_is_followed_by_a_body_alone_is_cached(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    given = parsed(monkeypatch)
    answers = ResponseParser()
    for _ in range(2):
        answers.expect(1000)
        answers.feed(said)
        assert answers.take_response().body == b"hello"
    assert len(given) == 2


def test_a_response_with_a_cached_head_may_arrive_in_pieces() -> None:
    answers, said = ResponseParser(), answer(b"hello")
    answers.expect(1000)
    answers.feed(said)
    for cut in range(1, len(said)):
        answers.expect(1000)
        answers.feed(said[:cut])
        was_whole = answers.is_whole
        answers.feed(said[cut:])
        assert (was_whole, answers.is_whole) == (False, True)
        assert answers.take_response().body == b"hello"
    taken: list[bytes] = []
    answers.expect(1000, taken.append)
    answers.feed(said)
    assert (answers.is_whole, taken, answers.take_response().body) == (True, [b"hello"], b"")


def test_bytes_after_a_response_with_a_cached_head_make_the_connection_unusable() -> None:
    answers, said = ResponseParser(), answer(b"hello")
    for more in (b"", b"", said):
        answers.expect(1000)
        answers.feed(said + more)
        assert (answers.is_whole, answers.take_response().body) == (True, b"hello")
    assert answers.is_last


def test_a_response_with_a_cached_head_has_the_same_limit() -> None:
    answers = ResponseParser()
    answers.expect(1000)
    answers.feed(answer(b"hello"))
    answers.expect(4)
    with pytest.raises(BodyRejected):
        answers.feed(answer(b"hello"))


def test_the_receiver_of_a_body_is_not_referenced_afterwards() -> None:
    class Taker(list[bytes]):
        pass

    answers, body = ResponseParser(), Taker()
    gone = weakref.ref(body)
    answers.expect(0, body.append)
    answers.feed(answer(b"hi"))
    assert body == [b"hi"]
    del body
    assert gone() is None


def test_a_body_is_returned_once_and_then_not_referenced() -> None:
    answers = ResponseParser()
    answers.expect(5)
    for piece in (answer(b"hello")[:-2], b"lo"):
        answers.feed(piece)
    assert (answers.take_response().body, answers.take_response().body) == (b"hello", b"")


def test_a_body_beyond_the_limit_is_refused() -> None:
    answers = ResponseParser()
    answers.expect(4)
    with pytest.raises(BodyRejected) as caught:
        answers.feed(answer(b"hello"))
    assert isinstance(caught.value.reason, BodyTooLong)


@pytest.mark.parametrize("more", [b"x", b"H", b"HTTP/1.1 200 OK\r\n", answer(b"2", status="500 X"), b"\x00"])
@pytest.mark.parametrize("is_together", [True, False])
def test_bytes_after_an_answer_do_not_change_it_and_make_the_connection_unusable(
    more: bytes, is_together: bool
) -> None:
    answers, body = expecting()
    for piece in [answer(b"1") + more] if is_together else [answer(b"1"), more]:
        answers.feed(piece)

    assert (answers.is_whole, answers.is_last, answers.status, body) == (True, True, 200, [b"1"])


def test_a_truncated_compressed_body_is_an_error() -> None:
    answers, _ = expecting()
    with pytest.raises(BodyRejected) as caught:
        answers.feed(answer(gzip.compress(bytes(1000))[:-4], "Content-Encoding: gzip"))
    assert isinstance(caught.value.reason, ResponseError)


def test_a_compressed_body_is_decompressed_in_pieces() -> None:
    answers, body = expecting()
    answers.feed(answer(gzip.compress(bytes(1 << 20)), "Content-Encoding: gzip"))
    assert b"".join(body) == bytes(1 << 20)
    assert max(map(len, body)) <= 256 * 1024


@pytest.mark.parametrize(
    ("start", "more"), [(b"HTTP/1.1 200 OK\r\nA: ", b"a" * 1024), (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40)]
)
def test_a_head_without_an_end_is_refused(start: bytes, more: bytes) -> None:
    def feed() -> None:
        answers, _ = expecting()
        for piece in [start, *[more] * (LONGEST_HEAD // len(more) + 2)]:
            answers.feed(piece)

    with pytest.raises(ResponseError):
        feed()


def test_small_pieces_of_a_body_are_joined() -> None:
    answers, body = expecting()
    answers.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"2\r\nhi\r\n" * 1000)
    assert len(body) < 5
    answers.feed(b"5000\r\n" + bytes(0x5000) + b"\r\n2\r\nho\r\n0\r\n\r\n")
    assert b"".join(body) == b"hi" * 1000 + bytes(0x5000) + b"ho"
    assert {type(piece) for piece in body} == {bytes}


@pytest.mark.parametrize("chunks", [b"2\r\nhi\r\n", b"2\r\nhi\r\n0\r\n\r\n"], ids=["midway", "at the end"])
def test_an_error_of_the_receiver_is_raised_for_small_pieces(chunks: bytes) -> None:
    def refuse(piece: bytes) -> None:
        raise ZeroDivisionError

    answers = ResponseParser()
    answers.expect(0, refuse)
    with pytest.raises(BodyRejected) as caught:
        answers.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert isinstance(caught.value.reason, ZeroDivisionError)


def test_an_error_of_the_receiver_is_raised() -> None:
    class Full(Exception):
        pass

    def refuse(piece: bytes) -> None:
        raise Full

    answers = ResponseParser()
    answers.expect(0, refuse)
    with pytest.raises(BodyRejected) as caught:
        answers.feed(answer(b"hi"))
    assert isinstance(caught.value.reason, Full)
