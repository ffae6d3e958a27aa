"""The sends of an account that this process runs: it makes them at once, or in the background."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from webwx.client.cancellation import cancel_until_done
from webwx.client.files import sha256_of
from webwx.client.state import LoginState
from webwx.errors import (
    ConnectFailed,
    NoSuchFile,
    NotLoggedIn,
    TlsError,
    TransportError,
    WxError,
)
from webwx.gateway.account_sends import AccountSends, Sent, TextContent, own_key, present_of
from webwx.gateway.background_sends import FILES, BackgroundSends, Promise
from webwx.gateway.journal_lookup import required_event, required_send
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable
    from typing import NoReturn

    from webwx.client.client import AsyncClient
    from webwx.gateway.account_sends import Content, MediaContent
    from webwx.gateway.send_files import AccountSendFiles
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
        records: Stores promised sends.
        files: Files of sends.
        clock: Returns seconds since 1970.
        settled: Called after a text that was sent in the background has an outcome.
    """

    def __init__(
        self,
        number: int,
        client: Callable[[], AsyncClient],
        records: RecordStore,
        files: AccountSendFiles,
        clock: Callable[[], float],
        *,
        settled: Callable[[Promise], Awaitable[object]] | None = None,
    ) -> None:
        async def refuse() -> NoReturn:
            raise AssertionError("The owner refuses no send.")

        async def promise(row: Outgoing) -> None:
            await self._promised.add(Promise(row.number))

        super().__init__(client, lambda: contextlib.nullcontext(client()), refuse, promise)
        self._files = files
        self._promised = BackgroundSends(number, records, self._keep_promise, clock, settled=settled)
        self._promised_files = BackgroundSends(
            number, records, self._keep_promise, clock, kind=FILES, settled=files.delete
        )
        self._tasks: list[asyncio.Task[Any]] = []
        self._sending: set[asyncio.Task[Any]] = set()
        self._sending_files: WeakValueDictionary[str, asyncio.Task[Receipt]] = WeakValueDictionary()
        """Sends of files in progress by their keys."""
        self._keeping_promises: WeakValueDictionary[int, asyncio.Task[None]] = WeakValueDictionary()
        """Attempts at promised sends by their numbers."""
        self._promising: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        """Locks of the sends whose files are being stored now, by their numbers."""

    def __len__(self) -> int:
        """Return the number of sends that wait for the background."""
        return len(self._promised) + len(self._promised_files)

    # -- life --------------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """
        Read the sends that wait for the background.

        Raises:
            StorageError: They cannot be read.
        """
        await self._promised.load()
        await self._promised_files.load()
        await self._files.delete_all_but(self._promised_files.promises)

    def start(self) -> None:
        """Begin to make the sends that wait."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(each.run()) for each in (self._promised, self._promised_files)]

    async def finish(self, *, patience: float) -> None:
        """Wait for sends in progress, up to some seconds."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=patience)

    async def close(self) -> None:
        """Stop everything; the outcome of a send in progress is unknown then."""
        await cancel_until_done([*self._tasks, *self._sending])

    async def delete_promises(self) -> None:
        """Delete the promises of background sends, after `close`, because the account is removed from the gateway."""
        for promised in (self._promised, self._promised_files):
            await promised.delete_all()
        await self._files.delete_all_but(())

    def wake(self) -> None:
        """Try the sends that wait now, because the account may be able to send again."""
        self._promised.wake()
        self._promised_files.wake()

    def take_promises(self, promises: Iterable[Promise]) -> None:
        """Make the sends that another process has stored."""
        for promise in promises:
            self._promised.take(promise)

    def load_promises_soon(self) -> None:
        """Read the sends that another process has just stored, and make them."""
        self._promised.load_soon()

    # -- sends -------------------------------------------------------------------------------------------------------

    async def send(self, to: str | int, content: Content, *, key: str = "", wait: float = 25.0) -> Sent:
        """Send a message, and wait for its outcome."""
        key = key or own_key()
        if isinstance(content, TextContent):
            return await self._send_text(to, content, key, wait)
        return await self._send_file(to, content, key, wait)

    async def _send_text(self, to: str | int, content: TextContent, key: str, wait: float) -> Sent:
        task = self._track(self._client().send_text(to, content.text, key=key))
        if await self._is_decided(task, wait):
            return _sent(task.result())
        row = await self._client().find_send(key=key)
        if row is None:
            task.cancel()
            raise GatewayProblem("unavailable", "The send could not be stored in time; nothing was sent.")
        if task.done():
            await self._promised.add(Promise(row.number))
        return present_of(row)

    async def _send_file(self, to: str | int, content: MediaContent, key: str, wait: float) -> Sent:
        kept = await self._files.keep(content.path)
        task = self._sending_files[key] = self._track(self._upload(to, content.kind, kept, content.name, key))
        try:
            if await self._is_decided(task, wait):
                receipt = task.result()
                await self._files.discard(kept)
                return _sent(receipt)
            row = await self._queue_file(to, content, kept, key)
        except WxError:
            task.cancel()
            await self._files.discard(kept)
            raise
        return await self._promise_file(row, kept)

    async def _is_decided(self, task: asyncio.Task[Receipt], wait: float) -> bool:
        """Return whether a send has an outcome after some seconds; False if it is queued and may be sent later."""
        done, _ = await asyncio.wait([task], timeout=wait)
        return bool(done) and not isinstance(task.exception(), _QUEUED)

    async def _promise_file(self, row: Outgoing, kept: str) -> Sent:
        """Promise to send a file in the background, unless it was sent or promised already."""
        async with self._promising.setdefault(row.number, asyncio.Lock()):
            if row.state in {"queued", "sending"} and self._promised_files.find(row.number) is None:
                promise = Promise(row.number, kept)
                async with self._files.stored(promise):
                    await self._promised_files.add(promise)
            else:
                await self._files.discard(kept)
        return present_of(row)

    async def _queue_file(self, to: str | int, content: MediaContent, kept: str, key: str) -> Outgoing:
        """Store the send of a kept file in the outbox, or return the existing send with the key."""
        sha256 = await asyncio.to_thread(sha256_of, str(self._files.path(kept)))
        return await self._client().queue_file(to, content.name, kind=content.kind, key=key, sha256=sha256)

    def _upload(
        self, to: str | int, kind: str, kept: str, name: str, key: str
    ) -> Coroutine[Any, Any, Receipt]:  # fmt: skip
        """Return a coroutine that sends a kept file."""
        client, path = self._client(), self._files.path(kept)
        match kind:
            case "image":
                return client.send_image(to, path, name=name, key=key)
            case "video":
                return client.send_video(to, path, name=name, key=key)
            case "sticker":
                return client.send_sticker(to, path, name=name, key=key)
            case _:
                return client.send_file(to, path, name=name, key=key)

    def _track(self, sending: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(sending)
        self._sending.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._sending.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may be gone; the outbox has the outcome

    async def enqueue_file(self, to: str | int, content: MediaContent, *, key: str = "") -> Sent:
        """Store the send of a file in the outbox, and send it in the background."""
        kept = await self._files.keep(content.path)
        try:
            row = await self._queue_file(to, content, kept, key or own_key())
        except WxError:
            await self._files.discard(kept)
            raise
        return await self._promise_file(row, kept)

    def _keep_promise(self, promise: Promise) -> asyncio.Task[None]:
        """Return the task that makes an attempt at a promised send; there is one at a time."""
        task = self._keeping_promises.get(promise.number)
        if task is None or task.done():
            attempt = self._send_promised_file(promise) if promise.file else self._send_promised_text(promise)
            task = self._keeping_promises[promise.number] = self._track(attempt)
        return task

    async def _send_promised_text(self, promise: Promise) -> None:
        self._require_begun()
        await self._client().retry_send(promise.number)

    async def _send_promised_file(self, promise: Promise) -> None:
        """
        Send a promised file, or continue with the send of it that is in progress.

        Raises:
            ConnectFailed: The file could not be uploaded, and the send is still queued.
            NoSuchFile: The file is gone, and the send has failed.
            StorageError: The file cannot be read now, and the send is still queued.
        """
        self._require_begun()
        row = await self._client().find_send(number=promise.number)
        if row is not None and (running := self._sending_files.get(row.key)) is not None:
            await asyncio.wait([running])
            row = await self._client().find_send(number=promise.number)
        if row is None or row.state != "queued":  # it was deleted, or has an outcome
            return
        await self._files.fetch(promise)
        try:
            await self._track(self._upload(row.chat, row.kind, promise.file, row.text, row.key))
        except NoSuchFile:
            raise NoSuchFile("The file of this send is not stored any more; send it again with the same key.") from None
        except TransportError as error:
            row = await self._client().find_send(number=promise.number)
            if row is not None and row.state == "queued":
                raise ConnectFailed("The file could not be uploaded.") from error
            raise

    def _require_begun(self) -> None:
        if self._client().state in {LoginState.NEW, LoginState.LOGGING_IN}:
            raise NotLoggedIn("The account is not logged in yet.")

    async def retry(self, client_id: str, *, wait: float = 25.0) -> Sent:
        """Send a queued or refused text again, or a queued file that is kept here, under its id."""
        row = await required_send(self._client(), client_id)
        for promises in (self._promised, self._promised_files):
            promise = promises.find(row.number)
            if promise is not None:
                task = self._keep_promise(promise)
                done, _ = await asyncio.wait([task], timeout=wait)
                if not done:
                    row = await required_send(self._client(), client_id)
                    return Sent(client_id=client_id, state=row.state, receipt=row.receipt)
                task.result()
                promises.wake()
        return _sent(await self._track(self._client().retry_send(row.number)))

    async def forward(self, number: int, to: str | int, *, key: str = "") -> Sent:
        """Forward an event by its number, recalled or not."""
        event = await required_event(self._client(), number)
        receipt = await self._track(self._client().forward(event, to, key=key))
        return Sent(client_id=receipt.client_id, state="sent", receipt=receipt)


def _sent(receipt: Receipt) -> Sent:
    return Sent(client_id=receipt.client_id, state="sent", receipt=receipt)
