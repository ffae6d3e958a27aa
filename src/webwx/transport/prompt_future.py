"""
A future whose task goes on at once when it is set, instead of in the next iteration of the event loop.

That iteration would cost a callback object, another poll of the sockets, and a tenth of the time of a request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

T = TypeVar("T")


class PromptFuture(asyncio.Future[T]):
    """
    A future for one task, to be set where no task is running: in a callback of the event loop.

    A task that awaits a future adds a callback to it. This class keeps the callback and calls it itself; the methods
    that it overrides are documented ones.

    Args:
        loop: The running loop.
    """

    __slots__ = ("_context", "_resume")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._context: Context | None = None
        """Context of the task; None until a task waits."""
        self._resume: Callable[[PromptFuture[T]], object]
        """Resumes the task."""

    def add_done_callback(self, fn: Callable[[PromptFuture[T]], object], /, *, context: Context | None = None) -> None:
        """Keep the callback of the task, which is the only one."""
        self._context, self._resume = context, fn

    def set_result(self, result: T, /) -> None:
        """Set the result, with which the task goes on before this returns."""
        super().set_result(result)
        if self._context is not None:
            self._context.run(self._resume, self)

    def set_exception(self, exception: type[BaseException] | BaseException, /) -> None:
        """Raise an error in the task, before this returns."""
        super().set_exception(exception)
        if self._context is not None:
            self._context.run(self._resume, self)

    def cancel(self, msg: object = None) -> bool:
        """Cancel the wait. The task goes on in the next iteration, because the one that cancels it is running."""
        is_news = super().cancel(msg)
        if is_news and self._context is not None:
            self.get_loop().call_soon(self._resume, self, context=self._context)
        return is_news
