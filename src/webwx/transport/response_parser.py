"""
The parser of answers: the bytes of one connection, parsed as one answer after another.

llhttp, which httptools wraps, is as strict here as in aiohttp. It does not know when a connection ends, so an answer
without length or chunks, which ends with the connection, is completed by `end`.

An answer that arrives in one piece, with the same head and length as the one before it, is not parsed again.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import httptools
import msgspec

from webwx.protocol.http import Headers, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_HEAD = 64 * 1024
"""Maximum bytes of an answer's head, and between and after the pieces of its body."""

_SMALL = 4096
"""Maximum size in bytes of a piece that is joined with others: a piece of two bytes takes fifty bytes as an object."""

_CODING = b"content-encoding"

_TEXT = ("utf-8", "surrogateescape")
"""Encoding of header values, which keeps any bytes."""

_UNPACKED = 256 * 1024
"""
Maximum number of bytes that a compressed body is decompressed to at a time, so that a bomb does not fill the memory.
"""


class ResponseError(Exception):
    """The bytes are not an HTTP answer."""


class BodyTooLong(Exception):
    """A body is larger than its limit."""


class BodyRejected(Exception):
    """The body was not accepted; the argument is the reason."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(reason)
        self.reason = reason


class _RememberedResponse(msgspec.Struct, frozen=True):
    """A response that arrived in one piece; another one with the same head and size is read without parsing."""

    head: bytes
    size: int
    """Number of bytes, head and body."""
    status: int
    headers: Headers

    def __repr__(self) -> str:
        return f"_RememberedResponse({self.size} bytes)"


class ResponseParser:
    """
    Parses the answers of one connection.

    An interim answer (1xx) is dropped. Bytes after an answer, before the next request, make the connection unusable:
    they must not be taken for the answer to the next request.
    """

    def __init__(self) -> None:
        self.is_whole = True
        """Whether the answer is complete, or no answer is expected."""
        self.is_last = False
        """Whether the connection cannot be used for another request."""
        self.status = 0
        self.headers: Headers = ()
        self.size = 0
        """Size of the decompressed body in bytes."""
        self._pieces: list[bytes | bytearray] = []
        self._is_begun = False
        """Whether a part of the answer has arrived."""
        self._between = 0
        """Number of bytes since the body last grew."""
        self._known = _RememberedResponse(b"", 0, 0, ())
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True)

    def expect(self, limit: int, take: Callable[[bytes], object] | None = None) -> None:
        """Prepare for an answer, whose body is stored up to a limit of bytes, or passed to `take` piece by piece."""
        self.is_whole = self._has_head = self._is_begun = False
        self._limit = limit
        self._take = take
        self._between = 0

    def take_response(self) -> Response:
        """Return the answer with its body, and release it."""
        pieces, self._pieces = self._pieces, []
        return Response(status=self.status, headers=self.headers, body=b"".join(pieces))

    def feed(self, data: bytes) -> None:
        """
        Parse the next bytes.

        Raises:
            ResponseError: The bytes are not HTTP.
            BodyRejected: The body is too large, cannot be decompressed, or `take` has raised an error.
        """
        is_first, known = not self._is_begun, self._known
        self._is_begun = True
        if is_first and len(data) == known.size <= self._limit and self._take is None and data.startswith(known.head):
            begin = len(known.head)
            self._pieces = [data[begin:]]
            self.status, self.headers, self.size = known.status, known.headers, known.size - begin
            self.is_whole = True
            return
        if not self.is_whole:
            if self._between > LONGEST_HEAD:
                raise ResponseError
            self._between += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            raise BodyRejected(error.__context__ or ResponseError()) from None
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.is_last = True
            if not self.is_whole:
                raise ResponseError from None
        if self._take is not None and self._pieces:
            try:
                self._pass_on()
            except Exception as error:
                raise BodyRejected(error) from error
        if is_first and self.is_whole and not self.is_last and self._unpacker is None:
            self._learn(data)

    def _learn(self, answer: bytes) -> None:
        """Remember the head of this answer, if only a body follows it."""
        head, end, body = answer.partition(b"\r\n\r\n")
        if len(body) == self.size:
            self._known = _RememberedResponse(head + end, len(answer), self.status, self.headers)

    def end(self) -> bool:
        """Handle the end of the connection, and return whether the answer is complete."""
        if not self.is_whole and self._has_head and self._ends_with_connection():
            self.on_message_complete()
        self.is_last = True
        return self.is_whole

    def _ends_with_connection(self) -> bool:
        framing = {name.lower(): value.lower() for name, value in self.headers}
        coding = framing.get("transfer-encoding")
        return "content-length" not in framing if coding is None else not coding.endswith("chunked")

    # -- what the parser calls ---------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Start an answer, or record an unrequested one."""
        if self.is_whole:
            self.is_last = True
            return
        self.size = 0
        self._pairs: list[tuple[str, str]] = []
        self._pieces = []
        self._unpacker: _Unpacker | None = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header; one after the body is ignored."""
        if self._has_head:
            return
        self._pairs.append((str(name, *_TEXT), str(value, *_TEXT)))
        if len(name) == len(_CODING) and name.lower() == _CODING:
            self._unpacker = _Unpacker.of(value.strip().lower())

    def on_headers_complete(self) -> None:
        """Decide how the body is read."""
        if self.is_whole:
            return
        status = self._parser.get_status_code()
        if status < 200:
            return
        self._has_head = True
        self.status = status
        self.is_last = not self._parser.should_keep_alive()
        self.headers = tuple(self._pairs)

    def on_body(self, piece: bytes) -> None:
        """Handle a piece of the body."""
        if self.is_whole:
            return
        if self._unpacker is None:
            self._put(piece)
        else:
            for part in self._unpacker.unpack(piece):
                self._put(part)

    def _put(self, piece: bytes) -> None:
        if not piece:
            return
        self.size += len(piece)
        self._between = 0
        if self._take is None and self.size > self._limit:
            raise BodyTooLong
        if not self._pieces or len(piece) >= _SMALL:
            self._pieces.append(piece)
        elif isinstance(last := self._pieces[-1], bytearray):
            last += piece
        else:
            self._pieces.append(bytearray(piece))
        if self._take is not None and len(piece) >= _SMALL:
            self._pass_on()

    def _pass_on(self) -> None:
        """Pass on the collected pieces of a body that is not stored."""
        pieces, self._pieces = self._pieces, []
        assert self._take is not None  # noqa: S101 - for the type checker: who calls has looked
        for piece in pieces:
            self._take(bytes(piece))

    def on_message_complete(self) -> None:
        """Record that the answer is complete."""
        if self._has_head:
            if self._unpacker is not None and not self._unpacker.is_whole and not self.is_whole:
                raise ResponseError
            self.is_whole = True
            if self._take is not None:
                self._pass_on()
            self._take = None  # an idle connection refers to no caller


class _Unpacker:
    """Decompresses a body of gzip or deflate, in pieces of a bounded size."""

    def __init__(self, *, may_be_raw: bool) -> None:
        self._may_be_raw = may_be_raw
        self._decoder: zlib._Decompress | None = None

    @classmethod
    def of(cls, coding: bytes) -> _Unpacker | None:
        """Return the decompressor for a coding; None for data that is not compressed, whatever its label."""
        is_ours = coding in {b"gzip", b"x-gzip", b"deflate"}
        return cls(may_be_raw=coding == b"deflate") if is_ours else None

    @property
    def is_whole(self) -> bool:
        """Whether the compressed data is complete."""
        return self._decoder is None or self._decoder.eof

    def unpack(self, piece: bytes) -> Iterator[bytes]:
        """Return the decoded piece."""
        while piece:
            if self._decoder is None or self._decoder.eof:
                self._decoder = self._begun(piece[0])
            decoder, part = self._decoder, b"more"
            try:
                while part and not decoder.eof:
                    part = decoder.decompress(piece, _UNPACKED)
                    piece = decoder.unconsumed_tail
                    yield part
            except zlib.error:
                raise ResponseError from None
            piece = decoder.unused_data

    def _begun(self, first: int) -> zlib._Decompress:
        # By the standard `deflate` has a head, whose first half byte is 8; some servers leave it away.
        is_raw = self._may_be_raw and first & 0x0F != zlib.DEFLATED
        return zlib.decompressobj(-zlib.MAX_WBITS if is_raw else 32 + zlib.MAX_WBITS)
