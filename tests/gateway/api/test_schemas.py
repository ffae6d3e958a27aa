"""The JSON Schemas of the structs, and of the events by their types."""

from __future__ import annotations

from typing import Any, get_args

import jsonschema
import msgspec
import pytest
from tests.samples import sample

from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.api.schemas import reached, schemas_of, structs
from webwx.gateway.views import view_of_event
from webwx.model.events import EVENT_TYPES, AnyEvent
from webwx.model.messages import Event, ImageMessage, MessageRecalled
from webwx.representations.accounts import AccountChange, AccountView
from webwx.representations.events import EventView
from webwx.representations.problems import Problem
from webwx.representations.sends import MessageToSend

KINDS: tuple[type[Event], ...] = get_args(AnyEvent)

SCHEMAS = schemas_of([EventView, AccountView, AccountChange, Problem])

EVENT = jsonschema.Draft202012Validator(
    {"$ref": "#/components/schemas/EventView", "components": {"schemas": SCHEMAS}},
    format_checker=jsonschema.FormatChecker(),
)


def shown(event: Event) -> Any:
    """Return an event as JSON of the API."""
    return msgspec.to_builtins(view_of_event(AccountEvent(account=1, event=event)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_event_fits_the_schema_of_its_type_only(kind: type[Event]) -> None:
    view = shown(sample(kind))

    EVENT.validate(view)
    assert not EVENT.is_valid({**view, "type": "message.absent"})
    assert not EVENT.is_valid({**view, "data": {}})
    assert set(view["data"]) == set(SCHEMAS[f"{kind.__name__}Data"]["properties"])


def test_a_recall_has_its_original_in_the_schema_of_its_kind() -> None:
    recall = msgspec.structs.replace(sample(MessageRecalled), original=sample(ImageMessage))

    EVENT.validate(shown(recall))


def test_no_private_field_of_an_event_is_described() -> None:
    names = reached([{"$ref": "#/components/schemas/EventView"}], SCHEMAS)
    described = {field for name in names for field in SCHEMAS[name].get("properties", ())}

    assert {"text", "nickname", "quoted"} <= described
    assert not described & {"content", "ticket", "media_id", "avatar_key", "raw", "encrypted_name"}


def test_the_types_are_one_closed_list() -> None:
    assert SCHEMAS["EventEnvelope"]["properties"]["type"]["enum"] == [*EVENT_TYPES]
    assert [*SCHEMAS["EventView"]["discriminator"]["mapping"]] == [*EVENT_TYPES]


def test_an_answer_has_all_its_fields_but_those_that_are_left_out_by_default() -> None:
    assert set(SCHEMAS["AccountView"]["required"]) == set(SCHEMAS["AccountView"]["properties"])
    assert SCHEMAS["AccountChange"]["required"] == []
    assert set(SCHEMAS["Problem"]["required"]) == {"type", "title", "status", "code"}
    assert SCHEMAS["Keep"]["required"] == []


def test_only_a_default_that_says_something_is_described() -> None:
    fields = schemas_of([MessageToSend])["MessageToSend"]["properties"]

    assert not [name for name, field in fields.items() if "default" in field]
    assert SCHEMAS["Keep"]["properties"]["kinds"]["default"] == ("image",)


def test_a_field_has_the_string_below_it_and_its_format() -> None:
    fields = SCHEMAS["AccountView"]["properties"]

    assert fields["since"] == {
        "type": "string",
        "format": "date-time",
        "description": "Time of the last change of the state.",
    }
    assert fields["last_sync_at"]["anyOf"][0]["format"] == "date-time"


def test_a_closed_list_has_a_type() -> None:
    assert SCHEMAS["AccountView"]["properties"]["state"] == {
        "type": "string",
        "enum": ["degraded", "logged_out", "logging_in", "new", "online"],
    }


def test_every_struct_is_found_by_its_name() -> None:
    assert structs()["AccountView"] is AccountView
