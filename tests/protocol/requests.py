"""
Every request byte for byte: `requests.http`, which changes of the code must not contradict.

`make records` writes it. A line that begins with `#` shows where a call differs from the default.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import inspect

from webwx.protocol import ENDPOINTS
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.http import TimeLimit

if TYPE_CHECKING:
    import msgspec

    from webwx.protocol.endpoint import Endpoint
    from webwx.protocol.http import Request

RECORDS = Path(__file__).with_name("requests.http")
"""Every call with each field set to its own name, in the order in which the fields are sent."""

HOSTS = FAMILIES["wx.qq.com"]


def record(endpoint: Endpoint[Any, Any]) -> str:
    """Return the record of a call."""
    facts = [
        *([] if endpoint.repeatable else ["not repeatable"]),
        *([] if endpoint.time_limit is TimeLimit.CALL else [f"time limit {endpoint.time_limit.value}"]),
        *(f"also {method}" for method in endpoint.methods[1:]),
        *(["limited"] if endpoint.limited else []),
        *([] if endpoint.on_filehelper else ["not on File Transfer Helper"]),
    ]
    head = [f"### {endpoint.name}", *([f"# {', '.join(facts)}"] if facts else [])]
    return "\n".join([*head, as_it_leaves(endpoint.encode_request(filled(endpoint.request), HOSTS))])


def filled(kind: type[msgspec.Struct]) -> msgspec.Struct:
    """Return a struct whose texts are the names of their fields and whose numbers count up."""
    numbers = itertools.count(1)

    def value(name: str, of: inspect.Type) -> Any:
        match of:
            case inspect.StrType():
                return name
            case inspect.IntType():
                return next(numbers)
            case inspect.BytesType():
                return name.encode()
            case inspect.UnionType(types=types):
                return value(name, types[0])
            case inspect.VarTupleType(item_type=item):
                return (value(name, item),)
            case inspect.ListType(item_type=item):
                return [value(name, item)]
            case inspect.StructType(cls=cls, fields=fields):
                return cls(**{field.name: value(field.name, field.type) for field in fields})
            case _:
                raise AssertionError(f"no value for {of}: a new kind of field needs one")

    made: msgspec.Struct = value("", inspect.type_info(kind))
    return made


def as_it_leaves(request: Request) -> str:
    """Return a request as HTTP, without the lines that the HTTP library adds; a carriage return is shown as `␍`."""
    head = [f"{request.method} {request.url}", *(f"{name}: {value}" for name, value in request.headers)]
    return "\n".join([*head, "", request.content.decode()]).replace("\r", "␍").rstrip("\n")


if __name__ == "__main__":
    RECORDS.write_text("\n\n".join(map(record, ENDPOINTS)) + "\n", encoding="utf-8")
