from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from webwx import AsyncClient, Bot, Client, Context, Event, LoggedOut, LoginFile, TextMessage, testing
from webwx.sandbox.errors import Impossible
from webwx.sandbox.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from webwx.sandbox.phone_actions import PhoneActions
    from webwx.sandbox.world import World
    from webwx.testing import PhoneUser, Sandbox


def make_bot(**choices: object) -> Bot:
    bot = Bot(**choices)  # type: ignore[arg-type]  # passed on as they are

    @bot.on(TextMessage, text="ping")
    async def pong(ctx: Context, message: TextMessage) -> None:
        await ctx.reply("pong")

    @bot.on(TextMessage, text="fail")
    async def fail(ctx: Context, message: TextMessage) -> None:
        raise RuntimeError

    return bot


def test_a_second_run_is_a_restart_that_misses_no_message(sandbox: Sandbox, friend: PhoneUser) -> None:
    bot = make_bot()
    with sandbox.running(bot):
        friend.say("ping")
        assert friend.hears("pong")
    friend.say("ping")
    assert friend.hears_nothing()
    with sandbox.running(bot):
        assert friend.hears("pong")


def test_a_killed_bot_gets_its_unfinished_event_again(sandbox: Sandbox, friend: PhoneUser) -> None:
    bot, has_begun = Bot(), threading.Event()

    @bot.on(TextMessage)
    async def hang(ctx: Context, message: TextMessage) -> None:
        if not ctx.redelivered:
            has_begun.set()
            await asyncio.Event().wait()
        await ctx.reply("at last")

    with sandbox.running(bot) as running:
        friend.say("hello")
        assert has_begun.wait(60)
        running.kill()
    with sandbox.running(bot):
        assert friend.hears("at last")


def test_a_bot_runs_in_the_sandbox_despite_its_own_settings(
    sandbox: Sandbox, friend: PhoneUser, tmp_path: Path
) -> None:
    store = LoginFile(tmp_path / "real.json")
    with sandbox.running(make_bot(server="http://127.0.0.1:9", host="wx2.qq.com", store=store)):
        friend.say("ping")
        assert friend.hears("pong")
    assert list(tmp_path.iterdir()) == []


def test_bots_of_two_accounts_write_to_each_other(sandbox: Sandbox, account: PhoneUser, friend: PhoneUser) -> None:
    with sandbox.running(make_bot()) as mine, sandbox.running(make_bot(), account=friend):
        account.say("ping", to=friend)
        assert account.hears("pong", chat=friend)
        assert "webwxsendmsg" not in mine.calls


def test_a_bot_logs_in_again_when_its_login_ends(sandbox: Sandbox, account: PhoneUser, friend: PhoneUser) -> None:
    with sandbox.running(make_bot()):
        sandbox.do(lambda world: world.log_out(account.id))
        sandbox.settle()
        friend.say("ping")
        assert friend.hears("pong")


def test_an_error_that_ends_a_bot_is_raised(sandbox: Sandbox, account: PhoneUser, friend: PhoneUser) -> None:
    def run() -> None:
        with sandbox.running(make_bot(relogin=False)):
            sandbox.do(lambda world: world.log_out(account.id))
            with pytest.raises(AssertionError, match="has ended: LoggedOut"):
                friend.hears("pong")

    with pytest.raises(LoggedOut):
        run()


def test_a_bot_that_cannot_start_raises_the_reason(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="have the name 'bot'"), sandbox.running(make_bot(), make_bot()):
        raise AssertionError
    assert sandbox.at_work == []


def test_an_error_names_the_handler_that_failed(sandbox: Sandbox, friend: PhoneUser) -> None:
    sandbox.patience = 0.5
    with sandbox.running(make_bot()):
        friend.say("fail")
        with pytest.raises(AssertionError, match=r"(?s)RuntimeError at test_sandbox.py.*unfinished events \(1\)"):
            friend.hears("anything")


def test_a_test_may_use_its_own_client(sandbox: Sandbox, account: PhoneUser, friend: PhoneUser) -> None:
    with Client(server=sandbox.url) as client:
        client.login(show_qr=lambda _: account.confirms_login())
        client.send_text("阿华", "by hand")
        assert friend.hears("by hand")


async def test_a_bot_runs_in_an_asynchronous_test(sandbox: Sandbox, account: PhoneUser, friend: PhoneUser) -> None:
    async with AsyncClient(server=sandbox.url) as client:
        await client.login(show_qr=lambda _: account.confirms_login())
        friend.say("hello")
        async with client.events() as events:
            async for event in events:
                if isinstance(event, TextMessage):
                    break
        assert isinstance(event, Event)


def test_a_stranger_is_not_a_friend(sandbox: Sandbox) -> None:
    assert sandbox.add_stranger("路人").chat() == []
    with pytest.raises(Impossible):
        sandbox.person("unknown")


def test_a_missing_friend_or_chatroom_is_an_error_that_names_the_remedy(sandbox: Sandbox) -> None:
    room = sandbox.add_chatroom("新群", sandbox.friend, sandbox.account)
    assert room.name == sandbox.chatroom("新群").name
    sandbox.do(lambda world: world.person("me").friends.clear())
    sandbox.do(lambda world: world.person("me").rooms.clear())
    with pytest.raises(LookupError, match="add_person"):
        sandbox.friend  # noqa: B018 - it is the looking that fails
    with pytest.raises(LookupError, match="add_chatroom"):
        sandbox.chatroom()


def test_scripted_friends_answer_the_bot(sandbox: Sandbox, friend: PhoneUser) -> None:
    friends = Scenario()

    @friends.at(60, "阿华")
    def begin(ahua: PhoneActions) -> Iterator[float]:
        ahua.say("ping", to="me")
        yield 60
        ahua.say("still there?", to="me")

    friends.when("阿华", hears="pong")(lambda ahua, message: ahua.say("thank you"))
    sandbox.play(friends)
    with sandbox.running(make_bot()):
        sandbox.clock.wind(minutes=5)
    assert [message.text for message in friend.chat()] == ["ping", "pong", "thank you", "still there?"]


def test_an_error_in_a_scenario_fails_the_test(webwx_world: World) -> None:
    friends = Scenario()
    friends.at(0, "阿华")(lambda ahua: ahua.say("hello"))

    def play() -> None:
        with testing.Sandbox(webwx_world) as sandbox:
            sandbox.play(friends)
            assert "not a reaction to a message" in sandbox.explanation()

    with pytest.raises(AssertionError, match="The scenario has an error"):
        play()
