"""
`webwx run --reload`: a process that runs the bots in a child process, and restarts it when a file changes.

Files are polled, which needs no library and works on every disk. While a changed file has a syntax error, as a file
that is being edited often has, the error is reported and the running bots continue.
"""

from __future__ import annotations

import ast
import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from webwx.cli.language import _

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from webwx.cli.output import Output

    Child = subprocess.Popen[bytes]

    State = dict[str, tuple[int, int]]
    """Modification time and size of each file."""

PAUSE = 0.25
"""Minimum seconds between two polls."""

SHARE = 20
"""Ratio of the pause to the time of the poll before it, because a folder may contain many other files."""

PATIENCE = 20.0
"""Seconds that the bots may take to end; they limit themselves to ten."""


async def supervise(output: Output, arguments: list[str], folders: list[Path]) -> None:
    """
    Run `webwx run` with these arguments, and again after each change, until this is cancelled.

    Args:
        output: Output for messages.
        arguments: Arguments of the child process.
        folders: Folders to watch.
    """
    program = [sys.executable, "-P", "-B", "-m", "webwx", "run", *arguments]
    while True:
        before = scan(folders)
        with _ctrl_c_ignored():
            # Not by the loop: uvloop starts children that do not ignore Ctrl-C.
            child = subprocess.Popen(program)  # noqa: ASYNC220, S603 - it is started in a moment, and is ourselves
        try:
            changed = await _until_changed(output, child, before, folders)
        finally:
            await _end(child)
        output.report(_("{names} changed; restarting.").format(names=", ".join(sorted(changed))))


async def _until_changed(output: Output, child: Child, before: State, folders: list[Path]) -> set[str]:
    """Wait until Python files have changed and parse; return their names."""
    last = reported = before
    is_end_reported = False
    while True:
        begun = time.monotonic()
        now = scan(folders)
        await asyncio.sleep(max(PAUSE, SHARE * (time.monotonic() - begun)))
        if child.poll() is not None and not is_end_reported:
            is_end_reported = True
            output.report(
                _("Ended with exit code {returncode}; change a file to restart it.").format(returncode=child.returncode)
            )
        # A file may still be being written, so it counts once it is the same in two polls.
        if now == last and now not in (before, reported):
            changed = {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
            mistake = _first_mistake(path for path in sorted(changed) if path in now)
            if mistake is None:
                return {Path(path).name for path in changed}
            output.report(_("{mistake}; waiting for a fix.").format(mistake=mistake))
            reported = now
        last = now


def scan(folders: Iterable[Path]) -> State:
    """Return all Python files in these folders and below, except in hidden folders and virtual environments."""
    state: State = {}
    for folder in folders:
        for above, inner, names in os.walk(folder):
            inner[:] = [each for each in inner if each != "__pycache__" and not each.startswith(".")]
            if "pyvenv.cfg" in names:
                inner.clear()
                continue
            for name in names:
                path = os.path.join(above, name)  # noqa: PTH118 - thousands of them, many times
                if name.endswith(".py") and (found := _stat(path)) is not None:
                    state[path] = (found.st_mtime_ns, found.st_size)
    return state


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - the same
    except OSError:  # gone in this moment
        return None


def _first_mistake(paths: Iterable[str]) -> str | None:
    """Return the first syntax error in these files."""
    for path in paths:
        try:
            ast.parse(Path(path).read_bytes())
        except SyntaxError as error:
            return _("{name}, line {lineno}: {msg}").format(name=Path(path).name, lineno=error.lineno, msg=error.msg)
        except (OSError, ValueError) as error:
            return _("{name} cannot be read ({error})").format(name=Path(path).name, error=type(error).__name__)
    return None


async def _end(child: Child) -> None:
    """End the child process that runs the bots."""
    if child.poll() is not None:
        return
    with _ctrl_c_ignored():  # a second one would leave them behind
        child.terminate()
        try:
            await asyncio.to_thread(child.wait, PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            await asyncio.to_thread(child.wait)


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Ignore Ctrl-C in this process and in a child started meanwhile: the child is ended from here, once."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
