"""
How a failure ends, in one table: the exit code of a command, and the status of an HTTP answer about it.

The command line reads it, and so can a program that puts a client behind HTTP.
"""

from __future__ import annotations

import enum
from http import HTTPStatus
from typing import NamedTuple

from webwx.errors import (
    AlreadyRunning,
    ApiError,
    InvalidRequest,
    LoggedOut,
    LoginTimeout,
    ProtocolError,
    RateLimited,
    SendOutcomeUnknown,
    StorageError,
    Timeout,
    TransportError,
    WxError,
)


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


class Outcome(NamedTuple):
    """How one kind of failure ends."""

    exit: Exit
    status: HTTPStatus


_OUTCOMES: tuple[tuple[type[WxError], Outcome], ...] = (
    (InvalidRequest, Outcome(Exit.BAD_INPUT, HTTPStatus.UNPROCESSABLE_ENTITY)),
    (AlreadyRunning, Outcome(Exit.ALREADY_RUNNING, HTTPStatus.CONFLICT)),
    (StorageError, Outcome(Exit.FAILED, HTTPStatus.SERVICE_UNAVAILABLE)),
    (LoggedOut, Outcome(Exit.LOGGED_OUT, HTTPStatus.FAILED_DEPENDENCY)),
    (LoginTimeout, Outcome(Exit.LOGGED_OUT, HTTPStatus.FAILED_DEPENDENCY)),
    (RateLimited, Outcome(Exit.REFUSED, HTTPStatus.TOO_MANY_REQUESTS)),
    (ApiError, Outcome(Exit.REFUSED, HTTPStatus.FORBIDDEN)),
    (SendOutcomeUnknown, Outcome(Exit.OUTCOME_UNKNOWN, HTTPStatus.CONFLICT)),
    (Timeout, Outcome(Exit.NETWORK, HTTPStatus.GATEWAY_TIMEOUT)),
    (TransportError, Outcome(Exit.NETWORK, HTTPStatus.BAD_GATEWAY)),
    (ProtocolError, Outcome(Exit.FAILED, HTTPStatus.BAD_GATEWAY)),
    (WxError, Outcome(Exit.FAILED, HTTPStatus.INTERNAL_SERVER_ERROR)),
)
"""The first class that fits decides."""


def outcome_of(error: WxError) -> Outcome:
    """Return how a command and an HTTP answer end that met this error."""
    return next(outcome for kind, outcome in _OUTCOMES if isinstance(error, kind))
