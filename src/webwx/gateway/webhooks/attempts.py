"""
The latest attempts at each webhook with their outcomes, stored as records.

A record is a page of attempts, and the attempts of a fraction of a second are stored together, because a busy webhook
makes many. A crash loses only these attempts, and no delivery: the journal stores which events were delivered. Several
gateways may make attempts at one webhook: each of them fills pages of its own, and reads the pages of all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import RecordChanged, StorageError
from webwx.gateway.problems import NOT_ACCEPTED
from webwx.representations.webhooks import AttemptOrigin

if TYPE_CHECKING:
    from webwx.gateway.owned_records import OwnedRecords

_log = logging.getLogger("webwx.gateway")

MOST_ATTEMPTS = 1_000
"""Maximum number of attempts at each webhook that are stored; the oldest ones are deleted a page at a time."""

_PAGE = 50
"""Number of attempts in a record."""

_MOST_PAGES = MOST_ATTEMPTS // _PAGE + 1
"""Maximum number of pages of a webhook in memory."""

_STORE_EVERY = 0.25
"""Seconds for which attempts are collected before they are stored."""

_KIND = "webhook-attempts"
"""Prefix of a kind of record; the pages of attempts at each webhook are records of a separate kind."""


class WebhookAttempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request to a webhook, and its outcome."""

    number: int = 0
    """Number of the entry in the list of the webhook, which grows with the time; 0 before it is in the list."""
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
    error_code: str = ""
    """Code of `error`, as of a problem; empty if an earlier version has stored it."""
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
    def outcome_code(self) -> str:
        """The code of the outcome of an attempt that has failed."""
        return self.error_code or NOT_ACCEPTED

    @property
    def outcome(self) -> str:
        """The outcome as a sentence."""
        return self.error or f"The server answered {self.status}."


_PAGES = msgspec.json.Decoder(list[WebhookAttempt])


class _Page:
    """Attempts at one webhook that are one record, which only this process changes."""

    def __init__(self, name: str) -> None:
        self.name = name
        """Id of the record."""
        self.attempts: list[WebhookAttempt] = []
        self.stored = 0
        """Number of its attempts that are stored."""

    @property
    def is_stored(self) -> bool:
        """Whether all of its attempts are stored."""
        return self.stored == len(self.attempts)


class AttemptLog:
    """
    The latest attempts of all webhooks.

    Args:
        records: Stores the attempts.
    """

    def __init__(self, records: OwnedRecords) -> None:
        self._records = records
        self._process = secrets.token_hex(4)
        """A part of the names of the pages that this process fills."""
        self._pages: dict[str, list[_Page]] = {}
        """For each webhook the page that this process fills, after those that are full and not stored."""
        self._last = 0
        """The highest number of an attempt."""
        self._writing = asyncio.Lock()
        self._storing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def __repr__(self) -> str:
        return f"AttemptLog({len(self._pages)} webhooks)"

    def append(self, webhook_id: str, attempt: WebhookAttempt) -> WebhookAttempt:
        """Append an attempt, and return it with its number; it is stored within a second."""
        self._last = max(self._last + 1, int(attempt.time * 1e6))
        attempt = msgspec.structs.replace(attempt, number=self._last)
        pages = self._pages.setdefault(webhook_id, [])
        if not pages or len(pages[-1].attempts) == _PAGE:
            pages.append(_Page(f"{attempt.number:016d}-{self._process}"))
            del pages[:-_MOST_PAGES]  # while nothing can be stored
        pages[-1].attempts.append(attempt)
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
        pages = {
            record.id: _PAGES.decode(record.body) for record in await self._records.stored.find(_kind_of(webhook_id))
        }
        pages |= {page.name: page.attempts for page in self._pages.get(webhook_id, ())}
        found = sorted((each for page in pages.values() for each in page), key=lambda each: each.number, reverse=True)
        return [each for each in found[:MOST_ATTEMPTS] if before is None or each.number < before][:limit]

    async def forget(self, webhook_id: str) -> None:
        """Delete the attempts at a webhook."""
        async with self._writing:
            self._pages.pop(webhook_id, None)
            kind = _kind_of(webhook_id)
            for record in await self._records.stored.find(kind):
                await self._records.delete(kind, record.id)

    async def close(self) -> None:
        """Store the attempts that are not stored yet."""
        self._closing.set()
        if self._storing is not None:
            await self._storing

    async def _store_later(self) -> None:
        """Store all attempts, including those that are appended meanwhile."""
        while not all(page.is_stored for pages in self._pages.values() for page in pages):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STORE_EVERY):
                    await self._closing.wait()
            try:
                async with self._writing:
                    await asyncio.gather(*(self._store(*each) for each in self._pages.items()))
            except (RecordChanged, StorageError) as error:
                _log.warning("Attempts at webhooks were not stored: %s", error)
                if self._closing.is_set():
                    return

    async def _store(self, webhook_id: str, pages: list[_Page]) -> None:
        kind = _kind_of(webhook_id)
        for page in [each for each in pages if not each.is_stored]:
            is_new, attempts = not page.stored, list(page.attempts)
            await self._records.put(kind, page.name, msgspec.json.encode(attempts))
            page.stored = len(attempts)
            if is_new:
                await self._delete_old(kind)
        for page in [each for each in pages[:-1] if each.is_stored]:
            pages.remove(page)
            self._records.forget(kind, page.name)

    async def _delete_old(self, kind: str) -> None:
        """Delete the oldest pages of a webhook, which any gateway has stored."""
        count = 0
        for record in reversed(await self._records.stored.find(kind)):
            count += len(_PAGES.decode(record.body))
            if count > MOST_ATTEMPTS:
                await self._records.delete(kind, record.id)


def _kind_of(webhook_id: str) -> str:
    return f"{_KIND}/{webhook_id}"
