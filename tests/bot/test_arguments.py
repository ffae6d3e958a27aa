"""Words of commands, converted to the types of a handler's parameters."""

from __future__ import annotations

import inspect
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import pytest
from tests.steps import lines_of

from webwx.bot.arguments import Arguments, Words, WrongArguments, levelled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Size(Enum):
    """Values by name or by value."""

    SMALL = "s"
    LARGE = "l"


def arguments(function: Callable[..., object]) -> Arguments:
    return Arguments(function, list(inspect.signature(function).parameters.values()))


def of_type(annotation: object) -> Arguments:
    """Return the arguments of a function with one parameter that is not the last one."""

    def handler(value: Any, *others: str) -> None:
        raise AssertionError

    handler.__annotations__["value"] = annotation
    parameter = inspect.Parameter("value", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation)
    return Arguments(handler, [parameter])


def remind(minutes: int, text: str) -> None:
    raise AssertionError


def choose(size: Size = Size.SMALL, count: int | None = None, *names: str) -> None:
    raise AssertionError


class TestWords:
    @pytest.mark.parametrize(
        ("text", "word", "rest"),
        [
            ("one two  three", "one", "two  three"),
            ("  one", "one", ""),
            ("一\u3000二", "一", "二"),
            ("一\u2005二\n三", "一", "二\n三"),
            ('"one two" three', "one two", "three"),
            ("“一 二” 三", "一 二", "三"),
            ("「一 二」", "一 二", ""),
            ("＂一 二＂ 三", "一 二", "三"),
            ("'' rest", "", "rest"),
            ("don't stop", "don't", "stop"),
            ('"open end', '"open', "end"),
            ('"a"b c', '"a"b', "c"),
            ("a 'b c'", "a", "b c"),
            ("a 'b' 'c'", "a", "'b' 'c'"),
            ("", "", ""),
        ],
    )
    def test_words_are_separated_by_blanks_of_any_kind_and_grouped_by_quotes(
        self, text: str, word: str, rest: str
    ) -> None:
        words = Words(text)
        assert (words.take(), words.take_rest()) == (word, rest)
        assert words.is_at_end

    @pytest.mark.parametrize("hostile", ["a ", '"a ', "“a ", "“", "'a' ", "「a” ", "\"'“‘「＂ "])
    def test_a_hostile_text_takes_steps_in_proportion_to_its_length(self, hostile: str) -> None:
        def take_all(text: str) -> None:
            words = Words(text)
            while not words.is_at_end:
                words.take()

        counts = [lines_of(partial(take_all, hostile * length)) for length in (500, 1_000, 2_000)]
        assert counts[2] <= 2.5 * counts[1] <= 6.25 * counts[0]

    def test_a_word_that_is_too_long_is_not_normalized(self) -> None:
        assert levelled("Ａ" * 100) == "a" * 100
        assert levelled("Ａ" * 101) == "Ａ" * 101

    def test_case_and_width_are_ignored(self) -> None:
        assert levelled("／ＨＥＬＰ") == levelled("/help") == "/help"


class TestTypes:
    @pytest.mark.parametrize(
        ("annotation", "word", "value"),
        [
            (inspect.Parameter.empty, "x", "x"),
            (Any, "x", "x"),
            (str, "１", "１"),
            (int, "-5", -5),
            (int, "１２", 12),
            (float, "1.5", 1.5),
            (float, "１．５", 1.5),
            (Decimal, "1.10", Decimal("1.10")),
            (Decimal, "１．５", Decimal("1.5")),
            (Annotated[int, msgspec.Meta(ge=1, le=120)], "120", 120),
            ("Annotated[Decimal, msgspec.Meta(gt=0)]", "0.01", Decimal("0.01")),
            (Annotated[Decimal, msgspec.Meta(ge=0.01, le=99.99)], "0.01", Decimal("0.01")),
            (Annotated[Decimal, msgspec.Meta(ge=0.01, le=99.99)], "99.99", Decimal("99.99")),
            (Annotated[Decimal, msgspec.Meta(multiple_of=0.01)], "1.10", Decimal("1.10")),
            (Annotated[Decimal, msgspec.Meta(multiple_of=0.01)], "1e40", Decimal("1e40")),
            (Annotated[str, "a note"], "x", "x"),
            *((bool, word, True) for word in ("YES", "y", "true", "on", "1", "是", "开", "对")),
            *((bool, word, False) for word in ("no", "n", "false", "off", "0", "否", "关", "不")),
            (date, "2026-05-01", date(2026, 5, 1)),
            (date, "2026年5月1日", date(2026, 5, 1)),
            (time, "8:30", time(8, 30)),
            (time, "08：30：15", time(8, 30, 15)),
            (timedelta, "1h30m", timedelta(minutes=90)),
            (timedelta, "1小时30分钟", timedelta(minutes=90)),
            (timedelta, "1.5天", timedelta(hours=36)),
            (Literal["on", "off"], "ON", "on"),
            (Literal[1, 2], "２", 2),
            (Size, "s", Size.SMALL),
            (Size, "large", Size.LARGE),
            (int | None, "5", 5),
            (int | str, "5", 5),
            (int | str, "five", "five"),
            ("int", "5", 5),
        ],
        ids=str,
    )
    def test_word_becomes_a_value_of_the_annotated_type(self, annotation: object, word: str, value: object) -> None:
        assert of_type(annotation).convert(word) == [value]

    @pytest.mark.parametrize(
        ("annotation", "word", "reason"),
        [
            (int, "five", "value: 'five' is not a whole number."),
            (float, "nan", "value: 'nan' is not a number."),
            (Decimal, "five", "value: 'five' is not a number."),
            (Decimal, "NaN", "value: 'NaN' is not a number."),
            (Decimal, "1e999999999", "value: '1e999999999' is not a number."),
            (
                Annotated[int, msgspec.Meta(ge=1, le=120)],
                "121",
                "value: '121' is not a whole number within the limits (≥ 1, ≤ 120).",
            ),
            (
                Annotated[int, msgspec.Meta(gt=0, lt=9)],
                "9",
                "value: '9' is not a whole number within the limits (> 0, < 9).",
            ),
            (Annotated[int, msgspec.Meta(multiple_of=5)], "6", "value: '6' is not a whole number within the limits."),
            (
                Annotated[str, msgspec.Meta(min_length=2, max_length=3)],
                "four",
                "value: 'four' is not a text within the limits.",
            ),
            (Annotated[str, msgspec.Meta(pattern="^[a-z]+$")], "A", "value: 'A' is not a text within the limits."),
            (bool, "maybe", "value: 'maybe' is not yes or no."),
            (date, "2026-02-30", "value: '2026-02-30' is not a date such as 2026-05-01."),
            (date, "tomorrow", "value: 'tomorrow' is not a date such as 2026-05-01."),
            (time, "25:00", "value: '25:00' is not a time such as 08:30."),
            (time, "noon", "value: 'noon' is not a time such as 08:30."),
            (timedelta, "soon", "value: 'soon' is not a duration such as 1h30m."),
            (timedelta, "1hx", "value: '1hx' is not a duration such as 1h30m."),
            (timedelta, "9999999999999d", "value: '9999999999999d' is not a duration such as 1h30m."),
            (Literal["on", "off"], "of", "value: 'of' is not one of on, off."),
            (Size, "m", "value: 'm' is not one of s, l."),
            (int | date, "x", "value: 'x' is not a whole number or a date such as 2026-05-01."),
            (float, "1" * 101, f"value: '{'1' * 50}' is not a number."),
            (timedelta, "1" * 101, f"value: '{'1' * 50}' is not a duration such as 1h30m."),
            (int, "x" * 60, f"value: '{'x' * 50}' is not a whole number."),
        ],
    )
    def test_word_that_does_not_fit_has_a_reason(self, annotation: object, word: str, reason: str) -> None:
        with pytest.raises(WrongArguments) as error:
            of_type(annotation).convert(word)
        assert str(error.value) == reason

    @pytest.mark.parametrize(
        ("annotation", "text", "reason"),
        [
            (int, "五", "value：“五”不是整数。"),
            (Literal["on", "off"], "x", "value：“x”不是on、off 之一。"),
            (int | date, "x", "value：“x”不是整数，也不是日期，例如 2026-05-01。"),
            (int, "", "缺少 value。"),
            (int, "5 6", "多了一个词：“6”。"),
        ],
    )
    def test_reason_exists_in_chinese(self, annotation: object, text: str, reason: str) -> None:
        with pytest.raises(WrongArguments) as error:
            of_type(annotation).convert(text)
        assert error.value.in_language("zh") == reason

    @pytest.mark.parametrize("annotation", [bytes, datetime, "Missing", int | bytes, None | bytes, list[str]], ids=str)
    def test_type_that_no_word_can_have_is_refused(self, annotation: object) -> None:
        with pytest.raises(TypeError, match=r"A word of a command cannot be converted .* 'value' of .*handler\. Put a"):
            of_type(annotation)


class TestParameters:
    @pytest.mark.parametrize(
        ("text", "values"),
        [
            ("5 tea is ready", [5, "tea is ready"]),
            ("５\u3000喝茶", [5, "喝茶"]),
            ('5 say "hi" twice', [5, 'say "hi" twice']),
            ('5 "tea is ready"', [5, "tea is ready"]),
            ("5 line\n\nline", [5, "line\n\nline"]),
        ],
    )
    def test_last_text_takes_the_rest_unchanged(self, text: str, values: list[object]) -> None:
        assert arguments(remind).convert(text) == values

    def test_last_text_with_limits_takes_the_rest_as_well(self) -> None:
        def handler(minutes: int, text: Annotated[str, msgspec.Meta(max_length=20)]) -> None:
            raise AssertionError

        assert arguments(handler).convert("5 tea is ready") == [5, "tea is ready"]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "minutes is missing."),
            ("5", "text is missing."),
            ("tea 5", "minutes: 'tea' is not a whole number."),
        ],
    )
    def test_error_names_a_missing_word(self, text: str, reason: str) -> None:
        with pytest.raises(WrongArguments) as error:
            arguments(remind).convert(text)
        assert str(error.value) == reason

    @pytest.mark.parametrize(
        ("text", "values"),
        [
            ("", [Size.SMALL, None]),
            ("large", [Size.LARGE, None]),
            ("large 2 a 'b c'", [Size.LARGE, 2, "a", "b c"]),
        ],
    )
    def test_defaults_fill_in_and_a_star_takes_all_further_words(self, text: str, values: Collection[object]) -> None:
        assert arguments(choose).convert(text) == values

    def test_optional_parameter_without_a_default_is_none(self) -> None:
        def handler(count: int | None, text: str | None) -> None:
            raise AssertionError

        assert arguments(handler).convert("") == [None, None]
        assert arguments(handler).usage == "[count] [text…]"

    def test_word_too_many_is_refused(self) -> None:
        def handler(count: int) -> None:
            raise AssertionError

        with pytest.raises(WrongArguments, match=r"^'6' is one word too many\.$"):
            arguments(handler).convert("5 6 7")

    def test_handler_without_parameters_takes_no_word(self) -> None:
        assert Arguments(remind, []).convert("  ") == []
        with pytest.raises(WrongArguments, match="too many"):
            Arguments(remind, []).convert("x")

    def test_usage_shows_required_and_repeated_words(self) -> None:
        def handler(state: Literal["on", "off"], size: Size, day: date, *rest: str) -> None:
            raise AssertionError

        assert arguments(remind).usage == "<minutes> <text…>"
        assert arguments(choose).usage == "[s|l] [count] [names…]"
        assert arguments(handler).usage == "<on|off> <s|l> <day> [rest…]"
