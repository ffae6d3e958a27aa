"""How a response is sent: the steps of a fault and their effect on a socket."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.sandbox.wire import ReceivedAnswer, ask, at_once

from webwx.protocol.http import Response
from webwx.sandbox.connection_faults import (
    AnswerTwice,
    AtAnswer,
    BareBody,
    Blackhole,
    ClosedInBody,
    ClosedInHead,
    Delay,
    End,
    EndlessChunks,
    GarbageStatus,
    Latency,
    Outage,
    PortClosed,
    ResetMidway,
    Sliced,
    Slow,
    Step,
    Throttle,
    WrongLength,
    play,
    raw_answer,
)

BODY = b"0123456789"
ANSWER = b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 10\r\n\r\n" + BODY
HEAD = len(ANSWER) - len(BODY)


def steps(fault: AtAnswer, answer: bytes = ANSWER) -> list[Step]:
    return [*fault.steps(answer, random.Random(1))]


def paced(fault: Throttle, *given: Step) -> list[Step]:
    return [*fault.paced(iter(given), random.Random(1))]


def transport_of(writer: asyncio.StreamWriter) -> asyncio.Transport:
    assert isinstance(writer.transport, asyncio.Transport)
    return writer.transport


def test_an_answer_is_written_as_http_demands() -> None:
    assert raw_answer(Response(headers=(("A", "b"),), body=BODY)) == ANSWER
    assert raw_answer(Response(status=599)) == b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "fault", [ResetMidway(), ClosedInHead(), ClosedInBody()], ids=lambda fault: type(fault).__name__
)
def test_without_a_position_the_rng_chooses_where_an_answer_ends(
    fault: ClosedInBody | ClosedInHead | ResetMidway,
) -> None:
    ends = set()
    rng = random.Random(1)
    for _ in range(200):
        cut, *_ = fault.steps(ANSWER, rng)
        assert isinstance(cut, bytes)
        assert ANSWER.startswith(cut)
        ends.add(len(cut))
    first, last = {"ResetMidway": (1, len(ANSWER)), "ClosedInHead": (1, HEAD), "ClosedInBody": (HEAD, len(ANSWER))}[
        type(fault).__name__
    ]
    assert min(ends) >= first
    assert max(ends) < last
    assert len(ends) > 1


def test_an_answer_ends_at_the_given_position() -> None:
    assert steps(ResetMidway(at=3)) == [b"HTT", Delay(0.01), End.RESET]
    assert steps(ClosedInHead(at=3)) == [b"HTT", End.CLOSE]
    assert steps(ClosedInBody(at=3)) == [ANSWER[: HEAD + 3], End.CLOSE]


def test_an_answer_without_a_body_is_cut_too() -> None:
    empty = raw_answer(Response())
    assert steps(ClosedInBody(), empty) == [empty, End.CLOSE]


def test_a_wrong_head_keeps_the_body() -> None:
    assert steps(GarbageStatus(line="0 -")) == [b"0 -" + ANSWER[len("HTTP/1.1 200 OK") :], End.CLOSE]
    assert steps(BareBody()) == [BODY, End.CLOSE]
    assert steps(WrongLength(by=3))[0] == b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 13\r\n\r\n" + BODY
    head, *_ = steps(WrongLength(by=-99))
    assert isinstance(head, bytes)
    assert b"Content-Length: 0\r\n" in head
    assert steps(AnswerTwice()) == [ANSWER * 2]


def test_chunks_never_end() -> None:
    endless = EndlessChunks(seconds=2).steps(ANSWER, random.Random(1))
    assert next(endless) == b"HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert next(endless) == b"a\r\n0123456789\r\n"
    assert [next(endless) for _ in range(4)] == [Delay(2), b"1\r\n \r\n"] * 2


def test_a_slow_answer_is_complete() -> None:
    assert paced(Sliced(size=4), b"0123456789", End.CLOSE) == [b"0123", b"4567", b"89", End.CLOSE]
    assert paced(Slow(rate=40), b"0123456789") == [b"0123", Delay(0.1), b"4567", Delay(0.1), b"89", Delay(0.1)]
    pause, *rest = paced(Latency(seconds=1, jitter=0.5), b"x", End.RESET)
    assert isinstance(pause, Delay)
    assert 0.5 <= pause.seconds <= 1.5
    assert rest == [b"x", End.RESET]
    pause, *_ = paced(Latency(seconds=0.1, jitter=9), b"x")
    assert isinstance(pause, Delay)
    assert pause.seconds >= 0


def test_a_fault_of_the_request_sends_nothing() -> None:
    assert [*Blackhole().steps()] == [End.SILENCE]
    assert [*PortClosed(seconds=3).steps()] == [Outage(3)]


@pytest.mark.parametrize(
    ("played", "said", "seen", "logged"),
    [
        ([b"a", b"b"], b"ab", "kept", None),
        ([b"a", Delay(9), b"b"], b"ab", "kept", None),
        ([b"a", End.CLOSE], b"a", "closed", End.CLOSE),
        ([b"a", Delay(1), End.RESET], b"a", "reset", End.RESET),
        ([b"a", Delay(1), Outage(5)], b"a", "reset", Outage(5)),
        ([b"a", End.SILENCE, b"b"], b"a", "kept", End.SILENCE),
        ([b"a", End.STALE, b"b"], b"a", "kept", End.STALE),
    ],
)
def test_steps_are_carried_out_on_a_socket(
    played: list[Step],
    said: bytes,
    seen: str,
    logged: End | Outage | None,
) -> None:
    async def run() -> tuple[ReceivedAnswer, list[End | Outage | None]]:
        ends = list[End | Outage | None]()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            ends.append(await play(iter(played), transport_of(writer)))
            await reader.read()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            got = await ask(f"http://127.0.0.1:{port}", b"?", patience=10)
        return got, ends

    assert at_once(run) == ((said, seen), [logged])


def test_nothing_is_sent_to_a_closed_connection() -> None:
    async def run() -> list[End | Outage | None]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()
            ends.append(await play(iter([b"a", End.SILENCE]), transport_of(writer)))

        ends = list[End | Outage | None]()
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            await ask(f"http://127.0.0.1:{port}", b"?")
        return ends

    assert at_once(run) == [End.CLOSE]
