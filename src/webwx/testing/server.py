"""
The sandbox's thread: a server on a port, in whose thread the world is changed.

A test runs in a thread of its own. Its actions run in the server's thread, between two requests, and a waiting test
checks again after each of them.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import TimeoutError as TooLate
from typing import TYPE_CHECKING, TypeVar

from webwx.protocol.http import Park
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.serve import serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.protocol.http import Request, Response
    from webwx.sandbox.serve import RunningSandbox
    from webwx.sandbox.world import World

T = TypeVar("T")

_START = 30.0
"""Maximum seconds until the server listens, and of any work in its thread."""


class Server:
    """
    A sandbox on a free port, in a thread of its own.

    Args:
        world: The world of the server.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        """The world; use it inside `do` only."""
        self.loop: asyncio.AbstractEventLoop
        self._served: RunningSandbox
        self._end: asyncio.Event
        self._change: asyncio.Future[None] | None = None
        self._polling: set[str] = set()
        self._error: BaseException | None = None
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._work, name="webwx sandbox", daemon=True)

    @property
    def url(self) -> str:
        """Origin of the server, such as `http://127.0.0.1:8790`."""
        return self._served.url

    def open(self) -> None:
        """
        Start to listen.

        Raises:
            OSError: There is no free port.
        """
        self._thread.start()
        self._is_up.wait(_START)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop listening, and wait for the end of the thread."""
        self.loop.call_soon_threadsafe(self._end.set)
        self._thread.join(_START)

    def do(self, act: Callable[[], T]) -> T:
        """Run a function in the world, and return its result or raise its error here."""

        async def done() -> T:
            try:
                return act()
            finally:
                self._notify()

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(_START)

    def wait(self, look: Callable[[], T | None], seconds: float) -> T | None:
        """Call a function after each change of the world, until it returns something; None when the time is over."""

        async def until() -> T:
            while (seen := look()) is None:
                if self._change is None:
                    self._change = self.loop.create_future()
                await asyncio.shield(self._change)
            return seen

        waiting = asyncio.run_coroutine_threadsafe(until(), self.loop)
        try:
            return waiting.result(seconds)
        except TooLate:
            waiting.cancel()
            return None

    def has_delivered_all(self, account: str) -> bool:
        """Return whether a web login is polling; to be called in the server's thread."""
        return self.world.logins.live(self.world.person(account)) is not None and account in self._polling

    def _work(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - it is raised where the start is waited for
            self._error = error
            self._is_up.set()

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        unsubscribe = self.world.subscribe(self._wake)
        self._served = await serve(_Watched(self.world, self._note))
        try:
            self._is_up.set()
            await self._end.wait()
        finally:
            await self._served.close()
            unsubscribe()

    def _wake(self, account: str) -> None:
        """Notify waiting tests that a condition may be true now."""
        if account:
            self._polling.discard(account)
        else:
            self._polling.clear()

    def _note(self, answer: Response | Park) -> None:
        if isinstance(answer, Park) and answer.account:
            self._polling.add(answer.account)
        self._notify()

    def _notify(self) -> None:
        if self._change is not None:
            self._change.set_result(None)
            self._change = None


class _Watched(SandboxCore):
    """A server's core that reports each answer."""

    def __init__(self, world: World, note: Callable[[Response | Park], object]) -> None:
        super().__init__(world)
        self._note = note

    def answer(self, request: Request, parked: Park | None = None) -> Response | Park:
        """Answer a request, or park it."""
        answer = super().answer(request, parked)
        self._note(answer)
        return answer
