"""The stored webhooks: what is valid, which events they want, and their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.samples import sample

from webwx.errors import InvalidRequest
from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.notify.credentials import is_webhook_secret
from webwx.gateway.webhooks.webhooks import MOST_WEBHOOKS, OVERLAP, StoredWebhook, Webhooks
from webwx.model.contacts import ContactId
from webwx.model.messages import QuoteMessage, TextMessage, TextQuoteMessage
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CHAT = ContactId("@a")


@pytest.fixture
async def webhooks(tmp_path: Path) -> AsyncIterator[Webhooks]:
    records = open_records(tmp_path / "gateway.db")
    yield Webhooks(records, lambda: 1000.0)
    await records.close()


def webhook(**fields: Any) -> StoredWebhook:
    return StoredWebhook(
        **{"id": "", "secret": "", "created_at": 0, "name": "n", "url": "https://h.example/", **fields}
    )


async def test_a_webhook_is_stored_with_a_secret_that_is_in_no_repr(webhooks: Webhooks) -> None:
    made = await webhooks.create(webhook())
    assert is_webhook_secret(made.secret)
    assert await webhooks.get(made.webhook.id) == made.webhook
    assert await webhooks.find() == [made.webhook]
    assert made.secret not in repr(made) + repr(await webhooks.find())
    assert await webhooks.delete(made.webhook.id)
    assert await webhooks.get(made.webhook.id) is None


async def test_after_a_rotation_both_secrets_sign_for_a_day(webhooks: Webhooks) -> None:
    first = await webhooks.create(webhook())
    second = await webhooks.rotate(first.webhook.id)
    assert second is not None
    assert second.webhook.signing_secrets(1000 + OVERLAP - 1) == (second.secret, first.secret)
    assert second.webhook.signing_secrets(1000 + OVERLAP) == (second.secret,)
    assert await webhooks.rotate("absent") is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"url": "ftp://h.example/"}, "http"),
        ({"url": "http://127.0.0.1/"}, "private network"),
        ({"types": ("message.*", "nothing.*")}, "nothing"),
        ({"accounts": ()}, "accounts"),
    ],
)
async def test_an_invalid_webhook_is_refused(webhooks: Webhooks, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        await webhooks.create(webhook(**fields))
    made = await webhooks.create(webhook())
    with pytest.raises(InvalidRequest, match=reason):
        await webhooks.change(made.webhook.id, lambda each: msgspec.structs.replace(each, **fields))


async def test_the_number_of_webhooks_is_limited(webhooks: Webhooks) -> None:
    for _ in range(MOST_WEBHOOKS):
        await webhooks.create(webhook())
    with pytest.raises(InvalidRequest, match="delete one"):
        await webhooks.create(webhook())


@pytest.mark.parametrize(
    ("fields", "is_wanted"),
    [
        ({}, True),
        ({"types": ("message.image", "message.t*")}, True),
        ({"types": ("message.image",)}, False),
        ({"chats": ("阿华",)}, True),
        ({"chats": ("@a",)}, True),
        ({"chats": ("@b",)}, False),
        ({"is_self": False}, True),
        ({"is_self": True}, False),
    ],
)
def test_filters_select_events(fields: dict[str, Any], is_wanted: bool) -> None:
    event = TextMessage(message_id="1", chat=CHAT, sender=CHAT, is_self=False, time=1, text="t", content="t")
    assert webhook(**fields).wants(AccountEvent(account=1, event=event, chat_name="阿华")) is is_wanted


def test_a_filter_of_replies_selects_both_kinds_of_them() -> None:
    replies = [sample(kind) for kind in (QuoteMessage, TextQuoteMessage)]
    assert all(webhook(types=("message.quote",)).wants(AccountEvent(account=1, event=each)) for each in replies)


def test_a_webhook_serves_its_accounts() -> None:
    assert webhook().serves(7)
    assert [webhook(accounts=(1, 2)).serves(account) for account in (1, 3)] == [True, False]
