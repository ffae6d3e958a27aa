"""
Routes: which handler an event is for.

Handlers are asked in the order in which they were registered, a router's own before those of the routers it includes,
and the first that fits gets the event. What can be known before any event comes is worked out before: which handlers a
kind of event could be for is found once and kept.
"""

from __future__ import annotations

import inspect
import re
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from webwx.bot.filters import (
    FIELDS,
    Conditions,
    OtherConditions,
    Whom,
    make_flag,
    make_regex,
    make_test,
    names_in,
)
from webwx.bot.threads import is_asynchronous
from webwx.model.contacts import FILEHELPER, FILEHELPER_NAME
from webwx.model.events import CONTACT_EVENTS, QUIET
from webwx.model.messages import Event, Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from typing import Unpack

    from webwx.bot.context import Context
    from webwx.bot.filters import Test
    from webwx.bot.sync_context import SyncContext
    from webwx.model.login import Account

    Predicate = Callable[..., object]
    """Called with the event, or with the context and the event; what it gives, or what is awaited, says yes or no."""

_text = attrgetter("text")

E = TypeVar("E", bound=Event)
F = TypeVar("F", bound=Event)
R = TypeVar("R")


class Registration(Generic[E]):
    """What makes a handler of a function, and gives the function back."""

    def __init__(self, take: Callable[[Callable[..., object]], object]) -> None:
        self._take = take

    @overload
    def __call__(self, function: Callable[[Context, E], Awaitable[R]], /) -> Callable[[Context, E], Awaitable[R]]: ...
    @overload
    def __call__(self, function: Callable[[SyncContext, E], R], /) -> Callable[[SyncContext, E], R]: ...
    def __call__(self, function: Callable[..., object], /) -> Callable[..., object]:
        """
        Register a function.

        Raises:
            TypeError: It cannot be called with a context and an event.
        """
        self._take(function)
        return function


class MatchRegistration(Registration[E]):
    """What makes a handler of a function where `regex` is given: `ctx.match` is a match, and never None."""

    @overload
    def __call__(self, function: Callable[[Context, E], Awaitable[R]], /) -> Callable[[Context, E], Awaitable[R]]: ...
    @overload
    def __call__(self, function: Callable[[SyncContext, E], R], /) -> Callable[[SyncContext, E], R]: ...
    @overload
    def __call__(
        self, function: Callable[[Context[re.Match[str]], E], Awaitable[R]], /
    ) -> Callable[[Context[re.Match[str]], E], Awaitable[R]]: ...
    @overload
    def __call__(
        self, function: Callable[[SyncContext[re.Match[str]], E], R], /
    ) -> Callable[[SyncContext[re.Match[str]], E], R]: ...
    def __call__(self, function: Callable[..., object], /) -> Callable[..., object]:
        """
        Register a function.

        Raises:
            TypeError: It cannot be called with a context and an event.
        """
        self._take(function)
        return function


class Router:
    """
    Handlers, in the order in which they are asked.

    A program of several modules has a router in each, and its bot includes them.
    """

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._included: list[Router] = []
        self._unfinished: set[Registration[Any]] = set()
        """Made by `on` and not applied to a function."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({sum(len(each._handlers) for each in self.routers())} handlers)"

    @overload
    def on(  # type: ignore[overload-overlap]  # a class can be called as well, and is no predicate
        self,
        kind: type[E],
        other: type[F],
        /,
        *predicates: Predicate,
        regex: str | re.Pattern[str],
        **conditions: Unpack[OtherConditions],
    ) -> MatchRegistration[E | F]: ...
    @overload
    def on(  # type: ignore[overload-overlap]  # the same
        self,
        kind: type[E],
        /,
        *predicates: Predicate,
        regex: str | re.Pattern[str],
        **conditions: Unpack[OtherConditions],
    ) -> MatchRegistration[E]: ...
    @overload
    def on(
        self, *predicates: Predicate, regex: str | re.Pattern[str], **conditions: Unpack[OtherConditions]
    ) -> MatchRegistration[Message]: ...
    @overload
    def on(  # type: ignore[overload-overlap]  # the same
        self, kind: type[E], other: type[F], /, *predicates: Predicate, **conditions: Unpack[Conditions]
    ) -> Registration[E | F]: ...
    @overload
    def on(  # type: ignore[overload-overlap]  # the same
        self, kind: type[E], /, *predicates: Predicate, **conditions: Unpack[Conditions]
    ) -> Registration[E]: ...
    @overload
    def on(self, *predicates: Predicate, **conditions: Unpack[Conditions]) -> Registration[Message]: ...
    def on(self, *kinds_and_predicates: type[Event] | Predicate, **conditions: Unpack[Conditions]) -> Registration[Any]:
        """
        Register a handler: `@bot.on(TextMessage, text="ping")`.

        It is called with a context and the event; a plain function runs in a thread, with a `SyncContext`. Of all
        handlers the first that fits gets an event, and no other.

        Args:
            kinds_and_predicates: Kinds of events, one of which it must be; none: any message. Then functions, which
                are asked last, with the event or with the context and the event, and may be asynchronous. Changes of
                contacts and activity of the phone come only to a handler that names their kind.
            conditions: What else must be so, as `Conditions` says.

        Raises:
            TypeError: Something given is of no kind that it can be.
            ValueError: No event could ever fit.
        """
        kinds = tuple(each for each in kinds_and_predicates if isinstance(each, type))
        predicates = tuple(each for each in kinds_and_predicates if not isinstance(each, type))

        # Mistakes are told where they were made, before there is a function.
        Handler(_no_function, kinds, predicates, conditions)
        make = MatchRegistration[Any] if "regex" in conditions else Registration[Any]
        registration = make(lambda function: take(function))

        def take(function: Callable[..., object]) -> None:
            self._handlers.append(Handler(function, kinds, predicates, conditions))
            self._unfinished.discard(registration)

        self._unfinished.add(registration)
        return registration

    def include(self, router: Router) -> None:
        """
        Ask another router's handlers as well, after one's own and those of routers included before.

        Raises:
            TypeError: It is no router.
            ValueError: It includes this one.
        """
        if not isinstance(router, Router):
            raise TypeError(f"Only a router can be included, such as `greetings.router`; {router!r} is none.")
        if any(each is self for each in router.routers()):
            raise ValueError("A router cannot include itself.")
        self._included.append(router)

    def routers(self) -> Iterator[Router]:
        """Yield this router and all that it includes, in their order."""
        yield self
        for each in self._included:
            yield from each.routers()

    def handlers(self) -> Iterator[Handler]:
        """
        Yield all handlers, in the order in which they are asked.

        Raises:
            ValueError: An `on` has no function, as when its parentheses were forgotten.
        """
        for router in self.routers():
            if router._unfinished:
                raise ValueError("An `on` stands before no function; write `@bot.on(…)`, with its parentheses.")
            yield from router._handlers


class Handler:
    """A function, and what an event must be for it."""

    def __init__(
        self,
        function: Callable[..., Any],
        kinds: tuple[type, ...],
        predicates: tuple[Predicate, ...],
        conditions: Conditions,
    ) -> None:
        check_takes(function, 2, "A handler is called with a context and an event")
        for kind in kinds:
            if not issubclass(kind, Event):
                raise TypeError(f"{kind.__name__} is no kind of event.")
        choices = dict(conditions)
        self.function = function
        self.name: str = name_of(function)
        """Part of its sends' keys."""
        self.is_plain: bool = not is_asynchronous(function)
        """It runs in a thread."""
        self.kinds: tuple[type[Event], ...] = kinds or (Message,)
        self.takes_own: bool = make_flag("own", choices.pop("own", False))
        self.takes_backlog: bool = make_flag("backlog", choices.pop("backlog", True))
        self.regex: re.Pattern[str] | None = make_regex(choices.pop("regex")) if "regex" in choices else None
        self._predicates = tuple((name_of(each), _with_context(each)) for each in predicates)
        self._whoms = {
            keyword: Whom(keyword, choices.pop(keyword), self.name)
            for keyword in ("chat", "sender")
            if keyword in choices
        }
        self._names = {keyword: names_in(conditions[keyword]) for keyword in self._whoms}
        """The names and ids that `chat` and `sender` give, by keyword."""
        self._needs = tuple(keyword for keyword in ("group", "mentions_me") if choices.get(keyword) is True)
        """Keywords that only match in a chatroom."""
        self.asks: bool = bool(self._whoms or self._predicates)
        """Some conditions are left to `refusal`."""
        self._tested: tuple[str, ...] = tuple(choices)
        self._tests: tuple[Test, ...] = tuple(make_test(keyword, choices[keyword]) for keyword in choices)
        fields = {FIELDS[each]: each for each in conditions if each in FIELDS}
        self._fields = fields.keys()
        for kind in self.kinds:
            for field, keyword in fields.items():
                if not any(hasattr(each, field) for each in _with_subclasses(kind)):
                    raise ValueError(f"{keyword}= can never be so: {kind.__name__} has no {field}.")

    def __repr__(self) -> str:
        return f"Handler({self.name})"

    def unreachable(self, account: Account) -> str:
        """
        Return why no event of File Transfer Helper, which has one chat and no contacts, can match; empty if one can.

        Args:
            account: The account that is logged in there.

        """
        if all(issubclass(kind, CONTACT_EVENTS) for kind in self.kinds):
            return f"there is no {' or '.join(kind.__name__ for kind in self.kinds)} event"
        if self._needs:
            return f"{self._needs[0]}=True needs a chatroom"
        own = {FILEHELPER, FILEHELPER_NAME, account.id, account.nickname}
        for keyword, names in self._names.items():
            if names and own.isdisjoint(names):
                return f"{keyword}= names another contact"
        return ""

    def is_for(self, kind: type[Event]) -> bool:
        """Say whether it could get an event of just this kind."""
        is_quiet = issubclass(kind, QUIET)
        return all(hasattr(kind, field) for field in self._fields) and any(
            issubclass(kind, each) and (not is_quiet or issubclass(each, QUIET)) for each in self.kinds
        )

    def start(self, context: Context) -> Awaitable[object]:
        """Call its function, if that is asynchronous."""
        awaited: Awaitable[object] = self.function(context, context.event)
        return awaited

    def fits(self, context: Context) -> bool:
        """Say whether all is so that can be told at once, but for `own`; the context learns what the pattern found."""
        event = context.event
        if event.backlog and not self.takes_backlog:
            return False
        for test in self._tests:
            if not test(context.client, event):
                return False
        context.match = None if self.regex is None else self.regex.search(_text(event))
        return self.regex is None or context.match is not None

    def mismatch(self, context: Context) -> str:
        """Return which condition `fits` found not to hold, in words for a log."""
        event = context.event
        if event.backlog and not self.takes_backlog:
            return "backlog= is False and the message is older than this run"
        for keyword, test in zip(self._tested, self._tests, strict=True):
            if not test(context.client, event):
                return f"{keyword}= does not match"
        return "regex= does not match"

    async def refusal(self, context: Context) -> str:
        """Check the conditions that `fits` leaves out; return the one that does not hold, empty if all of them hold."""
        for keyword, whom in self._whoms.items():
            if not await whom.fits(context.client, context.event):
                return f"{keyword}= does not match"
        for name, predicate in self._predicates:
            answer = predicate(context, context.event)
            if not (await answer if inspect.isawaitable(answer) else answer):
                return f"{name} returned a false value"
        return ""


class Routes:
    """The handlers of a router, by the kinds of events they could be for."""

    def __init__(self, router: Router) -> None:
        self.all: tuple[Handler, ...] = tuple(router.handlers())
        """Every handler, in the order in which they are tried."""
        self._by_kind: dict[type[Event], tuple[Handler, ...]] = {}

    def of(self, kind: type[Event]) -> tuple[Handler, ...]:
        """Give those that could get an event of a kind, in the order in which they are asked."""
        found = self._by_kind.get(kind)
        if found is None:
            found = self._by_kind[kind] = tuple(each for each in self.all if each.is_for(kind))
        return found


def check_takes(function: object, count: int, rule: str) -> None:
    """
    Make sure that something can be called with so many arguments.

    Raises:
        TypeError: It cannot.
    """
    if not callable(function):
        raise TypeError(f"{rule}; {function!r} cannot be called.")
    if _takes(function, count) is False:
        arguments = "1 argument" if count == 1 else f"{count} arguments"
        raise TypeError(f"{rule}; {name_of(function)} does not take {arguments}.")


def name_of(function: Callable[..., object]) -> str:
    """Give a function's name, or what kind of object is called."""
    inner = function.func if isinstance(function, partial) else function
    name: str = getattr(inner, "__qualname__", type(inner).__qualname__)
    return name


def _takes(function: Callable[..., object], count: int) -> bool | None:
    """Say whether a function takes so many arguments; None when it does not tell."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        return None
    return True


def _with_context(predicate: Predicate) -> Callable[[Context, Event], object]:
    """Give a predicate in the form that is called with the context and the event."""
    if not callable(predicate):
        raise TypeError(
            "Behind `on` stand kinds of events, one beside the other, then functions, then keywords such as text=; "
            f"{predicate!r} is none of these."
        )
    if _takes(predicate, 1) is not False:
        return lambda _, event: predicate(event)
    check_takes(predicate, 2, "A predicate is called with an event, or with a context and an event")
    return predicate


def _with_subclasses(kind: type[Event]) -> Iterator[type[Event]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _with_subclasses(each)


def _no_function(_ctx: Context, _event: Event) -> None:
    """Stand for the function that is not there yet."""
