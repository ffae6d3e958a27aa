"""A user's file as a module."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from webwx.cli.bots.programs import run_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})


def test_a_file_can_import_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").write_text("WORD = 'found'\n", "utf-8")
    (tmp_path / "asks_for_it.py").write_text("from beside_it import WORD\n", "utf-8")
    assert run_file(tmp_path / "asks_for_it.py").WORD == "found"


def test_a_file_with_the_name_of_a_library_does_not_hide_it(tmp_path: Path) -> None:
    import json

    (tmp_path / "json.py").write_text("OWN = True\n", "utf-8")
    assert run_file(tmp_path / "json.py").OWN
    assert sys.modules["json"] is json
