"""The plugin by which workers of pytest-xdist compile the tests for each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.verify, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]

MODULE = """
import os
from pathlib import Path

with Path("imports").open("a") as imports:
    imports.write(f"{os.environ.get('PYTEST_XDIST_WORKER', '')} {__name__}\\n")


def test_it():
    pass
"""


def run_tests(folder: Path, *arguments: str) -> dict[str, list[str]]:
    """Run four modules with a test each; return the modules that each worker has imported, in their order."""
    (folder / "pytest.ini").write_text(
        "[pytest]\naddopts = --import-mode=importlib\npythonpath = .\ntestpaths = checks"
    )
    (folder / "checks").mkdir()
    for name in ("a", "b", "c", "d"):
        (folder / "checks" / f"test_{name}.py").write_text(MODULE)
    command = [sys.executable, "-m", "pytest", "-p", "tests.plugins.first_imports", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"}
    done = subprocess.run(
        command, cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    imported = dict[str, list[str]]()
    for line in (folder / "imports").read_text().splitlines():
        worker, _, module = line.partition(" ")
        imported.setdefault(worker, []).append(module)
    return imported


def test_each_worker_begins_with_another_module_and_imports_each_once(tmp_path: Path) -> None:
    assert run_tests(tmp_path, "-n", "2") == {
        "gw0": ["checks.test_a", "checks.test_b", "checks.test_c", "checks.test_d"],
        "gw1": ["checks.test_c", "checks.test_d", "checks.test_a", "checks.test_b"],
    }


@pytest.mark.parametrize("arguments", [("-n", "1", "checks/test_b.py"), ("checks/test_b.py",)])
def test_no_other_module_is_imported_for_a_part_of_the_tests(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (modules,) = run_tests(tmp_path, *arguments).values()
    assert modules == ["checks.test_b"]
