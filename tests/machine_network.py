"""
The network of this machine, which some tests change while others run.

Chromium ends its connections when an address of the machine appears or goes, so a test with a browser and one that
makes a network never run at the same time, also in two processes.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK = Path(tempfile.gettempdir(), f"webwx-tests-network-{os.getuid()}.lock")


@pytest.fixture(autouse=True)
def steady_network() -> Iterator[None]:
    """Keep the network as it is during each test of the folder whose conftest imports this."""
    with _locked(fcntl.LOCK_SH):
        yield


@contextmanager
def changing_network() -> Iterator[None]:
    """Wait until no test needs the network as it is, and keep others from beginning."""
    with _locked(fcntl.LOCK_EX):
        yield


@contextmanager
def _locked(how: int) -> Iterator[None]:
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, how)
        yield
