"""
Texts of other people in a length that fits into a result, whatever they have written.

A character has up to six bytes in JSON, so a limit counts characters and bytes: three bytes for each character, as
Chinese has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.adapters.mcp.tool_values import NamedChat

if TYPE_CHECKING:
    from webwx.gateway.adapters.mcp.tool_values import ChatKind

SHORT = 300
"""Maximum number of characters of a title or a quoted text."""

_NAME = 200
"""Maximum number of characters of a name."""

_BYTES = 3
"""Bytes of JSON for each allowed character."""

_CUT = "…"
"""Ends a text that was cut."""


def first_part(text: str, most: int) -> str:
    """Return the longest begin of a text that fits."""
    part, room = text[:most], most * _BYTES
    while (size := len(msgspec.json.encode(part)) - 2) > room:
        # Each character that is cut removes at most six bytes, so this never cuts too many.
        part = part[: -max(1, (size - room) // 6)]
    return part


def short_text(text: str, most: int = SHORT) -> str:
    """Return a text, or its first part with a mark that it was cut."""
    part = first_part(text, most)
    return part if part == text else part[:-1] + _CUT


def short_name(name: str) -> str:
    """Return a name, or its first part with a mark that it was cut."""
    return short_text(name, _NAME)


def named_chat(number: int, name: str, kind: ChatKind) -> NamedChat:
    """Return a chat for a result."""
    return NamedChat(number=number, name=short_name(name), kind=kind)
