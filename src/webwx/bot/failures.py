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
import inspect
import re
import sys
import sysconfig
import traceback
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from webwx.bot.signatures import WrongFunction
from webwx.errors import ApiError, WxError
from webwx.model.messages import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

_PACKAGE = Path(__file__).parents[1]
_FOLDED = {_PACKAGE, Path(asyncio.__file__).parent, Path(concurrent.futures.__file__).parents[1]}
"""Folders whose frames are folded: this package, and what waits for a function."""

_STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
_INSTALLED = {"site-packages", "dist-packages"}
"""Names of the folders of installed packages."""

_COMPILED = (".pyx", ".pxd", ".pxi")
"""Ends of the names of Cython's files, such as uvloop's; an installed module names them without its folder."""

_QUOTED = re.compile(r"""(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?!\w)""", re.DOTALL)
"""A value in a sentence, as `repr` writes it."""

_IMPORTED = re.compile(r"cannot import name '(\w+)'")

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
        lines = list(_trace(error, shows_messages=self._is_debug, folds=not self._is_debug))
        what, text = what or describe(error), "\n".join(lines)
        if text in self._written:
            return f"{what}, as before."
        if len(self._written) >= _REMEMBERED:
            self._written.clear()
        self._written.add(text)
        if not self._has_hinted and any(_message(each) and not _public_message(each) for each in _chain(error)):
            self._has_hinted = True
            text = f"{text}\n{_HINT}"
        return f"{what}.\n{text}"


def describe(error: BaseException) -> str:
    """Return the type of an exception and the last line of the user's program, such as `KeyError at shop.py:9`."""
    if isinstance(error, WrongFunction):
        return f"{type(error).__name__} at {error.place}"
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, SyntaxError) and error.filename and is_own_file(error.filename):
        return f"{type(error).__name__} at {Path(error.filename).name}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    frame = (_own_frames(frames) or frames)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def summarize(error: BaseException) -> str:
    """Return the description of an exception, with its sentence if this package raised it."""
    sentence = own_sentence(error)
    return f"{describe(error)}: {sentence.rstrip('.')}" if sentence else describe(error)


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
    text = _message(error)
    if isinstance(error, ApiError) and error.message:
        text = text.replace(error.message, "…")
    return without_values(text)


def without_values(text: str) -> str:
    """Return a sentence with `…` in place of the values in quotes."""
    return _QUOTED.sub("'…'", text)


def load_report(error: BaseException) -> list[str]:
    """Return the lines about an exception of a program that is loaded: its traceback, with messages."""
    return list(_trace(error, shows_messages=True, folds=True))


def calling_place() -> str:
    """Return the file and line of the user's program that has called this package, such as `bot.py:9`."""
    frame = inspect.currentframe()
    while frame is not None and not is_own_file(frame.f_code.co_filename):
        frame = frame.f_back
    return "an unknown place" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def is_of_program(error: BaseException) -> bool:
    """Return whether a function of the user's program raised an exception, or called what raised it."""
    return any(is_own_file(frame.filename) for frame in traceback.extract_tb(error.__traceback__))


def is_own_file(name: str) -> bool:
    """Return whether a source file belongs to the user's program: not to this package, Python or an installed one."""
    parents = Path(name).parents
    return not (
        name.startswith("<frozen ")
        or name.endswith(_COMPILED)
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


def _message(error: BaseException) -> str:
    """Return the message of an exception; empty if its class, which the program may define, cannot write it."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a user's `__str__` may raise anything
        return ""


def _public_message(error: BaseException) -> str:
    """Return what the log may show of the message of an exception; empty for nothing."""
    return own_sentence(error) or _unknown_name(error)


def _unknown_name(error: BaseException) -> str:
    """Return a text with the name that does not exist, if the name is in the code itself; empty for other errors."""
    innermost = _innermost(error.__traceback__)
    if not isinstance(error, AttributeError | NameError) or innermost is None:
        return ""
    if not is_own_file(innermost.tb_frame.f_code.co_filename):
        return ""
    if error.name not in (*innermost.tb_frame.f_code.co_names, *innermost.tb_frame.f_code.co_varnames):
        return ""
    if isinstance(error, NameError):
        return f"the name {error.name!r} has no value here"
    hint = _hint_at_attribute(error.obj, error.name, innermost.tb_frame.f_locals)
    return f"a {type(error.obj).__name__} has no attribute {error.name!r}{hint}"


def _hint_at_attribute(owner: object, name: str, variables: Mapping[str, object]) -> str:
    contexts = [each for each, value in variables.items() if type(value).__module__.startswith("webwx.bot.")]
    if isinstance(owner, Event) and (has_it := [each for each in contexts if hasattr(type(variables[each]), name)]):
        return f"; the context has it: {has_it[0]}.{name}"
    close = get_close_matches(name, dir(type(owner)), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def right_name(error: ImportError) -> str:
    """Return the name that a program meant to import from a module that has no such name; empty if none is similar."""
    wrong, module = _IMPORTED.match(_message(error)), sys.modules.get(error.name or "")
    close = get_close_matches(wrong[1], dir(module), n=1) if wrong and module else []
    return close[0] if close else ""


def _trace(error: BaseException, *, shows_messages: bool, folds: bool) -> Iterator[str]:
    """
    Format an exception with the exceptions that led to it, as Python does, from the first frame of the program on.

    Args:
        error: The exception.
        shows_messages: Show the messages of exceptions, which may contain text of a chat.
        folds: Fold the frames of this package.
    """
    for each in _chain(error):
        yield from _frames(each, folds=folds)
        if shows_messages and isinstance(each, SyntaxError):
            yield from "".join(traceback.format_exception_only(each)).rstrip("\n").split("\n")
            continue
        # Indented, so that no line of a message can pass for a log record.
        message = "\n    ".join((_message(each) if shows_messages else _public_message(each)).splitlines())
        yield f"{type(each).__name__}: {message}" if message else type(each).__name__


def _chain(error: BaseException, seen: set[int] | None = None) -> Iterator[BaseException]:
    """
    Yield the exceptions that led to this one or are in its group, the oldest first, and then this one; each once.

    An exception that is raised again from its group has that group as its context.

    Args:
        error: The exception.
        seen: `id` of the exceptions that are yielded already, or will be.
    """
    seen = set() if seen is None else seen
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    for each in reversed(chain):
        for inner in each.exceptions if isinstance(each, BaseExceptionGroup) else ():
            if id(inner) not in seen:
                yield from _chain(inner, seen)
        yield each


def _frames(error: BaseException, *, folds: bool) -> Iterator[str]:
    """Format the frames of an exception; none if they are all of this package, whose sentence needs none."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith("<frozen ")]
    own = _own_frames(frames)
    shown = frames[frames.index(own[0]) :] if own else frames
    if folds and not own and (isinstance(error, SyntaxError) or own_sentence(error)):
        return
    if shown:
        yield "Traceback (most recent call last):"
    for is_folded, group in groupby(shown, key=lambda frame: bool(own) and folds and _is_folded(frame)):
        some = list(group)
        if is_folded:
            yield f"  ({len(some)} frame{'s' if len(some) > 1 else ''} of webwx)"
        else:
            for text in traceback.StackSummary.from_list(some).format():
                yield from text.rstrip("\n").split("\n")
