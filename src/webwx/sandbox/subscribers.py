"""Callbacks for one kind of event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable

News = TypeVarTuple("News")


class Subscribers(Generic[*News]):
    """The callbacks of one kind of event, in the order they were added."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[*News], object]] = []

    def add(self, callback: Callable[[*News], object]) -> Callable[[], None]:
        """
        Add a callback.

        Returns:
            A function that removes it.
        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def notify(self, *news: *News) -> None:
        """Call all callbacks; one that is added or removed meanwhile takes effect at the next call."""
        for callback in tuple(self._callbacks):
            callback(*news)
