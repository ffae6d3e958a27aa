"""
Sessions of the console: a one-time code becomes a cookie.

The code is in the fragment of a link, which browsers do not send to servers or put into the `Referer` header. The page
exchanges it for an HttpOnly cookie. Codes and sessions are stored as hashes, so a restart ends no session.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.storage.base import RecordStore

COOKIE = "webwx_session"
"""Name of the cookie."""

HEADER = "webwx-console"
"""Header of each change by the console; a page of another site cannot set it without permission."""

SESSION_SECONDS = 12 * 3600.0
"""Seconds for which a session is valid."""

CODE_SECONDS = 600.0
"""Seconds for which a one-time code is valid."""

_CODE, _SESSION = "console.code", "console.session"

_FRESH = 1.0
"""Seconds after which the record of a session is read again."""


class _Expiry(msgspec.Struct, frozen=True):
    """The body of both kinds of records."""

    expires_at: float


class ConsoleSessions:
    """
    One-time codes and sessions, stored as records.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
        changed: Called after a session was ended here.
    """

    def __init__(
        self, records: RecordStore, clock: Callable[[], float], changed: Callable[[], object] = lambda: None
    ) -> None:
        self._records = records
        self._clock = clock
        self._changed = changed
        self._known: dict[str, tuple[float, float]] = {}
        """Expiry of each session and the time at which it was read, by its hash."""

    async def create_code(self) -> str:
        """Return a new one-time code."""
        await self._delete_expired()
        return await self._create(_CODE, CODE_SECONDS)

    async def exchange(self, code: str) -> str | None:
        """Return the token of a new session for a one-time code; None if the code is unknown, used or expired."""
        name = session_id(code)
        record = await self._records.get(_CODE, name)
        is_first = await self._records.delete(_CODE, name)
        if record is None or not is_first or self._is_over(record.body):
            return None
        return await self._create(_SESSION, SESSION_SECONDS)

    async def is_valid(self, token: str) -> bool:
        """Return whether a session with this token exists and has not expired."""
        return await self.is_live(session_id(token))

    async def is_live(self, name: str) -> bool:
        """Return whether a session exists and has not expired, by its id from `session_id`."""
        now = self._clock()
        known = self._known.get(name)
        if known is None or not 0 <= now - known[1] < _FRESH:
            record = await self._records.get(_SESSION, name)
            if record is None:
                self._known.pop(name, None)
                return False
            known = (msgspec.json.decode(record.body, type=_Expiry).expires_at, now)
            self._known[name] = known
        return now < known[0]

    async def end(self, token: str) -> None:
        """End one session."""
        self._known.pop(session_id(token), None)
        await self._records.delete(_SESSION, session_id(token))
        self._changed()

    async def end_all(self) -> None:
        """End all sessions."""
        self._known.clear()
        for record in await self._records.find(_SESSION):
            await self._records.delete(_SESSION, record.id)
        self._changed()

    async def _create(self, kind: str, seconds: float) -> str:
        token, now = secrets.token_urlsafe(32), self._clock()
        body = msgspec.json.encode(_Expiry(now + seconds))
        await self._records.put(kind, session_id(token), body, version=0, time=now)
        return token

    async def _delete_expired(self) -> None:
        for kind in (_CODE, _SESSION):
            for record in await self._records.find(kind):
                if self._is_over(record.body):
                    await self._records.delete(kind, record.id)

    def _is_over(self, body: bytes) -> bool:
        return self._clock() >= msgspec.json.decode(body, type=_Expiry).expires_at


def session_id(token: str) -> str:
    """Return the id of a session, which reveals nothing of its token."""
    return hashlib.sha256(token.encode()).hexdigest()
