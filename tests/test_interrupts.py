"""Tests that interrupt a process, run where interrupts are ignored: by nohup, or in the background of a script."""

from __future__ import annotations

import subprocess
import sys

HANDLER = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"

IGNORING = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"


def test_a_process_that_a_test_starts_heeds_sigint() -> None:
    started = subprocess.run([sys.executable, "-c", HANDLER], capture_output=True, text=True, check=True)
    assert started.stdout == "True\n"


def test_it_does_so_where_pytest_was_started_with_sigint_ignored() -> None:
    only = f"{__file__}::{test_a_process_that_a_test_starts_heeds_sigint.__name__}"
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", only]
    done = subprocess.run([sys.executable, "-c", IGNORING, *pytest], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
