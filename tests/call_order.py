"""The order in which functions are called in one thread, to compare it with what the documentation says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from scripts.architecture import place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType, TracebackType


class CallOrder:
    """
    Records the calls of functions in this thread, from the beginning to the end of a `with` block.

    Args:
        names: Names of the functions below `webwx`, in the order in which they are expected.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._by_place = {place(name): name for name in names}
        self._called: list[str] = []

    def __enter__(self) -> CallOrder:
        sys.setprofile(self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call" and (name := self._by_place.get((code.co_filename, code.co_qualname))):
            self._called.append(name)

    def missing(self) -> list[str]:
        """Return the functions that were not called in the expected order: the first of them, and all after it."""
        called = iter(self._called)
        for number, name in enumerate(self._names):
            if name not in called:
                return list(self._names[number:])
        return []
