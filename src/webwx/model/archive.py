"""What of the media that arrive is to be kept before anybody asks for it, while the platform still has it."""

from __future__ import annotations

from typing import Literal

import msgspec

from webwx.errors import InvalidSettings

MediaKind = Literal["image", "video", "voice", "file", "sticker"]
"""What can be kept, by the words that the outbox has for kinds."""

MEDIA_KINDS: tuple[MediaKind, ...] = ("image", "video", "voice", "file", "sticker")
"""All of them."""


class Keep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Which media a client fetches as they arrive, and how much of them it keeps beside its journal.

    Raises:
        InvalidSettings: Nothing could ever be kept by it.
    """

    chats: str | tuple[str, ...] = "all"
    """`all`, or remarks, nicknames, chatrooms' names or ids; who they are is looked up when something arrives."""
    kinds: tuple[MediaKind, ...] = ("image",)
    """Pictures, unless more is wanted."""
    max_size: int = 10 * 1024 * 1024
    """Bytes; anything larger is passed over."""
    max_total: int = 5 * 1024 * 1024 * 1024
    """Bytes of one account; beyond, what was kept first goes first."""
    days: float = 0
    """How long bytes are kept, at most as long as their messages; 0: as long."""

    def __post_init__(self) -> None:
        if not self.chats or not self.kinds:
            raise InvalidSettings("Nothing could be kept: name at least one chat, or 'all', and one kind.")
        if min(self.max_size, self.max_total) <= 0 or self.days < 0:
            raise InvalidSettings("What is kept needs sizes of at least one byte, and days that are not negative.")

    @property
    def names(self) -> tuple[str, ...]:
        """The chats that are named; none when it is all of them."""
        if isinstance(self.chats, str):
            return () if self.chats == "all" else (self.chats,)
        return () if "all" in self.chats else self.chats

    def __str__(self) -> str:
        return ", ".join(self.names) or "all"
