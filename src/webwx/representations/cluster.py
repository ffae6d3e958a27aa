"""The workers of a cluster and the owners of its accounts, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from webwx.representations.route import ApiRoute, NoQuery


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


SHOW_CLUSTER: ApiRoute[NoQuery, None, ClusterView] = ApiRoute(
    method="GET", path="/cluster", scope="admin", summary="Show the workers and the owners of accounts",
    reply=ClusterView, problems=(404, 503),
)  # fmt: skip

DRAIN_WORKER: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="POST", path="/cluster/workers/{worker}/drain", scope="admin", summary="Drain a worker", reply=type(None),
    problems=(404, 503),
)  # fmt: skip
