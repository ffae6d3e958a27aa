"""
One table from each error to the exit code of a command and the status of an HTTP answer.

The command line uses it; so can a program that serves a client over HTTP.
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
    NotLoggedIn,
    ProtocolError,
    RateLimited,
    RateLimitReached,
    RecordChanged,
    SendOutcomeUnknown,
    StorageError,
    Timeout,
    TransportError,
    WxError,
)


class Exit(enum.IntEnum):
    """Exit codes. Scripts depend on them, so a code never changes its meaning."""

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
    Exit.FAILED: "any other failure",
    Exit.BAD_INPUT: "wrong usage or bad input; nothing was sent",
    Exit.ALREADY_RUNNING: "another process is syncing this login",
    Exit.LOGGED_OUT: "not logged in, logged out, or the login was not confirmed",
    Exit.REFUSED: "the platform refused, or the account's rate limit is reached",
    Exit.NETWORK: "the network failed",
    Exit.OUTCOME_UNKNOWN: "may or may not have been done; check before you repeat it",
    Exit.INTERRUPTED: "interrupted with Ctrl-C",
    Exit.TERMINATED: "terminated by SIGTERM (0 for commands that run until stopped, such as listen)",
}
"""Meaning of each code, as `webwx --help` prints it."""


class Outcome(NamedTuple):
    """Exit code and HTTP status of one kind of failure."""

    exit: Exit
    status: HTTPStatus


_OUTCOMES: tuple[tuple[type[WxError], Outcome], ...] = (
    (InvalidRequest, Outcome(Exit.BAD_INPUT, HTTPStatus.UNPROCESSABLE_ENTITY)),
    (AlreadyRunning, Outcome(Exit.ALREADY_RUNNING, HTTPStatus.CONFLICT)),
    (RecordChanged, Outcome(Exit.FAILED, HTTPStatus.CONFLICT)),
    (StorageError, Outcome(Exit.FAILED, HTTPStatus.SERVICE_UNAVAILABLE)),
    (LoggedOut, Outcome(Exit.LOGGED_OUT, HTTPStatus.FAILED_DEPENDENCY)),
    (NotLoggedIn, Outcome(Exit.LOGGED_OUT, HTTPStatus.FAILED_DEPENDENCY)),
    (RateLimitReached, Outcome(Exit.REFUSED, HTTPStatus.TOO_MANY_REQUESTS)),
    (RateLimited, Outcome(Exit.REFUSED, HTTPStatus.TOO_MANY_REQUESTS)),
    (ApiError, Outcome(Exit.REFUSED, HTTPStatus.FORBIDDEN)),
    (SendOutcomeUnknown, Outcome(Exit.OUTCOME_UNKNOWN, HTTPStatus.CONFLICT)),
    (Timeout, Outcome(Exit.NETWORK, HTTPStatus.GATEWAY_TIMEOUT)),
    (TransportError, Outcome(Exit.NETWORK, HTTPStatus.BAD_GATEWAY)),
    (ProtocolError, Outcome(Exit.FAILED, HTTPStatus.BAD_GATEWAY)),
    (WxError, Outcome(Exit.FAILED, HTTPStatus.INTERNAL_SERVER_ERROR)),
)
"""Outcomes by class of error; the first class that matches is used."""


def outcome_of(error: WxError) -> Outcome:
    """Return the exit code and the HTTP status for an error."""
    return next(outcome for kind, outcome in _OUTCOMES if isinstance(error, kind))
