"""
Routers: choose the handler of an event.

Handlers are tried in the order in which they were registered, a router's own before those of the routers that it
includes; the first handler that matches gets the event. The handlers that accept an event class are computed once per
class.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from webwx.bot.arguments import answer_of, levelled
from webwx.bot.commands import COMMAND_EVENTS, Command
from webwx.bot.conditions import Filter, condition_of
from webwx.bot.failures import calling_place
from webwx.bot.filters import (
    FIELDS,
    ContactFilter,
    EventKeywords,
    FilterKeywords,
    FilterKeywordsWithoutRegex,
    make_check,
    make_flag,
    make_regex,
    names_in,
)
from webwx.bot.handler_calls import ErrorHandler, HandlerCall, check_kinds, check_middleware
from webwx.bot.http_handlers import HttpHandler, check_methods, check_path
from webwx.bot.injection import Factory, InjectedParameters, ProvidedValue, Providers
from webwx.bot.signatures import check_injectable, further_parameters, name_of, place_of
from webwx.bot.steps import step_names, steps_in
from webwx.bot.threads import is_asynchronous
from webwx.model.contacts import FILEHELPER, FILEHELPER_NAME
from webwx.model.messages import Event, Message, TextMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
    from typing import Unpack

    from webwx.bot.arguments import Argument
    from webwx.bot.commands import CommandAnswers
    from webwx.bot.conditions import Condition, FilterFunction
    from webwx.bot.context import Context
    from webwx.bot.filters import EventCheck
    from webwx.bot.handler_calls import Middleware
    from webwx.bot.injection import CallPlan
    from webwx.bot.steps import Step
    from webwx.bot.sync_context import SyncContext
    from webwx.model.login import Account


_text = attrgetter("text")

_NOTHING = HandlerCall()

E = TypeVar("E", bound=Event)
F = TypeVar("F", bound=Event)
R = TypeVar("R")
P = ParamSpec("P")
M = TypeVar("M", bound="Middleware")
Function = TypeVar("Function", bound="Callable[..., object]")


class Registration(Generic[E]):
    """A decorator that registers a function as a handler and returns the function."""

    def __init__(self, take: Callable[[Callable[..., object]], object]) -> None:
        self._take = take

    @overload
    def __call__(
        self, function: Callable[Concatenate[Context, E, P], Awaitable[R]], /
    ) -> Callable[Concatenate[Context, E, P], Awaitable[R]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[SyncContext, E, P], R], /
    ) -> Callable[Concatenate[SyncContext, E, P], R]: ...
    def __call__(self, function: Callable[..., object], /) -> Callable[..., object]:
        """
        Register a function.

        Raises:
            TypeError: The function cannot be called with a context and an event.
        """
        self._take(function)
        return function


class MatchRegistration(Registration[E]):
    """The decorator of a handler with `regex`, whose `ctx.match` is never None."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Context, E, P], Awaitable[R]], /
    ) -> Callable[Concatenate[Context, E, P], Awaitable[R]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[SyncContext, E, P], R], /
    ) -> Callable[Concatenate[SyncContext, E, P], R]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Context[re.Match[str]], E, P], Awaitable[R]], /
    ) -> Callable[Concatenate[Context[re.Match[str]], E, P], Awaitable[R]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[SyncContext[re.Match[str]], E, P], R], /
    ) -> Callable[Concatenate[SyncContext[re.Match[str]], E, P], R]: ...
    def __call__(self, function: Callable[..., object], /) -> Callable[..., object]:
        """
        Register a function.

        Raises:
            TypeError: The function cannot be called with a context and an event.
        """
        self._take(function)
        return function


class Router:
    """
    Handlers, in the order in which they are tried.

    A program of several modules has a router in each module, and its bot includes them.
    """

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._http_handlers: list[HttpHandler] = []
        self._included: list[Router] = []
        self._providers = Providers()
        self._middleware: list[Middleware] = []
        """Middleware, the outermost first."""
        self._error_handlers: list[ErrorHandler] = []
        self._unfinished: dict[Registration[Any], str] = {}
        """Decorators that `on` returned and that were not applied to a function, with the lines that called `on`."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({sum(len(each._handlers) for each in self.routers())} handlers)"

    @overload
    def on(  # type: ignore[overload-overlap]  # a class is callable as well, and is no filter function
        self,
        kind: type[E],
        other: type[F],
        /,
        *filters: FilterFunction | Filter,
        regex: str | re.Pattern[str],
        **keywords: Unpack[FilterKeywordsWithoutRegex],
    ) -> MatchRegistration[E | F]: ...
    @overload
    def on(  # type: ignore[overload-overlap]  # the same
        self,
        kind: type[E],
        /,
        *filters: FilterFunction | Filter,
        regex: str | re.Pattern[str],
        **keywords: Unpack[FilterKeywordsWithoutRegex],
    ) -> MatchRegistration[E]: ...
    @overload
    def on(
        self, *filters: FilterFunction | Filter, regex: str | re.Pattern[str], **keywords: Unpack[EventKeywords]
    ) -> MatchRegistration[Message]: ...
    @overload
    def on(
        self, *filters: FilterFunction | Filter, command: str | tuple[str, ...], **keywords: Unpack[EventKeywords]
    ) -> Registration[TextMessage]: ...
    @overload
    def on(  # type: ignore[overload-overlap]  # the same
        self, kind: type[E], other: type[F], /, *filters: FilterFunction | Filter, **keywords: Unpack[FilterKeywords]
    ) -> Registration[E | F]: ...
    @overload
    def on(  # type: ignore[overload-overlap]  # the same
        self, kind: type[E], /, *filters: FilterFunction | Filter, **keywords: Unpack[FilterKeywords]
    ) -> Registration[E]: ...
    @overload
    def on(self, *filters: FilterFunction | Filter, **keywords: Unpack[FilterKeywords]) -> Registration[Message]: ...
    def on(
        self, *event_types_and_filters: type[Event] | FilterFunction | Filter, **keywords: Unpack[FilterKeywords]
    ) -> Registration[Any]:
        """
        Register a handler: `@bot.on(TextMessage, text="ping")`.

        The handler is called with a context and the event; a plain function runs in a thread, with a `SyncContext`.
        Each event goes to the first handler that matches, and to no other.

        Args:
            event_types_and_filters: Event classes, then filter functions. The event must have one of the classes;
                without a class, every message matches, or every text if there is a `command`. Filter functions are
                called after the keywords were checked, with the event or with the context and the event, and may be
                asynchronous. Changes of contacts and phone activity go only to handlers that name their class.
            keywords: Further filters, see `FilterKeywords`.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: No event can match.
        """
        event_types = tuple(each for each in event_types_and_filters if isinstance(each, type))
        filters = tuple(each for each in event_types_and_filters if not isinstance(each, type))

        # Raises for wrong arguments here, where they were written, and not when the decorator is applied.
        Handler(_placeholder, event_types, filters, keywords)
        make = MatchRegistration[Any] if "regex" in keywords else Registration[Any]
        registration = make(lambda function: take(function))

        def take(function: Callable[..., object]) -> None:
            self._handlers.append(Handler(function, event_types, filters, keywords))
            self._unfinished.pop(registration, None)

        self._unfinished[registration] = calling_place()
        return registration

    def on_http(self, path: str, *, methods: Collection[str] = ("POST",)) -> Callable[[Function], Function]:
        """
        Register a handler of HTTP requests: `@bot.on_http("/deploy")` above `async def deploy(ctx, request)`.

        A gateway calls it for requests to `/bots/<name of the bot>/deploy` with a key that has the scope `bots`; see
        `webwx serve --bot`. The handler returns a text, None (204), an `HttpResponse`, or anything that can be written
        as JSON. A plain function runs in a thread, with a `SyncContext`. Its context has no event and no chat, so a
        send names its recipient; a request that is repeated with the same `Idempotency-Key` sends nothing twice.

        Args:
            path: Path below the bot's, such as `/deploy`.
            methods: Methods of the requests that it handles.

        Raises:
            TypeError: The function cannot be called with a context and a request.
            ValueError: The path or a method is invalid.
        """
        check_path(path)
        check_methods(methods)

        def note(function: Function) -> Function:
            self._http_handlers.append(HttpHandler(function, path, methods))
            return function

        return note

    def include(self, router: Router) -> None:
        """
        Try another router's handlers too, after this router's own and those of the routers included before.

        Raises:
            TypeError: The argument is not a router.
            ValueError: That router includes this one.
        """
        if not isinstance(router, Router):
            raise TypeError(f"include() takes a router, such as `greetings.router`; got {router!r}.")
        if any(each is self for each in router.routers()):
            raise ValueError("A router cannot include itself, directly or through another router.")
        self._included.append(router)

    def provide(self, *values: object, **named: object) -> None:
        """
        Provide values to the functions of this router and of those that it includes.

        A function gets a value by a parameter of that name, as in `async def handler(ctx, event, *, settings)`, or by
        a parameter that has its type as annotation. An included router's own values come first.

        Args:
            values: Values that are found by their type.
            named: Values that are found by their name or by their type.

        Raises:
            TypeError: A value without a name has one of Python's own types, such as `str`.
            ValueError: The router provides something under this name already.
        """
        for value in values:
            self._providers.add_value(value)
        for name, value in named.items():
            self._providers.add(name, ProvidedValue(value))

    def provider(self, function: Function) -> Function:
        """
        Provide the result of a function, which is called for each call, under its name and its return annotation.

        The function is called in the event loop with the context, or without arguments, and may be asynchronous. It may
        `yield` the value: the code after the `yield` runs when the handler has ended, and a failure of the handler is
        raised at the `yield`.

        Raises:
            TypeError: The function takes other arguments.
            ValueError: The router provides something under this name already.
        """
        name = name_of(function).rpartition(".")[2]
        self._providers.add(name, Factory(function))
        return function

    def middleware(self, function: M) -> M:
        """
        Wrap every call of a handler in a function: `async def timed(ctx, event, proceed): await proceed()`.

        It wraps the handlers of this router and of those that it includes. Middleware of an including router is outside
        of that of an included one; within a router the first one that is registered is the outermost. If it does not
        call `proceed`, the handler is not called, and the event is acknowledged.

        Raises:
            TypeError: The function is not asynchronous, or does not take these arguments.
        """
        check_middleware(function)
        self._middleware.append(function)
        return function

    def error(self, *kinds: type[Exception]) -> Callable[[Function], Function]:
        """
        Handle errors of some classes: `@bot.error(OutOfStock)` above `async def sold_out(ctx, event, error)`.

        The function is called when a handler of this router, or of one that it includes, or its middleware, raises such
        an error. The first one that fits is called: those of the handler's own router first, then those of the routers
        around it. When it has returned, the event counts as handled; the handler has changed no state, and the function
        may change it. If it raises, that error is the failure. Errors of a bot's timers go to the bot's own functions,
        with None for the event. A plain function runs in a thread, with a `SyncContext`.

        Args:
            kinds: Classes of exceptions. `NoAnswer` and `ReplyLimitReached`, which are no failures, are passed only to
                a function that names them.

        Raises:
            TypeError: A value is no class of exceptions, or the function does not take these arguments.
        """
        check_kinds(kinds)

        def note(function: Function) -> Function:
            self._error_handlers.append(ErrorHandler(function, kinds))
            return function

        return note

    def routers(self) -> Iterator[Router]:
        """Yield this router and all routers that it includes, in their order."""
        yield self
        for each in self._included:
            yield from each.routers()

    def handlers(self) -> Iterator[Handler]:
        """
        Yield all handlers, in the order in which they are tried.

        Raises:
            ValueError: A decorator of `on` was not applied to a function.
        """
        for router in self.routers():
            for place in router._unfinished.values():
                raise ValueError(
                    f"The decorator of on() at {place} was not applied to a function; write `@bot.on(…)` with its "
                    "parentheses above a function."
                )
            yield from router._handlers

    def handler_calls(
        self, outer: HandlerCall = _NOTHING, outer_providers: tuple[Providers, ...] = ()
    ) -> Iterator[tuple[Handler, HandlerCall]]:
        """
        Yield each handler with the way in which it is called.

        Args:
            outer: Middleware and error handlers of the routers that include this one.
            outer_providers: The providers of the routers that include this one, the innermost first.

        Raises:
            TypeError: No value is provided for a parameter of a handler, of middleware or of an error handler.
        """
        around = self.surroundings(outer, outer_providers)
        chain = (self._providers, *outer_providers)
        for handler in self._handlers:
            yield handler, around._replace(plan=handler.injected.plan(chain) if handler.injected else None)
        for router in self._included:
            yield from router.handler_calls(around, chain)

    def surroundings(self, outer: HandlerCall = _NOTHING, outer_providers: tuple[Providers, ...] = ()) -> HandlerCall:
        """Return the middleware and the error handlers around this router's handlers; see `handler_calls`."""
        chain = (self._providers, *outer_providers)
        return HandlerCall(
            middleware=(*outer.middleware, *((each, _plan(each, chain)) for each in self._middleware)),
            error_handlers=(
                *((each, _plan(each.function, chain)) for each in self._error_handlers),
                *outer.error_handlers,
            ),
        )

    def http_handlers(self, outer: tuple[Providers, ...] = ()) -> Iterator[tuple[HttpHandler, CallPlan | None]]:
        """
        Yield each HTTP handler with the plan of its injected parameters; None for a handler without such parameters.

        Args:
            outer: The providers of the routers that include this one, the innermost first.

        Raises:
            TypeError: No value is provided for a parameter.
        """
        chain = (self._providers, *outer)
        for handler in self._http_handlers:
            yield handler, handler.injected.plan(chain) if handler.injected else None
        for router in self._included:
            yield from router.http_handlers(chain)

    def plan_call(self, function: Callable[..., object]) -> CallPlan | None:
        """
        Return the plan of a function other than a handler; None if it has no injected parameters.

        Raises:
            TypeError: No value is provided for a parameter.
        """
        return _plan(function, (self._providers,))


def _plan(function: Callable[..., object], chain: tuple[Providers, ...]) -> CallPlan | None:
    injected = InjectedParameters(function)
    return injected.plan(chain) if injected else None


class Handler:
    """A function and the filters that an event has to pass."""

    def __init__(
        self,
        function: Callable[..., Any],
        event_types: tuple[type, ...],
        filters: tuple[FilterFunction | Filter, ...],
        keywords: FilterKeywords,
    ) -> None:
        for kind in event_types:
            if not issubclass(kind, Event):
                raise TypeError(f"{kind.__name__} is not an event class.")
        rule = "A handler is called with a context and an event"
        choices: dict[str, Any] = dict(keywords)
        self.command: Command | None = None
        """The command whose words are the handler's further arguments; None: a handler without a command."""
        if "command" in choices:
            self.command = Command(function, choices.pop("command"), further_parameters(function, 2, rule))
        self.answer: Argument | None = None if "state" not in choices or self.command else answer_of(function, rule)
        """The parameter that gets the text as a value of its type, for a handler with `state`; None without one."""
        if self.command is None and self.answer is None:
            check_injectable(function, 2, rule)
        self.function = function
        self.name: str = name_of(function)
        """Name of the handler, which is part of the idempotency keys of its sends."""
        self.is_plain: bool = not is_asynchronous(function)
        """Whether the handler is a plain function, which runs in a thread."""
        self.injected: InjectedParameters = InjectedParameters(function)
        """The parameters that get injected values."""
        self.is_direct: bool = not (self.is_plain or self.injected or self.command or self.answer)
        """Whether a call of the handler needs only `start`."""
        self.event_types: tuple[type[Event], ...] = event_types or (
            (Message,) if self.command is None and self.answer is None else (TextMessage,)
        )
        self.takes_own: bool = make_flag("own", choices.pop("own", False))
        self.takes_backlog: bool = make_flag("backlog", choices.pop("backlog", True))
        self.regex: re.Pattern[str] | None = make_regex(choices.pop("regex")) if "regex" in choices else None
        self._conditions = (*filters, *((keyword, value) for keyword, value in choices.items()))
        """The filters except `own`, `backlog` and `command`."""
        self._filters = tuple(_condition(each) for each in filters)
        self._contact_filters = {
            keyword: ContactFilter(keyword, choices.pop(keyword), self.name)
            for keyword in ("chat", "sender")
            if keyword in choices
        }
        self.steps: dict[str, Step] = steps_in(choices.get("state"))
        """The steps in `state`, by their names."""
        self._steps = step_names(choices.pop("state")) if "state" in choices else None
        """Names of the steps that `state` accepts; None: any."""
        self._names = {keyword: names_in(keywords[keyword]) for keyword in self._contact_filters}
        """The names and ids in `chat` and `sender`, by keyword."""
        self._needs = tuple(keyword for keyword in ("group", "mentions_me") if choices.get(keyword) is True)
        """Keywords that match only in a chatroom."""
        self.has_async_filters: bool = bool(self._contact_filters or self._filters or self._steps is not None)
        """Whether some filters may wait; `reason_for_refusal` applies them."""
        checks = {keyword: make_check(keyword, value) for keyword, value in choices.items()}
        if self.command is not None:
            checks["command"] = self.command.matches
        self._checked: tuple[str, ...] = tuple(checks)
        self._checks: tuple[EventCheck, ...] = tuple(checks.values())
        fields = {FIELDS[each]: f"{each}=" for each in keywords if each in FIELDS}
        if self.answer is not None:
            fields["text"] = f"The parameter {self.answer.name!r}"
        self._fields = fields.keys()
        for kind in self.event_types:
            for field, what in fields.items():
                if not any(hasattr(each, field) for each in _with_subclasses(kind)):
                    raise ValueError(f"{what} can never match: {kind.__name__} has no {field}.")
            if self.command is not None and not any(issubclass(each, kind) for each in COMMAND_EVENTS):
                raise ValueError(f"command= can never match: no {kind.__name__} is a text that a person wrote.")

    def __repr__(self) -> str:
        return f"Handler({self.name})"

    def unreachable(self, account: Account) -> str:
        """
        Return why no event of File Transfer Helper (one chat, no contacts) can match; empty if some event can match.

        Args:
            account: The account that is logged in there.

        """
        if all(kind.needs_contacts for kind in self.event_types):
            return f"there is no {' or '.join(kind.__name__ for kind in self.event_types)} event"
        if self._needs:
            return f"{self._needs[0]}=True needs a chatroom"
        own = {FILEHELPER, FILEHELPER_NAME, account.id, account.nickname}
        for keyword, names in self._names.items():
            if names and own.isdisjoint(names):
                return f"{keyword}= names another contact"
        return ""

    def accepts(self, kind: type[Event]) -> bool:
        """Return whether events of exactly this class can match."""
        return all(hasattr(kind, field) for field in self._fields) and any(
            issubclass(kind, each) and (not kind.is_quiet or each.is_quiet) for each in self.event_types
        )

    def takes_all_of(self, other: Handler) -> bool:
        """Return whether this handler certainly matches every event that another handler matches."""
        return (
            all(issubclass(kind, self.event_types) for kind in other.event_types)
            and (self.takes_own or not other.takes_own)
            and (self.takes_backlog or not other.takes_backlog)
            and all(each in other._conditions for each in self._conditions)
        )

    def start(self, context: Context) -> Awaitable[object]:
        """Call the asynchronous function of this handler."""
        awaited: Awaitable[object] = self.function(context, context.event)
        return awaited

    def matches(self, context: Context) -> bool:
        """Return whether an event passes all filters that never wait, except `own`; store the match of `regex`."""
        event = context.event
        if event.backlog and not self.takes_backlog:
            return False
        for check in self._checks:
            if not check(context, event):
                return False
        if self.answer is not None and not self.answer.accepts(_text(event)):
            return False
        context.match = None if self.regex is None else self.regex.search(_text(event))
        return self.regex is None or context.match is not None

    def reason_for_mismatch(self, context: Context) -> str:
        """Return, as a text for the log, which filter did not pass in `matches`."""
        event = context.event
        if event.backlog and not self.takes_backlog:
            return "backlog= is False and the message is older than this run"
        for keyword, check in zip(self._checked, self._checks, strict=True):
            if not check(context, event):
                return f"{keyword}= does not match"
        if self.answer is not None and not self.answer.accepts(_text(event)):
            return f"the text does not fit the parameter {self.answer.name}"
        return "regex= does not match"

    async def reason_for_refusal(self, context: Context) -> str:
        """Apply the filters that `matches` leaves out; return which filter does not pass, empty if all pass."""
        for keyword, contact_filter in self._contact_filters.items():
            if not await contact_filter.matches(context.client, context.event):
                return f"{keyword}= does not match"
        if self._steps is not None and await context.state.get_step() not in self._steps:
            return "state= does not match"
        for condition in self._filters:
            reason = condition.check(context, context.event)
            if not isinstance(reason, str):
                reason = await reason
            if reason:
                return reason
        return ""


def check_commands(handlers: Iterable[Handler], prefixes: Iterable[str] = ()) -> None:
    """
    Raise an error if a command can never be called.

    Args:
        handlers: The handlers, in the order in which they are tried.
        prefixes: The prefixes of commands.

    Raises:
        ValueError: An earlier handler has the same command and takes all of its events, or its name has a prefix.
    """
    by_name: dict[str, list[Handler]] = {}
    for handler in handlers:
        for prefix in prefixes if handler.command is not None and "" not in prefixes else ():
            if handler.command is not None and any(name.startswith(prefix) for name in handler.command.names):
                raise ValueError(
                    f"The command of {handler.name} at {place_of(handler.function)} begins with {prefix!r}, a prefix "
                    "of the bot's commands; write its name without it."
                )
        for name in () if handler.command is None else handler.command.keys:
            for earlier in by_name.setdefault(name, []):
                if earlier is not handler and earlier.takes_all_of(handler):
                    raise ValueError(
                        f"{handler.name} at {place_of(handler.function)} is never called: {earlier.name} at "
                        f"{place_of(earlier.function)} has the command {name!r} as well. Give one of them another "
                        "command, or filters that differ, such as group=True."
                    )
            by_name[name].append(handler)


def make_help(handlers: Iterable[Handler], names: tuple[str, ...], answers: CommandAnswers) -> Iterator[Handler]:
    """Yield the help handler, which lists the commands of other handlers, unless all of its names are taken."""
    taken = set[str]()
    for each in handlers:
        if each.command is not None:
            answers.add(each.command)
            taken |= each.command.keys
    free = tuple(name for name in names if levelled(name) not in taken)
    if taken and free:
        handler = Handler(answers.show_help, (), (answers.is_allowed,), {"command": free})
        if handler.command is not None:
            answers.add_help(handler.command)
        yield handler


class Routes:
    """
    Handlers, by the event classes that they accept.

    Args:
        handlers: The handlers, in the order in which they are tried.
    """

    def __init__(self, handlers: Iterable[Handler]) -> None:
        self.all: tuple[Handler, ...] = tuple(handlers)
        """Every handler, in the order in which they are tried."""
        self._by_kind: dict[type[Event], tuple[Handler, ...]] = {}

    def of(self, kind: type[Event]) -> tuple[Handler, ...]:
        """Return the handlers that accept an event class, in the order in which they are tried."""
        found = self._by_kind.get(kind)
        if found is None:
            found = self._by_kind[kind] = tuple(each for each in self.all if each.accepts(kind))
        return found


def _condition(filter_: FilterFunction | Filter) -> Condition:
    """Return the condition of an argument of `on` that is not an event class."""
    if not callable(filter_) and not isinstance(filter_, Filter):
        raise TypeError(
            f"on() takes event classes, filters and keywords such as text=; got {filter_!r}.{_suggestion(filter_)}"
        )
    return condition_of(filter_)


def _suggestion(value: object) -> str:
    """Return a question with the event class that a text was probably meant for; empty if there is no similar class."""
    if not isinstance(value, str):
        return ""
    classes = {
        name.replace("_", "").lower(): kind.__name__
        for kind in _with_subclasses(Event)
        for name in (kind.__name__, str(kind.__struct_config__.tag))
    }
    close = get_close_matches(value.replace("_", "").lower(), classes, n=1, cutoff=0.8)
    return f" Did you mean {classes[close[0]]}?" if close else ""


def _with_subclasses(kind: type[Event]) -> Iterator[type[Event]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _with_subclasses(each)


def _placeholder(_ctx: Context, _event: Event) -> None:
    """Take the place of the function until the decorator is applied."""
