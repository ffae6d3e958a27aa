"""The command line with a PostgreSQL database: logins and journals are there, and no command shows the password."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.account.test_login import read_until
from tests.cli.conftest import PATIENCE
from tests.cluster.conftest import wait_until

from webwx.storage.postgres import schema as tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Finished, Sandbox, Shell
    from tests.postgres import TemporarySchema

VERSION_6 = Path(__file__).parents[2] / "storage" / "former" / "version-6.sql"
PASSWORD = "Gx7pQ2kLw"  # the temporary cluster accepts any


@pytest.fixture
def stored(shell: Shell, schema: TemporarySchema, tmp_path: Path) -> Iterator[Shell]:
    """A shell whose storage is a database, without a login."""
    url = schema.url.replace(f"{schema.name}@", f"{schema.name}:{PASSWORD}@")
    shell.environment |= {"WEBWX_STORAGE": url, "WEBWX_PASSPHRASE": "three words long"}
    printed: list[Finished] = []
    run = shell.run

    def recorded(*arguments: Any, **options: Any) -> Finished:
        printed.append(run(*arguments, **options))
        return printed[-1]

    shell.run = recorded  # type: ignore[method-assign]  # to look at what every command has printed
    yield shell
    assert not [each for each in printed if PASSWORD in each.stdout + each.stderr]


def log_in(shell: Shell, sandbox: Sandbox, who: str, *options: str) -> None:
    with shell.start("login", *options) as process:
        read_until(process, "confirm there")
        sandbox.control("scan", who=who)
        sandbox.control("confirm", uuid="")
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0


@pytest.mark.verify
def test_logins_and_journals_of_two_accounts_are_in_the_database(stored: Shell, sandbox: Sandbox) -> None:
    log_in(stored, sandbox, "me")
    log_in(stored, sandbox, "阿华", "--account", "work")
    assert stored.run("send", "filehelper", "mine").code == 0
    assert stored.run("send", "filehelper", "of work", "--account", "work").code == 0

    assert [each["account"] for each in stored.run("accounts", "--json").lines] == ["default", "work"]
    assert {each["state"] for each in stored.run("accounts", "--json").lines} == {"encrypted"}
    assert [each["text"] for each in stored.run("outbox", "--json").lines] == ["mine"]
    assert stored.run("logout").code == 0
    # without a login the newest account of the database would be that of the other login
    assert [each["text"] for each in stored.run("outbox", "--json").lines] == ["mine"]
    stats = stored.run("journal", "stats", "--json").line
    assert (stats["path"], stats["sends"]) == (None, {"sent": 1})
    assert stats["database"].startswith("the database 'postgres' on ")
    assert [each.name for each in stored.settings.home.rglob("*") if each.is_file()] == []


@pytest.mark.verify
def test_commands_that_need_a_file_name_what_to_do_with_a_database(
    stored: Shell, sandbox: Sandbox, tmp_path: Path
) -> None:
    log_in(stored, sandbox, "me")
    for command in (("journal", "backup", str(tmp_path / "copy")), ("serve", "backup", str(tmp_path / "copies"))):
        refused = stored.run(*command)
        assert refused.code == 1
        assert "pg_dump" in refused.sentence
    assert stored.run("journal", "stats").code == 0


@pytest.mark.verify
def test_the_journal_of_one_login_is_deleted_from_the_database(stored: Shell, sandbox: Sandbox) -> None:
    log_in(stored, sandbox, "me")
    log_in(stored, sandbox, "阿华", "--account", "work")
    assert stored.run("send", "filehelper", "mine").code == 0
    assert stored.run("send", "filehelper", "of work", "--account", "work").code == 0
    assert stored.run("journal", "purge", "--all").code == 2
    assert stored.run("outbox", "--json").lines != []

    assert stored.run("journal", "purge", "--all", "--yes", "--json").line == {"deleted": True}
    assert "There is no journal" in stored.run("journal", "stats").sentence
    assert [each["text"] for each in stored.run("outbox", "--json", "--account", "work").lines] == ["of work"]
    assert stored.run("login", "--json").code == 0, "the saved login is still there"
    assert stored.run("outbox", "--json").lines == []


@pytest.mark.verify
def test_a_database_without_a_passphrase_is_refused_before_a_code_is_shown(stored: Shell) -> None:
    refused = stored.run("login", WEBWX_PASSPHRASE="")
    assert (refused.code, refused.stdout) == (2, "")
    assert "WEBWX_PASSPHRASE" in refused.sentence


@pytest.mark.verify
def test_keys_of_the_gateway_are_in_the_database(stored: Shell, schema: TemporarySchema) -> None:
    made = stored.run("serve", "key", "create", "--name", "grafana", "--scopes", "read", "--json").line
    assert [each["id"] for each in stored.run("serve", "key", "list", "--json").lines] == [made["id"]]
    assert schema.execute("SELECT count(*) FROM records WHERE kind = 'key'").strip() == "1"
    assert [each.name for each in stored.settings.home.rglob("*") if each.is_file()] == []


def account_names(request: urllib.request.Request) -> list[str]:
    with urllib.request.urlopen(request) as answer:
        return [each["name"] for each in json.load(answer)["accounts"]]


@pytest.mark.verify
def test_a_gateway_opens_the_logins_of_the_database(stored: Shell, sandbox: Sandbox) -> None:
    log_in(stored, sandbox, "me", "--account", "work")
    key = stored.run("serve", "key", "create", "--name", "test", "--scopes", "admin", "--json").line["key"]
    with stored.start("serve", "--port", "0", "--json") as gateway:
        url = json.loads(gateway.stdout.readline())["url"]
        request = urllib.request.Request(f"{url}/api/v1/accounts", headers={"Authorization": f"Bearer {key}"})
        wait_until(lambda: account_names(request) == ["work"])  # the gateway first takes the account
        gateway.terminate()
        assert gateway.wait(timeout=PATIENCE) == 0


@pytest.mark.verify
def test_doctor_describes_the_database_without_its_name(
    stored: Shell, sandbox: Sandbox, schema: TemporarySchema
) -> None:
    log_in(stored, sandbox, "me")
    report = stored.run("doctor", "--json")
    database = report.line["database"]
    assert (database["reachable"], database["logins"], database["accounts"]) == (True, 1, 1)
    assert database["server"].startswith("PostgreSQL 1")
    assert (database["schema"], database["btree_gin"]) == (f"version {tables.VERSION}", "available")
    assert schema.name not in report.stdout


def test_an_unreachable_database_is_one_sentence(shell: Shell) -> None:
    shell.environment |= {
        "WEBWX_STORAGE": f"postgresql://me:{PASSWORD}@127.0.0.1:1/webwx", "WEBWX_PASSPHRASE": "three words long"
    }  # fmt: skip
    refused = shell.run("history")
    assert refused.code == 1
    assert refused.sentence.startswith("webwx: The journal in the database 'webwx' on 127.0.0.1:1 cannot be read: ")
    assert PASSWORD not in refused.stderr
    report = shell.run("doctor", "--json")
    assert report.line["database"] == {"reachable": False, "problem": "ConnectionRefusedError"}


def test_a_password_in_the_option_is_refused_and_not_repeated(shell: Shell) -> None:
    refused = shell.run("history", "--storage", f"postgresql://me:{PASSWORD}@db.test/webwx")
    assert refused.code == 2
    assert "PGPASSFILE" in refused.sentence
    assert PASSWORD not in refused.stderr


@pytest.mark.verify
def test_an_empty_schema_gets_its_tables_by_a_command(shell: Shell, schema: TemporarySchema) -> None:
    shell.environment |= {"WEBWX_STORAGE": schema.url, "WEBWX_PASSPHRASE": "three words long"}
    assert shell.run("storage", "migrate", "--json").line == {"version": tables.VERSION, "before": 0}


@pytest.mark.verify
def test_tables_are_migrated_by_a_command(shell: Shell, schema: TemporarySchema) -> None:
    shell.environment |= {"WEBWX_STORAGE": schema.url, "WEBWX_PASSPHRASE": "three words long"}
    schema.restore(VERSION_6.read_text("utf-8").replace("SCHEMA_NAME", schema.name))
    assert "run 'webwx storage migrate'" in shell.run("history").sentence
    assert "TOO OLD" in shell.run("doctor", "--json").line["database"]["schema"]
    done = shell.run("storage", "migrate")
    assert done.stdout == f"The tables are of version {tables.VERSION}.\n"
    assert shell.run("storage", "migrate").stdout == f"The tables are of version {tables.VERSION} already.\n"


def test_a_migration_needs_a_database(shell: Shell) -> None:
    refused = shell.run("storage", "migrate")
    assert (refused.code, "--storage postgresql://HOST/DATABASE" in refused.sentence) == (2, True)
