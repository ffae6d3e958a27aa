"""`webwx journal import` and `copy`: an account changes between files and a database, with its login if wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import PATIENCE
from tests.cli.journal.test_storage import log_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Sandbox, Shell
    from tests.postgres import TemporarySchema

PASSWORD = "Gx7pQ2kLw"  # of no database


@pytest.mark.verify
def test_a_journal_is_copied_into_the_database_and_back(me: Shell, schema: TemporarySchema, tmp_path: Path) -> None:
    path = me.settings.journal_path
    assert me.run("send", "filehelper", "before the copy").code == 0
    in_database = {"WEBWX_STORAGE": schema.url, "WEBWX_PASSPHRASE": "three words long"}

    copied = me.run("journal", "import", str(path), "--json", **in_database)
    assert (copied.line["verified"], copied.line["accounts"], copied.line["rows"]["outbox"]) == (True, 1, 1)
    assert copied.line["place"] == str(path)
    assert [each["text"] for each in me.run("outbox", "--json", **in_database).lines] == ["before the copy"]
    again = me.run("journal", "copy", schema.url)
    assert again.code == 1
    assert "has a journal of this account already" in again.sentence

    back = me.run("journal", "copy", str(tmp_path / "back.journal"), **in_database)
    assert back.code == 0
    assert back.stdout.endswith("both journals hold the same.\n")
    (tmp_path / "back.journal").replace(path)
    assert [each["text"] for each in me.run("outbox", "--json").lines] == ["before the copy"]


def test_a_copy_needs_a_file_and_a_database(me: Shell, tmp_path: Path) -> None:
    refused = me.run("journal", "copy", str(tmp_path / "copy.journal"))
    assert (refused.code, refused.stdout) == (2, "")
    assert "between a file and a PostgreSQL database" in refused.sentence
    absent = me.run("journal", "import", str(tmp_path / "absent"), WEBWX_STORAGE="postgresql://db.test/webwx")
    assert absent.code == 2
    typed = me.run("journal", "copy", f"postgresql://me:{PASSWORD}@db.test/webwx")
    assert typed.code == 2
    assert PASSWORD not in typed.stderr


@pytest.mark.verify
def test_a_login_moves_with_its_journal_and_is_valid_there(me: Shell, schema: TemporarySchema, tmp_path: Path) -> None:
    path, copy = me.settings.journal_path, tmp_path / "home" / "logins" / "copy.journal"
    in_database = {"WEBWX_STORAGE": schema.url, "WEBWX_PASSPHRASE": "three words long"}

    without = me.run("journal", "copy", schema.url, "--with-login")
    assert without.code == 2
    assert "WEBWX_PASSPHRASE" in without.sentence
    assert me.run("journal", "import", str(path), "--with-login", "--json", **in_database).line["login"]
    assert me.run("status", **in_database).stdout == "Logged in as 小明 (web).\n"
    assert me.run("status").code == 4  # it is not in the folder any more
    assert me.run("send", "filehelper", "from there", **in_database).code == 0

    assert me.run("journal", "copy", str(copy), "--with-login", **in_database).code == 0
    assert me.run("status", **in_database).code == 4
    path.unlink()
    for suffix in (".journal", ".json", ".contacts.json"):
        copy.with_suffix(suffix).rename(path.with_suffix(suffix))
    assert me.run("status", WEBWX_PASSPHRASE="three words long").stdout == "Logged in as 小明 (web).\n"
    assert [each["text"] for each in me.run("outbox", "--json", WEBWX_PASSPHRASE="three words long").lines] == [
        "from there"
    ]


@pytest.mark.verify
def test_a_login_that_is_in_use_or_would_replace_one_is_not_moved(
    me: Shell, sandbox: Sandbox, schema: TemporarySchema
) -> None:
    in_database = {"WEBWX_STORAGE": schema.url, "WEBWX_PASSPHRASE": "three words long"}
    command = ["journal", "import", str(me.settings.journal_path), "--with-login"]
    with me.start("listen") as listening:
        sandbox.say("ahua", "me", "hello")
        assert "hello" in listening.stdout.readline()
        assert me.run(*command, **in_database).code == 3
        listening.terminate()
        assert listening.wait(timeout=PATIENCE) == 0

    assert me.run("status").code == 0

    files, me.environment = me.environment, me.environment | in_database
    log_in(me, sandbox, "ahua")
    refused = me.run(*command)
    assert refused.code == 2
    assert "There is a saved login at the target" in refused.sentence
    me.environment = files
    assert me.run("status").code == 0


@pytest.mark.verify
def test_all_journals_of_the_folder_are_imported_and_a_repetition_leaves_them_out(
    me: Shell, sandbox: Sandbox, schema: TemporarySchema
) -> None:
    log_in(me, sandbox, "ahua", "--account", "work")
    for account in ("default", "work"):
        assert me.run("send", "filehelper", f"of {account}", "--account", account).code == 0
    in_database = {"WEBWX_STORAGE": schema.url, "WEBWX_PASSPHRASE": "three words long"}
    damaged = me.settings.journal_path.with_name("damaged.journal")
    damaged.write_text("this is no journal, but a text of some length " * 100)

    first = me.run("journal", "import", "--all", "--with-login", "--json", **in_database)
    assert first.code == 1
    assert "default/damaged was not copied" in first.stderr
    assert [(each["accounts"], each["login"]) for each in first.lines] == [(1, True), (1, True)]
    for account in ("default", "work"):
        sends = me.run("outbox", "--json", "--account", account, **in_database).lines
        assert [each["text"] for each in sends] == [f"of {account}"]
        assert me.run("status", "--account", account, **in_database).code == 0

    damaged.unlink()
    again = me.run("journal", "import", "--all", "--with-login", **in_database)
    assert (again.code, again.stdout) == (0, "")
    assert again.stderr.count("is in the database already.") == 2


def test_an_import_of_all_journals_names_no_other_place(me: Shell) -> None:
    for arguments in ((), ("me.journal", "--all")):
        refused = me.run("journal", "import", *arguments)
        assert (refused.code, "or --all" in refused.sentence) == (2, True)
    assert "--storage postgresql://" in me.run("journal", "import", "--all").sentence
