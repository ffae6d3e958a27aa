"""Records the calls that a thread makes, to find queries on it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextmanager
def calls_of_this_thread() -> Iterator[list[object]]:
    """Record the calls of this thread: a code object or a C function for each."""
    calls: list[object] = []

    def note(frame: FrameType, event: str, arg: object) -> None:
        if event in {"call", "c_call"}:
            calls.append(frame.f_code if event == "call" else arg)

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def is_query(call: object) -> bool:
    """Return whether a recorded call is one of SQLite's, or of the driver of PostgreSQL."""
    return type(getattr(call, "__self__", None)).__module__.partition(".")[0] in {"sqlite3", "asyncpg"}
