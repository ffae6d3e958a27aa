"""The account of an agent at a gateway: its sends go through the queue of the account, in any process."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from webwx.gateway.accounts.account_sends import MediaContent, TextContent
from webwx.gateway.adapters.mcp.failures import ToolRefused
from webwx.gateway.adapters.mcp.served_account import kind_of
from webwx.storage.cursors import encode_cursor

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient
    from webwx.gateway.accounts.account import GatewayAccounts
    from webwx.gateway.accounts.account_sends import Sent
    from webwx.model.messages import Event, Receipt

_WAIT = 25.0
"""Seconds that a call waits for the outcome of its send."""


class GatewayServedAccount:
    """
    One account of the gateway.

    Args:
        accounts: All accounts.
        number: Number of the account.
    """

    def __init__(self, accounts: GatewayAccounts, number: int) -> None:
        self._accounts = accounts
        self._number = number

    def __repr__(self) -> str:
        return f"GatewayServedAccount({self._number})"

    @property
    def name(self) -> str:
        """Name of the account."""
        return self._accounts.account(self._number).name

    @property
    def client(self) -> AsyncClient:
        """The client that reads the journal."""
        return self._accounts.account(self._number).client

    async def owned(self) -> AsyncClient:
        """Return the client that acts for the account, where it runs."""
        return await self._accounts.account(self._number).owned()

    async def state(self) -> str:
        """Return the state of the login."""
        return (await self._accounts.account(self._number).status()).state

    async def send_text(self, to: str | int, text: str, *, key: str) -> Receipt:
        """Send a text."""
        sends = self._accounts.account(self._number).sends
        return _receipt_of(await sends.send(to, TextContent(text=text), key=key, wait=_WAIT))

    async def send_file(self, to: str | int, content: bytes | Path, *, name: str, key: str) -> Receipt:
        """Send a file, which the queue of the account keeps as long as it needs it."""
        sends = self._accounts.account(self._number).sends
        with tempfile.TemporaryDirectory(prefix="webwx-") as folder:
            path = await asyncio.to_thread(_stored, content, Path(folder))
            kind = await asyncio.to_thread(kind_of, path)
            return _receipt_of(await sends.send(to, MediaContent(kind=kind, path=path, name=name), key=key, wait=_WAIT))

    async def forward(self, event: Event, to: str | int, *, key: str) -> Receipt:
        """Forward a message."""
        return _receipt_of(await self._accounts.account(self._number).sends.forward(event.number, to, key=key))

    async def wait_for_event(self, after: int, seconds: float) -> None:
        """Return as soon as an event with a higher number is stored, or after some seconds."""
        await self._accounts.events.wait([self._number], encode_cursor({self._number: after}), wait=seconds)


def _stored(content: bytes | Path, folder: Path) -> Path:
    if isinstance(content, Path):
        return content
    path = folder / "file"
    path.write_bytes(content)
    return path


def _receipt_of(sent: Sent) -> Receipt:
    """
    Return the receipt of a send.

    Raises:
        ToolRefused: It has no outcome yet.
    """
    if sent.receipt is not None:
        return sent.receipt
    raise ToolRefused(
        "The send is stored, and the gateway will make it; ask find_send later, and do not send it again.",
        code="queued", outcome="queued",
    )  # fmt: skip
