"""The sends of an account that this process runs: it makes them at once, or in the background."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from webwx.client.cancellation import cancel_until_done
from webwx.client.sending.files import sha256_of
from webwx.client.state import LoginState
from webwx.errors import ConnectFailed, NoSuchFile, NotLoggedIn, TlsError, TransportError, WxError
from webwx.gateway.accounts.account_sends import UNFINISHED, AccountSends, Sent, TextContent, own_key, present_of
from webwx.gateway.accounts.journal_lookup import required_event, required_send
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sends.background_sends import BackgroundSends, QueuedSend, queued
from webwx.gateway.sends.former_promises import convert_promises

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import NoReturn

    from webwx.client.client import AsyncClient
    from webwx.gateway.accounts.account_sends import Content, MediaContent
    from webwx.gateway.sends.background_sends import AccountOutbox
    from webwx.gateway.sends.send_files import AccountSendFiles
    from webwx.model.messages import Receipt
    from webwx.storage.tables.outbox import Outgoing
    from webwx.storage.tables.records import RecordStore

T = TypeVar("T")

_QUEUED = (ConnectFailed, TlsError)
"""Errors after which a send stays queued in the outbox, and may be made later."""


class OwnedSends(AccountSends):
    """
    The sends of an account that runs in this process.

    Args:
        number: Number of the account in the gateway.
        client: Returns the account's client.
        outbox: Returns the outbox of the account; raises `NotLoggedIn` before its first login.
        records: Has the background sends of an earlier version.
        files: Files of sends.
        clock: Returns seconds since 1970.
        announce: Called after a background send has an outcome, which another process may wait for.
    """

    def __init__(
        self,
        number: int,
        client: Callable[[], AsyncClient],
        outbox: Callable[[], AccountOutbox],
        records: RecordStore,
        files: AccountSendFiles,
        clock: Callable[[], float],
        *,
        announce: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        async def refuse() -> NoReturn:
            raise AssertionError("The owner refuses no send.")

        super().__init__(client, lambda: contextlib.nullcontext(client()), refuse)
        self._outbox = outbox
        self._files = files
        self._announce = announce
        self._queue = BackgroundSends(
            outbox, self._make, self._end, clock, prepare=partial(convert_promises, records, number)
        )
        self._tasks: list[asyncio.Task[Any]] = []
        self._sending: set[asyncio.Task[Any]] = set()
        self._running: WeakValueDictionary[str, asyncio.Task[Receipt]] = WeakValueDictionary()
        """The latest attempt at a send by the key of the send: the next one waits for its end."""
        self._storing: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        """Locks of the sends whose files are being stored now, by their numbers."""

    def __len__(self) -> int:
        """Return the number of sends that wait for the background."""
        return len(self._queue)

    # -- life --------------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """
        Read the sends that wait for the background, and delete the files that a killed process has left behind.

        Raises:
            StorageError: They cannot be read.
        """
        await self._queue.load()
        await self._files.delete_all_but(self._queue.files)

    def start(self) -> None:
        """Begin to make the sends that wait."""
        self._tasks = [asyncio.ensure_future(work) for work in self._queue.works()]

    async def finish(self, *, patience: float) -> None:
        """Wait for sends in progress, up to some seconds."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=patience)

    async def close(self) -> None:
        """Stop everything; the outcome of a send in progress is unknown then."""
        await cancel_until_done([*self._tasks, *self._sending])

    async def end_background(self) -> None:
        """Leave all background sends `queued`, after `close`, because the account is removed from the gateway."""
        with contextlib.suppress(NotLoggedIn):  # it has no outbox
            await self._outbox().outbox.end_background()
        await self._files.delete_all_but(())

    def wake(self) -> None:
        """Try the sends that wait now, because the account may be able to send again."""
        self._queue.wake()

    def look(self, stored: int | None = None) -> None:
        """
        Make the sends that another process has stored.

        Args:
            stored: Number of queued background sends; None: other processes have announced new ones.
        """
        if stored is None or stored > len(self._queue):
            self._queue.load_soon(all_of_them=stored is not None)

    def look_at_all(self) -> None:
        """Make the sends that another process has stored, or moved to the background."""
        self._queue.load_soon(all_of_them=True)

    # -- sends -------------------------------------------------------------------------------------------------------

    async def send(self, to: str | int, content: Content, *, key: str = "", wait: float = 25.0) -> Sent:
        """Send a message, and wait for its outcome."""
        key = key or own_key()
        if isinstance(content, TextContent):
            return await self._send_text(to, content, key, wait)
        return await self._send_file(to, content, key, wait)

    async def _send_text(self, to: str | int, content: TextContent, key: str, wait: float) -> Sent:
        task = self._begin(key, lambda: self._client().send_text(to, content.text, key=key))
        if await _is_decided(task, wait):
            return _sent(task.result())
        row = await self._client().find_send(key=key)
        if row is None:
            task.cancel()
            raise GatewayProblem("unavailable", "The send could not be stored in time; nothing was sent.")
        await self._note_stored(row)
        return present_of(row)

    async def _note_stored(self, row: Outgoing) -> None:
        """Make a stored text in the background, unless it has an outcome."""
        if row.state in UNFINISHED and (row.background or await self._outbox().outbox.move_to_background(row.number)):
            self._queue.add(queued(row))

    async def _send_file(self, to: str | int, content: MediaContent, key: str, wait: float) -> Sent:
        file = await self._files.keep(content.path)
        task = self._begin(key, lambda: self._upload(to, content.kind, file, content.name, key))
        try:
            if await _is_decided(task, wait):
                receipt = task.result()
                await self._files.discard(file)
                return _sent(receipt)
            row = await self._queue_file(to, content, file, key)
        except WxError:
            task.cancel()
            await self._files.discard(file)
            raise
        return await self._move_file(row, file)

    async def enqueue_file(self, to: str | int, content: MediaContent, *, key: str = "") -> Sent:
        """Store the send of a file in the outbox, and send it in the background."""
        file = await self._files.keep(content.path)
        try:
            row = await self._queue_file(to, content, file, key or own_key())
        except WxError:
            await self._files.discard(file)
            raise
        return await self._move_file(row, file)

    async def _queue_file(self, to: str | int, content: MediaContent, file: str, key: str) -> Outgoing:
        """Store the send of a file in the outbox, or return the existing send with the key."""
        sha256 = await asyncio.to_thread(sha256_of, str(self._files.path(file)))
        return await self._client().queue_file(to, content.name, kind=content.kind, key=key, sha256=sha256)

    async def _move_file(self, row: Outgoing, file: str) -> Sent:
        """
        Store the file of a send, and send it in the background, unless it has an outcome or is a background send.

        The row is changed after the file was stored, and only by the owner of the account: the next owner deletes files
        that no row names, so a send that was accepted has its file.
        """
        async with self._storing.setdefault(row.number, asyncio.Lock()):
            if row.state not in UNFINISHED or row.background or self._queue.has(row.number):
                await self._files.discard(file)
                return present_of(row)
            send = QueuedSend(row.number, row.key, file)
            await self._files.store(send)
            if await self._outbox().outbox.move_to_background(row.number, file=file):
                self._queue.add(send)
            else:  # it has an outcome by now
                await self._files.delete(send)
        return present_of(row)

    def _upload(
        self, to: str | int, kind: str, file: str, name: str, key: str
    ) -> Coroutine[Any, Any, Receipt]:  # fmt: skip
        """Return a coroutine that sends a file."""
        client, path = self._client(), self._files.path(file)
        match kind:
            case "image":
                return client.send_image(to, path, name=name, key=key)
            case "video":
                return client.send_video(to, path, name=name, key=key)
            case "sticker":
                return client.send_sticker(to, path, name=name, key=key)
            case _:
                return client.send_file(to, path, name=name, key=key)

    async def retry(self, client_id: str, *, wait: float = 25.0) -> Sent:
        """Send a queued or refused text again, or a queued file that is stored here, under its id."""
        row = await required_send(self._client(), client_id)
        task = self._begin(queued(row).key, lambda: self._attempt(queued(row)))
        done, _ = await asyncio.wait([task], timeout=wait)
        if not done:
            return present_of(await required_send(self._client(), client_id))
        receipt = task.result()
        self._queue.wake()
        return _sent(receipt)

    async def forward(self, number: int, to: str | int, *, key: str = "") -> Sent:
        """Forward an event by its number, recalled or not."""
        event = await required_event(self._client(), number)
        return _sent(await self._track(self._client().forward(event, to, key=key)))

    # -- attempts ----------------------------------------------------------------------------------------------------

    def _begin(self, key: str, make: Callable[[], Coroutine[Any, Any, Receipt]]) -> asyncio.Task[Receipt]:
        """Begin an attempt at a send, once an earlier attempt at a send with this key has ended."""
        before = self._running.get(key)
        task = self._running[key] = self._track(make() if before is None else _after(before, make))
        return task

    def _track(self, sending: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(sending)
        self._sending.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._sending.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may be gone; the outbox has the outcome

    async def _make(self, send: QueuedSend) -> None:
        """Make an attempt at a background send."""
        if self._client().state in {LoginState.NEW, LoginState.LOGGING_IN}:
            raise NotLoggedIn("The account is not logged in yet.")
        await self._begin(send.key, lambda: self._attempt(send))

    async def _attempt(self, send: QueuedSend) -> Receipt:
        """
        Make an attempt at a stored send, and return its receipt.

        Raises:
            ConnectFailed: The file could not be uploaded, and the send is still queued.
            NoSuchFile: The file is gone, and the send has failed.
            StorageError: The file cannot be read now, and the send is still queued.
        """
        if not send.file:
            return await self._client().retry_send(send.number)
        row = await self._client().find_send(number=send.number)
        if row is None or row.state != "queued":  # it was deleted, or has an outcome
            return await self._client().retry_send(send.number)
        await self._files.fetch(send)
        try:
            return await self._upload(row.chat, row.kind, send.file, row.text, row.key)
        except NoSuchFile:
            raise NoSuchFile("The file of this send is not stored any more; send it again with the same key.") from None
        except TransportError as error:
            row = await self._client().find_send(number=send.number)
            if row is not None and row.state == "queued":
                raise ConnectFailed("The file could not be uploaded.") from error
            raise

    async def _end(self, send: QueuedSend) -> None:
        """Delete the file of a background send that has an outcome, and announce the outcome."""
        if send.file:
            await self._files.delete(send)
        if self._announce is not None:
            await self._announce()


async def _after(before: asyncio.Task[Receipt], make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    await asyncio.wait([before])
    return await make()


async def _is_decided(task: asyncio.Task[Receipt], wait: float) -> bool:
    """
    Return whether a send has an outcome after some seconds; False if it is queued and may be sent later.

    The owner waits for its own attempt, which raises the error of the send and needs no read of its row; `wait` is for
    a send that another process or the background makes.
    """
    done, _ = await asyncio.wait([task], timeout=wait)
    return bool(done) and not isinstance(task.exception(), _QUEUED)


def _sent(receipt: Receipt) -> Sent:
    return Sent(client_id=receipt.client_id, state="sent", receipt=receipt)
