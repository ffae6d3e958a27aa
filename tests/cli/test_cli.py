"""The command line as a whole: its help, its speed, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import click
import pytest
from tests.cli.conftest import Shell

from webwx import cli
from webwx.cli import COMMANDS, run_command, webwx
from webwx.cli.config import config
from webwx.cli.gateway.cluster import cluster
from webwx.cli.help_pages import TOPICS
from webwx.cli.journal.journal import journal
from webwx.cli.messages.outbox import outbox
from webwx.cli.sandbox.phone import phone
from webwx.cli.summaries import SUMMARIES

WEBWX = Path(sys.executable).with_name("webwx")


def find(path: str) -> click.Command:
    """Return the command that `webwx PATH` runs."""
    found: click.Command | None = webwx
    for name in path.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), name)
    assert found is not None
    return found


VERBS = [
    f"{group.name} {verb}" for group in (phone, config, journal, outbox, cluster) for verb in sorted(group.commands)
]
every_command = pytest.mark.parametrize("path", [*COMMANDS, *VERBS])


@pytest.mark.parametrize("arguments", [["--help"], ["help"], ["help", "options"], ["--version"]])
def test_the_help_imports_no_slow_module(arguments: list[str]) -> None:
    program = (
        f"import sys; from webwx.cli import run_command; run_command({arguments});"
        "print(*{'aiohttp', 'asyncio', 'msgspec', 'segno', 'sqlite3'} & {*sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "\n"
    assert done.stdout


def test_the_help_lists_every_command_and_topic(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert re.search(rf"^  {name} +{re.escape(SUMMARIES[name])}$", shown, re.MULTILINE)
    for topic in TOPICS:
        assert f"\n  {topic} " in shown


def test_the_topic_of_exit_codes_lists_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["help", "exit-codes"]) == 0
    shown = capsys.readouterr().out
    for code in ("0", "1", "2", "3", "4", "5", "6", "7", "130", "143"):
        assert f"\n  {code} " in shown


def below(group: click.Group) -> Iterator[click.Command]:
    """Yield the commands of a group and of its groups."""
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        assert found is not None
        yield found
        if isinstance(found, click.Group):
            yield from below(found)


def test_every_command_of_a_module_can_be_called() -> None:
    modules = [import_module(each.name) for each in walk_packages(cli.__path__, f"{cli.__name__}.")]
    made = {each for module in modules for each in vars(module).values() if isinstance(each, click.Command)}
    assert len(made) > 50
    missing = {each.name for each in made} - {each.name for each in (webwx, *below(webwx))}
    assert missing == set(), "add these commands to SECTIONS in src/webwx/cli/__init__.py, or to a group"


@pytest.mark.parametrize("name", [name for name in COMMANDS if isinstance(find(name), click.Group)])
def test_the_help_of_a_group_shows_the_whole_summary_of_each_command(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    group = find(name)
    assert isinstance(group, click.Group)
    assert run_command([name, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for each in group.commands.values():
        summary, _, _ = (each.help or "").partition("\n\n")
        assert f" {each.name} {' '.join(summary.split())} " in shown


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--version", "-V"):
        assert run_command([option]) == 0
        assert capsys.readouterr().out.startswith("webwx ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sned"], "webwx: No such command 'sned'. Did you mean 'send'?"),
        (["quux"], "webwx: No such command 'quux'; see 'webwx --help'."),
        (["read"], "webwx: Missing argument 'CHAT'; see 'webwx read --help'."),
        (["--nope"], "webwx: No such option '--nope'; see 'webwx --help'."),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(arguments) == 2
    assert capsys.readouterr() == ("", f"{sentence}\n")


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        (["--json", "quux"], {"type": "NoSuchCommand", "message": "No such command 'quux'; see 'webwx --help'."}),
        (
            ["read", "--nope", "--json"],
            {"type": "NoSuchOption", "message": "No such option '--nope'; see 'webwx read --help'."},
        ),
    ],
)
def test_with_json_a_failure_is_one_object_on_stderr(
    arguments: list[str], fields: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(arguments) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert json.loads(printed.err) == {"error": fields | {"exit_code": 2}}


def test_with_json_a_failure_names_the_exception(shell: Shell) -> None:
    done = shell.run("send", "filehelper", "hello", "--json")
    assert (done.code, done.stdout) == (4, "")
    assert done.error == {
        "type": "NotLoggedIn",
        "message": "No login is saved here; log in first: run 'webwx login'.",
        "exit_code": 4,
    }


def test_a_text_that_looks_like_the_option_json_does_not_set_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["quux", "--", "--json"]) == 2
    assert capsys.readouterr().err.startswith("webwx: No such command")


def test_an_unexpected_exception_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").write_text("a file where a folder is due")
    monkeypatch.setenv("WEBWX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WEBWX_CONFIG", str(tmp_path / "config.toml"))
    assert run_command(["logout"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Traceback" not in error


def test_a_command_restores_the_handler_of_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBWX_HOME", str(tmp_path))
    monkeypatch.setenv("WEBWX_CONFIG", str(tmp_path / "config.toml"))
    before = signal.getsignal(signal.SIGINT)
    run_command(["logout"])
    assert signal.getsignal(signal.SIGINT) is before


def test_an_invalid_address_is_refused_first(shell: Shell) -> None:
    done = shell.run("status", "--server", "example.org")
    assert (done.code, done.stdout) == (2, "")
    assert "http://127.0.0.1:8790" in done.sentence


def test_text_that_is_not_utf8_does_not_end_a_command(shell: Shell) -> None:
    done = shell.run("read", b"\xff\xfe", "--json")
    assert done.code == 4
    assert shell.run(b"\xff").sentence.startswith("webwx: No such command ")


def test_a_closed_pipe_ends_a_command_without_an_error(shell: Shell) -> None:
    with shell.start("demo", "--json") as process:
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("module", ["click", "msgspec"])
def test_ctrl_c_during_imports_ends_a_command_without_a_traceback(module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text("import sys\nprint('imported', flush=True)\nsys.stdin.read()\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "webwx", "status"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "imported\n"
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
    # On Ctrl-C a newline ends the line on which the terminal shows `^C`.
    assert (process.returncode, stdout, stderr.strip()) == (130, "", "")


def test_an_ignored_sigint_stays_ignored(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("import sys\nprint('imported', flush=True)\nsys.stdin.read()\nsys.exit(3)\n")
    command = f"trap '' INT; exec '{sys.executable}' -m webwx status"
    with subprocess.Popen(
        ["sh", "-c", command],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "imported\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 3


@pytest.mark.parametrize("arguments", ["", "send --file '{file}'"])
def test_with_a_closed_stderr_a_command_works_and_prints_no_message(arguments: str, me: Shell, tmp_path: Path) -> None:
    (file := tmp_path / "report.txt").write_text("all is well")
    command = f"exec {WEBWX} {arguments.format(file=file)} 2>&-"
    done = subprocess.run(command, shell=True, env=me.environment, capture_output=True, text=True, check=False)
    if arguments:
        assert (done.returncode, done.stdout[:5]) == (0, "Sent ")
    else:
        assert (done.returncode, done.stdout) == (2, "")
