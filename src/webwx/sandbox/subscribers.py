"""Whoever wants to be called back when something happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable

News = TypeVarTuple("News")


class Subscribers(Generic[*News]):
    """Those who are told of one kind of thing, in the order they came."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[*News], object]] = []

    def add(self, callback: Callable[[*News], object]) -> Callable[[], None]:
        """
        Call back from now on.

        Returns:
            What ends the subscription.
        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def notify(self, *news: *News) -> None:
        """Call everybody back; who comes or goes meanwhile does so for the next time."""
        for callback in tuple(self._callbacks):
            callback(*news)
