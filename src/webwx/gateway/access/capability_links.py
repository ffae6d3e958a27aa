"""
Links that open one thing of one account without a key: the media of a message, or the code of a login.

A token is random, is stored as its hash, and expires. A link ends with the key that made it, so it is
enough to delete the key.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from webwx.gateway.access.auth import CONSOLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.types.asgi_types import HTTPScope

    from webwx.gateway.access.auth import Caller
    from webwx.gateway.access.keys import KeyRing
    from webwx.storage.tables.records import RecordStore

_KIND = "link"
"""Kind of the records."""

LinkedThing = Literal["media", "login_code"]

_PATHS: tuple[tuple[re.Pattern[str], LinkedThing], ...] = (
    (re.compile(r"/m/([^/]+)/[^/]+"), "media"),
    (re.compile(r"/q/([^/]+)"), "login_code"),
)
"""Paths of links, with their tokens, and what they open."""

LINK_SECONDS: dict[LinkedThing, float] = {"media": 24 * 3600.0, "login_code": 300.0}
"""Seconds for which a link is valid."""


class SharedLink(msgspec.Struct, frozen=True, kw_only=True):
    """A stored link: the account, and the message or login that it opens."""

    opens: LinkedThing
    account: int
    """Number of the account."""
    event: int = 0
    """Number of the message's event; 0 for a login."""
    owner: str
    """Id of the key that created the link, or `console`."""
    expires_at: float
    """Seconds since 1970."""


class NewLink(NamedTuple):
    """A link that was just made, with its token, which is not stored."""

    token: str
    link: SharedLink

    def __repr__(self) -> str:
        return f"NewLink({self.link.opens})"


class CapabilityLinks:
    """
    The links, stored as records.

    Args:
        records: The records.
        keys: The keys that make them.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, keys: KeyRing, clock: Callable[[], float]) -> None:
        self._records = records
        self._keys = keys
        self._clock = clock

    def __repr__(self) -> str:
        return "CapabilityLinks()"

    async def create(self, opens: LinkedThing, caller: Caller, account: int, event: int = 0) -> NewLink:
        """Store a link of a caller, and return it with its token, which is not stored."""
        await self._delete_expired()
        token, now = secrets.token_urlsafe(16), self._clock()
        link = SharedLink(
            opens=opens, account=account, event=event, owner=caller.id, expires_at=now + LINK_SECONDS[opens]
        )
        await self._records.put(_KIND, _hash(token), msgspec.json.encode(link), version=0, time=now)
        return NewLink(token, link)

    async def find(self, opens: LinkedThing, token: str) -> SharedLink | None:
        """Return the link of a token; None if it is unknown, expired or of another kind, or its key is deleted."""
        record = await self._records.get(_KIND, _hash(token))
        link = None if record is None else msgspec.json.decode(record.body, type=SharedLink)
        if link is None or link.opens != opens or self._clock() >= link.expires_at:
            return None
        return link if await self._is_owned(link) else None

    async def account_of(self, scope: HTTPScope) -> int | None:
        """Return the account of the link that a request opens; None for another request, and without such a link."""
        for pattern, opens in _PATHS:
            opened = pattern.fullmatch(scope["path"])
            link = None if opened is None else await self.find(opens, opened[1])
            if link is not None:
                return link.account
        return None

    async def _is_owned(self, link: SharedLink) -> bool:
        if link.owner == CONSOLE:
            return True
        key = await self._keys.get(link.owner)
        has_expired = key is not None and key.expires_at is not None and self._clock() >= key.expires_at
        return key is not None and not has_expired and key.reaches(link.account)

    async def _delete_expired(self) -> None:
        for record in await self._records.find(_KIND):
            if self._clock() >= msgspec.json.decode(record.body, type=SharedLink).expires_at:
                await self._records.delete(_KIND, record.id)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
