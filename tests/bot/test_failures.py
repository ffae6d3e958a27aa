"""The log text of an exception."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from webwx.bot.failures import FailureReports, describe, is_own_file
from webwx.bot.schedules import Every
from webwx.bot.signatures import WrongFunction
from webwx.bot.steps import step_names
from webwx.errors import UnknownContact, WxError
from webwx.flows.call import judge

if TYPE_CHECKING:
    from collections.abc import Callable


def price_of(name: str) -> int:
    return {"tea": 5}[name]


def line_of(function: Callable[..., object], after: int = 1) -> int:
    return function.__code__.co_firstlineno + after


def caught(call: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as found:
        call()
    return found.value


def report(call: Callable[[], object], *, debug: bool = False) -> str:
    return FailureReports(debug=debug).text(caught(call))


def private() -> None:
    price_of("private")


def chained() -> None:
    try:
        price_of("private")
    except KeyError as error:
        raise RuntimeError("no such secret") from error


def test_frames_and_source_lines_are_shown_without_the_message() -> None:
    lines = report(private).splitlines()
    assert lines[:2] == [f"KeyError at test_failures.py:{line_of(price_of)}.", "Traceback (most recent call last):"]
    assert lines[-2] == "KeyError"
    assert 'return {"tea": 5}[name]' in "\n".join(lines)
    assert "KeyError: 'private'" not in "\n".join(lines)


def test_the_message_is_shown_in_debug_mode() -> None:
    assert report(private, debug=True).splitlines()[-1] == "KeyError: 'private'"


def test_the_way_to_the_messages_is_said_once() -> None:
    reports = FailureReports()
    first, second = (reports.text(caught(each)) for each in (private, chained))
    assert "Run with --debug" in first
    assert "Run with --debug" not in second


def test_nothing_is_said_about_an_exception_without_a_message() -> None:
    def fails() -> None:
        raise RuntimeError

    assert "--debug" not in report(fails)


def test_a_repeated_failure_is_one_line() -> None:
    reports = FailureReports()
    place = f"KeyError at test_failures.py:{line_of(price_of)}"
    assert reports.text(caught(private)).startswith(f"{place}.\nTraceback")
    assert reports.text(caught(private)) == f"{place}, as before."


def test_the_cause_of_an_exception_comes_first() -> None:
    lines = report(chained).splitlines()[1:-1]
    assert [line for line in lines if line[0] != " " and line[0] != "T"] == ["KeyError", "RuntimeError"]


def test_an_exception_raised_again_from_its_group_is_written_once() -> None:
    def again() -> None:
        try:
            raise ExceptionGroup("some", [ValueError("first"), KeyError("second")])
        except ExceptionGroup as group:
            raise group.exceptions[0]  # noqa: B904 - as a program does

    lines = report(again, debug=True).splitlines()
    assert [line for line in lines if not line.startswith(" ")][1:] == [
        "KeyError: 'second'",
        "Traceback (most recent call last):",
        "ExceptionGroup: some (2 sub-exceptions)",
        "Traceback (most recent call last):",
        "ValueError: first",
    ]


@pytest.mark.parametrize("debug", [False, True])
def test_an_exception_that_cannot_write_its_message_is_shown_without_it(debug: bool) -> None:
    class Unwritable(Exception):
        is_in_test = True

        def __str__(self) -> str:
            if self.is_in_test:
                raise KeyError("its field is missing")
            return ""

    error = Unwritable()
    text = FailureReports(debug=debug).text(error)
    Unwritable.is_in_test = False  # what follows the test writes its errors
    assert text == "Unwritable.\nUnwritable"


def test_no_line_of_a_message_can_imitate_a_log_record() -> None:
    def fails() -> None:
        raise ValueError("one\n2026-01-01 INFO webwx.bot: two")

    assert report(fails, debug=True).endswith("\nValueError: one\n    2026-01-01 INFO webwx.bot: two")


class TestPlace:
    def test_is_the_last_line_of_the_program_also_if_a_library_raised(self) -> None:
        def parse() -> None:
            json.loads("secret")

        assert describe(caught(parse)) == f"JSONDecodeError at test_failures.py:{line_of(parse)}"

    def test_is_no_line_of_a_thread_that_the_program_waits_for(self) -> None:
        def wait() -> None:
            asyncio.run(later())

        async def later() -> None:
            await asyncio.to_thread(int, "secret")

        assert describe(caught(wait)) == f"ValueError at test_failures.py:{line_of(later)}"

    def test_is_the_function_that_its_decorator_cannot_use(self) -> None:
        assert describe(WrongFunction("", price_of)) == f"WrongFunction at test_failures.py:{line_of(price_of, 0)}"

    def test_is_left_out_for_an_exception_that_was_not_raised(self) -> None:
        assert describe(ValueError()) == "ValueError"

    @pytest.mark.parametrize(
        ("file", "is_own"),
        [
            ("/home/me/bot.py", True),
            ("<ipython-input-1>", True),
            (json.__file__, False),
            ("uvloop/loop.pyx", False),
            (pytest.__file__, False),
            (WxError.__init__.__code__.co_filename, False),
            ("<frozen importlib._bootstrap>", False),
        ],
    )
    def test_is_in_a_file_of_the_program(self, file: str, is_own: bool) -> None:
        assert is_own_file(file) is is_own


class TestSentences:
    def test_frames_of_webwx_are_folded_except_in_debug_mode(self) -> None:
        def fails() -> None:
            step_names(("secret",))

        folded, whole = report(fails), report(fails, debug=True)
        assert "  (1 frame of webwx)\n" in folded
        assert "steps.py" not in folded
        assert "steps.py" in whole

    def test_of_webwx_are_shown_without_the_values_in_them(self) -> None:
        assert report(lambda: step_names(('it\'s "secret"',))).endswith(
            "TypeError: state= cannot be '…'; give a step, a class of steps, None, or several."
        )

    def test_are_shown_without_the_text_of_the_platform(self) -> None:
        def fails() -> None:
            judge("webwxsendmsg", 1205, "the server's secret")

        assert report(fails).endswith("too often; wait some minutes. The platform says: …")

    def test_do_not_show_what_a_program_writes_into_an_error_of_webwx(self) -> None:
        def fails() -> None:
            raise UnknownContact("secret")

        assert "secret" not in report(fails).splitlines()[-2]

    def test_do_not_show_the_message_of_an_error_of_python_in_webwx(self) -> None:
        assert report(lambda: Every(0).latest(1, 0)).splitlines()[-2] == "ZeroDivisionError"
