"""
The API keys of the gateway, each with its scopes and accounts.

A key is `wxk_<id>_<secret>`. Only the hash of the secret is stored, so a key is shown once, when it is created or
rotated. Its scopes and accounts come from the stored key, never from a request.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, get_args

import msgspec

from webwx.errors import InvalidRequest
from webwx.gateway.stored_values import StoredValues, random_text
from webwx.override import override
from webwx.representations.route import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from webwx.storage.tables.records import RecordStore

SCOPES: tuple[Scope, ...] = get_args(Scope)

IMPLIED: dict[Scope, tuple[Scope, ...]] = {
    "read": ("read:media", "events"),
    "send": ("send:filehelper",),
    "webhooks": ("events",),
    "admin": SCOPES,
}
"""Scopes that a scope includes."""

KIND = "key"
"""Kind of the records."""

_FORM = re.compile(r"wxk_([A-Za-z0-9]{8})_([A-Za-z0-9]{43})")

_FRESH = 1.0
"""Seconds after which the record of a key is read again, because another process may have changed it."""

_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""Time before which keys expire: the API shows no later ones."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A stored key, without its secret."""

    id: str
    name: str
    """Name for people, such as `grafana`."""
    digest: str
    """SHA-256 of the secret, in hexadecimal."""
    scopes: tuple[Scope, ...]
    accounts: tuple[int, ...] | None = None
    """Numbers of the accounts that the key reaches; None: all."""
    created_at: float
    """Seconds since 1970."""
    expires_at: float | None = None
    """Seconds since 1970; None: never."""
    networks: tuple[str, ...] = ()
    """Networks (CIDR) from which the key is accepted; empty: all."""
    requests_per_minute: int | None = None
    """Requests of this key in a minute; None: the gateway's limit."""
    earlier_digest: str = ""
    """Digest of the secret before the last rotation."""
    earlier_until: float = 0
    """Time until which the earlier secret is accepted: seconds since 1970."""

    def __repr__(self) -> str:
        return f"ApiKey({self.id}, {self.name!r})"

    def allows(self, scope: Scope) -> bool:
        """Return whether the key has a scope, by itself or included in another one."""
        return any(own == scope or scope in IMPLIED.get(own, ()) for own in self.scopes)

    def reaches(self, account: int) -> bool:
        """Return whether the key is for an account."""
        return self.accounts is None or account in self.accounts


class NewKey(NamedTuple):
    """A key that was just created or rotated, with its text, which is not stored."""

    key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"NewKey({self.key.id})"


class _Cached(NamedTuple):
    key: ApiKey
    read_at: float


class KeyRing(StoredValues[ApiKey]):
    """
    The keys, stored as records.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
        changed: Called after a key was changed or deleted here.
    """

    def __init__(
        self, records: RecordStore, clock: Callable[[], float], changed: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(records, clock, KIND, ApiKey, _check)
        self._changed = changed
        self._cached: dict[str, _Cached] = {}

    async def create(
        self,
        name: str,
        scopes: Collection[str],
        *,
        accounts: tuple[int, ...] | None = None,
        expires_at: float | None = None,
        networks: tuple[str, ...] = (),
        requests_per_minute: int | None = None,
    ) -> NewKey:
        """
        Create a key, and return it with its text, which cannot be read later.

        Raises:
            InvalidRequest: There is no such scope or network, or no scope or no account at all; or the key has expired
                already, or expires after the year 9998.
        """
        if expires_at is not None and not self._clock() < expires_at < _LATEST:
            raise InvalidRequest(
                "A key expires at a time after the present and before the year 9999.", field="expires_at"
            )
        key_id, secret = random_text(8), random_text(43)
        key = ApiKey(
            id=key_id, name=name, digest=_digest(secret), scopes=check_scopes(scopes), accounts=accounts,
            created_at=self._clock(), expires_at=expires_at, networks=check_networks(networks),
            requests_per_minute=requests_per_minute,
        )  # fmt: skip
        await self.add(key)
        return NewKey(key, f"wxk_{key_id}_{secret}")

    async def rotate(self, key_id: str, *, overlap: float) -> NewKey | None:
        """
        Generate a new secret for a key, and return it; None if there is no such key.

        Args:
            key_id: Id of the key.
            overlap: Seconds for which the earlier secret stays valid.
        """
        secret, now = random_text(43), self._clock()

        def renew(key: ApiKey) -> ApiKey:
            return msgspec.structs.replace(
                key, digest=_digest(secret), earlier_digest=key.digest, earlier_until=now + overlap
            )

        key = await self.change(key_id, renew)
        return None if key is None else NewKey(key, f"wxk_{key_id}_{secret}")

    @override
    def _note_change(self, value_id: str) -> None:
        self._cached.pop(value_id, None)
        self._changed()

    async def verify(self, text: str, address: str) -> ApiKey | None:
        """
        Return the key with a text; None if no key has this text, or the key has expired or is not for this address.

        Args:
            text: The whole key, as the caller sent it.
            address: The caller's IP address.
        """
        form = _FORM.fullmatch(text)
        key = None if form is None else await self._known(form[1])
        return key if form is not None and key is not None and self._accepts(key, _digest(form[2]), address) else None

    async def verify_again(self, key_id: str, digest: str, address: str) -> ApiKey | None:
        """
        Return the key that a caller has, as it is stored now; None if it is no longer valid for the caller.

        Args:
            key_id: Id of the key.
            digest: Digest of the secret that the caller sent, from `digest_of`.
            address: The caller's IP address.
        """
        key = await self.get(key_id)
        return key if key is not None and self._accepts(key, digest, address) else None

    def _accepts(self, key: ApiKey, digest: str, address: str) -> bool:
        now = self._clock()
        is_right = hmac.compare_digest(digest, key.digest)
        is_earlier = now < key.earlier_until and hmac.compare_digest(digest, key.earlier_digest)
        has_expired = key.expires_at is not None and now >= key.expires_at
        return (is_right or is_earlier) and not has_expired and is_in(address, key.networks)

    async def _known(self, key_id: str) -> ApiKey | None:
        cached = self._cached.get(key_id)
        now = self._clock()
        if cached is not None and 0 <= now - cached.read_at < _FRESH:
            return cached.key
        key = await self.get(key_id)
        if key is None:
            self._cached.pop(key_id, None)
        else:
            self._cached[key_id] = _Cached(key, now)
        return key


def _check(key: ApiKey) -> None:
    if key.accounts is not None and not key.accounts:
        raise InvalidRequest("A key reaches all accounts, or at least one.", field="accounts")
    check_scopes(key.scopes)
    check_networks(key.networks)


def check_scopes(scopes: Collection[str]) -> tuple[Scope, ...]:
    """
    Return scopes in their usual order.

    Raises:
        InvalidRequest: There is no such scope, or no scope at all.
    """
    unknown = set(scopes) - set(SCOPES)
    if unknown or not scopes:
        what = f"There is no scope {sorted(unknown)[0]!r}" if unknown else "A key needs a scope"
        raise InvalidRequest(f"{what}; the scopes are {', '.join(SCOPES)}.", field="scopes")
    return tuple(scope for scope in SCOPES if scope in scopes)


def check_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    """
    Check networks, and return them unchanged.

    Raises:
        InvalidRequest: One of the texts is not a network.
    """
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise InvalidRequest(
                f"{network!r} is not a network; write one like '192.168.1.0/24'.", field="networks"
            ) from None
    return networks


def is_in(address: str, networks: tuple[str, ...]) -> bool:
    """Return whether an address is in one of the networks; without networks, every address is."""
    if not networks:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(network) for network in networks)


def digest_of(text: str) -> str:
    """Return the digest of the secret in the text of a key."""
    return _digest(text.rpartition("_")[2])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
