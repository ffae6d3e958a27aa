"""Cursors of pages: a position in each chat that was read, as one text."""

from __future__ import annotations

import base64
import binascii
from typing import Any, TypeVar

import msgspec

from webwx.gateway.adapters.mcp.failures import ToolRefused

C = TypeVar("C")


_HIGHEST = 2**53 - 1
"""Highest number of a row; every place that stores or reads one has room for it."""


def write_cursor(value: Any) -> str:
    """Return a position as a text without meaning for its reader."""
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def read_cursor(text: str, kind: type[C]) -> C:
    """
    Return the position of a cursor.

    Raises:
        ToolRefused: The text is not one.
    """
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        raise ToolRefused("The cursor is not one that a page has returned; pass `next_cursor` unchanged.") from None


def read_number(text: str) -> int:
    """
    Return the number of a cursor.

    Raises:
        ToolRefused: The text is not one.
    """
    return min(max(read_cursor(text, int), 0), _HIGHEST)
