"""`webwx cluster`: the workers of a database, and what is done to them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.gateway.adapters.stored_question import state_of, store_accepted

if TYPE_CHECKING:
    from tests.cli.conftest import Shell
    from tests.postgres import TemporarySchema

ROWS = """
INSERT INTO workers (worker, address, capacity, expires, draining, loop_lag, failed_bots) VALUES
    ('3f9a1c2e', 'host-a', 5000, now() + interval '1 hour', false, 2.5, 0),
    ('3f00aaaa', 'host-b', 100, now() + interval '1 hour', true, 0, 1),
    ('77777777', 'host-c', 1, now(), false, 0, 0);
INSERT INTO accounts (account, epoch, worker, wanted) VALUES
    (1, 2, '3f9a1c2e', true), (2, 3, '3f9a1c2e', true), (3, 1, NULL, true), (4, 5, NULL, false);
"""


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
        "WORKER    STATE     ACCOUNTS  CAPACITY  LAG    BEHIND  FAILED BOTS  ADDRESS",
        "3f00aaaa  draining  0         100       0.0 s  0       1            host-b",
        "3f9a1c2e  alive     2         5,000     2.5 s  0       0            host-a",
        "77777777  dead      0         1         0.0 s  0       0            host-c",
        "4 accounts: 2 owned, 1 without a worker, 1 logged out.",
    ]
    chinese = stored.run("cluster", "status", LC_ALL="zh_CN.UTF-8").stdout.splitlines()
    assert chinese[0].split() == ["工作进程", "状态", "账号数", "容量", "延迟", "积压", "失败的机器人", "地址"]
    assert [each.split()[1] for each in chinese[1:4]] == ["正在移交", "运行中", "已失联"]
    *workers, accounts = stored.run("cluster", "status", "--json").lines
    assert [(each["worker"], each["state"], each["accounts"]) for each in workers] == [
        ("3f00aaaa", "draining", 0), ("3f9a1c2e", "alive", 2), ("77777777", "dead", 0)
    ]  # fmt: skip
    assert [(each["loop_lag"], each["failed_bots"], each["consumer_lag"]) for each in workers] == [
        (0.0, 1, 0), (2.5, 0, 0), (0.0, 0, 0)
    ]  # fmt: skip
    assert accounts == {
        "type": "accounts", "accounts": 4, "owned": 2, "free": 1, "logged_out": 1, "takeovers": 7
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


HELD = """
INSERT INTO login_names (name, account, opened_at) VALUES ('work/wx.qq.com', 1, 1);
INSERT INTO outbox (account, number, client_id, key, chat, kind, text, state, epoch, sender, created_at, changed_at)
    VALUES (1, 7, 'c', 'my-key', '@friend', 'text', 'secret', 'queued', 0, '', 0, 0);
INSERT INTO consumers (account, name, acked, started, lock) VALUES (1, 'bot', 0, 0, 1);
INSERT INTO logins (account, own_id, position, opened_at, last_at) VALUES (1, '@me', '', 0, 0);
INSERT INTO entries (account, number, login, batch, kind, flags, start, length, digest, time, message_id, chat)
    SELECT 1, n, 1, 0, 0, 0, 0, 0, 0, 1, '', '' FROM generate_series(1, 3) n;
UPDATE accounts SET last_number = 3 WHERE account = 1;
"""


@pytest.mark.verify
def test_a_reset_after_a_restore_lists_unknown_sends_and_counts_what_is_held(
    stored: Shell, schema: TemporarySchema
) -> None:
    schema.execute(HELD)
    done = stored.run("cluster", "reset", "--restored", "--yes")
    send, counts, _ = done.stdout.splitlines()
    assert send.split() == [
        "work/wx.qq.com", "7", "1970-01-01", send.split()[3], "text,", "may", "or", "may", "not", "have", "been",
        "sent", "[my-key]",
    ]  # fmt: skip
    assert counts == (
        "4 accounts have no worker now; 1 sends are 'unknown'; 3 events and 0 timers are held."
    )  # fmt: skip
    assert "secret" not in done.stdout
    assert stored.run("cluster", "held").stdout.splitlines()[1].split() == ["work/wx.qq.com", "bot", "3", "0"]
    assert stored.run("cluster", "held", "--json").line == {
        "type": "held", "account": "work/wx.qq.com", "consumer": "bot", "events": 3, "timers": 0
    }  # fmt: skip

    assert "--yes" in stored.run("cluster", "drop").sentence
    assert stored.run("cluster", "drop", "other", "--yes", "--json").line == {"events": 0, "timers": 0}
    assert stored.run("cluster", "release", "work", "--json").line == {"events": 3, "timers": 0}
    assert stored.run("cluster", "drop", "--yes").stdout == "0 events and 0 timers are dropped.\n"
    assert stored.run("cluster", "held").stdout == "Nothing is held.\n"
    assert schema.execute("SELECT count(*) FROM failures WHERE state = 'revived'").strip() == "3"
    numbers = "SELECT convert_from(body, 'UTF8')::json->>'number' FROM records WHERE kind = 'numbers'"
    assert int(schema.execute(numbers)) == 1_000_000


@pytest.mark.verify
def test_a_send_that_an_owner_accepted_is_not_made_after_a_restore(stored: Shell, schema: TemporarySchema) -> None:
    program = asyncio.run(store_accepted(schema.url))
    stored.run("cluster", "reset", "--restored", "--yes")
    assert asyncio.run(state_of(schema.url, program)) == "made"  # perhaps, since that moment


def test_the_commands_need_a_database(shell: Shell) -> None:
    for command in (
        ("status",),
        ("drain", "x"),
        ("reset", "--yes"),
        ("reset", "--restored", "--yes"),
        ("held",),
        ("release",),
        ("drop", "--yes"),
    ):
        refused = shell.run("cluster", *command)
        assert refused.code == 2
        assert "--storage postgresql://HOST/DATABASE" in refused.sentence
