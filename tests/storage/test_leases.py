"""The times of a lease, and the opening of leases by a URL."""

from __future__ import annotations

import pytest

from webwx.errors import InvalidSettings
from webwx.storage.leases import DEFAULT_TIMES, ClusterMember, LeaseTimes
from webwx.storage.open import open_leases
from webwx.storage.refusals import Fence


def test_a_worker_stops_before_its_lease_expires_and_may_lose_a_renewal() -> None:
    for times in (DEFAULT_TIMES, LeaseTimes(lease=3, heartbeat=1)):
        times.check()
        assert times.heartbeat + times.timeout + times.retry < times.usable < times.lease
        assert times.timeout < times.lease / 3
        assert times.claim <= 0.5


@pytest.mark.parametrize("heartbeat", [0, -1, 2])
def test_a_heartbeat_that_is_too_slow_for_the_lease_is_refused(heartbeat: float) -> None:
    with pytest.raises(InvalidSettings, match="heartbeat"):
        open_leases("postgresql://host/wx", LeaseTimes(lease=3, heartbeat=heartbeat))


def test_leases_are_opened_by_the_url_of_a_database_only() -> None:
    with pytest.raises(InvalidSettings, match="postgresql://"):
        open_leases("me.journal")


def test_a_member_is_shown_by_its_worker_only() -> None:
    member = ClusterMember("3f9a1c2e", lambda account: Fence(account=account, epoch=1), 3)
    assert repr(member) == "ClusterMember('3f9a1c2e')"
