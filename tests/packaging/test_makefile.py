"""The environment that `make` sets up."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_sandbox_has_its_certificates_after_make_setup() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "setup"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert " --no-dev --extra tls" in done.stdout
    assert any(each.startswith("trustme") for each in project["optional-dependencies"]["tls"])
