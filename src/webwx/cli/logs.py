"""Log output: of the library with `--verbose`, and of long-running commands, as text or as JSON."""

from __future__ import annotations

import logging
import sys
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import click

from webwx.bot.log_fields import bound_fields, request_binding
from webwx.cli.option_values import OptionValues
from webwx.cli.output import printable, printable_json

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

FORMATS = ("text", "json")

NOTICES = logging.getLogger("webwx.cli")
"""Logger of everything except results that commands print with `--log-format json`."""

_ATTRIBUTES = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"))
"""Attributes that every log record has; others were passed as `extra`."""


class TerminalFormatter(logging.Formatter):
    """Format log records for a terminal, with escapes for characters that could control it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record, which may have several lines, as text that cannot control the terminal."""
        return "\n".join(map(printable, super().format(record).split("\n")))


class JsonFormatter(logging.Formatter):
    """
    Format log records as JSON objects: time (UTC), level, logger, message, and the fields of the record.

    The fields are those that were passed as `extra`, and those of the event whose handler is running. A record with an
    exception has its traceback as `exception`.
    """

    def __init__(self) -> None:
        super().__init__()
        request_binding()

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        values: dict[str, object] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        passed = {name: value for name, value in vars(record).items() if name not in _ATTRIBUTES}
        for name, value in (bound_fields() | passed).items():
            is_plain = value is None or isinstance(value, (str, int, float))
            values.setdefault(name, value if is_plain else str(value))
        if record.exc_info:
            values["exception"] = self.formatException(record.exc_info)
        return printable_json(values)


def log_format_option(command: F) -> F:
    """Add `--log-format` to a command; its value is collected with the common options."""

    def gather(ctx: click.Context, _: click.Parameter, value: str) -> None:
        ctx.ensure_object(OptionValues).log_format = value

    return click.option(
        "--log-format",
        type=click.Choice(FORMATS),
        default="text",
        show_default=True,
        callback=gather,
        expose_value=False,
        help="Format of the log and of notices on stderr: text, or json for one object per line.",
    )(command)


def configure_logging(*, is_debugging: bool, is_verbose: bool, log_format: str = "text") -> None:
    """
    Send log records to stderr, unless the bot's program has configured the root logger itself; complete warnings.

    Records from INFO on are shown. Of this library they are shown from WARNING on, or from INFO on in debug mode. If
    the library has a handler of its own, all other handlers that write to stderr skip its records.

    Args:
        is_debugging: Whether the option `--debug` is used.
        is_verbose: Whether `--verbose` is used, which adds a separate handler for this library's records.
        log_format: One of `FORMATS`; `json` has such a handler as well.

    """
    warnings.formatwarning = format_warning
    library = logging.getLogger("webwx")
    if not is_verbose:
        library.setLevel(logging.INFO if is_debugging else logging.WARNING)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(_handler(log_format))
        root.setLevel(logging.INFO)
    if is_verbose or log_format == "json":
        for handler in root.handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
                handler.addFilter(_is_not_of_library)


_format_warning = warnings.formatwarning


def format_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Return the text of a warning as Python does; one about a coroutine that nothing awaits has the next step."""
    text = _format_warning(message, category, filename, lineno, line)
    is_of_coroutine = issubclass(category, RuntimeWarning) and str(message).endswith("was never awaited")
    return f"{text}  The call did nothing; write `await` before the call.\n" if is_of_coroutine else text


def _is_not_of_library(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] != "webwx"


def log_to_stderr(*, log_format: str = "text", level: int = logging.WARNING) -> None:
    """Print the library's log and the notices of commands on stderr, independent of the root logger; only once."""
    library = logging.getLogger("webwx")
    if not library.handlers:
        library.addHandler(_handler(log_format, "%(asctime)s %(name)s: %(message)s"))
        library.setLevel(level)
    NOTICES.setLevel(min(level, logging.INFO))


def _handler(log_format: str, text: str = FORMAT) -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TerminalFormatter(text))
    return handler
