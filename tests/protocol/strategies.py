"""
Hypothesis strategies for everything on the wire, made from the structs themselves.

They omit the values that the wire cannot carry: an empty text in a query or a multipart field is not sent, so it is
decoded to the field's default; texts inside scripts and tags have no escaping of their own; a ticket exchange has
either keys or a reason.
"""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from webwx.protocol.codec import MULTIPART, FilePart
from webwx.protocol.endpoint import Endpoint, Where
from webwx.protocol.login import PollReply, QrReply, TicketReply
from webwx.protocol.sync import CheckReply

TEXT = st.text(max_size=20)
NUMBER = st.integers(-(2**63), 2**64 - 1)
TOKEN = st.text("ABCxyz019+/=@_-%", min_size=1, max_size=20)
UUID = st.from_regex(r"[A-Za-z0-9_\-]{8,16}={0,2}", fullmatch=True)
RAW_QUERY = st.lists(st.tuples(st.sampled_from(["ticket", "uuid", "lang", "scan"]), TOKEN), min_size=1, max_size=4).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
SCRIPT_NUMBER = st.integers(-(10**18) + 1, 10**18 - 1)
JSON_VALUE = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT, lambda inner: st.lists(inner, max_size=2), max_leaves=4
)
FILE = st.builds(
    FilePart, name=TEXT, content_type=st.sampled_from(["image/png", "video/mp4"]), content=st.binary(max_size=99),
    boundary=st.uuids().map(str),
)  # fmt: skip

SPECIAL: dict[type[msgspec.Struct], st.SearchStrategy[Any]] = {
    FilePart: FILE,
    QrReply: st.builds(QrReply, code=SCRIPT_NUMBER, uuid=UUID | st.just("")),
    PollReply: st.builds(
        PollReply,
        code=SCRIPT_NUMBER,
        user_avatar=st.text(max_size=20).filter(lambda text: "'" not in text),
        redirect_uri=st.text(max_size=20).filter(lambda text: '"' not in text),
    ),
    TicketReply: st.builds(
        TicketReply, ret=st.integers(-99_999, 99_999).filter(bool), message=TEXT, isgrayscale=st.just(0)
    )
    | st.builds(
        TicketReply,
        skey=TOKEN,
        wxsid=TOKEN,
        wxuin=st.integers(0, 2**32),
        pass_ticket=TOKEN,
        isgrayscale=st.sampled_from([0, 1]),
    ),
    CheckReply: st.builds(CheckReply, retcode=st.integers(-9_999, 9_999), selector=SCRIPT_NUMBER),
}


def requests_of(endpoint: Endpoint[Any, Any]) -> st.SearchStrategy[msgspec.Struct]:
    """Any request of a call."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in _fields(endpoint.request):
        where = endpoint.fields.outside[field.name][0] if field.name in endpoint.fields.outside else None
        if where is Where.PATH:
            fields[field.name] = UUID
        elif where is Where.RAW_QUERY:
            fields[field.name] = RAW_QUERY
        elif (where is Where.QUERY or endpoint.body is MULTIPART) and isinstance(field.type, inspect.StrType):
            default = st.nothing() if field.required else st.just(field.default)
            fields[field.name] = default | st.text(min_size=1, max_size=20)
        else:
            fields[field.name] = _of_type(field.type)
    return st.builds(endpoint.request, **fields)


def replies_of(endpoint: Endpoint[Any, Any]) -> st.SearchStrategy[msgspec.Struct]:
    """Any reply to a call."""
    return structs(endpoint.reply)


def structs(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any value of a struct."""
    if kind in SPECIAL:
        return SPECIAL[kind]
    return st.builds(kind, **{field.name: _of_type(field.type) for field in _fields(kind)})


def plain(value: object) -> object:
    """Return a value for comparison: raw JSON is parsed, so that its whitespace does not count."""
    match value:
        case msgspec.Raw():
            return msgspec.json.decode(value)
        case msgspec.Struct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case list() | tuple():
            return [plain(each) for each in value]
    return value


def _fields(kind: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return info.fields


def _of_type(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.StrType():
            return TEXT
        case inspect.IntType():
            return NUMBER
        case inspect.BytesType():
            return st.binary(max_size=99)
        case inspect.RawType():
            return JSON_VALUE.map(lambda value: msgspec.Raw(msgspec.json.encode(value)))
        case inspect.UnionType(types=types):
            return st.one_of([_of_type(each) for each in types])
        case inspect.ListType(item_type=item):
            return st.lists(_of_type(item), max_size=2)
        case inspect.VarTupleType(item_type=item):
            return st.lists(_of_type(item), max_size=2).map(tuple)
        case inspect.DictType():
            return st.dictionaries(TEXT, JSON_VALUE, max_size=2)
        case inspect.StructType(cls=cls):
            return structs(cls)
        case _:
            raise AssertionError(f"no strategy for {kind}: a new kind of field needs one")
