"""Logging of `webwx run`."""

from __future__ import annotations

import io
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from webwx.cli.logs import TerminalFormatter, configure_logging, log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@contextmanager
def unconfigured() -> Iterator[logging.Logger]:
    """Yield the root logger without handlers, as a program finds it, and restore it afterwards."""
    root, library = logging.getLogger(), logging.getLogger("webwx")
    before = root.handlers[:], root.level, library.level
    root.handlers[:] = []
    try:
        yield root
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        library.setLevel(before[2])


def test_records_of_the_program_and_warnings_of_the_library_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with unconfigured():
        configure_logging(is_debugging=False, is_verbose=False)
        logging.getLogger("shop").info("open")
        logging.getLogger("webwx.bot").info("an event")
        logging.getLogger("webwx.bot").warning("a failure")
    shown = [line.split(" ", 2)[2] for line in capsys.readouterr().err.splitlines()]
    assert shown == ["INFO shop: open", "WARNING webwx.bot: a failure"]


def test_debug_mode_shows_what_the_library_says_of_events(capsys: pytest.CaptureFixture[str]) -> None:
    with unconfigured():
        configure_logging(is_debugging=True, is_verbose=False)
        logging.getLogger("webwx.bot").info("an event")
    assert "INFO webwx.bot: an event" in capsys.readouterr().err


def test_the_library_is_left_to_the_handler_of_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    with unconfigured():
        configure_logging(is_debugging=False, is_verbose=True)
        logging.getLogger("webwx.bot").warning("shown by the other handler")
    assert capsys.readouterr().err == ""


def test_a_configured_root_logger_is_left_as_it_is() -> None:
    with unconfigured() as root:
        handler = logging.NullHandler()
        root.addHandler(handler)
        configure_logging(is_debugging=False, is_verbose=False)
        assert root.handlers == [handler]


def test_a_record_cannot_control_the_terminal() -> None:
    record = logging.makeLogRecord({"msg": "red \x1b[31m\nsecond line"})
    assert TerminalFormatter("%(message)s").format(record) == "red \\x1b[31m\nsecond line"


def test_a_log_record_keeps_its_lines_and_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("webwx")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logger.level)
    monkeypatch.setattr(sys, "stderr", shown := io.StringIO())
    log_to_stderr()
    try:
        raise KeyError
    except KeyError:
        logger.exception("one\ntwo\x1b[2J")
    first, second, *traceback = shown.getvalue().splitlines()
    assert first.endswith(" webwx: one")
    assert second == r"two\x1b[2J"
    assert (traceback[0], traceback[-1]) == ("Traceback (most recent call last):", "KeyError")
