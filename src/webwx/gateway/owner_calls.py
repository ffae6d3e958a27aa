# ruff: noqa: ARG002 - the calls are refused, whatever their arguments are
"""The calls of an account that only the process makes that runs the account."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from webwx.client.rate_limit import RateLimitState
    from webwx.gateway.port import DownloadedMedia, EventConsumer, MediaContent, Sent
    from webwx.model.contacts import Admission, Contact, Lookup
    from webwx.model.identities import Identity
    from webwx.model.publications import Publication


class OwnerCalls:
    """The part of `AccountPort` that another process cannot do."""

    async def refuse(self) -> NoReturn:
        """Raise the error that explains why the call cannot be made now."""
        raise NotImplementedError  # only the account knows the reason

    async def rate_limit(self) -> RateLimitState | None:
        """Raise an error: only the owner knows it."""
        await self.refuse()

    async def log_out(self) -> None:
        """Raise an error: the owner ends the login."""
        await self.refuse()

    async def enqueue_file(self, to: str | int, content: MediaContent, *, key: str = "") -> Sent:
        """Raise an error: the owner keeps the file."""
        await self.refuse()

    async def retry_send(self, client_id: str, *, wait: float = 25.0) -> Sent:
        """Raise an error: the owner sends again."""
        await self.refuse()

    async def forget_send(self, client_id: str) -> bool:
        """Raise an error: the owner deletes sends."""
        await self.refuse()

    async def recall_send(self, client_id: str) -> None:
        """Raise an error: the owner recalls messages."""
        await self.refuse()

    async def recall_message(self, number: int) -> None:
        """Raise an error: the owner recalls messages."""
        await self.refuse()

    async def forward(self, number: int, to: str | int, *, key: str = "") -> Sent:
        """Raise an error: the owner forwards messages."""
        await self.refuse()

    async def mark_read(self, chat: str | int) -> None:
        """Raise an error: the owner marks chats."""
        await self.refuse()

    async def media(self, number: int) -> DownloadedMedia:
        """Raise an error: the owner downloads media."""
        await self.refuse()

    async def thumbnail(self, number: int) -> bytes:
        """Raise an error: the owner downloads thumbnails."""
        await self.refuse()

    async def list_chats(self) -> list[Contact]:
        """Raise an error: the owner fetches the recent chats."""
        await self.refuse()

    async def list_articles(self) -> list[Publication]:
        """Raise an error: the owner fetches the articles of official accounts."""
        await self.refuse()

    async def get_contacts(self, ids: Collection[str]) -> Lookup:
        """Raise an error: the owner fetches contacts."""
        await self.refuse()

    async def merge_identities(self, one: str | int, other: str | int) -> Identity:
        """Raise an error: the owner changes identities."""
        await self.refuse()

    async def split_identity(self, which: str | int, contact_id: str) -> Identity:
        """Raise an error: the owner changes identities."""
        await self.refuse()

    async def set_remark(self, which: str | int, remark: str) -> Contact:
        """Raise an error: the owner changes contacts."""
        await self.refuse()

    async def set_pinned(self, which: str | int, is_pinned: bool) -> Contact:
        """Raise an error: the owner changes contacts."""
        await self.refuse()

    async def avatar(self, which: str | int, *, met_in: str | int | None = None) -> bytes:
        """Raise an error: the owner downloads pictures."""
        await self.refuse()

    async def add_friend(self, who: str | int, greeting: str) -> None:
        """Raise an error: the owner sends friend requests."""
        await self.refuse()

    async def accept_friend(self, number: int) -> None:
        """Raise an error: the owner accepts friend requests."""
        await self.refuse()

    async def create_chatroom(self, people: Collection[str | int], *, name: str) -> Admission:
        """Raise an error: the owner changes chatrooms."""
        await self.refuse()

    async def rename_chatroom(self, chatroom: str | int, name: str) -> Contact:
        """Raise an error: the owner changes chatrooms."""
        await self.refuse()

    async def add_members(self, chatroom: str | int, people: Collection[str | int]) -> Admission:
        """Raise an error: the owner changes chatrooms."""
        await self.refuse()

    async def invite_members(self, chatroom: str | int, people: Collection[str | int]) -> Admission:
        """Raise an error: the owner changes chatrooms."""
        await self.refuse()

    async def remove_members(self, chatroom: str | int, people: Collection[str | int]) -> Contact:
        """Raise an error: the owner changes chatrooms."""
        await self.refuse()

    async def leave_chatroom(self, chatroom: str | int) -> None:
        """Raise an error: the owner changes chatrooms."""
        await self.refuse()

    @contextlib.asynccontextmanager
    async def consume(self, name: str, *, follow: bool = True) -> AsyncIterator[EventConsumer]:
        """Raise an error: consumers are opened by the owner."""
        yield await self.refuse()

    async def forget_consumer(self, name: str) -> bool:
        """Raise an error: the owner deletes consumers."""
        await self.refuse()

    async def revive(self, consumer: str, number: int) -> bool:
        """Raise an error: the owner delivers events again."""
        await self.refuse()
