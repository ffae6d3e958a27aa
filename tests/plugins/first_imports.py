"""
Workers of pytest-xdist import the tests in different orders.

Each worker collects all tests. Without compiled files, as in a fresh checkout, every worker would compile each module,
the same one at the same time. Instead each begins elsewhere in the list, and finds what the others have compiled.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest


def order_of(modules: list[str], worker: int, workers: int) -> list[str]:
    """Return the modules in the order of one worker."""
    first = len(modules) * worker // workers
    return modules[first:] + modules[:first]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Import all tests, if all of them are collected; an error is reported when they are."""
    config = session.config
    given = getattr(config, "workerinput", None)  # only workers have it
    if given is None or config.args != config.getini("testpaths"):
        return
    files = sorted(each for folder in config.args for each in Path(folder).rglob("test_*.py"))
    modules = [".".join(each.with_suffix("").parts) for each in files]
    for module in order_of(modules, int(given["workerid"].removeprefix("gw")), given["workercount"]):
        with suppress(Exception, pytest.skip.Exception):
            import_module(module)
