from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webwx import Bot, Context, TextMessage
from webwx.sandbox.errors import Impossible

if TYPE_CHECKING:
    from webwx.testing import Clock, Faults, PhoneUser, Sandbox

bot = Bot()


@bot.on(TextMessage)
async def echo(ctx: Context, message: TextMessage) -> None:
    await ctx.reply(f"you said {message.text}")


def test_a_fault_happens_the_given_number_of_times(
    sandbox: Sandbox, friend: PhoneUser, clock: Clock, faults: Faults
) -> None:
    fault = faults.on("ret", endpoint="webwxsendmsg", times=1, ret=-1)
    with sandbox.running(bot):
        friend.say("hello")
        clock.wind(5)
        assert friend.hears("you said hello")
    assert fault.hits == 1


def test_a_removed_fault_does_not_happen(sandbox: Sandbox, friend: PhoneUser, faults: Faults) -> None:
    fault = faults.on("empty@1")
    faults.script("status", "empty")
    faults.off()
    with sandbox.running(bot):
        friend.say("hello")
        assert friend.hears("you said hello")
    assert fault.hits == 0


def test_faults_are_the_same_in_each_run(sandbox: Sandbox, faults: Faults) -> None:
    assert sandbox.world.faults.seed == 1
    with pytest.raises(Impossible, match="There is no fault 'nonsense'"):
        faults.on("nonsense")
