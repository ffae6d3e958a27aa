"""
Send reminders that people ask for, and a report every weekday.

    webwx run examples/scheduled.py

`/remind 10 tea` brings back `tea` after ten minutes, in the same chat; `/reminders` lists pending reminders, and
`/forget` cancels it. Reminders are stored: one that was due while the bot did not run comes when it starts.
`SCHEDULED_ZONE` is the time zone of the report, default: the machine's.
"""

import os

from webwx import Bot, Context, TextMessage

ZONE = os.environ.get("SCHEDULED_ZONE")

bot = Bot(name="scheduled")


@bot.cron("0 18 * * mon-fri", timezone=ZONE)
async def report(ctx: Context) -> None:
    """Report the number of pending reminders."""
    await ctx.send_text("filehelper", f"{len(await ctx.list_timers())} reminders to come")


@bot.timer()
async def remind(ctx: Context, text: str) -> None:
    """Send the reminder that a person asked for."""
    await ctx.reply(f"Reminder: {text}")


@bot.on(command="remind")
async def note(ctx: Context, _: TextMessage, minutes: int, text: str) -> None:
    """Set a reminder."""
    await ctx.call_later(remind, minutes=minutes, data=text)
    await ctx.reply(f"In {minutes} minutes: {text}")


@bot.on(command="reminders")
async def list_reminders(ctx: Context, _: TextMessage) -> None:
    """List the reminders of this chat."""
    timers = await ctx.list_timers()
    await ctx.reply("\n".join(each.data for each in timers) or "nothing to come")


@bot.on(command="forget")
async def forget(ctx: Context, _: TextMessage) -> None:
    """Cancel the reminders of this chat."""
    for each in await ctx.list_timers():
        await ctx.cancel_timer(each)
    await ctx.reply("forgotten")


if __name__ == "__main__":
    bot.run()
