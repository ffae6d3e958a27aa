"""What fails when several machines share a database: workers as processes, with the sandbox as the platform."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import libfaketime
import pytest
from tests.cluster.conftest import LEASE, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.conftest import Deployment, RunningWorker

pytestmark = pytest.mark.verify

SLACK = 1.0
"""Seconds within which an account is taken over after a lease has expired."""


@contextmanager
def two_workers(
    deployment: Deployment, environments: tuple[dict[str, str], dict[str, str]] = ({}, {}), lease: float = LEASE
) -> Iterator[tuple[RunningWorker, RunningWorker]]:
    """Start two workers, and return the owner of 小明's account first."""
    with deployment.worker(lease, **environments[0]) as one, deployment.worker(lease, **environments[1]) as two:
        wait_until(lambda: (deployment.owned_by(one), deployment.owned_by(two)) == (1, 1))
        owner, _ = deployment.owners[deployment.account("one")]
        yield (one, two) if owner == one.id else (two, one)


def ask(deployment: Deployment, text: str) -> None:
    """Send 小明 a text from a friend who has no bot."""
    deployment.sandbox.say("lilei", "me", text)


def answers(deployment: Deployment, text: str) -> int:
    return deployment.answers("lilei", "xiaoming", text)


def epoch(deployment: Deployment) -> int:
    return deployment.owners[deployment.account("one")][1]


def test_workers_share_the_accounts_and_answer_for_them(deployment: Deployment) -> None:
    with two_workers(deployment) as (owner, _):
        ask(deployment, "hello")
        wait_until(lambda: answers(deployment, "hello") == 1)
        wait_until(lambda: len(deployment.noted("end", "hello")) == 1)
        assert [line["pid"] for line in deployment.noted("end", "hello")] == [owner.pid]
    deployment.check_entries()


def test_the_accounts_of_a_killed_worker_are_taken_over_with_their_events_in_flight(deployment: Deployment) -> None:
    with two_workers(deployment) as (victim, other), deployment.waiting_handlers():
        before = epoch(deployment)
        ask(deployment, "wait for a kill")
        wait_until(lambda: len(deployment.noted("begin", "wait for a kill")) == 1)
        victim.signal(signal.SIGKILL)
        took = wait_until(lambda: deployment.owned_by(other) == 2)
        assert took <= LEASE + SLACK
        assert epoch(deployment) == before + 1

        wait_until(lambda: len(deployment.noted("begin", "wait for a kill")) == 2)
        deployment.release_handlers()
        wait_until(lambda: len(deployment.noted("end", "wait for a kill")) == 1)
        (line,) = deployment.noted("end", "wait for a kill")
        assert (line["pid"], line["redelivered"]) == (other.pid, True)
        assert answers(deployment, "wait for a kill") == 1
    deployment.check_entries()


def test_a_send_whose_worker_was_killed_is_unknown_and_never_repeated(deployment: Deployment) -> None:
    with two_workers(deployment) as (victim, other):
        deployment.sandbox.control("faults", fault="lost_answer", endpoint="webwxsendmsg", times=1)
        ask(deployment, "never answered")
        wait_until(lambda: answers(deployment, "never answered") == 1)
        assert deployment.states() == ["sending"]
        victim.signal(signal.SIGKILL)
        wait_until(lambda: deployment.owned_by(other) == 2)
        assert deployment.states() != ["sending"]
        wait_until(lambda: len(deployment.noted("begin", "never answered")) == 2)
        ask(deployment, "next")
        wait_until(lambda: answers(deployment, "next") == 1)
        assert answers(deployment, "never answered") == 1
    deployment.check_entries()


def test_a_stopped_worker_lets_go_when_it_continues(deployment: Deployment) -> None:
    with two_workers(deployment) as (victim, other), deployment.waiting_handlers():
        ask(deployment, "wait for a stop")
        wait_until(lambda: len(deployment.noted("begin", "wait for a stop")) == 1)
        victim.signal(signal.SIGSTOP)
        took = wait_until(lambda: deployment.owned_by(other) == 2)
        assert took <= LEASE + SLACK
        wait_until(lambda: len(deployment.noted("begin", "wait for a stop")) == 2)
        after = epoch(deployment)

        victim.signal(signal.SIGCONT)
        deployment.release_handlers()
        wait_until(lambda: len(deployment.noted("end", "wait for a stop")) >= 1)
        wait_until(lambda: (deployment.owned_by(victim), deployment.owned_by(other)) == (1, 1))
        ask(deployment, "afterwards")
        wait_until(lambda: answers(deployment, "afterwards") == 1)
        assert [line["pid"] for line in deployment.noted("end", "wait for a stop")] == [other.pid]
        assert answers(deployment, "wait for a stop") == 1
        assert epoch(deployment) >= after
    deployment.check_entries()


def test_wrong_clocks_of_the_machines_have_no_effect(deployment: Deployment) -> None:
    _, library = libfaketime.get_reload_information()
    fast, slow = ({**library, "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1"} for offset in ("+3600", "-3600"))
    with two_workers(deployment, (fast, slow)) as (victim, other):
        before = deployment.owners
        for place in range(10):
            ask(deployment, f"question {place}")
            wait_until(lambda place=place: answers(deployment, f"question {place}") == 1)  # type: ignore[misc]
        assert deployment.owners == before
        victim.signal(signal.SIGKILL)
        assert wait_until(lambda: deployment.owned_by(other) == 2) <= LEASE + SLACK
    deployment.check_entries()


def test_workers_go_on_after_the_database_was_restarted(deployment: Deployment) -> None:
    with two_workers(deployment):
        deployment.schema.cluster.stop()
        ask(deployment, "while the database is down")
        deployment.schema.cluster.start()
        took = wait_until(lambda: answers(deployment, "while the database is down") == 1, seconds=60)
        assert took < 60
        wait_until(lambda: all(owner for owner, _ in deployment.owners.values()))
    deployment.check_entries()


def test_a_drained_worker_finishes_its_handlers_hands_over_and_exits(deployment: Deployment) -> None:
    # A lease that a busy machine cannot exceed: nothing else may end the handler.
    with two_workers(deployment, lease=60) as (leaving, other), deployment.waiting_handlers():
        ask(deployment, "wait for a drain")
        wait_until(lambda: len(deployment.noted("begin", "wait for a drain")) == 1)
        deployment.webwx("cluster", "drain", leaving.id)
        wait_until(lambda: deployment.state_of(leaving) == "draining")
        deployment.release_handlers()
        wait_until(lambda: deployment.owned_by(other) == 2)
        assert leaving.process.wait(timeout=20) == 0

        assert [line["pid"] for line in deployment.noted("end", "wait for a drain")] == [leaving.pid]
        assert answers(deployment, "wait for a drain") == 1
        assert [line["worker"] for line in deployment.workers()] == [other.id]
    deployment.check_entries()


def test_a_terminated_worker_hands_over_before_its_lease_expires(deployment: Deployment) -> None:
    with two_workers(deployment) as (leaving, other):
        leaving.signal(signal.SIGTERM)
        assert leaving.process.wait(timeout=20) == 0
        assert wait_until(lambda: deployment.owned_by(other) == 2) < LEASE
    deployment.check_entries()
