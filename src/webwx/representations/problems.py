"""Errors as problems of RFC 9457; the code of an error of the library is derived from the name of its class."""

from __future__ import annotations

import re
from http import HTTPStatus

import msgspec

from webwx import errors
from webwx.errors import (
    AnswerTooLarge,
    ApiError,
    GatewayFailed,
    GatewayRefused,
    InvalidRequest,
    LoggedOut,
    RateLimited,
    RateLimitReached,
    WxError,
)


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error, as the body of an answer (RFC 9457)."""

    type: str
    """Path of the page that explains this kind of error."""
    title: str
    """One sentence about this kind of error."""
    status: int
    """The HTTP status."""
    code: str
    """Name of this kind of error."""
    detail: str = ""
    """The reason of the error, and the next step."""
    retry_after: float | None = None
    """Seconds after which the request may succeed."""
    reason: str = ""
    """Why the login has ended, as in `LoggedOut.reason`."""
    endpoint: str = ""
    """Name of the platform's call that was refused."""
    ret: int | None = None
    """The platform's error code."""
    errors: tuple[str, ...] = ()
    """One sentence for each part of the request that is invalid."""
    field: str = ""
    """
    The invalid field of the body as a path with dots, such as `settings.host` or `scopes.0`, or the name of the invalid
    parameter of the query; missing if the problem is not about one of them. If several are invalid, it is the first.
    """


def code_of(kind: type[WxError]) -> str:
    """Return the code of a class of errors: its name in lower case, with hyphens."""
    return code_of_name(kind.__name__)


def code_of_name(name: str) -> str:
    """Return the code of the errors whose class has a name."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


_KINDS = {code_of(kind): kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, WxError)}
"""The errors of the library by their codes."""

_KINDS["body-too-large"] = errors.TooLarge  # the gateway refuses a long file before it knows the limit of its kind

_LATER = 60.0
"""Seconds to wait after a refusal that states no time."""


def error_of_answer(status: int, body: bytes) -> WxError:
    """Return the error for an answer without success."""
    found = read_problem(body)
    if found is not None:
        return error_of_problem(found)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return GatewayFailed(f"The gateway, or a proxy before it, has answered {status}.")
    return GatewayRefused(f"The gateway, or a proxy before it, has answered {status}.", code=str(status))


def error_of_problem(problem: Problem) -> WxError:
    """Return the error of the library for a problem of a gateway."""
    text, kind = problem.detail or problem.title, _KINDS.get(problem.code)
    if kind is None:
        if problem.status == HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimitReached(text, retry_after=problem.retry_after or _LATER)
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return GatewayFailed(text)
        return GatewayRefused(text, code=problem.code, field=problem.field)
    if issubclass(kind, LoggedOut):
        return kind(text, reason=problem.reason, endpoint=problem.endpoint, ret=problem.ret)
    if issubclass(kind, ApiError):
        refused = kind(text, endpoint=problem.endpoint, ret=problem.ret)
        if isinstance(refused, RateLimited):
            refused.retry_after = problem.retry_after
        return refused
    if issubclass(kind, RateLimitReached):
        return kind(text, retry_after=problem.retry_after or _LATER)
    if issubclass(kind, AnswerTooLarge):
        return kind(text, endpoint=problem.endpoint)
    if issubclass(kind, InvalidRequest):
        return kind(text, field=problem.field)
    return kind(text)


def is_unavailable(status: int, body: bytes) -> bool:
    """
    Return whether an answer means that nothing was done, and that the same request may succeed soon.

    The gateway is starting, stopping or overloaded, or no node of its cluster owns the account at this moment.
    """
    if status not in {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}:
        return False
    found = read_problem(body)
    return found is None or found.code in {"no-owner", "unavailable"}


def read_problem(body: bytes) -> Problem | None:
    """Return the problem in a body; None if the body is not a problem."""
    try:
        return msgspec.json.decode(body, type=Problem)
    except (msgspec.DecodeError, RecursionError):
        return None
