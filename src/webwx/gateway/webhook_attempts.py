"""What came of a request to a webhook."""

from __future__ import annotations

from http import HTTPStatus

import msgspec


class WebhookAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a webhook, and what came of it."""

    event: str
    """Id of the event."""
    type: str
    """Type of the event."""
    account: int
    attempt: int
    """Number of the attempt, from 1."""
    time: float
    """Start of the request: seconds since 1970."""
    milliseconds: int
    """Duration of the request."""
    status: int | None = None
    """Status of the answer; None if there was none."""
    error: str = ""
    """Why there was no answer."""
    asked: float = 0.0
    """Seconds that the server has asked to wait."""
    answer: str = ""
    """The beginning of the answer; empty for a private address."""

    def __repr__(self) -> str:
        return f"WebhookAttempt({self.event}, {self.attempt}, {self.status})"

    @property
    def is_delivered(self) -> bool:
        """Whether the server has accepted the event."""
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def outcome(self) -> str:
        """What came of it, as a sentence."""
        return self.error or f"The server answered {self.status}."
