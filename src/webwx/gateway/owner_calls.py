# ruff: noqa: ARG002 - the calls are refused, whatever their arguments are
"""The calls of an account that only the process makes that runs the account."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.gateway.port import DownloadedMedia, EventConsumer, MediaContent, Sent


class OwnerCalls:
    """The part of `AccountPort` that another process cannot do."""

    async def refuse(self) -> NoReturn:
        """Raise the error that explains why the call cannot be made now."""
        raise NotImplementedError  # only the account knows the reason

    async def enqueue_file(self, to: str | int, content: MediaContent, *, key: str = "") -> Sent:
        """Raise an error: the owner keeps the file."""
        await self.refuse()

    async def retry_send(self, client_id: str, *, wait: float = 25.0) -> Sent:
        """Raise an error: the owner sends again."""
        await self.refuse()

    async def forward(self, number: int, to: str | int, *, key: str = "") -> Sent:
        """Raise an error: the owner forwards messages."""
        await self.refuse()

    async def media(self, number: int) -> DownloadedMedia:
        """Raise an error: the owner downloads media."""
        await self.refuse()

    @contextlib.asynccontextmanager
    async def consume(self, name: str, *, follow: bool = True) -> AsyncIterator[EventConsumer]:
        """Raise an error: consumers are opened by the owner."""
        yield await self.refuse()
