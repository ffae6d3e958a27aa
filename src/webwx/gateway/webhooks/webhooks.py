"""
The webhooks of the gateway: addresses of other programs to which it sends events, each with a secret of its own.

The secret is stored as it is, because signing needs it; it is shown once, when the webhook is created or rotated.
"""

from __future__ import annotations

import base64
import secrets
import string
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.errors import InvalidRequest
from webwx.gateway.accounts.send_changes import SEND_CHANGED
from webwx.gateway.outgoing.addresses import AddressRefused, read_target
from webwx.gateway.stored_values import StoredValues, random_text
from webwx.gateway.webhooks.notices import WebhookNotice
from webwx.model.event_filters import check_patterns, is_named, matches
from webwx.representations.events import EVENT_TYPES
from webwx.representations.webhooks import WebhookFormat, WebhookOrdering

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.gateway.accounts.account import SendChange
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.representations.events import NoticeType
    from webwx.storage.tables.records import RecordStore

WEBHOOK_KIND = "webhook"
"""Kind of the records."""

RETRY_KIND = "webhook-retry"
"""Kind of the records with the times of the next attempts."""

CONSUMER_PREFIX = "webhook-"
"""What the names of the consumers of all webhooks begin with."""

MOST_WEBHOOKS = 100
"""Maximum number of webhooks; each webhook reads every event of its accounts."""

OVERLAP = 24 * 3600.0
"""Seconds after a rotation in which requests are signed with the earlier secret too."""

_SECRET_BYTES = 32
_LETTERS = string.ascii_letters + string.digits


class StoredWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook with its secret."""

    id: str
    name: str
    """Name for people, such as `n8n`."""
    url: str
    accounts: tuple[int, ...] | None = None
    """Numbers of the accounts whose events are sent; None: all, later ones included."""
    types: tuple[str, ...] = ()
    """Patterns of the types to send, such as `message.*`; empty: all."""
    chats: tuple[str, ...] = ()
    """Names or ids of the chats whose events are sent; empty: all."""
    is_self: bool | None = None
    """True: only what the account itself has written. False: only what others have written. None: both."""
    format: WebhookFormat = "event"
    ordering: WebhookOrdering = "chat"
    report: bool = False
    """Whether File Transfer Helper gets a line when the webhook fails or is disabled."""
    allow_private: bool = False
    """Whether the host may be in a private network or on this machine."""
    enabled: bool = True
    disabled_reason: str = ""
    """Why the gateway has disabled the webhook; empty if it has not."""
    failing_since: float = 0
    """Time at which an event was given up, if none was delivered since: seconds since 1970; 0 for none."""
    created_at: float
    """Seconds since 1970."""
    revision: int = 0
    """Number of changes by callers, at which every gateway stops and begins to deliver to the webhook again."""
    secret: str
    earlier_secret: str = ""
    """The secret before the last rotation."""
    earlier_until: float = 0
    """Time until which requests are signed with the earlier secret too: seconds since 1970."""

    def __repr__(self) -> str:
        return f"StoredWebhook({self.id})"

    @property
    def consumer(self) -> str:
        """Name of its consumer in each account's journal, which stores its position."""
        return f"{CONSUMER_PREFIX}{self.id}"

    def serves(self, account: int) -> bool:
        """Return whether events of an account are sent."""
        return self.accounts is None or account in self.accounts

    def wants(self, account_event: AccountEvent) -> bool:
        """Return whether an event of one of its accounts is sent."""
        event = account_event.event
        if not matches(event.type, self.types):
            return False
        if self.chats and getattr(event, "chat", None) not in self.chats and account_event.chat_name not in self.chats:
            return False
        return self.is_self is None or bool(getattr(event, "is_self", False)) == self.is_self

    def wants_notice(self, notice: WebhookNotice) -> bool:
        """Return whether an event about another webhook is sent."""
        if notice.webhook == self.id or self.chats or self.is_self is not None or not notice.is_for(self.accounts):
            return False
        return matches(notice.type, self.types)

    def wants_send(self, change: SendChange) -> bool:
        """Return whether the change of a send is sent: only if the types name it."""
        return (
            is_named(SEND_CHANGED, self.types)
            and self.serves(change.account)
            and (not self.chats or change.send.chat in self.chats)
            and self.is_self is not False
        )

    def new_notice(self, notice_type: NoticeType, *, time: float, reason: str = "") -> WebhookNotice:
        """Return a new event about this webhook."""
        return WebhookNotice(
            id=f"webhook-{secrets.token_hex(8)}", type=notice_type, time=time, webhook=self.id, name=self.name,
            accounts=self.accounts, reason=reason,
        )  # fmt: skip

    def signing_secrets(self, now: float) -> tuple[str, ...]:
        """Return the secrets with which a request is signed now."""
        return (self.secret, self.earlier_secret) if now < self.earlier_until else (self.secret,)


class NewWebhook(NamedTuple):
    """A webhook that has a new secret, which is not shown again."""

    webhook: StoredWebhook
    secret: str

    def __repr__(self) -> str:
        return f"NewWebhook({self.webhook.id})"


class Webhooks(StoredValues[StoredWebhook]):
    """
    The webhooks, stored as records.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, clock: Callable[[], float]) -> None:
        super().__init__(records, clock, WEBHOOK_KIND, StoredWebhook, check_webhook)

    async def create(self, webhook: StoredWebhook) -> NewWebhook:
        """
        Store a webhook, and return it with its secret.

        Args:
            webhook: The webhook; its id, secret and time are replaced.

        Raises:
            InvalidRequest: A field is invalid, or there are too many webhooks.
            AddressRefused: The gateway does not connect to this address.
        """
        made = msgspec.structs.replace(webhook, id=random_text(8), secret=new_secret(), created_at=self._clock())
        if len(await self.find()) >= MOST_WEBHOOKS:
            raise InvalidRequest(f"There are {MOST_WEBHOOKS} webhooks already; delete one first.")
        await self.add(made)
        return NewWebhook(made, made.secret)

    async def change(self, value_id: str, change: Callable[[StoredWebhook], StoredWebhook]) -> StoredWebhook | None:
        """
        Replace a webhook by the result of a function of it, and return the new one; None for an unknown id.

        Raises:
            RecordChanged: Another caller has changed it meanwhile.
            InvalidRequest: A field is invalid.
            AddressRefused: The gateway does not connect to this address.
        """
        return await super().change(
            value_id, lambda each: msgspec.structs.replace(change(each), revision=each.revision + 1)
        )

    async def note(self, webhook_id: str, **fields: float | bool | str) -> None:
        """
        Store the state of a webhook as the gateway has found it; deliveries continue.

        Raises:
            RecordChanged: Another caller has changed it meanwhile.
        """
        await super().change(webhook_id, lambda each: msgspec.structs.replace(each, **fields))

    async def rotate(self, webhook_id: str) -> NewWebhook | None:
        """Replace the secret of a webhook; None for an unknown id. For `OVERLAP`, both secrets sign the requests."""
        secret, until = new_secret(), self._clock() + OVERLAP
        changed = await self.change(
            webhook_id,
            lambda each: msgspec.structs.replace(
                each, secret=secret, earlier_secret=each.secret, earlier_until=until
            ),
        )  # fmt: skip
        return None if changed is None else NewWebhook(changed, secret)


def check_webhook(webhook: StoredWebhook) -> None:
    """
    Check the fields of a webhook.

    Raises:
        InvalidRequest: A pattern matches no type of event, or the accounts are an empty list.
        AddressRefused: The gateway does not connect to this address.
    """
    try:
        read_target(webhook.url, allow_private=webhook.allow_private)
    except AddressRefused as refused:
        raise AddressRefused(str(refused), field="url") from None
    if webhook.accounts == ():
        raise InvalidRequest("'accounts' is an empty list; name an account, or leave it out for all.", field="accounts")
    check_patterns(webhook.types, EVENT_TYPES)


def new_secret() -> str:
    """Return a random secret in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
