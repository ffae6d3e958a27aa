"""
The one way a command speaks: results on stdout, everything else on stderr.

A result is a sentence for a person or one JSON object on a line, never both, and is flushed at once, so that a pipe
sees it when it happens.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class OutputClosed(Exception):
    """Whoever read our output has gone, as `head` does when it has seen enough."""


class Output:
    """Where a command's results go."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        """One JSON object a line, instead of sentences."""

    def result(self, sentence: str, **fields: Any) -> None:
        """
        Print one result.

        Args:
            sentence: For a person.
            fields: For `--json`; names and their order are stable.

        """
        self.line(sentence, json.dumps(fields, ensure_ascii=False))

    def line(self, sentence: str, document: str) -> None:
        """Print one result whose JSON is already written."""
        _write(sys.stdout, document if self.as_json else printable(sentence))

    def document(self, document: str) -> None:
        """Print what is JSON whether somebody asked for JSON or not."""
        _write(sys.stdout, document)

    def tell(self, text: str) -> None:
        """Tell on stderr what is no result."""
        _write(sys.stderr, printable(text))

    def remark(self, text: str) -> None:
        """Tell a person, on stderr, what a program that reads `--json` need not know."""
        if not self.as_json:
            self.tell(text)


def printable(text: str) -> str:
    """Replace control characters: what contacts write must not reach the terminal as commands."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def tell_failure(sentence: str, stream: TextIO | None = None, environment: Mapping[str, str] = os.environ) -> None:
    """Tell the one sentence of a command that failed; on a terminal its beginning is red, unless NO_COLOR is set."""
    stream = stream or sys.stderr
    is_colored = stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    mark = "\x1b[31mwebwx:\x1b[0m" if is_colored else "webwx:"
    print(f"{mark} {printable(sentence)}", file=stream)


def tell_log() -> None:
    """Tell on stderr what the library logs; it logs no secret, no name and no text."""
    import logging

    class Printable(logging.Formatter):
        """Keeps the terminal out of reach of what a server answers."""

        def format(self, record: logging.LogRecord) -> str:
            return printable(super().format(record))

    handler = logging.StreamHandler()
    handler.setFormatter(Printable("%(asctime)s %(name)s: %(message)s"))
    logger = logging.getLogger("webwx")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)


def _write(stream: TextIO, line: str) -> None:
    try:
        print(line, file=stream, flush=True)
    except BrokenPipeError:
        raise OutputClosed from None
