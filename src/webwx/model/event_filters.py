"""Filters of events by their type: the one rule of the API, webhooks and the command line."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from webwx.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def matches(event_type: str, patterns: Sequence[str]) -> bool:
    """
    Return whether a type matches one of some patterns; without patterns, every type does.

    A pattern also matches the types below it: `message.quote` matches `message.quote.text`.

    Args:
        event_type: A type, such as `message.text`.
        patterns: Types, or patterns with `*`, such as `message.*`.
    """
    return not patterns or any(
        fnmatchcase(event_type, pattern) or fnmatchcase(event_type, f"{pattern}.*") for pattern in patterns
    )


def check_patterns(patterns: Sequence[str], types: Collection[str]) -> None:
    """
    Check that each pattern matches one of some types; the error suggests the type that was probably meant.

    Raises:
        InvalidRequest: A pattern matches none of them.
    """
    for pattern in patterns:
        if not any(matches(each, (pattern,)) for each in types):
            close = get_close_matches(pattern, types, n=1) or ["message.*"]
            raise InvalidRequest(f"No type of event matches {pattern!r}. Did you mean {close[0]!r}?", field="types")


def is_named(event_type: str, patterns: Sequence[str]) -> bool:
    """Return whether a pattern names a type or its first part, such as `send` or `send.*`; `*` names no type."""
    group = event_type.partition(".")[0]
    named = [pattern for pattern in patterns if pattern.startswith(group)]
    return bool(named) and matches(event_type, named)
