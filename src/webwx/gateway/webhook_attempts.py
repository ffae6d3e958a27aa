"""
The latest attempts at each webhook with their outcomes, stored as records.

A record is a page of attempts, and the attempts of a fraction of a second are stored together, because a busy webhook
makes many. A crash loses only these attempts, and no delivery: the journal stores which events were delivered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

import msgspec

from webwx.errors import RecordChanged, StorageError

if TYPE_CHECKING:
    from webwx.gateway.owned_records import OwnedRecords

_log = logging.getLogger("webwx.gateway")

MOST_ATTEMPTS = 1_000
"""Maximum number of attempts at each webhook that are stored; the oldest ones are deleted a page at a time."""

_PAGE = 50
"""Number of attempts in a record."""

_STORE_EVERY = 0.25
"""Seconds for which attempts are collected before they are stored."""

_KIND = "webhook-attempts"
"""Prefix of a kind of record; the pages of attempts at each webhook are records of a separate kind."""

AttemptOrigin = Literal["journal", "replay", "notice", "test"]
"""
Why an event was sent. `journal`: the event is new. `replay`: a caller has requested the event again. `notice`: the
gateway reports the state of another webhook. `test`: a caller has requested a test.
"""


class WebhookAttempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request to a webhook, and its outcome."""

    number: int = 0
    """Number of the entry in the list of the webhook, from 1; 0 before it is in the list."""
    event: str
    """Id of the event."""
    type: str
    """Type of the event."""
    account: int
    """Number of the account; 0 for an event without an account."""
    attempt: int
    """Number of the attempt, from 1."""
    origin: AttemptOrigin = "journal"
    time: float
    """Start of the request: seconds since 1970."""
    milliseconds: int
    """Duration of the request."""
    status: int | None = None
    """Status of the answer; None if no answer arrived."""
    error: str = ""
    """Why there was no answer."""
    asked: float = 0.0
    """Seconds to wait, as the server has requested."""
    answer: str = ""
    """The beginning of the answer; empty for a webhook that may have a private address."""
    next_attempt_at: float | None = None
    """Time of the next attempt: seconds since 1970; None if no attempt follows."""

    def __repr__(self) -> str:
        return f"WebhookAttempt({self.event}, {self.attempt}, {self.status})"

    @property
    def is_delivered(self) -> bool:
        """Whether the server has accepted the event."""
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def outcome(self) -> str:
        """The outcome as a sentence."""
        return self.error or f"The server answered {self.status}."


_PAGES = msgspec.json.Decoder(list[WebhookAttempt])


class _Attempts:
    """The pages of one webhook that are in memory: the latest one, and those that are not stored yet."""

    def __init__(self, stored: dict[int, list[WebhookAttempt]]) -> None:
        latest = max(stored, default=0)
        self.pages = {latest: stored.get(latest, [])}
        self.unstored: set[int] = set()
        self.superfluous = {page for page in stored if page <= latest - MOST_ATTEMPTS // _PAGE}
        """Pages that are stored and no longer needed."""
        attempts = self.pages[latest]
        self.next = attempts[-1].number + 1 if attempts else 1

    def append(self, attempt: WebhookAttempt) -> WebhookAttempt:
        attempt = msgspec.structs.replace(attempt, number=self.next)
        page, self.next = (self.next - 1) // _PAGE, self.next + 1
        if page not in self.pages:
            old = page - MOST_ATTEMPTS // _PAGE
            self.unstored.discard(old)
            if old >= 0:
                self.superfluous.add(old)
            self.pages[page] = []
            self._forget_stored(page)
        self.pages[page].append(attempt)
        self.unstored.add(page)
        return attempt

    def note_stored(self, page: int, count: int) -> None:
        """Note that a page was stored with a number of attempts."""
        if len(self.pages.get(page, ())) == count:
            self.unstored.discard(page)
            self._forget_stored(max(self.pages))

    def _forget_stored(self, latest: int) -> None:
        self.pages = {page: each for page, each in self.pages.items() if page == latest or page in self.unstored}


class AttemptLog:
    """
    The latest attempts of all webhooks.

    Args:
        records: Stores the attempts.
    """

    def __init__(self, records: OwnedRecords) -> None:
        self._records = records
        self._by_webhook: dict[str, _Attempts] = {}
        self._loading = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._storing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def __repr__(self) -> str:
        return f"AttemptLog({len(self._by_webhook)} webhooks)"

    async def append(self, webhook_id: str, attempt: WebhookAttempt) -> WebhookAttempt:
        """Append an attempt, and return it with its number; it is stored within a second."""
        attempts = self._by_webhook.get(webhook_id) or await self._load(webhook_id)
        attempt = attempts.append(attempt)
        if self._storing is None or self._storing.done():
            self._storing = asyncio.ensure_future(self._store_later())
        return attempt

    async def read(self, webhook_id: str, *, before: int | None = None, limit: int) -> list[WebhookAttempt]:
        """
        Return attempts at a webhook, the newest first.

        Args:
            webhook_id: The webhook.
            before: Only attempts with a lower number.
            limit: Maximum number of attempts.
        """
        pages = await self._read_pages(webhook_id)
        if webhook_id in self._by_webhook:
            pages |= self._by_webhook[webhook_id].pages
        found = [each for page in sorted(pages, reverse=True) for each in reversed(pages[page])]
        return [each for each in found if before is None or each.number < before][:limit]

    async def forget(self, webhook_id: str) -> None:
        """Delete the attempts at a webhook."""
        async with self._writing:
            self._by_webhook.pop(webhook_id, None)
            for page in await self._read_pages(webhook_id):
                await self._records.delete(_kind_of(webhook_id), _name_of(page))

    async def close(self) -> None:
        """Store the attempts that are not stored yet."""
        self._closing.set()
        if self._storing is not None:
            await self._storing

    async def _load(self, webhook_id: str) -> _Attempts:
        async with self._loading:
            found = self._by_webhook.get(webhook_id)
            if found is None:
                found = self._by_webhook[webhook_id] = _Attempts(await self._read_pages(webhook_id))
            return found

    async def _read_pages(self, webhook_id: str) -> dict[int, list[WebhookAttempt]]:
        return {int(record.id): _PAGES.decode(record.body) for record in await self._records.find(_kind_of(webhook_id))}

    async def _store_later(self) -> None:
        """Store all attempts, including those that are appended meanwhile."""
        while any(attempts.unstored or attempts.superfluous for attempts in self._by_webhook.values()):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _STORE_EVERY)
            try:
                async with self._writing:
                    await asyncio.gather(*(self._store(*each) for each in self._by_webhook.items()))
            except (RecordChanged, StorageError) as error:
                _log.warning("Attempts at webhooks were not stored: %s", error)
                if self._closing.is_set():
                    return

    async def _store(self, webhook_id: str, attempts: _Attempts) -> None:
        kind = _kind_of(webhook_id)
        pages = {page: list(attempts.pages[page]) for page in attempts.unstored}
        for page, stored in pages.items():
            await self._records.put(kind, _name_of(page), msgspec.json.encode(stored))
            attempts.note_stored(page, len(stored))
        for page in list(attempts.superfluous):
            await self._records.delete(kind, _name_of(page))
            attempts.superfluous.discard(page)


def _kind_of(webhook_id: str) -> str:
    return f"{_KIND}/{webhook_id}"


def _name_of(page: int) -> str:
    return f"{page:010d}"
