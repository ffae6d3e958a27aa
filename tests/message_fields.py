"""The fields that every message has, to make messages from them."""

from __future__ import annotations

from typing import TypedDict

from webwx.model.contacts import ContactId


class CommonFields(TypedDict):
    """The fields that every message has, but its content."""

    message_id: str
    chat: ContactId
    sender: ContactId | None
    is_self: bool
    time: int


class MessageFields(CommonFields):
    """The fields that every message has."""

    content: str
