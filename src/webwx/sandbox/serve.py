"""
The sandbox on a port: aiohttp around the core, with real long polls.

A parked poll waits here for the world to wake it or for the clock, and is forgotten when its client hangs up.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from webwx.protocol.http import Park, Request

if TYPE_CHECKING:
    from webwx.sandbox.core import Sandbox

MAX_BODY = 64 * 1024 * 1024
"""Bytes of one request."""


class Served:
    """A sandbox that is listening."""

    def __init__(self, sandbox: Sandbox, runner: web.AppRunner, url: str) -> None:
        self._runner = runner
        self.url = url
        """Its origin, such as `http://127.0.0.1:8790`."""
        self.control = f"{url}/control"
        """Where its control API is."""
        self.accounts = [{"nickname": person.nickname, "id": person.id} for person in sandbox.world.people.values()]
        """Who can log in, the first being `me`; as it is printed."""

    async def close(self) -> None:
        """Stop listening and hang up."""
        await self._runner.cleanup()


async def serve(sandbox: Sandbox, *, host: str = "127.0.0.1", port: int = 0) -> Served:
    """
    Listen on a loopback address.

    Args:
        sandbox: What answers.
        host: A loopback address, or `localhost`.
        port: 0 takes any free one.

    Raises:
        ValueError: The address is not a loopback one; whoever reaches a sandbox can be anybody in it.
        OSError: The port is taken.
    """
    if not _is_loopback(host):
        raise ValueError(f"A sandbox listens on loopback addresses only, and {host} is none.")
    app = web.Application(client_max_size=MAX_BODY)
    door = _Door(sandbox)
    app.router.add_route("*", "/{path:.*}", door.answer)
    app.on_shutdown.append(door.close)
    # Cancelling the handler when the client hangs up is what frees a poll that nobody waits for.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    bound_port = runner.addresses[0][1]
    return Served(sandbox, runner, f"http://{f'[{host}]' if ':' in host else host}:{bound_port}")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # any other name
        return False


class _Door:
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

    async def answer(self, incoming: web.Request) -> web.Response:
        """Answer one request, however long it takes."""
        url = f"{incoming.scheme}://{incoming.host}{incoming.raw_path}"
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
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

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
