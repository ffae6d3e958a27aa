"""`webwx proxy` between two real processes."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tests.cli.conftest import Sandbox, Shell

PATIENCE = 20.0


def test_a_proxy_works_between_a_login_and_its_sandbox(shell: Shell, sandbox: Sandbox) -> None:
    fault = ("--fault", "latency:seconds=0.01,jitter=0", "--seed", "7")
    with shell.start("proxy", "--to", sandbox.url, *fault, "--json") as proxy:
        first = json.loads(proxy.stdout.readline())
        assert list(first) == ["url", "control", "to", "seed"]
        assert (first["to"], first["seed"]) == (sandbox.url, 7)
        with shell.start("login", "--json", "--server", first["url"]) as login:
            while "confirm there" not in login.stderr.readline():
                pass
            sandbox.control("scan", who="me")
            sandbox.control("confirm", uuid="")
            assert json.loads(login.communicate(timeout=PATIENCE)[0])["nickname"] == "小明"
        assert shell.run("send", "filehelper", "through it", "--server", first["url"]).code == 0
        shell.run(
            "phone", "--server", first["control"], "fault", "reset_after", "--endpoint", "webwxsendmsg", "--times", "1"
        )
        assert shell.run("send", "filehelper", "lost", "--server", first["url"]).code == 7
        proxy.send_signal(signal.SIGINT)
        last = json.loads(proxy.stdout.readline())
        assert proxy.wait(PATIENCE) == 130
    texts = [message["text"] for message in sandbox.chat("me", "filehelper")["messages"]]
    assert texts[-2:] == ["through it", "lost"]
    assert list(last) == ["seed", "requests", "counts"]
    assert last["counts"]["reset_after"] == 1
    assert last["counts"]["latency"] >= last["requests"] - 1 > 5


def test_the_proxy_prints_the_next_command_and_its_log(shell: Shell) -> None:
    with shell.start("proxy", "--to", shell.environment["WEBWX_SERVER"], "--seed", "3") as process:
        text = ""
        while "Ctrl-C ends it" not in text:
            text += process.stdout.readline()
        process.terminate()
        rest, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    assert "export WEBWX_SERVER=http://127.0.0.1:" in text
    assert "Its seed is 3." in text
    assert rest == "0 requests came; what went wrong with them: nothing (seed 3).\n"


def test_a_script_of_faults_is_applied(shell: Shell, tmp_path: Path) -> None:
    script = tmp_path / "day.txt"
    script.write_text("reset_before\nnothing\n", "utf-8")
    with shell.start("proxy", "--to", shell.environment["WEBWX_SERVER"], "--script", str(script), "--json") as process:
        first = json.loads(process.stdout.readline())
        listed = shell.run("phone", "--server", first["control"], "faults", "--json").line
        process.terminate()
    assert [rule["fault"] for rule in listed["script"]] == ["reset_before", "nothing"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--to", "http://wx.qq.com"), "A fault proxy needs a server with plain HTTP on this machine"),
        (
            ("--to", "http://127.0.0.1:1", "--fault", "laten"),
            "There is no fault 'laten'; did you mean latency or late_answer?",
        ),
        (("--to", "http://127.0.0.1:1", "--fault", "html_page"), "only the sandbox itself can inject it"),
        ((), "Missing option '--to'"),
    ],
)
def test_an_invalid_option_is_an_error_in_one_sentence(shell: Shell, arguments: tuple[str, ...], sentence: str) -> None:
    done = shell.run("proxy", *arguments)
    assert done.code == 2
    assert sentence in done.sentence


def test_a_taken_port_is_an_error_in_one_sentence(shell: Shell, sandbox: Sandbox) -> None:
    port = sandbox.url.rpartition(":")[2]
    done = shell.run("proxy", "--to", sandbox.url, "--port", port)
    assert (done.code, done.sentence) == (
        1,
        "webwx: The port is in use; choose another one, or omit --port to use any free port.",
    )
