"""The workers and owners of a cluster, on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.postgres import TemporarySchema, add_accounts

from webwx.gateway.ownership.monitor import ClusterMonitor
from webwx.storage.leases import LeaseTimes
from webwx.storage.open import open_leases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.conftest import Running

    from webwx.storage.leases import Leases


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
    assert [each.row.worker for each in await monitor.workers()] == ["one"]
    assert [
        (account.name, None if owner is None else (owner.worker, owner.epoch))
        for account, owner in await monitor.owners()
    ] == [("owned", ("one", 2)), ("new", None), ("free", (None, 1))]


async def test_a_worker_is_drained(running: Running, leases: Leases) -> None:
    await leases.join("one", "http://one", capacity=1)
    monitor = ClusterMonitor(leases, running.port, lambda number: None)
    assert [await monitor.drain(worker) for worker in ("one", "two")] == [True, False]
    assert [each.row.is_draining for each in await monitor.workers()] == [True]


async def test_a_gateway_is_ready_for_workers_while_one_that_is_alive_runs_accounts(
    running: Running, leases: Leases, schema: TemporarySchema
) -> None:
    running.gateway.cluster = ClusterMonitor(leases, running.port, lambda number: None, "one", lambda: 2.5)

    async def readiness() -> tuple[int, str]:
        async with running.anonymous() as client:
            answer = await client.get("/readyz?require=workers")
            return answer.status_code, answer.text

    assert await readiness() == (200, "ok"), "there is no account to run"
    add_accounts(schema, 2)
    assert await readiness() == (503, "No worker runs the accounts.")
    await leases.join("one", "http://one", capacity=1)
    assert await readiness() == (503, "No worker runs the accounts.")
    await leases.claim("one")
    assert await readiness() == (200, "ok")
    schema.execute("UPDATE workers SET expires = now()")
    assert await readiness() == (503, "No worker runs the accounts.")
    async with running.anonymous() as client:
        assert (await client.get("/readyz")).status_code == 200


async def test_a_node_reports_how_it_is_in_its_metrics(
    running: Running, leases: Leases, schema: TemporarySchema
) -> None:
    async def metrics() -> dict[str, str]:
        async with running.client("read") as client:
            lines = (await client.get("/metrics")).text.splitlines()
        return dict(line.split(" ", 1) for line in lines if line.startswith("webwx_") and "{" not in line)

    alone = await metrics()
    assert (float(alone["webwx_loop_lag_seconds"]) >= 0, alone["webwx_failed_bots"]) == (True, "0.0")
    assert "webwx_lease_age_seconds" not in alone

    running.gateway.cluster = ClusterMonitor(leases, running.port, lambda number: None, "one", lambda: 2.5)
    shared = await metrics()
    assert (shared["webwx_lease_age_seconds"], shared["webwx_consumer_lag_events"]) == ("2.5", "0.0")
    await leases.close()
    without_database = await metrics()
    assert without_database["webwx_lease_age_seconds"] == "2.5"
    assert "webwx_consumer_lag_events" not in without_database
