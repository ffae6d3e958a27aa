"""How far the gateway's event loop is behind: the delay of a timer, measured again and again."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NoReturn

_EVERY = 1.0
"""Seconds between two measurements."""

_KEPT = 60
"""Number of measurements that count."""


class LoopLagMeter:
    """Measures the lag of the running event loop."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque(maxlen=_KEPT)

    def __repr__(self) -> str:
        return f"LoopLagMeter({self.longest:.3f} s)"

    @property
    def longest(self) -> float:
        """Longest lag of the last minute, in seconds; 0 before the first measurement."""
        return max(self._lags, default=0.0)

    async def run(self) -> NoReturn:
        """Measure once a second, without end."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _EVERY
            await asyncio.sleep(_EVERY)
            self._lags.append(max(0.0, loop.time() - due))
