"""The cluster: its workers, the owners of the accounts, and the drain of a worker."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import InjectedCaller
from webwx.gateway.auth import Caller
from webwx.gateway.cluster_monitor import AccountOwner, ClusterMonitor, MonitoredWorker
from webwx.gateway.problems import GatewayProblem
from webwx.representations.times import optional_moment

InjectedCluster = NamedDependency[SkipValidation[ClusterMonitor | None]]
"""The cluster; None if this gateway has all accounts."""


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """A process that runs accounts."""

    worker: str
    """Its id; a new one at each start."""
    address: str
    state: Literal["alive", "draining", "dead"]
    """`draining`: it hands its accounts over. `dead`: its lease has expired, and the others take its accounts."""
    accounts: int
    """Number of accounts that it owns."""
    capacity: int
    """Number of accounts that it takes at most."""
    lease_seconds: float
    """Seconds until its lease expires unless it renews it; negative if it has expired."""
    lease_age_seconds: float
    """Seconds since the last renewal of its lease."""
    loop_lag_seconds: float
    """Longest time that its event loop took to answer between the last two renewals."""
    consumer_lag: int
    """Number of events that the slowest consumer of its accounts has not acknowledged."""
    failed_bots: int
    """Number of its bots that are not running because of an error."""


class OwnerView(msgspec.Struct, frozen=True, kw_only=True):
    """An account and its owner."""

    account: int
    """The account's number in the gateway."""
    name: str
    worker: str | None
    """Id of the owner; null for none."""
    epoch: int
    """Each takeover raises it by one; 0 before the first login."""
    is_wanted: bool
    """Workers take the account. False before its first login, and after the login has ended."""
    taken_at: datetime | None
    """Time of the last takeover."""


class ClusterView(msgspec.Struct, frozen=True, kw_only=True):
    """The workers, and the accounts in the order of their numbers."""

    workers: list[WorkerView]
    accounts: list[OwnerView]


def view_of_worker(worker: MonitoredWorker) -> WorkerView:
    """Return a worker as the API shows it."""
    row, consumer_lag = worker
    return WorkerView(
        worker=row.worker, address=row.address, accounts=row.accounts, capacity=row.capacity,
        lease_seconds=round(row.expires_in, 3), lease_age_seconds=round(row.lease_age, 3),
        loop_lag_seconds=round(row.loop_lag, 3), consumer_lag=consumer_lag, failed_bots=row.failed_bots,
        state="dead" if row.expires_in <= 0 else "draining" if row.is_draining else "alive",
    )  # fmt: skip


def view_of_owner(owner: AccountOwner) -> OwnerView:
    """Return an account and its owner as the API shows them."""
    account, owned = owner
    if owned is None:
        return OwnerView(
            account=account.number, name=account.name, worker=None, epoch=0, is_wanted=False, taken_at=None
        )
    return OwnerView(
        account=account.number, name=account.name, worker=owned.worker, epoch=owned.epoch, is_wanted=owned.is_wanted,
        taken_at=optional_moment(owned.taken_at),
    )  # fmt: skip


def _required(cluster: ClusterMonitor | None, caller: Caller) -> ClusterMonitor:
    if caller.accounts is not None:
        raise GatewayProblem("forbidden", "A key that is bound to accounts does not reach the cluster.")
    if cluster is None:
        raise GatewayProblem("not-found", "This gateway has all accounts; no other machine shares them.")
    return cluster


@get("/cluster", scope="admin", summary="Show the workers and the owners of accounts", responses=problems(404, 503))
async def show_cluster(cluster: InjectedCluster, caller: InjectedCaller) -> ClusterView:
    """Return the workers, those with expired leases included, and the owner of each account."""
    found = _required(cluster, caller)
    return ClusterView(
        workers=[view_of_worker(worker) for worker in await found.workers()],
        accounts=[view_of_owner(owner) for owner in await found.owners()],
    )


@post(
    "/cluster/workers/{worker:str}/drain", scope="admin", status_code=204, summary="Drain a worker",
    responses=problems(404, 503),
)  # fmt: skip
async def drain_worker(worker: FromPath[str], cluster: InjectedCluster, caller: InjectedCaller) -> None:
    """
    Make a worker hand over all its accounts and exit.

    The answer comes at once; the worker notices it at its next heartbeat, and its running handlers have ten seconds.
    """
    if not await _required(cluster, caller).drain(worker):
        raise GatewayProblem("not-found", "There is no such worker.")


cluster_router = Router("/", route_handlers=[show_cluster, drain_worker], tags=["administration"])
