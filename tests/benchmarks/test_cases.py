"""Every benchmark case can run with tiny numbers; its figures are not judged."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from benchmarks.case import OURS, PEER
from benchmarks.cases import CASES
from benchmarks.harness import RunFailed, run_once
from tests.postgres import is_installed

pytestmark = [pytest.mark.verify, pytest.mark.timeout(120)]

TINY = 0.002


KINDS = {
    (run, case.rows > 0): (name, variant) for name, case in CASES.items() for variant, run in case.variants.items()
}
"""The last one of the cases that differ only in a number."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all runs, as `make bench` has it: the second run finds what the first has compiled."""
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize(("name", "variant"), KINDS.values())
def test_a_run_returns_figures(name: str, variant: str, folder: Path) -> None:
    if variant == PEER:
        pytest.importorskip("itchat", reason="the peer is of the group `interop`")
    if name.startswith(("postgres", "cluster")) and not is_installed():
        pytest.skip("PostgreSQL is not installed")
    if name.startswith("page") and shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed; Debian's package is `chromium`")
    case = CASES[name]
    if case.prepare is not None:
        run_once(case, "prepare", folder, scale=TINY)

    figures = run_once(case, variant, folder, scale=TINY)

    # A time between two processes may be negative: a worker follows the database's clock, to a few milliseconds.
    assert [name for name, value in figures.items() if not math.isfinite(value)] == []
    assert figures["seconds"] > 0


def test_a_page_without_a_browser_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunFailed, match="install Debian's package `chromium`"):
        run_once(CASES["page-console"], OURS, tmp_path, scale=TINY)
