"""`webwx accounts`, and several accounts in one home folder."""

from __future__ import annotations

from typing import Any


def test_each_account_has_its_own_login(me: Any, friend: Any) -> None:
    assert me.run("status", "--json").line["nickname"] == "小明"
    assert me.run("status", "--json", "--account", "friend").line["nickname"] == "阿华"
    assert me.run("--account", "friend", "status", "--json").line["nickname"] == "阿华"
    assert me.run("status", "--json", WEBWX_ACCOUNT="friend").line["nickname"] == "阿华"
    assert me.run("status", "--json", "--account", "default", WEBWX_ACCOUNT="friend").line["nickname"] == "小明"
    assert me.run("status", "--account", "unknown").code == 4


def test_the_last_message_belongs_to_its_account(me: Any, friend: Any) -> None:
    me.run("send", "filehelper", "mine")
    assert me.run("recall", "--account", "friend").code == 2
    assert me.run("recall").code == 0


def test_a_logout_leaves_the_other_login(me: Any, friend: Any) -> None:
    assert me.run("logout", "--account", "friend").code == 0
    assert [line["account"] for line in me.run("accounts", "--json").lines] == ["default"]
    assert me.run("status").code == 0


def test_all_accounts_are_listed(me: Any, friend: Any, sandbox: Any) -> None:
    first, second = me.run("accounts", "--json", "--account", "friend").lines
    assert first == {
        "account": "default", "nickname": "小明", "host": "web", "server": sandbox.url, "state": "saved",
        "reason": None, "current": False,
    }  # fmt: skip
    assert (second["account"], second["nickname"], second["current"]) == ("friend", "阿华", True)
    assert me.run("accounts").stdout == (
        f"* default: 小明 on {sandbox.url} - saved\n  friend: 阿华 on {sandbox.url} - saved\n"
    )


def test_a_login_that_has_ended_is_marked(me: Any, sandbox: Any) -> None:
    sandbox.control("log-out", who="me")
    me.run("status")
    line = me.run("accounts", "--json").line
    assert (line["state"], line["reason"]) == ("ended", "phone")


def test_an_unreadable_login_is_listed_and_not_changed(me: Any) -> None:
    me.settings.login_path.write_text("{}")
    line = me.run("accounts", "--json").line
    assert (line["account"], line["nickname"], line["state"]) == ("default", None, "unreadable")
    assert me.settings.login_path.read_text() == "{}"


def test_without_a_login_the_list_is_empty(shell: Any) -> None:
    done = shell.run("accounts", "--json")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert "webwx login" in shell.run("accounts").sentence


def test_a_name_that_could_leave_its_folder_is_refused(shell: Any) -> None:
    done = shell.run("status", "--account", "../friend")
    assert (done.code, done.stdout) == (2, "")
    assert "account" in done.sentence
