"""Strategies for any item that a server may deliver as a message."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as some

from webwx.protocol.codes import MessageType
from webwx.protocol.messages import WireMessage

FIELDS = [field.encode_name for field in msgspec.structs.fields(WireMessage)]
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text() | some.sampled_from([*map(int, MessageType), 48, 57]),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
