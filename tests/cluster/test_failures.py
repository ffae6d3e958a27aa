"""
What fails when several machines share a database: workers as processes, with the sandbox as the platform.

How soon an account is taken over is measured by goal G-R19 (tests/soak/cluster_failures.py), which runs alone.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import libfaketime
import pytest
from tests.cli.conftest import PATIENCE
from tests.cluster.conftest import LEASE, wait_until

if TYPE_CHECKING:
    from tests.cluster.conftest import Deployment

pytestmark = pytest.mark.verify

NEVER = 3600.0
"""Seconds of a lease, or of handlers at the end, for which no test waits."""


def test_workers_share_the_accounts_and_answer_for_them(deployment: Deployment) -> None:
    with deployment.two_workers() as (owner, _):
        deployment.ask("hello")
        wait_until(lambda: deployment.answers("hello") == 1)
        wait_until(lambda: len(deployment.noted("end", "hello")) == 1)
        assert [line["pid"] for line in deployment.noted("end", "hello")] == [owner.pid]
    deployment.check()


def test_the_accounts_of_a_killed_worker_are_taken_over_with_their_events_in_flight(deployment: Deployment) -> None:
    with deployment.two_workers() as (victim, other), deployment.waiting_handlers():
        before = deployment.epoch
        deployment.ask("wait for a kill")
        wait_until(lambda: len(deployment.noted("begin", "wait for a kill")) == 1)
        victim.signal(signal.SIGKILL)
        wait_until(lambda: deployment.owned_by(other) == 2)
        assert deployment.epoch == before + 1

        wait_until(lambda: len(deployment.noted("begin", "wait for a kill")) == 2)
        deployment.release_handlers()
        wait_until(lambda: len(deployment.noted("end", "wait for a kill")) == 1)
        (line,) = deployment.noted("end", "wait for a kill")
        assert (line["pid"], line["redelivered"]) == (other.pid, True)
        assert deployment.answers("wait for a kill") == 1
    deployment.check()


def test_a_send_whose_worker_was_killed_is_unknown_and_never_repeated(deployment: Deployment) -> None:
    with deployment.two_workers() as (victim, other):
        deployment.sandbox.control("faults", fault="lost_answer", endpoint="webwxsendmsg", times=1)
        deployment.ask("never answered")
        wait_until(lambda: deployment.answers("never answered") == 1)
        assert deployment.states() == ["sending"]
        victim.signal(signal.SIGKILL)
        wait_until(lambda: deployment.owned_by(other) == 2)
        assert deployment.states() != ["sending"]
        wait_until(lambda: len(deployment.noted("begin", "never answered")) == 2)
        deployment.ask("next")
        wait_until(lambda: deployment.answers("next") == 1)
        assert deployment.answers("never answered") == 1
    deployment.check()


def test_a_stopped_worker_lets_go_when_it_continues(deployment: Deployment) -> None:
    with deployment.two_workers() as (victim, other), deployment.waiting_handlers():
        deployment.ask("wait for a stop")
        wait_until(lambda: len(deployment.noted("begin", "wait for a stop")) == 1)
        victim.signal(signal.SIGSTOP)
        wait_until(lambda: deployment.owned_by(other) == 2)
        wait_until(lambda: len(deployment.noted("begin", "wait for a stop")) == 2)
        after = deployment.epoch

        victim.signal(signal.SIGCONT)
        deployment.release_handlers()
        # The stopped worker may still learn from the database that the other one has answered, and end its call too.
        wait_until(lambda: other.pid in [line["pid"] for line in deployment.noted("end", "wait for a stop")])
        wait_until(lambda: (deployment.owned_by(victim), deployment.owned_by(other)) == (1, 1))
        deployment.ask("afterwards")
        wait_until(lambda: deployment.answers("afterwards") == 1)
        assert deployment.answers("wait for a stop") == 1
        assert deployment.epoch >= after
    deployment.check()


def test_wrong_clocks_of_the_machines_have_no_effect(deployment: Deployment) -> None:
    _, library = libfaketime.get_reload_information()
    fast, slow = ({**library, "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1"} for offset in ("+3600", "-3600"))
    # A lease that a busy machine does not exceed, and that ends at once if the clocks of the machines count.
    with deployment.two_workers((fast, slow), lease=3 * LEASE) as (victim, other):
        before = deployment.owners
        for place in range(10):
            deployment.ask(f"question {place}")
            wait_until(lambda place=place: deployment.answers(f"question {place}") == 1)  # type: ignore[misc]
        assert deployment.owners == before
        victim.signal(signal.SIGKILL)
        wait_until(lambda: deployment.owned_by(other) == 2)
    deployment.check()


def test_workers_go_on_after_the_database_was_restarted(deployment: Deployment) -> None:
    with deployment.two_workers():
        deployment.schema.server.stop()
        deployment.ask("while the database is down")
        deployment.schema.server.start()
        wait_until(lambda: deployment.answers("while the database is down") == 1, seconds=60)
        wait_until(lambda: all(owner for owner, _ in deployment.owners.values()))
    deployment.check()


def test_a_drained_worker_finishes_its_handlers_hands_over_and_exits(deployment: Deployment) -> None:
    # A lease that a busy machine cannot exceed: nothing else may end the handler.
    with deployment.two_workers(lease=60) as (leaving, other), deployment.waiting_handlers():
        deployment.ask("wait for a drain")
        wait_until(lambda: len(deployment.noted("begin", "wait for a drain")) == 1)
        deployment.webwx("cluster", "drain", leaving.id)
        wait_until(lambda: deployment.state_of(leaving) == "draining")
        deployment.release_handlers()
        wait_until(lambda: deployment.owned_by(other) == 2)
        assert leaving.process.wait(timeout=20) == 0

        assert [line["pid"] for line in deployment.noted("end", "wait for a drain")] == [leaving.pid]
        assert deployment.answers("wait for a drain") == 1
        assert [line["worker"] for line in deployment.workers()] == [other.id]
    deployment.check()


def test_a_worker_that_is_terminated_twice_does_not_wait_for_its_handlers(deployment: Deployment) -> None:
    endless = {"DRAIN_TIMEOUT": f"{NEVER}"}
    with deployment.two_workers((endless, {}), lease=NEVER) as (leaving, other), deployment.waiting_handlers():
        deployment.ask("wait for two signals")
        wait_until(lambda: len(deployment.noted("begin", "wait for two signals")) == 1)
        leaving.signal(signal.SIGTERM)
        wait_until(lambda: deployment.state_of(leaving) == "draining")
        leaving.signal(signal.SIGTERM)
        wait_until(lambda: deployment.owned_by(other) == 2)
        leaving.process.wait(timeout=PATIENCE)
        deployment.release_handlers()
        wait_until(lambda: deployment.answers("wait for two signals") == 1)
    deployment.check()


def test_a_terminated_worker_hands_over_before_its_lease_expires(deployment: Deployment) -> None:
    with deployment.two_workers(lease=NEVER) as (leaving, other):
        leaving.signal(signal.SIGTERM)
        assert leaving.process.wait(timeout=PATIENCE) == 0
        wait_until(lambda: deployment.owned_by(other) == 2)
    deployment.check()
