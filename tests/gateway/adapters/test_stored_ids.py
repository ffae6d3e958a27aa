"""Numbers of adapters: one for each thing, the same at every node, and never used twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.gateway.adapters.stored_ids import StoredIds
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.storage.tables.records import RecordStore


def now() -> float:
    return 1_764_000_000.0


async def test_a_thing_keeps_its_number(records: RecordStore) -> None:
    ids = StoredIds("note", records, now)
    assert [await ids.number_of("chats/1", thing) for thing in ("12", "filehelper", "12")] == [1, 2, 1]
    assert await ids.thing_of("chats/1", 2) == "filehelper"
    assert await ids.thing_of("chats/1", 3) is None


async def test_another_space_and_another_adapter_have_numbers_of_their_own(records: RecordStore) -> None:
    ids, others = StoredIds("note", records, now), StoredIds("other", records, now)
    assert [await ids.number_of("chats/1", "12"), await ids.number_of("chats/2", "7")] == [1, 1]
    assert await others.number_of("chats/1", "7") == 1
    assert await ids.thing_of("chats/1", 1) == "12"


async def test_nodes_that_number_things_at_once_agree(tmp_path: Path) -> None:
    nodes = [open_records(tmp_path / "gateway.db") for _ in range(3)]
    ids = [StoredIds("note", each, now) for each in nodes]
    things = ["a", "b", "a", "c", "b", "a"]
    numbers = await asyncio.gather(
        *(ids[at % 3].number_of("chats/1", thing) for at, thing in enumerate(things))
    )  # fmt: skip
    found = dict(zip(things, numbers, strict=True))
    assert [found[thing] for thing in things] == numbers
    assert sorted(found.values()) == [1, 2, 3]
    for each in nodes:
        await each.close()
