"""Logging of `webwx run`."""

from __future__ import annotations

import io
import json
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from webwx.bot.log_fields import bind, unbind
from webwx.cli.logs import NOTICES, JsonFormatter, TerminalFormatter, configure_logging, log_to_stderr
from webwx.model.messages import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@contextmanager
def unconfigured() -> Iterator[logging.Logger]:
    """Yield the root logger without handlers, and restore its handlers afterwards."""
    root, library = logging.getLogger(), logging.getLogger("webwx")
    before = root.handlers[:], root.level, library.level, library.handlers[:], NOTICES.level
    root.handlers[:] = []
    try:
        yield root
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        library.setLevel(before[2])
        library.handlers[:] = before[3]
        NOTICES.setLevel(before[4])


def test_records_of_the_program_and_warnings_of_the_library_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with unconfigured():
        configure_logging(is_debugging=False, is_verbose=False)
        logging.getLogger("shop").info("open")
        logging.getLogger("webwx.bot").info("an event")
        logging.getLogger("webwx.bot").warning("a failure")
    shown = [line.split(" ", 2)[2] for line in capsys.readouterr().err.splitlines()]
    assert shown == ["INFO shop: open", "WARNING webwx.bot: a failure"]


def test_debug_mode_shows_the_librarys_records_of_events(capsys: pytest.CaptureFixture[str]) -> None:
    with unconfigured():
        configure_logging(is_debugging=True, is_verbose=False)
        logging.getLogger("webwx.bot").info("an event")
    assert "INFO webwx.bot: an event" in capsys.readouterr().err


def test_with_verbose_the_librarys_records_are_not_shown_twice(capsys: pytest.CaptureFixture[str]) -> None:
    with unconfigured():
        configure_logging(is_debugging=False, is_verbose=True)
        logging.getLogger("webwx.bot").warning("shown by the other handler")
    assert capsys.readouterr().err == ""


def test_a_configured_root_logger_is_not_changed() -> None:
    with unconfigured() as root:
        handler = logging.NullHandler()
        root.addHandler(handler)
        configure_logging(is_debugging=False, is_verbose=False)
        assert root.handlers == [handler]


def test_a_record_cannot_control_the_terminal() -> None:
    record = logging.makeLogRecord({"msg": "red \x1b[31m\nsecond line"})
    assert TerminalFormatter("%(message)s").format(record) == "red \\x1b[31m\nsecond line"


def test_a_log_record_keeps_its_lines_and_cannot_control_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("webwx")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logger.level)
    monkeypatch.setattr(sys, "stderr", shown := io.StringIO())
    log_to_stderr(level=logging.DEBUG)
    try:
        raise KeyError
    except KeyError:
        logger.exception("one\ntwo\x1b[2J")
    first, second, *traceback = shown.getvalue().splitlines()
    assert first.endswith(" webwx: one")
    assert second == r"two\x1b[2J"
    assert (traceback[0], traceback[-1]) == ("Traceback (most recent call last):", "KeyError")


# -- JSON ------------------------------------------------------------------------------------------------------------


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Return the objects on stderr, one per line."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_record_has_time_level_logger_and_message() -> None:
    record = logging.makeLogRecord({
        "created": 1_764_012_345.123, "levelname": "WARNING", "name": "shop", "msg": "%d sold", "args": (3,),
    })  # fmt: skip
    assert json.loads(JsonFormatter().format(record)) == {
        "time": "2025-11-24T19:25:45.123Z", "level": "warning", "logger": "shop", "message": "3 sold",
    }  # fmt: skip


def test_json_record_has_the_fields_that_were_passed_and_those_of_the_event() -> None:
    record = logging.makeLogRecord({"msg": "sold", "order": 5, "price": None, "buyer": {"a"}, "event": 9, "time": "x"})
    formatter = JsonFormatter()
    token = bind("shop", Event(number=7))
    try:
        values = json.loads(formatter.format(record))
    finally:
        unbind(token)
    assert (values["order"], values["price"], values["buyer"]) == (5, None, "{'a'}")
    assert (values["bot"], values["event"]) == ("shop", 9), "a passed field replaces a bound one"
    assert values["time"] != "x"


def test_json_record_is_one_line_that_cannot_control_the_terminal() -> None:
    try:
        raise KeyError("x")
    except KeyError:
        record = logging.makeLogRecord({"msg": "one\ntwo\x1b[2J\u202e", "exc_info": sys.exc_info()})
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["message"] == "one\ntwo\x1b[2J\u202e"
    assert json.loads(line)["exception"].splitlines()[-1] == "KeyError: 'x'"


def test_a_handler_of_the_program_on_stderr_does_not_repeat_the_librarys_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with unconfigured() as root:
        log_to_stderr(log_format="json")
        root.addHandler(logging.StreamHandler())
        root.addHandler(logging.StreamHandler(elsewhere := io.StringIO()))
        configure_logging(is_debugging=False, is_verbose=False, log_format="json")
        logging.getLogger("webwx.bot").warning("a failure")
        logging.getLogger("shop").warning("sold out")
    record, own = capsys.readouterr().err.splitlines()
    assert (json.loads(record)["message"], own) == ("a failure", "sold out")
    assert elsewhere.getvalue() == "a failure\nsold out\n"


def test_library_and_program_write_json_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    with unconfigured():
        log_to_stderr(log_format="json")
        log_to_stderr(log_format="json")
        configure_logging(is_debugging=False, is_verbose=False, log_format="json")
        logging.getLogger("shop").info("open")
        logging.getLogger("webwx.bot").info("an event")
        logging.getLogger("webwx.bot").warning("a failure")
        NOTICES.info("a notice")
    assert [(each["logger"], each["message"]) for each in written(capsys)] == [
        ("shop", "open"), ("webwx.bot", "a failure"), ("webwx.cli", "a notice"),
    ]  # fmt: skip
