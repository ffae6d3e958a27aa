"""The cluster: its workers, the owners of the accounts, and the drain of a worker."""

from __future__ import annotations

from litestar import Router
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from webwx.gateway.access.auth import Caller
from webwx.gateway.api.parameters import InjectedCaller
from webwx.gateway.api.serve_route import serve
from webwx.gateway.ownership.monitor import AccountOwner, ClusterMonitor, MonitoredWorker
from webwx.gateway.problems import GatewayProblem
from webwx.representations.cluster import DRAIN_WORKER, SHOW_CLUSTER, ClusterView, OwnerView, WorkerView
from webwx.representations.times import optional_moment

InjectedCluster = NamedDependency[SkipValidation[ClusterMonitor | None]]
"""The cluster; None if this gateway has all accounts."""


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


@serve(SHOW_CLUSTER)
async def show_cluster(cluster: InjectedCluster, caller: InjectedCaller) -> ClusterView:
    """Return the workers, those with expired leases included, and the owner of each account."""
    found = _required(cluster, caller)
    return ClusterView(
        workers=[view_of_worker(worker) for worker in await found.workers()],
        accounts=[view_of_owner(owner) for owner in await found.owners()],
    )


@serve(DRAIN_WORKER)
async def drain_worker(worker: FromPath[str], cluster: InjectedCluster, caller: InjectedCaller) -> None:
    """
    Make a worker hand over all its accounts and exit.

    The answer comes at once; the worker notices it at its next heartbeat, and its running handlers have ten seconds.
    """
    if not await _required(cluster, caller).drain(worker):
        raise GatewayProblem("not-found", "There is no such worker.")


cluster_router = Router("/", route_handlers=[show_cluster, drain_worker], tags=["administration"])
