"""
Descriptions of every call and struct of the protocol, for docs/wire.md and the phone's page.

Names, types and places come from the structs; the meaning of a field comes from the string under it, which is read from
the source.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import msgspec

from webwx import protocol
from webwx.field_texts import field_texts
from webwx.protocol.codec import COMPACT_JSON, FORM, JSON, MEDIA, MULTIPART, FilePart, Media, Wire
from webwx.protocol.http import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.protocol.endpoint import Endpoint

_SHAPES = {
    id(JSON): "JSON",
    id(COMPACT_JSON): "JSON",
    id(FORM): "form",
    id(MULTIPART): "multipart form",
    id(MEDIA): "bytes",
}

_TIME_LIMITS = {
    TimeLimit.CALL: "ordinary",
    TimeLimit.POLL: "long poll, held for about 25 s",
    TimeLimit.BULK: "bulk, may take minutes",
}

_WORDS = {int: "number", str: "text", msgspec.Raw: "JSON, read item by item", FilePart: "file"}


class WireField(msgspec.Struct, frozen=True, kw_only=True):
    """One field."""

    name: str
    where: str
    """Part of the request that contains it."""
    kind: Any
    """Type of the field; `words` describes it."""
    meaning: str


class StructTable(msgspec.Struct, frozen=True, kw_only=True):
    """A struct and its fields."""

    name: str
    summary: str
    fields: list[WireField]
    """Empty for a body of plain bytes."""
    has_places: bool = False
    """Whether its fields are in different parts of a request."""


class CallDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One call."""

    name: str
    purpose: str
    address: str
    """Methods and path."""
    facts: list[tuple[str, str]]
    request: StructTable
    reply: StructTable


def calls() -> list[CallDescription]:
    """Describe every call, in the order of the protocol."""
    return [_call(endpoint) for endpoint in protocol.ENDPOINTS]


def structs() -> list[StructTable]:
    """Describe the structs inside requests and replies, in the order of their modules."""
    outer = {kind for call in protocol.ENDPOINTS for kind in (call.request, call.reply)}
    found: dict[type[msgspec.Struct], None] = {}
    for info in pkgutil.iter_modules(protocol.__path__):
        module = importlib.import_module(f"webwx.protocol.{info.name}")
        for kind in vars(module).values():
            is_wire = isinstance(kind, type) and issubclass(kind, Wire) and kind.__module__ == module.__name__
            if is_wire and kind is not Wire and kind not in outer:
                found[kind] = None
    return [_table(kind) for kind in found]


def words(kind: Any, link: Callable[[str], str]) -> str:
    """
    Describe a field's type in the reader's words.

    Args:
        kind: Type of the field.
        link: Formats the name of a struct.
    """
    arguments = get_args(kind)
    if get_origin(kind) is Annotated:
        return words(arguments[0], link)
    if get_origin(kind) in {list, tuple}:
        return f"list of {words(arguments[0], link)}"
    if get_origin(kind) in {Union, types.UnionType}:
        optional = ", may be absent" if msgspec.UnsetType in arguments else ""
        return " or ".join(words(each, link) for each in arguments if each is not msgspec.UnsetType) + optional
    if isinstance(kind, type) and issubclass(kind, Wire):
        return link(kind.__name__)
    return _WORDS.get(kind, "JSON")


def _call(endpoint: Endpoint[Any, Any]) -> CallDescription:
    body = _SHAPES[id(endpoint.body)] if endpoint.fields.inside else "none"
    # A script or XML answer has names of its own kind, which are those of the struct's fields.
    has_wire_names = id(endpoint.reply_shape) in _SHAPES
    return CallDescription(
        name=endpoint.name,
        purpose=endpoint.purpose,
        address=f"{' or '.join(endpoint.methods)} {endpoint.path}",
        facts=[
            ("Host", endpoint.host.value),
            ("Repeatable", "yes" if endpoint.repeatable else "no"),
            ("Time limit", _TIME_LIMITS[endpoint.time_limit]),
            ("Body", f"{body}; reply: {_SHAPES.get(id(endpoint.reply_shape), 'script or XML')}"),
        ],
        request=_table(endpoint.request, endpoint.fields.outside),
        reply=_table(endpoint.reply, has_wire_names=has_wire_names),
    )


def _table(
    kind: type[msgspec.Struct], outside: dict[str, Any] | None = None, *, has_wire_names: bool = True
) -> StructTable:
    """Describe a struct; `outside` says where those fields travel that are not in the body."""
    meanings = field_texts(kind)
    fields = []
    for field in msgspec.structs.fields(kind) if kind is not Media else ():
        where, name = "body", field.encode_name if has_wire_names else field.name
        if outside and field.name in outside:
            where, name = outside[field.name][0].value, outside[field.name][1]
        meaning = meanings.get(field.name, "").replace("\n", " ")
        fields.append(WireField(name=name, where=where, kind=field.type, meaning=meaning))
    summary = (inspect.getdoc(kind) or "").partition("\n")[0]
    return StructTable(name=kind.__name__, summary=summary, fields=fields, has_places=bool(outside))
