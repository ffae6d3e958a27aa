"""
The one way a command prints: results on stdout, everything else on stderr.

A result is text or one JSON object per line, never both, and is flushed at once, so that a pipe gets it without delay.
Output contains names and texts of contacts, so every line passes `printable`: it stays one line, in the order in which
it was written, and cannot control the terminal.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from logging import Logger

    Text = str | Sequence[str]
    """One line, or several: a line break inside a line is shown as an escape."""

_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
)
"""Characters that break lines, control a terminal, reorder text or are invisible."""

_JOINED = "\u0600-\u08ff\u0900-\u0dff\u2190-\u2bff\u3030\u303d\u3297\u3299\ufe0f\U0001f000-\U0001faff"
"""Characters between which a joiner is kept: scripts that it shapes, and parts of emoji."""

_NARROWEST = 40
"""Least width of a terminal for which lines are laid out."""

_IN_TEXT = re.compile(
    f"(?P<kept>\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f|(?<=[{_JOINED}])[\u200c\u200d](?=[{_JOINED}]))|[{_UNSEEN}]"
)
_IN_JSON = re.compile(f"[{_UNSEEN}]")


class OutputClosed(Exception):
    """The reader of stdout has closed the pipe, as `head` does."""


@dataclass(frozen=True)
class Screen:
    """What a stream can show; by default a pipe or a file."""

    width: int | None = None
    """Number of cells in a line; None: not a terminal, so that lines are neither wrapped nor cut."""
    has_colors: bool = False

    @classmethod
    def of(cls, stream: TextIO | None, environment: Mapping[str, str] = os.environ) -> Screen:
        """Return what a stream can show now; a terminal's size may change."""
        if stream is None or not stream.isatty():
            return cls()
        return cls(max(shutil.get_terminal_size().columns, _NARROWEST), takes_colors(stream, environment))


class Output:
    """The output of a command."""

    def __init__(self, *, as_json: bool, notices: Logger | None = None) -> None:
        self.as_json = as_json
        """Whether results are JSON objects, one per line, instead of text."""
        self._notices = notices
        """Logs what is not a result; None: it is printed on stderr."""

    @property
    def screen(self) -> Screen:
        """What stdout can show."""
        return Screen.of(sys.stdout)

    def result(self, text: Text, /, **fields: Any) -> None:
        """
        Print one result.

        Args:
            text: Text for people.
            fields: Fields for `--json`; names and order are stable.
        """
        self.line(text, fields)

    def line(self, text: Text, value: object) -> None:
        """Print one result: a text for a person, or the value that it is about."""
        if self.as_json:
            self.document(value)
        else:
            _write(sys.stdout, _lines(text))

    def document(self, value: object) -> None:
        """Print a value as JSON, with or without `--json`."""
        _write(sys.stdout, printable_json(value))

    def program(self, source: str) -> None:
        """Print a file for another program, byte for byte."""
        _write(sys.stdout, source)

    def draw_line(self, line: str, value: object = None) -> None:
        """Print one result, as a line that is safe already and may have colours, or as the value that it is about."""
        if self.as_json:
            self.document(value)
        else:
            _write(sys.stdout, line)

    def draw(self, picture: str) -> None:
        """Print a picture made of colours and block characters on stderr, unchanged."""
        _write(sys.stderr, picture)

    def report(self, text: Text, *, logged: str = "") -> None:
        """
        Print on stderr what is not a result.

        Args:
            text: Text for people.
            logged: Text for a log, if the other one holds names.
        """
        if self._notices is None:
            _write(sys.stderr, _lines(text))
        else:
            self._notices.info("%s", logged or (text if isinstance(text, str) else "\n".join(text)))

    def remark(self, text: Text) -> None:
        """Print a note for people on stderr, except with `--json`."""
        if not self.as_json:
            self.report(text)


def printable(text: str) -> str:
    r"""
    Return a text as one line for a terminal, with escapes such as `\n` and `\u202e` for unsafe or invisible characters.

    A joiner stays inside an emoji, and between letters that it shapes.
    """
    return _IN_TEXT.sub(_escaped, text)


def printable_json(value: object) -> str:
    r"""Return a value as JSON on one line, with `\u` escapes for the same characters."""
    from webwx.model.serialization import to_json  # loads msgspec, which no help needs

    return _IN_JSON.sub(lambda found: json.dumps(found[0])[1:-1], to_json(value))


def takes_colors(stream: TextIO | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a stream takes colours: it is a terminal that has them, and NO_COLOR is not set."""
    is_terminal = stream is not None and stream.isatty()
    return is_terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def print_failure(sentence: str, stream: TextIO | None = None, environment: Mapping[str, str] = os.environ) -> None:
    """Print the one sentence of a failed command, on a terminal with a red beginning unless NO_COLOR is set."""
    stream = stream or sys.stderr
    if stream is None:
        return
    mark = "\x1b[31mwebwx:\x1b[0m" if takes_colors(stream, environment) else "webwx:"
    print(f"{mark} {printable(sentence)}", file=stream)


def print_document(value: object) -> None:
    """Print a value as JSON on stderr: the failure of a command with `--json`."""
    _write(sys.stderr, printable_json(value))


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found.lastgroup else found[0].encode("unicode_escape").decode()


def _lines(text: Text) -> str:
    return "\n".join(map(printable, [text] if isinstance(text, str) else text))


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:  # print() would take stdout for a closed stderr
        return
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        raise OutputClosed from None
