"""
One connection: a socket that the event loop watches, with one request and one answer at a time.

The socket, and TLS on it, are driven here and not by an asyncio transport, which would keep 256 KiB of buffers for each
connection with TLS and take twice the time for a request. A small request leaves in one write. A large body is never
copied: its buffers are written as they are.

The reader stays registered for the connection's whole life: bytes or an end that arrive without a pending request make
the connection unusable.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Protocol, cast

from webwx.transport.prompt_future import PromptFuture
from webwx.transport.response_parser import BodyRejected, ResponseError, ResponseParser

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

BUFFER = 64 * 1024
"""Maximum number of bytes of one read."""

_RECORD = 16 * 1024
"""
Size in bytes of the largest TLS record. OpenSSL reads one record at a time; with a buffer of this size it returns the
complete record, so that no decrypted data stays in OpenSSL, where the loop cannot see it. A full record is usually
followed by another.
"""

_READS = 16
"""Maximum number of reads of one connection before others are read."""

_LATER = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)


class ByteStream(Protocol):
    """The bytes of a connection; both methods raise what a non-blocking socket raises."""

    def read(self, size: int, /) -> bytes:
        """Return the bytes that have arrived, up to a size; none at the end of the stream."""
        ...

    def write(self, data: bytes | memoryview, /) -> int:
        """Write bytes, and return how many were written."""
        ...


class _Plain:
    """A socket without TLS."""

    def __init__(self, line: socket.socket) -> None:
        self.read, self.write = line.recv, line.send


class Connection:
    """
    A connection to one site, used by one task at a time.

    Args:
        line: A connected non-blocking socket.
        on_end: Called once when the connection is closed.
    """

    def __init__(self, line: socket.socket, on_end: Callable[[Connection], object]) -> None:
        self.deadline = 0.0
        """Time limit (event loop's clock) of the answer or, on an idle connection, of the next request."""
        self.idle_since = 0.0
        """Time of the last complete answer (event loop's clock)."""
        self.loop = asyncio.get_running_loop()
        """Event loop that reads it."""
        self._line: socket.socket | None = line
        self._stream: ByteStream = cast("ByteStream", line) if isinstance(line, ssl.SSLSocket) else _Plain(line)
        self._on_end = on_end
        self._answers = ResponseParser()
        self._left: list[bytes | memoryview] = []
        """Bytes that are not written yet."""
        self._is_asked = False
        """Whether a task waits for an answer."""
        self._waiter: PromptFuture[ResponseParser] | None = None
        """Future that the task waits for."""
        self._failure: BaseException | None = None
        """Error to raise instead of an answer."""
        self._is_writing = False
        """Whether the loop watches the socket for writability."""
        self.loop.add_reader(line, self._read)

    @property
    def is_asked(self) -> bool:
        """Whether a task waits for an answer."""
        return self._is_asked

    def is_usable(self) -> bool:
        """Return whether a request may be written to it."""
        return self._line is not None and not self._left and not self._answers.is_last

    def ask(
        self, request: Sequence[bytes | memoryview], limit: int, take: Callable[[bytes], object] | None = None
    ) -> PromptFuture[ResponseParser]:
        """
        Send a request, and return its answer as a future. A caller that does not wait for it closes the connection.

        Args:
            request: The buffers of the request.
            limit: Maximum size in bytes of an answer's body.
            take: Receives the body piece by piece; None to return it in the answer.

        Raises:
            TimeoutError: The deadline has passed.
            OSError: The connection ended before the answer was complete.
            ResponseError: The answer is not HTTP.
            BodyTooLong: The body is larger than the limit.
        """
        self._left += request
        self._write()
        # The rest is done while the request is on its way.
        self._answers.expect(limit, take)
        self._is_asked = True
        waiter: PromptFuture[ResponseParser] = PromptFuture(self.loop)
        self._waiter = waiter
        return waiter

    def check(self) -> bool:
        """Return whether the connection is still usable; also check for bytes that the loop has not seen yet."""
        self._read()
        return self.is_usable()

    def expire(self) -> None:
        """Fail because the deadline has passed."""
        self._fail(TimeoutError())

    def close(self) -> None:
        """Close it, even during a request."""
        line, self._line = self._line, None
        if line is None:
            return
        self.loop.remove_reader(line)
        self.loop.remove_writer(line)
        line.close()
        self._left.clear()
        self._on_end(self)
        self._fail(ConnectionAbortedError())

    def _fail(self, error: BaseException) -> None:
        """Fail the waiting task in the next iteration of the loop, because it may be the running one."""
        if self._is_asked:
            self._is_asked, self._failure = False, error
            self.loop.call_soon(self._wake)
        self.close()

    def _wake(self) -> None:
        """Wake the task if it waits; no task may be running."""
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if self._failure is None:
            waiter.set_result(self._answers)
        else:
            waiter.set_exception(self._failure)

    def _write(self) -> None:
        line, stream, left = self._line, self._stream, self._left
        if line is None:
            return
        try:
            while left:
                sent = stream.write(left[0])
                if sent < len(left[0]):
                    left[0] = memoryview(left[0])[sent:]
                else:
                    del left[0]
        except _LATER:
            if not self._is_writing:
                self._is_writing = True
                self.loop.add_writer(line, self._write)
            return
        except OSError:
            # A server that has heard enough may have answered before it hung up.
            left.clear()
            self._answers.is_last = True
            self.loop.call_soon(self._read)
        if self._is_writing:
            self._is_writing = False
            self.loop.remove_writer(line)

    def _read(self) -> None:
        line, stream, is_asked, answers = self._line, self._stream, self._is_asked, self._answers
        if line is None:
            return
        try:
            for _ in range(_READS):
                data = stream.read(BUFFER)
                if not is_asked:
                    self.close()
                    return
                if data:
                    answers.feed(data)
                elif not answers.end():
                    raise ConnectionResetError
                if answers.is_whole:
                    self._is_asked = False
                if len(data) < _RECORD:
                    break
        except _LATER:
            pass
        except BodyRejected as refusal:
            self._fail(refusal.reason)
        except (OSError, ResponseError) as error:
            self._fail(error)
        if is_asked and answers.is_whole:
            self._wake()
