"""The examples: each bot runs unchanged, in this process or by `webwx run` in its own process."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from webwx.sandbox.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import ModuleType

    from tests.forks import Fork, Forks

    from webwx.sandbox.world import World
    from webwx.testing import Sandbox

    Start = Callable[..., AbstractContextManager["Process"]]

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def webwx_world(make_world: Callable[..., World]) -> World:
    """The default world, whose secrets the secret scanner knows."""
    return make_world(clock=SystemClock())


@pytest.fixture
def sandbox(webwx_sandbox: Sandbox) -> Sandbox:
    """The kit's sandbox, instead of the core that other tests have under this name."""
    return webwx_sandbox


def load(name: str) -> ModuleType:
    """Load an example again with the present environment."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# -- processes -------------------------------------------------------------------------------------------------------


def until(is_so: Callable[[], bool]) -> None:
    """Wait until another process has made a condition true, thirty seconds at most."""
    begun = time.monotonic()
    while not is_so():
        assert time.monotonic() - begun < 30
        time.sleep(0.02)


class Process:
    """An example in its own process."""

    def __init__(self, fork: Fork, errors: Path) -> None:
        self._fork = fork
        self._errors = errors

    def kill(self) -> None:
        """Kill the process at once."""
        self._fork.kill()
        self._fork.wait()

    def end(self) -> int:
        """End the process with a signal, and return its exit code."""
        self._fork.terminate()
        return self._fork.wait()

    def until_received(self, what: str) -> None:
        """Wait until the process has written a text to stderr."""
        until(lambda: what in self._errors.read_text(encoding="utf-8"))


@pytest.fixture
def start(sandbox: Sandbox, tmp_path: Path, forks: Forks) -> Start:
    """Start `webwx run` on an example with these settings; the account and its journal stay the same."""
    sandbox.switch(auto_confirm=True)

    @contextmanager
    def started(name: str, **settings: str) -> Iterator[Process]:
        own = {key: value for key, value in os.environ.items() if not key.startswith("WEBWX_")}
        environment = own | settings | {
            "WEBWX_SERVER": sandbox.url, "WEBWX_HOME": str(tmp_path / "home"),
            "WEBWX_CONFIG": str(tmp_path / "none.toml"), "PYTHONUTF8": "1",
        }  # fmt: skip
        errors = tmp_path / "errors.txt"
        with (
            errors.open("w", encoding="utf-8") as said,
            forks.start(
                ["run", str(EXAMPLES / f"{name}.py")], environment, tmp_path, (subprocess.DEVNULL, said, said)
            ) as fork,
        ):
            try:
                process = Process(fork, errors)
                process.until_received(" runs as 小明")
                yield process
            finally:
                fork.kill()

    return started
