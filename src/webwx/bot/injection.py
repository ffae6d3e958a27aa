"""
Dependency injection: values for the keyword-only parameters of a function.

A parameter gets the value that is provided under its name, or else the only value that has its type. A router's own
values take precedence over those of the routers that include it. The choice is made once, when a bot starts: the result
is a call plan.
"""

from __future__ import annotations

import inspect
import typing
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Union

from webwx.bot.signatures import (
    accepts_arguments,
    check_signature,
    hint_at_unknown_type,
    keyword_parameters,
    name_of,
    place_of,
    resolve_annotation,
)
from webwx.bot.state import ConversationState
from webwx.bot.sync_state import SyncConversationState
from webwx.client.client import AsyncClient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from inspect import Parameter
    from types import TracebackType
    from typing import Self

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext

CONTEXT_VALUES: dict[str, tuple[type, ...]] = {
    "client": (AsyncClient,),
    "state": (ConversationState, SyncConversationState),
}
"""Attributes of the context that are provided under their names, with their types in both kinds of handlers."""


# -- what is provided ------------------------------------------------------------------------------------------------


class ProvidedValue:
    """A value, the same one for every call."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.kind: type | None = type(value)
        """Type of the value."""


class Factory:
    """
    A function that makes a value for one call.

    Raises:
        TypeError: The function can be called neither with a context nor without arguments.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self._takes_context = accepts_arguments(function, 0) is False
        if self._takes_context:
            check_signature(function, 1, "A provider is called with a context, or without arguments")
        self._function = function
        self._asynchronous = asynccontextmanager(function) if inspect.isasyncgenfunction(function) else None
        self._plain = contextmanager(function) if inspect.isgeneratorfunction(function) else None

    @property
    def kind(self) -> type | None:
        """The type of its values by its annotation; None if the annotation is not a class."""
        if isinstance(self._function, type):
            return self._function
        result = resolve_annotation(self._function, getattr(self._function, "__annotations__", {}).get("return"))
        if self._asynchronous or self._plain:
            result = next(iter(typing.get_args(result)), None)
        return _class_of(result)

    async def make(self, context: Context, stack: AsyncExitStack) -> object:
        """Return a value for one call; the stack cleans it up."""
        arguments = (context,) if self._takes_context else ()
        if self._asynchronous is not None:
            return await stack.enter_async_context(self._asynchronous(*arguments))
        if self._plain is not None:
            return stack.enter_context(self._plain(*arguments))
        made = self._function(*arguments)
        return await made if inspect.isawaitable(made) else made


class Providers:
    """The values and factories of one router."""

    def __init__(self) -> None:
        self._named: dict[str, ProvidedValue | Factory] = {}
        self._all: list[ProvidedValue | Factory] = []

    def add_value(self, value: object) -> None:
        """
        Provide a value by its type.

        Raises:
            TypeError: The type is one of Python's own, which says nothing about the value.
        """
        if isinstance(value, type) or type(value).__module__ == "builtins":
            raise TypeError(
                f"provide() cannot provide {name_of(value) if callable(value) else repr(value)} by its type; give it "
                "a name, as in provide(name=…), or decorate a function that makes the value with `provider`."
            )
        self._all.append(ProvidedValue(value))

    def add(self, name: str, source: ProvidedValue | Factory) -> None:
        """
        Provide a value or a factory by name and by type.

        Raises:
            ValueError: The name is taken.
        """
        if name in self._named:
            raise ValueError(f"This router provides {name} already.")
        self._named[name] = source
        self._all.append(source)

    def named(self, name: str) -> ProvidedValue | Factory | None:
        """Return the value or factory that is provided under a name."""
        return self._named.get(name)

    def of_kind(self, kind: type) -> list[ProvidedValue | Factory]:
        """Return the values and factories of exactly this type; if no value has it, those of a subtype."""
        exact = [each for each in self._all if each.kind is kind]
        return exact or [each for each in self._all if each.kind is not None and _is_subclass(each.kind, kind)]


# -- what a function gets --------------------------------------------------------------------------------------------


class InjectedParameters:
    """
    The keyword-only parameters of a function, which get injected values.

    Args:
        function: The function.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._parameters = keyword_parameters(function)

    def __bool__(self) -> bool:
        return bool(self._parameters)

    def plan(self, chain: Sequence[Providers]) -> CallPlan:
        """
        Choose a value for each parameter.

        Args:
            chain: The providers of the function's router, then those of the routers that include it.

        Raises:
            TypeError: No value is provided for a parameter without a default, or several values have its type.
        """
        plan = CallPlan()
        for parameter in self._parameters:
            match self._find(parameter, chain):
                case ProvidedValue(value=value):
                    plan.values[parameter.name] = value
                case Factory() as factory:
                    plan.factories[parameter.name] = factory
                case str(attribute):
                    plan.attributes[parameter.name] = attribute
                case None:
                    if parameter.default is not parameter.empty:
                        continue
                    raise TypeError(
                        f"No value is provided for the parameter {parameter.name!r} of {name_of(self._function)} "
                        f"at {place_of(self._function)}; call provide({parameter.name}=…) of the bot or of the "
                        "router, or give it a default."
                        f"{hint_at_unknown_type(self._function, parameter.annotation)}"
                    )
        return plan

    def _find(self, parameter: Parameter, chain: Sequence[Providers]) -> ProvidedValue | Factory | str | None:
        """Return the source of a parameter's value; a text is the name of an attribute of the context."""
        for providers in chain:
            if (named := providers.named(parameter.name)) is not None:
                return named
        if parameter.name in CONTEXT_VALUES:
            return parameter.name
        kind = _class_of(resolve_annotation(self._function, parameter.annotation))
        if kind is None:
            return None
        for providers in chain:
            found = providers.of_kind(kind)
            if len(found) > 1:
                raise TypeError(
                    f"{len(found)} values have the type {kind.__name__} of the parameter {parameter.name!r} of "
                    f"{name_of(self._function)} at {place_of(self._function)}; provide one of them under this name."
                )
            if found:
                return found[0]
        return next((name for name, of_context in CONTEXT_VALUES.items() if kind in of_context), None)


class CallPlan:
    """The source of the value of each injected parameter of a function."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        """Values that are the same for every call, by parameter."""
        self.attributes: dict[str, str] = {}
        """Attributes of the context, by parameter."""
        self.factories: dict[str, Factory] = {}
        """Factories, by parameter."""


class CallScope:
    """
    The values of one call of a handler and of the middleware around it; each factory is called at most once.

    Leaving `async with` cleans them up, the last one first.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._made: dict[Factory, object] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return bool(await self._stack.__aexit__(kind, error, trace))

    async def arguments(self, plan: CallPlan, own_context: Context | SyncContext) -> dict[str, object]:
        """
        Return the injected arguments of a function.

        Args:
            plan: The function's plan.
            own_context: The context that the function is called with.

        """
        arguments = dict(plan.values)
        for parameter, attribute in plan.attributes.items():
            arguments[parameter] = getattr(own_context, attribute)
        for parameter, factory in plan.factories.items():
            if factory not in self._made:
                self._made[factory] = await factory.make(self._context, self._stack)
            arguments[parameter] = self._made[factory]
        return arguments


# -- annotations -----------------------------------------------------------------------------------------------------


def _class_of(annotation: object) -> type | None:
    """Return the class of an annotation such as `Database | None`; None if it has no class, several, or `Any`."""
    if typing.get_origin(annotation) is Annotated:
        return _class_of(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (Union, UnionType):
        kinds = [each for each in typing.get_args(annotation) if each is not NoneType]
        return _class_of(kinds[0]) if len(kinds) == 1 else None
    kind = typing.get_origin(annotation) or annotation
    if isinstance(kind, type) and kind is not inspect.Parameter.empty and kind.__module__ != "builtins":
        return kind
    return None


def _is_subclass(kind: type, other: type) -> bool:
    try:
        return issubclass(kind, other)
    except TypeError:  # a protocol that cannot be checked at run time
        return False
