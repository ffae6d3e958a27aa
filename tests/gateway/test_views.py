"""Events as the API shows them: dotted types, times of RFC 3339, and no key of the platform."""

from __future__ import annotations

import msgspec
import pytest
from tests.hidden_fields import EVENTS, MARKS, is_hidden, marked
from tests.samples import sample

from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.views import view_of_event
from webwx.model.messages import Event, LocationMessage, MessageRecalled
from webwx.representations.events import EVENT_TYPES
from webwx.representations.times import moment, optional_moment


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_an_event_whose_hidden_fields_are_marked_shows_no_mark(kind: type[Event]) -> None:
    event = marked(sample(kind, lambda _name: "x"))
    shown = msgspec.json.encode(view_of_event(AccountEvent(account=1, event=event))).decode()

    assert event.type in EVENT_TYPES
    assert not any(str(mark) in shown for mark in MARKS)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_an_event_shows_all_its_other_fields(kind: type[Event]) -> None:
    event = sample(kind, lambda _name: "x")
    shown = view_of_event(AccountEvent(account=1, event=event))

    envelope = {"number", "redelivered", "chat", "sender", "is_self", "time"}
    assert shown.data.keys() == {name for name in kind.__struct_fields__ if not is_hidden(kind, name)} - envelope


def test_types_are_unique() -> None:
    assert len(set(EVENT_TYPES)) == len(EVENT_TYPES) == len(EVENTS) + 4


def test_a_recall_has_its_original_and_a_location_does_not() -> None:
    location = sample(LocationMessage, lambda name: "x")
    recall = MessageRecalled(
        message_id="1", chat=location.chat, is_self=False, time=7, text="recalled", content="<xml/>", original=location
    )
    shown = view_of_event(AccountEvent(account=2, event=recall))

    assert (shown.id, shown.type, shown.is_self) == ("2-0", "message.recalled", False)
    assert shown.data["original"]["type"] == "message.location"
    assert not {"content", "original"} & set(shown.data["original"])


def test_times_have_milliseconds_and_a_zone() -> None:
    assert moment(1_700_000_000.1239).isoformat() == "2023-11-14T22:13:20.124000+00:00"
    assert (optional_moment(0), optional_moment(None)) == (None, None)
