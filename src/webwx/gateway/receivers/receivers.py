"""
The receivers of the gateway: addresses to which other programs send notifications, each with its own token.

Only the hash of a token is stored, so a token is shown once, when its receiver is created or the token is replaced. The
secret of signatures is stored as it is, because checking a signature needs it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import uuid
import zoneinfo
from datetime import UTC, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.errors import InvalidRequest
from webwx.gateway.notify.credentials import is_webhook_secret
from webwx.gateway.notify.digest import DigestRule
from webwx.gateway.notify.receiver import ReceiverOptions
from webwx.gateway.notify.registry import RECEIVERS
from webwx.gateway.notify.template import InvalidTemplate, parse_template
from webwx.gateway.stored_values import StoredValues, random_text
from webwx.model.contacts import FILEHELPER
from webwx.override import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from webwx.storage.tables.records import RecordStore

RECORD_KIND = "receiver"
"""Kind of the records."""

SIGNED = ("dingtalk", "feishu", "github", "grafana", "json")
"""Kinds whose clients sign their requests."""

SHORTEST_TOKEN = 20
"""Minimum length of a token that the owner chooses."""

SHORTEST_SECRET = 16
"""Minimum length of a secret of signatures."""

_PARTS = {"slack": 3, "discord": 2}
"""Number of parts of a token in the vendor's own path, if there are several."""

FEWEST_CHARACTERS = 8
"""Minimum number of different characters of a token that the owner chooses."""

_FRESH = 1.0
"""Seconds after which the records of the receivers are read again."""

_CHOSEN = re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST_TOKEN},200}}")
_LETTERS = string.ascii_letters + string.digits
_CAPITALS = string.ascii_uppercase + string.digits

_ADDRESSES = {
    "wecom": "/cgi-bin/webhook/send?key={token}",
    "bark": "/push",
    "serverchan": "/{token}.send",
    "pushplus": "/send/{token}",
    "ntfy": "/{token}",
    "gotify": "/message?token={token}",
    "slack": "/services/{token}",
    "apprise": "/notify/{token}",
    "dingtalk": "/robot/send?access_token={token}",
    "feishu": "/open-apis/bot/v2/hook/{token}",
    "discord": "/api/webhooks/{token}",
}
"""Paths to which the clients of a vendor send; other kinds have `/hooks/<kind>/<token>`."""


class StoredReceiver(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver, without its token."""

    id: str
    name: str
    """Name for people, such as `grafana`."""
    kind: str
    """Kind of the clients whose requests the receiver understands: a key of `RECEIVERS`."""
    account: int
    """Number of the account that sends the messages."""
    to: str | int = FILEHELPER
    """Recipient."""
    user: int = 0
    """The platform's number of the WeChat user whose person or chatroom the recipient is; 0: none, or it is unknown."""
    digest: str
    """SHA-256 of the token, in hexadecimal."""
    created_at: float
    """Seconds since 1970."""
    secret: str = ""
    """Secret of signatures; with one, a request without a valid signature is refused."""
    signature_header: str = ""
    timestamp_header: str = ""
    template: str = ""
    """Template of generic JSON."""
    allows_get: bool = False
    """Whether a generic receiver takes a message from the query of a GET."""
    zone: str = ""
    """IANA name of the zone of times that are shown; empty: UTC."""
    messages_per_minute: int = 10
    """Number of messages that are sent one by one in a minute; further ones are combined into a digest."""
    holds: bool = True
    """Whether messages are held while the account is logged out; otherwise they are refused."""

    def __repr__(self) -> str:
        return f"StoredReceiver({self.id}, {self.kind})"

    @property
    def rule(self) -> DigestRule:
        """The rule that combines messages into a digest."""
        return DigestRule(self.messages_per_minute, 60.0)

    @property
    def tzinfo(self) -> tzinfo:
        """Zone of times that are shown."""
        return zoneinfo.ZoneInfo(self.zone) if self.zone else UTC

    @property
    def options(self) -> ReceiverOptions:
        """The options with which requests are read."""
        return ReceiverOptions(
            secret=self.secret, signature_header=self.signature_header.lower(),
            timestamp_header=self.timestamp_header.lower(),
            template=parse_template(self.template) if self.template else None, allows_get=self.allows_get,
            zone=self.tzinfo,
        )  # fmt: skip


class NewReceiver(NamedTuple):
    """A receiver that has a new token, which is not stored."""

    receiver: StoredReceiver
    token: str

    def __repr__(self) -> str:
        return f"NewReceiver({self.receiver.id})"


class FoundReceiver(NamedTuple):
    """A receiver that was found by its token."""

    receiver: StoredReceiver
    token: str

    def __repr__(self) -> str:
        return f"FoundReceiver({self.receiver.id})"


class Receivers(StoredValues[StoredReceiver]):
    """
    The receivers, stored as records.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, clock: Callable[[], float]) -> None:
        super().__init__(records, clock, RECORD_KIND, StoredReceiver, check_receiver)
        self._by_digest: dict[tuple[str, str], StoredReceiver] = {}
        """Receivers by kind and digest."""
        self._read_at = float("-inf")

    async def create(self, receiver: StoredReceiver, token: str = "") -> NewReceiver:
        """
        Store a receiver, and return it with its token, which cannot be read later.

        Args:
            receiver: The receiver; its id, digest and time are replaced.
            token: A token of the owner's choice, for a client that accepts only some forms; empty: a random one.

        Raises:
            InvalidRequest: A field is invalid, or the token is too short or in use.
        """
        token = token or new_token(receiver.kind)
        made = msgspec.structs.replace(receiver, id=random_text(8), digest=digest_of(token), created_at=self._clock())
        check_receiver(made)
        if not _CHOSEN.fullmatch(token.replace("/", "")):
            raise InvalidRequest(f"A token has at least {SHORTEST_TOKEN} letters, digits, '-' or '_'.", field="token")
        if is_weak(token.replace("/", "")):
            raise InvalidRequest("The token is easy to guess; leave it out to get a random one.", field="token")
        if any(made.digest == each.digest for each in await self.find()):
            raise InvalidRequest("Another receiver has this token.", field="token")
        await self.add(made)
        self._read_at = float("-inf")
        return NewReceiver(made, token)

    async def rotate(self, receiver_id: str) -> NewReceiver | None:
        """Replace the token of a receiver at once, and return both; None for an unknown id."""
        receiver = await self.get(receiver_id)
        if receiver is None:
            return None
        token = new_token(receiver.kind)
        changed = await self.change(receiver_id, lambda each: msgspec.structs.replace(each, digest=digest_of(token)))
        return None if changed is None else NewReceiver(changed, token)

    @override
    def _note_change(self, value_id: str) -> None:
        self._read_at = float("-inf")

    async def find_by_token(self, kind: str, tokens: Iterable[str]) -> FoundReceiver | None:
        """Return the receiver of a kind that has one of the tokens; None if no receiver has."""
        now = self._clock()
        if not 0 <= now - self._read_at < _FRESH:
            self._by_digest = {(each.kind, each.digest): each for each in await self.find()}
            self._read_at = now
        for token in tokens:
            # No comparison in constant time is needed: these are digests, which a sender cannot choose.
            receiver = self._by_digest.get((kind, digest_of(token)))
            if receiver is not None:
                return FoundReceiver(receiver, token)
        return None


def check_receiver(receiver: StoredReceiver) -> None:
    """
    Check the fields of a receiver.

    Raises:
        InvalidRequest: One of them is invalid.
    """
    if receiver.kind not in RECEIVERS:
        raise InvalidRequest(f"There is no kind {receiver.kind!r}; the kinds are {', '.join(RECEIVERS)}.", field="kind")
    if receiver.secret and receiver.kind not in SIGNED:
        raise InvalidRequest(
            f"Clients of the kind {receiver.kind!r} do not sign requests; those with a secret are {', '.join(SIGNED)}.",
            field="secret",
        )
    if receiver.secret and receiver.kind == "json" and not is_webhook_secret(receiver.secret):
        raise InvalidRequest(
            "The secret of Standard Webhooks is 'whsec_' and the base64 of at least 24 bytes.", field="secret"
        )
    if receiver.secret and len(receiver.secret) < SHORTEST_SECRET:
        raise InvalidRequest(f"A secret of signatures has at least {SHORTEST_SECRET} characters.", field="secret")
    if not 1 <= receiver.messages_per_minute <= 60:
        raise InvalidRequest("'messages_per_minute' is a number from 1 to 60.", field="messages_per_minute")
    if receiver.zone and receiver.zone not in zoneinfo.available_timezones():
        raise InvalidRequest(f"There is no time zone {receiver.zone!r}; write one like 'Asia/Shanghai'.", field="zone")
    try:
        parse_template(receiver.template)
    except InvalidTemplate as error:
        raise InvalidRequest(str(error), field="template") from None


def bind_recipient(receiver: StoredReceiver, to: str | int, user: int) -> StoredReceiver:
    """
    Return a receiver with the user whose person or chatroom its recipient is, unless it has one, or another recipient.

    Args:
        receiver: The receiver.
        to: The recipient that is meant.
        user: The user.
    """
    return receiver if receiver.user or receiver.to != to else msgspec.structs.replace(receiver, user=user)


def is_weak(token: str) -> bool:
    """Return whether a token is easy to guess: few different characters, a repeated part, or a sequence."""
    steps = [ord(later) - ord(earlier) for earlier, later in pairwise(token)]
    in_sequence = sum(abs(step) <= 1 for step in steps)
    return (
        len(set(token.lower())) < FEWEST_CHARACTERS
        or token in (token + token)[1:-1]
        or in_sequence * 2 > len(steps)
    )  # fmt: skip


def address_of(kind: str, token: str) -> str:
    """Return the path, with its query, to which the clients of a kind send."""
    if token.count("/") != _PARTS.get(kind, 1) - 1:  # a chosen token, or the placeholder of one
        return hook_of(kind, token)
    return _ADDRESSES[kind].format(token=token) if kind in _ADDRESSES else hook_of(kind, token)


def hook_of(kind: str, token: str) -> str:
    """Return the path that every kind has."""
    return f"/hooks/{kind}/{token.replace('/', '')}"


def new_token(kind: str) -> str:
    """Return a random token, in the form that the clients of a kind accept."""
    match kind:
        case "wecom":
            return str(uuid.uuid4())
        case "serverchan":
            return f"SCT{secrets.randbelow(900_000) + 100_000}T{random_text(24)}"
        case "slack":
            parts = (secrets.choice(_CAPITALS) for _ in range(16))
            letters = "".join(parts)
            return f"T{letters[:8]}/B{letters[8:]}/{random_text(24)}"
        case "dingtalk":
            return secrets.token_hex(32)
        case "feishu":
            return str(uuid.uuid4())
        case "discord":
            return f"{secrets.randbelow(9 * 10**17) + 10**18}/{random_text(68)}"
        case _:
            return random_text(32)


def digest_of(token: str) -> str:
    """Return the digest under which a token is stored; the parts of a Slack token are joined."""
    return hashlib.sha256(token.replace("/", "").encode()).hexdigest()
