"""
`webwx run --reload`: a process that starts the bots in another one, and anew when a file has changed.

Files are looked at now and then, which needs no library and works on every disk. What is not Python yet, as a file that
is being edited often is not, is told and waited for, and the bots that run go on meanwhile.
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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from webwx.cli.output import Output

    Child = subprocess.Popen[bytes]

    State = dict[str, tuple[int, int]]
    """Of each file, when it was changed and how large it is."""

PAUSE = 0.25
"""Seconds between two looks, where looking takes no time."""

SHARE = 20
"""Times that a pause is longer than the look before it: a folder may hold much else."""

PATIENCE = 20.0
"""Seconds that the bots may take to end; they themselves see to it that ten are enough."""


async def supervise(output: Output, arguments: list[str], folders: list[Path]) -> None:
    """
    Run `webwx run` with these arguments, and again after each change, until this is cancelled.

    Args:
        output: Where it is told what happens.
        arguments: Of the other process.
        folders: Where changes count.
    """
    program = [sys.executable, "-P", "-B", "-m", "webwx", "run", *arguments]
    while True:
        before = look(folders)
        with _ctrl_c_ignored():
            # Not by the loop: uvloop gives a child that heeds Ctrl-C.
            child = subprocess.Popen(program)  # noqa: ASYNC220, S603 - it is started in a moment, and is ourselves
        try:
            changed = await _until_changed(output, child, before, folders)
        finally:
            await _end(child)
        output.tell(f"{', '.join(sorted(changed))} changed; starting again.")


async def _until_changed(output: Output, child: Child, before: State, folders: list[Path]) -> set[str]:
    """Wait until files have changed that are Python, and give their names."""
    last = told = before
    is_end_told = False
    while True:
        begun = time.monotonic()
        now = look(folders)
        await asyncio.sleep(max(PAUSE, SHARE * (time.monotonic() - begun)))
        if child.poll() is not None and not is_end_told:
            is_end_told = True
            output.tell(f"Ended with exit code {child.returncode}; a change of a file starts it again.")
        # A file may be in the midst of being written, so it counts when it has been the same twice.
        if now == last and now not in (before, told):
            changed = {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
            mistake = _first_mistake(path for path in sorted(changed) if path in now)
            if mistake is None:
                return {Path(path).name for path in changed}
            output.tell(f"{mistake}; waiting for it to be mended.")
            told = now
        last = now


def look(folders: Iterable[Path]) -> State:
    """Look at all Python files in these folders and below, but not in hidden ones and virtual environments."""
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
    """Say where the first of these files is no Python."""
    for path in paths:
        try:
            ast.parse(Path(path).read_bytes())
        except SyntaxError as error:
            return f"{Path(path).name}, line {error.lineno}: {error.msg}"
        except (OSError, ValueError) as error:
            return f"{Path(path).name} cannot be read ({type(error).__name__})"
    return None


async def _end(child: Child) -> None:
    """Let the bots end well."""
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
    """Keep Ctrl-C from this process, and from one that is started meanwhile: that is ended from here, and once."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
