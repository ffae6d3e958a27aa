"""Signatures of the functions that a bot calls: how many arguments they take, and their names in logs and keys."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def check_signature(function: object, count: int, rule: str) -> None:
    """
    Raise an error unless an object can be called with a number of arguments.

    Raises:
        TypeError: It cannot; the text begins with the rule.
    """
    if not callable(function):
        raise TypeError(f"{rule}; {function!r} is not callable.")
    if accepts_arguments(function, count) is False:
        arguments = "1 argument" if count == 1 else f"{count} arguments"
        raise TypeError(f"{rule}; {name_of(function)} does not take {arguments}.")


def name_of(function: Callable[..., object]) -> str:
    """Return a function's qualified name, or the class of another callable."""
    inner = function.func if isinstance(function, partial) else function
    name: str = getattr(inner, "__qualname__", type(inner).__qualname__)
    return name


def accepts_arguments(function: Callable[..., object], count: int) -> bool | None:
    """Return whether a function takes a number of arguments; None when its signature is not known."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        return None
    return True
