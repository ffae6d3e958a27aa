"""`webwx sandbox`."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from tests.cli.conftest import Sandbox, Shell

PATIENCE = 20.0


def test_the_first_line_has_the_address_and_the_accounts(sandbox: Sandbox) -> None:
    line = sandbox.first_line
    assert list(line) == ["url", "control", "phone", "accounts"]
    assert line["url"].startswith("http://127.0.0.1:")
    assert line["control"] == f"{line['url']}/control"
    assert line["phone"] == f"{line['url']}/phone"
    assert line["accounts"][0] == {"nickname": "小明", "id": "xiaoming"}


def test_the_next_commands_are_printed(shell: Shell) -> None:
    with shell.start("sandbox", "--port", "0") as process:
        text = process.stdout.readline()
        while "Ctrl-C ends it" not in text:
            text += process.stdout.readline()
        process.terminate()
    assert "export WEBWX_SERVER=http://127.0.0.1:" in text
    assert "webwx login" in text
    assert " scan && " in text


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_sandbox_ends_by_a_signal(shell: Shell, how: signal.Signals, code: int) -> None:
    with shell.start_process("sandbox", "--port", "0", "--json") as process:
        process.stdout.readline()
        process.send_signal(how)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout, stderr.strip()) == (code, "", "")


def test_the_page_of_the_phones_is_opened_in_the_browser(shell: Shell, tmp_path: Path) -> None:
    browser, asked = tmp_path / "browser", tmp_path / "asked"
    os.mkfifo(asked)  # Reading the pipe waits until the other end writes.
    browser.write_text(f'#!/bin/sh\necho "$1" > "{asked}"\n', "utf-8")
    browser.chmod(0o755)
    with shell.start("sandbox", "--port", "0", "--json", "--open", BROWSER=f"{browser} %s") as process:
        phone = json.loads(process.stdout.readline())["phone"]
        opened = asked.read_text("utf-8")
        process.terminate()
    assert opened == f"{phone}\n"


def test_a_taken_port_is_an_error_in_one_sentence(shell: Shell, sandbox: Sandbox) -> None:
    _, _, port = sandbox.url.rpartition(":")
    done = shell.run("sandbox", "--port", port)
    assert done.code == 1
    assert done.sentence == f"webwx: Port {port} is taken; choose another with --port, or any free one with --port 0."


def test_auto_confirm_logs_in_one_account_after_the_other(shell: Shell) -> None:
    with shell.start("sandbox", "--port", "0", "--json", "--auto-confirm") as process:
        url = json.loads(process.stdout.readline())["url"]
        first = shell.run("login", "--json", "--server", url)
        second = shell.run("login", "--json", "--server", url, WEBWX_HOME=f"{shell.settings.home}2")
        process.terminate()
    assert (first.line["nickname"], second.line["nickname"]) == ("小明", "阿华")


@pytest.mark.parametrize("options", [("--echo", "on"), ("--strict", "--switch", "acts_per_minute=0")])
def test_options_are_set_in_the_world(shell: Shell, options: tuple[str, ...]) -> None:
    with shell.start("sandbox", "--port", "0", "--json", "--auto-confirm", *options) as process:
        url = json.loads(process.stdout.readline())["url"]
        shell.run("login", "--server", url)
        sent = shell.run("send", "filehelper", "hello", "--json", "--server", url)
        received = shell.run("listen", "--json", "--count", "1", "--server", url)
        process.terminate()
    assert (received.line["message_id"], received.line["is_self"]) == (sent.line["message_id"], True)


def test_with_tls_the_first_line_has_the_proxy_and_the_certificate(shell: Shell) -> None:
    with shell.start("sandbox", "--port", "0", "--json", "--tls") as process:
        line = json.loads(process.stdout.readline())
        certificate = Path(line["ca"])
        assert certificate.read_text("ascii").startswith("-----BEGIN CERTIFICATE-----")
        process.terminate()
        process.wait(PATIENCE)
    assert list(line) == ["url", "control", "phone", "accounts", "ca", "proxy", "hosts"]
    assert line["proxy"] == line["url"]
    assert {"wx.qq.com", "login.weixin.qq.com", "szfilehelper.weixin.qq.com"} < set(line["hosts"])
    assert not certificate.parent.exists()


def test_with_tls_the_commands_for_other_clients_are_printed(shell: Shell) -> None:
    with shell.start("sandbox", "--port", "0", "--tls") as process:
        text = process.stdout.readline()
        while "Ctrl-C ends it" not in text:
            text += process.stdout.readline()
        process.terminate()
    assert "export HTTPS_PROXY=http://127.0.0.1:" in text
    assert "export NODE_EXTRA_CA_CERTS=/" in text


def test_any_option_can_be_set_by_name_and_a_refused_login_is_one_sentence(shell: Shell) -> None:
    switches = ("--switch", "login_refused=true", "--switch", "auto_confirm=true")
    with shell.start("sandbox", "--port", "0", "--json", *switches) as process:
        url = json.loads(process.stdout.readline())["url"]
        done = shell.run("login", "--server", url)
        process.terminate()
    assert done.code == 5
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("webwx: This login was refused (ret 1203): 当前登录环境异常。")
    assert "File Transfer Helper" in last


@pytest.mark.parametrize(
    ("switch", "sentence"),
    [
        ("nothing=1", "There is no option 'nothing'; the options are auto_confirm, "),
        ("echo=loud", "The option cannot have that value"),
    ],
)
def test_an_invalid_option_is_an_error_in_one_sentence(shell: Shell, switch: str, sentence: str) -> None:
    done = shell.run("sandbox", "--port", "0", "--switch", switch)
    assert done.code == 2
    assert sentence in done.sentence


def test_a_sandbox_starts_with_faults_and_prints_their_seed(shell: Shell, tmp_path: Path) -> None:
    script = tmp_path / "day.txt"
    script.write_text("nothing\n", "utf-8")
    begin = ("--fault", "html_page:endpoint=jslogin", "--script", str(script), "--seed", "7")
    with shell.start("sandbox", "--port", "0", "--json", "--auto-confirm", *begin) as process:
        line = json.loads(process.stdout.readline())
        listed = shell.run("phone", "faults", "--json", "--server", line["url"]).line
        done = shell.run("login", "--server", line["url"])
        process.terminate()
    assert list(line) == ["url", "control", "phone", "accounts", "seed"]
    assert (line["seed"], listed["seed"]) == (7, 7)
    assert [rule["fault"] for rule in (*listed["active"], *listed["script"])] == ["html_page", "nothing"]
    assert done.code == 1


def test_an_unknown_fault_is_an_error_before_the_start(shell: Shell) -> None:
    done = shell.run("sandbox", "--port", "0", "--fault", "html_pgae")
    assert (done.code, done.stdout) == (2, "")
    assert "There is no fault 'html_pgae'; did you mean html_page?" in done.sentence


def test_the_world_of_a_file_is_used_and_options_override_it(shell: Shell, tmp_path: Path) -> None:
    world = tmp_path / "family.toml"
    world.write_text('people = [{nickname = "小红"}]\n[switches]\nlogin_refused = true\nauto_confirm = true\n', "utf-8")
    option = ("--switch", "login_refused=false")
    with shell.start("sandbox", "--port", "0", "--json", "--world", str(world), *option) as process:
        line = json.loads(process.stdout.readline())
        done = shell.run("login", "--json", "--server", line["url"])
        process.terminate()
    assert line["accounts"] == [{"nickname": "小红", "id": "person1"}]
    assert done.line["nickname"] == "小红"


def test_in_a_large_world_the_first_line_lists_a_hundred_accounts(shell: Shell) -> None:
    with shell.start("sandbox", "--port", "0", "--json", "--world", "big") as process:
        line = json.loads(process.stdout.readline())
        process.terminate()
    assert len(line["accounts"]) == 100


def test_an_invalid_world_is_an_error_in_one_sentence(shell: Shell, tmp_path: Path) -> None:
    done = shell.run("sandbox", "--port", "0", "--world", str(tmp_path / "none.toml"))
    assert (done.code, done.stdout) == (2, "")
    assert done.sentence == "webwx: none.toml: it cannot be read: No such file or directory."
