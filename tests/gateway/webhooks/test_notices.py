"""Events of the gateway itself: who may have them."""

from __future__ import annotations

import asyncio

import pytest

from webwx.gateway.webhooks.notices import WebhookNotices, view_of_notice
from webwx.gateway.webhooks.webhooks import StoredWebhook


def webhook(**fields: object) -> StoredWebhook:
    return StoredWebhook(**{  # type: ignore[arg-type]  # fields of several types
        "id": "w", "secret": "", "created_at": 0, "name": "n", "url": "https://h.example/", **fields
    })  # fmt: skip


@pytest.mark.parametrize(
    ("accounts", "reader", "is_for"),
    [
        (None, None, True),
        ((1,), None, True),
        ((1,), (1, 2), True),
        ((1, 2), (1,), False),
        (None, (1, 2), False),
    ],
)
def test_a_reader_of_all_accounts_of_a_webhook_has_its_events(
    accounts: tuple[int, ...] | None, reader: tuple[int, ...] | None, is_for: bool
) -> None:
    notice = webhook(accounts=accounts).new_notice("webhook.failing", time=1000.0)
    assert notice.is_for(reader) is is_for


@pytest.mark.parametrize(
    ("fields", "is_wanted"),
    [
        ({}, True),
        ({"types": ("webhook.*",)}, True),
        ({"types": ("message.*",)}, False),
        ({"chats": ("阿华",)}, False),
        ({"is_self": False}, False),
        ({"accounts": (1,)}, False),
        ({"id": "w"}, False),
    ],
)
def test_a_webhook_has_the_events_of_other_ones(fields: dict[str, object], is_wanted: bool) -> None:
    notice = webhook().new_notice("webhook.disabled", time=1000.0)
    assert webhook(**{"id": "other", **fields}).wants_notice(notice) is is_wanted


async def test_watchers_get_what_is_published_from_then_on() -> None:
    notices = WebhookNotices()
    bound, watched = notices.watch((2,)), notices.watch()
    waiting = [asyncio.ensure_future(anext(each)) for each in (bound, watched)]
    await asyncio.sleep(0)
    first = webhook().new_notice("webhook.failing", time=1000.0, reason="r")
    second = webhook(accounts=(2,)).new_notice("webhook.disabled", time=1000.0)
    notices.publish(first)
    notices.publish(second)
    assert [await each for each in waiting] == [second, first]
    view = view_of_notice(first)
    assert (view.id, view.type, view.data.webhook, view.data.reason) == (first.id, "webhook.failing", "w", "r")
    await bound.aclose()
    await watched.aclose()
