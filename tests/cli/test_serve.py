"""`webwx serve` as users meet it: a real process, a real port, and keys from the command line."""

from __future__ import annotations

import json
import signal
import socket
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Sandbox, Shell, Started


@contextmanager
def serving(shell: Shell, *options: str) -> Iterator[tuple[Started, dict[str, Any]]]:
    """Run a gateway on a free port; yield its process and its first line."""
    with shell.start("serve", "--port", "0", "--json", *options) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.terminate()


def call(url: str, key: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
    """Send a request with a key."""
    request = urllib.request.Request(url, body, {"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with closing(refused):
            return refused.code, json.load(refused)


def new_key(shell: Shell, scopes: str = "send,read") -> str:
    return str(shell.run("serve", "key", "create", "--name", "test", "--scopes", scopes, "--json").line["key"])


def test_a_key_of_the_command_line_sends_through_a_running_gateway(me: Shell, sandbox: Sandbox) -> None:
    before = new_key(me)
    with serving(me) as (process, first_line):
        assert first_line["console"].startswith(f"{first_line['url']}/#code=")
        for number, key in enumerate((before, new_key(me))):
            status, sent = call(f"{first_line['url']}/api/v1/notify", key, f"text {number}".encode())
            assert (status, sent["state"]) == (201, "sent")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0

    texts = [message["text"] for message in sandbox.chat("me", "filehelper")["messages"]]
    assert texts[-2:] == ["text 0", "text 1"]


def test_other_commands_work_while_a_gateway_runs_or_name_it(me: Shell) -> None:
    key = new_key(me)
    with serving(me) as (_, first_line):
        status, answer = call(f"{first_line['url']}/api/v1/accounts", key)
        assert (status, answer["accounts"][0]["state"]) == (200, "online")
        assert me.run("send", "filehelper", "beside it").code == 0
        assert "beside it" in me.run("history", "filehelper").stdout
        assert "beside it" in me.run("search", "beside").stdout
        for arguments in (["listen"], ["receive", "--follow"]):
            refused = me.run(*arguments)
            assert refused.code == 3
            assert first_line["url"] in refused.stderr
        second = me.run("serve", "--port", "0")
        assert (second.code, first_line["url"] in second.stderr) == (3, True)


def test_a_new_link_is_printed_while_it_runs(shell: Shell) -> None:
    assert shell.run("serve", "pair").code == 1
    with serving(shell) as (_, first_line):
        paired = shell.run("serve", "pair", "--json").line
        assert paired["url"] == first_line["url"]
        assert paired["console"] != first_line["console"]
        assert paired["console"].startswith(f"{first_line['url']}/#code=")


def test_keys_are_listed_rotated_and_deleted_without_their_secrets(shell: Shell) -> None:
    key = new_key(shell)
    key_id = key.split("_")[1]
    [listed] = shell.run("serve", "key", "list", "--json").lines
    assert (listed["id"], listed["name"], listed["scopes"]) == (key_id, "test", ["read", "send"])
    assert not any("digest" in name for name in listed)
    rotated = shell.run("serve", "key", "rotate", key_id, "--json").line["key"]
    assert rotated != key
    assert shell.run("serve", "key", "delete", key_id).code == 0
    assert shell.run("serve", "key", "list").stdout == ""
    for command in ("delete", "rotate"):
        assert shell.run("serve", "key", command, key_id).code == 2


@pytest.mark.parametrize("options", [["--scopes", "write"], ["--scopes", ""], ["--scopes", "read", "--accounts", "me"]])
def test_an_invalid_key_is_refused(shell: Shell, options: list[str]) -> None:
    assert shell.run("serve", "key", "create", "--name", "x", *options).code == 2
    assert shell.run("serve", "key", "list").stdout == ""


def test_an_address_of_the_network_needs_tls_or_a_proxy(shell: Shell) -> None:
    refused = shell.run("serve", "--listen", "0.0.0.0", "--port", "0")
    assert refused.code == 2
    assert "without TLS" in refused.sentence


def test_an_error_names_a_taken_port(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = shell.run("serve", "--port", port)
    assert (refused.code, port in refused.sentence) == (1, True)


def test_the_configuration_is_written_once_and_checked(shell: Shell) -> None:
    written = shell.run("serve", "init", "--json").line
    assert written["path"].endswith("gateway.toml")
    assert shell.run("serve", "init").code == 2
    checked = shell.run("serve", "check", "--json").line
    assert (checked["listen"], checked["port"], checked["running"]) == ("127.0.0.1", 8791, None)
    (shell.settings.home / "gateway.toml").write_text("[listen]\nhost = '0.0.0.0'\n")
    assert shell.run("serve", "check").code == 2


def test_without_a_login_the_gateway_runs_and_reports_it(shell: Shell) -> None:
    with serving(shell) as (_, first_line):
        status, answer = call(f"{first_line['url']}/api/v1/notify", new_key(shell), b"a")
        assert (status, answer["code"]) == (404, "not-found")
        assert call(f"{first_line['url']}/api/v1/notify", "wxk_wrong", b"a")[0] == 401


def test_failure_is_a_record_of_the_log_as_json(me: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = me.run("serve", "--port", str(taken.getsockname()[1]), "--log-format", "json")
    record = json.loads(done.stderr)
    assert (record["logger"], record["level"], record["exit_code"]) == ("webwx.cli", "error", done.code)
    assert "is taken" in record["message"]
