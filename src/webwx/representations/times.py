"""Times of the API: RFC 3339 with milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(seconds: float) -> datetime:
    """Return a time in UTC, rounded to milliseconds."""
    return datetime.fromtimestamp(round(seconds, 3), tz=UTC)


def optional_moment(seconds: float | None) -> datetime | None:
    """Return a time in UTC; None for None and for 0, which means no time."""
    return moment(seconds) if seconds else None
