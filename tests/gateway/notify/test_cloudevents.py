"""CloudEvents: structured, binary, batched, and the handshake."""

from __future__ import annotations

from typing import Any

import pytest
from tests.gateway.notify.exchange import TOKEN, Exchange, post

TARGET = f"/hooks/cloudevents/{TOKEN}"
EVENT: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/s", "type": "com.example.t"}
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "com.example.t"}


def structured(event: object, media_type: str = "application/cloudevents+json") -> Exchange:
    return post("cloudevents", TARGET, event, headers={"content-type": media_type})


def key_of(done: Exchange) -> str:
    assert done.notification is not None
    return done.notification.idempotency_key


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"data": {"message": "m"}}, "com.example.t\n\nm"),
        ({"subject": "S", "data": "text"}, "S\n\ntext"),
        ({"data": {"a": 1}}, 'com.example.t\n\n{\n  "a": 1\n}'),
        ({}, "com.example.t"),
    ],
)
def test_a_structured_event_is_read(more: dict[str, Any], text: str) -> None:
    done = structured({**EVENT, **more})
    assert (done.answer.status, text) == (202, done.text)


@pytest.mark.parametrize(
    ("media_type", "body", "text"),
    [
        ("", b'{"msg": "m"}', "m"),
        ("", b"plain", "plain"),
        ("application/json", b'"m"', "m"),
        ("text/plain", b"{}", "{}"),
    ],
)
def test_a_binary_event_is_read(media_type: str, body: bytes, text: str) -> None:
    headers = {**BINARY, "content-type": media_type} if media_type else BINARY
    assert f"com.example.t\n\n{text}" == post("cloudevents", TARGET, body, headers=headers).text


def test_a_batch_is_one_message() -> None:
    events = [{**EVENT, "data": {"text": "one"}}, {**EVENT, "id": "2", "data": {"text": "two"}}]
    done = structured(events, "application/cloudevents-batch+json")
    assert done.text == "2 events\n\ncom.example.t\none\n\ncom.example.t\ntwo"


def test_source_and_id_are_the_idempotency_key() -> None:
    assert key_of(structured(EVENT)) == key_of(structured({**EVENT, "type": "other"}))
    assert key_of(structured(EVENT)) != key_of(structured({**EVENT, "source": "/t"}))


def test_an_event_without_its_attributes_is_refused() -> None:
    assert structured({"data": 1}).answer.status == 422
    assert post("cloudevents", TARGET, b"{}").answer.status == 422
    assert structured({}, "application/cloudevents-batch+json").answer.status == 400


def test_the_handshake_is_answered() -> None:
    done = post("cloudevents", TARGET, method="OPTIONS", headers={"webhook-request-origin": "events.example"})
    assert (done.answer.status, done.answer.headers["webhook-allowed-origin"]) == (200, "events.example")
    assert post("cloudevents", TARGET, method="OPTIONS").answer.status == 422
