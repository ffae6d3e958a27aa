"""Why a receiver refuses a request; each receiver answers each reason in its vendor's form."""

from __future__ import annotations

import enum


class RefusalReason(enum.Enum):
    """Reasons for a refusal."""

    UNKNOWN_TOKEN = "unknown token"  # noqa: S105 - a reason, no password
    BAD_SIGNATURE = "missing or wrong signature"
    FORBIDDEN = "not allowed for this receiver"
    EMPTY = "no text and no file"
    TOO_LARGE = "request too large"
    INVALID_BODY = "the body cannot be decoded"
    INVALID_FIELD = "a field is missing or invalid"
    UNSUPPORTED = "not supported"
    RATE_LIMITED = "too many requests"
    OFFLINE = "the account is logged out"


class Refusal(Exception):
    """
    A refused request, for which no message is sent.

    Args:
        reason: The reason, which selects the answer.
        detail: A sentence for the sender; it never contains text of the request.
        retry_after: Seconds after which the same request may succeed.
    """

    def __init__(self, reason: RefusalReason, detail: str = "", *, retry_after: int = 0) -> None:
        super().__init__(detail or reason.value)
        self.reason = reason
        self.detail = detail or reason.value
        self.retry_after = retry_after
