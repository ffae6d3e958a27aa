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
from types import coroutine
from typing import TYPE_CHECKING, Protocol, cast

from webwx.transport.response_parser import NotTaken, ResponseError, ResponseParser

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Sequence
    from contextvars import Context
    from typing import Any

BUFFER = 64 * 1024
"""Bytes that are read at once, at most."""

_RECORD = 16 * 1024
"""
Bytes of the largest TLS record. OpenSSL reads one at a time and returns all of it if the buffer is as large, so no data
stays back that the loop would not see. A full record is usually followed by another.
"""

_READS = 16
"""Times that one connection is read before others get their turn."""

_LATER = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)


class ByteStream(Protocol):
    """Where a connection's bytes come from and go to; both raise what a socket that does not block raises."""

    def read(self, size: int, /) -> bytes:
        """Return the bytes that have arrived, up to a size; none at the end."""
        ...

    def write(self, data: bytes | memoryview, /) -> int:
        """Take bytes, and say how many were taken."""
        ...


class _Plain:
    """A socket without TLS."""

    def __init__(self, line: socket.socket) -> None:
        self.read, self.write = line.recv, line.send


class Connection:
    """
    A connection to one site, awaited by the one task that has asked.

    This class needs only what Python documents; `CPythonConnection` is quicker.

    Args:
        line: A connected socket that does not block.
        on_end: Called once when the connection is closed.
    """

    def __init__(self, line: socket.socket, on_end: Callable[[Connection], object]) -> None:
        self.deadline = 0.0
        """When it ends: the answer must be there, or the next request."""
        self.idle_since = 0.0
        """When the last answer was whole."""
        self.loop = asyncio.get_running_loop()
        """Where it is read."""
        self._line: socket.socket | None = line
        self._stream = self._stream_of(line)
        self._on_end = on_end
        self._answers = ResponseParser()
        self._left: list[bytes | memoryview] = []
        """What is still to be written."""
        self._is_asked = False
        """A task waits for an answer."""
        self._waiter: asyncio.Future[None] | None = None
        """What the task waits for."""
        self._failure: BaseException | None = None
        """Error to raise instead of an answer."""
        self._is_writing = False
        """Waiter for writability."""
        self.loop.add_reader(line, self._read)

    def is_usable(self) -> bool:
        """Return whether a request may be written to it."""
        return self._line is not None and not self._left and not self._answers.is_last

    async def ask(
        self, request: Sequence[bytes | memoryview], limit: int, take: Callable[[bytes], object] | None = None
    ) -> ResponseParser:
        """
        Write a request, and wait for its answer.

        Args:
            request: The buffers of the request.
            limit: Maximum bytes of an answer's body.
            take: Receives that body piece by piece, instead.

        Raises:
            TimeoutError: The deadline has passed.
            OSError: The connection ended before the answer was complete.
            NoAnswer: The answer is not HTTP.
            TooLarge: The body is larger than the limit.
        """
        self._begin(request, limit, take)
        self._waiter = self.loop.create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            self._is_asked = False
            self.close()
            raise
        return self._answers

    def _begin(self, request: Sequence[bytes | memoryview], limit: int, take: Callable[[bytes], object] | None) -> None:
        """Write a request, and expect its answer."""
        self._left += request
        self._write()
        # The rest is done while the request is on its way.
        self._answers.expect(limit, take)
        self._is_asked = True

    def check(self) -> bool:
        """Check whether it is still usable, even if the loop has not polled since."""
        self._read()
        return self.is_usable()

    def expire(self) -> None:
        """Record that the deadline has passed."""
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
        """Wake the task if it waits."""
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if self._failure is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(self._failure)

    @staticmethod
    def _stream_of(line: socket.socket) -> ByteStream:
        """Return what a socket is read and written by."""
        return cast("ByteStream", line) if isinstance(line, ssl.SSLSocket) else _Plain(line)

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
        except NotTaken as refusal:
            self._fail(refusal.reason)
        except (OSError, ResponseError) as error:
            self._fail(error)
        if is_asked and answers.is_whole:
            self._wake()


class CPythonConnection(Connection):
    """
    A connection that is itself the future its task waits for, and reads OpenSSL's own object.

    A future of asyncio's would be one more object for each request, and wakes its task a turn of the loop later, which
    costs as much as the reading of an answer. Python's socket around TLS makes seven more calls for each request.

    Both need a private name of CPython: `Future._asyncio_future_blocking`, by which a task knows what it may wait for,
    and `SSLSocket._sslobj`. Where a Python lacks the first, `fastest` returns `Connection`; where a socket lacks the
    second, the socket itself is used.
    """

    def __init__(self, line: socket.socket, on_end: Callable[[Connection], object]) -> None:
        super().__init__(line, on_end)
        self._then: tuple[Callable[[Any], object], Context] | None = None
        """Has the task go on."""
        self._asyncio_future_blocking = False

    @coroutine
    def ask(
        self, request: Sequence[bytes | memoryview], limit: int, take: Callable[[bytes], object] | None = None
    ) -> Generator[Connection, None, ResponseParser]:
        """Write a request, and wait for its answer; as `Connection.ask`."""
        self._begin(request, limit, take)
        self._asyncio_future_blocking = True
        yield self
        return self._answers

    def _wake(self) -> None:
        """Have the task go on if it waits; no other may be running."""
        then, self._then = self._then, None
        if then is not None:
            fn, context = then
            context.run(fn, self)

    @staticmethod
    def _stream_of(line: socket.socket) -> ByteStream:
        """Return OpenSSL's own object, where there is one."""
        return getattr(line, "_sslobj", None) or Connection._stream_of(line)

    # -- what a task asks --------------------------------------------------------------------------------------------

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop that reads it."""
        return self.loop

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context) -> None:
        """Record the waiting task."""
        self._then = (fn, context)

    def result(self) -> None:
        """Raise the error for the task, if there is one."""
        if self._failure is not None:
            raise self._failure

    def cancel(self, msg: object = None) -> bool:
        """Forget the waiting task."""
        is_news = self._is_asked
        self._fail(asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg))
        return is_news


def fastest() -> type[Connection]:
    """Return the quickest class of connection that this Python has what it needs for."""
    return CPythonConnection if hasattr(asyncio.Future, "_asyncio_future_blocking") else Connection
