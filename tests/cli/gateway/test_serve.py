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
import trustme
from tests.cli.conftest import PATIENCE

from webwx.cli import run_command
from webwx.gateway.running import claim

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Sandbox, Shell, Started
    from tests.forks import Fork


PONG = """
from webwx import Bot, TextMessage

bot = Bot()


@bot.on(TextMessage, text="ping")
async def pong(ctx, message):
    await ctx.reply("pong")
    print("answered", flush=True)


@bot.on(TextMessage, text="slow")
async def slow(ctx, message):
    import asyncio

    print("begun", flush=True)
    await asyncio.sleep(0.3)
    await ctx.reply("done")


@bot.on_http("/deploy")
async def deploy(ctx, request):
    await ctx.send_text("filehelper", request.text)
    return {"deployed": request.text}
"""
"""A program with a bot."""


@contextmanager
def serving(shell: Shell, *options: str) -> Iterator[tuple[Started | Fork, dict[str, Any]]]:
    """Run a gateway on a free port; yield its process and its first line."""
    with shell.start("serve", "--port", "0", "--json", *options) as process:
        try:
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


def test_other_commands_work_while_a_gateway_runs_or_name_it(me: Shell, tmp_path: Path) -> None:
    key = new_key(me)
    with serving(me) as (_, first_line):
        status, answer = call(f"{first_line['url']}/api/v1/accounts", key)
        assert (status, answer["accounts"][0]["state"]) == (200, "online")
        assert me.run("send", "filehelper", "beside it").code == 0
        assert "beside it" in me.run("history", "filehelper").stdout
        assert "beside it" in me.run("search", "beside").stdout
        (shell_bot := tmp_path / "bot.py").write_text(PONG)
        for arguments in (["listen"], ["receive", "--follow"], ["run", str(shell_bot)]):
            refused = me.run(*arguments)
            assert refused.code == 3
            assert first_line["url"] in refused.stderr
        second = me.run("serve", "--port", "0")
        assert (second.code, first_line["url"] in second.stderr) == (3, True)


def test_without_any_option_it_runs(shell: Shell) -> None:
    (shell.settings.home / "gateway.toml").parent.mkdir(parents=True)
    (shell.settings.home / "gateway.toml").write_text("[listen]\nport = 0\n")
    with shell.start("serve") as process:
        assert "The gateway runs at http://127.0.0.1:" in process.stdout.readline()
        process.terminate()


def test_systemd_is_notified_when_the_gateway_is_ready_and_when_it_stops(shell: Shell, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE)
        shell.environment["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        with serving(shell) as (process, first_line):
            assert systemd.recv(100) == b"READY=1"
            with urllib.request.urlopen(f"{first_line['url']}/healthz", timeout=PATIENCE) as answer:
                assert answer.read() == b"ok"
            process.terminate()
            assert systemd.recv(100) == b"STOPPING=1"


def test_sighup_rereads_the_limits_or_says_why_they_stay(shell: Shell) -> None:
    key = new_key(shell)
    config = shell.settings.home / "gateway.toml"
    with serving(shell) as (process, first_line):
        config.write_text("[limits]\nrequests_per_minute = -1\n")
        process.send_signal(signal.SIGHUP)
        assert "The limits stay as they were." in process.stderr.readline()
        config.write_text("[limits]\nrequests_per_minute = 1\n")
        process.send_signal(signal.SIGHUP)
        assert process.stderr.readline() == "The limits are reread; changes of the other tables need a restart.\n"
        assert [call(f"{first_line['url']}/api/v1/accounts", key)[0] for _ in range(2)] == [200, 429]


def test_a_new_link_is_printed_while_it_runs(shell: Shell) -> None:
    assert shell.run("serve", "pair").code == 1
    with serving(shell) as (_, first_line):
        paired = shell.run("serve", "pair", "--json").line
        assert paired["url"] == first_line["url"]
        assert paired["console"] != first_line["console"]
        assert paired["console"].startswith(f"{first_line['url']}/#code=")


def test_wait_ends_when_the_gateway_is_ready(me: Shell) -> None:
    with me.start("serve", "wait", "--require", "online", "--json") as waiting, serving(me) as (_, line):
        stdout, _ = waiting.communicate(timeout=PATIENCE)
    assert (waiting.returncode, json.loads(stdout)) == (0, {"url": line["url"]})


def test_wait_needs_no_certificate_for_the_local_address(shell: Shell, tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("wx.example.org")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    (config := tmp_path / "gateway.toml").write_text(
        f"[tls]\ncertificate = '{tmp_path}/both.pem'\nkey = '{tmp_path}/both.pem'\n"
    )
    with serving(shell, "--config", str(config)) as (_, line):
        done = shell.run("serve", "wait", "--json")
    assert (done.code, done.line) == (0, {"url": line["url"]})
    assert line["url"].startswith("https://")


def test_wait_ends_with_1_and_the_reason_after_its_timeout(shell: Shell) -> None:
    done = shell.run("serve", "wait", "--timeout", "1")
    assert done.code == 1
    assert "No gateway is running on this folder" in done.sentence
    with serving(shell):
        done = shell.run("serve", "wait", "--require", "online", "--timeout", "2")
    assert (done.code, "The gateway has no account" in done.sentence) == (1, True)


def test_wait_does_not_overrun_its_timeout_beside_a_silent_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("webwx.cli.gateway.serve.READINESS_PATIENCE", 10 * PATIENCE)
    monkeypatch.setenv("WEBWX_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = "http://{}:{}".format(*silent.getsockname())
        with claim(tmp_path, url, url):
            assert run_command(["serve", "wait", "--timeout", "0.3"]) == 1
    assert "The gateway is not ready after 0.3 s" in capsys.readouterr().err


def test_keys_are_listed_rotated_and_deleted_without_their_secrets(shell: Shell) -> None:
    key = new_key(shell)
    key_id = key.split("_")[1]
    [listed] = shell.run("serve", "key", "list", "--json").lines
    assert (listed["id"], listed["name"], listed["scopes"]) == (key_id, "test", ["read", "send"])
    assert not any("digest" in name for name in listed)
    rotated = shell.run("serve", "key", "rotate", key_id, "--json").line["key"]
    assert rotated != key
    assert shell.run("serve", "key", "delete", key_id).code == 0
    listed_none = shell.run("serve", "key", "list")
    assert (listed_none.stdout, "key create" in listed_none.stderr) == ("", True)
    for command in ("delete", "rotate"):
        assert shell.run("serve", "key", command, key_id).code == 2


@pytest.mark.parametrize(
    "options",
    [
        ["--scopes", "write"], ["--scopes", ""], ["--scopes", "read", "--accounts", "me"],
        ["--scopes", "read", "--accounts", "7"], ["--scopes", "read", "--accounts", ""],
    ],
)  # fmt: skip
def test_an_invalid_key_is_refused(shell: Shell, options: list[str]) -> None:
    assert shell.run("serve", "key", "create", "--name", "x", *options).code == 2
    assert shell.run("serve", "key", "list").stdout == ""


def test_an_address_of_the_network_needs_tls_or_a_proxy(shell: Shell) -> None:
    refused = shell.run("serve", "--listen", "0.0.0.0", "--port", "0")
    assert refused.code == 2
    assert "without TLS" in refused.sentence


@pytest.mark.parametrize("option", ["--capacity", "--address", "--lease", "--heartbeat"])
def test_options_of_a_shared_database_are_refused_without_one(shell: Shell, option: str) -> None:
    refused = shell.run("serve", "--port", "0", option, "5")
    assert refused.code == 2
    assert refused.sentence.startswith(f"webwx: {option} is for a shared database; give --storage ")


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
    config = shell.settings.home / "gateway.toml"
    for content in (
        "[listen]\nhost = '0.0.0.0'\n", "[tls]\ncertificate = '/no/file.pem'\nkey = '/no/file.pem'\n",
        "[fallback]\ncommand = ['/no/such/program']\n", "[limits]\npatience = 0\n", "[listen]\nbehind_proxy = '*'\n",
    ):  # fmt: skip
        config.write_text(content)
        assert shell.run("serve", "check").code == 2, content


def test_another_configuration_file_is_written_and_checked(shell: Shell, tmp_path: Path) -> None:
    other = str(tmp_path / "other.toml")
    assert shell.run("serve", "check", "--config", other).code == 2
    assert shell.run("serve", "init", "--config", other).code == 0
    (tmp_path / "other.toml").write_text("[listen]\nport = 9\n")
    assert shell.run("serve", "check", "--config", other, "--json").line["port"] == 9
    misplaced = shell.run("serve", "--config", other, "check")
    assert (misplaced.code, "after 'check'" in misplaced.sentence) == (2, True)
    assert shell.run("serve", "--config", str(tmp_path / "absent.toml"), "--port", "0").code == 2


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


# -- bots --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a bot."""
    path = tmp_path / "folder" / "bot.py"
    path.parent.mkdir()
    path.write_text(PONG)
    return path


def test_a_bot_runs_inside_the_gateway_and_its_handlers_answer_requests(
    me: Shell, sandbox: Sandbox, file: Path
) -> None:
    key = new_key(me, "bots,read")
    with serving(me, "--bot", str(file)) as (process, first_line):
        wait_for_bots(first_line["url"], key)
        sandbox.say("ahua", "me", "ping")
        assert process.stdout.readline() == "answered\n"
        assert sandbox.chat("ahua", "xiaoming")["messages"][-1]["text"] == "pong"
        status, answer = call(f"{first_line['url']}/bots/bot/deploy", key, b"1.2")
        assert (status, answer) == (200, {"deployed": "1.2"})
        assert sandbox.chat("me", "filehelper")["messages"][-1]["text"] == "1.2"


LOGGING = """
import logging

from webwx import Bot, TextMessage

bot = Bot(attempts=1)


@bot.on(TextMessage)
async def price(ctx, message):
    logging.getLogger("shop").info("asked", extra={"price": 3})
    {}["a text"]
"""
"""A program whose bot writes to a log, and fails."""


def log_until(process: Started | Fork, last: str) -> list[str]:
    """Read stderr until a line has a text, end the process, and return all lines."""
    lines = []
    for line in process.stderr:
        lines.append(line)
        if last in line:
            break
    process.terminate()
    assert process.wait(PATIENCE) == 0
    return [*lines, *process.stderr]


def test_the_log_of_a_bot_and_of_the_server_is_json_once_each(me: Shell, sandbox: Sandbox, file: Path) -> None:
    file.write_text(LOGGING)
    key = new_key(me, "read")
    with serving(me, "--bot", str(file), "--log-format", "json") as (process, first_line):
        wait_for_bots(first_line["url"], key)
        host, port = first_line["url"].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as stranger:
            stranger.sendall(b"nonsense\r\n\r\n")
            stranger.recv(100)
        sandbox.say("ahua", "me", "how much?")
        records = [json.loads(line) for line in log_until(process, "KeyError")]
    by_logger = [record["logger"] for record in records]
    [asked] = [record for record in records if record["logger"] == "shop"]
    assert (asked["message"], asked["price"], asked["bot"], asked["level"]) == ("asked", 3, "bot", "info")
    assert by_logger.count("uvicorn.error") == 1
    assert by_logger.count("webwx.bot") == 1
    assert set(by_logger) == {"shop", "uvicorn.error", "webwx.bot"}


def test_the_log_of_a_bot_is_text_by_default(me: Shell, sandbox: Sandbox, file: Path) -> None:
    file.write_text(LOGGING)
    key = new_key(me, "read")
    with serving(me, "--bot", str(file)) as (process, first_line):
        wait_for_bots(first_line["url"], key)
        sandbox.say("ahua", "me", "how much?")
        log = log_until(process, "KeyError")
    assert [line.partition(" INFO ")[2] for line in log if "asked" in line] == ["shop: asked\n"]
    assert [line.split(" ")[2] for line in log if " webwx.bot: " in line] == ["ERROR"], log


def test_an_unfinished_event_is_finished_at_sigterm(me: Shell, sandbox: Sandbox, file: Path) -> None:
    key = new_key(me, "read")
    with serving(me, "--bot", str(file)) as (process, first_line):
        wait_for_bots(first_line["url"], key)
        sandbox.say("ahua", "me", "slow")
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert sandbox.chat("ahua", "xiaoming")["messages"][-1]["text"] == "done"


def wait_for_bots(url: str, key: str) -> None:
    """Return once every bot runs."""
    for _ in range(1000):
        _, answer = call(f"{url}/api/v1/bots", key)
        if answer["bots"] and all(bot["state"] == "running" for bot in answer["bots"]):
            return
    raise AssertionError(answer)


def test_bots_of_the_configuration_run_on_the_accounts_it_names(me: Shell, friend: object, file: Path) -> None:
    (me.settings.home / "gateway.toml").write_text(
        f"[[bots]]\nfile = {str(file)!r}\nname = 'bot'\naccounts = ['friend']\n"
    )
    assert me.run("serve", "check", "--json").line["bots"] == ["bot"]
    key = new_key(me, "read")
    with serving(me) as (_, first_line):
        [listed] = call(f"{first_line['url']}/api/v1/bots", key)[1]["bots"]
        [account] = [
            each["name"]
            for each in call(f"{first_line['url']}/api/v1/accounts", key)[1]["accounts"]
            if each["number"] == listed["account"]
        ]
    assert account == "friend"


@pytest.mark.parametrize(
    ("program", "code", "sentence"),
    [
        ("raise ValueError", 1, "bot.py cannot be run: ValueError at bot.py:1; see above, and correct this line."),
        ("x = 1", 2, "bot.py creates no Bot"),
        ("from webwx import Bot\na, b = Bot(), Bot()", 2, "have the name 'bot'"),
        ("from webwx import Bot, Keep\nbot = Bot(keep=Keep())", 2, "keep="),
        ("from webwx import Bot\nbot = Bot(server='http://127.0.0.1:1')", 2, "another host or server"),
    ],
)
def test_a_bot_that_cannot_run_stops_the_start_and_the_check(
    shell: Shell, file: Path, program: str, code: int, sentence: str
) -> None:
    file.write_text(program)
    for command in (["serve", "--port", "0"], ["serve", "check"]):
        refused = shell.run(*command, "--bot", str(file))
        assert (refused.code, refused.stdout) == (code, "")
        assert sentence in refused.stderr.splitlines()[-1]


def test_a_file_of_a_bot_that_does_not_exist_is_named(shell: Shell) -> None:
    refused = shell.run("serve", "check", "--bot", "absent.py")
    assert (refused.code, "absent.py" in refused.sentence) == (2, True)
