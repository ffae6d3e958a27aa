"""Tests that interrupt a process also work where SIGINT is ignored: under nohup, or in the background of a script."""

from __future__ import annotations

import subprocess
import sys

HANDLER = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"

IGNORING = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"


def test_a_process_of_a_test_handles_sigint() -> None:
    started = subprocess.run([sys.executable, "-c", HANDLER], capture_output=True, text=True, check=True)
    assert started.stdout == "True\n"


def test_a_process_of_a_test_handles_sigint_when_pytest_ignores_it() -> None:
    only = f"{__file__}::{test_a_process_of_a_test_handles_sigint.__name__}"
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", only]
    done = subprocess.run([sys.executable, "-c", IGNORING, *pytest], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
