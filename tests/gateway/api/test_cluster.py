"""The cluster over the API: its workers, the owners of accounts, and the drain of a worker."""

from __future__ import annotations

from datetime import UTC, datetime
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

CLUSTER = "/api/v1/cluster"


@pytest.fixture
async def leases(running: Running, schema: TemporarySchema) -> AsyncIterator[Leases]:
    """The leases of a database with one worker, which owns the first account of the gateway; the second one is new."""
    opened = open_leases(schema.url, LeaseTimes(lease=60))
    await opened.workers()  # makes the tables
    add_accounts(schema, 1)
    for name in ("work", "home"):
        await running.port.add_account(name)
    await opened.join("one", "http://one:8791", capacity=3)
    await opened.claim("one")
    running.gateway.cluster = ClusterMonitor(opened, running.port, {1: 1}.get)
    yield opened
    await opened.close()


async def test_workers_and_owners_are_shown(running: Running, leases: Leases) -> None:
    async with running.client("admin") as client:
        shown = (await client.get(CLUSTER)).json()
        assert (await client.get("/api/v1/version")).json()["is_cluster"]
    [worker] = shown["workers"]
    assert 0 < worker.pop("lease_seconds") <= 60
    assert 0 <= worker.pop("lease_age_seconds") < 60
    assert worker == {
        "worker": "one", "address": "http://one:8791", "state": "alive", "accounts": 1, "capacity": 3,
        "loop_lag_seconds": 0.0, "consumer_lag": 0, "failed_bots": 0,
    }  # fmt: skip
    taken_at = datetime.fromisoformat(shown["accounts"][0].pop("taken_at"))
    assert taken_at <= datetime.now(UTC)
    assert shown["accounts"] == [
        {"account": 1, "name": "work", "worker": "one", "epoch": 2, "is_wanted": True},
        {"account": 2, "name": "home", "worker": None, "epoch": 0, "is_wanted": False, "taken_at": None},
    ]


async def test_a_worker_is_drained_and_then_dead(running: Running, leases: Leases) -> None:
    async with running.client("admin") as client:
        assert (await client.post(f"{CLUSTER}/workers/one/drain")).status_code == 204
        absent = await client.post(f"{CLUSTER}/workers/two/drain")
        assert (absent.status_code, absent.json()["code"]) == (404, "not-found")
        assert (await client.get(CLUSTER)).json()["workers"][0]["state"] == "draining"
    assert (await leases.workers())[0].is_draining


async def test_a_worker_whose_lease_has_expired_is_dead(
    running: Running, leases: Leases, schema: TemporarySchema
) -> None:
    schema.execute("UPDATE workers SET expires = now() - interval '2 seconds'")
    async with running.client("admin") as client:
        [worker] = (await client.get(CLUSTER)).json()["workers"]
    assert worker["state"] == "dead"
    assert worker["lease_seconds"] <= -2


async def test_a_gateway_with_all_accounts_has_no_cluster(running: Running) -> None:
    async with running.client("admin") as client:
        for answer in (await client.get(CLUSTER), await client.post(f"{CLUSTER}/workers/one/drain")):
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_keys_without_the_scope_or_for_some_accounts_are_refused(running: Running, leases: Leases) -> None:
    for scopes, accounts in ((("read", "manage", "login"), None), (("admin",), (1,))):
        async with running.client(*scopes, accounts=accounts) as client:
            for answer in (await client.get(CLUSTER), await client.post(f"{CLUSTER}/workers/one/drain")):
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert not (await leases.workers())[0].is_draining
