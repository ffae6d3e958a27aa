"""Another program, which receives webhooks over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.tcp_server import tcp_server

from webwx.gateway.webhooks.webhooks import StoredWebhook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.gateway.conftest import Running

    from webwx.client.client import AsyncClient


class ReceivedRequest(NamedTuple):
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def text(self) -> str:
        """The text of the message; the type of any other event."""
        return str(self.event["data"].get("text") or self.event["type"])


class WebhookReceiver:
    """An HTTP server that answers each request by a function of it: a status, or a status with headers."""

    def __init__(self) -> None:
        self.answer: Callable[[ReceivedRequest], str] = lambda _: "200 OK"
        self.requests: asyncio.Queue[ReceivedRequest] = asyncio.Queue()
        self.url = ""

    async def texts(self, count: int) -> list[str]:
        """Return the texts of this many requests."""
        async with asyncio.timeout(20):
            return [(await self.requests.get()).text for _ in range(count)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:  # the gateway has ended before it sent a request
            writer.close()
            return
        pairs = (line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        request = ReceivedRequest(headers, await reader.readexactly(int(headers["content-length"])))
        answer = self.answer(request)
        self.requests.put_nowait(request)
        writer.write(f"HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


class Pauses:
    """A sleep that records its seconds, and lasts until it is released."""

    def __init__(self, *, lasts: bool = False) -> None:
        self.seconds: list[float] = []
        self.begun = asyncio.Event()
        self.released = asyncio.Event()
        if not lasts:
            self.released.set()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.begun.set()
        await self.released.wait()
        await asyncio.sleep(0)


async def added(running: Running, receiver: WebhookReceiver, **fields: Any) -> StoredWebhook:
    """Store a webhook for the receiver, and begin to deliver."""
    fields = {"types": ("message.text",), "allow_private": True, **fields}
    made = await running.gateway.webhooks.create(
        StoredWebhook(id="", secret="", created_at=0, name="n", url=receiver.url, **fields)
    )
    await running.gateway.deliveries.apply(made.webhook.id)
    return made.webhook


async def until_accepted(client: AsyncClient, webhook: StoredWebhook) -> None:
    """Wait until the answers to all events are read and stored, so that a later gateway sends none of them again."""
    async with asyncio.timeout(20):
        while any(  # noqa: ASYNC110 - the receiver has answered before the gateway reads it
            each.waiting for each in await client.list_consumers() if each.name == webhook.consumer
        ):
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def webhook_receiver() -> AsyncIterator[WebhookReceiver]:
    """Serve on a free port of this machine."""
    receiver = WebhookReceiver()
    async with tcp_server(receiver.serve) as port:
        receiver.url = f"http://127.0.0.1:{port}/in"
        yield receiver
