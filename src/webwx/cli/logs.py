"""Log output: of the library with `--verbose`, and of a bot's program under `webwx run`."""

from __future__ import annotations

import logging

from webwx.cli.output import printable

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class TerminalFormatter(logging.Formatter):
    """Format log records for a terminal, with escapes for characters that could control it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record, which may have several lines, as text that cannot control the terminal."""
        return "\n".join(map(printable, super().format(record).split("\n")))


def configure_logging(*, is_debugging: bool, is_verbose: bool) -> None:
    """
    Send log records to stderr, unless the bot's program has configured the root logger itself.

    Records from INFO on are shown. Of this library they are shown from WARNING on, or from INFO on in debug mode.

    Args:
        is_debugging: `--debug` was given.
        is_verbose: `--verbose` was given, which has a handler of its own for this library's records.

    """
    library = logging.getLogger("webwx")
    if not is_verbose:
        library.setLevel(logging.INFO if is_debugging else logging.WARNING)
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(TerminalFormatter(FORMAT))
    if is_verbose:
        handler.addFilter(lambda record: record.name.partition(".")[0] != library.name)
    root.addHandler(handler)
    root.setLevel(logging.INFO)


def log_to_stderr() -> None:
    """Print the library's log on stderr; it contains no secret, name or message text."""
    handler = logging.StreamHandler()
    handler.setFormatter(TerminalFormatter("%(asctime)s %(name)s: %(message)s"))
    logger = logging.getLogger("webwx")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
