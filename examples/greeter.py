"""
Greet new members of a chatroom; members who join together get one greeting.

    webwx run examples/greeter.py

`GREETER_TEXT` is the greeting, with `{names}` for the names. Each new member is greeted once, also after a restart,
because the journal stores which events are done and which messages were sent.
"""

import os

from webwx import Bot, Context, MemberJoined

TEXT = os.environ.get("GREETER_TEXT", "欢迎 {names}！进群请先看群公告。")

bot = Bot(name="greeter")


def is_about_others(event: MemberJoined) -> bool:
    """Return whether others joined, and not this account itself."""
    return None not in event.names


@bot.on(MemberJoined, is_about_others, group=True)
async def greet(ctx: Context, event: MemberJoined) -> None:
    """Greet all members who joined together."""
    names = "、".join(name for name in event.names if name)
    await ctx.reply(TEXT.replace("{names}", names))


if __name__ == "__main__":
    bot.run()
