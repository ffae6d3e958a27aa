"""
Client programs of a gateway: senders, readers of server-sent events, an agent over MCP, and a receiver of webhooks.

They run in a process of their own, on the core of the reference server, and cost as little as they can:

    python -m benchmarks.gateway_clients send|read|wait|receive '{"port": 8791, ...}'

Each prints a line of JSON when it is ready, where others wait for that, and one with its figures in the end.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from typing import Any

from benchmarks.machine import allow_connections, use_core

_END_OF_HEAD = b"\r\n\r\n"


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


class _Sender:
    """A connection that sends texts, one after another."""

    def __init__(self, port: int, key: str, account: str) -> None:
        self._line = socket.create_connection(("127.0.0.1", port))
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        path, kind = (f"accounts/{account}/messages", "application/json") if account else ("notify", "text/plain")
        self._is_json = bool(account)
        self._head = (
            f"POST /api/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: {kind}\r\n"
        )

    def send(self, number: int) -> None:
        body = f"message {number}"
        if self._is_json:
            body = json.dumps({"to": "filehelper", "text": body})
        more = f"Idempotency-Key: key-{number}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._line.sendall(f"{self._head}{more}{body}".encode())

    def receive(self) -> None:
        data = b""
        while _END_OF_HEAD not in data:
            data += self._read()
        head, _, rest = data.partition(_END_OF_HEAD)
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(rest) < length:
            rest += self._read()
        if not head.startswith(b"HTTP/1.1 201"):
            raise AssertionError(f"The gateway has answered {head[:20]!r}: {rest[:200]!r}.")

    def _read(self) -> bytes:
        data = self._line.recv(65536)
        if not data:
            raise ConnectionResetError("The gateway has closed the connection.")
        return data


def send(*, port: int, key: str, account: str, count: int, in_flight: int, warm: int) -> None:
    """
    Send texts, several at the same time; print begin and end of each turn, and the seconds of all.

    With an account they are JSON for its route of messages, otherwise plain texts for `notify`.
    """
    senders = [_Sender(port, key, account) for _ in range(in_flight)]
    latencies: list[tuple[float, float]] = []

    def turns(begin: int, end: int) -> None:
        for number in range(begin, end, in_flight):
            begun = time.monotonic()
            for at, sender in enumerate(senders):
                sender.send(number + at)
            for sender in senders:
                sender.receive()
            latencies.append((begun, time.monotonic()))

    turns(0, warm)
    latencies.clear()
    _say({"warm": True})
    sys.stdin.readline()
    begun = time.perf_counter()
    turns(warm, warm + count)
    _say({"seconds": time.perf_counter() - begun, "latencies": latencies})


async def read(*, port: int, key: str, readers: int, texts: int) -> None:
    """Read streams; print when each text has reached each reader, by the machine's monotonic clock."""
    arrived: list[list[float]] = [[] for _ in range(readers)]

    async def follow(at: int, opened: asyncio.Barrier) -> None:
        stream, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"GET /api/v1/events/stream?types=message.text HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        writer.write(f"{head}Authorization: Bearer {key}\r\n\r\n".encode())
        await stream.readuntil(b": connected")
        await opened.wait()
        while len(arrived[at]) < texts:
            line = await stream.readline()
            if line.startswith(b"data:"):
                arrived[at].append(time.monotonic())
        writer.close()

    opened = asyncio.Barrier(readers + 1)
    tasks = [asyncio.create_task(follow(at, opened)) for at in range(readers)]
    await opened.wait()
    _say({"open": readers})
    if texts:
        await asyncio.gather(*tasks)
        _say({"arrived": arrived})
    else:
        await asyncio.to_thread(sys.stdin.read)


async def wait(*, port: int, token: str, texts: int) -> None:
    """Wait for texts as an agent, one call after another; print when each has arrived, by the monotonic clock."""
    stream, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        "Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n"
        "MCP-Protocol-Version: 2025-11-25\r\n"
    )

    async def result(tool: str, **arguments: Any) -> Any:
        params = {"name": tool, "arguments": arguments}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = await stream.readuntil(_END_OF_HEAD)
        length = int(answer.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        return json.loads(await stream.readexactly(length))["result"]["structuredContent"]

    found = await result("wait_for_message", timeout_s=0)
    _say({"open": 1})
    arrived: list[float] = []
    while len(arrived) < texts:
        found = await result("wait_for_message", timeout_s=50, after=found["position"])
        arrived += [time.monotonic()] * len(found["messages"])
    writer.close()
    _say({"arrived": arrived})


class _Receiver(asyncio.Protocol):
    """Answers every request with 200, and counts the requests."""

    left = 0

    def __init__(self, done: asyncio.Event) -> None:
        self._done = done
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while (end := self._heard.find(_END_OF_HEAD)) >= 0:
            length = int(self._heard[:end].lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(self._heard) < end + 4 + length:
                return
            self._heard = self._heard[end + 4 + length :]
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            _Receiver.left -= 1
            if not _Receiver.left:
                self._done.set()


async def receive(*, requests: int) -> None:
    """Receive webhooks; print the port, and when the last request has come, by the machine's monotonic clock."""
    done = asyncio.Event()
    _Receiver.left = requests
    server = await asyncio.get_running_loop().create_server(lambda: _Receiver(done), "127.0.0.1", 0)
    _say({"port": server.sockets[0].getsockname()[1]})
    await done.wait()
    _say({"at": time.monotonic()})
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Run one of the programs."""
    use_core(0)
    allow_connections()
    what, given = sys.argv[1], json.loads(sys.argv[2])
    runs: dict[str, Any] = {"read": read, "wait": wait, "receive": receive}
    if what == "send":
        send(**given)
    else:
        asyncio.run(runs[what](**given))


if __name__ == "__main__":
    main()
