"""`webwx run --reload`: a changed file starts the bots again, and an invalid one waits for its next change."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import WEBWX, Started

from webwx.cli.bots.reload import scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Sandbox, Shell
    from tests.forks import Fork

BOT = """
import asyncio
import os

from webwx import Bot, TextMessage
from words import ANSWER

bot = Bot()
print(os.getpid(), flush=True)


@bot.on(TextMessage, text="ping")
async def pong(ctx, message):
    await ctx.reply(ANSWER)
    print(ANSWER, flush=True)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a bot, and a file beside it with the bot's answer."""
    path = tmp_path / "folder" / "bot.py"
    path.parent.mkdir()
    path.write_text(BOT)
    path.with_name("words.py").write_text("ANSWER = 'one'\n")
    return path


@contextmanager
def reloading(shell: Shell, file: Path) -> Iterator[Started | Fork]:
    with shell.start("run", "--reload", str(file)) as process:
        try:
            yield process
        finally:
            process.terminate()
            code = process.wait(20)
        assert code == 0


def begun(process: Started | Fork) -> int:
    """Wait until the bot runs, and return the number of its process."""
    pid = int(process.stdout.readline())
    assert process.stdout.readline().startswith("bot runs as 小明 ")
    return pid


def next_line(process: Started | Fork) -> str:
    """Return the next line on stderr that is not part of the log of events."""
    while re.match(r"\d{4}-\d\d-\d\d | ", line := process.stderr.readline()):
        pass
    return line.rstrip("\n")


def answer(process: Started | Fork, sandbox: Sandbox) -> str:
    sandbox.say("ahua", "me", "ping")
    return process.stdout.readline().rstrip("\n")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_change_of_any_file_beside_the_bot_starts_it_again(me: Shell, sandbox: Sandbox, file: Path) -> None:
    with reloading(me, file) as process:
        first = begun(process)
        assert answer(process, sandbox) == "one"
        file.with_name("words.py").write_text("ANSWER = 'two'\n")
        assert next_line(process) == "words.py changed; restarting."
        second = begun(process)
        assert answer(process, sandbox) == "two"
        assert not is_alive(first)
    assert not is_alive(second)


def test_a_syntax_error_is_reported_and_the_old_bot_continues(me: Shell, sandbox: Sandbox, file: Path) -> None:
    with reloading(me, file) as process:
        first = begun(process)
        file.with_name("words.py").write_text("ANSWER = 'two\n")
        expected = "words.py, line 1: unterminated string literal (detected at line 1); waiting for a fix."
        assert next_line(process) == expected
        assert answer(process, sandbox) == "one"
        file.with_name("words.py").write_text("ANSWER = 'three'\n")
        assert next_line(process) == "words.py changed; restarting."
        assert begun(process) != first
        assert answer(process, sandbox) == "three"


def test_a_bot_that_ends_by_itself_is_started_by_the_next_change(me: Shell, sandbox: Sandbox, file: Path) -> None:
    file.with_name("words.py").write_text("ANSWER = 1 / 0\n")
    with reloading(me, file) as process:
        while not (line := next_line(process)).startswith("webwx: bot.py cannot be run: "):
            assert line
        assert next_line(process) == "Ended with exit code 1; change a file to restart it."
        file.with_name("words.py").write_text("ANSWER = 'fixed'\n")
        assert next_line(process) == "words.py changed; restarting."
        begun(process)
        assert answer(process, sandbox) == "fixed"


def test_ctrl_c_ends_both_processes_after_running_handlers(me: Shell, sandbox: Sandbox, file: Path) -> None:
    file.write_text(BOT.replace("await ctx.reply(ANSWER)", "print('begun', flush=True)\n    await asyncio.sleep(0.3)"))
    command = [str(WEBWX), "run", "--reload", str(file)]
    # A terminal sends Ctrl-C to all processes of a group.
    with Started(
        command, env=me.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            pid = begun(process)
            assert answer(process, sandbox) == "begun"
        finally:
            os.killpg(process.pid, signal.SIGINT)
            printed, _ = process.communicate(timeout=20)
    assert (process.returncode, printed) == (130, "one\n")
    assert not is_alive(pid)


def test_only_changes_of_the_users_own_python_files_count(tmp_path: Path) -> None:
    for name in ("a.py", "sub/b.py", "notes.txt", ".hidden/c.py", "__pycache__/d.py", "env/pyvenv.cfg", "env/lib/e.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("")
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nowhere")
    assert sorted(scan([tmp_path])) == [str(tmp_path / "a.py"), str(tmp_path / "sub/b.py")]
