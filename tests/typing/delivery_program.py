"""A bot with options of delivery, and the types that a checker must infer in it. Never run."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

from webwx import (
    AsyncClient,
    ContactId,
    Context,
    DeliveryCounts,
    Event,
    FileMessage,
    LoginFile,
    Receipt,
    SqliteJournal,
    SyncContext,
    TextMessage,
    deliver,
)


async def answer(ctx: Context, event: Event) -> None:
    assert_type(ctx.client, AsyncClient)
    assert_type(ctx.event, Event)
    assert_type((ctx.attempt, ctx.redelivered), tuple[int, bool])
    match event:
        case TextMessage(text="ping", is_self=False):
            assert_type(ctx.chat, ContactId)
            await ctx.mark_read()
            receipt = await ctx.reply("pong")
            assert_type(receipt, Receipt)
            await ctx.recall(receipt)
            assert_type(await ctx.forward(event, "filehelper"), Receipt)
            assert_type(await ctx.send_file("filehelper", Path("a.pdf")), Receipt)
        case _:
            pass


def save(ctx: SyncContext, event: Event) -> None:
    if isinstance(event, FileMessage):
        assert_type(ctx.wait(ctx.client.download_to(event, "inbox")), Path)
        assert_type(ctx.reply("Saved."), Receipt)


class Echo:
    async def __call__(self, ctx: Context, event: Event) -> Receipt:
        return await ctx.send_text("filehelper", "!")


async def main() -> None:
    counts = DeliveryCounts()
    async with AsyncClient(store=LoginFile("me.json"), journal=SqliteJournal("me.journal")) as client:
        await deliver(client, answer, consumer="answers", counts=counts)
        await deliver(client, save, attempts=5, in_flight=10, include_all=True)
        await deliver(client, Echo(), time_limit=60)
    assert_type(counts.delivered, int)
