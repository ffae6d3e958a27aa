"""The workers and owners of a cluster, on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cluster.conftest import add_accounts
from tests.postgres import TemporarySchema, new_schema

from webwx.gateway.cluster_monitor import ClusterMonitor
from webwx.storage.leases import LeaseTimes
from webwx.storage.open import open_leases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.conftest import Running

    from webwx.storage.leases import Leases


@pytest.fixture
def schema() -> TemporarySchema:
    return new_schema()


@pytest.fixture
async def leases(schema: TemporarySchema) -> AsyncIterator[Leases]:
    opened = open_leases(schema.url, LeaseTimes(lease=60))
    await opened.workers()  # makes the tables
    yield opened
    await opened.close()


async def test_each_account_of_the_gateway_has_its_owner(
    running: Running, leases: Leases, schema: TemporarySchema
) -> None:
    for name in ("owned", "new", "free"):
        await running.port.add_account(name)
    add_accounts(schema, 2)
    await leases.join("one", "http://one", capacity=1)
    await leases.claim("one")
    monitor = ClusterMonitor(leases, running.port, {1: 1, 3: 2}.get)
    assert [each.worker for each in await monitor.workers()] == ["one"]
    assert [
        (account.name, None if owner is None else (owner.worker, owner.epoch))
        for account, owner in await monitor.owners()
    ] == [("owned", ("one", 2)), ("new", None), ("free", (None, 1))]


async def test_a_worker_is_drained(running: Running, leases: Leases) -> None:
    await leases.join("one", "http://one", capacity=1)
    monitor = ClusterMonitor(leases, running.port, lambda number: None)
    assert [await monitor.drain(worker) for worker in ("one", "two")] == [True, False]
    assert [each.is_draining for each in await monitor.workers()] == [True]
