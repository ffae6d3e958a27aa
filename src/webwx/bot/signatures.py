"""Signatures of the functions that a bot calls: how many arguments they take, and their names in logs and keys."""

from __future__ import annotations

import inspect
import typing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType


class WrongFunction(TypeError):
    """
    A function of the user's program does not do what its decorator requires.

    Args:
        text: What is wrong, and what to write instead.
        function: The function.
    """

    def __init__(self, text: str, function: Callable[..., object]) -> None:
        super().__init__(text)
        self.place: str = place_of(function)
        """File and line of the function."""


def code_of(function: Callable[..., object]) -> CodeType | None:
    """Return the code of a function, also of a method, a partial function and an object that is called."""
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)
    function = getattr(function, "__func__", function)
    if not hasattr(function, "__code__"):
        function = type(function).__call__
    code: CodeType | None = getattr(function, "__code__", None)
    return code


def place_of(function: Callable[..., object]) -> str:
    """Return the file and line of a function, such as `bot.py:9`; its name if it was not written in Python."""
    code = code_of(function)
    return name_of(function) if code is None else f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def check_signature(function: object, count: int, rule: str) -> None:
    """
    Raise an error unless an object can be called with a number of arguments.

    Raises:
        TypeError: The object cannot be called so; the text of the error begins with the rule.
    """
    if not callable(function):
        raise TypeError(f"{rule}; {function!r} is not callable.")
    if accepts_arguments(function, count) is False:
        raise TypeError(f"{rule}; {name_of(function)} does not take {_arguments(count)}.")


def name_of(function: Callable[..., object]) -> str:
    """Return a function's qualified name, or the class of another callable."""
    inner = function.func if isinstance(function, partial) else function
    name: str = getattr(inner, "__qualname__", type(inner).__qualname__)
    return name


def accepts_arguments(function: Callable[..., object], count: int) -> bool | None:
    """Return whether a function takes a number of arguments; None if its signature is not known."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        return None
    return True


def check_injectable(function: object, count: int, rule: str) -> None:
    """
    Raise an error unless an object can be called with a number of arguments and injected values.

    Raises:
        TypeError: The object cannot be called so; the text of the error begins with the rule.
    """
    if not callable(function) or accepts_arguments(function, count) is not False:
        check_signature(function, count, rule)
        return
    positional = _parameters(function, is_keyword_only=False)
    try:
        inspect.Signature(positional).bind(*[None] * count)
    except TypeError:
        hint = " Put parameters for injected values after a `*`." if len(positional) > count else ""
        raise TypeError(f"{rule}; {name_of(function)} does not take {_arguments(count)}.{hint}") from None


def keyword_parameters(function: Callable[..., object]) -> tuple[inspect.Parameter, ...]:
    """Return the keyword-only parameters of a function."""
    return _parameters(function, is_keyword_only=True)


def further_parameters(function: Callable[..., object], count: int, rule: str) -> tuple[inspect.Parameter, ...]:
    """
    Return the positional parameters of a function after the first ones, `*names` included.

    Raises:
        TypeError: The function has fewer positional parameters; the text of the error begins with the rule.
    """
    positional = [each for each in _parameters(function, is_keyword_only=False) if each.kind is not each.VAR_KEYWORD]
    if len(positional) < count or any(each.kind is each.VAR_POSITIONAL for each in positional[:count]):
        raise TypeError(f"{rule}; {name_of(function)} does not take {_arguments(count)}.")
    return tuple(positional[count:])


def _parameters(function: Callable[..., object], *, is_keyword_only: bool) -> tuple[inspect.Parameter, ...]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # a function of C without one
        return ()
    return tuple(each for each in parameters if (each.kind is each.KEYWORD_ONLY) is is_keyword_only)


def resolve_annotation(function: Callable[..., object], annotation: object) -> object:
    """Return an annotation of a function; None if it is a text with names that the function's module does not have."""
    if not isinstance(annotation, str):
        return annotation
    inner = inspect.unwrap(function.func if isinstance(function, partial) else function)
    names = getattr(inner, "__globals__", None) or getattr(type(inner).__call__, "__globals__", None)
    try:
        return typing.get_type_hints(SimpleNamespace(__annotations__={"it": annotation}), names, include_extras=True)[
            "it"
        ]
    except NameError:
        return None


def hint_at_unknown_type(function: Callable[..., object], annotation: object) -> str:
    """Return a sentence about names in an annotation that are unknown at run time; empty if all are known."""
    if not isinstance(annotation, str) or resolve_annotation(function, annotation) is not None:
        return ""
    return f" Its type {annotation} is unknown at run time; import it outside of `if TYPE_CHECKING:`."


def _arguments(count: int) -> str:
    return "1 argument" if count == 1 else f"{count} arguments"
