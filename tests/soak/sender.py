"""A process that sends texts, and records the outcome of each once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from tests.soak.bot import LOGIN
from tests.soak.checker import JOURNAL, Notebook

from webwx.client.client import AsyncClient
from webwx.errors import ApiError, ConnectFailed, RateLimited, RateLimitReached, SendOutcomeUnknown, WxError
from webwx.storage.login import LoginFile
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.transport.runner import Timeouts

OUTCOMES = "outcomes.jsonl"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one send."""

    chat: str
    text: str
    said: str
    """`sent`, `unknown`, `refused`, or the name of another error."""
    message_id: str = ""
    attempts: int


async def run(server: str, folder: Path, *, chats: list[str], count: int, dedupes: bool, sync: bool) -> None:
    """Send `count` texts to each chat; those of one chat are sent one after the other."""
    journal = SqliteJournal(folder / JOURNAL)
    async with AsyncClient(
        server=server,
        store=LoginFile(folder / LOGIN),
        journal=journal,
        timeouts=Timeouts(),
        dedupe_by_client_id=dedupes,
    ) as client:
        await client.resume()
        with Notebook(folder / OUTCOMES) as notebook:

            async def send_all(chat: str) -> None:
                for number in range(count):
                    notebook.note(await _send(client, chat, f"{chat} {number}"))

            async def listen() -> None:
                async with client.events() as events:
                    async for _ in events:
                        pass

            listening = asyncio.create_task(listen()) if sync else None
            async with asyncio.TaskGroup() as group:
                for chat in chats:
                    group.create_task(send_all(chat))
            if listening is not None:
                listening.cancel()
                await asyncio.wait([listening])
    await journal.close()


async def _send(client: AsyncClient, chat: str, text: str) -> Outcome:
    """Send under one key until it is sent or its outcome is unknown; a queued send is tried again."""
    attempts = 0
    while True:
        attempts += 1
        try:
            receipt = await client.send_text(chat, text, key=text)
        except SendOutcomeUnknown:
            return Outcome(chat=chat, text=text, said="unknown", attempts=attempts)
        except (ConnectFailed, RateLimited, RateLimitReached):
            await asyncio.sleep(1)
        except ApiError as error:
            return Outcome(chat=chat, text=text, said=f"refused {error.ret}", attempts=attempts)
        except WxError as error:
            return Outcome(chat=chat, text=text, said=type(error).__name__, attempts=attempts)
        else:
            return Outcome(chat=chat, text=text, said="sent", message_id=receipt.message_id, attempts=attempts)
