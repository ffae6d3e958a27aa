"""The part of a test's sandbox that its clock, its faults and its people use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from webwx.sandbox.world import World

T = TypeVar("T")


class RunningBot(Protocol):
    """A bot under test, as seen by the clock."""

    @property
    def seconds_to_timer(self) -> float | None:
        """Seconds until a timer of the bot is due; None if the bot has no timers."""
        ...

    def check_clock(self) -> None:
        """Notify the bot that the clock was moved."""
        ...


class WorldStage(Protocol):
    """The world of a test, and the bots that run in it."""

    @property
    def world(self) -> World:
        """The world; use it inside `do` only."""
        ...

    @property
    def at_work(self) -> Sequence[RunningBot]:
        """The running bots."""
        ...

    def do(self, act: Callable[[World], T], /) -> T:
        """Call a function with the world between two requests, and return its result."""
        ...

    def settle(self) -> None:
        """Return when the bots have handled everything, except for what waits for the clock."""
        ...
