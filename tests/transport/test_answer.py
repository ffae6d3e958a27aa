"""The parser of answers: what it makes of bytes that come in any pieces, and what spoils a connection."""

from __future__ import annotations

import gzip
import weakref

import pytest
from tests.transport.lines import answer

from webwx.transport.answer import LONGEST_HEAD, Answers, NoAnswer, NotTaken, TooLarge


def expecting() -> tuple[Answers, list[bytes]]:
    answers, body = Answers(), []
    answers.expect(0, body.append)
    return answers, body


def test_one_is_read_after_the_other() -> None:
    answers = Answers()
    for status in ("200 OK", "404 Not Found"):
        body: list[bytes] = []
        answers.expect(0, body.append)
        answers.feed(memoryview(answer(b"hi", "A: b", "A: c", status=status)))
        assert (answers.is_whole, answers.is_last, answers.status, body) == (True, False, int(status[:3]), [b"hi"])
        assert answers.headers == (("Content-Length", "2"), ("A", "b"), ("A", "c"))


def test_whoever_has_taken_a_body_is_not_kept() -> None:
    class Taker(list[bytes]):
        pass

    answers, body = Answers(), Taker()
    gone = weakref.ref(body)
    answers.expect(0, body.append)
    answers.feed(memoryview(answer(b"hi")))
    assert body == [b"hi"]
    del body
    assert gone() is None


def test_a_body_is_handed_out_once_and_then_not_kept() -> None:
    answers = Answers()
    answers.expect(5)
    for piece in (answer(b"hello")[:-2], b"lo"):
        answers.feed(memoryview(piece))
    assert (answers.hand_out(), answers.hand_out()) == (b"hello", b"")


def test_a_body_beyond_the_limit_is_refused() -> None:
    answers = Answers()
    answers.expect(4)
    with pytest.raises(NotTaken) as caught:
        answers.feed(memoryview(answer(b"hello")))
    assert isinstance(caught.value.reason, TooLarge)


@pytest.mark.parametrize("more", [b"x", b"H", b"HTTP/1.1 200 OK\r\n", answer(b"2", status="500 X"), b"\x00"])
@pytest.mark.parametrize("is_together", [True, False])
def test_g_r14_what_follows_an_answer_changes_nothing_in_it_and_spoils_the_connection(
    more: bytes, is_together: bool
) -> None:
    answers, body = expecting()
    for piece in [answer(b"1") + more] if is_together else [answer(b"1"), more]:
        answers.feed(memoryview(piece))

    assert (answers.is_whole, answers.is_last, answers.status, body) == (True, True, 200, [b"1"])


def test_a_packed_body_that_ends_too_soon_is_none() -> None:
    answers, _ = expecting()
    with pytest.raises(NotTaken) as caught:
        answers.feed(memoryview(answer(gzip.compress(bytes(1000))[:-4], "Content-Encoding: gzip")))
    assert isinstance(caught.value.reason, NoAnswer)


def test_a_packed_body_is_unpacked_in_pieces() -> None:
    answers, body = expecting()
    answers.feed(memoryview(answer(gzip.compress(bytes(1 << 20)), "Content-Encoding: gzip")))
    assert b"".join(body) == bytes(1 << 20)
    assert max(map(len, body)) <= 256 * 1024


@pytest.mark.parametrize(
    ("start", "more"), [(b"HTTP/1.1 200 OK\r\nA: ", b"a" * 1024), (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40)]
)
def test_a_head_has_to_end(start: bytes, more: bytes) -> None:
    def feed() -> None:
        answers, _ = expecting()
        for piece in [start, *[more] * (LONGEST_HEAD // len(more) + 2)]:
            answers.feed(memoryview(piece))

    with pytest.raises(NoAnswer):
        feed()


def test_what_the_taker_raises_comes_out() -> None:
    class Full(Exception):
        pass

    def refuse(piece: bytes) -> None:
        raise Full

    answers = Answers()
    answers.expect(0, refuse)
    with pytest.raises(NotTaken) as caught:
        answers.feed(memoryview(answer(b"hi")))
    assert isinstance(caught.value.reason, Full)
