"""
Text of log lines about an exception that a handler raised.

The type of the exception, the handler's stack frames and their source lines are always shown. The message of the
exception is shown only in debug mode, because it may quote a message.
"""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FRAMEWORK = {Path(__file__).parents[1], Path(asyncio.__file__).parent}
"""Folders whose frames are left out: this package, and asyncio, which waits for the handler."""


def describe(error: BaseException) -> str:
    """Return the type of an exception and the handler's line that raised it, such as `KeyError at shop.py:9`."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(frame)]
    frame = (own or list(frames))[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def trace(error: BaseException, *, with_messages: bool) -> str:
    """
    Format an exception with the exceptions that led to it, as Python does, from the handler's first frame on.

    Args:
        error: The exception.
        with_messages: Add the messages of the exceptions, which may contain text of a chat.

    """
    return "\n".join(line for each in _chain(error) for line in _lines(each, with_messages=with_messages))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions that led to this one, the oldest first, and then the exception itself."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and all(following is not each for each in chain):
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    yield from reversed(chain)


def _lines(error: BaseException, *, with_messages: bool) -> Iterator[str]:
    frames = traceback.extract_tb(error.__traceback__)
    first = next((index for index, frame in enumerate(frames) if _is_own(frame)), 0)
    yield "Traceback (most recent call last):"
    for text in traceback.StackSummary.from_list(list(frames)[first:]).format():
        yield text.rstrip("\n")
    # Indented, so that no line of a message can pass for a log record.
    message = "\n    ".join(str(error).splitlines()) if with_messages else ""
    yield f"{type(error).__name__}: {message}" if message else type(error).__name__


def _is_own(frame: traceback.FrameSummary) -> bool:
    return is_own_file(frame.filename)


def is_own_file(name: str) -> bool:
    """Return whether a source file belongs to the program, not to this package or asyncio."""
    return _FRAMEWORK.isdisjoint(Path(name).parents)
