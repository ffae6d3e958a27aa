"""
JSON Schemas of the structs that the API takes and returns.

msgspec makes them from the types: fields, ranges and closed lists are those that are enforced. The string under a field
is its description. A struct of an answer always has all its fields.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import msgspec

from webwx.field_texts import field_texts
from webwx.model.events import AnyEvent
from webwx.model.messages import Event, Quoted
from webwx.model.shown import shown_fields
from webwx.representations.events import EventView, QuotedView, is_in_envelope, tag_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Schema: TypeAlias = dict[str, Any]

PLACE = "#/components/schemas/"
"""Begin of a reference to a schema in an OpenAPI document."""

FILE: Schema = {"type": "string", "format": "binary"}
"""The schema of a file."""

_KINDS: tuple[type[Event], ...] = get_args(AnyEvent)

_ENVELOPE = "EventEnvelope"

_NO_DEFAULTS: tuple[object, ...] = (None, "", [], {})
"""Defaults that say no more than that a field may be absent; some generators demand a field that has a default."""


def schemas_of(kinds: Iterable[type[msgspec.Struct]], place: str = PLACE) -> dict[str, Schema]:
    """
    Return the schemas of structs and of all that they refer to, by name.

    `EventView` has an alternative for each type of event, with the fields of its `data`.

    Args:
        kinds: The structs.
        place: Begin of a reference.
    """
    known = structs()
    made = _made([*kinds, EventView], known, place)
    shown = _made([*_KINDS, QuotedView], known, place)
    for name, schema in shown.items():
        made.setdefault(name, _without(schema, _hidden(known[name], schema)))
    made |= _events(made, place)
    return made


def structs() -> dict[str, type[msgspec.Struct]]:
    """Return the structs of this package by their names."""
    found: dict[str, type[msgspec.Struct]] = {}
    waiting: list[type[msgspec.Struct]] = [msgspec.Struct]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("webwx."):
            found[kind.__name__] = kind
    return found


def reached(start: Any, schemas: Mapping[str, Schema], place: str = PLACE) -> set[str]:
    """Return the names of all schemas to which a value refers, directly or not."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for name in _referred(waiting.pop(), place):
            if name not in found:
                found.add(name)
                waiting.append(schemas[name])
    return found


def _referred(value: Any, place: str) -> Iterator[str]:
    match value:
        case dict():
            for key, each in value.items():
                if key == "$ref" and each.startswith(place):
                    yield each.removeprefix(place)
                else:
                    yield from _referred(each, place)
        case list():
            for each in value:
                yield from _referred(each, place)


def components_of(kinds: Iterable[type[msgspec.Struct]], place: str = PLACE) -> dict[str, Schema]:
    """Return the schemas of structs by name, as msgspec makes them; a closed list of texts has their type too."""
    _, made = msgspec.json.schema_components(kinds, ref_template=place + "{name}")
    waiting: list[Any] = [made]
    while waiting:
        match waiting.pop():
            case {"enum": [*values]} as schema if all(isinstance(each, str) for each in values):
                schema.setdefault("type", "string")
            case dict() as fields:
                waiting.extend(fields.values())
            case list() as items:
                waiting.extend(items)
    return made


def _made(
    kinds: Iterable[type[msgspec.Struct]], known: Mapping[str, type[msgspec.Struct]], place: str
) -> dict[str, Schema]:
    """
    Return schemas with the texts of the fields.

    A struct that forbids unknown fields is the body of a request, with all that it refers to. An answer has all fields.
    """
    made = components_of(kinds, place)
    bodies = {name for name in made if name in known and known[name].__struct_config__.forbid_unknown_fields}
    bodies |= reached([made[name] for name in bodies], made, place)
    for name, schema in made.items():
        kind = known.get(name)
        if kind is None:
            continue  # an enum
        texts, properties = field_texts(kind), schema["properties"]
        for field in msgspec.structs.fields(kind):
            if field.name in texts:
                properties[field.encode_name].setdefault("description", " ".join(texts[field.name].split()))
            if datetime in {field.type, *get_args(field.type)}:
                _one_of(properties[field.encode_name])["format"] = "date-time"
        if name not in bodies and not kind.__struct_config__.omit_defaults:
            absent = {each.encode_name for each in msgspec.structs.fields(kind) if each.default is msgspec.UNSET}
            schema["required"] = [each for each in properties if each not in absent]
        for each in properties.values():
            if name not in bodies or each.get("default", ...) in _NO_DEFAULTS:
                each.pop("default", None)
    return made


def _one_of(schema: Schema) -> Schema:
    """Return the schema of a value that is not null."""
    return schema.get("anyOf", [schema])[0]  # type: ignore[no-any-return]


def _hidden(kind: type[msgspec.Struct], schema: Schema) -> set[str]:
    """Return the fields of an event, or of a value in it, that the API does not show."""
    return set(schema["properties"]) - set(shown_fields(kind)) - set(tag_of(kind))


def _without(schema: Schema, names: set[str]) -> Schema:
    """Return a schema of an object without some fields."""
    properties = {name: each for name, each in schema["properties"].items() if name not in names}
    return {**schema, "properties": properties, "required": [each for each in schema["required"] if each in properties]}


def _events(made: Mapping[str, Schema], place: str) -> dict[str, Schema]:
    """Return the schemas of the events: for each type the envelope, and the fields of `data`."""
    view = made[EventView.__name__]
    envelope = _without(view, {"data"})
    events: dict[str, Schema] = {}
    mapping: dict[str, str] = {}
    for event_type, kind in sorted((str(kind.__struct_config__.tag), kind) for kind in _KINDS):
        data, event = f"{kind.__name__}Data", f"{kind.__name__}Event"
        whole = made[kind.__name__]
        fields = _without(whole, set(filter(is_in_envelope, whole["properties"])))
        for name, schema in fields["properties"].items():
            if schema.get("$ref") == place + Quoted.__name__:
                fields["properties"][name] = {**schema, "$ref": place + QuotedView.__name__}
        events[data] = {**fields, "title": data, "description": f"`data` of the event: {whole['description']}"}
        events[event] = {
            "title": event, "description": f"An event of the type `{event_type}`.",
            "allOf": [
                {"$ref": place + _ENVELOPE},
                {
                    "type": "object", "required": ["type", "data"],
                    "properties": {"type": {"const": event_type}, "data": {"$ref": place + data}},
                },
            ],
        }  # fmt: skip
        mapping[event_type] = place + event
    envelope["properties"]["type"] = {**envelope["properties"]["type"], "enum": [*mapping]}
    events[_ENVELOPE] = {**envelope, "title": _ENVELOPE, "description": "What every event has, beside its `data`."}
    events[EventView.__name__] = {
        "title": view["title"], "description": view["description"],
        "oneOf": [{"$ref": each} for each in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }  # fmt: skip
    return events
