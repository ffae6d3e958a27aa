"""Chats of options as the permissions of adapters have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.cli.exits import BadInput
from webwx.errors import InvalidRequest
from webwx.gateway.adapters.permissions import EVERY_CHAT
from webwx.model.contacts import FILEHELPER

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient


async def chat_entry(client: AsyncClient, chat: str) -> str | int:
    """
    Return a chat of an option as permissions have it: the number of an identity, `filehelper` or `*`.

    Raises:
        BadInput: No contact, or several, are called so.
    """
    if chat in {EVERY_CHAT, FILEHELPER}:
        return chat
    try:
        return (await client.who(int(chat) if chat.isdecimal() else chat)).number
    except InvalidRequest as error:
        raise BadInput(str(error)) from None
