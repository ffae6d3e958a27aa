"""G-S7: strangers who abuse the gateway's port do not keep it from answering, and cost it little."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx
from tests.soak.stage import Figures

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.soak.stage import Run

WEBWX = Path(sys.executable).with_name("webwx")

CONNECTIONS = 300
"""Open connections that the gateway allows."""

MEMORY = 120 * 1024
"""KiB that the abuse may add to the gateway's memory while it lasts."""

DESCRIPTORS = CONNECTIONS + 100
"""Open files that the gateway may have."""

PATIENCE = 60.0
"""Seconds within which a caller with a key has its answer, with repetitions after 503 and closed connections."""

CONFIG = f"[limits]\nrequests_per_minute = 0\npatience = 2\nconnections = {CONNECTIONS}\n"

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"

POST = b"POST /api/v1/console/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

NOTIFY = b"POST /api/v1/notify HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n"

SOCKET = (
    b"GET /api/v1/events/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class Line:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        """Write pieces, with a pause behind each."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            if pause:
                await asyncio.sleep(pause)

    async def read_all(self) -> None:
        """Read until the gateway closes the connection."""
        while await self.reader.read(65_536):
            pass


async def slow_header(line: Line, rng: random.Random, key: bytes) -> None:
    """Send a header byte by byte."""
    del key
    await line.send(*(bytes([each]) for each in GET * 20), pause=rng.uniform(0.05, 0.3))


async def slow_body(line: Line, rng: random.Random, key: bytes) -> None:
    """Send a body byte by byte."""
    del key
    await line.send(POST + b"Content-Length: 100000\r\n\r\n")
    await line.send(*[b" "] * 1000, pause=rng.uniform(0.05, 0.3))


async def body_of_a_refused_request(line: Line, rng: random.Random, key: bytes) -> None:
    """Go on with the body of a request that was answered at once."""
    del rng, key
    await line.send(NOTIFY + b"Content-Length: 1000000000000\r\n\r\n")
    await line.send(*[b"x" * 1000] * 1000, pause=0.05)


async def silence(line: Line, rng: random.Random, key: bytes) -> None:
    """Say nothing."""
    del rng, key
    await line.read_all()


async def large_header(line: Line, rng: random.Random, key: bytes) -> None:
    """Send one header of 13 MB."""
    del key
    name = rng.choice([b"Host", b"Cookie", b"X-A", b"Authorization"])
    await line.send(GET + name + b": ", *[b"a" * 65_536] * 200)


async def many_headers(line: Line, rng: random.Random, key: bytes) -> None:
    """Send 100,000 headers."""
    del key
    await line.send(GET, *[b"X-%d: 1\r\n" % rng.randrange(10**9)] * 100_000)


async def large_body(line: Line, rng: random.Random, key: bytes) -> None:
    """Send a body larger than any limit."""
    del key
    start = rng.choice([POST, NOTIFY, POST.replace(b"application/json", b"multipart/form-data; boundary=x")])
    await line.send(start + b"Content-Length: 1000000000000\r\n\r\n", *[b"x" * 65_536] * 200)


async def endless_chunks(line: Line, rng: random.Random, key: bytes) -> None:
    """Send a body in chunks that are tiny, or whose lengths are absurd."""
    del key
    chunk = rng.choice([b"1\r\na\r\n", b"1;" + b"a" * 60_000 + b"\r\na\r\n", b"ffffffffffffffff\r\n" + b"a" * 60_000])
    await line.send(POST + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 2000)


async def endless_trailers(line: Line, rng: random.Random, key: bytes) -> None:
    """Send trailers behind a body."""
    del key
    trailer = rng.choice([b"X-A: " + b"a" * 1000 + b"\r\n", b"a" * 65_536])
    await line.send(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", *[trailer] * 2000)


async def pipelined(line: Line, rng: random.Random, key: bytes) -> None:
    """Send thousands of requests at once, and read some of the answers."""
    del key
    await line.send(*[(GET + b"\r\n") * rng.randrange(1, 500)] * 5)
    await line.reader.read(rng.randrange(100_000))


async def unread_answers(line: Line, rng: random.Random, key: bytes) -> None:
    """Send requests with large answers, and read nothing."""
    del rng, key
    await line.send(*[GET.replace(b"/healthz", b"/openapi.json") + b"\r\n"] * 500)


async def nonsense(line: Line, rng: random.Random, key: bytes) -> None:
    """Send a damaged request, or random bytes."""
    del key
    request = bytearray(rng.choice([GET, POST, SOCKET]) + b"Content-Length: 5\r\n\r\nhello")
    for _ in range(rng.randrange(1, 20)):
        request[rng.randrange(len(request))] = rng.randrange(256)
    await line.send(rng.randbytes(rng.randrange(1000)) if rng.random() < 0.3 else bytes(request))
    await line.reader.read(1000)


async def contradictory_lengths(line: Line, rng: random.Random, key: bytes) -> None:
    """Send a request whose end is ambiguous."""
    del key
    lengths = [
        b"Content-Length: 5\r\n",
        b"Content-Length: 6\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: chunked\r\n",
    ]
    await line.send(POST + b"".join(rng.sample(lengths, 2)) + b"\r\n5\r\nhello\r\n0\r\n\r\n")
    await line.reader.read(1000)


async def wrong_keys(line: Line, rng: random.Random, key: bytes) -> None:
    """Guess a key."""
    del key
    guess = b"Authorization: Bearer wxk_%08d_%043d\r\n\r\n" % (rng.randrange(10**8), rng.randrange(10**40))
    await line.send(GET.replace(b"/healthz", b"/api/v1/accounts") + guess)
    await line.reader.read(1000)


async def socket_without_a_key(line: Line, rng: random.Random, key: bytes) -> None:
    """Ask for a WebSocket without a key."""
    del rng, key
    await line.send(SOCKET + b"\r\n")
    await line.read_all()


async def silent_socket(line: Line, rng: random.Random, key: bytes) -> None:
    """Open a WebSocket, and send no message."""
    del rng
    await line.send(SOCKET + b"Authorization: Bearer " + key + b"\r\n\r\n")
    await line.read_all()


async def half_open_socket(line: Line, rng: random.Random, key: bytes) -> None:
    """Open a WebSocket, send nothing or half a frame, and vanish."""
    await line.send(SOCKET + b"Authorization: Bearer " + key + b"\r\n\r\n")
    frames = [b"", b"\x81", b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff", b"\x81\x85abcd", b"\xff" * 50]
    await line.send(rng.choice(frames))
    await asyncio.sleep(rng.uniform(0, 3))


async def upgrade_of_a_post(line: Line, rng: random.Random, key: bytes) -> None:
    """Ask for a WebSocket with a request that cannot become one, and wait."""
    del key
    head = rng.choice([NOTIFY, POST, GET.replace(b"1.1", b"1.0"), GET + b"X-A: 1\r\n" * 200])
    await line.send(head + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n")
    await line.read_all()


async def empty_lines(line: Line, rng: random.Random, key: bytes) -> None:
    """Send an empty line after an answer, and wait."""
    del rng, key
    await line.send(GET + b"\r\n")
    await line.reader.readuntil(b"ok")
    await line.send(b"\r\n")
    await line.read_all()


ATTACKS: dict[str, Callable[[Line, random.Random, bytes], Awaitable[None]]] = {
    attack.__name__.replace("_", " "): attack
    for attack in (
        slow_header, slow_body, body_of_a_refused_request, silence, large_header, many_headers, large_body,
        endless_chunks, endless_trailers, pipelined, unread_answers, nonsense, contradictory_lengths, wrong_keys,
        socket_without_a_key, silent_socket, half_open_socket, upgrade_of_a_post, empty_lines,
    )
}  # fmt: skip

ATTACKERS = 8
"""Connections of each attack at the same time."""


class Gateway(NamedTuple):
    """A gateway in a process of its own, with an account that is logged in."""

    pid: int
    port: int
    key: str

    def memory(self) -> int:
        """Return the KiB of memory that the process uses."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))

    def descriptors(self) -> int:
        """Return the number of open files of the process."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


class Meter:
    """The highest use of memory and open files, and how soon callers with a key are answered."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.memory = 0
        self.descriptors = 0
        self.slowest = 0.0
        """Seconds until the slowest answer."""
        self.answers = 0
        self.refused = 0
        """Attempts that had to be repeated."""

    async def watch(self) -> None:
        """Measure until the task is cancelled."""
        while True:
            self.memory = max(self.memory, self._gateway.memory())
            self.descriptors = max(self.descriptors, self._gateway.descriptors())
            await asyncio.sleep(0.2)

    async def call(self) -> None:
        """Send messages like any program, until the task is cancelled."""
        headers = {"Authorization": f"Bearer {self._gateway.key}"}
        while True:
            begun = time.monotonic()
            while not await self._is_sent(headers | {"Idempotency-Key": f"message {self.answers}"}):
                self.refused += 1
                await asyncio.sleep(0.2)
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.answers += 1
            await asyncio.sleep(0.2)

    async def _is_sent(self, headers: dict[str, str]) -> bool:
        with contextlib.suppress(httpx.TransportError):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._gateway.port}", timeout=PATIENCE) as client:
                answer = await client.post("/api/v1/notify", content="all is well", headers=headers)
                return answer.status_code == 201
        return False


@contextlib.asynccontextmanager
async def started(*arguments: str, environment: dict[str, str]) -> AsyncIterator[tuple[int, dict[str, str]]]:
    """Start a command that runs until it is stopped; yield its process id and its first line."""
    process = await asyncio.create_subprocess_exec(
        WEBWX, *arguments, "--port", "0", "--json", env=environment, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.pid, json.loads(await process.stdout.readline())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def run_command(*arguments: str, environment: dict[str, str]) -> bytes:
    """Run a command, and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        WEBWX, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    return output


@contextlib.asynccontextmanager
async def gateway_in(folder: Path) -> AsyncIterator[Gateway]:
    """Start a sandbox and a gateway, and log an account in."""
    environment = {**os.environ, "WEBWX_HOME": str(folder)}
    (folder / "gateway.toml").write_text(CONFIG)
    create = ("serve", "key", "create", "--name", "test", "--scopes", "send,read", "--json")
    async with started("sandbox", "--auto-confirm", environment=environment) as (_, sandbox):
        environment["WEBWX_SERVER"] = sandbox["url"]
        await run_command("login", environment=environment)
        key = json.loads(await run_command(*create, environment=environment))["key"]
        async with started("serve", environment=environment) as (pid, gateway):
            yield Gateway(pid, int(gateway["url"].rpartition(":")[2]), key)


async def run(run: Run) -> Figures:
    """Abuse a gateway in every way at once, while a program sends messages through it."""
    async with gateway_in(run.folder) as gateway:
        meter = Meter(gateway)
        calling = asyncio.ensure_future(meter.call())
        await asyncio.sleep(2)
        memory, descriptors = gateway.memory(), gateway.descriptors()
        watching = asyncio.ensure_future(meter.watch())
        counts = await _abuse(gateway, run)
        await asyncio.sleep(5)  # longer than the gateway's patience
        rest, open_files = gateway.memory() - memory, gateway.descriptors()
        watching.cancel()
        answers = meter.answers
        calling.cancel()
        async with httpx.AsyncClient() as client:
            is_alive = (await client.get(f"http://127.0.0.1:{gateway.port}/healthz")).status_code == 200
    problems = [f"the attack {name!r} was never carried out" for name in ATTACKS if not counts[name]]
    if not is_alive:
        problems.append("it does not answer afterwards")
    if meter.slowest > PATIENCE or not answers:
        problems.append(f"{answers} messages were sent, one of them after {meter.slowest:.1f} s")
    if meter.memory - memory > MEMORY:
        problems.append(f"its memory grew by {(meter.memory - memory) // 1024} MiB")
    if meter.descriptors > DESCRIPTORS or open_files > descriptors + 10:
        problems.append(f"it had {meter.descriptors} open files, and {open_files} afterwards; {descriptors} before")
    return Figures(
        f"{sum(counts.values()):,} abusive connections of {len(ATTACKS)} kinds and a crowd: {answers} messages sent, "
        f"the slowest after {meter.slowest:.1f} s ({meter.refused} attempts repeated); at most "
        f"{(meter.memory - memory) / 1024:.0f} MiB more memory, {rest / 1024:.0f} MiB afterwards, and "
        f"{meter.descriptors} open files",
        tuple(problems),
    )


async def _abuse(gateway: Gateway, run: Run) -> Counter[str]:
    """Carry out all attacks for a while, and return how often each one was."""
    counts: Counter[str] = Counter()
    end = time.monotonic() + run.scaled(20, 600)

    async def attack(name: str, number: int) -> None:
        rng = random.Random(f"{run.seed}/{name}/{number}")
        while time.monotonic() < end:
            with contextlib.suppress(OSError, TimeoutError, EOFError):  # the gateway may close it at any time
                async with asyncio.timeout(8):
                    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                    try:
                        await ATTACKS[name](Line(reader, writer), rng, gateway.key.encode())
                    finally:
                        writer.transport.abort()
            counts[name] += 1
            await asyncio.sleep(rng.uniform(0, 0.1))

    async def crowd() -> None:
        """Now and then, open more connections than are allowed."""
        while time.monotonic() < end:
            opened: list[asyncio.StreamWriter] = []  # one that is not referenced closes its connection
            for _ in range(CONNECTIONS + 200):
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                    opened.append(writer)
                    counts["crowd"] += 1
            await asyncio.sleep(1)  # the gateway has accepted or refused all of them
            for writer in opened:
                writer.transport.abort()
            await asyncio.sleep(3)

    await asyncio.gather(crowd(), *(attack(name, number) for name in ATTACKS for number in range(ATTACKERS)))
    return counts
