"""
The content of a forwarded message: the same words, place, card or media with the same keys, from its new sender.

As on phones, what concerns only one chat is not forwarded: voice messages, friend requests, invitations, money, calls,
games and notices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.protocol.appmsg import read_app
from webwx.protocol.codes import MessageType
from webwx.protocol.content import read_attributes
from webwx.sandbox import contents

if TYPE_CHECKING:
    from webwx.sandbox.people import MessageContent, WorldPerson

_FROM_APPS = frozenset({"link", "music", "mini_program", "history", "group_note"})

_NO_GAME = {"", "0"}


def can_forward(content: MessageContent) -> bool:
    """Return whether phones forward this content."""
    match content.kind:
        case "text" | "quote" | "image" | "video" | "file" | "location" | "card":
            return True
        case "sticker":
            return read_attributes(content.wire.content, "gameext").get("type", "") in _NO_GAME
        case kind:
            return kind in _FROM_APPS and not content.leads_to


def forwarded(content: MessageContent, sender: WorldPerson) -> MessageContent:
    """
    Return content that `can_forward` as its new sender sends it.

    A reply becomes a text without what it quotes.
    """
    media_file, wire = content.media_file, content.wire
    match content.kind:
        case "text" | "quote":
            return contents.text(content.text)
        case "video" if media_file:
            is_short = wire.msg_type == MessageType.SHORT_VIDEO
            return contents.video(sender, media_file, wire.play_length, is_short=is_short)
        case "sticker" if media_file:
            return contents.sticker(sender, media_file)
        case "file" if media_file:
            return contents.file(sender, media_file)
    app = read_app(wire.content) if content.kind in _FROM_APPS and wire.app_msg_type else None
    return contents.app(sender, app, content.kind) if app else content
