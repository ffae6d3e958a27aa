"""A sample value of any struct, made from the types of its fields."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import inspect


def sample(kind: type[msgspec.Struct], text: Callable[[str], str] = lambda _name: "1_7|Ab+=") -> Any:
    """Return a struct with every field set; `text` returns the value of a text field by the field's name."""
    return _of_type(inspect.type_info(kind), "", text)


def _of_type(kind: inspect.Type, name: str, text: Callable[[str], str]) -> Any:
    match kind:
        case inspect.StrType():
            return text(name)
        case inspect.IntType() | inspect.FloatType():
            return 7
        case inspect.BoolType():
            return True
        case inspect.Metadata(type=described):
            return _of_type(described, name, text)
        case inspect.NoneType():
            return None
        case inspect.EnumType(cls=cls):
            return next(iter(cls))
        case inspect.BytesType():
            return b"\x89PNG\r\n\x1a\n"
        case inspect.RawType():
            return msgspec.Raw(b'{"MsgId":"1","Content":"a<br/>b","UserName":"@a"}')
        case inspect.FrozenSetType():
            return frozenset()
        case inspect.ListType(item_type=item):
            return [_of_type(item, name, text)]
        case inspect.VarTupleType(item_type=item):
            return (_of_type(item, name, text),)
        case inspect.TupleType(item_types=items):
            return tuple(_of_type(item, name, text) for item in items)
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.StructType(cls=cls, fields=fields) | inspect.NamedTupleType(cls=cls, fields=fields):
            return cls(**{field.name: _of_type(field.type, field.name, text) for field in fields})
        case inspect.UnionType(types=types):
            return _of_type(next(each for each in types if not isinstance(each, inspect.NoneType)), name, text)
        case inspect.DateTimeType():
            return datetime(2026, 11, 28, tzinfo=UTC)
        case inspect.AnyType():
            return text(name)
        case inspect.DictType():
            return {}
        case inspect.CustomType():
            return None  # A protocol, such as a sink.
        case _:
            raise AssertionError(f"no sample for {kind}: a new kind of field needs one")
