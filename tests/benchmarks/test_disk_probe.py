"""The probe of the disk beside a measurement of latencies."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.disk_probe import DiskProbe, Sync, waits_figures, waits_of

if TYPE_CHECKING:
    from pathlib import Path


def test_the_probe_syncs_for_as_long_as_its_context(tmp_path: Path) -> None:
    began = time.monotonic()
    with DiskProbe(tmp_path) as probe:
        pass
    assert probe.syncs
    assert all(began <= each.at <= time.monotonic() and each.seconds >= 0 for each in probe.syncs)
    assert list(tmp_path.iterdir()) == []


def test_an_outlier_is_explained_by_a_stalled_sync_during_it(tmp_path: Path) -> None:
    probe = DiskProbe(tmp_path)
    probe.syncs = [Sync(0.0, 0.001), Sync(1.0, 0.3), Sync(2.0, 0.002)]
    figures = probe.figures([(0.0, 0.01), (1.1, 1.35), (2.0, 2.2), (2.1, 2.19)])
    assert figures == {
        "fdatasync_ms": 2.0, "fdatasync_p99_ms": 300.0, "fdatasync_max_ms": 300.0, "fdatasync_stalls": 1,
        "outliers": 2, "outliers_at_stalls": 1,
    }  # fmt: skip


def test_the_figures_of_latencies() -> None:
    waits = waits_of([(1.0, 1.5), (2.0, 2.25), (0.0, 1.0)])
    assert waits == [0.25, 0.5, 1.0]
    assert waits_figures(waits) == {"p50_ms": 500.0, "p99_ms": 1000.0, "max_ms": 1000.0}
