"""That every case can be run, tiny, so that it is there when it is needed. What it says is not judged."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest
from benchmarks.case import PEER, Run, World
from benchmarks.cases import CASES
from benchmarks.harness import run_once, server

pytestmark = [pytest.mark.verify, pytest.mark.timeout(120)]

TINY = 0.002


KINDS = {
    (run, case.rows > 0): (name, variant) for name, case in CASES.items() for variant, run in case.variants.items()
}
"""Of the cases that differ in a number only, the last one."""


@pytest.mark.parametrize(("name", "variant"), KINDS.values())
def test_a_run_gives_figures(name: str, variant: str, tmp_path: Path) -> None:
    if variant == PEER:
        pytest.importorskip("itchat", reason="the peer is of the group `interop`")
    case = CASES[name]
    if case.prepare is not None:
        run_once(case, "prepare", tmp_path, scale=TINY)

    figures = run_once(case, variant, tmp_path, scale=TINY)

    assert [name for name, value in figures.items() if value < 0] == []
    assert figures["seconds"] > 0


def test_what_gives_memory_back_has_not_grown_by_less_than_nothing(tmp_path: Path) -> None:
    with server(World(), tmp_path) as where:
        run = Run(case=CASES["help"], folder=tmp_path, shared=tmp_path, **where)
        pages = mmap.mmap(-1, 40 * mmap.PAGESIZE)
        pages.write(bytes(len(pages)))
        with run.meter() as meter:
            pages.close()

    assert meter.figures["peak_growth"] >= 0
