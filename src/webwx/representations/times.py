"""Times of the API: RFC 3339 with milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(seconds: float) -> datetime:
    """Return a time of day in milliseconds."""
    return datetime.fromtimestamp(round(seconds, 3), tz=UTC)


def optional_moment(seconds: float | None) -> datetime | None:
    """Return a time of day; None for no time, which some values write as 0."""
    return moment(seconds) if seconds else None
