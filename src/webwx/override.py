"""
`override` marks a method that does what the same method of a base class says, so it needs no documentation of its own.

Python has it in `typing` since version 3.12.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

__all__ = ["override"]

if sys.version_info >= (3, 12):
    from typing import override
elif TYPE_CHECKING:
    from typing_extensions import override
else:
    T = TypeVar("T")

    def override(method: T) -> T:
        """Return a method that overrides one of a base class."""
        return method
