"""The memory that a large file needs, not its speed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("large_file.py")


@pytest.mark.verify
@pytest.mark.timeout(300)
def test_300_mib_are_sent_and_received_with_8_mib_of_memory_at_most() -> None:
    done = subprocess.run([sys.executable, PROGRAM, "--mib", "300"], capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)

    assert figures["is_equal"]
    assert figures["peak_growth_mib"] <= 8
