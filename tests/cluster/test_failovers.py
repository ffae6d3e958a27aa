"""A failover of the database while workers run: a primary with a synchronous standby, and one that lags behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.cluster.conftest import deploy, wait_until
from tests.cluster.witness import epochs, problems
from tests.postgres import replicated_schema

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Sandbox
    from tests.forks import Forks

pytestmark = pytest.mark.verify


def test_after_a_failover_to_a_synchronous_standby_workers_go_on_with_all_that_was_acknowledged(
    sandbox: Sandbox, tmp_path: Path, secret_scanner: Any, forks: Forks
) -> None:
    with replicated_schema(is_synchronous=True) as schema:
        deployment = deploy(sandbox, schema, tmp_path, secret_scanner.record, forks)
        with deployment.two_workers():
            for place in range(10):
                deployment.ask(f"before {place}")
            # The others are on their way while the primary dies.
            wait_until(lambda: len(deployment.noted("end", "before 3")) == 1)
            owned, handled = epochs(schema), [line["text"] for line in deployment.diary if line["what"] == "begin"]
            schema.pair.fail_over()

            assert deployment.lost(handled) == set()
            deployment.ask("after")
            wait_until(lambda: deployment.answers("after") == 1, seconds=60)
            # One send may have been on its way; its outcome was not stored, and it is not repeated.
            sends = f"SELECT count(*) FROM outbox WHERE account = {deployment.account('one')}"
            wait_until(lambda: int(schema.execute(sends)) == len(deployment.asked))
            wait_until(lambda: len(deployment.noted("end", "after")) == 1)
            assert {number: epoch for number, epoch in epochs(schema).items() if epoch < owned[number]} == {}

        assert problems(schema) == []
        assert deployment.lost(deployment.asked) == set()
        sent = int(schema.execute(f"{sends} AND state = 'sent'"))
        answers = [deployment.answers(text) for text in deployment.asked]
        assert max(answers) == 1
        assert sum(answers) >= sent >= len(answers) - 1


def test_after_a_failover_to_a_standby_that_lags_a_reset_assigns_epochs_beyond_all_earlier_ones(
    sandbox: Sandbox, tmp_path: Path, secret_scanner: Any, forks: Forks
) -> None:
    with replicated_schema(is_synchronous=False) as schema:
        deployment = deploy(sandbox, schema, tmp_path, secret_scanner.record, forks)
        with deployment.two_workers() as (victim, other):
            schema.pair.wait_until_equal()
            schema.pair.end_replication()
            victim.process.kill()
            wait_until(lambda: deployment.owned_by(other) == 2)
            assigned = epochs(schema)
        schema.pair.fail_over()
        known = epochs(schema)
        assert any(known[account] < epoch for account, epoch in assigned.items()), "the standby has not lagged"

        deployment.webwx("cluster", "reset", "--yes")
        with deployment.two_workers():
            assert all(epoch > assigned[account] for account, epoch in epochs(schema).items())
            deployment.ask("after")
            wait_until(lambda: deployment.answers("after") == 1)
        assert problems(schema) == []
