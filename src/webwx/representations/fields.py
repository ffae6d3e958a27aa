"""Fields that the bodies of several requests have, with their limits."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
"""Name for people."""

AccountNumbers: TypeAlias = Annotated[list[int], Meta(min_length=1, max_length=1000)]
"""Numbers of accounts."""

Patterns: TypeAlias = Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=50)]
"""Names or ids of chats, or patterns of types; empty: all."""


def given_fields(body: msgspec.Struct) -> dict[str, Any]:
    """Return the fields of a body that are set, as they are stored: lists as tuples."""
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
