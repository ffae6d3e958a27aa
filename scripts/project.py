"""What pyproject.toml says of this project."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
"""Folder of the repository."""


def project() -> dict[str, Any]:
    """Return the contents of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def repository() -> str:
    """Return the address of the repository, without a slash at its end; empty until it is chosen."""
    return str(project()["tool"]["webwx"]["repository"]).rstrip("/")
