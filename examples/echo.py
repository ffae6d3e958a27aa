"""
Answer every text with the same text, and stop if the other side is such a bot as well.

    webwx run examples/echo.py

With `WEBWX_SERVER=http://127.0.0.1:8790` it talks to a sandbox, without it to File Transfer Helper: there you write to
it from your phone. What it writes itself it never answers.
"""

from webwx import Bot, Context, LoopDetected, TextMessage

bot = Bot(name="echo")


@bot.on(TextMessage, group=False)
async def echo(ctx: Context, message: TextMessage) -> None:
    """Reply with the same text."""
    await ctx.reply(message.text)


# The loop guard of the bot counts answers: after twenty within a minute it is silent in that chat until the other side
# was silent for a minute. This handler only reports it.
@bot.on(LoopDetected)
async def tell(ctx: Context, loop: LoopDetected) -> None:
    """Report to your own phone that the bot has stopped in a chat."""
    contact = ctx.client.contacts.get(loop.chat)
    name = contact.display_name if contact else "A contact"
    await ctx.send_text("filehelper", f"{name} seems to be a bot: I have answered {loop.replies} times and stop now.")


if __name__ == "__main__":
    bot.run()
