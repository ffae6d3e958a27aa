"""The measurement of memory within a run."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import pytest
from benchmarks.case import Run, World
from benchmarks.cases import CASES
from benchmarks.harness import server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.verify, pytest.mark.timeout(120)]


def test_memory_that_shrinks_has_a_growth_of_0(tmp_path: Path) -> None:
    with server(World(), tmp_path) as where:
        run = Run(case=CASES["help"], folder=tmp_path, shared=tmp_path, **where)
        pages = mmap.mmap(-1, 40 * mmap.PAGESIZE)
        pages.write(bytes(len(pages)))
        with run.meter() as meter:
            pages.close()

    assert meter.figures["peak_growth"] >= 0
