"""
Faults of a connection, as values; the sandbox's own port and the fault proxy use the same ones.

A fault turns the bytes of an answer into steps: what is sent, when, and how the connection ends. Only `play` uses a
socket, so that a test can read the steps. Each class is one item of the catalogue (`faults`): the tag is its name, the
first line of its docstring says what it does, and its fields are its options.
"""

from __future__ import annotations

import asyncio
import enum
import socket
import struct
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

import msgspec

from webwx.protocol.media import GETMEDIA, GETMSGIMG, GETVIDEO, GETVOICE

if TYPE_CHECKING:
    from random import Random

    from webwx.protocol.http import Response

Seconds = Annotated[float, msgspec.Meta(ge=0, le=86400)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1 << 30)]
At = Annotated[int, msgspec.Meta(ge=-1)]
"""Number of bytes that are sent; -1 is a random number."""

Flaw = Literal["wrong host", "expired", "self-signed"]
"""Defect of a certificate."""

MEDIA_CALLS = frozenset({GETMSGIMG.name, GETVOICE.name, GETVIDEO.name, GETMEDIA.name})
"""The calls that download media."""


# -- steps -----------------------------------------------------------------------------------------------------------


class Delay(msgspec.Struct, frozen=True):
    """Send nothing for some time."""

    seconds: float


class Outage(msgspec.Struct, frozen=True):
    """Reset every connection and refuse new ones for some time."""

    seconds: float


class End(enum.Enum):
    """End of a connection."""

    CLOSE = "close"
    """Closed normally."""
    RESET = "reset"
    """Reset: the other side gets an error instead of bytes."""
    SILENCE = "silence"
    """Kept open, and no further bytes are sent."""
    STALE = "stale"
    """Kept open, and reset when the next request arrives."""


Step = bytes | Delay | Outage | End
Steps = Iterator[Step]


def raw_answer(response: Response) -> bytes:
    """Return the bytes of an answer as they are sent."""
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:  # a number without a name
        phrase = ""
    headers = (*response.headers, ("Content-Length", str(len(response.body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {response.status} {phrase}\r\n{head}\r\n".encode() + response.body


async def play(steps: Steps, transport: asyncio.Transport) -> Outage | End | None:
    """Execute the steps. Return how they ended, or None if the connection stays open. The caller handles `SILENCE`."""
    for step in steps:
        if transport.is_closing():
            return End.CLOSE
        match step:
            case bytes():
                transport.write(step)
                await asyncio.sleep(0)  # the reader runs in between, so that slices stay slices
            case Delay():
                await asyncio.sleep(step.seconds)
            case End.CLOSE:
                transport.close()
                return step
            case End.RESET | Outage():
                reset(transport)
                return step
            case _:
                return step
    return None


def reset(transport: asyncio.BaseTransport) -> None:
    """Reset a connection, as a machine that has crashed does."""
    line: socket.socket | None = transport.get_extra_info("socket")
    if line is not None and line.fileno() >= 0:
        # To linger for no time is what turns a close into a reset.
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    cast("asyncio.WriteTransport", transport).abort()  # uvloop's are such ones, and not by their class


# -- kinds -----------------------------------------------------------------------------------------------------------


class ConnectionFault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault of the connection."""

    calls: ClassVar[frozenset[str]] = frozenset()
    """The calls it applies to; empty for every call."""


class AtConnect(ConnectionFault, frozen=True, kw_only=True):
    """A connection that is reset when it is accepted, before a request is read."""


class AtRequest(ConnectionFault, frozen=True, kw_only=True):
    """A request that is read and not executed."""

    def steps(self) -> Steps:
        """Return the steps that replace an answer."""
        raise NotImplementedError  # each fault of this kind has steps of its own


class AtAnswer(ConnectionFault, frozen=True, kw_only=True):
    """A request that is executed, and whose answer is damaged or missing."""

    def steps(self, answer: bytes, rng: Random) -> Steps:
        """Return the changed steps of an answer."""
        raise NotImplementedError  # each fault of this kind has steps of its own


class Throttle(ConnectionFault, frozen=True, kw_only=True):
    """An answer that arrives complete but slowly; it can be combined with every other fault."""

    def paced(self, steps: Steps, rng: Random) -> Steps:
        """Return the same steps with pauses."""
        raise NotImplementedError  # each fault of this kind has a pace of its own


class Handshake(ConnectionFault, frozen=True, kw_only=True):
    """A TLS handshake with a certificate that is not valid."""

    flaw: ClassVar[Flaw]


class Repeat(ConnectionFault, frozen=True, kw_only=True):
    """A request that is executed twice."""


# -- no answer -------------------------------------------------------------------------------------------------------


class PortClosed(AtRequest, frozen=True, kw_only=True, tag="refused"):
    """All connections are reset, and new ones are refused for `seconds`."""

    seconds: Seconds = 1.0

    def steps(self) -> Steps:
        yield Outage(self.seconds)


class ResetAtConnect(AtConnect, frozen=True, kw_only=True, tag="reset_at_connect"):
    """The connection is reset before a request is read."""


class ResetBefore(AtRequest, frozen=True, kw_only=True, tag="reset_before"):
    """The connection is reset before the request is executed."""

    def steps(self) -> Steps:
        yield End.RESET


class ResetAfter(AtAnswer, frozen=True, kw_only=True, tag="reset_after"):
    """The request is executed, and the connection is reset before the answer."""

    def steps(self, answer: bytes, rng: Random) -> Steps:
        yield End.RESET


class Blackhole(AtRequest, frozen=True, kw_only=True, tag="blackhole"):
    """The request is not executed, and the connection stays open without an answer."""

    def steps(self) -> Steps:
        yield End.SILENCE


class LostAnswer(AtAnswer, frozen=True, kw_only=True, tag="lost_answer"):
    """The request is executed, and the connection stays open without an answer."""

    def steps(self, answer: bytes, rng: Random) -> Steps:
        yield End.SILENCE


class LateAnswer(AtAnswer, frozen=True, kw_only=True, tag="late_answer"):
    """The request is executed, and its answer is sent after `seconds`."""

    seconds: Seconds = 40.0

    def steps(self, answer: bytes, rng: Random) -> Steps:
        yield Delay(self.seconds)
        yield answer


class MediaLate(LateAnswer, frozen=True, kw_only=True, tag="media_late"):
    """A media file is returned after `seconds`."""

    calls: ClassVar[frozenset[str]] = MEDIA_CALLS
    seconds: Seconds = 150.0


class StaleConnection(AtAnswer, frozen=True, kw_only=True, tag="stale_connection"):
    """The answer is sent, and the next request on the same connection is reset and not executed."""

    def steps(self, answer: bytes, rng: Random) -> Steps:
        yield answer
        yield End.STALE


# -- a part of an answer ---------------------------------------------------------------------------------------------


class ResetMidway(AtAnswer, frozen=True, kw_only=True, tag="reset_midway"):
    """The connection is reset after `at` bytes of the answer, head and body."""

    at: At = -1

    def steps(self, answer: bytes, rng: Random) -> Steps:
        yield answer[: _place(self.at, 1, len(answer), rng)]
        yield Delay(0.01)  # a reset that comes at once takes the bytes with it
        yield End.RESET


class ClosedInHead(AtAnswer, frozen=True, kw_only=True, tag="closed_in_head"):
    """The connection is closed after `at` bytes of the answer's head."""

    at: At = -1

    def steps(self, answer: bytes, rng: Random) -> Steps:
        yield answer[: _place(self.at, 1, _head_size(answer), rng)]
        yield End.CLOSE


class ClosedInBody(AtAnswer, frozen=True, kw_only=True, tag="closed_in_body"):
    """The connection is closed after `at` bytes of the answer's body."""

    at: At = -1

    def steps(self, answer: bytes, rng: Random) -> Steps:
        head = _head_size(answer)
        yield answer[: head + _place(self.at, 0, max(1, len(answer) - head), rng)]
        yield End.CLOSE


class MediaCut(ClosedInBody, frozen=True, kw_only=True, tag="media_cut"):
    """A media file is truncated: the connection is closed after `at` bytes of its body."""

    calls: ClassVar[frozenset[str]] = MEDIA_CALLS


# -- invalid answers -------------------------------------------------------------------------------------------------


class GarbageStatus(AtAnswer, frozen=True, kw_only=True, tag="garbage_status"):
    """The answer starts with `line` instead of its status line."""

    line: str = "HTTP/1.1 0"

    def steps(self, answer: bytes, rng: Random) -> Steps:
        yield self.line.encode() + b"\r\n" + answer.partition(b"\r\n")[2]
        yield End.CLOSE


class BareBody(AtAnswer, frozen=True, kw_only=True, tag="http_0_9"):
    """The answer is a body without a head, as in HTTP/0.9."""

    def steps(self, answer: bytes, rng: Random) -> Steps:
        yield answer[_head_size(answer) :]
        yield End.CLOSE


class WrongLength(AtAnswer, frozen=True, kw_only=True, tag="wrong_length"):
    """The answer's Content-Length is `by` bytes more than its body (negative: less); then the connection is closed."""

    by: int = 7

    def steps(self, answer: bytes, rng: Random) -> Steps:
        size = len(answer) - _head_size(answer)
        yield _with_header(answer, f"Content-Length: {max(0, size + self.by)}")
        yield End.CLOSE


class EndlessChunks(AtAnswer, frozen=True, kw_only=True, tag="endless_chunks"):
    """The answer is sent in chunks, and then a blank every `seconds`, without an end."""

    seconds: Seconds = 1.0

    def steps(self, answer: bytes, rng: Random) -> Steps:
        at = _head_size(answer)
        yield _with_header(answer[:at], "Transfer-Encoding: chunked")
        if answer[at:]:
            yield _chunk(answer[at:])
        while True:
            yield Delay(self.seconds)
            yield _chunk(b" ")


class AnswerTwice(AtAnswer, frozen=True, kw_only=True, tag="answer_twice"):
    """The answer is sent twice on the same connection."""

    def steps(self, answer: bytes, rng: Random) -> Steps:
        yield answer + answer


class RequestTwice(Repeat, frozen=True, kw_only=True, tag="request_twice"):
    """The request is executed twice, and the first answer is sent."""


# -- slow answers ----------------------------------------------------------------------------------------------------


class Latency(Throttle, frozen=True, kw_only=True, tag="latency"):
    """The answer is sent `seconds` later, plus or minus `jitter`."""

    seconds: Seconds = 0.2
    jitter: Seconds = 0.1

    def paced(self, steps: Steps, rng: Random) -> Steps:
        yield Delay(max(0.0, self.seconds + rng.uniform(-self.jitter, self.jitter)))
        yield from steps


class Sliced(Throttle, frozen=True, kw_only=True, tag="sliced"):
    """The answer is sent in slices of `size` bytes."""

    size: Count = 1

    def paced(self, steps: Steps, rng: Random) -> Steps:
        return _sliced(steps, self.size, 0.0)


class Slow(Throttle, frozen=True, kw_only=True, tag="slow"):
    """The answer is sent with `rate` bytes per second."""

    rate: Count = 1024

    def paced(self, steps: Steps, rng: Random) -> Steps:
        size = max(1, self.rate // 10)
        return _sliced(steps, size, size / self.rate)


# -- TLS -------------------------------------------------------------------------------------------------------------


class TlsWrongHost(Handshake, frozen=True, kw_only=True, tag="tls_wrong_host"):
    """The certificate is for another host."""

    flaw: ClassVar[Flaw] = "wrong host"


class TlsExpired(Handshake, frozen=True, kw_only=True, tag="tls_expired"):
    """The certificate has expired."""

    flaw: ClassVar[Flaw] = "expired"


class TlsSelfSigned(Handshake, frozen=True, kw_only=True, tag="tls_self_signed"):
    """The certificate is self-signed."""

    flaw: ClassVar[Flaw] = "self-signed"


# -- bytes -----------------------------------------------------------------------------------------------------------


def _place(at: int, first: int, end: int, rng: Random) -> int:
    """Return how many bytes are sent: the given number, or a random one between two limits."""
    return rng.randrange(first, max(first + 1, end)) if at < 0 else at


def _head_size(answer: bytes) -> int:
    return answer.index(b"\r\n\r\n") + 4


def _with_header(answer: bytes, line: str) -> bytes:
    """Replace the header Content-Length by another header."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = [each for each in head.split(b"\r\n") if not each.lower().startswith(b"content-length:")]
    return b"\r\n".join([*lines, line.encode()]) + b"\r\n\r\n" + body


def _chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def _sliced(steps: Steps, size: int, pause: float) -> Steps:
    for step in steps:
        if not isinstance(step, bytes):
            yield step
            continue
        for start in range(0, len(step), size):
            yield step[start : start + size]
            if pause:
                yield Delay(pause)
