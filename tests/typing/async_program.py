"""A program with the asynchronous client, and the types that a checker must infer in it. Never run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import assert_type

from webwx import (
    Account,
    AsyncClient,
    Contact,
    ContactChanged,
    Event,
    EventStream,
    Identity,
    Journal,
    LoginFile,
    MessageRecalled,
    Outgoing,
    Reason,
    Receipt,
    TextMessage,
    event_from_json,
    event_to_json,
)


async def main() -> None:
    async with AsyncClient(server="http://127.0.0.1:8790", store=LoginFile("login.json")) as client:
        assert_type(client, AsyncClient)
        assert_type(await client.login(show_qr=print), Account)

        boss = client.contacts.find(remark="Boss")
        receipt = await client.send_text(boss, "hello")
        assert_type(receipt, Receipt)
        assert_type(await client.send_image(boss, Path("photo.jpg")), Receipt)
        assert_type(await client.list_contacts(), list[Contact])
        boss_for_ever = await client.who(boss)
        assert_type(boss_for_ever, Identity)
        assert_type(await client.send_text(boss_for_ever.number, "hello"), Receipt)
        assert_type(await client.list_identities("Boss"), list[Identity])
        assert_type((await client.why(boss_for_ever))[0].reasons, tuple[Reason, ...])
        assert_type(await client.split_identity(boss_for_ever, boss.id), Identity)
        await client.mark_read(boss)
        await client.recall(receipt)
        assert_type(await client.send_file("filehelper", "a.pdf", progress=lambda done, whole: None), Receipt)
        assert_type(await client.send_file("filehelper", sys.stdin.buffer, name="backup.sql"), Receipt)
        assert_type(await client.send_video("filehelper", b"", name="a.mp4"), Receipt)
        assert_type(await client.send_sticker("filehelper", "a.gif"), Receipt)
        assert_type(await client.download_to(receipt, "."), Path)
        assert_type(await client.download(receipt), bytes)
        assert_type(await client.download(receipt.message_id), bytes)

        async for event in client.events():
            assert_type(event, Event)
            await handle(client, event)
        await client.logout()


async def keep(journal: Journal) -> None:
    async with AsyncClient(journal=journal, dedupe_by_client_id=True) as client:
        await client.resume()
        async with client.events("archive") as events:
            assert_type(events, EventStream)
            async for event in events:
                assert_type(event.backlog, bool)
                await events.ack()
        assert_type(await client.history(), list[Event | Outgoing])
        assert_type(await client.search("备份", chat="Boss"), list[Event | Outgoing])
        assert_type((await client.history_page("Boss")).entries[0].entry, Event | Outgoing)
        assert_type(await client.find_message(1), Event | None)
        assert_type(await client.list_sends(), list[Outgoing])
        assert_type(await client.read_events(7), list[Event])
        assert_type(await client.queue_text("Boss", "later"), Outgoing)
        assert_type(await client.find_send(key="1"), Outgoing | None)
        async for send in client.follow_sends():
            assert_type(send, Outgoing)


async def handle(client: AsyncClient, event: Event) -> None:
    match event:
        case TextMessage(text=text, is_self=False):
            assert_type(text, str)
            assert_type(await client.reply(event, text), Receipt)
        case MessageRecalled(original=original) if original is not None:
            assert_type(original.time, int)
            assert_type(await client.forward(original, "filehelper"), Receipt)
        case ContactChanged(contact=contact):
            assert_type(contact, Contact)
        case _:
            assert_type(event_to_json(event), str)


def from_another_process(line: str) -> str:
    match event_from_json(line):
        case TextMessage(text=text):
            return text
        case other:
            return event_to_json(other)
