"""`webwx push`: a notification in the form that the gateway's receivers use."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Sandbox, Shell

from webwx.settings import Settings


def shown(sandbox: Sandbox) -> list[str]:
    messages = sandbox.chat("me", "filehelper")["messages"]
    return [message.get("text") or message.get("name") or "" for message in messages]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("the backup is done",), "the backup is done"),
        (("--title", "db1", "--severity", "critical", "disk at 95 %"), "🔴 db1\n\ndisk at 95 %"),
        (("--markdown", "# Report\n**all** [good](https://x.example)"), "【Report】\nall good https://x.example"),
        (("text", "--severity", "good"), "🟢 text"),
    ],
)
def test_a_notification_arrives_on_the_phone(me: Shell, sandbox: Sandbox, words: tuple[str, ...], text: str) -> None:
    done = me.run("push", *words, "--json")
    assert (done.code, done.stderr) == (0, "")
    assert shown(sandbox)[-1] == text


def test_the_text_is_read_from_stdin(me: Shell, sandbox: Sandbox) -> None:
    assert me.run("push", stdin="from a pipe\n").code == 0
    assert shown(sandbox)[-1] == "from a pipe"


def test_a_long_text_is_followed_by_a_file_with_the_complete_text(me: Shell, sandbox: Sandbox) -> None:
    assert me.run("push", stdin="字" * 16_001).code == 0
    assert shown(sandbox)[-2:] == ["字" * 15_800 + "…", "message.txt"]


def test_a_key_sends_once(me: Shell, sandbox: Sandbox) -> None:
    for _ in range(2):
        assert me.run("push", "only once", "--key", "nightly").code == 0
    assert shown(sandbox).count("only once") == 1


@pytest.mark.parametrize("words", [("",), ("one", "two")])
def test_a_push_needs_exactly_one_text(me: Shell, words: tuple[str, ...]) -> None:
    assert me.run("push", *words).code == 2


@pytest.mark.parametrize("command", ["push", "send filehelper"])
def test_the_only_account_sends_whatever_its_name(
    shell: Shell, friend: Settings, sandbox: Sandbox, command: str
) -> None:
    assert shell.run(*command.split(), "from the only account").code == 0
    assert sandbox.chat("阿华", "filehelper")["messages"][-1]["text"] == "from the only account"
    named = shell.run(*command.split(), "x", "--account", "default")
    assert (named.code != 0, "default" in named.stderr or "login" in named.stderr) == (True, True)
