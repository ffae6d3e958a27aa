"""What tests compare of stored entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.model.events import ContinuityLost

if TYPE_CHECKING:
    from webwx.storage.entries import Entry


def gap_in(entry: Entry) -> ContinuityLost:
    assert entry.item.kind == "gap"
    return msgspec.json.decode(entry.item.raw, type=ContinuityLost)


def numbers(entries: list[Entry]) -> list[int]:
    return [entry.number for entry in entries]


def crashes(entries: list[Entry]) -> dict[int, int]:
    return {entry.number: entry.crashes for entry in entries}
