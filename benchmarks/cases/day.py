"""A day of a bot: it answers each of 1,000 texts from 100 chats and downloads 100 pictures of 100 kB."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from benchmarks import floor, ours, peer
from benchmarks.case import FLOOR, OURS, PEER, STATELESS, Case, Figures, Run, World
from benchmarks.machine import fdatasync_p50

if TYPE_CHECKING:
    from webwx import Context, ImageMessage, TextMessage


def ours_of(run: Run) -> Figures:
    """Run a bot with a journal; the clock stops when every event is acknowledged and stored."""
    return _run_bot(run, has_state=False)


def with_state_of(run: Run) -> Figures:
    """Do the same, and count the events of each chat in its state."""
    return _run_bot(run, has_state=True)


def _run_bot(run: Run, *, has_state: bool) -> Figures:
    from webwx import AsyncClient, Bot, ImageMessage, SqliteJournal, Step, Steps, TextMessage

    class Talk(Steps):
        counting = Step()

    async def count_in_state(ctx: Context) -> None:
        if has_state:
            values = await ctx.state.get_values(dict)
            await ctx.state.set_values({"count": values.get("count", 0) + 1})
            await ctx.state.set_step(Talk.counting)

    async def work(client: AsyncClient) -> None:
        # Chance gives some chat more texts than the loop guard allows by default.
        bot, done = Bot(client=client, replies_per_minute=1_000), asyncio.Event()
        texts = pictures = 0

        def count() -> None:
            if texts == run.world.texts and pictures == run.world.pictures:
                done.set()

        @bot.on(TextMessage)
        async def answer(ctx: Context, message: TextMessage) -> None:
            nonlocal texts
            del message
            await count_in_state(ctx)
            await ctx.reply("收到")
            texts += 1
            count()

        @bot.on(ImageMessage)
        async def look(ctx: Context, message: ImageMessage) -> None:
            nonlocal pictures
            await count_in_state(ctx)
            assert await ctx.download(message)
            pictures += 1
            count()

        running = asyncio.create_task(bot.start())
        await asyncio.wait((running, asyncio.create_task(done.wait())), return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    async def main() -> Figures:
        journal = SqliteJournal(run.folder / "day.journal")
        try:
            async with ours.logged_in(run, journal=journal) as client:
                with run.meter() as meter:
                    await work(client)
                return meter.figures | {"rows": 0, "fdatasync_ms": fdatasync_p50(run.shared)}
        finally:
            await journal.close()

    return asyncio.run(main())


def floor_of(run: Run) -> Figures:
    """Make the same requests one after another and parse their JSON."""
    wire = floor.Wire(run)
    position = int(re.findall(rb'"Val": (\d+)', wire.ask(floor.fetch(0)))[0])
    texts, left = 0, run.world.texts + run.world.pictures
    with run.meter() as meter:
        while left:
            wire.ask(floor.check(position))
            answer = json.loads(wire.ask(floor.fetch(position)))
            for message in answer["AddMsgList"]:
                left -= 1
                if message["MsgType"] != 1:
                    wire.ask(floor.get(f"webwxgetmsgimg?MsgID={message['MsgId']}&skey=@crypt"))
                    continue
                texts += 1
                assert json.loads(wire.ask(floor.text_message(texts)))["MsgID"]
            position = answer["SyncCheckKey"]["List"][0]["Val"]
    return meter.figures


def peer_of(run: Run) -> Figures:
    """Register functions that do the same work; the peer stores nothing."""
    core = peer.log_in(run)
    texts = pictures = 0

    def answer(message: Any) -> None:
        nonlocal texts
        core.send_msg("收到", message["FromUserName"])
        texts += 1

    def look(message: Any) -> None:
        nonlocal pictures
        assert message["Text"]()
        pictures += 1

    core.msg_register("Text")(answer)
    core.msg_register("Picture")(look)
    with run.meter() as meter:
        core.run(blockThread=False)
        peer.wait_for(lambda: texts == run.world.texts and pictures == run.world.pictures)
    return meter.figures


CASES = (
    Case(
        name="day", about="1,000 texts, each answered, and 100 pictures downloaded; ours with a journal",
        world=World(texts=1_000, pictures=100, batch=100), journal=True,
        variants={FLOOR: floor_of, OURS: ours_of, PEER: peer_of},
    ),
    Case(
        name="day-state", about="the same day, with the state of the chat read and changed at each event",
        world=World(texts=1_000, pictures=100, batch=100), journal=True,
        variants={STATELESS: ours_of, OURS: with_state_of},
    ),
)  # fmt: skip
