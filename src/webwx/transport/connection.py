"""
One connection: a socket that the event loop watches, with one request and one answer at a time.

The socket, and TLS on it, are driven here and not by an asyncio transport, which would keep 256 KiB of buffers for each
connection with TLS and take twice the time for a request. A small request leaves in one write. A large body is never
copied: its buffers are written as they are.

The reader stays with the loop for the connection's whole life: whatever comes while nobody waits for an answer, be it
bytes or the end, makes the connection unusable.
"""

from __future__ import annotations

import asyncio
import ssl
from contextvars import copy_context
from typing import TYPE_CHECKING

from webwx.transport.answer import Answers, NoAnswer, NotTaken

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from contextvars import Context
    from typing import Any

BUFFER = 64 * 1024
"""Bytes that are read at once, at most."""

_RECORD = 16 * 1024
"""
Bytes of the largest TLS record. OpenSSL reads one at a time, and gives all of it where the buffer is as large, so it
keeps nothing back that the loop would not see. A full one is mostly followed by another.
"""

_READS = 16
"""Times that one connection is read before others get their turn."""

_LATER = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)


class Answered(asyncio.Future["Answers"]):
    """
    Awaited by one task, which goes on as soon as it is woken.

    A plain future wakes its task a turn of the loop later, and a turn costs as much as the reading of an answer.
    """

    give_up: Callable[[], object]
    """Ends what is waited for."""
    _then: tuple[Callable[[Any], object], Context] | None = None

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        """Take note of the task that waits."""
        self._then = (fn, context or copy_context())

    def cancel(self, msg: object = None) -> bool:
        """Let the task end, a turn of the loop later; nobody waits for the answer any more."""
        is_news = super().cancel(msg)
        self.give_up()
        self.get_loop().call_soon(self.wake)
        return is_news

    def fail(self, error: BaseException) -> None:
        """Let the task fail, unless its answer has come: a turn of the loop later, for it may be itself that runs."""
        if not self.done():
            self.set_exception(error)
            self.get_loop().call_soon(self.wake)

    def wake(self) -> None:
        """Have the task go on if it waits; no other may be running."""
        then, self._then = self._then, None
        if then is not None:
            fn, context = then
            context.run(fn, self)


class Connection:
    """
    A connection to one site.

    Args:
        line: A connected socket that does not block.
        buffer: What is read into; it may be shared by all connections of a loop.
        on_end: Called once when the connection is closed.
    """

    def __init__(self, line: socket.socket, buffer: memoryview, on_end: Callable[[Connection], object]) -> None:
        self.deadline = 0.0
        """When it ends: the answer must be there, or the next request."""
        self.idle_since = 0.0
        """When the last answer was whole."""
        self.loop = asyncio.get_running_loop()
        """Where it is read."""
        self._line: socket.socket | None = line
        self._buffer = buffer
        self._on_end = on_end
        self._answers = Answers()
        self._left: list[bytes | memoryview] = []
        """What is still to be written."""
        self._waiting: Answered | None = None
        """Whoever waits for an answer."""
        self._is_writing = False
        """The loop tells when more can be written."""
        self.loop.add_reader(line, self._read)

    @property
    def is_usable(self) -> bool:
        """A request may be written to it."""
        return self._line is not None and not self._left and not self._answers.is_last

    def ask(
        self, request: Sequence[bytes | memoryview], limit: int, take: Callable[[bytes], object] | None = None
    ) -> Answered:
        """
        Write a request, and give its answer to the one who awaits it.

        Args:
            request: The buffers that make it up.
            limit: Bytes of an answer's body that are kept.
            take: Is given that body piece by piece, instead.

        Raises:
            TimeoutError: The deadline has passed.
            OSError: The connection ended before the answer was whole.
            NoAnswer: What came is no HTTP.
            TooLarge: The body is larger than the limit.
        """
        self._answers.expect(limit, take)
        self._waiting = waiting = Answered(loop=self.loop)
        waiting.give_up = self.close
        self._left += request
        self._write()
        return waiting

    def check(self) -> bool:
        """See whether it is still usable, though the loop may have had no time to tell."""
        self._read()
        return self.is_usable

    def expire(self) -> None:
        """Take note that the deadline has passed."""
        self._fail(TimeoutError())

    def close(self) -> None:
        """Let go of it, whatever is under way."""
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
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.fail(error)
        self.close()

    def _write(self) -> None:
        line, left = self._line, self._left
        if line is None:
            return
        try:
            while left:
                sent = line.send(left[0])
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
        line, waiting, answers = self._line, self._waiting, self._answers
        if line is None:
            return
        try:
            for _ in range(_READS):
                count = line.recv_into(self._buffer, BUFFER)
                if waiting is None:
                    self.close()
                    return
                if count:
                    answers.feed(self._buffer[:count])
                elif not answers.end():
                    raise ConnectionResetError
                if answers.is_whole and not waiting.done():
                    self._waiting = None
                    waiting.set_result(answers)
                if count < _RECORD:
                    break
        except _LATER:
            pass
        except NotTaken as refusal:
            self._fail(refusal.reason)
        except (OSError, NoAnswer) as error:
            self._fail(error)
        if waiting is not None and waiting.done():
            waiting.wake()
