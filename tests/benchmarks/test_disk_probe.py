"""The probe of the disk beside a measurement of latencies."""

from __future__ import annotations

import time
from itertools import chain
from typing import TYPE_CHECKING

from benchmarks.case import Run
from benchmarks.cases import CASES
from benchmarks.disk_probe import DiskProbe, Span, waits_figures, waits_of

if TYPE_CHECKING:
    from pathlib import Path


def a_run(folder: Path) -> Run:
    return Run(case=CASES["cluster-events"], port=0, control=0, ca_file="", folder=folder, shared=folder)


def test_the_probe_syncs_for_as_long_as_its_context(tmp_path: Path) -> None:
    began = time.monotonic()
    with DiskProbe(tmp_path) as probe:
        pass
    assert probe.syncs
    spans = [*probe.syncs, *chain.from_iterable(probe.waits)]
    assert all(began <= each.at <= time.monotonic() and each.seconds >= 0 for each in spans)
    assert list(tmp_path.iterdir()) == []


def test_an_outlier_is_explained_by_the_longest_sync_or_the_waits_for_a_core_in_its_time(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    probe = DiskProbe(tmp_path)
    probe.syncs = [Span(0.0, 0.001), Span(1.0, 0.3), Span(2.0, 0.002), Span(3.0, 0.004)]
    probe.waits = [[Span(1.9, 0.05)], [Span(2.0, 0.03), Span(2.1, 0.08), Span(3.2, 0.1), Span(4.0, 0.2)]]

    figures = probe.figures(run, [(3.0, 3.5), (0.0, 0.01), (1.1, 1.35), (2.0, 2.2), (2.1, 2.19)])

    assert figures == {
        "fdatasync_ms": 3.0, "fdatasync_p99_ms": 300.0, "fdatasync_max_ms": 300.0, "core_wait_max_ms": 200.0,
        "outliers": 3, "outliers_at_sync": 1, "outliers_at_core": 1, "outliers_of_ours": 1,
    }  # fmt: skip
    assert [tuple(round(each, 3) for each in event) for event in run.late] == [
        (1.1, 250.0, 300.0, 0.0), (2.0, 200.0, 2.0, 110.0), (3.0, 500.0, 4.0, 100.0),
    ]  # fmt: skip


def test_the_figures_of_latencies() -> None:
    waits = waits_of([(1.0, 1.5), (2.0, 2.25), (0.0, 1.0)])
    assert waits == [0.25, 0.5, 1.0]
    assert waits_figures(waits) == {"p50_ms": 500.0, "p99_ms": 1000.0, "max_ms": 1000.0}
