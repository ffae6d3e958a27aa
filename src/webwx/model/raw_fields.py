"""All fields of a delivered item by their names on the wire, decoded when a program asks for them."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from webwx.errors import ProtocolError
from webwx.protocol.codec import read_json, write_json
from webwx.protocol.messages import WireText
from webwx.protocol.sync import SyncReply


class AnswerPlace(NamedTuple):
    """Place of a message in the answer that delivered it."""

    body: bytes
    """Body of the answer."""
    place: int
    """Position in the answer's list of messages."""

    def __repr__(self) -> str:
        return f"AnswerPlace({self.place})"


Delivered = bytes | msgspec.Raw | WireText | AnswerPlace
"""An item as delivered, or a text of which only its own fields were stored."""


def raw_fields(delivered: Delivered) -> dict[str, Any]:
    """Decode the fields of an item; empty if it is no JSON object."""
    match delivered:
        case AnswerPlace(body, place):
            found: bytes | msgspec.Raw = read_json(body, SyncReply).add_msg_list[place]
        case WireText():
            found = write_json(delivered)
        case _:
            found = delivered
    try:
        fields = read_json(found, Any)
    except ProtocolError:
        return {}
    return fields if isinstance(fields, dict) else {}
