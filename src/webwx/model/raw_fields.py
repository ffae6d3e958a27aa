"""All fields of a delivered item by their names on the wire, decoded when a program asks for them."""

from __future__ import annotations

from typing import Any

import msgspec

from webwx.errors import ProtocolError
from webwx.protocol.codec import read_json, write_json
from webwx.protocol.messages import WireText

Delivered = bytes | msgspec.Raw | WireText
"""An item as delivered, or a text of which only its own fields were stored."""


def raw_fields(delivered: Delivered) -> dict[str, Any]:
    """Decode the fields of an item; empty if it is no JSON object."""
    found: bytes | msgspec.Raw = write_json(delivered) if isinstance(delivered, WireText) else delivered
    try:
        fields = read_json(found, Any)
    except ProtocolError:
        return {}
    return fields if isinstance(fields, dict) else {}
