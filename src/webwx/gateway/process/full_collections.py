"""
Full garbage collections, which are put off while a process starts accounts.

All that an account needs stays in memory as long as it runs. Python begins a full collection each time that the number
of objects has grown by a quarter, so a process that takes thousands of accounts would look at all of them again and
again: a third of its CPU time, with the event loop stopped for a second and more each time.
"""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEVER = 1_000_000
"""Threshold of the oldest generation with which no full collection begins."""


class FullCollections:
    """Puts off the full collections of this process; those of young objects go on."""

    def __init__(self) -> None:
        self._count = 0
        """Number of blocks in which they are put off."""
        self._threshold = 0
        """Threshold of the oldest generation outside of the blocks."""

    def __repr__(self) -> str:
        return f"FullCollections(put off by {self._count})"

    @contextlib.contextmanager
    def put_off(self) -> Iterator[None]:
        """Begin no full collection in this block; several blocks may overlap."""
        if not self._count:
            *_, self._threshold = gc.get_threshold()
            self._set(_NEVER)
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._set(self._threshold)

    def _set(self, oldest: int) -> None:
        youngest, middle, _ = gc.get_threshold()
        gc.set_threshold(youngest, middle, oldest)


FULL_COLLECTIONS = FullCollections()
"""Those of this process."""
