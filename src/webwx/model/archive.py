"""Settings of the media archive: which media are downloaded when they arrive."""

from __future__ import annotations

from typing import Literal

import msgspec

from webwx.errors import InvalidSettings

MediaKind = Literal["image", "video", "voice", "file", "sticker"]
"""Kinds of media that can be archived, with the outbox's names."""

MEDIA_KINDS: tuple[MediaKind, ...] = ("image", "video", "voice", "file", "sticker")
"""All kinds of media."""

_LIMIT = 2**63
"""Sizes are smaller, because databases store them."""


class Keep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The media that a client downloads as they arrive, and the limits on their size beside its journal.

    Raises:
        InvalidSettings: No media could match.
    """

    chats: str | tuple[str, ...] = "all"
    """`all`, or remarks, nicknames, names of chatrooms, or ids; names are resolved when a message arrives."""
    kinds: tuple[MediaKind, ...] = ("image",)
    """Kinds of media; pictures by default."""
    max_size: int = 10 * 1024 * 1024
    """Maximum size in bytes; larger media are not archived."""
    max_total: int = 5 * 1024 * 1024 * 1024
    """Maximum size of one account's media in bytes; the oldest are deleted first."""
    days: float = 0
    """Days after which media are deleted, at the latest with their messages; 0: with their messages."""

    def __post_init__(self) -> None:
        if not self.chats or not self.kinds:
            raise InvalidSettings("keep= needs at least one chat, or 'all', and at least one kind.")
        if not 0 < self.max_size < _LIMIT or not 0 < self.max_total < _LIMIT or self.days < 0:
            raise InvalidSettings(
                "The sizes in keep= must be at least one byte and below 2**63, and the days cannot be negative."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The named chats; empty for all chats."""
        if isinstance(self.chats, str):
            return () if self.chats == "all" else (self.chats,)
        return () if "all" in self.chats else self.chats

    def __str__(self) -> str:
        return ", ".join(self.names) or "all"
