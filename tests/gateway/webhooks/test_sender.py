"""Single requests: what is sent, and what is stored of the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
from standardwebhooks import Webhook

from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.outgoing.outgoing import OutgoingClient
from webwx.gateway.webhooks.sender import WebhookSender, without_secrets
from webwx.gateway.webhooks.webhooks import StoredWebhook, new_secret
from webwx.model.contacts import ContactId
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.webhook_receiver import WebhookReceiver

    from webwx.representations.webhooks import WebhookFormat

CHAT = ContactId("@a")


NOW = 1_700_000_000.0

TEXT = TextMessage(message_id="1", chat=CHAT, sender=CHAT, is_self=False, time=1, text="hi", content="hi")
TOLD = AccountEvent(account=2, event=msgspec.structs.replace(TEXT, number=7), attempt=3)


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    async with OutgoingClient() as client:
        yield WebhookSender(lambda: client, lambda: NOW)


def webhook(receiver: WebhookReceiver, form: WebhookFormat = "event") -> StoredWebhook:
    return StoredWebhook(
        id="w", secret=new_secret(), created_at=0, name="n", url=receiver.url, allow_private=True, format=form
    )


async def test_an_attempt_has_its_event_and_the_answer(sender: WebhookSender, receiver: WebhookReceiver) -> None:
    receiver.answer = lambda _: "503 Later\r\nRetry-After: 30"
    made = await sender.send(webhook(receiver), TOLD, origin="replay")
    request = await receiver.requests.get()
    assert (made.event, made.type, made.account, made.attempt, made.origin) == ("2-7", "message.text", 2, 3, "replay")
    assert (made.status, made.asked, made.is_delivered, made.answer) == (503, 30, False, "")
    assert (made.outcome, made.outcome_code, made.error_code) == ("The server answered 503.", "not-accepted", "")
    assert (request.headers["webhook-id"], request.headers["webwx-attempt"]) == ("2-7", "3")


@pytest.mark.parametrize("form", ["event", "cloudevents"])
async def test_an_event_of_the_gateway_is_signed_as_well(
    sender: WebhookSender, receiver: WebhookReceiver, form: WebhookFormat
) -> None:
    target = webhook(receiver, form)
    notice = target.new_notice("webhook.test", time=NOW)
    made = await sender.send_notice(target, notice, origin="test")
    request = await receiver.requests.get()
    assert (made.is_delivered, made.event, made.account) == (True, notice.id, 0)
    signature = Webhook(target.secret).sign(notice.id, made_at(request.headers), request.body.decode())
    assert request.headers["webhook-signature"] == signature


async def test_a_server_that_cannot_be_reached_has_no_status(sender: WebhookSender) -> None:
    refused = StoredWebhook(id="w", secret=new_secret(), created_at=0, name="n", url="http://127.0.0.1:9999/")
    made = await sender.send(refused, TOLD)
    assert (made.status, made.is_delivered, "private network" in made.outcome) == (None, False, True)
    assert made.outcome_code == made.error_code == "address-refused"


def made_at(headers: dict[str, str]) -> datetime:
    return datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)


def test_an_answer_that_repeats_the_address_or_a_signature_is_stored_without_them() -> None:
    url = "https://h.example/services/T0KEN%2Fwith-slash?key=anothertoken&v=1"
    body = (
        b"no /services/T0KEN%2Fwith-slash here; T0KEN/with-slash, key=anothertoken, v1,c2lnbmF0dXJl, path services \xff"
    )
    shown = without_secrets(body, url, ["v1,c2lnbmF0dXJl", "id"])
    assert shown == "no *** here; ***, key=***, ***, path *** \ufffd"
