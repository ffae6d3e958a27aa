"""Notifications, which receivers read from requests: plain text, files and a severity."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Severity(enum.Enum):
    """The severity of a notification; the value is the sign in front of the first line."""

    NONE = ""
    CRITICAL = "🔴"
    WARNING = "🟠"
    INFORMATION = "🔵"
    GOOD = "🟢"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AttachedFile:
    """A file that came with a request."""

    name: str
    """File name without folders."""
    content: bytes
    media_type: str = "application/octet-stream"
    """Media type as the request states it."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Notification:
    """One message to send; its texts are plain text already."""

    title: str = ""
    """First line; may be empty."""
    text: str = ""
    """Text below the title; may be empty."""
    link: str = ""
    """Address for the last line; may be empty."""
    severity: Severity = Severity.NONE
    files: tuple[AttachedFile, ...] = ()
    """Files that came with the request."""
    uploads: tuple[str, ...] = ()
    """Ids of files that earlier requests uploaded."""
    file_urls: tuple[str, ...] = ()
    """Addresses of files; fetched if the receiver allows it, otherwise sent as lines of text."""
    idempotency_key: str = ""
    """Key of the request; a second request with the same key sends nothing."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self.title or self.text or self.link or self.files or self.uploads or self.file_urls)
