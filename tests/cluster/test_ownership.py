"""What an ownership promises."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.postgres import add_accounts, new_schema

from webwx.cluster.changes import Gained, Leaving
from webwx.cluster.leased import LeasedOwnership
from webwx.storage.leases import LeaseTimes
from webwx.storage.postgres.leases import PostgresLeases
from webwx.storage.refusals import Fence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.cluster.ownership import Ownership

pytestmark = [pytest.mark.plain, pytest.mark.postgres]

ACCOUNTS = (1, 2, 3)


@pytest.fixture
async def ownership() -> AsyncIterator[Ownership]:
    """An ownership that finds three accounts."""
    schema = new_schema()
    leases = PostgresLeases(schema.url, LeaseTimes())
    await leases.workers()
    add_accounts(schema, len(ACCOUNTS))
    yield LeasedOwnership(leases, LeaseTimes())
    await leases.close()


async def gained(ownership: Ownership) -> dict[int, int]:
    """Return the three accounts and their epochs once they are gained."""
    found: dict[int, int] = {}
    async for change in ownership.owned.changes():
        assert isinstance(change, Gained)
        found[change.account] = change.epoch
        if len(found) == len(ACCOUNTS):
            break
    return found


async def test_a_process_gains_all_accounts_that_no_other_owns(ownership: Ownership) -> None:
    await ownership.join("here", capacity=10)
    found = await gained(ownership)
    assert set(found) == set(ACCOUNTS)
    assert [ownership.fence(each) for each in ACCOUNTS] == [Fence(account=each, epoch=found[each]) for each in ACCOUNTS]

    for account in ACCOUNTS:
        await ownership.release(account, found[account])
    await ownership.leave()


async def test_a_process_that_leaves_waits_until_its_accounts_are_released(ownership: Ownership) -> None:
    await ownership.join("here", capacity=10)
    await gained(ownership)
    released: list[int] = []

    async def hand_over() -> None:
        async for change in ownership.owned.changes():
            assert isinstance(change, Leaving)
            released.append(change.account)
            await ownership.release(change.account, change.epoch)

    handing_over = asyncio.ensure_future(hand_over())
    await ownership.leave()
    await handing_over
    assert sorted(released) == list(ACCOUNTS)


async def test_an_account_can_be_released_twice(ownership: Ownership) -> None:
    await ownership.join("here", capacity=10)
    found = await gained(ownership)
    for account in ACCOUNTS * 2:
        await ownership.release(account, found[account])
    await ownership.leave()


async def test_an_account_is_not_released_with_another_epoch(ownership: Ownership) -> None:
    await ownership.join("here", capacity=10)
    found = await gained(ownership)
    await ownership.release(1, found[1] + 1)
    assert ownership.fence(1) == Fence(account=1, epoch=found[1])
    for account in ACCOUNTS:
        await ownership.release(account, found[account])
    await ownership.leave()
