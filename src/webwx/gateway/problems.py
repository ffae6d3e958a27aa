"""
Every error of the gateway as a problem of RFC 9457.

The `type` is a path of this gateway, `/docs/errors/<code>`, where the error is explained. The code of an error of the
library is the name of its class: `UnknownContact` is `unknown-contact`.
"""

from __future__ import annotations

import logging
import re
import traceback
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException

from webwx.errors import RateLimited, RateLimitReached, WxError
from webwx.outcomes import outcome_of
from webwx.representations.problems import Problem, code_of, code_of_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litestar import Request
    from litestar.types import ExceptionHandlersMap

_log = logging.getLogger("webwx.gateway")

MEDIA_TYPE = "application/problem+json"

_NAMED = re.compile(r"^Object (?:missing required|contains unknown) field `(.+)`$")

_INDEX = re.compile(r"\[(\d+)\]")

_RETRY_LATER = 60.0
"""Seconds to name in `Retry-After` when the platform refused a call as too frequent."""


class Kind(NamedTuple):
    """A kind of error that only the gateway has."""

    status: HTTPStatus
    title: str


KINDS: dict[str, Kind] = {
    "bad-request": Kind(HTTPStatus.BAD_REQUEST, "The request is not valid."),
    "unauthorized": Kind(HTTPStatus.UNAUTHORIZED, "The request has no valid key."),
    "forbidden": Kind(HTTPStatus.FORBIDDEN, "The key does not have the scope that this request needs."),
    "bad-origin": Kind(HTTPStatus.FORBIDDEN, "A page of another site may not call the gateway."),
    "not-found": Kind(HTTPStatus.NOT_FOUND, "There is no such object, or the key does not reach it."),
    "method-not-allowed": Kind(HTTPStatus.METHOD_NOT_ALLOWED, "This address does not have this method."),
    "not-acceptable": Kind(HTTPStatus.NOT_ACCEPTABLE, "The answer is not available in an accepted media type."),
    "conflict": Kind(HTTPStatus.CONFLICT, "The present state does not allow this."),
    "body-too-large": Kind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is larger than the gateway accepts."),
    "unsupported-media-type": Kind(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The media type of the body is not supported."),
    "range-not-satisfiable": Kind(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "The range is outside of the file."),
    "bad-signature": Kind(
        HTTPStatus.FORBIDDEN, "A request between nodes of the cluster has no valid signature; nothing was done."
    ),
    "wrong-host": Kind(HTTPStatus.MISDIRECTED_REQUEST, "The gateway does not serve this host name."),
    "not-owner": Kind(
        HTTPStatus.MISDIRECTED_REQUEST, "This node does not own the account (any more); nothing was done."
    ),
    "not-on-the-wire": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "WeChat's web protocol cannot express this; nothing was sent."
    ),
    "url-not-fetched": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The file could not be fetched from its URL; nothing was sent."
    ),
    "too-many-requests": Kind(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests, or too many wrong keys."),
    "internal-error": Kind(HTTPStatus.INTERNAL_SERVER_ERROR, "The gateway failed; its log says where."),
    "no-owner": Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "No node that can be reached owns the account now; nothing was done."
    ),
    "no-room": Kind(HTTPStatus.INSUFFICIENT_STORAGE, "The gateway has no room for this file; nothing was stored."),
    "unavailable": Kind(HTTPStatus.SERVICE_UNAVAILABLE, "The gateway cannot do this now."),
}
"""The kinds of errors by their codes, in addition to the errors of the library."""

_TITLES = {
    "login-refused": "This account may not log in on this host.",
    "not-forwardable": "The message has no content that can be forwarded.",
    "not-on-this-host": "The chosen host does not offer this call.",
    "rate-limit-reached": "The account's own rate limit allows nothing more for now; nothing was sent.",
    "wx-error": "The call failed.",
}
"""Titles of errors of the library, by their codes, of which the docstrings explain the class or its attributes."""

CHANNEL_FAILED = "channel-failed"
HANDLER_FAILED = "handler-failed"
LOGIN_STOPPED = "login-stopped"
NOT_ACCEPTED = "not-accepted"

FAILURES = {
    CHANNEL_FAILED: "The owner could not be reached in this way.",
    HANDLER_FAILED: "A program failed to handle the event.",
    LOGIN_STOPPED: "The login was stopped.",
    NOT_ACCEPTED: "The server answered, and did not accept the event.",
}
"""What else can fail, by its code; no request is answered with these codes."""

_STORED = re.compile(r"(?P<code>[a-z-]+)(?:: (?P<text>.+))?|(?P<type>[A-Z]\w*)(?P<place> at .+)?", re.DOTALL)
"""A failure as the consumers of this gateway store it, or as the library describes an error."""


class GatewayProblem(Exception):
    """
    An error of the gateway itself.

    Args:
        code: A key of `KINDS`.
        detail: What happened, and what to do next. It never holds a key or the text of a message.
        retry_after: Seconds after which the request may succeed.
        field: The invalid field, as in `Problem.field`; empty for none.
    """

    def __init__(self, code: str, detail: str = "", *, retry_after: float | None = None, field: str = "") -> None:
        super().__init__(detail or KINDS[code].title)
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.field = field

    @property
    def problem(self) -> Problem:
        """The body of the answer."""
        return problem(self.code, self.detail, retry_after=self.retry_after, field=self.field)


def problem(
    code: str,
    detail: str = "",
    *,
    retry_after: float | None = None,
    errors: tuple[str, ...] = (),
    field: str = "",
) -> Problem:
    """Return the problem with a code of `KINDS`."""
    kind = KINDS[code]
    return Problem(
        type=_path(code), title=kind.title, status=int(kind.status), code=code, detail=detail, retry_after=retry_after,
        errors=errors, field=field,
    )  # fmt: skip


def field_of(place: str, reason: str) -> str:
    """
    Return the path of the field that msgspec finds invalid, with dots; empty for the whole value.

    Args:
        place: Where msgspec finds the error, without `$.`, such as `scopes[0]`.
        reason: Its sentence, which names a missing or unknown field.
    """
    named = _NAMED.search(reason)
    parts = [place, named.group(1) if named else ""]
    return ".".join(filter(None, _INDEX.sub(r".\1", ".".join(parts)).split(".")))


def problem_of_message(error: msgspec.DecodeError | RecursionError) -> Problem:
    """Return the problem of a message that cannot be read, with the name of the field."""
    if isinstance(error, RecursionError):
        return problem("bad-request", "The message is nested too deeply.")
    reason, place = read_validation_error(error)
    return problem("bad-request", errors=(f"{place or 'message'}: {reason}",), field=field_of(place, reason))


def read_validation_error(error: msgspec.DecodeError) -> tuple[str, str]:
    """Return the reason of an error of msgspec, and its place as `field_of` takes it."""
    reason, _, place = str(error).partition(" - at `$")
    return reason, place.rstrip("`").lstrip(".")


def problem_of(error: WxError) -> Problem:
    """Return the problem for an error of the library."""
    code = code_of_error(error)
    retry_after = None
    if isinstance(error, (RateLimited, RateLimitReached)):
        retry_after = error.retry_after or _RETRY_LATER
    return Problem(
        type=_path(code), title=_title(type(error)), status=int(outcome_of(error).status), code=code,
        detail=str(error), retry_after=retry_after, reason=getattr(error, "reason", ""),
        endpoint=getattr(error, "endpoint", ""), ret=getattr(error, "ret", None), field=getattr(error, "field", ""),
    )  # fmt: skip


def error_pages() -> dict[str, tuple[int, str]]:
    """Return the status and the title of every kind of error, by its code."""
    pages = {code: (int(kind.status), kind.title) for code, kind in KINDS.items()}
    for kind_of_error in _kinds_of_library():
        sample = kind_of_error.__new__(kind_of_error)
        pages[code_of(kind_of_error)] = (int(outcome_of(sample).status), _title(kind_of_error))
    return dict(sorted(pages.items()))


def _kinds_of_library() -> Iterator[type[WxError]]:
    waiting: list[type[WxError]] = [WxError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        yield kind


def code_of_error(error: BaseException) -> str:
    """Return the code of the problem with which a request is answered that raises an error."""
    match error:
        case GatewayProblem():
            return error.code
        case WxError():
            return code_of(type(error))
        case HTTPException():
            return BY_STATUS.get(error.status_code, "bad-request" if error.status_code < 500 else "internal-error")
        case _:
            return "internal-error"


def sentence_of(code: str) -> str:
    """Return the sentence about the errors with a code, which is a code of a problem or of `FAILURES`."""
    return FAILURES[code] if code in FAILURES else error_pages()[code][1]


def public_sentence_of(error: BaseException) -> str:
    """
    Return a sentence about an error without secrets and texts of chats.

    The detail of an error of the gateway has none; the text of any other error may have some, so the sentence is that
    of its code.
    """
    return str(error) if isinstance(error, GatewayProblem) else sentence_of(code_of_error(error))


class ReadFailure(NamedTuple):
    """A failure that a consumer has stored with an event."""

    code: str
    """A code of a problem or of `FAILURES`."""
    text: str


def store_failure(code: str, text: str = "") -> str:
    """Return the failed attempt at an event as a consumer of the gateway stores it."""
    return f"{code}: {text}" if text else code


def read_failure(stored: str) -> ReadFailure:
    """
    Return the code and the text of a failure that a consumer has stored: one of the gateway, or any program.

    A failure without a text and without a place in a program has the sentence of its code.
    """
    found = _STORED.fullmatch(stored)
    if found is not None:
        code = found["code"] or code_of_name(found["type"])
        if code in FAILURES or code in error_pages():
            return ReadFailure(code, found["text"] or (stored if found["place"] else sentence_of(code)))
    return ReadFailure(HANDLER_FAILED, stored)


def _path(code: str) -> str:
    return f"/docs/errors/{code}"


def _title(kind: type[WxError]) -> str:
    if title := _TITLES.get(code_of(kind)):
        return title
    lines = (kind.__doc__ or "").strip().splitlines()
    return lines[0] if lines else kind.__name__


# -- answers -----------------------------------------------------------------------------------------------------------


def answer(body: Problem) -> Response[Problem]:
    """Return the answer with a problem as its body."""
    headers = {"Cache-Control": "no-store"}
    if body.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(body.retry_after)))
    if body.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="webwx"'
    return Response(body, status_code=body.status, media_type=MEDIA_TYPE, headers=headers)


BY_STATUS = {int(kind.status): code for code, kind in reversed(KINDS.items())}
"""The first code of each status."""


def answer_of(error: Exception) -> Response[Problem]:
    """Return the answer with the problem of an error."""
    match error:
        case GatewayProblem():
            return answer(error.problem)
        case WxError():
            return answer(problem_of(error))
        case HTTPException():
            return _answer_of_framework(error)
        case _:
            return _answer_unforeseen(error)


def _answer_of_framework(error: HTTPException) -> Response[Problem]:
    """Answer a request that the framework refuses: an unknown path, a wrong method, or an invalid body."""
    code = code_of_error(error)
    found = _invalid_parts(error.extra) if error.status_code == HTTPStatus.BAD_REQUEST else []
    fields = [each for each in map(_field_of_part, found) if each]
    made = answer(problem(code, errors=tuple(map(_sentence, found)), field=fields[0] if fields else ""))
    for name, value in (error.headers or {}).items():
        made.set_header(name, value)
    return made


def _invalid_parts(extra: dict[str, Any] | list[Any] | None) -> list[dict[str, Any]]:
    """Return the invalid parts that the framework found."""
    return [each for each in extra if isinstance(each, dict)] if isinstance(extra, list) else []


def _sentence(part: dict[str, Any]) -> str:
    """Return the sentence for an invalid part; its value is not repeated."""
    return f"{part.get('key', 'body')}: {part.get('message', 'invalid')}"


def _field_of_part(part: dict[str, Any]) -> str:
    """Return the path of an invalid part of the body, or the name of one of the query; empty for any other."""
    if part.get("source") not in {"body", "query"}:
        return ""
    place = "" if part["key"] == "data" else part["key"]  # the argument of the handler that has the whole body
    return field_of(place, part.get("message", ""))


def _answer_unforeseen(error: Exception) -> Response[Problem]:
    """Log where an unforeseen error was raised, without its text, which may hold anything."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    _log.error("Internal error (%s at %s:%s).", type(error).__name__, Path(place.filename).name, place.lineno)
    return answer(problem(code_of_error(error)))


def _answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    del request
    return answer_of(error)


HANDLERS: ExceptionHandlersMap = {Exception: _answer_error}
"""The handler of the app for every error."""
