"""
Ask a person for name and age, in a chat or in a chatroom, and remember where each conversation is.

    webwx run examples/survey.py

Each answer is stored in the transaction that acknowledges the message: a restart continues in the middle, and no
question is asked twice. "cancel" ends the survey, and so do ten minutes without an answer.
"""

import msgspec

from webwx import Bot, Context, StateTimedOut, Step, Steps, TextMessage

PATIENCE = 600
"""Seconds to wait for an answer."""

bot = Bot(name="survey", state_key="person")


class Survey(Steps):
    """The questions."""

    name = Step()
    age = Step()


class Answers(msgspec.Struct):
    """The answers so far."""

    name: str = ""
    age: int = 0


@bot.on(TextMessage, text="survey", state=None)
async def begin(ctx: Context, _: TextMessage) -> None:
    """Ask the first question."""
    await ctx.state.set_step(Survey.name, timeout=PATIENCE)
    await ctx.reply("What is your name?")


@bot.on(TextMessage, text="cancel", state=Survey)
async def cancel(ctx: Context, _: TextMessage) -> None:
    """End the survey at any step."""
    await ctx.state.clear()
    await ctx.reply("Cancelled.")


@bot.on(TextMessage, state=Survey.name)
async def take_name(ctx: Context, message: TextMessage) -> None:
    """Keep the name, and ask the second question."""
    await ctx.state.set_values(Answers(name=message.text))
    await ctx.state.set_step(Survey.age, timeout=PATIENCE)
    await ctx.reply(f"How old are you, {message.text}?")


@bot.on(TextMessage, regex=r"^\d{1,3}$", state=Survey.age)
async def take_age(ctx: Context, message: TextMessage) -> None:
    """Keep the age, and show both answers."""
    answers = await ctx.state.get_values(Answers)
    answers.age = int(message.text)
    await ctx.state.clear()
    await ctx.reply(f"Thank you: {answers.name}, {answers.age}.")


@bot.on(TextMessage, state=Survey.age)
async def ask_again(ctx: Context, _: TextMessage) -> None:
    """Refuse a text that is not an age, without a change of the state."""
    await ctx.reply("Please send your age as a number.")


@bot.on(StateTimedOut, state=Survey)
async def give_up(ctx: Context, _: StateTimedOut) -> None:
    """End a survey without an answer."""
    await ctx.state.clear()
    await ctx.reply("I have not heard from you; send 'survey' to begin again.")


if __name__ == "__main__":
    bot.run()
