"""Processes for the interop tests: both sides speak real HTTP on loopback, each in its own process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from tests.interop.phones import Phones
from tests.interop.processes import PATIENCE, Lines
from tests.interop.served_gateway import Served, served_gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from webwx.model.messages import Event

E = TypeVar("E")

HERE = Path(__file__).parent
INSTALLED = HERE.parents[1] / "build" / "interop"


@pytest.fixture(scope="session")
def npm_modules(worker_id: str) -> Callable[[str], Path]:
    """
    Install an npm client with its dependencies, exactly as in the lock file of its folder; each client has its own
    folder.
    """

    def install(name: str) -> Path:
        if shutil.which("npm") is None:
            pytest.skip(f"{name} comes from npm, and there is no npm here")
        folder = INSTALLED / name / worker_id
        folder.mkdir(parents=True, exist_ok=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name / file, folder / file)
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True, timeout=PATIENCE
        )
        return folder

    return install


@pytest.fixture(scope="session")
def pypi_modules(worker_id: str) -> Callable[[str], Path]:
    """Install a PyPI client into its own folder, exactly as in its file in `strangers`."""
    uv = shutil.which("uv") or Path(sys.executable).with_name("uv")

    def install(name: str) -> Path:
        folder = INSTALLED / name / worker_id
        wanted = [f"--requirement={HERE / 'strangers' / file}.txt" for file in ("dependencies", name)]
        how = ("--quiet", "--no-deps", "--require-hashes", "--target", folder)
        subprocess.run([uv, "pip", "install", "--python", sys.executable, *how, *wanted], check=True, timeout=PATIENCE)
        return folder

    return install


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without this machine's proxies, logins and configuration."""
    (tmp_path / "home").mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "WEBWX_HOME": str(tmp_path / "home" / "webwx"),
        "PYTHONUTF8": "1",
    }


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Lines]]:
    """Start a process that ends with the test."""
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


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A gateway with one account and without a limit of requests."""
    with served_gateway(tmp_path) as served:
        yield served


@pytest.fixture
def phones(sandbox: dict[str, Any]) -> Phones:
    """The phones of the sandbox."""
    return Phones(sandbox["control"])


def expect(kind: type[E], event: Event) -> E:
    """Return an event, which must be of this kind."""
    assert isinstance(event, kind), event
    return event
