"""
The sandbox on a port: aiohttp around the core, with real long polls.

A held poll (`long_polls`) is dropped when its client disconnects. With TLS, the same port is also a proxy to the
platform's host names (`connect_proxy`). On port 443 the names are answered directly, and the proxy has another port.
Connection faults are applied here too (`connection_faults`).
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from weakref import WeakSet

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.http_exceptions import HttpProcessingError

from webwx.protocol.hosts import is_this_machine
from webwx.protocol.http import Park, Request
from webwx.sandbox.connect_proxy import HEAD_SECONDS, ConnectProxy, open_connect_proxy
from webwx.sandbox.connection_faults import AtConnect, End, Handshake, Outage, play, reset
from webwx.sandbox.control import MAX_UPLOAD, is_loopback, is_upload, too_large
from webwx.sandbox.control import is_for as is_control
from webwx.sandbox.core import FaultyResponse
from webwx.sandbox.faults import ANSWER_FAULTS, CONNECTION_FAULTS, of_kind
from webwx.sandbox.hosts import SERVED_HOSTS, is_of_foreign_page
from webwx.sandbox.long_polls import LongPolls
from webwx.sandbox.phone import pages
from webwx.sandbox.phone.live import PATH as LIVE
from webwx.sandbox.phone.live import LivePage, is_welcome
from webwx.sandbox.tls import Authority

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from webwx.protocol.http import Response
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World

MAX_BODY = 64 * 1024 * 1024
"""Maximum size of a request in bytes, except for a file that a phone sends."""

_MANY = 100
"""Maximum number of accounts that are printed."""

WINDOW = 1024 * 1024
"""Bytes of an answer that are written at once."""

_BODY_SECONDS = 60.0
"""Seconds without a byte of a request's body after which the request is refused."""

_COMPRESS_FROM = 256
"""
Minimum size in bytes of a text that is compressed for a client that accepts gzip. It is the size of a ticket exchange's
answer, the smallest answer that the platform compresses.
"""

_COMPRESS_IN_LOOP = 64 * 1024
"""Maximum size in bytes of a text that is compressed in the event loop; a larger one is compressed in a thread."""

HTTPS_PORT = 443
"""Port of the platform's host names: a client that resolves them to this machine needs no proxy."""

UPDATE_INTERVAL = 0.03
"""Seconds between two checks for updates of a page; all changes in between are sent together."""

MAX_PAGE_MESSAGE = 64 * 1024
"""Maximum size of a page's message in bytes."""


class TlsAccess(msgspec.Struct, frozen=True, kw_only=True):
    """How a client reaches the platform's host names in a sandbox."""

    ca: str
    """Path of the certificate to trust, for SSL_CERT_FILE, REQUESTS_CA_BUNDLE or NODE_EXTRA_CA_CERTS."""
    proxy: str
    """Address of the proxy, for HTTPS_PROXY."""
    hosts: list[str]
    """The host names behind the proxy; as lines of a hosts file if they are answered on port 443."""
    is_straight: bool = False
    """Whether the names are answered on port 443 too."""


class RunningSandbox:
    """A sandbox that is listening."""

    def __init__(self, sandbox: SandboxCore, url: str, close: AsyncExitStack, tls: TlsAccess | None) -> None:
        self._close = close
        self.url = url
        """Origin of the server, such as `http://127.0.0.1:8790`."""
        self.control = f"{url}/control"
        """Address of its control API."""
        self.phone = f"{url}{pages.PREFIX}"
        """Address of the page with its phones."""
        first = islice((person for person in sandbox.world.people.values() if not person.is_public), _MANY)
        self.accounts = [{"nickname": person.nickname, "id": person.id} for person in first]
        """People who can log in, the first being `me`, as printed; of a large world the first hundred only."""
        self.tls = tls
        """How the platform's host names are reached, if it serves them."""

    async def close(self) -> None:
        """Stop listening and close all connections."""
        await self._close.aclose()


async def serve(sandbox: SandboxCore, *, host: str = "127.0.0.1", port: int = 0, tls: bool = False) -> RunningSandbox:
    """
    Listen on a loopback address.

    Args:
        sandbox: The server's core.
        host: A loopback address, or `localhost`.
        port: 0 uses any free port.
        tls: Serve the platform's host names too: the port is then a proxy to them as well. Port 443 is not a proxy: it
            answers for the names directly, and everything else uses a free port.

    Raises:
        ValueError: The address is not a loopback address; any client of a sandbox can act as any person.
        OSError: The port is in use, or requires privileges.
        NoCertificates: The extra `tls` is not installed.
    """
    if not is_this_machine(host):
        raise ValueError(f"A sandbox listens on loopback addresses only; {host} is not one.")
    app = web.Application()
    world = sandbox.world
    async with AsyncExitStack() as opened:
        authority = Authority(SERVED_HOSTS) if tls else None
        if authority:
            opened.callback(authority.close)
            authority.context.sni_callback = _flawed(authority, world)
        shell = _RequestHandler(sandbox)
        app.router.add_route("*", "/{path:.*}", shell.answer)
        app.on_shutdown.append(shell.close)
        # Cancelling the handler when the client hangs up is what frees a poll that no client waits for.
        # A body is never decompressed: `answer` refuses compressed ones.
        runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=1.0,
            auto_decompress=False,
            logger=_ServerLog(logging.getLogger(__name__)),
        )
        await runner.setup()
        opened.push_async_callback(runner.cleanup)
        server = cast("web.Server", runner.server)  # None before the setup only

        def meet() -> asyncio.Protocol:
            return _ResetConnection() if world.faults.match((AtConnect,)) else _HttpConnection(server())

        async def listen(port: int) -> ConnectProxy | _Listening:
            if authority and port != HTTPS_PORT:
                return await open_connect_proxy(meet, authority.context, host, port)
            context = authority.context if authority else None
            handshake = HEAD_SECONDS if context else None
            return _Listening(
                await asyncio.get_running_loop().create_server(
                    meet, host, port, ssl=context, ssl_handshake_timeout=handshake
                )
            )

        is_straight = authority is not None and port == HTTPS_PORT
        for number in (HTTPS_PORT, 0) if is_straight else (port,):
            shell.ports.append(_Port(listen, await listen(number), server))
            opened.push_async_callback(shell.ports[-1].close)
        opened.push_async_callback(_SchedulerTask(world).close)
        world.faults.kinds = (
            (*ANSWER_FAULTS, *CONNECTION_FAULTS, Handshake) if authority else (*ANSWER_FAULTS, *CONNECTION_FAULTS)
        )
        url = _origin(host, shell.ports[-1].number)
        access = _access(authority, url, host if is_straight else "") if authority else None
        return RunningSandbox(sandbox, url, opened.pop_all(), access)


def _access(authority: Authority, proxy: str, straight: str) -> TlsAccess:
    """Return how the platform's host names are reached, by proxy or also directly at an address."""
    address = "127.0.0.1" if straight == "localhost" else straight
    return TlsAccess(
        ca=str(authority.certificate),
        proxy=proxy,
        hosts=[f"{address} {name}".strip() for name in sorted(SERVED_HOSTS)],
        is_straight=bool(straight),
    )


def _origin(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


# -- the port --------------------------------------------------------------------------------------------------------


class _Listening:
    """A listening socket with the interface of a `ConnectProxy`."""

    def __init__(self, listening: asyncio.Server) -> None:
        self._listening = listening
        self.port: int = listening.sockets[0].getsockname()[1]

    def close(self) -> None:
        self._listening.close()


class _Port:
    """A listening port, which a fault can close for some time."""

    def __init__(
        self,
        listen: Callable[[int], Awaitable[ConnectProxy | _Listening]],
        listening: ConnectProxy | _Listening,
        server: web.Server,
    ) -> None:
        self._listen = listen
        self._listening = listening
        self._server = server
        self._reopening: asyncio.Task[None] | None = None
        self.number = listening.port

    def start_outage(self, seconds: float) -> None:
        """Reset every connection and refuse new ones for some time."""
        if self._reopening is None or self._reopening.done():
            self._listening.close()
            self._reopening = asyncio.create_task(self._reopen(seconds))
        for connection in self._server.connections:
            if connection.transport is not None:
                reset(connection.transport)

    async def close(self) -> None:
        """Stop listening."""
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.gather(self._reopening, return_exceptions=True)
        self._listening.close()

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._listening = await self._listen(self.number)


class _ResetConnection(asyncio.Protocol):
    """A connection that is reset when it is accepted."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        reset(transport)


class _HttpConnection(asyncio.Protocol):
    """
    A connection before the HTTP server: it is closed if the head of a request stays incomplete for too long.

    Args:
        http: The server's protocol, which receives all bytes.
    """

    def __init__(self, http: asyncio.Protocol) -> None:
        self._http = http
        self._transport: asyncio.BaseTransport | None = None
        self._answering = False
        self._deadline: asyncio.TimerHandle | None = None

    def begin_answer(self) -> None:
        """Note that a request's head is complete: the next bytes are its body."""
        self._answering = True
        self._disarm()

    def end_answer(self) -> None:
        """Note that a request is answered; the next bytes are the head of the next request."""
        self._answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass on the new connection."""
        self._transport = transport
        self._http.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Pass on data; the first bytes of a head start its deadline."""
        if not self._answering and self._deadline is None and self._transport is not None:
            self._deadline = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._transport.close)
        self._http.data_received(data)

    def eof_received(self) -> bool | None:
        """Forward the end of the client's data."""
        return self._http.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        """Forward the end of the connection."""
        self._disarm()
        self._http.connection_lost(error)

    def pause_writing(self) -> None:
        """Pass on that the client reads too slowly."""
        self._http.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the client has caught up."""
        self._http.resume_writing()

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _ServerLog(logging.LoggerAdapter[logging.Logger]):
    """Writes one line, and no traceback, about a request that is not HTTP."""

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:  # Any: as in the class above
        """Log a message of the HTTP server."""
        error = more.get("exc_info")
        if isinstance(error, HttpProcessingError):
            self.logger.warning("Refused a request that is not HTTP (%s).", type(error).__name__)
        else:
            super().log(level, msg, *args, **more)


def _flawed(authority: Authority, world: World) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], None]:
    """Return a TLS context with a certificate that is not valid, if a fault says so."""

    def choose(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        del name, context
        for fault, _ in of_kind(world.faults.match((Handshake,)), Handshake):
            connection.context = authority.flawed(fault.flaw)

    return choose


class _SchedulerTask:
    """Runs scheduled actions when their real time has come."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._loop = asyncio.get_running_loop()
        self._is_news = asyncio.Event()
        self._unsubscribe = (world.scheduler.subscribe(self._notify), world.subscribe(self._on_change))
        self._work = asyncio.create_task(self._keep_time())

    async def close(self) -> None:
        """Stop all actions; raise an error that ended the task before."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._work.cancel()
        with suppress(asyncio.CancelledError):
            await self._work

    async def _keep_time(self) -> None:
        while True:
            self._is_news.clear()
            self._world.play()
            planned = self._world.scheduler.next
            with suppress(TimeoutError):
                async with asyncio.timeout(None if planned is None else self._world.clock.seconds_until(planned)):
                    await self._is_news.wait()

    def _on_change(self, account: str) -> None:
        """Check again after the clock was moved, which wakes all polls."""
        if not account:
            self._notify()

    def _notify(self) -> None:
        self._loop.call_soon_threadsafe(self._is_news.set)


# -- requests --------------------------------------------------------------------------------------------------------


class _BodyTooLarge(Exception):
    """A body is larger than its limit."""


async def _read(incoming: web.Request, limit: int) -> bytes:
    """
    Read a body.

    Raises:
        _BodyTooLarge: The body is larger than the limit.
        TimeoutError: The client stopped sending it, or sends bytes that are not part of it.
    """
    if (incoming.content_length or 0) > limit:
        raise _BodyTooLarge
    pieces, size = [], 0
    while not incoming.content.at_eof():
        async with asyncio.timeout(_BODY_SECONDS):
            pieces.append(await incoming.content.readany())
        size += len(pieces[-1])
        if size > limit:
            raise _BodyTooLarge
    return b"".join(pieces)


def _written(answer: Response) -> web.Response:
    return web.Response(
        status=answer.status, headers=answer.headers, body=answer.body, zlib_executor_size=_COMPRESS_IN_LOOP
    )


class _AlreadyWritten(web.StreamResponse):
    """An answer that was already written to the connection."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Do nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing."""

    @property
    def keep_alive(self) -> bool:
        """Do nothing."""
        return True


class _RequestHandler:
    """Converts between aiohttp's requests and the protocol's values, and holds parked polls."""

    def __init__(self, sandbox: SandboxCore) -> None:
        self.ports: list[_Port] = []
        self._sandbox = sandbox
        self._stale: WeakSet[asyncio.Transport] = WeakSet()
        self._loop = asyncio.get_running_loop()
        self._polls = LongPolls(sandbox.world.clock)
        self._pages: WeakSet[web.WebSocketResponse] = WeakSet()
        self._unsubscribe = sandbox.world.subscribe(self._polls.wake)

    async def close(self, _: web.Application) -> None:
        """Drop every held poll and close every page."""
        self._unsubscribe()
        self._polls.close()
        for page in tuple(self._pages):
            await page.close(code=WSCloseCode.GOING_AWAY)

    async def answer(self, incoming: web.Request) -> web.StreamResponse:
        """Answer one request, also a long poll."""
        if incoming.transport is not None and incoming.transport in self._stale:
            reset(incoming.transport)
            return _AlreadyWritten()
        connection = incoming.transport.get_protocol() if incoming.transport else None
        if not isinstance(connection, _HttpConnection):
            return await self._answer(incoming)
        connection.begin_answer()
        try:
            return await self._answer(incoming)
        finally:
            connection.end_answer()

    async def _answer(self, incoming: web.Request) -> web.StreamResponse:
        if not incoming.raw_path.startswith("/"):
            return web.Response(status=403)  # a proxy would ask another server now
        host = incoming.headers.get("Host") or _own_host(incoming)
        if incoming.secure:
            host = host.lower().removesuffix(":443")
            if host not in SERVED_HOSTS:
                return web.Response(status=421)  # some other name, inside a tunnel to one of ours
        url = f"{incoming.scheme}://{host}{incoming.raw_path}"
        if not _is_readable(url):
            return web.Response(status=400)
        if not incoming.secure and not is_loopback(url):
            # A page elsewhere can make its own name resolve to this machine, and then read the answers.
            return web.Response(status=403, text="A sandbox answers on loopback addresses only.")
        if incoming.headers.get("Content-Encoding", "identity").lower() != "identity":
            # No client compresses what it sends, and a few bytes could stand for gigabytes.
            return web.Response(status=415, headers={"Accept-Encoding": "identity"})
        request = Request(
            endpoint="any",  # not the path, which may hold a uuid
            method=incoming.method,
            url=url,
            headers=tuple(incoming.headers.items()),
        )
        if not incoming.secure and is_of_foreign_page(request):
            # On loopback names only: the platform's own pages, at their names, call each other's hosts.
            return web.Response(status=403, text="A sandbox answers no web pages of other origins; open its address.")
        limit = MAX_UPLOAD if is_upload(request) else MAX_BODY
        try:
            request = msgspec.structs.replace(request, body=await _read(incoming, limit))
        except _BodyTooLarge:
            return _written(too_large(limit)) if is_control(request) else web.Response(status=413)
        except TimeoutError:
            return web.Response(status=408)
        if request.path == LIVE:
            return await self._serve_page(incoming) if is_welcome(request) else web.Response(status=403)
        answer = self._sandbox.answer(request)
        while isinstance(answer, Park):
            try:
                await self._polls.wait(answer)
            except asyncio.CancelledError:
                self._sandbox.give_up(answer)
                raise
            answer = self._sandbox.answer(request, answer)
        if isinstance(answer, FaultyResponse):
            return await self._send_with_faults(incoming, answer)
        if len(answer.body) > WINDOW and incoming.method != "HEAD":
            return await self._stream(incoming, answer)
        whole = _written(answer)
        if _is_worth_compressing(answer) and "gzip" in incoming.headers.get("Accept-Encoding", ""):
            whole.enable_compression(web.ContentCoding.gzip)
        return whole

    async def _serve_page(self, incoming: web.Request) -> web.StreamResponse:
        """Keep a page up to date until it disconnects."""
        socket = web.WebSocketResponse(heartbeat=30.0, max_msg_size=MAX_PAGE_MESSAGE)
        if not socket.can_prepare(incoming):
            return web.Response(status=426, headers={"Upgrade": "websocket"})
        await socket.prepare(incoming)
        self._pages.add(socket)
        changed = asyncio.Event()
        live = LivePage(self._sandbox.world, lambda: self._loop.call_soon_threadsafe(changed.set))
        try:
            async with asyncio.TaskGroup() as both:
                sending = both.create_task(_send_updates(socket, live, changed))
                async for said in socket:
                    if said.type is WSMsgType.TEXT:
                        live.receive(said.data)
                sending.cancel()
        finally:
            live.close()
        return socket

    async def _send_with_faults(self, incoming: web.Request, answer: FaultyResponse) -> web.StreamResponse:
        """Send an answer with the connection faults that apply to it."""
        transport = incoming.transport
        if transport is not None:
            match await play(answer.steps(), transport):
                case Outage(seconds=seconds):
                    for port in self.ports:
                        port.start_outage(seconds)
                case End.SILENCE:
                    await self._loop.create_future()  # until the client hangs up, which cancels this
                case End.STALE:
                    self._stale.add(transport)
                case None if not incoming.keep_alive:
                    transport.close()
        return _AlreadyWritten()

    async def _stream(self, incoming: web.Request, answer: Response) -> web.StreamResponse:
        """Yield a large body in pieces: a single write would copy it into the connection's buffer."""
        stream = web.StreamResponse(status=answer.status, headers=answer.headers)
        stream.content_length = len(answer.body)
        await stream.prepare(incoming)
        left = memoryview(answer.body)
        while left:
            await stream.write(left[:WINDOW])
            left = left[WINDOW:]
        await stream.write_eof()
        return stream


def _is_worth_compressing(answer: Response) -> bool:
    """Return whether an answer is an uncompressed text that is long enough to compress."""
    is_text = answer.header("Content-Type").startswith("text/") and not answer.header("Content-Encoding")
    return is_text and len(answer.body) > _COMPRESS_FROM


async def _send_updates(socket: web.WebSocketResponse, live: LivePage, changed: asyncio.Event) -> None:
    """Send a page its updates as fast as it accepts them."""
    with suppress(ConnectionError):  # it has disconnected; its reader ends this
        while True:
            for update in live.updates():
                await socket.send_str(update)
            await asyncio.sleep(UPDATE_INTERVAL)
            await changed.wait()
            changed.clear()


def _own_host(incoming: web.Request) -> str:
    """Return the address that received a request, for a request without a host name."""
    address, port, *_ = incoming.transport.get_extra_info("sockname") if incoming.transport else ("", 0)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _is_readable(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:  # a Host header such as `[::1`
        return False
    return True
