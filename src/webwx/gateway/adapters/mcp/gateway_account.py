"""The account of an agent at a gateway: its sends go through the queue of the account, in any process."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from webwx.gateway.accounts.account_sends import MediaContent, TextContent
from webwx.gateway.adapters.mcp.failures import not_finished
from webwx.gateway.adapters.mcp.served_account import ServedAccount, kind_of
from webwx.override import override
from webwx.storage.cursors import encode_cursor

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient
    from webwx.gateway.accounts.account import GatewayAccounts
    from webwx.gateway.accounts.account_sends import Sent
    from webwx.gateway.accounts.logins import AccountLogins
    from webwx.model.messages import Event, Receipt

_WAIT = 25.0
"""Seconds that a call waits for the outcome of its send."""


class GatewayServedAccount(ServedAccount):
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
    @override
    def name(self) -> str:
        return self._accounts.account(self._number).name

    @property
    @override
    def client(self) -> AsyncClient:
        return self._accounts.account(self._number).client

    @override
    async def owned(self) -> AsyncClient:
        return await self._accounts.account(self._number).owned()

    @override
    async def state(self) -> str:
        return (await self._accounts.account(self._number).status()).state

    @override
    async def since(self) -> float:
        return (await self._accounts.account(self._number).status()).since

    @property
    @override
    def logins(self) -> AccountLogins:
        return self._accounts.account(self._number).logins

    @override
    async def send_text(self, to: str | int, text: str, *, key: str) -> Receipt:
        sends = self._accounts.account(self._number).sends
        return _receipt_of(await sends.send(to, TextContent(text=text), key=key, wait=_WAIT))

    @override
    async def send_file(self, to: str | int, content: bytes | Path, *, name: str, key: str) -> Receipt:
        sends = self._accounts.account(self._number).sends
        with tempfile.TemporaryDirectory(prefix="webwx-") as folder:
            path = await asyncio.to_thread(_stored, content, Path(folder))
            kind = await asyncio.to_thread(kind_of, path)
            return _receipt_of(await sends.send(to, MediaContent(kind=kind, path=path, name=name), key=key, wait=_WAIT))

    @override
    async def forward(self, event: Event, to: str | int, *, key: str) -> Receipt:
        return _receipt_of(await self._accounts.account(self._number).sends.forward(event.number, to, key=key))

    @override
    async def wait_for_event(self, after: int, seconds: float) -> None:
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
    raise not_finished(is_begun=sent.state == "sending")
