"""
Processes to talk to: everything here meets over real HTTP on loopback, each side in a process of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.interop.processes import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
INSTALLED = HERE.parents[1] / "build" / "interop"


@pytest.fixture(scope="session")
def npm_modules(worker_id: str) -> Callable[[str], Path]:
    """Install a client of npm with what it needs, just as the lock in its folder names it; each process has its own."""

    def install(name: str) -> Path:
        if shutil.which("npm") is None:
            pytest.skip(f"{name} comes from npm, and there is no npm here")
        folder = INSTALLED / name / worker_id
        folder.mkdir(parents=True, exist_ok=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name / file, folder / file)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True, timeout=50)
        return folder

    return install


@pytest.fixture(scope="session")
def pypi_modules(worker_id: str) -> Callable[[str], Path]:
    """Install a client of PyPI into a folder of its own, just as its file in `strangers` names it."""
    uv = shutil.which("uv") or Path(sys.executable).with_name("uv")

    def install(name: str) -> Path:
        folder = INSTALLED / name / worker_id
        wanted = [f"--requirement={HERE / 'strangers' / file}.txt" for file in ("dependencies", name)]
        how = ("--quiet", "--no-deps", "--require-hashes", "--target", folder)
        subprocess.run([uv, "pip", "install", "--python", sys.executable, *how, *wanted], check=True, timeout=50)
        return folder

    return install


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
