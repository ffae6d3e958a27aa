"""How a running command is stopped."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from webwx.cli.exits import BadInput
from webwx.cli.output import Output
from webwx.cli.session import read_piped_line, read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Sandbox, Shell


def start_listening(shell: Shell, sandbox: Sandbox) -> Any:
    """Start `listen`, and wait until it has printed a message and waits for more."""
    process = shell.start_process("listen", "--json")
    sandbox.say("阿华", "me", "are you there?")
    assert "are you there?" in process.stdout.readline()
    return process


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_listen_ends_by_a_signal(me: Shell, sandbox: Sandbox, how: signal.Signals, code: int) -> None:
    with start_listening(me, sandbox) as process:
        process.send_signal(how)
        stdout, stderr = process.communicate(timeout=20)
    # On Ctrl-C a newline ends the line on which the terminal shows `^C`.
    assert (process.returncode, stdout, stderr.strip()) == (code, "", "")


BOT = """
import asyncio
import signal
from webwx import Bot, TextMessage

bot = Bot()


@bot.on(TextMessage)
async def work(ctx, message):
    print("begun", flush=True)
    if message.text == "twice":
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
    await asyncio.sleep({"twice": 0.5, "long": 600}[message.text])
    print("done", flush=True)
"""


@pytest.fixture
def working(me: Shell, sandbox: Sandbox, tmp_path: Path) -> Callable[[str], Any]:
    """Start a bot that works `long`, or that interrupts itself `twice` while it works, and wait until it works."""
    file = tmp_path / "bot.py"
    file.write_text(BOT)

    def start(how: str) -> Any:
        process = me.start_process("run", str(file))
        assert "runs as" in process.stdout.readline()
        sandbox.say("阿华", "me", how)
        assert process.stdout.readline() == "begun\n"
        return process

    return start


def press(process: Any, times: int, pause: float) -> None:
    """Press Ctrl-C until the process has ended, at most this many times."""
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(pause)
            return


def test_two_signals_of_one_ctrl_c_count_once(working: Callable[[str], Any]) -> None:
    # From the terminal, and from the program that started this one. The bot itself sends both signals, because two
    # processes might send them too far apart.
    with working("twice") as process:
        stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout, stderr.strip()) == (130, "done\n", "")


def test_a_second_ctrl_c_ends_a_slow_shutdown(working: Callable[[str], Any]) -> None:
    with working("long") as process:
        press(process, 20, 0.2)
        process.kill()
        stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout, stderr.strip()) == (130, "", "")


def test_a_wait_for_the_rate_limit_is_reported_and_the_send_is_queued(me: Shell) -> None:
    Path(me.environment["WEBWX_CONFIG"]).write_text("[rate_limit]\nburst = 1\nspacing = 30\njitter = 0")
    assert me.run("send", "filehelper", "one", WEBWX_RATE_LIMIT="on").code == 0
    with me.start("send", "filehelper", "two", WEBWX_RATE_LIMIT="on") as process:
        line = process.stderr.readline()
        process.terminate()
        process.communicate(timeout=20)
    assert re.fullmatch(r"Waiting \d\d s: this account's rate limit is reached\.\n", line)
    assert process.returncode == 143
    assert [line["state"] for line in me.run("outbox", "--json").lines] == ["queued", "sent"]


def test_a_wait_that_is_too_long_is_an_error_with_the_next_possible_time(me: Shell) -> None:
    Path(me.environment["WEBWX_CONFIG"]).write_text("[rate_limit]\nburst = 1\nspacing = 30\njitter = 0\npatience = 5")
    me.run("send", "filehelper", "one", WEBWX_RATE_LIMIT="on")
    done = me.run("send", "filehelper", "two", WEBWX_RATE_LIMIT="on")
    assert done.code == 5
    assert re.search(r"nothing was sent, try again in \d\d s\.$", done.sentence)
    assert me.run("send", "filehelper", "two").code == 0  # Without a rate limit, as for any server but the platform.


def test_another_command_that_a_signal_ends_fails(shell: Shell) -> None:
    with shell.start("login") as process:
        while "Scan this" not in process.stderr.readline():
            pass
        process.terminate()
        stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout, stderr) == (143, "", "")


def test_the_next_listen_continues_after_the_last_printed_event(me: Shell, sandbox: Sandbox) -> None:
    with start_listening(me, sandbox) as process:
        process.terminate()
    sandbox.say("阿华", "me", "and now?")
    assert me.run("listen", "--json", "--count", "1").line["text"] == "and now?"


@contextlib.contextmanager
def piped(content: bytes, monkeypatch: pytest.MonkeyPatch, *, is_open: bool = False) -> Iterator[None]:
    """Stdin with some bytes, which ends there or stays open."""
    reader, writer = os.pipe()
    os.write(writer, content)
    with os.fdopen(reader) as stdin, os.fdopen(writer, "wb") as other_end:
        if not is_open:
            other_end.close()
        monkeypatch.setattr("sys.stdin", stdin)
        yield


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"hello", "hello"),
        (b"hello\n", "hello"),
        (b"hello\n\n", "hello\n"),
        (b"two\r\nlines\r\n", "two\nlines"),
        (b"", ""),
        ("你好\n".encode(), "你好"),
    ],
)
async def test_the_newline_that_ends_a_text_is_dropped(
    content: bytes, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with piped(content, monkeypatch):
        assert await read_text(Output(as_json=False)) == text


async def test_bytes_that_are_not_text_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with piped(b"caf\xe9", monkeypatch), pytest.raises(BadInput, match="not valid UTF-8"):
        await read_text(Output(as_json=False))


async def test_a_line_is_read_without_waiting_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with piped(b"one\ntwo\n", monkeypatch, is_open=True):
        assert await read_piped_line() == "one"


async def test_a_closed_stdin_counts_as_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert await read_piped_line() == ""
    assert await read_text(Output(as_json=False)) == ""


@pytest.mark.parametrize("arguments", [["recall", "-"], ["forward", "filehelper"], ["friend", "accept"], ["send"]])
def test_a_command_that_waits_for_a_pipe_ends_at_ctrl_c(arguments: list[str], me: Shell) -> None:
    with me.start(*arguments, stdin=subprocess.PIPE) as process:
        process.stdin.write("no end of it")
        process.stdin.flush()
        while int.from_bytes(fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)), sys.byteorder):
            assert process.poll() is None  # The command has not read it yet.
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


@pytest.mark.parametrize("typed", [b"", b"half a sentence\n"])
def test_ctrl_c_at_the_prompt_of_send_stores_no_send(typed: bytes, me: Shell) -> None:
    terminal, stdin = pty.openpty()
    with (
        os.fdopen(terminal, "wb", buffering=0) as keyboard,
        os.fdopen(stdin, "rb") as screen,
        me.start("send", stdin=screen) as process,
    ):
        assert "Type your message" in process.stderr.readline()
        keyboard.write(typed)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert me.run("outbox", "--json").lines == []


def test_verbose_logs_the_calls_and_nothing_private(me: Shell) -> None:
    done = me.run("-v", "status")
    assert done.stdout == me.run("status").stdout
    assert "webwx.transport: webwxinit -> 200" in done.stderr
    assert "小明" not in done.stderr
    assert "小明" not in me.run("send", "小明", "遥远的秘密", "--verbose").stderr


def test_verbose_shows_where_a_failure_was_raised(shell: Shell) -> None:
    log = shell.run("status", "-v").stderr
    assert "webwx.cli: raised NotLoggedIn" in log
    assert "in resume" in log
    assert "raised" not in shell.run("status").stderr


def test_all_requests_use_the_proxy(me: Shell) -> None:
    unknown = "http://me:geheim@127.0.0.1:1"
    for done in (me.run("status", "-v", "--proxy", unknown), me.run("status", "-v", WEBWX_PROXY=unknown)):
        assert done.code == 6
        assert "geheim" not in done.stdout + done.stderr
    assert me.run("status").code == 0


def log_in(shell: Shell, sandbox: Sandbox) -> None:
    """Run `webwx login` with the actions of 小明's phone."""
    with shell.start("login", "--json") as process:
        while "confirm there" not in process.stderr.readline():
            pass
        sandbox.control("scan", who="me")
        sandbox.control("confirm", uuid="")
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_a_passphrase_encrypts_the_login(shell: Shell, sandbox: Sandbox) -> None:
    shell.environment["WEBWX_PASSPHRASE"] = "correct horse"
    log_in(shell, sandbox)
    assert shell.run("status").code == 0
    refused = shell.run("status", WEBWX_PASSPHRASE="wrong")
    assert (refused.code, refused.stdout) == (1, "")
    assert shell.run("accounts", "--json").line["state"] == "encrypted"


@pytest.fixture
def kept(shell: Shell, tmp_path: Path) -> Path:
    """The file of a keyring for this shell, whose logins are encrypted by that keyring."""
    entries = tmp_path / "keyring.json"
    shell.environment |= {
        "WEBWX_PASSPHRASE_FROM": "keyring", "PYTHON_KEYRING_BACKEND": "tests.keyrings.FileKeyring",
        "FILE_KEYRING": str(entries), "PYTHONPATH": str(Path(__file__).parents[2]),
    }  # fmt: skip
    return entries


def test_the_keyring_encrypts_a_login_and_its_entry_is_deleted_with_it(
    shell: Shell, sandbox: Sandbox, kept: Path
) -> None:
    assert shell.run("status").code == 4
    assert not kept.exists()
    log_in(shell, sandbox)
    [passphrase] = json.loads(kept.read_text("utf-8")).values()
    assert len(bytes.fromhex(passphrase)) == 32
    assert "小明" in shell.run("status").stdout
    assert shell.run("accounts", "--json").line["state"] == "encrypted"
    assert shell.run("status", WEBWX_PASSPHRASE_FROM="").code == 1
    doctor = shell.run("doctor", "--json")
    assert doctor.line["configuration"]["passphrase_from"] == "keyring (environment)"
    assert passphrase not in doctor.stdout
    assert shell.run("logout").code == 0
    assert json.loads(kept.read_text("utf-8")) == {}


def test_the_configuration_can_select_the_keyring(shell: Shell, sandbox: Sandbox, kept: Path) -> None:
    del shell.environment["WEBWX_PASSPHRASE_FROM"]
    Path(shell.environment["WEBWX_CONFIG"]).write_text('passphrase_from = "keyring"')
    log_in(shell, sandbox)
    assert len(json.loads(kept.read_text("utf-8"))) == 1


def test_a_passphrase_in_the_environment_replaces_the_keyring(shell: Shell, sandbox: Sandbox, kept: Path) -> None:
    shell.environment["WEBWX_PASSPHRASE"] = "correct horse"
    log_in(shell, sandbox)
    assert not kept.exists()
    assert shell.run("status", WEBWX_PASSPHRASE_FROM="").code == 0


def test_a_missing_keyring_is_an_error_before_a_code_is_shown(shell: Shell, kept: Path) -> None:
    done = shell.run("login", PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    assert (done.code, done.stdout) == (1, "")
    assert "no keyring that can be used" in done.sentence


def test_a_locked_keyring_is_an_error_before_a_code_is_shown(shell: Shell, kept: Path) -> None:
    done = shell.run("login", PYTHON_KEYRING_BACKEND="tests.keyrings.LockedKeyring")
    assert (done.code, done.stdout) == (1, "")
    assert "is locked" in done.sentence
