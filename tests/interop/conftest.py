"""
Processes to talk to: everything here meets over real HTTP on loopback, each side in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.interop.processes import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Nothing of this machine's own: no proxy, no login, no configuration."""
    (tmp_path / "home").mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "WEBWX_HOME": str(tmp_path / "home" / "webwx"),
        "PYTHONUTF8": "1",
    }


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Lines]]:
    """Start a process that lives as long as the test."""
    started: list[Lines] = []

    def run(*command: str | Path) -> Lines:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
        )
        started.append(Lines(process))
        return started[-1]

    yield run
    for lines in reversed(started):
        lines.end()
