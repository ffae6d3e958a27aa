"""
Requests to receivers: finds the receiver by the token of a request, and returns its answer.

Several vendors use the same short paths, and some clients put the token into the body. So the path selects candidates,
and the first candidate whose token belongs to a stored receiver reads the request. The body is read before that only if
it may contain the token, and then at most `MAX_BODY` bytes of it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from webwx.errors import InvalidRequest, StorageError, WxError
from webwx.gateway.access.auth import FailedKeys, RequestRate
from webwx.gateway.notify.message import compose
from webwx.gateway.notify.notification import AttachedFile, Notification
from webwx.gateway.notify.receiver import FileUpload, ReceiverOptions
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.registry import candidates, kinds_of_host, read
from webwx.gateway.notify.request import MAX_BODY, HookAnswer, HookRequest
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sends.disk_room import require_room
from webwx.storage.atomic_write import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from webwx.gateway.notify.message import OutgoingMessage
    from webwx.gateway.notify.receiver import Reading, StoredMessage
    from webwx.gateway.notify.registry import Candidate
    from webwx.gateway.receivers.notification_queue import NotificationQueue
    from webwx.gateway.receivers.receivers import FoundReceiver, Receivers, StoredReceiver
    from webwx.storage.tables.records import RecordStore

LARGE_AT_ONCE = 4
"""Maximum number of requests in memory with a body above `MAX_BODY`; others wait."""

_log = logging.getLogger("webwx.gateway")

REQUESTS_PER_MINUTE = 600
"""Requests of one receiver in a minute."""

_LONG = 8 * 1024
"""Size in bytes from which a body is read in another thread, because rendering it takes long."""
_NO_OPTIONS = ReceiverOptions()
_UPLOAD = "hook-upload"
"""Kind of the records of uploaded files."""


class ReceivedBody(Protocol):
    """The body of a request, which is read when it is needed."""

    async def read(self, limit: int) -> tuple[bytes, tuple[tuple[str, str], ...], tuple[tuple[str, AttachedFile], ...]]:
        """
        Return the raw body, or the fields and files of a multipart one.

        Args:
            limit: Maximum number of bytes.

        Raises:
            Refusal: The body is larger, or not valid multipart.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HookHead:
    """A request without its body."""

    method: str
    host: str
    path: str
    """Path, decoded."""
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """Headers by lower-case name."""
    address: str
    """IP address of the sender."""


class _UploadedFile(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a record: a file that a later message may send."""

    receiver: str
    path: str
    name: str
    media_type: str
    until: float

    def __repr__(self) -> str:
        return "_UploadedFile(***)"


class Reception:
    """
    Answers the requests to receivers.

    Args:
        receivers: The receivers.
        queue: Accepts their messages.
        records: Stores which files were uploaded.
        folder: Folder for uploaded files.
        clock: Returns seconds since 1970.
        keep_free: Returns the number of bytes that files leave free on the disk.
    """

    def __init__(
        self,
        receivers: Receivers,
        queue: NotificationQueue,
        records: RecordStore,
        folder: Path,
        clock: Callable[[], float],
        keep_free: Callable[[], int] = lambda: 0,
    ) -> None:
        self._receivers = receivers
        self._queue = queue
        self._records = records
        self._folder = folder
        self._clock = clock
        self._keep_free = keep_free
        self._failed = FailedKeys(clock)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._rate = RequestRate(clock)
        self.counts: Counter[tuple[str, Literal["accepted", "refused"]]] = Counter()
        """Number of notifications since the start, by the id of their receiver and the outcome."""

    def __repr__(self) -> str:
        return "Reception()"

    async def answer(
        self, head: HookHead, body: ReceivedBody, admit: Callable[[], object] = lambda: None
    ) -> HookAnswer | None:
        """
        Return the answer to a request; None if it is not for a receiver, in which case no body was read.

        Args:
            head: The request.
            body: Its body.
            admit: Called once the request has shown the token of a receiver.
        """
        found = candidates(head.method, head.path, kinds_of_host(head.host))
        if not found:
            return None
        first = _request(head, found[0])
        try:
            matched = await self._match(head, found, body)
            if matched is None and found[0].route.pattern.startswith("/{"):
                return None
            if matched is None:
                return self._unknown(head, found[0], first)
            candidate, request, receiver = matched
        except Refusal as refusal:
            return found[0].receiver.refused(first, refusal, self._clock())
        try:
            if receiver is not None:
                admit()
                self._failed.forget(head.address)
            async with self._large if _may_be_large(request) else nullcontext():
                return await self._receive(candidate, request, receiver, body)
        except Refusal as refusal:
            if receiver is not None:
                self.counts[receiver.receiver.id, "refused"] += 1
            if receiver is None and refusal.reason is RefusalReason.UNKNOWN_TOKEN:
                return self._unknown(head, candidate, request)
            return candidate.receiver.refused(request, refusal, self._clock())

    # -- the receiver ------------------------------------------------------------------------------------------------

    async def _match(
        self, head: HookHead, found: list[Candidate], body: ReceivedBody
    ) -> tuple[Candidate, HookRequest, FoundReceiver | None] | None:
        """Return the first candidate whose token is known, or that needs no token."""
        for candidate in found:
            request = _request(head, candidate)
            if candidate.route.is_public:
                return candidate, request, None
            receiver = await self._receivers.find_by_token(candidate.receiver.kind, _tokens(candidate, request))
            if receiver is not None:
                return candidate, replace(request, token=receiver.token), receiver
        if found[0].route.pattern.startswith("/{") or head.method in {"GET", "OPTIONS"}:
            return None
        raw, fields, files = await body.read(MAX_BODY)
        for candidate in found:
            request = replace(_request(head, candidate), body=raw, fields=fields, files=files)
            tokens = candidate.receiver.tokens(request) if candidate is found[0] else _tokens(candidate, request)
            receiver = await self._receivers.find_by_token(candidate.receiver.kind, tokens)
            if receiver is not None:
                return candidate, replace(request, token=receiver.token), receiver
        return None

    def _unknown(self, head: HookHead, candidate: Candidate, request: HookRequest) -> HookAnswer:
        refusal = Refusal(RefusalReason.UNKNOWN_TOKEN)
        try:
            self._failed.add(head.address)
        except GatewayProblem as problem:
            refusal = Refusal(RefusalReason.RATE_LIMITED, problem.detail, retry_after=_seconds(problem))
        return candidate.receiver.refused(request, refusal, self._clock())

    # -- the message ------------------------------------------------------------------------------------------------

    async def _receive(
        self, candidate: Candidate, request: HookRequest, found: FoundReceiver | None, body: ReceivedBody
    ) -> HookAnswer:
        reader, now = candidate.receiver, self._clock()
        if found is None:
            reading = reader.read(request, _NO_OPTIONS, now)
            return reading if isinstance(reading, HookAnswer) else HookAnswer(status=404)
        receiver = found.receiver
        try:
            self._rate.take(receiver.id, REQUESTS_PER_MINUTE)
        except GatewayProblem as problem:
            raise Refusal(RefusalReason.RATE_LIMITED, retry_after=_seconds(problem)) from None
        if not (request.body or request.fields or request.files):
            raw, fields, files = await body.read(request.route.max_bytes)
            request = replace(request, body=raw, fields=fields, files=files)

        def read_it() -> Reading:
            return read(reader, request, receiver.options, now)

        reading = await asyncio.to_thread(read_it) if len(request.body) > _LONG else read_it()
        match reading:
            case HookAnswer():
                return reading
            case FileUpload():
                return reading.answer(await self._keep(receiver.id, reading), now)
            case Notification():
                uploads = tuple([await self._uploaded(receiver.id, each) for each in reading.uploads])
                message = compose(replace(reading, files=(*reading.files, *uploads), uploads=()))
                return reader.accepted(request, await self._store(receiver, message, reading.idempotency_key))

    async def _store(self, receiver: StoredReceiver, message: OutgoingMessage, key: str) -> StoredMessage:
        try:
            stored = await self._queue.put(receiver, message, key)
        except GatewayProblem as problem:
            raise Refusal(RefusalReason.FORBIDDEN, problem.detail) from None
        except InvalidRequest as error:
            raise Refusal(RefusalReason.INVALID_FIELD, str(error)) from None
        except WxError as error:
            _log.warning("A notification cannot be stored (%s).", type(error).__name__)
            raise Refusal(RefusalReason.OFFLINE, "The message cannot be stored now.", retry_after=60) from None
        self.counts[receiver.id, "accepted"] += 1
        return stored

    async def _keep(self, receiver: str, upload: FileUpload) -> str:
        """Store a file for a later message, and return its id."""
        file_id, file = secrets.token_urlsafe(24), upload.attachment
        record = _UploadedFile(
            receiver=receiver, path=f"upload-{secrets.token_hex(16)}", name=file.name, media_type=file.media_type,
            until=self._clock() + upload.seconds,
        )  # fmt: skip
        await self._delete_expired()
        try:
            await asyncio.to_thread(self._write, record.path, file.content)
        except (StorageError, OSError) as error:
            _log.warning("A file of a notification cannot be stored (%s).", type(error).__name__)
            raise Refusal(RefusalReason.OFFLINE, "The file cannot be stored now.", retry_after=60) from None
        await self._records.put(_UPLOAD, file_id, msgspec.json.encode(record), version=0, time=self._clock())
        return file_id

    async def _uploaded(self, receiver: str, file_id: str) -> AttachedFile:
        record = await self._records.get(_UPLOAD, file_id[:64])
        stored = None if record is None else msgspec.json.decode(record.body, type=_UploadedFile)
        if stored is None or stored.receiver != receiver or stored.until < self._clock():
            raise Refusal(RefusalReason.INVALID_FIELD, "There is no uploaded file with this id.")
        try:
            content = await asyncio.to_thread((self._folder / stored.path).read_bytes)
        except OSError:  # another node has taken it
            raise Refusal(RefusalReason.INVALID_FIELD, "The uploaded file is not here; upload it again.") from None
        return AttachedFile(name=stored.name, content=content, media_type=stored.media_type)

    def _write(self, name: str, content: bytes) -> None:
        require_room(self._folder, len(content), self._keep_free())
        write_private(self._folder / name, content)

    async def file_names(self) -> set[str]:
        """Return the names of the files that a later message may send."""
        records = await self._records.find(_UPLOAD)
        return {msgspec.json.decode(record.body, type=_UploadedFile).path for record in records}

    async def _delete_expired(self) -> None:
        for record in await self._records.find(_UPLOAD):
            stored = msgspec.json.decode(record.body, type=_UploadedFile)
            if stored.until < self._clock():
                (self._folder / stored.path).unlink(missing_ok=True)
                await self._records.delete(_UPLOAD, record.id)


def _request(head: HookHead, candidate: Candidate) -> HookRequest:
    return HookRequest(
        route=candidate.route, values=candidate.values, method=head.method, query=head.query, headers=head.headers
    )


def _may_be_large(request: HookRequest) -> bool:
    """Return whether a body may be above `MAX_BODY`: its length is larger, or the request does not state it."""
    length = request.header("content-length")
    is_small = length.isdecimal() and len(length) < 12 and int(length) <= MAX_BODY
    return request.route.max_bytes > MAX_BODY and not is_small


def _tokens(candidate: Candidate, request: HookRequest) -> tuple[str, ...]:
    """Return the possible tokens; an empty list if the body that has them was not read, or has another media type."""
    try:
        return candidate.receiver.tokens(request)
    except Refusal:
        return ()


def _seconds(problem: GatewayProblem) -> int:
    return max(1, round(problem.retry_after or 1))
