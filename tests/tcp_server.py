"""A server of a test on a free port of this machine, which leaves no connection open at its end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine


@contextlib.asynccontextmanager
async def tcp_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]],
) -> AsyncIterator[int]:
    """
    Call `serve` for each connection, and yield the port on 127.0.0.1.

    At the end each connection is closed, also one whose request is not answered yet. `asyncio.start_server` leaves it
    to the end of the loop, which cancels its task and not its socket, so that a later test fails for the socket.
    """
    tasks, writers, is_over = set[asyncio.Task[None]](), list[asyncio.StreamWriter](), False

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if is_over:
            writer.transport.abort()
            return
        writers.append(writer)
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        is_over = True
        server.close()
        left = [*tasks]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        for writer in writers:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
