"""Answers of the receivers whose clients check only the status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.gateway.notify.refusal import RefusalReason
from webwx.gateway.notify.request import HookAnswer, json_answer, retry_headers

if TYPE_CHECKING:
    from webwx.gateway.notify.refusal import Refusal

_STATUS = {
    RefusalReason.UNKNOWN_TOKEN: 401,
    RefusalReason.BAD_SIGNATURE: 401,
    RefusalReason.FORBIDDEN: 403,
    RefusalReason.EMPTY: 422,
    RefusalReason.INVALID_FIELD: 422,
    RefusalReason.UNSUPPORTED: 422,
    RefusalReason.TOO_LARGE: 413,
    RefusalReason.RATE_LIMITED: 429,
    RefusalReason.OFFLINE: 503,
}


def plain_accepted(status: int = 200) -> HookAnswer:
    """Build the answer to a stored message."""
    return json_answer({"status": "stored"}, status)


def plain_refused(refusal: Refusal) -> HookAnswer:
    """Build the answer to a refused request."""
    return json_answer({"error": refusal.detail}, _STATUS.get(refusal.reason, 400), retry_headers(refusal))
