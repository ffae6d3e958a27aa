"""The state of a conversation in a plain handler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.bot.bot import Bot
from webwx.bot.state import ConversationState
from webwx.bot.steps import Step, Steps
from webwx.bot.sync_state import SyncConversationState
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.testing import PhoneUser, Sandbox


class Survey(Steps):
    age = Step()


def test_a_plain_handler_uses_the_state_without_await(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot = Bot()

    @bot.on(TextMessage, state=Survey.age)
    def end(ctx: SyncContext, message: TextMessage) -> None:
        values = ctx.state.get_values(dict)
        ctx.state.clear()
        ctx.reply(f"{ctx.state.get_step()!r} {values}")

    @bot.on(TextMessage)
    def begin(ctx: SyncContext, message: TextMessage) -> None:
        ctx.state.set_values({"a": 1})
        ctx.state.update_values(b=2)
        ctx.state.set_step(Survey.age)
        ctx.reply(repr(ctx.state))

    with webwx_sandbox.running(bot):
        webwx_friend.say("x")
        assert webwx_friend.hears("SyncConversationState(***)")
        webwx_friend.say("y")
        assert webwx_friend.hears("'' {'a': 1, 'b': 2}")


def test_the_state_is_injected_by_its_name_or_type(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot = Bot()

    @bot.on(TextMessage, state=None)
    async def begin(ctx: Context, message: TextMessage, *, conversation: ConversationState) -> None:
        await conversation.set_step(Survey.age)
        await ctx.reply("age?")

    @bot.on(TextMessage)
    def end(ctx: SyncContext, message: TextMessage, *, state, also: SyncConversationState) -> None:  # type: ignore[no-untyped-def]  # by its name
        ctx.reply(f"{state.get_step()} {also.get_step()}")

    with webwx_sandbox.running(bot):
        webwx_friend.say("x")
        assert webwx_friend.hears("age?")
        webwx_friend.say("y")
        assert webwx_friend.hears("Survey.age Survey.age")
