"""`webwx login`, `status` and `logout`."""

from __future__ import annotations

import json
import stat
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

PATIENCE = 20.0


def read_until(process: Any, words: str) -> str:
    """Read what a command tells until the words come."""
    told = ""
    while words not in told:
        line = process.stderr.readline()
        assert line, f"it ended after telling {told!r}"
        told += line
    return told


def log_in(shell: Any, sandbox: Any, who: str, *arguments: str) -> tuple[str, str]:
    """Run `webwx login` with a phone beside it; gives what it told and printed."""
    with shell.start("login", *arguments) as process:
        told = read_until(process, "confirm there")
        sandbox.control("scan", who=who)
        sandbox.control("confirm", uuid="")
        stdout, stderr = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    return told + stderr, stdout


def test_the_code_is_drawn_on_stderr_with_its_link_under_it(shell: Any, sandbox: Any) -> None:
    told, printed = log_in(shell, sandbox, "me")
    assert "█" in told
    assert f"\n{sandbox.url}/l/" in told
    assert printed == "Logged in as 小明.\n"


def test_the_result_is_one_line_with_stable_keys(shell: Any, sandbox: Any) -> None:
    _, printed = log_in(shell, sandbox, "阿华", "--json")
    result = json.loads(printed)
    assert list(result) == ["nickname", "id", "uin", "host"]
    assert (result["nickname"], result["host"]) == ("阿华", "web")
    assert result["id"].startswith("@")


def test_a_live_login_is_restored_without_a_code(me: Any) -> None:
    done = me.run("login", "--json")
    assert (done.code, done.stderr, done.line["nickname"]) == (0, "", "小明")


def test_a_dead_login_is_replaced_by_a_new_one(me: Any, sandbox: Any) -> None:
    sandbox.control("log-out", who="me")
    told, printed = log_in(me, sandbox, "me")
    assert "█" in told
    assert printed == "Logged in as 小明.\n"


@pytest.mark.parametrize("form", ["text", "svg", "png"])
def test_the_code_goes_into_a_private_file_that_is_removed_afterwards(
    form: str, shell: Any, sandbox: Any, tmp_path: Path
) -> None:
    file = tmp_path / f"code.{form}"
    with shell.start("login", "--qr", form, str(file)) as process:
        told = read_until(process, "confirm there")
        assert str(file) in told
        assert "█" not in told
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        match form:
            case "text":
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


def test_the_file_is_removed_when_the_login_is_broken_off(shell: Any, tmp_path: Path) -> None:
    file = tmp_path / "code.svg"
    with shell.start("login", "--qr", "svg", str(file)) as process:
        read_until(process, "confirm there")
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert not file.exists()


def test_a_home_that_cannot_be_made_is_found_out_before_a_code_is_shown(shell: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = shell.run("login", WEBWX_HOME=str(tmp_path / "file" / "home"))
    assert (done.code, done.stdout) == (1, "")
    assert str(tmp_path / "file" / "home") in done.sentence


def test_a_file_that_exists_is_left_alone(shell: Any, tmp_path: Path) -> None:
    file = tmp_path / "holiday.png"
    file.write_bytes(b"precious")
    done = shell.run("login", "--qr", "png", str(file))
    assert done.code == 2
    assert "exists already" in done.sentence
    assert file.read_bytes() == b"precious"


def test_a_picture_needs_a_file_to_go_to(shell: Any) -> None:
    done = shell.run("login", "--qr", "svg")
    assert done.code == 2
    assert "code.svg" in done.sentence


def test_codes_that_nobody_confirms_end_the_login(shell: Any, sandbox: Any) -> None:
    with shell.start("login") as process:
        for _ in range(3):
            read_until(process, "confirm there")
            sandbox.control("wind", seconds=3600)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout) == (4, "")
    assert "webwx login" in stderr.splitlines()[-1]


def test_the_status_of_a_live_login(me: Any) -> None:
    done = me.run("status", "--json")
    assert (done.code, done.stderr) == (0, "")
    assert list(done.line) == ["logged_in", "nickname", "id", "uin", "host"]
    assert (done.line["logged_in"], done.line["nickname"]) == (True, "小明")
    assert me.run("status").stdout == "Logged in as 小明 (web).\n"


def test_the_status_without_a_login(shell: Any) -> None:
    done = shell.run("status", "--json")
    assert (done.code, done.line) == (4, {"logged_in": False, "reason": "absent"})
    assert "webwx login" in done.sentence
    assert shell.run("status").stdout == ""


def test_the_status_of_a_login_that_the_phone_has_ended(me: Any, sandbox: Any) -> None:
    sandbox.control("log-out", who="me")
    done = me.run("status", "--json")
    assert (done.code, done.line) == (4, {"logged_in": False, "reason": "phone"})


def test_after_a_logout_nobody_is_logged_in(me: Any) -> None:
    me.run("send", "filehelper", "the last words")
    assert me.run("logout", "--json").line == {"logged_out": True}
    assert me.run("logout").code == 4
    assert [path.name for path in me.settings.login_path.parent.glob("[!.]*")] == []


def test_two_servers_have_a_login_each(me: Any) -> None:
    assert me.run("status", "--server", "http://127.0.0.1:1").code == 4
    assert me.run("status").code == 0
