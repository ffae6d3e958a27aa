"""
Text of log lines about an exception that a function of a bot raised.

The type of the exception, the frames of the user's program and their source lines are always shown. The message of an
exception is shown only in debug mode, because it may quote a message; the sentences of this package are the exception:
they are shown with `…` in place of the values in them, which may come from a chat or from the server.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dis
import re
import sysconfig
import traceback
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from webwx.bot.signatures import WrongFunction
from webwx.errors import ApiError, WxError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_PACKAGE = Path(__file__).parents[1]
_FOLDED = {_PACKAGE, Path(asyncio.__file__).parent, Path(concurrent.futures.__file__).parents[1]}
"""Folders whose frames are folded: this package, and what waits for a function."""

_STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
_INSTALLED = {"site-packages", "dist-packages"}
"""Names of the folders of installed packages."""

_QUOTED = re.compile(r"""(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?!\w)""", re.DOTALL)
"""A value in a sentence, as `repr` writes it."""

_REMEMBERED = 1_000
"""Maximum number of tracebacks that are remembered, so that each is written once."""

_HINT = "Run with --debug, or with Bot(debug=True), to see the messages of exceptions; they may quote a chat."


class FailureReports:
    """
    Texts about the failures of one bot; the traceback of a repeated failure is left out.

    Args:
        debug: Show the messages of exceptions, which may contain text of a chat, and all frames.
    """

    def __init__(self, *, debug: bool = False) -> None:
        self._is_debug = debug
        self._written: set[str] = set()
        self._has_hinted = debug

    def text(self, error: BaseException, what: str = "") -> str:
        """
        Return a text about a failure: one line, and the traceback unless an equal one was returned before.

        Args:
            error: The exception.
            what: What happened; default: the type of the exception and the line of the user's program.
        """
        lines = list(_trace(error, is_debug=self._is_debug))
        what, text = what or describe(error), "\n".join(lines)
        if text in self._written:
            return f"{what}, as before."
        if len(self._written) >= _REMEMBERED:
            self._written.clear()
        self._written.add(text)
        if not self._has_hinted and any(str(each) and not own_sentence(each) for each in _chain(error)):
            self._has_hinted = True
            text = f"{text}\n{_HINT}"
        return f"{what}.\n{text}"


def describe(error: BaseException) -> str:
    """Return the type of an exception and the last line of the user's program, such as `KeyError at shop.py:9`."""
    if isinstance(error, WrongFunction):
        return f"{type(error).__name__} at {error.place}"
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    frame = (_own_frames(frames) or frames)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def own_sentence(error: BaseException) -> str:
    """
    Return the sentence of an exception that this package raised, with `…` in place of values; else an empty text.

    An exception of another class counts only if a `raise` statement of this package raised it: the text of one that a
    function of Python or of a library raised there is not a sentence of this package.
    """
    innermost = _innermost(error.__traceback__)
    if innermost is None or _PACKAGE not in Path(innermost.tb_frame.f_code.co_filename).parents:
        return ""
    if not isinstance(error, WxError):
        instruction = innermost.tb_frame.f_code.co_code[innermost.tb_lasti]
        if dis.opname[instruction] != "RAISE_VARARGS":
            return ""
    text = str(error)
    if isinstance(error, ApiError) and error.message:
        text = text.replace(error.message, "…")
    return _QUOTED.sub("'…'", text)


def is_own_file(name: str) -> bool:
    """Return whether a source file belongs to the user's program: not to this package, Python or an installed one."""
    parents = Path(name).parents
    return not (
        name.startswith("<frozen ")
        or _PACKAGE in parents
        or _STANDARD_LIBRARY in parents
        or any(each.name in _INSTALLED for each in parents)
    )


def _innermost(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _own_frames(frames: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    """Return the frames of the user's program; of a program that is an installed package, all that are not folded."""
    own = [frame for frame in frames if is_own_file(frame.filename)]
    return own or [frame for frame in frames if not _is_folded(frame)]


def _is_folded(frame: traceback.FrameSummary) -> bool:
    return not _FOLDED.isdisjoint(Path(frame.filename).parents)


def _trace(error: BaseException, *, is_debug: bool) -> Iterator[str]:
    """
    Format an exception with the exceptions that led to it, as Python does, from the first frame of the program on.

    Args:
        error: The exception.
        is_debug: Show the messages of exceptions, which may contain text of a chat, and all frames.
    """
    for each in _chain(error):
        yield from _lines(each, is_debug=is_debug)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions that led to this one, the oldest first, and then the exception itself."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and all(following is not each for each in chain):
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    yield from reversed(chain)


def _lines(error: BaseException, *, is_debug: bool) -> Iterator[str]:
    frames = list(traceback.extract_tb(error.__traceback__))
    own = _own_frames(frames)
    shown = frames[frames.index(own[0]) :] if own else frames
    if shown:
        yield "Traceback (most recent call last):"
    for is_folded, group in groupby(shown, key=lambda frame: bool(own) and not is_debug and _is_folded(frame)):
        some = list(group)
        if is_folded:
            yield f"  ({len(some)} frame{'s' if len(some) > 1 else ''} of webwx)"
        else:
            yield from (text.rstrip("\n") for text in traceback.StackSummary.from_list(some).format())
    # Indented, so that no line of a message can pass for a log record.
    message = "\n    ".join((str(error) if is_debug else own_sentence(error)).splitlines())
    yield f"{type(error).__name__}: {message}" if message else type(error).__name__
