"""What surrounds the call of a handler: middleware and error handlers of its router and of the routers around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Concatenate, NamedTuple

from webwx.bot.signatures import check_injectable, name_of
from webwx.bot.threads import is_asynchronous
from webwx.errors import NoAnswer, ReplyLimitReached

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.bot.context import Context
    from webwx.bot.injection import CallPlan
    from webwx.model.messages import Event

    Proceed = Callable[[], Awaitable[object]]
    Middleware = Callable[Concatenate[Context, Event, Proceed, ...], Awaitable[object]]

_HANDLED_ANYWAY = (NoAnswer, ReplyLimitReached)
"""Errors that are no failure of a handler; only an error handler that names one of them gets them."""


class ErrorHandler:
    """
    A function that handles the errors of some classes.

    Args:
        function: The function.
        kinds: The classes of exceptions.

    Raises:
        TypeError: The function cannot be called with a context, an event and an error.
    """

    def __init__(self, function: Callable[..., object], kinds: tuple[type[Exception], ...]) -> None:
        check_injectable(function, 3, "An error handler is called with a context, an event and an error")
        self.function = function
        self.kinds = kinds
        self.name: str = name_of(function)
        """Name of the function, which is part of the keys of its sends."""

    def handles(self, error: BaseException) -> bool:
        """Return whether an error has one of the classes."""
        kinds = self.kinds
        if isinstance(error, _HANDLED_ANYWAY):
            kinds = tuple(each for each in kinds if issubclass(each, _HANDLED_ANYWAY))
        return isinstance(error, kinds)


class HandlerCall(NamedTuple):
    """How a handler is called: with its injected values, inside middleware, and with error handlers around both."""

    plan: CallPlan | None = None
    """Plan of the handler's injected parameters; None if it has none."""
    middleware: tuple[tuple[Middleware, CallPlan | None], ...] = ()
    """Middleware with its plans, the outermost first."""
    error_handlers: tuple[tuple[ErrorHandler, CallPlan | None], ...] = ()
    """Error handlers with their plans, those of the handler's own router first."""

    @property
    def is_injected(self) -> bool:
        """Whether the handler or some middleware has injected parameters."""
        return self.plan is not None or any(plan is not None for _, plan in self.middleware)


def check_middleware(function: Callable[..., object]) -> None:
    """
    Raise an error unless a function can be middleware.

    Raises:
        TypeError: The function is not asynchronous, or does not take these arguments.
    """
    check_injectable(function, 3, "Middleware is called with a context, an event and the function that proceeds")
    if not is_asynchronous(function):
        raise TypeError(f"Middleware has to be asynchronous; write `async def {name_of(function)}`.")


def check_kinds(kinds: tuple[object, ...]) -> None:
    """
    Raise an error unless all values are classes of exceptions, and there is one at least.

    Raises:
        TypeError: A value is something else.
    """
    if not kinds:
        raise TypeError("error() takes classes of exceptions, such as @bot.error(ValueError).")
    for each in kinds:
        if not (isinstance(each, type) and issubclass(each, Exception)):
            shown = name_of(each) if callable(each) else repr(each)
            raise TypeError(f"error() takes classes of exceptions, such as @bot.error(ValueError); got {shown}.")
