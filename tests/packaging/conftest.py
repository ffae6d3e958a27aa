"""The built wheel, and a bare environment outside the checkout in which it is installed."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest
from tests.once import made_once

ROOT = Path(__file__).parents[2]
BIN = "Scripts" if sys.platform == "win32" else "bin"


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment that has only pip."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=True)
    return folder / BIN


@pytest.fixture(scope="session")
def wheel(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""

    def build(folder: Path) -> None:
        pip(bare, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))

    (built,) = made_once(tmp_path_factory, "wheel", build).glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(bare: Path, wheel: Path) -> Path:
    """The same environment with the wheel and its dependencies."""
    pip(bare, "install", str(wheel))
    return bare


def pip(bare: Path, *arguments: str) -> None:
    """Run the environment's own pip."""
    subprocess.run([bare / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)
