"""Mentions of members at the begin of a text, as the app writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.errors import InvalidRequest, UnknownContact

if TYPE_CHECKING:
    from collections.abc import Collection

    from webwx.model.contacts import Contact, Member

_MENTION_END = "\u2005"
"""Character that the app puts behind the name of a mention."""


def mention_members(chatroom: Contact, who: Collection[str]) -> str:
    """
    Return the words that mention members of a chatroom.

    Args:
        chatroom: The chatroom with its members.
        who: Ids or names of members.

    Raises:
        InvalidRequest: It is not a chatroom.
        UnknownContact: There is no such member, or there are several.
    """
    if chatroom.kind != "chatroom":
        raise InvalidRequest("Only members of a chatroom can be mentioned; nothing was sent.")
    return "".join(f"@{_mention_of(chatroom.members, each)}{_MENTION_END}" for each in who)


def _mention_of(members: Collection[Member], who: str) -> str:
    found = [each for each in members if each.id == who]
    found = found or [each for each in members if who in {each.display_name, each.nickname}]
    if len(found) != 1 or not (found[0].display_name or found[0].nickname):
        what = "several members" if len(found) > 1 else "no member"
        raise UnknownContact(f"A mention names {what} of the chatroom; nothing was sent.")
    return found[0].name
