"""
Forward recalled messages to File Transfer Helper, and so to your own phone, with their sender and time.

    webwx run examples/anti_recall.py

The platform deletes a recalled picture at once, so media are downloaded when they arrive and stored beside the journal.
The journal also has the texts, regardless of their age and of restarts.
"""

from datetime import datetime

from webwx import Bot, Context, Keep, MediaUnavailable, MessageRecalled, NotForwardable, TextMessage

KEEP = Keep(kinds=("image", "video", "voice", "file", "sticker"))

bot = Bot(name="anti-recall", keep=KEEP)


def is_by_others(event: MessageRecalled) -> bool:
    """Return whether another person recalled the message."""
    return not event.is_self


@bot.on(MessageRecalled, is_by_others)
async def restore(ctx: Context, event: MessageRecalled) -> None:
    """Report a recall, and forward the recalled message."""
    chat = ctx.client.contacts.get(event.chat)
    where = chat.display_name if chat else "an unknown chat"
    when = datetime.fromtimestamp(event.time).astimezone()
    heading = f"[{where}, {when:%Y-%m-%d %H:%M:%S}] {event.text}"  # whose it was stands in the platform's own words

    match event.original:
        case None:
            await ctx.send_text("filehelper", f"{heading}\n(It never arrived here.)")
        case TextMessage(text=text):
            await ctx.send_text("filehelper", f"{heading}\n{text}")
        case original:
            await ctx.send_text("filehelper", heading)
            try:
                await ctx.forward(original, "filehelper")
            except (NotForwardable, MediaUnavailable):
                if not ctx.is_last_attempt:
                    raise  # it may still be on its way to us
                await ctx.send_text("filehelper", f"({type(original).__name__}: it is gone.)")


if __name__ == "__main__":
    bot.run()
