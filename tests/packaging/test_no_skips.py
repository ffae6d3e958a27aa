"""The plugin by which a skipped `verify` test fails in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.verify

ROOT = Path(__file__).parents[2]

TESTS = """
import pytest

@pytest.mark.verify
def test_foreign():
    pytest.skip("the stranger is not here")
"""


@pytest.mark.parametrize(
    ("ci", "mark", "expected"),
    [("true", "@pytest.mark.verify", 1), ("", "@pytest.mark.verify", 0), ("true", "", 0)],
    ids=["a verify test in CI", "a verify test elsewhere", "a quick test in CI"],
)
@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_skip_fails_the_run_only_in_ci(ci: str, mark: str, expected: int, workers: str, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = verify\n")
    (tmp_path / "test_it.py").write_text(TESTS.replace("@pytest.mark.verify", mark))
    command = [sys.executable, "-m", "pytest", "-p", "tests.plugins.no_skips", "-n", workers, "."]
    environment = os.environ | {"CI": ci, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == expected, done.stdout
    assert ("SKIPPED IN CI" in done.stdout) == bool(expected)
