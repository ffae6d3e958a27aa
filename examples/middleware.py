"""
Middleware that counts messages of each chat, with a value that it shares with the handlers.

    webwx run examples/middleware.py
"""

from collections import Counter
from collections.abc import Awaitable, Callable

from webwx import Bot, Context, Event, Message, TextMessage

bot = Bot(name="counter")


class Messages(Counter[str]):
    """Number of messages by chat, since the bot was started."""


bot.provide(Messages())


@bot.middleware
async def count(ctx: Context, _: Event, proceed: Callable[[], Awaitable[object]], *, counts: Messages) -> None:
    """Count a message once, at its first attempt, and call its handler."""
    if ctx.attempt == 1:
        counts[ctx.chat] += 1
    await proceed()


@bot.on(TextMessage, text="count", group=False)
async def tell(ctx: Context, _: TextMessage, *, counts: Messages) -> None:
    """Answer with the number of messages."""
    await ctx.reply(f"Message number {counts[ctx.chat]}.")


@bot.on(group=False)
async def other(ctx: Context, message: Message) -> None:
    """Accept every other message: middleware is called for those that have a handler."""


if __name__ == "__main__":
    bot.run()
