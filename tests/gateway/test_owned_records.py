"""Records that one process changes: stored repeatedly, also after another process has changed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.gateway.owned_records import OwnedRecords
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_record_is_stored_again_without_its_version(tmp_path: Path) -> None:
    records = open_records(tmp_path / "gateway.db")
    owned, later = (OwnedRecords(records, lambda: 1000.0) for _ in range(2))
    for body in (b"1", b"2"):
        await owned.put("kind", "a", body)
    await later.put("kind", "a", b"3")
    assert [(each.id, each.body, each.version) for each in await later.stored.find("kind")] == [("a", b"3", 3)]
    await owned.put("kind", "a", b"4")
    owned.forget("kind", "a")
    await owned.put("kind", "a", b"4")
    await owned.delete("kind", "a")
    await owned.delete("kind", "a")
    await owned.put("kind", "a", b"5")
    assert [each.version for each in await owned.stored.find("kind")] == [1]
    await records.close()
