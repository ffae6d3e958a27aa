"""What a subscription delivers."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from webwx.model.messages import Event
from webwx.storage.entries import Entry


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """An entry of the journal and its event."""

    entry: Entry
    event: Event


class Deferred(NamedTuple):
    """A delivered entry that is not in memory: the values that are needed to read it from the journal again."""

    number: int
    attempt: int
    redelivered: bool
    crashes: int
