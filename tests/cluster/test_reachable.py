"""Processes that start while their database is away: they say that they wait, and go on when it answers."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.cli.account.test_login import read_until
from tests.cli.conftest import PATIENCE
from tests.cluster.conftest import LEASE, RunningWorker, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.conftest import Deployment

pytestmark = [pytest.mark.verify, pytest.mark.postgres]

WAITING = "This process waits for its database"


@contextmanager
def stopped_server(deployment: Deployment) -> Iterator[None]:
    """Stop the server of the database, and start it at the end of the block."""
    deployment.schema.server.stop()
    try:
        yield
    finally:
        deployment.schema.server.start()


def require_work(deployment: Deployment, worker: RunningWorker, text: str) -> None:
    """Check that a worker takes both accounts, and that its bot answers a text."""
    wait_until(lambda: deployment.owned_by(worker) == 2)
    deployment.wait_for_bots()
    deployment.ask(text)
    wait_until(lambda: deployment.answers(text) == 1)
    deployment.check()


def test_a_worker_waits_for_a_database_that_starts_after_it(deployment: Deployment) -> None:
    with ExitStack() as ends:
        with stopped_server(deployment):
            process = ends.enter_context(deployment.starting_worker())
            read_until(process, WAITING)
        require_work(deployment, RunningWorker(process), "after a late start")


def test_a_worker_says_that_a_database_does_not_answer_and_goes_on_when_it_does(deployment: Deployment) -> None:
    with ExitStack() as ends:
        with deployment.schema.server.pausing():
            process = ends.enter_context(deployment.starting_worker())
            read_until(process, WAITING)
        require_work(deployment, RunningWorker(process), "after a pause")


def test_a_worker_goes_on_when_its_first_reads_are_answered_late(deployment: Deployment) -> None:
    with ExitStack() as ends:
        with deployment.schema.server.locking(f"{deployment.schema.name}.workers"):
            process = ends.enter_context(deployment.starting_worker())
            read_until(process, WAITING)
        require_work(deployment, RunningWorker(process), "after late answers")


def test_a_gateway_waits_for_a_database_that_starts_after_it(deployment: Deployment) -> None:
    arguments = ["serve", "--port", "0", "--json", "--lease", str(LEASE), "--heartbeat", str(LEASE / 3)]
    with ExitStack() as ends:
        with stopped_server(deployment):
            process = ends.enter_context(deployment.shell.start_process(*arguments))
            ends.callback(process.kill)
            read_until(process, WAITING)
        url = json.loads(process.stdout.readline())["url"]
        wait_until(lambda: [each["address"] for each in deployment.workers()] == [url])


def test_a_worker_that_waits_for_its_database_ends_at_once_when_it_is_terminated(deployment: Deployment) -> None:
    with stopped_server(deployment), deployment.starting_worker() as process:
        read_until(process, WAITING)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 0


def test_a_worker_ends_with_a_sentence_if_its_database_does_not_exist(deployment: Deployment) -> None:
    url = deployment.schema.url.replace("/postgres?", "/absent?")
    done = deployment.shell.run("worker", WEBWX_STORAGE=url)
    assert done.code == 1
    assert 'database "absent" does not exist' in done.sentence
