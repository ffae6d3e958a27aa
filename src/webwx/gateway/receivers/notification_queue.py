"""
The queue between notifications and the outbox: messages are stored at once, or held and combined.

A text for an account that is online goes into the outbox before its sender gets an answer. Three kinds of messages are
stored as records and held: the rest of a burst, files, and messages that arrive while the account is logged out. Held
messages are sent in their order; several are combined into one digest with the times of their arrival.

A digest is stored with its text before the first attempt to send it, so a message that arrives between two attempts is
in the next digest. Nothing that is held is deleted before each of its sends has a row in the outbox. An idempotency key
is stored in the transaction that holds its message.

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

from webwx.errors import KeyReused, NotLoggedIn, RecordChanged, UnknownContact, WxError
from webwx.gateway.accounts.account_sends import Content, MediaContent, TextContent
from webwx.gateway.accounts.journal_lookup import id_for_user, user_of
from webwx.gateway.notify.digest import Burst, Collected, digest
from webwx.gateway.notify.message import WHOLE_TEXT, OutgoingMessage, with_age
from webwx.gateway.notify.notification import AttachedFile
from webwx.gateway.notify.receiver import StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.receivers.receivers import bind_recipient
from webwx.gateway.receivers.sent_times import SentTimes
from webwx.gateway.sends.disk_room import require_room
from webwx.model.contacts import FILEHELPER
from webwx.protocol.codes import MAX_IMAGE
from webwx.representations.sends import MediaKind
from webwx.storage.atomic_write import write_private
from webwx.storage.tables.records import RecordChange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from webwx.gateway.accounts.account import GatewayAccount, GatewayAccounts
    from webwx.gateway.receivers.receivers import Receivers, StoredReceiver
    from webwx.storage.tables.records import RecordStore, StoredRecord

_log = logging.getLogger("webwx.gateway")

MOST_HELD = 500
"""Maximum number of held messages of one receiver; further messages are refused until some were sent."""
REMEMBERED_SECONDS = 7 * 24 * 3600.0
"""Seconds for which the idempotency key of a held message is remembered after the message was sent."""

_HELD, _DIGEST, _KEY = "held", "held.digest", "notified"
"""Kinds of records: a held message, the digest of a receiver that is being sent, and an idempotency key."""
_LOOK_EVERY = 1.0
"""Seconds between two looks at what other gateways have stored."""
_RETRY = 30.0
"""Seconds until held messages are tried again."""
_FORGET_EVERY = 3600.0
"""Seconds between two looks for old idempotency keys."""
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


class OpenDigest(msgspec.Struct, frozen=True, kw_only=True):
    """A digest that is being sent: the body of a record, which is the same in each attempt."""

    key: str
    """Beginning of the keys of its sends."""
    to: str | int
    """Recipient."""
    user: int = 0
    """As of the receiver."""
    text: str
    whole: str = ""
    """The whole text, which is sent as a file, if `text` is shortened."""
    messages: tuple[str, ...]
    """Ids of its messages."""

    def __repr__(self) -> str:
        return f"OpenDigest({len(self.messages)} messages)"


class UsedKey(msgspec.Struct, frozen=True, kw_only=True):
    """An idempotency key of a request: the body of a record."""

    is_stored: bool = True
    """Whether the message is held or in the outbox; otherwise an attempt to store it in the outbox has begun."""


class NotificationQueue:
    """
    Accepts the messages of all receivers, and stores each in the outbox of its account.

    Args:
        port: The accounts.
        records: Stores the held messages.
        receivers: The receivers.
        folder: Folder for the files of held messages.
        clock: Returns seconds since 1970.
        keep_free: Returns the number of bytes that files leave free on the disk.
    """

    def __init__(
        self,
        port: GatewayAccounts,
        records: RecordStore,
        receivers: Receivers,
        folder: Path,
        clock: Callable[[], float],
        keep_free: Callable[[], int] = lambda: 0,
    ) -> None:
        self._port = port
        self._records = records
        self._receivers = receivers
        self.folder = folder
        """Folder for the files of held messages."""
        self._clock = clock
        self._keep_free = keep_free
        self._sent_times = SentTimes(records, clock)
        self._bursts: dict[str, Burst[HeldMessage]] = {}
        self._last_number = 0
        self._forget_at = 0.0
        """Time at which old keys are deleted next."""
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

    async def file_names(self) -> set[str]:
        """Return the names of the files of held messages."""
        messages = [msgspec.json.decode(record.body, type=HeldMessage) for record in await self._records.find(_HELD)]
        return {file.path for message in messages for file in message.files}

    async def waiting_for_account(self, account: int) -> int:
        """Return how many messages are held for an account."""
        return sum(
            self.waiting(receiver.id) for receiver in await self._receivers.find() if receiver.account == account
        )

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read the held messages of an earlier process, and begin to send them."""
        await self._load()
        await self._forget_old()
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
            except (WxError, GatewayProblem) as error:  # such as a full disk; the messages stay held
                _log.warning("Held notifications cannot be sent now (%s).", type(error).__name__)
            pause = await self._pause()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

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

    async def _forget_old(self) -> None:
        """Delete the keys of messages that were sent long ago, and times that no longer matter."""
        now = self._clock()
        if now < self._forget_at:
            return
        self._forget_at = now + _FORGET_EVERY
        held = {each.key for messages in self._held().values() for each in messages}
        for record in await self._records.find(_KEY):
            if now - record.changed_at > REMEMBERED_SECONDS and record.id not in held:
                await self._records.delete(_KEY, record.id)
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
        receiver = await self._of_user(receiver)
        now = self._clock()
        hashed = hashlib.sha256(f"{receiver.id}/{key}".encode()).hexdigest() if key else ""
        number = self._next_number(now)
        # The number is the time, so the records are in the order of arrival; another gateway may use the same one.
        message = _without_empty_files(message)
        held = HeldMessage(id=f"{number:015d}-{secrets.token_hex(4)}", at=now, text=message.text, key=hashed)
        is_stored = False
        while not is_stored:
            record = await self._records.get(_KEY, hashed) if hashed else None
            is_stored = await self._store(receiver, message, held, record)
        return StoredMessage(int(hashed[:12], 16) if hashed else number, now)

    async def _store(
        self, receiver: StoredReceiver, message: OutgoingMessage, held: HeldMessage, record: StoredRecord | None
    ) -> bool:
        """Store a message, unless its key is known; return False if its key was stored by another request meanwhile."""
        if record is not None and msgspec.json.decode(record.body, type=UsedKey).is_stored:
            return True
        account = self._port.account(receiver.account)
        if record is not None:
            await self._store_at_once(account, receiver, held, record.version)
            return True
        is_online = await is_account_online(account)
        if not (is_online or receiver.holds):
            raise Refusal(RefusalReason.OFFLINE, retry_after=60)
        try:
            if is_online and not message.files and await self._may_send(receiver, held):
                version = 0
                if held.key:
                    version = (await self._put_key(held.key, UsedKey(is_stored=False), 0)).version
                await self._store_at_once(account, receiver, held, version)
                return True
            if self.waiting(receiver.id) >= MOST_HELD:
                raise Refusal(RefusalReason.RATE_LIMITED, "Too many messages wait for this receiver.", retry_after=60)
            await self._hold(receiver, message, held)
        except RecordChanged:
            return False
        return True

    async def _store_at_once(
        self, account: GatewayAccount, receiver: StoredReceiver, message: HeldMessage, version: int
    ) -> None:
        """Store a text in the outbox, and then that its key is done."""
        key = f"receiver-{message.key[:32]}" if message.key else ""
        await _store_send(account, receiver, TextContent(text=message.text), key)
        if message.key:
            with contextlib.suppress(RecordChanged):  # another request with the same key has done it
                await self._put_key(message.key, UsedKey(), version)

    async def _put_key(self, key: str, value: UsedKey, version: int) -> StoredRecord:
        return await self._records.put(_KEY, key, msgspec.json.encode(value), version=version, time=self._clock())

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

    async def _hold(self, receiver: StoredReceiver, message: OutgoingMessage, held: HeldMessage) -> None:
        """
        Store a message and its key, to be sent later.

        Raises:
            RecordChanged: Another request has stored the key.
        """
        files = [await self._write(file) for file in message.files]
        held = msgspec.structs.replace(held, files=tuple(files))
        changes = [_change(_HELD, _record_id(receiver.id, held), 0, held)]
        if held.key:
            changes.append(_change(_KEY, held.key, 0, UsedKey()))
        try:
            await self._records.change(changes, time=self._clock())
        except RecordChanged:
            self._delete_files(files)
            raise
        burst = self._burst(receiver.id)
        if held.id not in {each.id for each in burst.collected}:
            self._bursts[receiver.id] = Burst(sent=burst.sent, collected=(*burst.collected, held))
        self._added.add(held.id)
        self._wake.set()

    def _delete_files(self, files: Sequence[HeldFile]) -> None:
        for file in files:
            (self.folder / file.path).unlink(missing_ok=True)

    async def _write(self, file: AttachedFile) -> HeldFile:
        path = secrets.token_hex(16)
        await asyncio.to_thread(self._write_file, path, file.content)
        content = file.content if self._port.is_shared else b""
        return HeldFile(path=path, name=_safe_name(file.name), kind=_kind_of(file), content=content)

    def _write_file(self, name: str, content: bytes) -> None:
        require_room(self.folder, len(content), self._keep_free())
        write_private(self.folder / name, content)

    async def _of_user(self, receiver: StoredReceiver) -> StoredReceiver:
        """
        Return a receiver that knows the WeChat user whose person or chatroom its recipient is.

        If none had logged in when it was created, that is the user who has logged in since.
        """
        if receiver.to == FILEHELPER or receiver.user:
            return receiver
        try:
            user = await user_of(self._port.account(receiver.account).client)
        except (NotLoggedIn, GatewayProblem):
            return receiver
        with contextlib.suppress(RecordChanged):  # another request has stored it, or the next one will
            await self._receivers.change(receiver.id, lambda each: bind_recipient(each, receiver.to, user))
        return msgspec.structs.replace(receiver, user=user)

    # -- what is held ------------------------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Send held messages that are due and whose account is online and runs here."""
        async with self._flushing:
            if self._port.is_shared:
                await self._load()
            await self._forget_old()
            owned = await self._port.list_owned()
            for receiver_id in list(self._bursts):
                try:
                    receiver = await self._receivers.get(receiver_id)
                    if receiver is None:
                        await self._drop(receiver_id)
                    elif receiver.account in owned:
                        await self._flush_receiver(receiver)
                except (WxError, GatewayProblem, OSError) as error:  # the messages stay held, and are tried again
                    _log.warning("Held notifications cannot be sent now (%s).", type(error).__name__)

    async def _flush_receiver(self, receiver: StoredReceiver) -> None:
        receiver = await self._of_user(receiver)
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
        record = await self._records.get(_DIGEST, receiver.id)
        if record is None:
            body = msgspec.json.encode(_open_digest(receiver, folded, now))
            record = await self._records.put(_DIGEST, receiver.id, body, version=0, time=now)
        opened = msgspec.json.decode(record.body, type=OpenDigest)
        messages = [each for each in folded if each.id in opened.messages]
        await self._store_sends(account, opened, messages)
        await self._finish(receiver, messages, record)
        sent = next_burst.sent
        if self._port.is_shared:
            sent = await self._sent_times.count_digest(receiver.id, receiver.rule, now)
        collected = tuple(each for each in self._burst(receiver.id).collected if each.id not in opened.messages)
        self._bursts[receiver.id] = Burst(sent=sent, collected=collected)

    async def _store_sends(self, account: GatewayAccount, opened: OpenDigest, messages: Sequence[HeldMessage]) -> None:
        """Store the text and the files of a digest in the outbox; a send that is there already is not repeated."""
        if opened.text:
            await _store_send(account, opened, TextContent(text=opened.text), opened.key)
        if opened.whole:
            whole = await self._write(AttachedFile(name=WHOLE_TEXT, content=opened.whole.encode()))
            await self._store_file(account, opened, whole, f"{opened.key}-whole")
            self._delete_files([whole])
        for file in (file for each in messages for file in each.files):
            await self._store_file(account, opened, file, f"receiver-{file.path}")

    async def _store_file(self, account: GatewayAccount, addressed: OpenDigest, file: HeldFile, key: str) -> None:
        path = self.folder / file.path
        if file.content:  # another machine may have stored it
            await asyncio.to_thread(write_private, path, file.content)
        await _store_send(account, addressed, MediaContent(kind=file.kind, path=path, name=file.name), key)

    async def _finish(self, receiver: StoredReceiver, messages: Sequence[HeldMessage], opened: StoredRecord) -> None:
        """Delete the messages of a digest whose sends are in the outbox, and remember their keys from now on."""
        keys = [await self._records.get(_KEY, each.key) for each in messages if each.key]
        await self._records.change(
            [
                RecordChange(kind=_DIGEST, id=opened.id, version=opened.version, body=None),
                *(
                    RecordChange(kind=_HELD, id=_record_id(receiver.id, each), version=1, body=None)
                    for each in messages
                ),
                *(
                    RecordChange(kind=_KEY, id=key.id, version=key.version, body=key.body)
                    for key in keys if key is not None
                ),
            ],
            time=self._clock(),
        )  # fmt: skip
        for each in messages:
            self._delete_files(each.files)

    async def _drop(self, receiver_id: str) -> None:
        """Delete the held messages of a receiver that was deleted, and its times."""
        if self._port.is_shared:
            await self._sent_times.forget(receiver_id)
        for each in self._bursts.pop(receiver_id).collected:
            await self._records.delete(_HELD, _record_id(receiver_id, each))
            self._delete_files(each.files)
        await self._records.delete(_DIGEST, receiver_id)


async def is_account_online(account: GatewayAccount) -> bool:
    """Return whether an account is logged in and its polls succeed."""
    return (await account.status()).state == "online"


async def _recipient_of(account: GatewayAccount, addressed: StoredReceiver | OpenDigest) -> str | int:
    """
    Return the recipient, or File Transfer Helper if it is a person or chatroom of another WeChat user.

    After a login of another user, also before the send is stored, its number or its name would be a stranger.
    """
    if addressed.to == FILEHELPER or not addressed.user:
        return addressed.to
    with contextlib.suppress(UnknownContact):
        return await id_for_user(account.client, addressed.to, addressed.user)
    _log.warning("The recipient of a receiver is unknown, or belongs to another WeChat user.")
    return FILEHELPER


async def _store_send(
    account: GatewayAccount, addressed: StoredReceiver | OpenDigest, content: Content, key: str
) -> None:  # fmt: skip
    """
    Store a send in the outbox, unless an earlier attempt has stored it.

    The key is of this send alone. If the recipient is unknown, the send goes to File Transfer Helper.
    """
    stored = await account.client.find_send(key=key) if key else None
    if stored is not None and stored.state != "queued":
        return
    to = FILEHELPER if stored is not None and stored.chat == FILEHELPER else await _recipient_of(account, addressed)
    try:
        await _enqueue(account, to, content, key)
    except UnknownContact as error:
        if to == FILEHELPER:
            raise
        _log.warning("The recipient of a receiver is unknown (%s).", type(error).__name__)
        await _enqueue(account, FILEHELPER, content, f"{key}-helper" if stored is not None else key)


async def _enqueue(account: GatewayAccount, to: str | int, content: Content, key: str) -> None:
    try:
        if isinstance(content, TextContent):
            await account.sends.enqueue(to, content.text, key=key)
        else:
            await account.sends.enqueue_file(to, content, key=key)
    except KeyReused:  # another request with the same key has just stored the send
        pass


def _open_digest(receiver: StoredReceiver, messages: Sequence[HeldMessage], now: float) -> OpenDigest:
    """Return the digest of held messages."""
    text, whole = "", ""
    if any(each.text for each in messages):
        collected = [Collected(OutgoingMessage(each.text or "[file]"), each.at) for each in messages]
        message = with_age(digest(collected, receiver.rule, receiver.tzinfo), messages[0].at, now, receiver.tzinfo)
        text = message.text
        whole = "".join(file.content.decode() for file in message.files if file.name == WHOLE_TEXT)
    return OpenDigest(
        key=f"receiver-{secrets.token_hex(16)}", to=receiver.to, user=receiver.user, text=text, whole=whole,
        messages=tuple(each.id for each in messages),
    )  # fmt: skip


def _without_empty_files(message: OutgoingMessage) -> OutgoingMessage:
    """Return a message without files that cannot be sent, because they are empty; its text names them."""
    empty = [f"[{_safe_name(file.name)} is empty]" for file in message.files if not file.content]
    if not empty:
        return message
    lines = [line for line in (message.text, *empty) if line]
    return OutgoingMessage("\n".join(lines), tuple(file for file in message.files if file.content))


def _change(kind: str, record_id: str, version: int, body: msgspec.Struct) -> RecordChange:
    return RecordChange(kind=kind, id=record_id, version=version, body=msgspec.json.encode(body))


def _record_id(receiver: str, message: HeldMessage) -> str:
    return f"{receiver}/{message.id}"


def _safe_name(name: str) -> str:
    """Return a file name without folders and control characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if character.isprintable()).strip(". ")
    return shown[:200] or "file"


def _kind_of(file: AttachedFile) -> MediaKind:
    """Return how to send a file: clients often send a picture without its media type."""
    is_picture = file.content.startswith(_PICTURES) and len(file.content) <= MAX_IMAGE
    return "image" if is_picture else "file"
