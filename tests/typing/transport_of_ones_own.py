"""A program with its own transport and its own store. Never run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from webwx import AsyncClient, Contacts, LoginStore
from webwx.protocol.http import Request, Response
from webwx.storage.saved_login import SavedLogin
from webwx.transport.runner import Transport


class Recorder:
    """A transport that forwards to another one."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.calls: list[str] = []

    async def send(self, request: Request) -> Response:
        self.calls.append(request.endpoint)
        return await self.inner.send(request)

    async def close(self) -> None:
        await self.inner.close()


class Forgetful:
    """A store that saves nothing."""

    async def load(self) -> SavedLogin | None:
        return None

    async def prepare(self) -> None:
        pass

    async def save(self, saved: SavedLogin) -> None:
        pass

    async def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        pass

    async def reserve_id(self, at_least: int) -> int:
        return at_least

    async def clear(self) -> None:
        pass

    def syncing(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def load_contacts(self) -> Contacts:
        return Contacts()

    async def save_contacts(self, contacts: Contacts) -> None:
        pass


def make(inner: Transport) -> AsyncClient:
    store: LoginStore = Forgetful()
    return AsyncClient(transport=Recorder(inner), store=store)
