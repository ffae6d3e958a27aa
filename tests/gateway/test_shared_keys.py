"""Keys of all nodes: made once for each purpose."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.gateway.shared_keys import shared_key

if TYPE_CHECKING:
    from webwx.storage.tables.records import RecordStore


async def test_nodes_that_ask_at_the_same_time_get_the_same_key(records: RecordStore) -> None:
    keys = await asyncio.gather(*[shared_key(records, "test/key", number) for number in range(5)])
    assert [len(key) for key in keys] == [32] * 5
    assert len({*keys, await shared_key(records, "test/key", 9)}) == 1
    assert await shared_key(records, "test/other-key", 0) != keys[0]
