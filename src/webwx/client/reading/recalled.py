"""Recalls, each with the original message and whether that can still be forwarded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from webwx.model.messages import (
    FileMessage,
    ImageMessage,
    LocationMessage,
    Message,
    MessageRecalled,
    StickerMessage,
    TextMessage,
    VideoMessage,
    VoiceMessage,
)
from webwx.storage.entries import EntryQuery

if TYPE_CHECKING:
    from webwx.client.people.identities import To
    from webwx.client.people.identity_updates import IdentityUpdates
    from webwx.client.reading.history import MessageHistory

_PAGE = 200
"""Number of system notices that are read at a time; not all of them are recalls."""


class Recalled(msgspec.Struct, frozen=True, kw_only=True):
    """A recall, and how its message can still be forwarded."""

    notice: MessageRecalled
    """The recall; the message is its `original`, if known."""
    way: Literal["by_content", "by_upload", "none"]
    """
    How the message can be forwarded, as in a receipt: by the keys in its content, or by upload of the archived media.

    `none`: the message cannot be forwarded any more. Keys may have expired, which only a forward shows.
    """


class RecalledMessages:
    """
    Recalls in the journal of one account.

    Args:
        history: Reads the journal.
        updates: Returns the part of the journal that can be read.
    """

    def __init__(self, history: MessageHistory, updates: IdentityUpdates) -> None:
        self._history = history
        self._updates = updates

    async def list_recalled(
        self, chat: To | None = None, *, limit: int = 50, before: int | None = None
    ) -> list[Recalled]:
        """Return the recalls, the newest first, including those by this account."""
        part = await self._updates.readable_part()
        chats = await self._history.chats(part, chat)
        recalled: list[Recalled] = []
        while len(recalled) < limit:
            page = await part.find(EntryQuery(is_notice=True, chats=chats, before=before, limit=_PAGE))
            for entry in page:
                event = await self._history.event_of(entry)
                if isinstance(event, MessageRecalled) and len(recalled) < limit:
                    kept = await part.media.find(event.message_id)
                    is_kept = kept is not None and bool(kept.path)
                    recalled.append(Recalled(notice=event, way=_way(event.original, is_kept=is_kept)))
            if len(page) < _PAGE:
                break
            before = page[-1].number
        return recalled


def _way(original: Message | None, *, is_kept: bool) -> Literal["by_content", "by_upload", "none"]:
    match original:
        case TextMessage():
            return "by_content"
        case LocationMessage(original=xml) if xml:
            return "by_content"
        case ImageMessage() | VideoMessage() if original.can_forward:
            return "by_content"
        case StickerMessage(md5=md5) if md5:
            return "by_content"
        case FileMessage(media_id=media_id) if media_id:
            return "by_content"
        case ImageMessage() | VideoMessage() | VoiceMessage() if is_kept:
            return "by_upload"
        case _:
            return "none"
