"""`webwx phone`: the commands of the phone actions."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import click
import pytest
from tests.cli.conftest import Sandbox, Shell

from webwx.cli.sandbox.phone import phone
from webwx.sandbox.action_table import ACTIONS
from webwx.sandbox.control import MAX_UPLOAD

CALLS: dict[str, tuple[tuple[str, ...], str]] = {
    "file": (("{file}", "--name", "报告.pdf"), "[file, 7 bytes] 报告.pdf"),
    "video": (("{file}", "--seconds", "3", "--short"), "[video, 7 bytes]"),
    "voice": (("{file}", "--seconds", "2.5"), "[voice, 7 bytes]"),
    "sticker": (("{file}", "--game", "dice", "--result", "6"), "[sticker, 7 bytes]"),
    "store-sticker": ((), "[sticker]"),
    "location": (("-22.5", "113.25", "--a road"), "[location] --a road"),
    "live-location": ((), "[live location] 我发起了位置共享"),
    "card": (("李雷",), "[card] 李雷"),
    "ask": (("你好",), "[friend request] 你好"),
    "call": (("invite",), "[call]"),
    "link": (("标题", "https://example.org/", "--description", "d"), "[link] 标题"),
    "music": (("茉莉花", "https://example.org/", "--artist", "a"), "[music] 茉莉花"),
    "mini-program": (("拼车", "--program", "出行"), "[mini program] 拼车"),
    "history": (("记录", "张三: 在吗", "李雷: 在"), "[history] 记录"),
    "group-note": (("报名", "阿华 2 人"), "[group note] #接龙\\n报名\\n\\n1. 阿华 2 人"),
    "transfer": (("午饭", "--amount", "￥9.90", "--note", "n", "--state", "returned"), "[transfer] 微信转账"),
    "red-packet": (("新年快乐",), "[red packet] 新年快乐"),
    "raw": (("49", "<msg/>", "--app-type", "16"), "[raw] <msg/>"),
}
"""The arguments after FROM and TO, and the content that the phone shows afterwards."""


@pytest.mark.parametrize("name", CALLS)
def test_a_command_sends_the_content_of_its_name(name: str, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "content"
    file.write_bytes(b"content")
    arguments, shown = CALLS[name]

    sent = shell.run("phone", name, "阿华", "张三", *(each.format(file=file) for each in arguments), "--json").line
    assert re.fullmatch(r"\d{19}", sent.pop("message_id"))
    assert sent == ({"md5": hashlib.md5(b"content").hexdigest()} if "{file}" in arguments else {})
    assert f"阿华: {shown}\n" in shell.run("phone", "inbox", "张三").stdout


def test_a_file_is_sent_with_its_own_name(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "报告.pdf").write_bytes(b"%PDF")
    done = shell.run("phone", "file", "阿华", "me", str(tmp_path / "报告.pdf"))
    assert re.fullmatch(r"Sent to me \(message \d+, md5 [0-9a-f]{32}\)\.\n", done.stdout)
    assert "[file, 4 bytes] 报告.pdf" in shell.run("phone", "inbox", "me").stdout


def test_a_reply_quotes_a_message(shell: Shell) -> None:
    said = shell.run("phone", "say", "阿华", "张三", "原文", "--json").line
    assert shell.run("phone", "quote", "张三", "阿华", said["message_id"], "-好-").code == 0
    assert "张三: [quote] -好-" in shell.run("phone", "inbox", "阿华").stdout


def test_a_notice_has_no_author(shell: Shell) -> None:
    assert shell.run("phone", "notice", "me", "周末爬山", "位置共享已经结束", "--xml", "<sysmsg/>").code == 0
    assert "  位置共享已经结束\n" in shell.run("phone", "inbox", "me").stdout


def test_phones_create_and_change_a_chatroom(shell: Shell, sandbox: Sandbox) -> None:
    room = shell.run("phone", "create", "ahua", "电影", "me", "张三", "--json").line["chat"]
    for arguments, line in (
        (("invite", "ahua", "电影", "李雷"), {"invited": ["李雷"]}),
        (("remove", "ahua", "电影", "张三"), {"removed": ["张三"]}),
        (("rename", "me", "电影", "--戏剧"), {"renamed": True}),
        (("leave", "lilei", room), {"left": True}),
        (("join", "lilei", room, "ahua"), {"joined": True}),
    ):
        assert shell.run("phone", "--json", *arguments).line == line
    assert sandbox.chat("ahua", room)["chat"] == "--戏剧"
    assert shell.run("phone", "remove", "me", room, "阿华").sentence == (
        "webwx: Only the owner of a chatroom can remove people."
    )


def test_every_action_is_a_command() -> None:
    assert set(ACTIONS) <= set(phone.commands)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("scan", "[WHO] [UUID]"),
        ("pin", "WHO CHAT"),
        ("block", "WHO [WHOM]"),
        ("join", "WHO CHAT FROM"),
        ("recall", "FROM TO [ID]"),
        ("create", "WHO NAME PEOPLE..."),
        ("history", "FROM TO TITLE [LINES]..."),
        ("call", "FROM TO [call|invite|end]"),
        ("file", "FROM TO FILE"),
        ("refuse", "CALL RET"),
    ],
)
def test_a_commands_arguments_are_the_parameters_of_its_action(name: str, arguments: str) -> None:
    usage = phone.commands[name].collect_usage_pieces(click.Context(phone.commands[name]))
    assert " ".join(usage) == f"[OPTIONS] {arguments}"


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("refuse", "--times INTEGER RANGE Number of calls. [default: 1; 1<=x<=1000]"),
        ("sticker", "--game [rock-paper-scissors|dice] Game of the sticker."),
        ("video", "--short Send the short video of old phones."),
        ("voice", "--seconds FLOAT Duration to show, in seconds. [default: 1.0]"),
    ],
)
def test_a_commands_options_are_the_other_parameters(name: str, option: str, shell: Shell) -> None:
    assert option in " ".join(shell.run("phone", name, "--help").stdout.split())


def test_messages_are_forwarded_and_deleted(shell: Shell) -> None:
    first, second = (shell.run("phone", "say", "阿华", "张三", text, "--json").line["message_id"] for text in "一二")
    sent = shell.run("phone", "forward", "张三", "李雷", first, second)
    assert sent.stdout == "Forwarded to 李雷.\n"
    assert "张三: 一\n" in shell.run("phone", "inbox", "李雷").stdout
    assert shell.run("phone", "delete", "张三", "阿华", first).stdout == "Deleted on 张三's phone.\n"
    assert "阿华: 一" not in shell.run("phone", "inbox", "张三").stdout
    assert "阿华: 二" in shell.run("phone", "inbox", "张三").stdout


def test_these_tests_run_every_action_that_sends() -> None:
    sending = {name for name, action in ACTIONS.items() if action.parameters[0].name == "from"}
    assert {*CALLS, "quote", "notice"} == sending - {"say", "picture", "recall", "forward"}


def test_a_large_file_is_sent_in_pieces(shell: Shell, tmp_path: Path) -> None:
    size = 80 * 1024 * 1024
    with (file := tmp_path / "large.bin").open("wb") as content:
        content.truncate(size)
    program = (
        "import sys; from webwx.cli import run_command; code = run_command(sys.argv[1:]);"
        "[most] = [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')];"
        "print(most, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "phone", "file", "阿华", "me", str(file), "--json"],
        env=shell.environment, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["md5"] == hashlib.md5(bytes(size)).hexdigest()
    assert int(done.stderr) * 1024 < size  # Maximum bytes in memory.
    assert f"[file, {size:,} bytes] large.bin" in shell.run("phone", "inbox", "me").stdout


def test_a_file_that_is_too_large_is_refused_with_the_limit(shell: Shell, tmp_path: Path) -> None:
    with (file := tmp_path / "huge.bin").open("wb") as content:
        content.truncate(MAX_UPLOAD + 1)
    done = shell.run("phone", "file", "阿华", "me", str(file))
    assert (done.code, done.stdout) == (2, "")
    assert done.sentence == (f"webwx: {file} has 1,073,741,825 bytes; a sandbox phone sends at most 1,073,741,824.")


def test_a_file_can_be_read_from_a_pipe(shell: Shell) -> None:
    sent = shell.run("phone", "file", "阿华", "me", "-", "--name", "a b.txt", "--json", stdin=b"x\ny").line
    assert sent["md5"] == hashlib.md5(b"x\ny").hexdigest()
    assert "[file, 3 bytes] a b.txt" in shell.run("phone", "inbox", "me").stdout


def test_without_a_sandbox_sending_a_file_is_an_error(shell: Shell) -> None:
    done = shell.run("phone", "file", "阿华", "me", __file__, "--server", "http://127.0.0.1:1")
    assert done.code == 6
    assert "no connection to 127.0.0.1:1" in done.sentence


@pytest.mark.parametrize(
    ("answer", "code", "sentence"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>", 1, "no control API"),
        (b'HTTP/1.1 413 Too Large\r\nConnection: close\r\n\r\n{"error":"That is too much."}', 2, "That is too much."),
        (b"", 6, "broke"),
    ],
)
def test_a_server_that_closes_the_connection_is_an_error(answer: bytes, code: int, sentence: str, shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            caller, _ = listening.accept()
            with caller:
                received = b""
                while not received.endswith(b"END"):
                    received += caller.recv(65536)
                caller.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        server = f"http://127.0.0.1:{listening.getsockname()[1]}"
        done = shell.run("phone", "file", "阿华", "me", "-", "--name", "a", "--server", server, stdin=b"the END")
    assert done.code == code
    assert sentence in done.sentence
