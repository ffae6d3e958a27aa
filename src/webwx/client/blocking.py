"""
The client to call: the same verbs as `AsyncClient`, without `await`.

All clients of a process share one event loop in one thread; the logic stays in `AsyncClient` alone.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Generic, TypeVar

from webwx.client.aio import AsyncClient, print_code
from webwx.transport.run import Timeouts

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Coroutine, Iterator
    from types import TracebackType
    from typing import Any, Self

    from webwx.model.contacts import Contact, Contacts
    from webwx.model.login import Account, QrCode
    from webwx.model.messages import Event, ImageMessage, Message, Receipt
    from webwx.store.saved_login import LoginStore
    from webwx.transport.run import Transport

T = TypeVar("T")

_loop: asyncio.AbstractEventLoop | None = None
_starting = threading.Lock()


def _shared_loop() -> asyncio.AbstractEventLoop:
    """Give the process's loop, started at the first call."""
    global _loop
    with _starting:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="webwx", daemon=True).start()
        return _loop


class _Call(Generic[T]):
    """
    Some work on its way through the loop.

    An interrupt may come at any moment, so the outcome exists before the work begins, and nobody but its end sets it.
    """

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self.outcome: Future[T] = Future()
        self._work = work
        self._task: asyncio.Future[T] | None = None

    def begin(self) -> None:
        self._task = asyncio.ensure_future(self._work)
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        else:
            self._work.close()
            self.outcome.set_exception(CancelledError())

    def _end(self, task: asyncio.Future[T]) -> None:
        error = CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(task.result())


class Client:
    """
    A client of one account.

    Args:
        host: Where to log in: `filehelper` (File Transfer Helper web, open to every account), `web`, or the name of an
            API host such as `wx2.qq.com`. Default: `filehelper`, or `web` when a server is given.
        server: Origin of a server that plays all hosts, such as a sandbox's `http://127.0.0.1:8790`.
        store: Where the login is kept; default: in memory.
        transport: What carries the requests; default: real HTTP.
        timeouts: How long to wait, for the default transport.
        clock: Seconds since 1970.

    Raises:
        NotOnThisHost: There is no such host, or the server is no address.
    """

    def __init__(
        self,
        *,
        host: str | None = None,
        server: str | None = None,
        store: LoginStore | None = None,
        transport: Transport | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - a frozen value
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = AsyncClient(
            host=host, server=server, store=store, transport=transport, timeouts=timeouts, clock=clock
        )

    def __repr__(self) -> str:
        return repr(self._client).replace("AsyncClient", "Client", 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the loop; an interrupt here cancels it there, and goes on once it has ended."""
        loop, call = _shared_loop(), _Call(work)
        try:
            loop.call_soon_threadsafe(call.begin)
            return call.outcome.result()
        finally:
            if not call.outcome.done():
                loop.call_soon_threadsafe(call.cancel)
                call.outcome.exception()

    def close(self) -> None:
        """Save what the store does not know yet, and let go of all connections. The login lives on."""
        self._wait(self._client.close())

    # -- login -------------------------------------------------------------------------------------------------------

    @property
    def account(self) -> Account:
        """
        Who is logged in.

        Raises:
            LoggedOut: Nobody.
        """
        return self._client.account

    def login(self, *, show_qr: Callable[[QrCode], object] = print_code, max_codes: int = 3) -> Account:
        """Log in: go on with the saved login when it is alive, else show a code and wait for the phone."""
        return self._wait(self._client.login(show_qr=show_qr, max_codes=max_codes))

    def resume(self) -> Account:
        """Go on with the saved login, without asking the server."""
        return self._wait(self._client.resume())

    def check(self) -> Account:
        """Ask the server whether the login is alive; nothing is taken from it."""
        return self._wait(self._client.check())

    def logout(self) -> None:
        """End the login here and on the server."""
        self._wait(self._client.logout())

    # -- contacts ----------------------------------------------------------------------------------------------------

    @property
    def contacts(self) -> Contacts:
        """Everybody known in this login: found by id at once, by name through an index."""
        return self._client.contacts

    def list_contacts(self) -> list[Contact]:
        """Fetch all contacts again, chatrooms with their members."""
        return self._wait(self._client.list_contacts())

    # -- the four actions, and what goes with them -------------------------------------------------------------------

    def send_text(self, to: Contact | str, text: str) -> Receipt:
        """Send a text."""
        return self._wait(self._client.send_text(to, text))

    def send_image(self, to: Contact | str, image: str | os.PathLike[str] | bytes, *, name: str = "") -> Receipt:
        """Send a picture: JPEG, PNG or BMP."""
        return self._wait(self._client.send_image(to, image, name=name))

    def reply(self, message: Message, text: str) -> Receipt:
        """Send a text into the chat of a message."""
        return self._wait(self._client.reply(message, text))

    def mark_read(self, chat: Contact | str) -> None:
        """Mark a whole chat as read: its badge goes on the account's other devices. The other side learns nothing."""
        self._wait(self._client.mark_read(chat))

    def recall(self, receipt: Receipt) -> None:
        """Take back a message this account sent."""
        self._wait(self._client.recall(receipt))

    def forward(self, message: Event, to: Contact | str) -> Receipt:
        """Send a received message on. A picture goes by the keys in its content, recalled or not, without an upload."""
        return self._wait(self._client.forward(message, to))

    def download(self, message: ImageMessage | Receipt | str) -> bytes:
        """Download the picture of a message."""
        return self._wait(self._client.download(message))

    # -- sync --------------------------------------------------------------------------------------------------------

    def events(self, *, include_all: bool = True) -> Iterator[Event]:
        """Yield what happens, for ever: messages, recalls, changes of contacts, activity of the phone."""
        events = self._client.events(include_all=include_all)
        try:
            while True:
                yield self._wait(anext(events))
        finally:
            self._wait(events.aclose())
