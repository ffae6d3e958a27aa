"""
The sandbox on a port: aiohttp around the core, with real long polls.

A parked poll waits here for the world to wake it or for the clock, and is forgotten when its client hangs up. With TLS
the same port is a door to the platform's own names besides (`door`).
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from webwx.protocol.http import Park, Request
from webwx.sandbox.door import open_door
from webwx.sandbox.hosts import PLAYED
from webwx.sandbox.tls import Authority

if TYPE_CHECKING:
    from webwx.protocol.http import Response
    from webwx.sandbox.core import Sandbox

MAX_BODY = 64 * 1024 * 1024
"""Bytes of one request."""

WINDOW = 1024 * 1024
"""Bytes of an answer that are written at once."""


class TlsAccess(msgspec.Struct, frozen=True, kw_only=True):
    """What a client needs in order to reach the platform's own names in a sandbox."""

    ca: str
    """Path of the certificate to trust: for SSL_CERT_FILE, REQUESTS_CA_BUNDLE or NODE_EXTRA_CA_CERTS."""
    proxy: str
    """For HTTPS_PROXY."""
    hosts: list[str]
    """The names behind it."""


class Served:
    """A sandbox that is listening."""

    def __init__(self, sandbox: Sandbox, url: str, close: AsyncExitStack, tls: TlsAccess | None) -> None:
        self._close = close
        self.url = url
        """Its origin, such as `http://127.0.0.1:8790`."""
        self.control = f"{url}/control"
        """Where its control API is."""
        self.accounts = [{"nickname": person.nickname, "id": person.id} for person in sandbox.world.people.values()]
        """Who can log in, the first being `me`; as it is printed."""
        self.tls = tls
        """How the real names are reached, if it plays them."""

    async def close(self) -> None:
        """Stop listening and hang up."""
        await self._close.aclose()


async def serve(sandbox: Sandbox, *, host: str = "127.0.0.1", port: int = 0, tls: bool = False) -> Served:
    """
    Listen on a loopback address.

    Args:
        sandbox: What answers.
        host: A loopback address, or `localhost`.
        port: 0 takes any free one.
        tls: Play the platform's own names too: the port is then a proxy to them as well.

    Raises:
        ValueError: The address is not a loopback one; whoever reaches a sandbox can be anybody in it.
        OSError: The port is taken.
        NoCertificates: The extra `tls` is not installed.
    """
    if not _is_loopback(host):
        raise ValueError(f"A sandbox listens on loopback addresses only, and {host} is none.")
    app = web.Application(client_max_size=MAX_BODY)
    shell = _Shell(sandbox)
    app.router.add_route("*", "/{path:.*}", shell.answer)
    app.on_shutdown.append(shell.close)
    # Cancelling the handler when the client hangs up is what frees a poll that nobody waits for.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    async with AsyncExitStack() as opened:
        await runner.setup()
        opened.push_async_callback(runner.cleanup)
        if not tls:
            await web.TCPSite(runner, host, port).start()
            return Served(sandbox, _origin(host, runner.addresses[0][1]), opened.pop_all(), None)
        authority = Authority(PLAYED)
        opened.callback(authority.close)
        server = cast("web.Server", runner.server)  # None before the setup only
        door = await open_door(server, authority.context, host, port)
        opened.callback(door.close)
        url = _origin(host, door.port)
        access = TlsAccess(ca=str(authority.certificate), proxy=url, hosts=sorted(PLAYED))
        return Served(sandbox, url, opened.pop_all(), access)


def _origin(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # any other name
        return False


class _Shell:
    """Turns sockets into values and back, and keeps the parked polls."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[asyncio.Future[None], str] = {}
        self._unsubscribe = sandbox.world.subscribe(self._wake_from_any_thread)

    async def close(self, _: web.Application) -> None:
        """Hang up on every held poll."""
        self._unsubscribe()
        for waiting in self._waiting:
            waiting.cancel()

    async def answer(self, incoming: web.Request) -> web.StreamResponse:
        """Answer one request, however long it takes."""
        if not incoming.raw_path.startswith("/"):
            return web.Response(status=403)  # a proxy would ask somebody else now
        host = incoming.host
        if incoming.secure:
            host = host.lower().removesuffix(":443")
            if host not in PLAYED:
                return web.Response(status=421)  # some other name, inside a tunnel to one of ours
        url = f"{incoming.scheme}://{host}{incoming.raw_path}"
        if not _is_readable(url):
            return web.Response(status=400)
        request = Request(
            endpoint="any",  # not the path, which may hold a uuid
            method=incoming.method,
            url=url,
            headers=tuple(incoming.headers.items()),
            body=await incoming.read(),
        )
        answer = self._sandbox.answer(request)
        while isinstance(answer, Park):
            await self._wait(answer)
            answer = self._sandbox.answer(request, answer)
        if len(answer.body) <= WINDOW:
            return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        return await self._stream(incoming, answer)

    async def _stream(self, incoming: web.Request, answer: Response) -> web.StreamResponse:
        """Give a large body by windows: written at once, it would be copied into the connection's buffer whole."""
        stream = web.StreamResponse(status=answer.status, headers=answer.headers)
        stream.content_length = len(answer.body)
        await stream.prepare(incoming)
        left = memoryview(answer.body)
        while left:
            await stream.write(left[:WINDOW])
            left = left[WINDOW:]
        await stream.write_eof()
        return stream

    async def _wait(self, park: Park) -> None:
        woken = self._loop.create_future()
        self._waiting[woken] = park.account
        try:
            async with asyncio.timeout(self._sandbox.world.clock.seconds_until(park.until)):
                await woken
        except TimeoutError:
            pass
        finally:
            del self._waiting[woken]

    def _wake_from_any_thread(self, account: str) -> None:
        self._loop.call_soon_threadsafe(self._wake, account)

    def _wake(self, account: str) -> None:
        for waiting, wanted in self._waiting.items():
            concerns_it = not account or not wanted or account == wanted
            if concerns_it and not waiting.done():
                waiting.set_result(None)


def _is_readable(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:  # a Host header such as `[::1`
        return False
    return True
