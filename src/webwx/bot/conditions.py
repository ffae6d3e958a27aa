"""
Conditions: filter functions and keywords that combine with `&`, `|` and `~`.

A condition returns why an event does not match, so that the log of debug mode can name the part of a combination that
failed. Only conditions that have to wait return an awaitable.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from webwx.bot.filters import CONDITION_KEYWORDS, FIELDS, ConditionKeywords, ContactFilter, make_check, make_regex
from webwx.bot.signatures import accepts_arguments, check_signature, name_of
from webwx.bot.steps import step_names

if TYPE_CHECKING:
    from typing import Unpack

    from webwx.bot.context import Context
    from webwx.model.messages import Event

    FilterFunction = Callable[..., object]
    """Called with an event, or with a context and an event, asynchronous or not; a true value lets the event pass."""

    Check = Callable[[Context, Event], str | Awaitable[str]]
    """Returns why an event does not match; empty if it does."""


class Condition(NamedTuple):
    """A check with a name for the log."""

    name: str
    check: Check


class Filter:
    """
    A condition on events, which combines with others: `a & b`, `a | b`, `~a`.

    `Filter(is_long, group=True)` has the same filter functions and keywords as `on`, and all have to match. An event
    without the field of a keyword does not match. `@Filter` above a function makes a filter of it. One side of `&` and
    `|` may be a plain filter function.

    Args:
        functions: Filter functions and other filters.
        keywords: The keywords of `on`, except `own`, `backlog` and `command`.

    Raises:
        TypeError: There is neither a function nor a keyword, or an argument has the wrong type.
        ValueError: A contact's name is empty, or a pattern cannot be compiled.
    """

    def __init__(self, *functions: FilterFunction | Filter, **keywords: Unpack[ConditionKeywords]) -> None:
        conditions = [condition_of(each) for each in functions]
        conditions += [_keyword_condition(keyword, value) for keyword, value in keywords.items()]
        if not conditions:
            raise TypeError("Filter() takes filter functions and keywords such as text=; give at least one.")
        self.condition: Condition = conditions[0] if len(conditions) == 1 else _all_of(conditions)
        """The condition that an event has to meet."""

    def __repr__(self) -> str:
        return f"Filter({self.condition.name})"

    def __and__(self, other: FilterFunction | Filter) -> Filter:
        return Filter(self, other)

    def __rand__(self, other: FilterFunction) -> Filter:
        return Filter(other, self)

    def __or__(self, other: FilterFunction | Filter) -> Filter:
        return _combined(_any_of([self.condition, condition_of(other)]))

    def __ror__(self, other: FilterFunction) -> Filter:
        return _combined(_any_of([condition_of(other), self.condition]))

    def __invert__(self) -> Filter:
        return _combined(_negation(self.condition))


def _combined(condition: Condition) -> Filter:
    made = Filter.__new__(Filter)
    made.condition = condition
    return made


def condition_of(filter_: FilterFunction | Filter) -> Condition:
    """
    Return the condition of a filter or of a filter function.

    Raises:
        TypeError: The object is neither.
    """
    if isinstance(filter_, Filter):
        return filter_.condition
    takes_event_only = accepts_arguments(filter_, 1) is not False
    if not takes_event_only:
        check_signature(filter_, 2, "A filter is called with an event, or with a context and an event")
    name = name_of(filter_)
    reason = f"{name} returned a false value"

    def check(context: Context, event: Event) -> str | Awaitable[str]:
        answer = filter_(event) if takes_event_only else filter_(context, event)
        if inspect.isawaitable(answer):
            return check_later(answer)
        return "" if answer else reason

    async def check_later(answer: Awaitable[object]) -> str:
        return "" if await answer else reason

    return Condition(name, check)


def _keyword_condition(keyword: str, value: object) -> Condition:
    if keyword not in CONDITION_KEYWORDS:
        raise TypeError(
            f"Filter() has no keyword {keyword}=; it has {', '.join(f'{each}=' for each in CONDITION_KEYWORDS)}."
        )
    field, reason = FIELDS[keyword], f"{keyword}= does not match"
    if keyword in {"chat", "sender"}:
        contacts = ContactFilter(keyword, value, "Filter")

        async def check_contact(context: Context, event: Event) -> str:
            return "" if hasattr(event, field) and await contacts.matches(context.client, event) else reason

        return Condition(f"{keyword}=", check_contact)
    if keyword == "state":
        names = step_names(value)

        async def check_step(context: Context, event: Event) -> str:
            return "" if hasattr(event, field) and await context.state.get_step() in names else reason

        return Condition(f"{keyword}=", check_step)
    if keyword == "regex":
        pattern = make_regex(value)
        return Condition(
            f"{keyword}=",
            lambda _, event: "" if hasattr(event, field) and pattern.search(getattr(event, field)) else reason,
        )
    matches = make_check(keyword, value)
    return Condition(
        f"{keyword}=", lambda context, event: "" if hasattr(event, field) and matches(context, event) else reason
    )


# -- combinations ----------------------------------------------------------------------------------------------------


async def reason_of(condition: Condition, context: Context, event: Event) -> str:
    """Return why an event does not meet a condition; empty if it does."""
    reason = condition.check(context, event)
    return reason if isinstance(reason, str) else await reason


def _all_of(conditions: list[Condition]) -> Condition:
    async def check(context: Context, event: Event) -> str:
        for each in conditions:
            if reason := await reason_of(each, context, event):
                return reason
        return ""

    return Condition(f"({' & '.join(each.name for each in conditions)})", check)


def _any_of(conditions: list[Condition]) -> Condition:
    async def check(context: Context, event: Event) -> str:
        reasons: list[str] = []
        for each in conditions:
            reason = await reason_of(each, context, event)
            if not reason:
                return ""
            reasons.append(reason)
        return " and ".join(reasons)

    return Condition(f"({' | '.join(each.name for each in conditions)})", check)


def _negation(condition: Condition) -> Condition:
    async def check(context: Context, event: Event) -> str:
        return "" if await reason_of(condition, context, event) else f"~{condition.name} does not match"

    return Condition(f"~{condition.name}", check)
