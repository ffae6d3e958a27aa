"""The greeter greets each new member once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.examples.conftest import load

if TYPE_CHECKING:
    import pytest

    from webwx.testing import Chatroom, Clock, Faults, PhoneUser, Sandbox


def greeting(names: str) -> str:
    return f"欢迎 {names}！进群请先看群公告。"


def test_several_members_who_join_together_get_one_greeting(
    sandbox: Sandbox, friend: PhoneUser, chatroom: Chatroom
) -> None:
    with sandbox.running(load("greeter").bot):
        chatroom.add("王五", "赵六")
        chatroom.add("孙七")
        assert friend.hears(greeting("王五、赵六"), chat=chatroom)
        assert friend.hears(greeting("孙七"), chat=chatroom)
        assert friend.hears_nothing(chat=chatroom)


def test_a_member_is_not_greeted_again_after_a_restart(sandbox: Sandbox, friend: PhoneUser, chatroom: Chatroom) -> None:
    bot = load("greeter").bot
    with sandbox.running(bot):
        chatroom.add("王五")
        assert friend.hears(greeting("王五"), chat=chatroom)
    chatroom.add("赵六")
    with sandbox.running(bot):
        chatroom.add("孙七")
        assert friend.hears(greeting("赵六"), chat=chatroom)
        assert friend.hears(greeting("孙七"), chat=chatroom)
        assert friend.hears_nothing(chat=chatroom)


def test_a_greeting_with_an_unknown_outcome_is_not_sent_again(
    sandbox: Sandbox, friend: PhoneUser, chatroom: Chatroom, clock: Clock, faults: Faults
) -> None:
    bot = load("greeter").bot
    with sandbox.running(bot) as running:
        faults.on("lost_answer", endpoint="webwxsendmsg", times=1)
        chatroom.add("王五")
        assert friend.hears(greeting("王五"), chat=chatroom)
        running.kill()
    with sandbox.running(bot):
        chatroom.add("赵六")
        clock.wind(minutes=1)  # The first event is given up, because the outcome of its greeting is unknown.
        assert friend.hears(greeting("赵六"), chat=chatroom)
        assert friend.hears_nothing(chat=chatroom)


def test_a_bot_does_not_greet_its_own_account(
    sandbox: Sandbox, account: PhoneUser, friend: PhoneUser, chatroom: Chatroom
) -> None:
    with sandbox.running(load("greeter").bot):
        room = sandbox.add_chatroom("新群", friend, sandbox.person("lilei"))
        room.add(account)
        chatroom.add("王五")
        assert friend.hears(greeting("王五"), chat=chatroom)
        assert friend.hears_nothing(chat=room)


def test_the_greeting_can_be_changed(
    sandbox: Sandbox, friend: PhoneUser, chatroom: Chatroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREETER_TEXT", "欢迎你，{names}")
    with sandbox.running(load("greeter").bot):
        chatroom.add("王五")
        assert friend.hears("欢迎你，王五", chat=chatroom)
