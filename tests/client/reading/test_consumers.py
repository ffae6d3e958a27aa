"""Consumers of a journal: listed with their positions, and deleted once they are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webwx.errors import AlreadyRunning
from webwx.storage.tables.consumers import ConsumerPosition

if TYPE_CHECKING:
    from tests.client.conftest import LogIn

    from webwx.sandbox.world import World
    from webwx.storage.sqlite.journal import SqliteJournal


@pytest.fixture
def usual_journal(journal: SqliteJournal) -> SqliteJournal:
    return journal


async def test_a_consumer_is_listed_and_deleted(log_in: LogIn, world: World) -> None:
    client = await log_in()
    async with client.subscribe("bot", follow=False) as subscription:
        world.say("ahua", "me", "hi")
        taken = await subscription.take()
        with pytest.raises(AlreadyRunning):
            await client.forget_consumer("bot")
    assert await client.list_consumers() == [
        ConsumerPosition(name="bot", acked=0, waiting=taken[-1].entry.number, dead_letters=0)
    ]
    assert await client.forget_consumer("bot")
    assert not await client.forget_consumer("bot")
    assert await client.list_consumers() == []
