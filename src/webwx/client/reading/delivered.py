"""What a subscription delivers."""

from __future__ import annotations

import msgspec

from webwx.model.messages import Event
from webwx.storage.entries import Entry


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """An entry of the journal and its event."""

    entry: Entry
    event: Event
