"""The language of help and messages, by the environment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Sandbox, Shell
from tests.cli.test_cli import every_command

from webwx.cli import run_command, words
from webwx.cli.language import _, language, language_of, ngettext, use_language

CHINESE = {"LC_MESSAGES": "zh_CN.UTF-8"}


@pytest.fixture(autouse=True)
def _english_after() -> Iterator[None]:
    yield
    use_language("")


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, ""),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW"}, "zh"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, ""),
        ({"LC_MESSAGES": "zh_CN", "LC_ALL": "C"}, ""),
        ({"LC_ALL": "C.UTF-8", "LANG": "zh_CN"}, ""),
        ({"LC_ALL": "", "LANG": "zh_CN"}, "zh"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": "en"}, ""),
        ({"LANG": "C", "LANGUAGE": "zh"}, ""),
        ({"LANG": "fr_FR.UTF-8", "LANGUAGE": "fr"}, ""),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": "fr:de"}, ""),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": ""}, "zh"),
        ({"LANG": "zh_CN.utf8@pinyin"}, "zh"),
        ({"LANG": "zh_CN.GB18030"}, ""),
    ],
)
def test_the_environment_selects_the_language_as_for_gettext(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


def test_a_message_is_translated_until_the_language_changes() -> None:
    assert _("Exit codes") == "Exit codes"
    use_language("zh")
    assert _("Exit codes") == "退出码"
    assert _("no message of webwx") == "no message of webwx"
    assert _("") == ""
    use_language("")
    assert _("Exit codes") == "Exit codes"
    assert ngettext("one", "many", 2) == "many"


@every_command
def test_every_help_is_chinese(path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert run_command([*path.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("用法：")
    assert "'webwx help options'。" in shown
    # Of English, only what a user types is left: names of options and arguments, and examples.
    assert " the " not in shown.partition("例子：")[0]


def test_the_help_about_all_commands_is_chinese(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    for arguments in ([], ["names"]):
        assert run_command(["help", *arguments]) == 0
        assert " the " not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sned"], "webwx: 没有命令 'sned'。 是不是 'send'？"),
        (["undo"], "webwx: 没有命令 'undo'。是不是 'webwx recall'？"),
        (["quux"], "webwx: 没有命令 'quux'；见 'webwx --help'。"),
        (["read"], "webwx: 缺少参数 'CHAT'；见 'webwx read --help'。"),
    ],
)
def test_wrong_usage_is_explained_in_chinese(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert run_command(arguments) == 2
    assert capsys.readouterr().err == f"{sentence}\n"


def test_an_exception_stays_english_and_its_next_step_is_chinese(shell: Shell) -> None:
    done = shell.run("send", "filehelper", "hello", **CHINESE)
    assert done.sentence == "webwx: No login is saved here; log in first：请运行 'webwx login'。"


def test_an_error_that_stays_english_ends_as_english(me: Shell) -> None:
    done = me.run("send", "no such name", "hi", **CHINESE)
    assert done.sentence == (
        "webwx: No contact is named 'no such name' (the whole name must match); list the contacts to find it."
    )


def test_results_and_notices_are_chinese(me: Shell) -> None:
    assert me.run("send", "阿华", "在吗？", **CHINESE).stdout == "已发送给 阿华；两分钟内可以用 'webwx recall' 撤回。\n"
    assert me.run("recall", **CHINESE).stdout == "已撤回；阿华 会看到有一条消息被撤回，但看不到内容。\n"
    assert me.run("status", **CHINESE).stdout == "已登录：小明（web）。\n"
    assert "阿华          好友" in me.run("contacts", **CHINESE).stdout
    assert me.run("recall", "x", **CHINESE).sentence.startswith("webwx: 发件箱里没有 'x'；")
    sent = me.run("send", "阿华", "-", stdin="text", **CHINESE)
    assert sent.sentence == "文字从标准输入读取；“-- -”发送一个连字符。"


def test_a_pinned_chat_is_described_in_chinese(me: Shell) -> None:
    assert me.run("pin", "阿华", **CHINESE).stdout.startswith("已置顶：阿华")
    assert me.run("pin", "阿华", "--off", **CHINESE).stdout.startswith("已取消置顶：阿华")


def test_a_received_picture_is_described_in_chinese(me: Shell, sandbox: Sandbox) -> None:
    sandbox.control("picture", **{"from": "阿华", "to": "me", "content": "R0lGODlhAQABAAAAACw="})
    assert "阿华: [图片" in me.run("listen", "--count", "1", **CHINESE).stdout
    assert "阿华: [图片" in me.run("history", **CHINESE).stdout


def test_a_phone_speaks_chinese(shell: Shell) -> None:
    assert shell.run("phone", "remark", "me", "阿华", "花花", **CHINESE).stdout == "me 给 阿华 的备注是 花花。\n"
    assert shell.run("phone", "remark", "me", "阿华", **CHINESE).stdout == "阿华 没有备注。\n"
    assert shell.run("phone", "say", "阿华", "me", "好", **CHINESE).stdout.startswith("已发送给 me（消息 ")
    assert shell.run("phone", "inbox", "阿华", **CHINESE).stdout.startswith("阿华 的手机")
    assert " the " not in shell.run("phone", "faults", **CHINESE).stdout


def test_words_of_results_are_chinese(me: Shell) -> None:
    me.run("send", "filehelper", "hello")
    me.run("contacts")
    shown = {
        command: me.run(*command.split(), **CHINESE).stdout
        for command in ("accounts", "outbox", "journal stats", "identity list", "config show")
    }
    assert "已保存" in shown["accounts"]
    assert "已发送" in shown["outbox"]
    assert "1 已发送" in shown["journal stats"]
    assert " - 个人 - " in shown["identity list"]
    assert "[环境变量]" in shown["config show"]
    assert me.run("accounts", "--json", **CHINESE).line["state"] == "saved"


@pytest.mark.parametrize("value", sorted({*words.STATES, *words.KINDS, *words.ATTRIBUTES, *words.SOURCES}))
def test_each_word_of_a_result_is_translated(value: str) -> None:
    use_language("zh")
    assert words.word(value.replace(" ", "_")).isascii() == (value in {"uin", "wxid"})


def test_texts_for_programs_stay_english(shell: Shell) -> None:
    done = shell.run("read", "--nope", "--json", **CHINESE)
    assert done.error["message"] == "No such option '--nope'; see 'webwx read --help'."
    done = shell.run("listen", "--log-format", "json", "--quux", **CHINESE)
    assert json.loads(done.sentence)["message"] == "No such option '--quux'; see 'webwx listen --help'."


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["quux"]])
def test_for_english_no_catalogue_is_read(arguments: list[str]) -> None:
    program = (
        "import sys; opened = []; sys.addaudithook(lambda name, args: name == 'open' and opened.append(str(args[0])));"
        f"from webwx.cli import run_command; run_command({arguments});"
        "print([each for each in opened if '.mo' in each], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.endswith("[]\n")


def test_without_a_catalogue_messages_are_english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webwx.cli.language.FOLDER", str(tmp_path))
    use_language("zh")
    assert (_("Exit codes"), language()) == ("Exit codes", "en")
