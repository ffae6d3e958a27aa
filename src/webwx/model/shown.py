"""
What may be shown of an event: an allow-list, which stands at the fields themselves.

The API and webhooks show the fields that are marked with `Shown`, of events and of the values inside them. A field
without the mark stays in the library: content with media keys, tickets, some ids of the platform.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Final, TypeAlias, TypeVar

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
