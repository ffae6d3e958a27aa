"""A page of the history: messages and sends, with their places."""

from __future__ import annotations

from typing import NamedTuple

from webwx.model.messages import Event
from webwx.storage.tables.outbox import Outgoing


class PagedMessage(NamedTuple):
    """A message, recall, gap or send, with its place in the history."""

    entry: Event | Outgoing
    before: str
    """Value of `before` for what is older."""


class MessagePage(NamedTuple):
    """A page of the history."""

    entries: list[PagedMessage]
    """Messages, recalls, gaps and sends, the newest first."""
    before: str | None
    """Value of `before` for the next page; None after the last page."""
