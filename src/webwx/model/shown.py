"""
What may be shown of an event: an allow-list, which stands at the fields themselves.

The API, webhooks and `repr`, which logs use, show the fields that are marked with `Shown`, of events and of the values
inside them. A field without the mark stays in the library: content with media keys, tickets, some ids of the platform.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")

_MARK: Final = "shown"

Shown: TypeAlias = Annotated[T, _MARK]
"""Type of a field that may be shown: `text: Shown[str]`."""


@cache
def shown_fields(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the names of the fields of a class that may be shown, in their order."""
    return tuple(
        field.name for field in msgspec.structs.fields(kind) if _MARK in getattr(field.type, "__metadata__", ())
    )


class ShownStruct(msgspec.Struct, frozen=True):
    """A struct whose `repr` has the fields that may be shown, and `***` for the others."""

    def __repr__(self) -> str:
        fields = [f"{name}={value!r}" for name, value in self.__rich_repr__()]
        if len(fields) < len(self.__struct_fields__):
            fields.append("***")
        return f"{type(self).__name__}({', '.join(fields)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in shown_fields(type(self))]
