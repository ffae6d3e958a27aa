"""A worker whose machine loses its network: a process in a network namespace whose link is set down."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.cluster.conftest import LEASE, wait_until
from tests.cluster.network import network
from tests.cluster.witness import epochs

if TYPE_CHECKING:
    from tests.cluster.conftest import Deployment

pytestmark = pytest.mark.verify

LONG = 3 * LEASE
"""Seconds of a lease; a third of it is between the moment when it is late and its end, for a busy machine."""


def test_a_worker_without_a_network_begins_no_send_before_another_one_takes_its_accounts(
    deployment: Deployment,
) -> None:
    schema, port = deployment.schema, urlsplit(deployment.sandbox.url).port
    assert port is not None
    with network() as link, link.lead(port), link.lead_to(schema.server.socket) as database:
        behind = schema.url_through(database, host=link.host)
        with (
            deployment.worker(LONG, wrapper=link.wrapper, WEBWX_STORAGE=behind) as victim,
            deployment.worker(LONG) as other,
        ):
            first, _ = deployment.in_order(victim, other)
            account = "one" if first is victim else "two"
            with deployment.waiting_handlers():
                deployment.ask("wait for a cut", account)
                wait_until(lambda: len(deployment.noted("begin", "wait for a cut")) == 1)
                link.cut()
                wait_until(lambda: deployment.owned_by(other) == 2)
                taken_at = float(schema.execute("SELECT extract(epoch FROM max(taken_at)) FROM accounts"))
                assert victim.logged("not renewed in time") < taken_at
                wait_until(lambda: len(deployment.noted("begin", "wait for a cut")) == 2)
                after = epochs(schema)

                link.mend()
                deployment.release_handlers()
                deployment.in_order(victim, other)
                assert all(epoch >= after[number] for number, epoch in epochs(schema).items())
            wait_until(lambda: deployment.answers("wait for a cut") == 1)
            deployment.ask("afterwards", account)
            wait_until(lambda: deployment.answers("afterwards") == 1)
            wait_until(lambda: len(deployment.noted("end", "afterwards")) == 1)
    deployment.check()
