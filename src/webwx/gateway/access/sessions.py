"""
Sessions of the console: a one-time code becomes the secret of a session.

The code is in the fragment of a link, which browsers do not send to servers or put into the `Referer` header. The page
exchanges it for a secret, which it keeps for its origin and sends in a header. A cookie would not do: browsers send it
to every port of a host, so another program of this machine could read it. Codes and sessions are stored as hashes, so a
restart ends no session.

Elements such as pictures cannot send a header. Their addresses have a signature for one path, valid for some minutes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.storage.tables.records import RecordStore

HEADER = "webwx-console"
"""Header with the secret of a session."""

SIGNATURE = "signature"
"""Parameter of the query of a signed address."""

SESSION_SECONDS = 12 * 3600.0
"""Seconds for which a session is valid."""

CODE_SECONDS = 600.0
"""Seconds for which a one-time code is valid."""

SIGNATURE_SECONDS = 300.0
"""Seconds for which a signed address is valid."""

_CODE, _SESSION = "console.code", "console.session"

_ID = re.compile("[0-9a-f]{64}")
"""Id of a session."""

_FRESH = 1.0
"""Seconds after which the record of a session is read again."""


class _ExpiringSecret(msgspec.Struct, frozen=True):
    """The body of both kinds of records."""

    expires_at: float
    signing_key: str
    """Key of the signatures of a session; unlike the id of the session, no signature contains it."""

    def __repr__(self) -> str:
        return f"_ExpiringSecret({self.expires_at})"


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
        self._known: dict[str, tuple[_ExpiringSecret, float]] = {}
        """Record of each session and the time at which it was read, by its id."""

    async def create_code(self) -> str:
        """Return a new one-time code."""
        await self._delete_expired()
        return await self._create(_CODE, CODE_SECONDS)

    async def exchange(self, code: str) -> str | None:
        """Return the secret of a new session for a one-time code; None if the code is unknown, used or expired."""
        name = session_id(code)
        record = await self._records.get(_CODE, name)
        is_first = await self._records.delete(_CODE, name)
        if record is None or not is_first or self._is_over(record.body):
            return None
        return await self._create(_SESSION, SESSION_SECONDS)

    async def is_valid(self, secret: str) -> bool:
        """Return whether a session with this secret exists and has not expired."""
        return await self.is_live(session_id(secret))

    async def is_live(self, name: str) -> bool:
        """Return whether a session exists and has not expired, by its id from `session_id`."""
        return await self._find(name) is not None

    async def sign(self, name: str, path: str) -> str | None:
        """Return a signature with which a session reads one path for some minutes; None if the session has ended."""
        record = await self._find(name)
        if record is None:
            return None
        expiry = str(int(self._clock() + SIGNATURE_SECONDS))
        return f"{name}.{expiry}.{_signature(record, expiry, path)}"

    async def signer(self, signature: str, path: str) -> str | None:
        """Return the id of the session that has signed a path; None if the signature is wrong or expired."""
        name, _, rest = signature.partition(".")
        expiry, _, given = rest.partition(".")
        record = await self._find(name) if _ID.fullmatch(name) else None
        if record is None or not hmac.compare_digest(_signature(record, expiry, path).encode(), given.encode()):
            return None
        return name if self._clock() < int(expiry) else None

    async def _find(self, name: str) -> _ExpiringSecret | None:
        now = self._clock()
        known = self._known.get(name)
        if known is None or not 0 <= now - known[1] < _FRESH:
            record = await self._records.get(_SESSION, name)
            if record is None:
                self._known.pop(name, None)
                return None
            known = (msgspec.json.decode(record.body, type=_ExpiringSecret), now)
            self._known[name] = known
        return known[0] if now < known[0].expires_at else None

    async def end(self, name: str) -> None:
        """End one session, by its id from `session_id`."""
        self._known.pop(name, None)
        await self._records.delete(_SESSION, name)
        self._changed()

    async def end_all(self) -> None:
        """End all sessions."""
        self._known.clear()
        for record in await self._records.find(_SESSION):
            await self._records.delete(_SESSION, record.id)
        self._changed()

    async def _create(self, kind: str, seconds: float) -> str:
        secret, now = secrets.token_urlsafe(32), self._clock()
        body = msgspec.json.encode(_ExpiringSecret(now + seconds, secrets.token_urlsafe(32)))
        await self._records.put(kind, session_id(secret), body, version=0, time=now)
        return secret

    async def _delete_expired(self) -> None:
        for kind in (_CODE, _SESSION):
            for record in await self._records.find(kind):
                if self._is_over(record.body):
                    await self._records.delete(kind, record.id)

    def _is_over(self, body: bytes) -> bool:
        return self._clock() >= msgspec.json.decode(body, type=_ExpiringSecret).expires_at


def session_id(secret: str) -> str:
    """Return the id of a session, which reveals nothing of its secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _signature(record: _ExpiringSecret, expiry: str, path: str) -> str:
    return hmac.digest(record.signing_key.encode(), f"{expiry} {path}".encode(), "sha256").hex()
