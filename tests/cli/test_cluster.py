"""`webwx cluster`: the workers of a database, and what is done to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.postgres import new_schema

if TYPE_CHECKING:
    from tests.cli.conftest import Shell
    from tests.postgres import TemporarySchema

ROWS = """
INSERT INTO workers (worker, address, capacity, expires, draining) VALUES
    ('3f9a1c2e', 'host-a', 5000, now() + interval '1 hour', false),
    ('3f00aaaa', 'host-b', 100, now() + interval '1 hour', true), ('77777777', 'host-c', 1, now(), false);
INSERT INTO accounts (account, epoch, worker, wanted) VALUES
    (1, 2, '3f9a1c2e', true), (2, 3, '3f9a1c2e', true), (3, 1, NULL, true), (4, 5, NULL, false);
"""


@pytest.fixture
def schema() -> TemporarySchema:
    return new_schema()


@pytest.fixture
def stored(shell: Shell, schema: TemporarySchema) -> Shell:
    """A shell with a database that has three workers and four accounts."""
    shell.environment |= {"WEBWX_STORAGE": schema.url, "WEBWX_PASSPHRASE": "three words long"}
    assert shell.run("cluster", "status").stdout == (
        "There is no worker.\n0 accounts: 0 owned, 0 without a worker, 0 logged out.\n"
    )
    schema.execute(ROWS)
    return shell


@pytest.mark.verify
def test_the_status_shows_workers_and_counts_accounts(stored: Shell) -> None:
    assert stored.run("cluster", "status").stdout.splitlines() == [
        "WORKER    STATE     ACCOUNTS  CAPACITY  ADDRESS",
        "3f00aaaa  draining  0         100       host-b",
        "3f9a1c2e  alive     2         5,000     host-a",
        "77777777  dead      0         1         host-c",
        "4 accounts: 2 owned, 1 without a worker, 1 logged out.",
    ]
    *workers, accounts = stored.run("cluster", "status", "--json").lines
    assert [(each["worker"], each["state"], each["accounts"]) for each in workers] == [
        ("3f00aaaa", "draining", 0), ("3f9a1c2e", "alive", 2), ("77777777", "dead", 0)
    ]  # fmt: skip
    assert accounts == {
        "event": "accounts", "accounts": 4, "owned": 2, "free": 1, "logged_out": 1, "takeovers": 7
    }  # fmt: skip


@pytest.mark.verify
def test_a_worker_is_drained_by_the_beginning_of_its_id(stored: Shell, schema: TemporarySchema) -> None:
    assert stored.run("cluster", "drain", "3f9").stdout == "Worker 3f9a1c2e hands its accounts over.\n"
    assert schema.execute("SELECT draining FROM workers WHERE worker = '3f9a1c2e'").strip() == "t"
    for worker, reason in (("3f", "Several workers have ids"), ("9", "No worker has an id")):
        refused = stored.run("cluster", "drain", worker)
        assert refused.code == 2
        assert reason in refused.sentence


@pytest.mark.verify
def test_a_reset_removes_the_workers_once_it_is_confirmed(stored: Shell, schema: TemporarySchema) -> None:
    refused = stored.run("cluster", "reset")
    assert (refused.code, "--yes" in refused.sentence) == (2, True)
    assert schema.execute("SELECT count(*) FROM workers").strip() == "3"

    assert stored.run("cluster", "reset", "--yes", "--json").line == {"accounts": 4}
    assert schema.execute("SELECT count(*) FROM workers").strip() == "0"
    assert schema.execute("SELECT min(epoch) FROM accounts").strip() == "1000001"


def test_the_commands_need_a_database(shell: Shell) -> None:
    for command in (("status",), ("drain", "x"), ("reset", "--yes")):
        refused = shell.run("cluster", *command)
        assert refused.code == 2
        assert "--storage postgresql://HOST/DATABASE" in refused.sentence
