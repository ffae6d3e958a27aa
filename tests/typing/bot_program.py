"""A bot with every kind of handler, and the types that a checker must infer in it. Never run."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_type

from webwx import (
    AsyncClient,
    Bot,
    CommandCall,
    Commands,
    Context,
    ContinuityLost,
    Event,
    FileMessage,
    Filter,
    ImageMessage,
    LoggedOut,
    LoopDetected,
    Message,
    MessageRecalled,
    Outgoing,
    QuoteMessage,
    Receipt,
    Router,
    SqliteJournal,
    StateTimedOut,
    Step,
    Steps,
    StoredTimer,
    SyncContext,
    TextMessage,
    run,
    start,
)

bot = Bot(host="wx.qq.com", name="shop", attempts=5, time_limit=60, replies_per_minute=0)
router = Router()
bot.include(router)


def is_long(event: Event) -> bool:
    return isinstance(event, TextMessage) and len(event.text) > 100


async def is_friend(ctx: Context, event: Message) -> bool:
    return ctx.client.contacts.get(event.chat) is not None


@Filter
def is_loud(event: TextMessage) -> bool:
    return event.text.isupper()


assert_type(is_long & ~Filter(chat="Boss", group=True) | is_loud, Filter)


@bot.on(TextMessage, is_loud | is_long, is_friend & Filter(regex="x"))
async def loud(ctx: Context, message: TextMessage) -> None:
    assert_type(message, TextMessage)


@bot.on(Filter(sender=5) | Filter(mentions_me=True))
async def from_or_to(ctx: Context, message: Message) -> None:
    assert_type(message, Message)


Filter(own=True)  # type: ignore[call-arg]  # pyright: ignore  # whether own messages are taken is for `on` to say


@bot.on(TextMessage, text="ping")
async def pong(ctx: Context, message: TextMessage) -> None:
    assert_type(await ctx.reply("pong"), Receipt)
    assert_type(ctx.match, re.Match[str] | None)
    assert_type((ctx.attempt, ctx.is_last_attempt, ctx.key), tuple[int, bool, str])


@bot.timer(name="remind")
async def remind(ctx: Context, data: str) -> None:
    await ctx.reply(data)


@bot.weekly("mon", "09:00", timezone="Asia/Shanghai")
@bot.cron("0 9 * * mon", catch_up=True, name="cron")
def monday(ctx: SyncContext) -> None:
    assert_type(ctx.call_later(remind, minutes=1, data="tea", chat="filehelper"), StoredTimer)
    assert_type(ctx.cancel_timers("tea"), int)


@bot.on(TextMessage, text="later")
async def later(ctx: Context, message: TextMessage) -> None:
    timer = await ctx.call_at("remind", datetime.now(UTC), data=message.text, name="tea")
    assert_type((timer.number, timer.due_at, timer.name), tuple[int, float, str])
    assert_type(await ctx.list_timers(name="tea"), list[StoredTimer])
    assert_type(await ctx.cancel_timer(timer), bool)


@bot.on(FileMessage, ImageMessage, is_long, is_friend, chat="Boss", sender=("阿华", 5), group=True, backlog=False)
def save(ctx: SyncContext, message: FileMessage | ImageMessage) -> Path:
    assert_type(ctx.download(message), bytes)
    return ctx.download_to(message, "inbox")


@router.on(TextMessage, is_long, regex=re.compile("x"), mentions_me=True, own=True)
async def long(ctx: Context, message: TextMessage) -> Receipt:
    return await ctx.forward(message, to="filehelper")


@bot.on(TextMessage, text="x", regex=r"^buy (\w+)")
async def buy(ctx: Context[re.Match[str]], message: TextMessage) -> None:
    assert_type(ctx.match, re.Match[str])
    assert_type(described(ctx), str)


@bot.on(TextMessage, FileMessage, regex="x")
def sell(ctx: SyncContext[re.Match[str]], message: TextMessage | FileMessage) -> str | None:
    assert_type(ctx.match, re.Match[str])
    return ctx.match[1]


@router.on(regex="x", group=True)
async def bare(ctx: Context, message: Message) -> None:
    assert_type(ctx.match, re.Match[str] | None)


@bot.on(TextMessage, text="x")  # type: ignore[arg-type]  # pyright: ignore  # without a regex there may be no match
async def matchless(ctx: Context[re.Match[str]], message: TextMessage) -> None:
    pass


def described(ctx: Context) -> str:
    return repr(ctx.match)


@router.on(chat=("Boss", "阿华"))
async def any_message(ctx: Context, message: Message) -> None:
    await ctx.mark_read()


@router.on(MessageRecalled, LoopDetected, ContinuityLost)
async def several(ctx: Context, event: MessageRecalled | LoopDetected | ContinuityLost) -> None:
    pass


@router.on(TextMessage, text="a")
@router.on(TextMessage, regex="^b")
async def either(ctx: Context, message: TextMessage) -> None:
    pass


class Survey(Steps):
    age = Step()


@bot.on(TextMessage, state=Survey.age)
async def at_step(ctx: Context, message: TextMessage) -> None:
    assert_type(await ctx.state.get_values(dict), dict[Any, Any])
    await ctx.state.set_step(Survey.age, timeout=60)


@bot.on(TextMessage, state=(Survey, None))
def at_any_step(ctx: SyncContext, message: TextMessage) -> None:
    assert_type(ctx.state.get_step(), str)


@bot.on(StateTimedOut, state=Survey)
async def too_late(ctx: Context, event: StateTimedOut) -> None:
    assert_type(event.step, str)


@bot.on(TextMessage)
async def untyped(ctx, message):  # type: ignore[no-untyped-def]  # pyright: ignore  # as many would write it
    pass


@bot.on(TextMessage)  # type: ignore[arg-type]  # pyright: ignore  # a handler for another kind of event
async def other_kind(ctx: Context, message: ImageMessage) -> None:
    pass


@bot.on(command=("remind", "提醒"), chat="Boss")
async def remind_later(
    ctx: Context, message: TextMessage, minutes: int, text: str = "", *, client: AsyncClient
) -> None:
    assert_type(ctx.command, CommandCall | None)


@router.on(TextMessage, QuoteMessage, command="cook", group=True)
def cook(ctx: SyncContext, message: TextMessage | QuoteMessage, *dishes: str) -> None:
    assert_type(ctx.command, CommandCall | None)


@bot.on(command="cook")  # type: ignore[arg-type]  # pyright: ignore  # a command is a text
async def cook_a_picture(ctx: Context, message: ImageMessage, dish: str) -> None:
    pass


Bot(commands=Commands(prefixes=("/", "!"), allow=("filehelper", 12), help=()))


class Shop:
    """A value that handlers of this program get injected."""


bot.provide(Shop(), currency="CNY")


@bot.provider
async def basket(ctx: Context) -> AsyncIterator[list[str]]:
    yield [ctx.key]


@bot.on(TextMessage, text="buy")
async def pay(ctx: Context, message: TextMessage, *, shop: Shop, client: AsyncClient, currency: str = "") -> None:
    assert_type(client, AsyncClient)


@bot.on(TextMessage, regex="pay")
def pay_plainly(ctx: SyncContext[re.Match[str]], message: TextMessage, *, shop: Shop) -> None:
    assert_type(ctx.match, re.Match[str])


@bot.on(TextMessage)  # type: ignore[arg-type]  # pyright: ignore  # a handler for another kind of event
async def other_kind_with_a_shop(ctx: Context, message: ImageMessage, *, shop: Shop) -> None:
    pass


@bot.middleware
async def paid(ctx: Context, event: Event, proceed: Callable[[], Awaitable[object]], *, shop: Shop) -> None:
    await proceed()


@bot.middleware
async def timed(ctx: Context, event: Event, proceed: Callable[[], Awaitable[object]]) -> None:
    await proceed()


@router.middleware
async def only_here(ctx: Context, event: Event, proceed: Callable[[], Awaitable[object]]) -> None:
    await proceed()


@router.error(KeyError, ValueError)
async def handled(ctx: Context, event: Event | None, error: KeyError | ValueError) -> None:
    assert_type(await ctx.state.back(timeout=60), Step | None)


@bot.migrate_state
def migrate(step: str, values: dict[str, Any]) -> tuple[str | Step, dict[str, Any]] | None:
    return ("", values) if step else None


bot.every(5)  # type: ignore[arg-type]  # pyright: ignore  # a number without a unit


@bot.on_error
async def failed(ctx: Context, event: Event | None, error: BaseException) -> None:
    assert_type(ctx.is_last_attempt, bool)


@bot.on_logged_out
def gone(reason: LoggedOut) -> None:
    assert_type(reason.reason, str)


@bot.on_send_changed
async def changed(send: Outgoing) -> None:
    assert_type(send.number, int)


async def embedded() -> None:
    async with SqliteJournal("me.journal") as journal, AsyncClient(journal=journal) as client:
        await Bot(client=client).start()
        await start(bot, Bot(client=client, name="other"), on_ready=lambda bot, client: print(bot.name, client.account))


def main() -> None:
    run(bot)
    bot.run()
