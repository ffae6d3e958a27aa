"""
Arguments of commands: the words after a command, converted to the types of a handler's parameters.

Words are separated by blanks of any kind; a word that contains blanks is written in quotes. A last parameter of type
`str` takes the rest of the text as it was written, and `*names` takes all remaining words.
"""

from __future__ import annotations

import inspect
import math
import re
import typing
import unicodedata
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from operator import itemgetter
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import msgspec

from webwx.bot.command_texts import TEXTS
from webwx.bot.signatures import (
    accepts_arguments,
    further_parameters,
    hint_at_unknown_type,
    name_of,
    resolve_annotation,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webwx.bot.command_texts import Language

LONGEST_WORD = 100
"""Maximum length of a name, and of a value that is not a text; the time to normalize a text is quadratic."""

_WORD = re.compile(r"""(?:"([^"]*)"|'([^']*)'|“([^“”]*)”|‘([^‘’]*)’|「([^「」]*)」|＂([^＂]*)＂)(?!\S)\s*|(\S+)\s*""")
"""Pattern of a word, with or without quotes, and the blanks after it."""

_BOOLEANS = {
    "yes": True, "y": True, "true": True, "on": True, "1": True, "是": True, "开": True, "对": True,
    "no": False, "n": False, "false": False, "off": False, "0": False, "否": False, "关": False, "不": False,
}  # fmt: skip

_UNITS = {
    "d": 86400, "day": 86400, "days": 86400, "天": 86400,
    "h": 3600, "hour": 3600, "hours": 3600, "小时": 3600,
    "m": 60, "min": 60, "minute": 60, "minutes": 60, "分": 60, "分钟": 60,
    "s": 1, "sec": 1, "second": 1, "seconds": 1, "秒": 1,
}  # fmt: skip
"""Seconds of each unit of a duration."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(" + "|".join(sorted(_UNITS, key=len, reverse=True)) + ")")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


Texts = dict[str, str]
"""The texts of one language."""


class WrongArguments(Exception):
    """
    The words after a command do not fit its parameters.

    Args:
        explain: Returns a sentence in a language, for the author of the command, that names the wrong word.
    """

    def __init__(self, explain: Callable[[Texts], str]) -> None:
        super().__init__(explain(TEXTS["en"]))
        self._explain = explain

    def in_language(self, language: Language) -> str:
        """Return the sentence that names the wrong word."""
        return self._explain(TEXTS[language])


class CommandCall(msgspec.Struct, frozen=True):
    """A command as it was written."""

    prefix: str
    """The prefix, as the bot's author wrote it."""
    name: str
    """The name, in lower case."""
    text: str = ""
    """The text after the name."""


# -- words -----------------------------------------------------------------------------------------------------------


def levelled(word: str) -> str:
    """Return a word in lower case and normal width: `／ＨＥＬＰ` becomes `/help`; a very long word is not changed."""
    return word if len(word) > LONGEST_WORD else unicodedata.normalize("NFKC", word).casefold()


class Words:
    """
    The words of a text, taken one after another.

    Args:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        """Whether all words were taken."""
        return self._at == len(self._text)

    def take(self) -> str:
        """Return the next word, without its quotes; empty at the end."""
        found = _WORD.match(self._text, self._at)
        if found is None or found.lastindex is None:
            return ""
        self._at = found.end()
        return found[found.lastindex]

    def take_rest(self) -> str:
        """Return the rest as it was written; if it is one word in quotes, without the quotes."""
        rest = self._text[self._at :]
        word = self.take()
        if self.is_at_end:
            return word
        self._at = len(self._text)
        return rest


# -- types -----------------------------------------------------------------------------------------------------------


class WordType:
    """A type to which a word can be converted."""

    def __init__(
        self,
        convert: Callable[[str], object],
        expected: Callable[[Texts], str],
        label: str = "",
        *,
        is_text: bool = False,
    ) -> None:
        self.convert = convert
        """Returns the value of a word, or raises `ValueError`."""
        self.expected = expected
        """Returns a description of valid words in a language, such as `a whole number`."""
        self.label = label
        """Text that the usage shows in place of the parameter's name."""
        self.is_text = is_text
        """Whether the value is a text, so that a last parameter takes the rest of a command."""


def _narrow(word: str) -> str:
    """Return a word with narrow characters in place of full-width ones; raise `ValueError` if it is too long."""
    if len(word) > LONGEST_WORD:
        raise ValueError
    return unicodedata.normalize("NFKC", word)


def _to_bool(word: str) -> bool:
    found = _BOOLEANS.get(levelled(word))
    if found is None:
        raise ValueError
    return found


def _to_float(word: str) -> float:
    value = float(_narrow(word))
    if not math.isfinite(value):
        raise ValueError
    return value


def _to_decimal(word: str) -> Decimal:
    try:
        value = Decimal(_narrow(word))
    except InvalidOperation:
        raise ValueError from None
    # An exponent such as 1e999999999 would make a later conversion to an integer endless.
    if not value.is_finite() or abs(value.adjusted()) > LONGEST_WORD:
        raise ValueError
    return value


def _to_date(word: str) -> date:
    found = _DATE.fullmatch(_narrow(word))
    if found is None:
        raise ValueError
    year, month, day = map(int, found.groups())
    return date(year, month, day)


def _to_time(word: str) -> time:
    found = _TIME.fullmatch(_narrow(word))
    if found is None:
        raise ValueError
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return time(hours, minutes, seconds)


def _to_duration(word: str) -> timedelta:
    word = _narrow(word).casefold()
    parts = _DURATION.findall(word)
    if not parts or "".join(number + unit for number, unit in parts) != word:
        raise ValueError
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError from None


_TYPES: dict[object, WordType] = {
    str: WordType(str, itemgetter("str"), is_text=True),
    int: WordType(int, itemgetter("int")),
    float: WordType(_to_float, itemgetter("float")),
    Decimal: WordType(_to_decimal, itemgetter("float")),
    bool: WordType(_to_bool, itemgetter("bool")),
    date: WordType(_to_date, itemgetter("date")),
    time: WordType(_to_time, itemgetter("time")),
    timedelta: WordType(_to_duration, itemgetter("timedelta")),
}


def _word_type(annotation: object) -> WordType | None:
    """Return how to convert a word to an annotated type; None if that is not possible."""
    if annotation in (inspect.Parameter.empty, typing.Any):
        return _TYPES[str]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _limited(_word_type(arguments[0]), [each for each in arguments if isinstance(each, msgspec.Meta)])
    if origin is Literal:
        return _one_of({str(each): each for each in arguments})
    if origin in (Union, UnionType):
        return _any_of([_word_type(each) for each in arguments if each is not NoneType])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _one_of({str(each.value): each for each in annotation}, {each.name: each for each in annotation})
    return _TYPES.get(annotation)


def _limited(kind: WordType | None, limits: Sequence[msgspec.Meta]) -> WordType | None:
    """Return a type whose values have to be within limits, such as `msgspec.Meta(ge=1, le=120)`."""
    if kind is None or not limits:
        return kind

    def convert(word: str) -> object:
        value: Any = kind.convert(word)
        if not all(_is_within(value, each) for each in limits):
            raise ValueError
        return value

    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    bounds = [
        f"{sign} {getattr(each, name)}"
        for each in limits
        for name, sign in signs.items()
        if getattr(each, name) is not None
    ]

    def expected(texts: Texts) -> str:
        return texts["limited"].format(expected=kind.expected(texts)) + (f" ({', '.join(bounds)})" if bounds else "")

    return WordType(convert, expected, kind.label, is_text=kind.is_text)


def _is_within(value: Any, limits: msgspec.Meta) -> bool:
    from fractions import Fraction

    if isinstance(value, Decimal):
        value = Fraction(value)

    def like(limit: Any) -> Any:
        # The float 0.01 is a little more than Decimal("0.01").
        return Fraction(str(limit)) if isinstance(value, Fraction) else limit

    return (
        (limits.gt is None or value > like(limits.gt))
        and (limits.ge is None or value >= like(limits.ge))
        and (limits.lt is None or value < like(limits.lt))
        and (limits.le is None or value <= like(limits.le))
        and (limits.multiple_of is None or value % like(limits.multiple_of) == 0)
        and (limits.min_length is None or len(value) >= limits.min_length)
        and (limits.max_length is None or len(value) <= limits.max_length)
        and (limits.pattern is None or re.search(limits.pattern, value) is not None)
    )


def _one_of(values: dict[str, object], others: dict[str, object] | None = None) -> WordType:
    """Return the type of a word with fixed choices; the usage shows only the first ones."""
    found = {levelled(word): value for word, value in ((others or {}) | values).items()}

    def convert(word: str) -> object:
        try:
            return found[levelled(word)]
        except KeyError:
            raise ValueError from None

    return WordType(convert, lambda texts: texts["one of"].format(values=texts["comma"].join(values)), "|".join(values))


def _any_of(kinds: Sequence[WordType | None]) -> WordType | None:
    """Return the type of a word that is converted to the first type that accepts it."""
    known = [each for each in kinds if each is not None]
    if len(known) < len(kinds):
        return None
    if len(known) == 1:
        return known[0]

    def convert(word: str) -> object:
        for each in known:
            try:
                return each.convert(word)
            except ValueError:
                continue
        raise ValueError

    return WordType(convert, lambda texts: texts["or"].join(each.expected(texts) for each in known))


# -- arguments -------------------------------------------------------------------------------------------------------


class Argument:
    """
    A parameter of a handler that gets words of a command.

    Args:
        function: The handler.
        parameter: The parameter.
        is_last: Whether no parameter follows it.

    Raises:
        TypeError: A word cannot be converted to its type.
    """

    def __init__(self, function: Callable[..., object], parameter: inspect.Parameter, *, is_last: bool) -> None:
        annotation = resolve_annotation(function, parameter.annotation)
        word_type = _word_type(annotation)
        if word_type is None:
            raise TypeError(
                f"A word of a command cannot be converted to {parameter.annotation!s}, the type of the parameter "
                f"{parameter.name!r} of {name_of(function)}. Put a parameter for an injected value after a `*`."
                f"{hint_at_unknown_type(function, parameter.annotation)}"
            )
        self._type = word_type
        self.name: str = parameter.name
        self.is_variadic: bool = parameter.kind is parameter.VAR_POSITIONAL
        """Whether the parameter takes all remaining words."""
        self.takes_rest: bool = is_last and not self.is_variadic and word_type.is_text
        """Whether the parameter takes the rest of the text."""
        self._has_default = parameter.default is not parameter.empty
        self._is_optional = NoneType in typing.get_args(annotation)
        self.default: object = parameter.default if self._has_default else None
        """Default value, for a call without a word for the parameter."""
        self.is_required: bool = not (self._has_default or self._is_optional or self.is_variadic)

    @property
    def usage(self) -> str:
        """The parameter in a usage, such as `<minutes>` or `[text…]`."""
        label = (self._type.label or self.name) + ("…" if self.takes_rest or self.is_variadic else "")
        return f"<{label}>" if self.is_required else f"[{label}]"

    def accepts(self, text: str) -> bool:
        """Return whether a whole text fits."""
        try:
            self._type.convert(text.strip())
        except ValueError:
            return False
        return True

    def missing(self) -> WrongArguments:
        """Return the error for a call without a word for the parameter."""
        return WrongArguments(lambda texts: texts["missing"].format(name=self.name))

    def convert(self, word: str) -> object:
        """
        Return the value of a word, or of the rest of the text.

        Raises:
            WrongArguments: The word does not fit.
        """
        try:
            return self._type.convert(word)
        except ValueError:
            raise WrongArguments(
                lambda texts: texts["unfit"].format(name=self.name, word=word[:50], expected=self._type.expected(texts))
            ) from None


def answer_of(function: Callable[..., object], rule: str) -> Argument | None:
    """
    Return the parameter of a handler that gets a whole text, as a value of its type; None if it has no such parameter.

    It is the only positional parameter after the context and the event that has no default.

    Args:
        function: The handler.
        rule: What a handler is called with, for the text of an error.

    Raises:
        TypeError: There are several such parameters, or a text cannot be converted to its type.
    """
    required = [
        each
        for each in (further_parameters(function, 2, rule) if accepts_arguments(function, 2) is False else ())
        if each.default is each.empty and each.kind is not each.VAR_POSITIONAL
    ]
    if len(required) > 1:
        raise TypeError(
            f"{rule}, and with state= with one answer at most; {name_of(function)} takes {len(required)} more "
            "arguments."
        )
    return Argument(function, required[0], is_last=True) if required else None


class Arguments:
    """
    The parameters of a handler that get words of a command.

    Args:
        function: The handler.
        parameters: The function's positional parameters after the context and the event.

    Raises:
        TypeError: A word cannot be converted to a parameter's type.
    """

    def __init__(self, function: Callable[..., object], parameters: Sequence[inspect.Parameter]) -> None:
        self._arguments = [
            Argument(function, each, is_last=number == len(parameters)) for number, each in enumerate(parameters, 1)
        ]
        self.usage: str = " ".join(each.usage for each in self._arguments)
        """The parameters in a usage, such as `<minutes> <text…>`."""

    def convert(self, text: str) -> list[object]:
        """
        Return the arguments of a call.

        Raises:
            WrongArguments: A word is missing or does not fit, or there are too many words.
        """
        values: list[object] = []
        words = Words(text)
        for argument in self._arguments:
            if argument.is_variadic:
                while not words.is_at_end:
                    values.append(argument.convert(words.take()))
            elif words.is_at_end:
                if argument.is_required:
                    raise argument.missing()
                values.append(argument.default)
            else:
                values.append(argument.convert(words.take_rest() if argument.takes_rest else words.take()))
        if not words.is_at_end:
            word = words.take()[:50]
            raise WrongArguments(lambda texts: texts["surplus"].format(word=word))
        return values
