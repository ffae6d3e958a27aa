"""Ids of WeChat users that do not show the platform's numbers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from webwx.gateway.accounts.opaque_users import OpaqueUsers
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.storage.tables.records import RecordStore


async def test_an_id_is_stable_differs_by_user_and_cannot_be_computed_elsewhere(
    records: RecordStore, tmp_path: Path
) -> None:
    ids = [await OpaqueUsers(records, time.time).id_of(uin) for uin in (123_456_789, 987_654_321)]
    assert [await OpaqueUsers(records, time.time).id_of(uin) for uin in (123_456_789, 987_654_321)] == ids
    assert len({*ids}) == 2
    assert [len(each) for each in ids] == [14, 14]
    other = open_records(tmp_path / "other.db")
    try:
        assert await OpaqueUsers(other, time.time).id_of(123_456_789) not in ids
    finally:
        await other.close()
