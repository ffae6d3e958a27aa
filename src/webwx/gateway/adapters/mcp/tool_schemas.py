"""JSON Schemas of arguments and results, in one piece without references, as many clients need them."""

from __future__ import annotations

from typing import Any

import msgspec

from webwx.field_texts import field_texts

_PLACE = "#/$defs/"


def schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """
    Return the schema of a struct.

    Fields, ranges and closed lists are those that are enforced, and the string under a field is its description. A
    struct that forbids unknown fields has `additionalProperties: false`.
    """
    (_,), made = msgspec.json.schema_components([kind], ref_template=_PLACE + "{name}")
    classes = {each.__name__: each for each in _structs_in(kind)}
    for name, schema in made.items():
        texts = field_texts(classes[name])
        for field, value in schema["properties"].items():
            if field in texts:
                value.setdefault("description", " ".join(texts[field].split()))
    inlined: dict[str, Any] = _inlined(made[kind.__name__], made)
    inlined.pop("title", None)
    return inlined


def _structs_in(kind: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    """Return a struct and all structs in its fields."""
    found: list[type[msgspec.Struct]] = []
    waiting: list[Any] = [msgspec.inspect.type_info(kind)]
    while waiting:
        match waiting.pop():
            case msgspec.inspect.StructType(cls=cls, fields=fields) if cls not in found:
                found.append(cls)
                waiting.extend(field.type for field in fields)
            case msgspec.inspect.ListType(item_type=item):
                waiting.append(item)
            case msgspec.inspect.UnionType(types=types):
                waiting.extend(types)
            case msgspec.inspect.Metadata(type=inner):
                waiting.append(inner)
            case _:
                pass
    return found


def _inlined(value: Any, made: dict[str, Any]) -> Any:
    match value:
        case {"$ref": str(place), **rest}:
            return {**_inlined(made[place.removeprefix(_PLACE)], made), **rest}
        case dict():
            return {key: _inlined(each, made) for key, each in value.items()}
        case list():
            return [_inlined(each, made) for each in value]
        case _:
            return value
