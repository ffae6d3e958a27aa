"""Failures of tools: structured results that no program can take for a success."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from webwx.errors import (
    ApiError,
    InvalidRequest,
    LoggedOut,
    NotLoggedIn,
    RateLimited,
    RateLimitReached,
    SendOutcomeUnknown,
    WxError,
)
from webwx.gateway.adapters.mcp.short_texts import short_text
from webwx.gateway.adapters.mcp.tool_values import ToolFailure
from webwx.gateway.adapters.permissions import ChatNotAllowed
from webwx.gateway.problems import GatewayProblem
from webwx.representations.problems import code_of

if TYPE_CHECKING:
    from webwx.gateway.adapters.mcp.tool_values import FailureOutcome

_UNKNOWN_SEND = (
    "It may have been sent. Do not send it again; ask find_send with this idempotency_key, or look at the chat."
)
_UNKNOWN_CHANGE = "It may have been done; look at the chat."

_LONGEST = 1_500
"""Maximum number of characters of the text of a failure, which may name a chat."""

_AT_ONCE = 1.0
"""Seconds below which a wait is rounded up."""


class ToolRefused(InvalidRequest):
    """A tool cannot do what the arguments say; nothing was done."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "invalid-arguments",
        outcome: FailureOutcome = "refused",
        retry_after: float | None = None,
        is_hidden: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        """Name of the kind of failure."""
        self.outcome = outcome
        """Whether another call may succeed."""
        self.retry_after = retry_after
        """Seconds after which the call may succeed; None: unknown, or never."""
        self.is_hidden = is_hidden
        """Whether what was asked for exists, and the agent may not know that; only the audit log says it."""


SEND_BUDGET = "send-budget"
"""Code of a send beyond the number that the owner allows."""


def refusal_of(error: WxError | GatewayProblem) -> str:
    """
    Return the code with which the audit log notes an error, if the owner has not allowed the call; empty if not.

    The owner allows a number of sends as well, so a send too many is noted.
    """
    if isinstance(error, ToolRefused) and error.is_hidden:
        return code_of(ChatNotAllowed)
    outcome, code, _ = _kind_of(error)
    return code if outcome == "not_allowed" or code == SEND_BUDGET else ""


def code_of_failure(error: WxError | GatewayProblem) -> str:
    """Return the code with which a call of a tool fails: that of the refusal, or that of the error."""
    return _kind_of(error)[1]


def not_finished(*, is_begun: bool) -> ToolRefused:
    """
    Return the error for a send that has no outcome yet, and goes on.

    Args:
        is_begun: Whether the platform may have got it; otherwise it waits.
    """
    if is_begun:
        return ToolRefused(
            "It is being sent, and it is not known yet whether it was; ask find_send later, and do not send it again.",
            code="sending", outcome="sending",
        )  # fmt: skip
    return ToolRefused(
        "The send is stored, and will be made; ask find_send later, and do not send it again.",
        code="queued", outcome="queued",
    )  # fmt: skip


def failure_of(error: WxError | GatewayProblem, key: str = "") -> ToolFailure:
    """
    Return the result for an error of a tool.

    Args:
        error: The error; its text contains no secret and no text of a message.
        key: Key of the send, if the call was one.
    """
    outcome, code, retry_after = _kind_of(error)
    text = str(error)
    if outcome == "unknown":
        text = f"{text} {_UNKNOWN_SEND if key else _UNKNOWN_CHANGE}"
    if retry_after is not None:
        retry_after = max(_AT_ONCE, round(retry_after, 1))
    return ToolFailure(
        outcome=outcome, code=code, message=short_text(text, _LONGEST), retry_after_s=retry_after, idempotency_key=key
    )


def _kind_of(error: WxError | GatewayProblem) -> tuple[FailureOutcome, str, float | None]:
    match error:
        case GatewayProblem(code=code, retry_after=retry_after):
            if error.problem.status == HTTPStatus.TOO_MANY_REQUESTS:
                return "too_many", code, retry_after
            is_gone = error.problem.status < HTTPStatus.INTERNAL_SERVER_ERROR
            return ("refused" if is_gone else "unavailable"), code, retry_after
        case ToolRefused(outcome=outcome, code=code, retry_after=retry_after):
            return outcome, code, retry_after
        case ChatNotAllowed():
            return "not_allowed", code_of(type(error)), None
        case SendOutcomeUnknown():
            return "unknown", code_of(type(error)), None
        case LoggedOut() | NotLoggedIn():
            return "logged_out", code_of(type(error)), None
        case RateLimited(retry_after=retry_after) | RateLimitReached(retry_after=retry_after):
            return "too_many", code_of(type(error)), retry_after
        case InvalidRequest() | ApiError():
            return "refused", code_of(type(error)), None
        case _:
            return "unavailable", code_of(type(error)), None
