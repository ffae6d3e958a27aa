"""
Commands whose words become arguments of a function, such as `/age 30` and `/name Li Lei`.

    webwx run examples/commands.py

A word that does not fit, as in `/age ten`, is answered with the usage, and `/help` with a list of the commands: both in
File Transfer Helper and in the chats that `COMMANDS_ALLOW` names, separated by commas, and nowhere else.
"""

import os
from collections.abc import Awaitable, Callable

from webwx import Bot, Commands, Context, Event, TextMessage

ALLOW = ("filehelper", *filter(None, os.environ.get("COMMANDS_ALLOW", "").split(",")))

bot = Bot(name="commands", commands=Commands(allow=ALLOW))


class InvalidAge(Exception):
    """A number that cannot be the age of a person."""


@bot.middleware
async def explain(ctx: Context, _: Event, proceed: Callable[[], Awaitable[object]]) -> None:
    """Answer an invalid age that any handler has found."""
    try:
        await proceed()
    except InvalidAge as error:
        await ctx.reply(f"{error} is no age.")


@bot.on(command=("age", "年龄"))
async def set_age(ctx: Context, _: TextMessage, age: int) -> None:
    """Store your age."""
    if age not in range(150):
        raise InvalidAge(age)
    await ctx.reply(f"Your age is {age}.")


@bot.on(command=("name", "名字"))
async def set_name(ctx: Context, _: TextMessage, name: str) -> None:
    """Store your name."""
    await ctx.reply(f"Your name is {name}.")


if __name__ == "__main__":
    bot.run()
