"""A client reports the sends that it stores or changes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import SERVER

from webwx.client.client import AsyncClient
from webwx.errors import RateLimited
from webwx.storage.sqlite.private import PrivateJournal
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.carriers import Counted

    from webwx.model.login import QrCode
    from webwx.sandbox.world import World


async def test_each_change_of_a_send_is_reported_by_its_number(
    world: World, counted: Counted, phone_of: Callable[[str], Callable[[QrCode], object]]
) -> None:
    changed: list[int] = []
    client = AsyncClient(
        server=SERVER, transport=counted, clock=world.clock.now, timeouts=Timeouts(retry=0), journal=PrivateJournal(),
        on_send=changed.append,
    )  # fmt: skip
    await client.login(show_qr=phone_of("me"))
    receipt = await client.send_text("filehelper", "hello", key="k")
    await asyncio.sleep(0)
    first = changed[0]
    assert changed == [first] * 2  # it began, and was sent
    await client.send_text("filehelper", "hello", key="k")
    assert changed == [first] * 2
    await client.recall(receipt)
    await asyncio.sleep(0)
    assert changed == [first] * 3
    row = await client.queue_text("filehelper", "later")
    world.refuse_next("webwxsendmsg", 1205)
    with pytest.raises(RateLimited):
        await client.retry_send(row.number)
    await asyncio.sleep(0)
    assert changed[3:] == [row.number] * 3  # it was queued, began, and is queued again
