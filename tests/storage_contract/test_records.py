"""RecordStore with versions and the audit log, on every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.postgres import new_schema

from webwx.errors import RecordChanged, StorageError
from webwx.storage.open import open_records
from webwx.storage.tables.records import NewAuditEntry, RecordChange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from webwx.storage.tables.records import RecordStore


AUDIT_ENTRIES = 5
"""Entries of the audit log that stay in these tests."""


def place(name: str, folder: Path) -> str | Path:
    """Return a new place for records of an engine."""
    if name == "postgres":
        return new_schema().url
    return folder / "state" / "gateway.db"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.verify)])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RecordStore]:
    opened = open_records(place(request.param, tmp_path), audit_entries=AUDIT_ENTRIES)
    yield opened
    await opened.close()


async def test_a_stored_record_is_found_by_kind_and_id(records: RecordStore) -> None:
    stored = await records.put("key", "b", b"1", version=0, time=5.0)
    await records.put("key", "a", b"2", version=0, time=6.0)
    await records.put("webhook", "b", b"3", version=0, time=7.0)

    assert (stored.version, stored.body, stored.changed_at) == (1, b"1", 5.0)
    assert await records.get("key", "b") == stored
    assert await records.get("key", "c") is None
    assert [each.id for each in await records.find("key")] == ["a", "b"]


async def test_records_are_found_by_the_beginning_of_their_ids(records: RecordStore) -> None:
    for record_id in ("1/b", "1/a", "11/a", "1", "1_a", "2/1/a", "é/1", "é"):
        await records.put("key", record_id, b"", version=0, time=1.0)
    await records.put("webhook", "1/a", b"", version=0, time=1.0)

    assert [each.id for each in await records.find("key", prefix="1/")] == ["1/a", "1/b"]
    assert [each.id for each in await records.find("key", prefix="é/")] == ["é/1"]
    assert [each.id for each in await records.find("key", prefix="1_")] == ["1_a"]
    assert await records.find("key", prefix="1/%") == []
    assert len(await records.find("key")) == 8


async def test_a_change_needs_the_stored_version(records: RecordStore) -> None:
    await records.put("key", "a", b"1", version=0, time=1.0)
    assert (await records.put("key", "a", b"2", version=1, time=2.0)).version == 2

    for stale in (0, 1, 3):
        with pytest.raises(RecordChanged):
            await records.put("key", "a", b"3", version=stale, time=3.0)
    with pytest.raises(RecordChanged):
        await records.put("key", "new", b"3", version=1, time=3.0)
    found = await records.get("key", "a")
    assert found is not None
    assert (found.version, found.body) == (2, b"2")


async def test_a_deleted_record_is_not_found_and_can_be_stored_again(records: RecordStore) -> None:
    await records.put("key", "a", b"1", version=0, time=1.0)
    with pytest.raises(RecordChanged):
        await records.delete("key", "a", version=2)

    assert await records.delete("key", "a", version=1)
    assert not await records.delete("key", "a")
    assert await records.get("key", "a") is None
    assert (await records.put("key", "a", b"2", version=0, time=2.0)).version == 1


def changes(*made: tuple[str, int, bytes | None]) -> list[RecordChange]:
    return [RecordChange(kind="key", id=record_id, version=version, body=body) for record_id, version, body in made]


async def test_several_records_are_changed_together(records: RecordStore) -> None:
    await records.put("key", "old", b"1", version=0, time=1.0)
    await records.put("key", "gone", b"1", version=0, time=1.0)
    await records.change(changes(("old", 1, b"2"), ("gone", 1, None), ("new", 0, b"3")), time=2.0)
    found = [(each.id, each.version, each.body, each.changed_at) for each in await records.find("key")]
    assert found == [("new", 1, b"3", 2.0), ("old", 2, b"2", 2.0)]


@pytest.mark.parametrize("stale", [("old", 0, b"4"), ("old", 2, b"4"), ("old", 2, None), ("absent", 1, None)])
async def test_no_record_is_changed_if_one_has_another_version(
    records: RecordStore, stale: tuple[str, int, bytes | None]
) -> None:
    await records.put("key", "old", b"1", version=0, time=1.0)
    with pytest.raises(RecordChanged):
        await records.change(changes(("a", 0, b"3"), stale, ("z", 0, b"3")), time=2.0)
    assert [(each.id, each.version, each.body) for each in await records.find("key")] == [("old", 1, b"1")]


async def test_records_are_overwritten_whatever_their_versions_are(records: RecordStore) -> None:
    await records.put("key", "b", b"1", version=0, time=5.0)
    await records.overwrite("key", {"b": b"2", "a": b"3"}, time=6.0)
    await records.overwrite("key", {}, time=7.0)
    found = [(each.id, each.version, each.body, each.changed_at) for each in await records.find("key")]
    assert found == [("a", 1, b"3", 6.0), ("b", 2, b"2", 6.0)]


async def test_the_audit_log_is_read_from_the_newest_entry(records: RecordStore) -> None:
    for second in range(3):
        await records.append_audit("cli", "key.create", target=f"k{second}", detail="scopes read", time=float(second))

    newest, *_, oldest = await records.audit()
    assert (newest.target, newest.actor, newest.action, newest.detail) == ("k2", "cli", "key.create", "scopes read")
    assert oldest.target == "k0"
    assert [entry.target for entry in await records.audit(before=newest.number, limit=1)] == ["k1"]
    assert await records.audit(before=oldest.number) == []


async def test_entries_of_the_audit_log_are_appended_together_in_their_order(records: RecordStore) -> None:
    entries = [NewAuditEntry(float(number), "cli", "key.create", f"k{number}") for number in range(3)]
    appended = await records.append_audits(entries)

    assert [(entry.target, entry.time) for entry in appended] == [("k0", 0.0), ("k1", 1.0), ("k2", 2.0)]
    assert appended == (await records.audit())[::-1]
    assert await records.append_audits([]) == []


async def test_the_oldest_entries_of_the_audit_log_are_deleted(records: RecordStore) -> None:
    for number in range(AUDIT_ENTRIES + 3):
        await records.append_audit("cli", "key.create", target=f"k{number}", time=0.0)

    entries = await records.audit(limit=100)
    assert [entry.target for entry in entries] == ["k7", "k6", "k5", "k4", "k3"]
    assert [entry.number for entry in entries] == [8, 7, 6, 5, 4]


async def test_closed_records_raise(records: RecordStore) -> None:
    await records.put("key", "a", b"1", version=0, time=1.0)
    await records.close()
    with pytest.raises(StorageError):
        await records.get("key", "a")


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.verify)])
async def test_another_process_reads_the_stored_records(tmp_path: Path, engine: str) -> None:
    shared = place(engine, tmp_path)
    one, other = open_records(shared), open_records(shared)
    await one.put("key", "a", b"1", version=0, time=1.0)

    assert [each.id for each in await other.find("key")] == ["a"]
    await other.put("key", "a", b"2", version=1, time=2.0)
    with pytest.raises(RecordChanged):
        await one.put("key", "a", b"3", version=1, time=3.0)
    await one.close()
    await other.close()


async def test_a_backup_is_complete_and_replaces_no_file(tmp_path: Path) -> None:
    records = open_records(tmp_path / "gateway.db")
    await records.put("key", "a", b"1", version=0, time=1.0)
    await records.backup(tmp_path / "copy.db")
    with pytest.raises(StorageError, match="never replaces"):
        await records.backup(tmp_path / "copy.db")
    await records.close()

    copy = open_records(tmp_path / "copy.db")
    assert [each.body for each in await copy.find("key")] == [b"1"]
    await copy.close()


@pytest.mark.verify
async def test_records_without_a_file_have_no_backup(tmp_path: Path) -> None:
    records = open_records(place("postgres", tmp_path))
    with pytest.raises(StorageError, match="pg_dump"):
        await records.backup(tmp_path / "copy.db")
    await records.close()
