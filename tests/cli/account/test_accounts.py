"""`webwx accounts`, and several accounts in one home folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Sandbox, Shell

    from webwx.settings import Settings


def test_each_account_has_its_own_login(me: Shell, friend: Settings) -> None:
    assert me.run("status", "--json").line["nickname"] == "小明"
    assert me.run("status", "--json", "--account", "friend").line["nickname"] == "阿华"
    assert me.run("--account", "friend", "status", "--json").line["nickname"] == "阿华"
    assert me.run("status", "--json", WEBWX_ACCOUNT="friend").line["nickname"] == "阿华"
    assert me.run("status", "--json", "--account", "default", WEBWX_ACCOUNT="friend").line["nickname"] == "小明"
    assert me.run("status", "--account", "unknown").code == 4


def test_the_last_message_belongs_to_its_account(me: Shell, friend: Settings) -> None:
    me.run("send", "filehelper", "mine")
    assert me.run("recall", "--account", "friend").code == 2
    assert me.run("recall").code == 0


def test_a_logout_leaves_the_other_login(me: Shell, friend: Settings) -> None:
    assert me.run("logout", "--account", "friend").code == 0
    assert [line["account"] for line in me.run("accounts", "--json").lines] == ["default"]
    assert me.run("status").code == 0


def test_all_accounts_are_listed(me: Shell, friend: Settings, sandbox: Sandbox) -> None:
    first, second = me.run("accounts", "--json", "--account", "friend").lines
    assert first == {
        "account": "default", "nickname": "小明", "host": "web", "server": sandbox.url, "state": "saved",
        "reason": None, "current": False,
    }  # fmt: skip
    assert (second["account"], second["nickname"], second["current"]) == ("friend", "阿华", True)
    assert me.run("accounts").stdout == (
        f"*  default  小明  {sandbox.url}  saved\n   friend   阿华  {sandbox.url}  saved\n"
    )


def test_a_login_that_has_ended_is_marked(me: Shell, sandbox: Sandbox) -> None:
    sandbox.control("log-out", who="me")
    me.run("status")
    line = me.run("accounts", "--json").line
    assert (line["state"], line["reason"]) == ("ended", "phone")


def test_an_unreadable_login_is_listed_and_not_changed(me: Shell) -> None:
    me.settings.login_path.write_text("{}")
    line = me.run("accounts", "--json").line
    assert (line["account"], line["nickname"], line["state"]) == ("default", None, "unreadable")
    assert me.settings.login_path.read_text() == "{}"


def test_without_a_login_the_list_is_empty(shell: Shell) -> None:
    done = shell.run("accounts", "--json")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert "webwx login" in shell.run("accounts").sentence


def test_a_name_that_could_leave_its_folder_is_refused(shell: Shell) -> None:
    done = shell.run("status", "--account", "../friend")
    assert (done.code, done.stdout) == (2, "")
    assert "account" in done.sentence


@pytest.mark.parametrize(
    "command",
    [
        "status", "contacts", "chats", "history", "search x", "outbox", "recalled", "identity list", "journal stats",
        "journal check", "journal consumers", "journal dead", "journal export", "logout",
    ],
)  # fmt: skip
def test_the_only_account_needs_no_name(shell: Shell, friend: object, command: str) -> None:
    done = shell.run(*command.split())
    assert done.code == 0, done


def test_a_bot_that_names_no_account_runs_on_the_only_one(shell: Shell, friend: object, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text("from webwx import Bot\nbot = Bot()\n@bot.on()\nasync def see(ctx, event): ...\n")
    with shell.start("run", "bot.py", folder=tmp_path) as process:
        assert "bot runs as 阿华" in process.stdout.readline()
        process.terminate()


def test_an_account_that_is_logged_out_is_not_taken_for_the_only_other_one(me: Shell, friend: object) -> None:
    me.run("send", "filehelper", "mine")
    assert me.run("logout").code == 0
    assert "mine" in me.run("history").stdout
    assert me.run("logout").code == 4
    assert me.run("journal", "purge", "--all", "--yes").code == 0
    assert me.run("status", "--account", "friend").code == 0
    assert me.run("journal", "stats", "--account", "friend").code == 0
