"""That the figures of ingesting can be had: what they are depends on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "ingest.py"


def test_it_says_how_fast_and_beside_what() -> None:
    command = [sys.executable, BENCHMARK, "--messages", "200", "--rows", "5000"]
    figures = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert figures["messages_per_second"] > 0
    assert (figures["messages"], figures["batch"], figures["rows_before"], figures["ids"]) == (200, 100, 5000, "random")
    assert figures["fdatasync_p50_ms"] > 0
    assert {"commit", "insert entries"} <= set(figures["statements_us_per_message"])
