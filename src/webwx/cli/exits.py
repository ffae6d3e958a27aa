"""How a command ends: its exit code, and for each failure the one sentence that a person reads."""

from __future__ import annotations

import enum
import errno
import traceback
from pathlib import Path
from typing import TypeVar

import click

from webwx.errors import (
    AlreadyRunning,
    ApiError,
    ConnectFailed,
    LoggedOut,
    LoginTimeout,
    RefusedLocally,
    SendUnknown,
    Timeout,
    TlsError,
    TransportError,
    WxError,
)

T = TypeVar("T")


class Exit(enum.IntEnum):
    """Exit codes. Scripts depend on them: none is ever given another meaning."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    ALREADY_RUNNING = 3
    LOGGED_OUT = 4
    REFUSED = 5
    NETWORK = 6
    OUTCOME_UNKNOWN = 7
    INTERRUPTED = 130
    TERMINATED = 143


MEANING = {
    Exit.DONE: "done",
    Exit.FAILED: "anything not listed here",
    Exit.BAD_INPUT: "wrong usage or bad input; nothing was sent",
    Exit.ALREADY_RUNNING: "another process is listening with this login",
    Exit.LOGGED_OUT: "logged out, or nobody confirmed the login",
    Exit.REFUSED: "the platform understood and refused",
    Exit.NETWORK: "the network failed",
    Exit.OUTCOME_UNKNOWN: "may or may not have been done: look before you repeat it",
    Exit.INTERRUPTED: "interrupted with Ctrl-C",
    Exit.TERMINATED: "ended by SIGTERM; for what never ends by itself, such as listen, that is 0",
}
"""What `webwx --help` says about each code."""

_EXITS: tuple[tuple[type[WxError], Exit], ...] = (
    (RefusedLocally, Exit.BAD_INPUT),
    (AlreadyRunning, Exit.ALREADY_RUNNING),
    (LoggedOut, Exit.LOGGED_OUT),
    (LoginTimeout, Exit.LOGGED_OUT),
    (ApiError, Exit.REFUSED),
    (SendUnknown, Exit.OUTCOME_UNKNOWN),
    (TransportError, Exit.NETWORK),
    (WxError, Exit.FAILED),
)
"""The first class that fits decides."""

_NEXT_STEPS: tuple[tuple[type[WxError], str], ...] = (
    (LoggedOut, ": 'webwx login' does it"),
    (LoginTimeout, "; run 'webwx login' again and confirm on the phone"),
    (AlreadyRunning, "; end that one first"),
    (TlsError, "; check this machine's clock and its proxy"),
    (ConnectFailed, "; check the network, or the address given as --server or WEBWX_SERVER"),
    (Timeout, "; check the network and try again"),
)
"""What to type or do next, where the command line knows it better than the library."""


class BadInput(click.ClickException):
    """Something typed or piped in cannot be used."""

    exit_code = Exit.BAD_INPUT


class CommandFailed(click.ClickException):
    """A command could not do its work, for a reason of its own."""

    exit_code = Exit.FAILED


def explain(error: Exception) -> tuple[Exit, str]:
    """Give the exit code of a failure, and the sentence that says what happened and what to do next."""
    match error:
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "webwx"
            return Exit.BAD_INPUT, _join(error.format_message(), f"; see '{command} --help'")
        case click.ClickException():
            return Exit(error.exit_code), error.format_message()
        case WxError():
            return _first(_EXITS, error, Exit.FAILED), _join(str(error), _first(_NEXT_STEPS, error, ""))
        case OSError():
            return Exit.FAILED, _explain_os_error(error)
        case _:
            # The text of an unforeseen exception may hold anything, keys included; where it was raised holds nothing.
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            return Exit.FAILED, f"This is a mistake in webwx ({type(error).__name__} at {where}); please report it."


def _explain_os_error(error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    if error.errno == errno.ENOSPC:
        return "The disk is full; make room and try again."
    if error.filename is None:
        return f"The system refused: {reason}."
    return f"The system refused {str(error.filename)!r} ({reason}); check the path and its permissions."


def _first(table: tuple[tuple[type[WxError], T], ...], error: WxError, otherwise: T) -> T:
    return next((value for kind, value in table if isinstance(error, kind)), otherwise)


def _join(what: str, next_step: str) -> str:
    sentence = " ".join(what.split()).rstrip(".")
    return sentence if sentence.endswith("?") else f"{sentence}{next_step}."
