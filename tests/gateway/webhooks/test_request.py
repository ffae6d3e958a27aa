"""The body, the signature and the pauses of a webhook."""

from __future__ import annotations

import random
import time

import msgspec
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.webhooks.request import (
    MAX_BODY,
    PAUSES,
    asked_pause,
    body_of,
    body_of_notice,
    headers_of,
    pause_after,
)
from webwx.gateway.webhooks.webhooks import StoredWebhook, new_secret
from webwx.model.contacts import ContactId
from webwx.model.messages import PhoneActivity, TextMessage

CHAT = ContactId("@a")


def account_event_of(text: str) -> AccountEvent:
    event = TextMessage(
        message_id="1", chat=CHAT, sender=CHAT, is_self=False, time=1_700_000_000, text=text, content=text
    )  # fmt: skip
    return AccountEvent(account=2, event=msgspec.structs.replace(event, number=7), chat_name="阿华")


def headers(body: bytes, *secrets: str, now: float | None = None) -> dict[str, str]:
    return headers_of(
        event_id="2-7", event_type="message.text", account=2, attempt=1, form="event", secrets=secrets,
        now=time.time() if now is None else now, body=body,
    )  # fmt: skip


def test_the_library_of_standard_webhooks_accepts_each_signature_of_a_rotation() -> None:
    new, earlier = new_secret(), new_secret()
    body = body_of(account_event_of("hi"), "event")
    for secret in (new, earlier):
        assert Webhook(secret).verify(body, headers(body, new, earlier))["data"]["text"] == "hi"
    with pytest.raises(WebhookVerificationError):
        Webhook(earlier).verify(body, headers(body, new))
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(body + b" ", headers(body, new))
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(body, headers(body, new, now=time.time() - 600))


@pytest.mark.parametrize("form", ["event", "cloudevents"])
def test_a_long_text_is_cut(form: str) -> None:
    body = body_of(account_event_of("长" * 400_000), form)  # type: ignore[arg-type]
    event = msgspec.json.decode(body)
    event = event if form == "event" else event["data"]
    assert len(body) <= MAX_BODY
    assert (event["truncated"], event["id"], set(event["data"]["text"])) == (True, "2-7", {"长"})
    assert "truncated" not in msgspec.json.decode(body_of(account_event_of("short"), "event"))


def test_an_event_with_many_long_texts_is_cut_until_it_fits() -> None:
    event = PhoneActivity(
        code=4, chat=ContactId("@a"), recent=tuple(ContactId("@" + "x" * 1_000) for _ in range(2_000))
    )
    body = body_of(AccountEvent(account=2, event=event), "event")
    assert len(body) <= 256_000
    assert msgspec.json.decode(body)["truncated"] is True


def test_a_cloud_event_has_the_event_as_its_data() -> None:
    event = msgspec.json.decode(body_of(account_event_of("hi"), "cloudevents"))
    assert event.pop("data") == msgspec.json.decode(body_of(account_event_of("hi"), "event"))
    assert event == {
        "specversion": "1.0", "id": "2-7", "source": "/accounts/2", "type": "webwx.message.text",
        "datacontenttype": "application/json", "time": "2023-11-14T22:13:20Z",
    }  # fmt: skip


def test_an_event_of_the_gateway_is_about_a_webhook() -> None:
    webhook = StoredWebhook(id="w", secret="", created_at=0, name="n", url="https://h.example/")
    notice = webhook.new_notice("webhook.disabled", time=1_700_000_000.0, reason="r")
    plain, cloud = (msgspec.json.decode(body_of_notice(notice, form)) for form in ("event", "cloudevents"))
    assert plain == {
        "id": notice.id, "type": "webhook.disabled", "time": "2023-11-14T22:13:20Z", "account": 0,
        "data": {"webhook": "w", "name": "n", "reason": "r"},
    }  # fmt: skip
    assert (cloud["source"], cloud["type"], cloud["data"]) == ("/webhooks/w", "webwx.webhook.disabled", plain)


def test_the_pauses_grow_and_end() -> None:
    rng = random.Random(1)

    def pauses(*, is_private: bool) -> list[float | None]:
        return [pause_after(n, is_private=is_private, asked=0, rng=rng) for n in range(1, 17)]

    public, private = pauses(is_private=False), pauses(is_private=True)
    assert all(pause is not None and 1 <= pause / least <= 1.2 for pause, least in zip(public, PAUSES, strict=False))
    assert public[len(PAUSES) :] == [None] * 7
    assert private[0] is not None
    assert private[0] < 1.3
    assert private.index(None) == 15


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [
        (503, "30", 30),
        (429, "99999", 3600),
        (429, "Thu, 01 Jan 1970 00:02:00 GMT", 20),
        (429, "Thu, 01 Jan 1970 00:00:00 GMT", 0),
        (429, "soon", 0),
        (429, None, 0),
        (500, "30", 0),
    ],
)
def test_retry_after_is_followed_for_an_hour(status: int, value: str | None, seconds: float) -> None:
    assert asked_pause(status, value, now=100) == seconds
