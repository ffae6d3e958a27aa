"""
Retry with exponential backoff: the delays of every loop that repeats a failed operation.

`retry` is the loop for one operation. A loop that does more between two attempts uses a `Backoff` itself.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, TypeVar

from webwx.errors import WxError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
E = TypeVar("E", bound=WxError)

_MANY = 64
"""Number of failures in a row after which the delay does not grow any more; larger powers would overflow a float."""

_RNG = random.Random()  # noqa: S311 - no secret


class Backoff:
    """
    Delays after failures in a row: they grow exponentially to a limit, and begin again after a success.

    Args:
        first: Seconds after the first failure.
        factor: Growth of the delay with each further failure.
        longest: Upper limit in seconds, before jitter.
        jitter: Largest deviation from a delay, as a fraction of it; it spreads the attempts of many clients.
        rng: Source of the jitter.
        sleep: Waits for a number of seconds.
    """

    __slots__ = ("_factor", "_first", "_jitter", "_longest", "_rng", "_sleep", "failures")

    def __init__(
        self,
        first: float = 0.5,
        *,
        factor: float = 2.0,
        longest: float = 30.0,
        jitter: float = 0.2,
        rng: random.Random = _RNG,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.failures: int = 0
        """Number of failures in a row that were counted by `pause`."""
        self._first = first
        self._factor = factor
        self._longest = longest
        self._jitter = jitter
        self._rng = rng
        self._sleep = sleep

    def __repr__(self) -> str:
        return f"Backoff({self.failures} failures)"

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after a number of failures in a row."""
        seconds = min(self._longest, self._first * self._factor ** min(failures - 1, _MANY))
        return seconds * self._rng.uniform(1 - self._jitter, 1 + self._jitter)

    async def pause(self, *, skipped: int = 0) -> None:
        """
        Count a failure, and wait until the next attempt.

        Args:
            skipped: Steps to skip for this delay only, after an error that asks for a longer one.
        """
        self.failures += 1
        await self._sleep(self.delay(self.failures + skipped))

    def reset(self) -> None:
        """Begin with the first delay again, after a success."""
        self.failures = 0


async def retry(
    operation: Callable[[], Awaitable[T]],
    on: type[E] | tuple[type[E], ...],
    *,
    is_worth_it: Callable[[E, int], bool] = lambda _error, _failures: True,
    backoff: Backoff | None = None,
) -> T:
    """
    Run an operation until it succeeds, and return its result.

    Args:
        operation: Runs the operation once.
        on: The errors after which the operation is repeated.
        is_worth_it: Called with each of these errors and the number of failures so far; False raises the error.
        backoff: The delays; default: from half a second to 30 s.
    """
    if backoff is None:
        backoff = Backoff()
    while True:
        try:
            return await operation()
        except on as error:
            if not is_worth_it(error, backoff.failures + 1):
                raise
        await backoff.pause()
