"""
The queue between notifications and the outbox: messages are stored at once, or held and combined.

A text for an account that is online goes into the outbox before its sender gets an answer. Three kinds of messages are
stored as records and held: the rest of a burst, files, and messages that arrive while the account is logged out. Held
messages are sent in their order; several are combined into one digest with the times of their arrival.

The messages of a burst are counted in memory. If several gateways share the records, what this one knows may be too
low, so a message that it could send is counted in the records as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
from typing import TYPE_CHECKING, NoReturn

import msgspec

from webwx.errors import InvalidRequest, NotAPicture, RecordChanged, WxError
from webwx.gateway.notify.digest import Burst, Collected, digest
from webwx.gateway.notify.message import OutgoingMessage, with_age
from webwx.gateway.notify.receiver import StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.port import MediaContent
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sent_times import SentTimes
from webwx.model.contacts import FILEHELPER
from webwx.representations.sends import MediaKind
from webwx.storage.atomic_write import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from webwx.gateway.notify.notification import AttachedFile
    from webwx.gateway.port import AccountPort, GatewayPort
    from webwx.gateway.receivers import Receivers, StoredReceiver
    from webwx.storage.base import RecordStore

_log = logging.getLogger("webwx.gateway")

MOST_HELD = 500
"""Maximum number of held messages of one receiver; further messages are refused until some were sent."""
REMEMBERED_SECONDS = 7 * 24 * 3600.0
"""Seconds for which the idempotency key of a held message is remembered after the message was sent."""

_HELD, _DONE = "held", "notified"
"""Kinds of records: a held message, and the key of one that was sent."""
_LOOK_EVERY = 1.0
"""Seconds between two looks at what other gateways have stored."""
_RETRY = 30.0
"""Seconds until held messages are tried again."""
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")
"""First bytes of the picture formats that a phone shows."""


class HeldFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a held message."""

    path: str
    """Name in the folder of held files."""
    name: str
    kind: MediaKind
    content: bytes = b""
    """Content of the file, if another machine may send it; otherwise it is in the folder."""

    def __repr__(self) -> str:
        return f"HeldFile({self.kind})"


class HeldMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that waits: the body of a record."""

    id: str
    """Time of its arrival and a random text; the id of the record is that of the receiver and this one."""
    at: float
    """Time at which its request arrived: seconds since 1970."""
    text: str
    files: tuple[HeldFile, ...] = ()
    key: str = ""
    """Digest of the idempotency key; empty without a key."""

    def __repr__(self) -> str:
        return f"HeldMessage({self.id})"


class NotificationQueue:
    """
    Accepts the messages of all receivers, and stores each in the outbox of its account.

    Args:
        port: The accounts.
        records: Stores the held messages.
        receivers: The receivers.
        folder: Folder for the files of held messages.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self,
        port: GatewayPort,
        records: RecordStore,
        receivers: Receivers,
        folder: Path,
        clock: Callable[[], float],
    ) -> None:
        self._port = port
        self._records = records
        self._receivers = receivers
        self.folder = folder
        """Folder for the files of held messages."""
        self._clock = clock
        self._sent_times = SentTimes(records, clock)
        self._bursts: dict[str, Burst[HeldMessage]] = {}
        self._last_number = 0
        self._added: set[str] = set()
        """Ids of the messages that were held here since the stored ones were read."""
        self._wake = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._tasks: list[asyncio.Task[NoReturn]] = []

    def __repr__(self) -> str:
        return f"NotificationQueue({sum(map(len, self._held().values()))} held)"

    def _held(self) -> dict[str, tuple[HeldMessage, ...]]:
        return {receiver: burst.collected for receiver, burst in self._bursts.items()}

    def waiting(self, receiver: str) -> int:
        """Return how many messages of a receiver are held."""
        return len(self._burst(receiver).collected)

    async def waiting_for_account(self, account: int) -> int:
        """Return how many messages are held for an account."""
        return sum(
            self.waiting(receiver.id) for receiver in await self._receivers.find() if receiver.account == account
        )

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read the held messages of an earlier process, and begin to send them."""
        await self._load()
        await self._forget_old_keys()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run()), loop.create_task(self._watch())]

    async def _load(self) -> None:
        """Read the held messages, which other gateways may have stored or sent."""
        self._added.clear()
        stored: dict[str, list[HeldMessage]] = {receiver: [] for receiver in self._bursts}
        for record in await self._records.find(_HELD):
            message = msgspec.json.decode(record.body, type=HeldMessage)
            stored.setdefault(record.id.partition("/")[0], []).append(message)
        for receiver, messages in stored.items():
            burst = self._burst(receiver)
            ids = {message.id for message in messages}
            added = [each for each in burst.collected if each.id in self._added - ids]
            self._bursts[receiver] = Burst(sent=burst.sent, collected=(*messages, *added))

    async def close(self) -> None:
        """Stop; held messages stay stored."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _watch(self) -> NoReturn:
        while True:
            async for _ in self._port.watch_states(owned=True):
                self._wake.set()

    async def _run(self) -> NoReturn:
        while True:
            self._wake.clear()
            try:
                await self.flush()
            except WxError as error:  # such as a full disk; the messages stay held
                _log.warning("Held notifications cannot be sent now (%s).", type(error).__name__)
            pause = await self._pause()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)

    async def _pause(self) -> float | None:
        receivers = {receiver.id: receiver for receiver in await self._receivers.find()}
        due = [
            at
            for receiver_id, burst in self._bursts.items()
            if receiver_id in receivers and (at := burst.due_at(receivers[receiver_id].rule)) is not None
        ]
        if self._port.is_shared:
            return _LOOK_EVERY
        if not due:
            return None
        wait = min(due) - self._clock()
        return wait if wait > 0 else _RETRY

    async def _forget_old_keys(self) -> None:
        for record in await self._records.find(_DONE):
            if self._clock() - record.changed_at > REMEMBERED_SECONDS:
                await self._records.delete(_DONE, record.id)
        await self._sent_times.forget_old()

    def _burst(self, receiver: str) -> Burst[HeldMessage]:
        return self._bursts.get(receiver, Burst())

    # -- a new message -----------------------------------------------------------------------------------------------

    async def put(self, receiver: StoredReceiver, message: OutgoingMessage, key: str) -> StoredMessage:
        """
        Store a message, and return once it is durable: in the outbox, or held.

        Args:
            receiver: Receiver of the message.
            message: The message.
            key: Idempotency key of its request; a second message with the same key is not stored.

        Raises:
            Refusal: Too many messages are held, or the account is logged out and the receiver does not hold messages.
            WxError: The message could not be stored.
        """
        now = self._clock()
        hashed = hashlib.sha256(f"{receiver.id}/{key}".encode()).hexdigest() if key else ""
        number = self._next_number(now)
        # The number is the time, so the records are in the order of arrival; another gateway may use the same one.
        held = HeldMessage(id=f"{number:015d}-{secrets.token_hex(4)}", at=now, text=message.text, key=hashed)
        stored = StoredMessage(int(hashed[:12], 16) if hashed else number, now)
        if hashed and await self._is_known(receiver, hashed):
            return stored
        account = self._port.account(receiver.account)
        is_online = await is_account_online(account)
        if not (is_online or receiver.holds):
            raise Refusal(RefusalReason.OFFLINE, retry_after=60)
        if is_online and not message.files and await self._may_send(receiver, held):
            await _enqueue(account, receiver, message.text, hashed)
            return stored
        if self.waiting(receiver.id) >= MOST_HELD:
            raise Refusal(RefusalReason.RATE_LIMITED, "Too many messages wait for this receiver.", retry_after=60)
        await self._hold(receiver, message, held)
        return stored

    async def _may_send(self, receiver: StoredReceiver, message: HeldMessage) -> bool:
        """Return whether a message is sent by itself now; if so, it is counted."""
        burst, is_now = self._burst(receiver.id).offer(message, message.at, receiver.rule)
        if not is_now:
            return False
        self._bursts[receiver.id] = burst
        if self._port.is_shared:
            sent, is_now = await self._sent_times.take(receiver.id, receiver.rule, message.at)
            self._note_sent(receiver.id, sent)
        return is_now

    def _note_sent(self, receiver: str, sent: tuple[float, ...]) -> None:
        self._bursts[receiver] = Burst(sent=sent, collected=self._burst(receiver).collected)

    def _next_number(self, now: float) -> int:
        self._last_number = max(self._last_number + 1, int(now * 1000))
        return self._last_number

    async def _is_known(self, receiver: StoredReceiver, hashed: str) -> bool:
        if any(each.key == hashed for each in self._burst(receiver.id).collected):
            return True
        return await self._records.get(_DONE, hashed) is not None

    async def _hold(self, receiver: StoredReceiver, message: OutgoingMessage, held: HeldMessage) -> None:
        files = [await self._write(file) for file in message.files]
        held = msgspec.structs.replace(held, files=tuple(files))
        await self._records.put(
            _HELD, _record_id(receiver.id, held), msgspec.json.encode(held), version=0, time=self._clock()
        )
        burst = self._burst(receiver.id)
        self._bursts[receiver.id] = Burst(sent=burst.sent, collected=(*burst.collected, held))
        self._added.add(held.id)
        self._wake.set()

    async def _write(self, file: AttachedFile) -> HeldFile:
        path = secrets.token_hex(16)
        await asyncio.to_thread(write_private, self.folder / path, file.content)
        content = file.content if self._port.is_shared else b""
        return HeldFile(path=path, name=_safe_name(file.name), kind=_kind_of(file), content=content)

    # -- what is held ------------------------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Send held messages that are due and whose account is online and runs here."""
        async with self._flushing:
            if self._port.is_shared:
                await self._load()
            owned = await self._port.list_owned()
            for receiver_id in list(self._bursts):
                receiver = await self._receivers.get(receiver_id)
                if receiver is None:
                    await self._drop(receiver_id)
                elif receiver.account in owned:
                    await self._flush_receiver(receiver)

    async def _flush_receiver(self, receiver: StoredReceiver) -> None:
        now = self._clock()
        next_burst, folded = self._burst(receiver.id).flush(now, receiver.rule)
        if folded and self._port.is_shared:
            self._note_sent(receiver.id, await self._sent_times.get(receiver.id))
            next_burst, folded = self._burst(receiver.id).flush(now, receiver.rule)
        if not folded:
            return
        try:
            account = self._port.account(receiver.account)
        except GatewayProblem:  # the account was removed; it may be added again
            return
        if not await is_account_online(account):
            return
        zone = receiver.tzinfo
        message = digest(
            [Collected(OutgoingMessage(each.text or "[file]"), each.at) for each in folded], receiver.rule, zone
        )
        text = with_age(message, folded[0].at, now, zone).text if any(each.text for each in folded) else ""
        batch = hashlib.sha256(_record_id(receiver.id, folded[0]).encode()).hexdigest()
        if text:
            await _enqueue(account, receiver, text, batch)
        whole = [file for file in message.files if file.name == "message.txt"]
        files = [*(await asyncio.gather(*map(self._write, whole))), *(file for each in folded for file in each.files)]
        await self._send_files(account, receiver, files, batch)
        await self._finish(receiver, folded)
        sent = next_burst.sent
        if self._port.is_shared:
            sent = await self._sent_times.count_digest(receiver.id, receiver.rule, now)
        collected = self._burst(receiver.id).collected[len(folded) :]
        self._bursts[receiver.id] = Burst(sent=sent, collected=collected)

    async def _send_files(
        self, account: AccountPort, receiver: StoredReceiver, files: Sequence[HeldFile], batch: str
    ) -> None:
        for number, file in enumerate(files):
            key = f"receiver-{batch[:32]}-{number}"
            try:
                await self._send_file(account, receiver, file, key)
            except InvalidRequest as error:  # such as an empty file; the text has arrived
                _log.warning("A file of a notification cannot be sent (%s).", type(error).__name__)

    async def _send_file(self, account: AccountPort, receiver: StoredReceiver, file: HeldFile, key: str) -> None:
        path = self.folder / file.path
        if file.content:  # another machine may have stored it
            await asyncio.to_thread(write_private, path, file.content)
        try:
            await account.send(receiver.to, MediaContent(kind=file.kind, path=path, name=file.name), key=key)
        except NotAPicture:
            await account.send(receiver.to, MediaContent(kind="file", path=path, name=file.name), key=key)
        except GatewayProblem as problem:
            if problem.code != "key-reused":
                raise

    async def _finish(self, receiver: StoredReceiver, folded: Sequence[HeldMessage]) -> None:
        for each in folded:
            if each.key:
                with contextlib.suppress(RecordChanged):  # it is there already
                    await self._records.put(_DONE, each.key, b"{}", version=0, time=self._clock())
            await self._records.delete(_HELD, _record_id(receiver.id, each))
            for file in each.files:
                (self.folder / file.path).unlink(missing_ok=True)

    async def _drop(self, receiver_id: str) -> None:
        """Delete the held messages of a receiver that was deleted, and its times."""
        if self._port.is_shared:
            await self._sent_times.forget(receiver_id)
        for each in self._bursts.pop(receiver_id).collected:
            await self._records.delete(_HELD, _record_id(receiver_id, each))
            for file in each.files:
                (self.folder / file.path).unlink(missing_ok=True)


async def is_account_online(account: AccountPort) -> bool:
    """Return whether an account is logged in and its polls succeed."""
    return (await account.status()).state == "online"


async def _enqueue(account: AccountPort, receiver: StoredReceiver, text: str, key: str) -> None:
    """Store a text in the outbox; a key that is there already means that an earlier attempt has stored it."""
    try:
        await account.enqueue(receiver.to, text, key=f"receiver-{key[:32]}" if key else "")
    except GatewayProblem as problem:
        if problem.code != "key-reused":
            raise
    except InvalidRequest as error:
        if receiver.to == FILEHELPER:
            raise
        _log.warning("The recipient of receiver %s is unknown (%s).", receiver.id, type(error).__name__)
        await account.enqueue(FILEHELPER, text, key=f"receiver-{key[:32]}" if key else "")


def _record_id(receiver: str, message: HeldMessage) -> str:
    return f"{receiver}/{message.id}"


def _safe_name(name: str) -> str:
    """Return a file name without folders and control characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if character.isprintable()).strip(". ")
    return shown[:200] or "file"


def _kind_of(file: AttachedFile) -> MediaKind:
    """Return how to send a file: clients often send a picture without its media type."""
    return "image" if file.content.startswith(_PICTURES) else "file"
