"""
A fault proxy: it runs between two processes on this machine and injects faults into their traffic.

It parses only as much HTTP as it needs to find the end of a request and an answer, forwards traffic without faults
piece by piece, and applies the connection faults of the catalogue (`faults`) to the rest. A second port is the control
API, with the fault calls of the sandbox (`fault_routes`) and

    GET  /control/log                      {"seed", "requests", "counts": {fault: times}, "log": [entry]}
    POST /control/outage  {"seconds"}      {}

An entry is `{"request", "endpoint", "faults"}`; requests count from 1. An outage resets every connection and refuses
new ones for that time.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import msgspec

from webwx.protocol import find_endpoint
from webwx.protocol.http import Request, Response
from webwx.sandbox import control
from webwx.sandbox.connect_proxy import HEAD_SECONDS
from webwx.sandbox.connection_faults import AtConnect, AtRequest, End, Outage, Repeat, Seconds, play, raw_answer, reset
from webwx.sandbox.errors import Impossible
from webwx.sandbox.fault_routes import FAULT_ROUTES, NoParameters
from webwx.sandbox.faults import CONNECTION_FAULTS, FaultInjector, InjectedFault, of_kind, steps_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType
    from typing import Self

    from webwx.sandbox.control import Verbs
    from webwx.sandbox.faults import FaultRule

HERE = "127.0.0.1"

_LONGEST_HEAD = 64 * 1024
_WINDOW = 256 * 1024
_REQUEST_KINDS = tuple(kind for kind in CONNECTION_FAULTS if kind is not AtConnect)
_NO_TUNNELS = Response(
    status=501, body=b"This proxy speaks plain HTTP only: with TLS let the sandbox itself do the faults."
)

ConnectionHandler = Callable[["_ProxyConnection"], Coroutine[Any, Any, None]]
"""Function that handles an accepted connection."""

_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,15})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:[ \t]*chunked[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CLOSING = re.compile(rb"^connection:[ \t]*close[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_BODILESS = re.compile(rb"HTTP/1\.[01] (1\d\d|204|304)\b")


class FaultedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to which faults happened."""

    request: int
    """Number of the request."""
    endpoint: str
    """Name of the call, or `other`."""
    faults: tuple[str, ...]


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """Report of a proxy."""

    seed: int
    requests: int
    """Number of requests."""
    counts: dict[str, int]
    """Number of times that each fault has happened."""
    log: list[FaultedRequest]


class Duration(msgspec.Struct, frozen=True, kw_only=True):
    """A number of seconds."""

    seconds: Seconds


class FaultProxy:
    """
    A proxy on loopback, which listens while its context is open.

    Args:
        to: Origin of the server behind it.
        port: Port to listen on; 0 uses any free port.
        control_port: Port of the control API.
        seed: Seed of its rng; None uses a random one.

    Raises:
        ValueError: The server is on another machine.
    """

    def __init__(self, to: str, *, port: int = 0, control_port: int = 0, seed: int | None = None) -> None:
        target = urlsplit(to)
        if target.scheme != "http" or not control.is_loopback(to):
            raise ValueError(f"A fault proxy needs a server with plain HTTP on this machine; {to} is not one.")
        self.to = to
        """Origin of the server behind it."""
        self.faults = FaultInjector(CONNECTION_FAULTS, seed=seed)
        """The active faults; `set` is the short way to change them."""
        self.log: list[FaultedRequest] = []
        """Every request to which a fault happened."""
        self.requests = 0
        """Number of requests so far."""
        self.counts: Counter[str] = Counter()
        """Number of times that each fault has happened."""
        self._server = (target.hostname or HERE, target.port or 80)
        self._ports = (port, control_port)
        self._listening: asyncio.Server | None = None
        self._orders: asyncio.Server | None = None
        self._callers: set[_ProxyConnection] = set()
        self._reopening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        port, control_port = self._ports
        self._listening = await self._listen(port, self._serve_connection)
        try:
            self._orders = await self._listen(control_port, self._take_orders, is_for_clients=False)
        except OSError:
            self._listening.close()
            raise
        self._ports = tuple(each.sockets[0].getsockname()[1] for each in (self._listening, self._orders))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [caller.task for caller in self._callers]
        if self._reopening is not None:
            tasks.append(self._reopening)
        for listening in (self._listening, self._orders):
            if listening is not None:
                listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """Origin of the proxy, to be used instead of the server's."""
        return f"http://{HERE}:{self._ports[0]}"

    @property
    def control(self) -> str:
        """Address of its control API, such as `http://127.0.0.1:8792/control`."""
        return f"http://{HERE}:{self._ports[1]}{control.PREFIX}"

    def set(self, *rules: FaultRule | str) -> None:
        """
        Replace the active faults.

        Raises:
            Impossible: A fault is not valid; then no fault is active.
        """
        self.faults.reset()
        try:
            for rule in rules:
                self.faults.add(rule)
        except Impossible:
            self.faults.reset()
            raise

    def start_outage(self, seconds: float) -> None:
        """Reset every connection and refuse new ones for some time."""
        if self._listening is not None and (self._reopening is None or self._reopening.done()):
            self._listening.close()
            self._reopening = asyncio.create_task(self._reopen(seconds))
        for caller in self._callers:
            if caller.is_client:
                caller.reset()

    def report(self) -> Log:
        """Return the requests and faults so far."""
        return Log(seed=self.faults.seed, requests=self.requests, counts=dict(self.counts), log=self.log)

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._listening = await self._listen(self._ports[0], self._serve_connection)

    async def _listen(self, port: int, meet: ConnectionHandler, *, is_for_clients: bool = True) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            lambda: _ProxyConnection(self._callers, meet, is_client=is_for_clients), HERE, port
        )

    # -- conversations -----------------------------------------------------------------------------------------------

    async def _serve_connection(self, client: _ProxyConnection) -> None:
        """Forward one client's requests to the server one after the other, on a connection of their own."""
        if self._drawn((AtConnect,), ""):
            client.reset()
            return
        server: _Line | None = None
        try:
            while (head := await client.line.head()) is not None:
                if client.is_stale:
                    client.reset()
                    return
                if head.startswith(b"CONNECT "):
                    client.write(raw_answer(_NO_TUNNELS))
                    return
                hits = self._drawn(_REQUEST_KINDS, _call_of(head))
                if server is None and not of_kind(hits, AtRequest):
                    server = _Line(*await asyncio.open_connection(*self._server, limit=_LONGEST_HEAD))
                    client.on_gone = server.writer.transport.abort
                goes_on = await (self._broken(client, server, head, hits) if hits else _forward(client, server, head))
                if not goes_on:
                    return
        finally:
            if server is not None:
                server.writer.transport.abort()

    def _drawn(self, kinds: tuple[type, ...], call: str) -> tuple[InjectedFault, ...]:
        self.requests += kinds is _REQUEST_KINDS
        hits = self.faults.match(kinds, call)
        if hits:
            names = tuple(str(hit.fault.__struct_config__.tag) for hit in hits)
            self.log.append(FaultedRequest(request=self.requests, endpoint=call, faults=names))
            self.counts.update(names)
        return hits

    async def _broken(
        self, client: _ProxyConnection, server: _Line | None, head: bytes, hits: tuple[InjectedFault, ...]
    ) -> bool:
        """Apply the faults, and return whether the connection stays open."""
        request = head + b"".join([piece async for piece in client.line.body(head)])
        answer = b""
        if server is not None and not of_kind(hits, AtRequest):
            answer = await server.ask(request)
            for _ in of_kind(hits, Repeat):
                await server.ask(request)
        match await play(steps_of(answer, hits), client.transport):
            case Outage(seconds=seconds):
                self.start_outage(seconds)
                return False
            case End.SILENCE:
                await client.gone.wait()
                return False
            case End.STALE:
                client.is_stale = True
                return True
            case None:
                return _goes_on(answer)
            case _:
                return False

    async def _take_orders(self, caller: _ProxyConnection) -> None:
        head = await caller.line.head()
        if head is None:
            return
        method, target, _ = head.partition(b"\r\n")[0].decode("latin-1").split(" ", 2)
        headers = tuple(
            (name, value.strip())
            for name, _, value in (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:-2])
        )
        body = b"".join([piece async for piece in caller.line.body(head)])
        request = Request(endpoint="control", method=method, url="", headers=headers, body=body)
        url = f"http://{request.header('Host')}{target}"
        answer = control.execute(_VERBS, self, msgspec.structs.replace(request, url=url))
        caller.write(raw_answer(answer))


def _goes_on(answer: bytes) -> bool:
    head = answer.partition(b"\r\n\r\n")[0] + b"\r\n"
    return not _CLOSING.search(head) and (_LENGTH.search(head) or _CHUNKED.search(head)) is not None


def _call_of(head: bytes) -> str:
    """Return the name of a request's call. An unknown path becomes `other`, because it may contain anything."""
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    path = unquote(urlsplit(rest.partition(" ")[0]).path)
    endpoint = find_endpoint(method, path)
    return endpoint.name if endpoint else "other"


async def _forward(client: _ProxyConnection, server: _Line | None, head: bytes) -> bool:
    """Forward a request and its answer, and return whether the connection stays open."""
    if server is None:
        return False
    server.writer.write(head)
    async for piece in client.line.body(head):
        server.writer.write(piece)
        await server.writer.drain()
    answer = await server.head()
    if answer is None:
        return False
    client.write(answer)
    async for piece in server.body(answer, is_answer=True):
        client.write(piece)
        await client.line.writer.drain()
    return _goes_on(answer)


# -- connections -----------------------------------------------------------------------------------------------------


class _Line:
    """One end of a connection, read by heads and bodies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def head(self) -> bytes | None:
        """Read a head; None if no further one arrives, or its end does not arrive in time."""
        try:
            first = await self._reader.readexactly(1)
            async with asyncio.timeout(HEAD_SECONDS):
                return first + await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            return None

    async def body(self, head: bytes, *, is_answer: bool = False) -> AsyncIterator[bytes]:
        """Yield the body after a head as it arrives, including its framing."""
        length = _LENGTH.search(head)
        if _BODILESS.match(head):
            return
        if length:
            left = int(length[1])
            while left and (piece := await self._reader.read(min(left, _WINDOW))):
                left -= len(piece)
                yield piece
        elif _CHUNKED.search(head):
            size = b""
            while int(size or b"1", 16):
                size = await self._reader.readline()
                yield size
                yield await self._reader.readexactly(int(size, 16) + 2)
        elif is_answer:
            while piece := await self._reader.read(_WINDOW):
                yield piece

    async def ask(self, request: bytes) -> bytes:
        """Send a complete request and read the complete answer."""
        self.writer.write(request)
        head = await self.head()
        if head is None:
            raise ConnectionResetError
        return head + b"".join([piece async for piece in self.body(head, is_answer=True)])


class _ProxyConnection(asyncio.StreamReaderProtocol):
    """An accepted connection, and its task."""

    line: _Line
    transport: asyncio.Transport
    task: asyncio.Task[None]

    def __init__(self, callers: set[_ProxyConnection], meet: ConnectionHandler, *, is_client: bool) -> None:
        self._reader = asyncio.StreamReader(limit=_LONGEST_HEAD)
        super().__init__(self._reader)
        self._callers = callers
        self._meet = meet
        self.is_client = is_client
        """Whether it is a proxied connection and not one of the control API."""
        self.is_stale = False
        """Whether its next request is reset."""
        self.gone = asyncio.Event()
        """Whether the client has disconnected."""
        self.on_gone: Callable[[], None] | None = None
        """Function that is called when the client disconnects."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to handle the connection."""
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self.transport = cast("asyncio.Transport", transport)  # what a listening socket makes
        self.line = _Line(self._reader, asyncio.StreamWriter(self.transport, self, self._reader, loop))
        self._callers.add(self)
        self.task = loop.create_task(self._serve_connection())

    def eof_received(self) -> bool:
        """Treat a client that sends nothing more as disconnected."""
        super().eof_received()
        self._has_gone()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Close the connections opened for this client."""
        super().connection_lost(error)
        self._has_gone()

    def write(self, content: bytes) -> None:
        """Send bytes."""
        self.line.writer.write(content)

    def reset(self) -> None:
        """Reset the connection."""
        reset(self.transport)

    async def _serve_connection(self) -> None:
        try:
            # A client that hangs up, or does not speak HTTP, ends only its own connection.
            with suppress(OSError, asyncio.IncompleteReadError, ValueError):
                await self._meet(self)
        finally:
            self._callers.discard(self)
            self.transport.close()

    def _has_gone(self) -> None:
        self.gone.set()
        if self.on_gone is not None:
            self.on_gone()


# -- orders ----------------------------------------------------------------------------------------------------------


def _log(proxy: FaultProxy, _: NoParameters) -> Log:
    return proxy.report()


def _outage(proxy: FaultProxy, how: Duration) -> NoParameters:
    proxy.start_outage(how.seconds)
    return NoParameters()


def _on_faults(act: Callable[[FaultInjector, Any], msgspec.Struct]) -> Callable[[FaultProxy, Any], msgspec.Struct]:
    return lambda proxy, parameters: act(proxy.faults, parameters)


_VERBS: Verbs[FaultProxy] = {
    ("GET", "log"): (NoParameters, _log),
    ("POST", "outage"): (Duration, _outage),
    **{way: (kind, _on_faults(act)) for way, (kind, act) in FAULT_ROUTES.items()},
}
