"""
Workers of two versions on one database: the older one goes on while the tables are migrated, and the newer one waits.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import PATIENCE
from tests.cluster.conftest import RunningWorker, wait_until

from webwx.storage.postgres.schema import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.conftest import Deployment

pytestmark = pytest.mark.verify

NEXT_VERSION = """
import sys
from webwx.storage.postgres import schema

schema.MIGRATIONS += (schema.Migration(('''
    CREATE TABLE labels (account bigint NOT NULL, label text NOT NULL);
    ALTER TABLE accounts ADD COLUMN region text NOT NULL DEFAULT '';
    ALTER TABLE entries ADD COLUMN label text;
    ALTER TABLE outbox ADD COLUMN priority integer NOT NULL DEFAULT 0;
    ALTER TABLE workers ADD COLUMN version text NOT NULL DEFAULT '';
    ALTER TABLE saved_logins ADD COLUMN note text;
''',)),)
schema.VERSION += 1
sys.argv = sys.argv[1:]

from webwx import cli

cli.main()
"""
"""A program that is webwx with one more migration, of the kind that the policy permits."""


def test_workers_of_the_previous_version_go_on_beside_a_newer_one_and_are_not_started_again(
    deployment: Deployment, tmp_path: Path
) -> None:
    program = tmp_path / "next_version.py"
    program.write_text(NEXT_VERSION)
    with deployment.worker() as older:
        wait_until(lambda: deployment.owned_by(older) == 2)
        next_version = [sys.executable, str(program)]
        with deployment.starting_worker(wrapper=next_version) as starting:
            waiting = starting.stderr
            assert waiting is not None
            assert any("waits for the migration" in line for line in waiting)
            with deployment.shell.start_process("storage", "migrate", wrapper=next_version) as migration:
                migration.communicate(timeout=PATIENCE)
                assert migration.returncode == 0
            newer = RunningWorker(starting)
            deployment.in_order(older, newer)
            assert deployment.schema.execute("SELECT version FROM webwx_schema").strip() == str(VERSION + 1)
            for account in ("one", "two"):
                deployment.ask(f"side by side {account}", account)
                wait_until(lambda account=account: deployment.answers(f"side by side {account}") == 1)  # type: ignore[misc]
            newer.process.kill()
            wait_until(lambda: deployment.owned_by(older) == 2)
        for account in ("one", "two"):
            deployment.ask(f"alone {account}", account)
            wait_until(lambda account=account: deployment.answers(f"alone {account}") == 1)  # type: ignore[misc]

        refused = deployment.shell.run("worker", "--json")
        assert refused.code != 0
        assert "was written by a newer webwx" in refused.error["message"]
        assert "update webwx" in refused.error["message"]
    deployment.check()


def test_a_worker_that_has_begun_before_a_newer_one_also_runs_its_first_account_afterwards(
    deployment: Deployment,
) -> None:
    deployment.schema.execute("UPDATE accounts SET wanted = false")
    with deployment.worker() as older:
        wait_until(lambda: deployment.state_of(older) == "alive")
        deployment.schema.execute("UPDATE webwx_schema SET version = version + 1")
        deployment.schema.execute("UPDATE accounts SET wanted = true")
        deployment.wait_for_bots()
        deployment.ask("begun before")
        wait_until(lambda: deployment.answers("begun before") == 1)
