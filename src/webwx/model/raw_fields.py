"""All fields of a delivered item by their names on the wire, decoded when a program asks for them."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import msgspec

from webwx.errors import ProtocolError
from webwx.protocol.codec import Wire, read_json, write_json
from webwx.protocol.messages import WireText

if TYPE_CHECKING:
    from collections.abc import Iterable

Delivered = bytes | msgspec.Raw | WireText
"""An item as delivered, or a text of which only its own fields were stored."""


class _Texts(Wire, frozen=True, kw_only=True):
    add_msg_list: list[msgspec.Raw] = msgspec.field(default_factory=list)


class TextAnswer:
    """
    The texts of an answer as delivered. Their events share it: none is decoded again or copied until a program asks.

    Args:
        body: The answer.
    """

    __slots__ = ("__weakref__", "_body", "_packed", "_texts")

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._packed = b""
        self._texts: dict[WireText, msgspec.Raw] = {}
        """The texts by their decoded fields; empty before the first one is asked for, and again when it is packed."""

    def __repr__(self) -> str:
        return "TextAnswer()"

    @classmethod
    def of(cls, texts: Iterable[msgspec.Raw]) -> TextAnswer:
        """Return an answer of these texts alone."""
        return cls(write_json(_Texts(add_msg_list=list(texts))))

    def find(self, text: WireText) -> Delivered:
        """Return a text as delivered; unchanged if it is not in the answer."""
        texts, body = self._texts, self._body
        if not texts:
            raws = read_json(zlib.decompress(self._packed) if body is None else body, _Texts).add_msg_list
            texts = {read_json(raw, WireText): raw for raw in raws}
            if body is not None:
                self._texts = texts
        return texts.get(text, text)

    def pack(self) -> None:
        """Compress it, because only a few of its events may be in use; other threads may read it meanwhile."""
        body = self._body
        if body is not None:
            self._packed = zlib.compress(body, 1)
            self._body, self._texts = None, {}


def raw_fields(delivered: Delivered, answer: TextAnswer | None = None) -> dict[str, Any]:
    """
    Decode the fields of an item; empty if it is no JSON object.

    Args:
        delivered: The item.
        answer: The answer that has all fields of the item, if it is a text.
    """
    found = delivered
    if isinstance(found, WireText) and answer is not None:
        found = answer.find(found)
    try:
        fields = read_json(write_json(found) if isinstance(found, WireText) else found, Any)
    except ProtocolError:
        return {}
    return fields if isinstance(fields, dict) else {}
