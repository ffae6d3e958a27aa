"""The log line of an exception."""

from __future__ import annotations

from webwx.bot.failures import describe, trace


def price_of(name: str) -> int:
    return {"tea": 5}[name]


def caught(*, chained: bool = False) -> Exception:
    try:
        try:
            price_of("private")
        except KeyError as error:
            if chained:
                raise RuntimeError("no such secret") from error
            raise
    except (KeyError, RuntimeError) as error:
        return error
    raise AssertionError


def test_frames_and_source_lines_are_shown_without_the_message() -> None:
    text = trace(caught(), with_messages=False)
    lines = text.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "KeyError"
    assert 'return {"tea": 5}[name]' in text
    assert "in price_of" in text
    assert "KeyError: 'private'" not in text


def test_the_message_is_shown_on_request() -> None:
    assert trace(caught(), with_messages=True).splitlines()[-1] == "KeyError: 'private'"


def test_the_cause_of_an_exception_comes_first() -> None:
    lines = trace(caught(chained=True), with_messages=False).splitlines()
    assert [line for line in lines if line[0] != " " and line[0] != "T"] == ["KeyError", "RuntimeError"]


def test_a_description_is_the_type_and_the_line_that_raised() -> None:
    line = price_of.__code__.co_firstlineno + 1
    assert describe(caught()) == f"KeyError at test_failures.py:{line}"


def test_no_line_of_a_message_can_imitate_a_log_record() -> None:
    error = ValueError("one\n2026-01-01 INFO webwx.bot: two")
    assert trace(error, with_messages=True).endswith("\nValueError: one\n    2026-01-01 INFO webwx.bot: two")
