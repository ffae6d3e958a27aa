"""Every real message, sync answer and contact decodes to the values in the index of the corpus."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.corpus import CORPUS, ME, PAYLOADS, Payload, message_with, payloads, said_of

from webwx.model.contacts import contact_from_wire
from webwx.model.delivery import message_from_wire, read_wire
from webwx.model.events import Item, event_from_item, event_from_json, event_to_json, identify
from webwx.model.messages import Event, ImageMessage
from webwx.protocol.codec import read_json, write_json
from webwx.protocol.contacts import WireContact
from webwx.protocol.http import Response
from webwx.protocol.sync import WEBWXSYNC


def fields_of(event: Event) -> dict[str, Any]:
    """Return an event as JSON fields, and check that the event can be read back from them."""
    written = event_to_json(event)
    assert event_to_json(event_from_json(written)) == written
    fields: dict[str, Any] = json.loads(written)
    return fields | ({"can_forward": event.can_forward} if isinstance(event, ImageMessage) else {})


def test_the_index_names_every_file() -> None:
    files = {path.relative_to(CORPUS).as_posix() for path in CORPUS.rglob("*") if path.is_file()}
    assert files - {"index.tsv"} == {payload.file for payload in PAYLOADS}
    assert len(PAYLOADS) == 420
    assert all((payload.protocol == "phone") == (payload.kind == "phone-xml") for payload in PAYLOADS)


@pytest.mark.parametrize("payload", payloads("message"), ids=str)
def test_a_message_is_the_event_that_the_index_names(payload: Payload) -> None:
    event = fields_of(message_from_wire(read_wire(payload.body), ME, payload.body))
    assert payload.expected == said_of(event, payload.expected)


@pytest.mark.parametrize("payload", payloads("webwxsync"), ids=str)
def test_a_sync_answer_is_the_events_that_the_index_names(payload: Payload) -> None:
    reply = WEBWXSYNC.decode_reply(Response(body=payload.body))
    assert reply.base_response.ret == 0
    items = [
        *(Item(kind="deleted", raw=raw) for raw in reply.del_contact_list),
        *(Item(kind="contact", raw=raw) for raw in reply.mod_contact_list),
        *(Item(kind="message", raw=raw) for raw in reply.add_msg_list),
    ]
    events = [fields_of(event_from_item(item, ME)) for item in items]
    assert payload.expected == said_of(events, payload.expected)
    assert not any(identify(item, ME).is_quarantined for item in items)


@pytest.mark.parametrize("payload", payloads("content-xml", "phone-xml"), ids=str)
def test_a_content_is_the_event_that_the_index_names(payload: Payload) -> None:
    wire = message_with(payload)
    event = fields_of(message_from_wire(wire, ME, write_json(wire)))
    assert payload.expected == said_of(event, payload.expected)


@pytest.mark.parametrize("payload", payloads("contact"), ids=str)
def test_a_contact_is_what_the_index_names(payload: Payload) -> None:
    contact = contact_from_wire(read_json(payload.body, WireContact), ME)
    assert payload.expected == {
        "kind": contact.kind, "nickname": contact.nickname, "members": len(contact.members),
    }  # fmt: skip
