"""`webwx login`, `status` and `logout`."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import json
import os
import pty
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.cli.conftest import Sandbox, Shell
from tests.ticket_server import ticket_server

PATIENCE = 20.0


def read_until(process: Any, words: str) -> str:
    """Read the messages of a command until these words appear."""
    messages = ""
    while words not in messages:
        line = process.stderr.readline()
        assert line, f"it ended after {messages!r}"
        messages += line
    return messages


def log_in(shell: Shell, sandbox: Sandbox, who: str, *arguments: str, folder: Path | None = None) -> tuple[str, str]:
    """Run `webwx login` with the phone actions of a test; return its messages and its result."""
    with shell.start("login", *arguments, folder=folder) as process:
        messages = read_until(process, "confirm there")
        sandbox.control("scan", who=who)
        sandbox.control("confirm", uuid="")
        stdout, stderr = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    return messages + stderr, stdout


def test_the_code_is_drawn_on_stderr_above_its_link(shell: Shell, sandbox: Sandbox) -> None:
    messages, printed = log_in(shell, sandbox, "me")
    assert "█" in messages
    assert f"\n{sandbox.url}/l/" in messages
    assert printed == "Logged in as 小明.\n"


@pytest.mark.parametrize(
    ("arguments", "variables", "paint"),
    [
        ([], {}, "\x1b[38;5;16;48;5;231m"),
        (["--qr", "inverted"], {}, "\x1b[38;5;231;48;5;16m"),
        ([], {"NO_COLOR": "1"}, ""),
        ([], {"TERM": "dumb"}, ""),
    ],
)
def test_on_a_terminal_the_code_is_black_on_white_in_any_colour_scheme(
    arguments: list[str], variables: dict[str, str], paint: str, shell: Shell
) -> None:
    screen, stderr = pty.openpty()
    environment = shell.environment | {"TERM": "xterm"} | variables
    environment = {name: value for name, value in environment.items() if name != "NO_COLOR" or variables}
    with subprocess.Popen(
        [Path(sys.executable).with_name("webwx"), "login", *arguments], env=environment, stderr=stderr
    ) as process:
        os.close(stderr)
        with os.fdopen(screen, "rb") as shown:
            lines = list[str]()
            while not lines or "/l/" not in lines[-1]:
                lines.append(shown.readline().decode())
            process.terminate()
    drawing = lines[:-1]
    assert len(drawing) > 10
    assert [line for line in drawing if not line.startswith(paint) or ("\x1b" in line) != bool(paint)] == []
    assert "\x1b" not in lines[-1]


@pytest.mark.parametrize("form", ["text", "inverted"])
def test_output_into_a_pipe_has_no_colours(form: str, shell: Shell, sandbox: Sandbox) -> None:
    messages, _ = log_in(shell, sandbox, "me", "--qr", form)
    assert "█" in messages
    assert "\x1b" not in messages


def test_the_result_is_one_line_with_stable_keys(shell: Shell, sandbox: Sandbox) -> None:
    _, printed = log_in(shell, sandbox, "阿华", "--json")
    result = json.loads(printed)
    assert list(result) == ["nickname", "id", "uin", "host"]
    assert (result["nickname"], result["host"]) == ("阿华", "web")
    assert result["id"].startswith("@")


def test_a_valid_login_is_restored_without_a_code(me: Shell) -> None:
    done = me.run("login", "--json")
    assert (done.code, done.stderr, done.line["nickname"]) == (0, "", "小明")


def test_an_ended_login_is_replaced_by_a_new_one(me: Shell, sandbox: Sandbox) -> None:
    sandbox.control("log-out", who="me")
    messages, printed = log_in(me, sandbox, "me")
    assert "█" in messages
    assert printed == "Logged in as 小明.\n"


@pytest.mark.parametrize("form", ["text", "inverted", "svg", "png"])
def test_the_code_is_written_to_a_private_file_that_is_removed_afterwards(
    form: str, shell: Shell, sandbox: Sandbox, tmp_path: Path
) -> None:
    file = tmp_path / f"code.{form}"
    with shell.start("login", "--qr", form, str(file)) as process:
        messages = read_until(process, "confirm there")
        assert str(file) in messages
        assert "█" not in messages
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        match form:
            case "text" | "inverted":
                assert "█" in file.read_text("utf-8")
            case "svg":
                assert ElementTree.parse(file).getroot().tag == "{http://www.w3.org/2000/svg}svg"
            case "png":
                with Image.open(file) as picture:
                    assert picture.format == "PNG"
        sandbox.control("scan", who="李雷")
        sandbox.control("confirm", uuid="")
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    assert not file.exists()


@pytest.mark.parametrize("asked", [False, True], ids=["on the terminal", "in a file"])
def test_a_login_needs_no_folder_and_no_screen_and_leaves_no_code(
    shell: Shell, sandbox: Sandbox, tmp_path: Path, asked: bool
) -> None:
    """
    In a folder where not even root can create a file, without a display, and without a program that opens pictures.
    """
    folder = Path("/proc")
    with pytest.raises(OSError):
        (folder / "QR.png").touch()
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        shell.environment.pop(name, None)
    for name in ("nothing", "tmp", "user"):
        (tmp_path / name).mkdir()
    shell.environment |= {
        "PATH": str(tmp_path / "nothing"), "TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path / "user"),
    }  # fmt: skip
    code = tmp_path / "tmp" / "code.png"
    log_in(shell, sandbox, "me", *(["--qr", "png", str(code)] if asked else []), folder=folder)
    left = sorted(str(path.relative_to(shell.settings.home)) for path in tmp_path.rglob("*") if path.is_file())
    login = shell.settings.login_path.relative_to(shell.settings.home)
    beside = {".json", ".json.lock", ".contacts.json", ".journal", ".journal.consumer-1", ".journal.consumer-2"}
    assert beside >= {name.removeprefix(f"{login.parent}/").lstrip(".").removeprefix(login.stem) for name in left}


@pytest.mark.verify
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is what sees every process that is started")
@pytest.mark.parametrize("uuid", ["AbCdEfGh&calc", "AbCdEfGh$(reboot)", "AbCdEfGh; reboot", "AbCdEfGh|sh"])
def test_a_hostile_login_address_starts_no_process(shell: Shell, tmp_path: Path, uuid: str) -> None:
    class Hostile(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f'window.QRLogin.code = 200; window.QRLogin.uuid = "{uuid}";'.encode())

        def log_message(self, *arguments: Any) -> None:
            pass

    trace = tmp_path / "trace"
    watch = ["strace", "-f", "-e", "trace=execve,execveat", "-o", str(trace)]
    with http.server.HTTPServer(("127.0.0.1", 0), Hostile) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = subprocess.run(
            [*watch, Path(sys.executable).with_name("webwx"), "login"],
            env=shell.environment | {"WEBWX_SERVER": f"http://127.0.0.1:{server.server_port}"},
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        server.shutdown()
    assert "no valid login code" in done.stderr
    assert trace.read_text("utf-8").count("execve") == 1  # The interpreter's own files.


def test_scan_and_cancellation_on_the_phone_are_reported(shell: Shell, sandbox: Sandbox) -> None:
    with shell.start("login") as process:
        assert "new code" not in read_until(process, "confirm there")
        sandbox.control("scan", who="me")
        read_until(process, "Scanned; now confirm the login on your phone.")
        sandbox.control("cancel", uuid="")
        messages = read_until(process, "confirm there")
        assert messages.startswith("The login was cancelled on the phone.\nHere is a new code.\n")
        sandbox.control("expire", uuid="")
        messages = read_until(process, "confirm there")
        assert messages.startswith("The code has expired.\nHere is a new code.\n")
        sandbox.control("scan", who="me")
        sandbox.control("confirm", uuid="")
        stdout, _ = process.communicate(timeout=PATIENCE)
    assert stdout == "Logged in as 小明.\n"


def test_temporary_failures_of_a_login_are_one_line_and_the_login_continues(shell: Shell, sandbox: Sandbox) -> None:
    for call in ("jslogin", "login", "webwxinit"):
        sandbox.control("faults", fault="html_page", endpoint=call, times=1)
    messages, printed = log_in(shell, sandbox, "me")
    assert printed == "Logged in as 小明.\n"
    assert messages.count("The login is retried: ") == 1
    assert messages.count("confirm there") == 1


def test_the_file_is_removed_when_the_login_is_interrupted(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "code.svg"
    with shell.start("login", "--qr", "svg", str(file)) as process:
        read_until(process, "confirm there")
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert not file.exists()


def test_a_home_folder_that_cannot_be_created_is_an_error_before_a_code_is_shown(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = shell.run("login", WEBWX_HOME=str(tmp_path / "file" / "home"))
    assert (done.code, done.stdout) == (1, "")
    assert str(tmp_path / "file" / "home") in done.sentence


def test_an_existing_file_is_not_replaced(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "holiday.png"
    file.write_bytes(b"precious")
    done = shell.run("login", "--qr", "png", str(file))
    assert done.code == 2
    assert "already exists" in done.sentence
    assert file.read_bytes() == b"precious"


def test_a_picture_of_the_code_needs_a_file_name(shell: Shell) -> None:
    done = shell.run("login", "--qr", "svg")
    assert done.code == 2
    assert "code.svg" in done.sentence


def test_a_login_ends_after_several_expired_codes(shell: Shell, sandbox: Sandbox) -> None:
    with shell.start("login") as process:
        for _ in range(3):
            read_until(process, "confirm there")
            sandbox.control("wind", seconds=3600)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout) == (4, "")
    assert "webwx login" in stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("ticket", "encoding", "code", "words"),
    [
        (b"<error><ret>0</ret><message></message><skey>@crypt_0a1b", "", 1, "lacks wxsid, wxuin, skey, pass_ticket"),
        (b"<error><re", "", 1, "no ticket in the answer"),
        (b"", "", 1, "no ticket in the answer"),
        (b"\x1f\x8bgarbage", "gzip", 7, "may or may not have been done"),
        (gzip.compress(b"<error><ret>0</ret>")[:-9], "gzip", 7, "may or may not have been done"),
        (b"<html><title>WeChat</title>", "", 1, "the server sent a web page"),
    ],
    ids=["cut XML", "cut in a tag", "nothing", "broken gzip", "cut gzip", "web page"],
)
def test_a_malformed_ticket_is_an_error_in_one_sentence(
    shell: Shell, ticket: bytes, encoding: str, code: int, words: str
) -> None:
    with ticket_server() as server:
        server.ticket, server.encoding = ticket, encoding
        done = shell.run("login", "--server", server.url)
    last = done.stderr.splitlines()[-1]
    assert (done.code, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr
    assert last.startswith("webwx: ")
    assert words in last
    assert "0a1b" not in done.stderr


def test_the_status_of_a_valid_login(me: Shell) -> None:
    done = me.run("status", "--json")
    assert (done.code, done.stderr) == (0, "")
    assert list(done.line) == ["logged_in", "nickname", "id", "uin", "host", "rate_limit"]
    assert (done.line["logged_in"], done.line["nickname"], done.line["rate_limit"]) == (True, "小明", None)
    assert me.run("status").stdout == "Logged in as 小明 (web).\n"


def test_the_status_shows_the_rate_limit(me: Shell, sandbox: Sandbox) -> None:
    me.run("send", "filehelper", "hi", WEBWX_RATE_LIMIT="on")
    state = me.run("status", "--json", WEBWX_RATE_LIMIT="on").line["rate_limit"]
    assert (state["may_send"], state["wait"], state["paused_until"], state["refusals"]) == (True, 0, None, 0)
    assert state["messages_last_minute"] == 1
    assert me.run("status", WEBWX_RATE_LIMIT="on").stdout.splitlines() == [
        "Logged in as 小明 (web).",
        "Rate limit: the next message may be sent now (messages in the last minute: 1, uploads in the last hour: 0).",
    ]

    sandbox.control("refuse", endpoint="webwxstatusnotify", ret=1205)
    me.run("read", "filehelper", WEBWX_RATE_LIMIT="on")
    lines = me.run("status", WEBWX_RATE_LIMIT="on").stdout.splitlines()
    assert re.match(r"Rate limit: the next message may be sent in \d+ s \(", lines[1])
    assert re.match(r"The platform refused this account as too frequent once; paused until \d\d:", lines[2])


def test_the_status_without_a_login(shell: Shell) -> None:
    done = shell.run("status", "--json")
    assert (done.code, done.line) == (4, {"logged_in": False, "reason": "absent"})
    assert "webwx login" in done.sentence
    assert shell.run("status").stdout == ""


def test_the_status_of_a_login_that_the_phone_has_ended(me: Shell, sandbox: Sandbox) -> None:
    sandbox.control("log-out", who="me")
    done = me.run("status", "--json")
    assert (done.code, done.line) == (4, {"logged_in": False, "reason": "phone"})


def test_a_logout_ends_the_login_and_keeps_the_journal(me: Shell) -> None:
    me.run("send", "filehelper", "the last words")
    assert me.run("logout", "--json").line == {"logged_out": True}
    assert me.run("logout").code == 4
    # The messages stay, for the history and for the next login.
    assert [path.name for path in me.settings.login_path.parent.glob("[!.]*")] == [me.settings.journal_path.name]


@pytest.mark.parametrize("content", [b"no journal" * 10_000, b""], ids=["damaged", "newer"])
def test_status_and_logout_work_although_the_journal_cannot_be_opened(me: Shell, content: bytes) -> None:
    path = me.settings.journal_path
    if content:
        path.write_bytes(content)
    else:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 999")
    before = path.read_bytes()
    done = me.run("status", WEBWX_RATE_LIMIT="on")
    assert (done.code, done.stdout) == (0, "Logged in as 小明 (web).\n")
    assert done.sentence.startswith("The state of the rate limit is unknown: ")
    assert "move" in done.sentence
    assert me.run("logout", "--json").line == {"logged_out": True}
    assert not me.settings.login_path.exists()
    assert path.read_bytes() == before


def test_status_and_logout_do_what_is_possible_on_a_read_only_disk(me: Shell, sandbox: Sandbox) -> None:
    # The saved login cannot be locked, as in a read-only folder.
    lock = me.settings.login_path.with_name(f".{me.settings.login_path.name}.lock")
    lock.unlink()
    lock.mkdir()
    done = me.run("status")
    assert (done.code, done.stdout) == (0, "Logged in as 小明 (web).\n")
    assert done.sentence.startswith(f"Nothing can be written beside {me.settings.login_path}: ")
    done = me.run("logout", "--json")
    assert (done.code, done.line) == (0, {"logged_out": True})
    assert done.sentence.startswith("Logged out, but the saved login could not be deleted. ")
    assert me.run("status").code == 4


def test_a_logout_says_that_the_journal_stays(me: Shell) -> None:
    assert "webwx journal purge --all" in me.run("logout").sentence


def test_both_consumers_begin_with_the_login(shell: Shell, sandbox: Sandbox) -> None:
    log_in(shell, sandbox, "me")
    sandbox.say("阿华", "me", "to everybody")
    sandbox.control("file", **{"from": "阿华", "to": "me", "name": "a.txt", "content": "b25l"})
    folder = shell.settings.home.with_name("in")
    folder.mkdir()
    assert [line["type"] for line in shell.run("listen", "--json", "--count", "2").lines][-1] == "message.file"
    assert shell.run("receive", "--to", str(folder)).stdout == f"{folder / 'a.txt'}\n"


def test_each_server_has_its_own_login(me: Shell) -> None:
    assert me.run("status", "--server", "http://127.0.0.1:1").code == 4
    assert me.run("status").code == 0
