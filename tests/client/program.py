"""
A program that is killed: it listens, sends once, or sends a hundred texts at the same time, with a saved login and a
journal.

Arguments: the task, the server, the folder of the login, and the moment at which it kills itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from webwx.client.client import AsyncClient
from webwx.errors import SendOutcomeUnknown
from webwx.model.messages import TextMessage
from webwx.storage.login import LoginFile
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.transport.http11 import Http11Transport
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from webwx.protocol.http import Request, Response


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def tell(**what: object) -> None:
    print(json.dumps(what), flush=True)


class KillingTransport(Http11Transport):
    """Kills its process at a call: before the request is sent, or when its answer has arrived."""

    def __init__(self, moment: str) -> None:
        super().__init__(Timeouts())
        self._when, _, self._endpoint = moment.partition(" ")

    async def send(self, request: Request) -> Response:
        if request.endpoint != self._endpoint:
            return await super().send(request)
        if self._when == "before":
            die()
        await super().send(request)
        die()


async def listen(client: AsyncClient, last_words: str) -> None:
    """Print each text; answer the given one, and end."""
    async with client.events(include_all=False) as events:
        async for event in events:
            if isinstance(event, TextMessage):
                tell(text=event.text, redelivered=event.redelivered, backlog=event.backlog)
                if event.text == last_words:
                    await client.send_text("filehelper", "seen")
                    die()
                if event.text == "end":
                    await events.ack()
                    return


async def send(client: AsyncClient, path: Path) -> None:
    """Send a text and a file, each under a key."""
    for kind, sending in (
        ("text", client.send_text("阿华", "once", key="text")),
        ("file", client.send_file("阿华", path, key="file")),
    ):
        try:
            tell(kind=kind, client_id=(await sending).client_id)
        except SendOutcomeUnknown:
            tell(kind=kind, unknown=True)


async def send_at_once(client: AsyncClient) -> None:
    """Send a hundred texts at the same time."""
    await asyncio.gather(*(client.send_text("阿华", f"text {number}") for number in range(100)))


async def main(what: str, server: str, folder: Path, moment: str) -> None:
    journal = SqliteJournal(folder / "me.journal")
    transport = None if what == "listen" else KillingTransport(moment)
    async with AsyncClient(
        server=server, store=LoginFile(folder / "me.json"), journal=journal, transport=transport
    ) as client:
        await client.resume()
        if what == "send":
            await send(client, folder / "me.json")
        elif what == "send at once":
            await send_at_once(client)
        else:
            await listen(client, moment)
    await journal.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]))
