"""A function in a fork of this process, as `multiprocessing` runs it by default on Linux before Python 3.14."""

from __future__ import annotations

import os
import select
import signal
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0
"""Seconds until a fork that hangs is killed."""


def in_fork(work: Callable[[], str]) -> str:
    """Return what a function returns in a fork, or the error that it raises there."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork of several threads, which is what is tested
        child = os.fork()
    if child == 0:
        try:
            said = work()
        except BaseException as error:  # noqa: BLE001 - the test reads it
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    try:
        is_done = select.select([reading], [], [], PATIENCE)[0]
        return os.read(reading, 10_000).decode() if is_done else "It hangs."
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
