"""The weight by which a worker gets accounts: lower while its event loop lags."""

from __future__ import annotations

import math

LAG = 1.0
"""Seconds of lag from which an event loop has more work than it can do."""

_RENEWALS = 3
"""Number of renewals in a row with such a lag until the weight falls: a single pause moves no accounts."""

_FALL = 0.9
"""Factor of the weight at each further renewal with such a lag."""

_CALM_RENEWALS = 12
"""Number of renewals in a row without such a lag until the weight rises by one step."""

_STEPS = 20
"""Number of steps from nothing to the full weight."""


class ShareWeight:
    """
    The weight of a worker, which is its capacity unless its event loop lags.

    Args:
        capacity: Number of accounts that the worker takes at most.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._weight = capacity
        self._lagging = 0
        self._calm = 0

    def __repr__(self) -> str:
        return f"ShareWeight({self._weight} of {self._capacity})"

    def note(self, lag: float) -> int:
        """Return the weight for the next renewal, after this lag in seconds."""
        if lag > LAG:
            self._lagging, self._calm = self._lagging + 1, 0
            if self._lagging >= _RENEWALS:
                self._weight = max(min(1, self._capacity), math.floor(self._weight * _FALL))
        else:
            self._lagging, self._calm = 0, self._calm + 1
            if self._calm >= _CALM_RENEWALS:
                self._calm = 0
                self._weight = min(self._capacity, self._weight + math.ceil(self._capacity / _STEPS))
        return self._weight
