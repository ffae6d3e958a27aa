"""MCP over stdin and stdout: one JSON message on each line, and nothing else on stdout."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from mcp.server.stdio import stdio_server

from webwx.gateway.adapters.mcp.server import make_server
from webwx.gateway.adapters.mcp.subscriptions import AgentSubscriptions

if TYPE_CHECKING:
    from anyio import AsyncFile

    from webwx.gateway.adapters.mcp.agent import Agent


async def serve_stdio(
    agent: Agent, stdin: BinaryIO, stdout: BinaryIO, *, state_seal: bytes | None = None
) -> None:  # fmt: skip
    """
    Serve one client until it closes its side; then sends in progress are finished, and waiting tools end.

    Args:
        agent: The agent.
        stdin: The messages of the client.
        stdout: Where the answers are written; nothing else may write there.
        state_seal: Key that seals the states of questions to the client; None: it asks none.
    """
    subscriptions = AgentSubscriptions(agent)
    server = make_server(lambda _: agent, connection=subscriptions, state_seal=state_seal)
    streams = cast("AsyncFile[str]", _Lines(stdin)), cast("AsyncFile[str]", _Answers(stdout))
    try:
        async with stdio_server(*streams) as (messages, answers):
            await server.run(messages, answers, server.create_initialization_options())
    finally:
        await subscriptions.close()
        await agent.close()


class _Lines:
    """
    Lines that a thread reads, which does not keep the process from ending.

    Args:
        stdin: Where it reads.
    """

    def __init__(self, stdin: BinaryIO) -> None:
        self._stdin = stdin
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, daemon=True, name="webwx-mcp-stdin").start()

    def _read(self) -> None:
        line = b"\n"
        while line:
            try:
                line = self._stdin.readline()
            except (OSError, ValueError):  # it was closed
                line = b""
            try:
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
            except RuntimeError:  # the loop has ended
                return

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> str:
        line = await self._lines.get()
        if not line:
            raise StopAsyncIteration
        return line.decode(errors="replace")


class _Answers:
    """
    Writes lines.

    Args:
        stdout: Where they are written.
    """

    def __init__(self, stdout: BinaryIO) -> None:
        self._stdout = stdout

    async def write(self, line: str) -> Any:
        """Write one line; a thread does it, because a slow client blocks it."""
        await asyncio.to_thread(self._write, line.encode())

    def _write(self, line: bytes) -> None:
        self._stdout.write(line)
        self._stdout.flush()

    async def flush(self) -> None:
        """Do nothing: each line is flushed."""
