"""A command without a saved login names the logins that are saved for other servers, hosts and accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Sandbox, Shell

    from webwx.settings import Settings

MISSING = "webwx: No login is saved here; log in first: run 'webwx login'."


def test_the_login_of_another_server_is_named(me: Shell, sandbox: Sandbox) -> None:
    done = me.run("send", "filehelper", "hello", WEBWX_SERVER="")
    assert done.code == 4
    assert done.sentence == f"{MISSING} Another login is saved; pass '--server {sandbox.url}' to use it."
    assert me.run("send", "filehelper", "hello", "--server", sandbox.url, WEBWX_SERVER="").code == 0


def test_the_login_of_another_server_is_named_in_chinese(me: Shell, sandbox: Sandbox) -> None:
    done = me.run("send", "filehelper", "hello", WEBWX_SERVER="", LC_MESSAGES="zh_CN.UTF-8")
    assert done.sentence.endswith(f"'webwx login'。 还保存着另一个登录状态，加上 '--server {sandbox.url}' 就能使用。")


def test_with_json_the_login_of_another_server_is_named(me: Shell, sandbox: Sandbox) -> None:
    message = me.run("status", "--json", WEBWX_SERVER="").error["message"]
    assert message.endswith(f"Another login is saved; pass '--server {sandbox.url}' to use it.")


def test_the_only_other_account_is_named(me: Shell) -> None:
    done = me.run("status", "--account", "unknown")
    assert done.sentence == f"{MISSING} Another login is saved; pass '--account default' to use it."


def test_several_other_logins_are_left_to_the_list(me: Shell, friend: Settings) -> None:
    done = me.run("status", WEBWX_SERVER="")
    assert done.sentence == f"{MISSING} Other logins are saved; 'webwx accounts' lists them."


def test_without_any_login_only_the_next_step_is_named(shell: Shell) -> None:
    assert shell.run("status").sentence == MISSING


def test_a_login_that_cannot_be_used_is_not_named(me: Shell) -> None:
    me.settings.login_path.write_text("{}")
    assert me.run("status", WEBWX_SERVER="").sentence == MISSING
