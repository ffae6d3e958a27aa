from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.sandbox.conftest import Page

from webwx.sandbox.core import SandboxCore
from webwx.sandbox.errors import Impossible
from webwx.sandbox.people import WorldMessage
from webwx.sandbox.phone_actions import PhoneActions
from webwx.sandbox.scenario import MAX_CHAIN, Scenario
from webwx.sandbox.world import World


@pytest.fixture
def friends() -> Scenario:
    return Scenario()


@pytest.fixture
def play(world: World, friends: Scenario) -> Callable[[], list[str]]:
    """Return a function that starts the scripts and returns the list in which their errors will be."""

    def begin() -> list[str]:
        mistakes = list[str]()
        friends.play(world, on_mistake=mistakes.append)
        return mistakes

    return begin


def shown(world: World, who: str = "me", chat: str = "ahua") -> list[str]:
    chats = world.inbox(who)
    return [("recalled" if m.is_recalled else m.text) for m in chats[chat].messages] if chat in chats else []


def line_of(function: Callable[..., Any], offset: int) -> str:
    return f"test_scenario.py, line {function.__code__.co_firstlineno + offset}: "


# -- reactions -------------------------------------------------------------------------------------------------------


def test_after_ping_a_friend_answers_and_recalls_it_five_seconds_later(
    world: World, friends: Scenario, play: Callable[[], list[str]]
) -> None:
    @friends.when("阿华", hears="ping")
    def answer(ahua: PhoneActions, message: WorldMessage) -> None:
        pong = ahua.say("pong")
        ahua.after(5, ahua.recall, pong)

    assert play() == []
    world.say("me", "阿华", "ping")
    assert shown(world) == ["ping", "pong"]
    world.wind(4.9)
    assert shown(world)[-1] == "pong"
    world.wind(0.1)
    assert shown(world)[-1] == "recalled"


def test_a_script_waits_where_it_yields(world: World, friends: Scenario, play: Callable[[], list[str]]) -> None:
    @friends.when("阿华", hears="ping")
    def answer(ahua: PhoneActions, message: WorldMessage) -> Iterator[int]:
        began = ahua.world.now
        for word in ("one", "two", "three"):
            yield 60
            ahua.say(f"{word} {ahua.world.now - began:g}")

    assert play() == []
    world.say("me", "阿华", "ping")
    world.wind(100)
    assert shown(world) == ["ping", "one 60"]
    world.wind(1000)
    assert shown(world)[2:] == ["two 120", "three 180"]


@pytest.mark.parametrize(
    ("hears", "is_answered"),
    [
        (None, True),
        ("I say ping!", True),
        ("ping", False),
        (re.compile("p.ng"), True),
        (re.compile("^ping"), False),
        (lambda message: message.sender.id == "xiaoming", True),
        (lambda message: "", False),
    ],
)
def test_hears_accepts_a_text_a_pattern_or_a_function(
    world: World,
    friends: Scenario,
    play: Callable[[], list[str]],
    hears: Callable[[WorldMessage], bool] | re.Pattern[str] | str | None,
    is_answered: bool,
) -> None:
    friends.when("阿华", hears=hears)(lambda ahua, message: ahua.say("yes"))
    assert play() == []
    world.say("me", "阿华", "I say ping!")
    assert ("yes" in shown(world)) is is_answered


@pytest.mark.parametrize(
    ("narrower", "is_answered"),
    [
        ({}, True),
        ({"kind": "text"}, True),
        ({"kind": "image"}, False),
        ({"by": "me"}, True),
        ({"by": "李雷"}, False),
        ({"chat": "周末爬山"}, True),
        ({"chat": "me"}, False),
        ({"is_recalled": True}, False),
    ],
)
def test_a_reaction_can_have_a_filter(
    world: World, friends: Scenario, play: Callable[[], list[str]], narrower: dict[str, Any], is_answered: bool
) -> None:
    friends.when("阿华", **narrower)(lambda ahua, message: ahua.say("yes"))
    assert play() == []
    world.say("me", "周末爬山", "谁来")
    assert ("yes" in shown(world, chat="hiking")) is is_answered


def test_a_script_reacts_to_a_recall(world: World, friends: Scenario, play: Callable[[], list[str]]) -> None:
    friends.when("阿华", is_recalled=True)(lambda ahua, message: ahua.say(f"I saw: {message.text}"))
    assert play() == []
    world.say("me", "阿华", "oops")
    world.recall("me", "阿华")
    assert shown(world)[-1] == "I saw: oops"


def test_without_a_name_all_but_me_react_and_platform_messages_are_ignored(
    world: World, friends: Scenario, play: Callable[[], list[str]]
) -> None:
    friends.when(hears=lambda message: message.text != "here")(lambda each, message: each.say("here"))
    assert play() == []
    world.membership.rename(world.chatrooms["hiking"], "爬山", by=world.person("me"))
    world.say("me", "爬山", "who is there?")
    room = world.inbox("me")["hiking"].messages
    assert [message.sender.id for message in room[2:]] == ["ahua", "zhangsan", "lilei"]


def test_a_person_who_changes_the_nickname_still_reacts(
    world: World, friends: Scenario, play: Callable[[], list[str]]
) -> None:
    friends.when("阿华", by="李雷", chat="周末爬山")(lambda ahua, message: ahua.say("yes"))
    friends.at(60, "阿华")(lambda ahua: ahua.say("later", to="hiking"))
    mistakes = play()
    for who, nickname in (("ahua", "华姐"), ("lilei", "雷哥")):
        world.change_profile(who, nickname=nickname)
    world.membership.rename(world.chatrooms["hiking"], "爬山", by=world.person("me"))
    world.say("lilei", "爬山", "谁来")
    world.wind(60)
    assert shown(world, chat="hiking")[1:] == ["谁来", "yes", "later"]
    assert mistakes == []


def test_all_members_react_in_the_chatroom_only(world: World, friends: Scenario, play: Callable[[], list[str]]) -> None:
    outsider = world.add_person("外人")
    world.befriend("me", outsider.id)
    friends.when(chat="周末爬山")(lambda each, message: each.say("here"))
    mistakes = play()
    world.say("me", outsider.id, "who is there?")
    world.say("me", "周末爬山", "who is there?")
    assert shown(world, chat=outsider.id) == ["who is there?"]
    assert len(shown(world, chat="hiking")) == MAX_CHAIN + 1  # They answer each other as well.
    assert len(mistakes) == 1


def test_an_answer_is_sent_after_all_members_received_the_question(
    world: World, friends: Scenario, play: Callable[[], list[str]]
) -> None:
    friends.when("阿华", hears="?")(lambda ahua, message: ahua.say("!"))
    assert play() == []
    world.say("me", "周末爬山", "?")
    assert shown(world, "lilei", "hiking") == ["?", "!"]


def test_a_client_gets_the_answer_to_its_message(
    world: World, friends: Scenario, play: Callable[[], list[str]], me: Page
) -> None:
    friends.when("阿华", hears="ping")(lambda ahua, message: ahua.say("pong"))
    assert play() == []
    me.send_text(me.name("ahua"), "ping")
    assert [message.content for message in me.messages()] == ["pong"]


def test_an_endless_exchange_of_answers_is_stopped_and_reported(
    world: World, friends: Scenario, play: Callable[[], list[str]]
) -> None:
    friends.when("阿华", by="李雷")(lambda ahua, message: ahua.say("more"))
    friends.when("李雷", by="阿华")(lambda lilei, message: lilei.say("more"))
    mistakes = play()
    world.say("阿华", "李雷", "begin")
    assert len(shown(world, "lilei")) == MAX_CHAIN + 1
    assert len(mistakes) == 1
    assert "without a pause; let one of them wait" in mistakes[0]


# -- times -----------------------------------------------------------------------------------------------------------


def test_scripts_run_at_a_time_and_at_intervals(world: World, friends: Scenario, play: Callable[[], list[str]]) -> None:
    friends.at(90, "阿华")(lambda ahua: ahua.say("at 90", to="me"))
    friends.at(datetime.fromtimestamp(world.now + 30, UTC).replace(tzinfo=None), "阿华")(
        lambda ahua: ahua.say("at 30", to="me")
    )
    friends.at(datetime.fromtimestamp(world.now - 30, UTC), "阿华")(lambda ahua: ahua.say("long ago", to="me"))
    friends.every(40, "阿华")(lambda ahua: ahua.say("again", to="me"))
    assert play() == []
    assert shown(world) == ["long ago"]
    world.wind(120)
    assert shown(world) == ["long ago", "at 30", "again", "again", "at 90", "again"]


def test_a_poll_in_process_ends_when_a_friend_writes_and_not_later(
    world: World, friends: Scenario, play: Callable[[], list[str]], sandbox: SandboxCore
) -> None:
    friends.at(5, "阿华")(lambda ahua: ahua.say("hello", to="me"))
    assert play() == []
    began = world.now
    sandbox.wind_to(began + 25)
    assert world.now == began + 5
    assert shown(world) == ["hello"]


# -- errors in scripts -----------------------------------------------------------------------------------------------


def test_an_error_is_reported_with_its_line_and_the_world_continues(
    world: World, friends: Scenario, play: Callable[[], list[str]]
) -> None:
    @friends.when("阿华", hears="ping")
    def answer(ahua: PhoneActions, message: WorldMessage) -> None:
        ahua.say("pong", to="unknown")

    @friends.when("阿华", hears="ping")
    def divide(ahua: PhoneActions, message: WorldMessage) -> Iterator[float]:
        yield 1
        yield 1 / 0

    @friends.when("阿华", hears="ping")
    def hurry(ahua: PhoneActions, message: WorldMessage) -> Iterator[str | None]:
        ahua.say("in a moment")
        yield "soon"

    mistakes = play()
    world.say("me", "阿华", "ping")
    world.wind(1)
    assert mistakes == [
        line_of(answer, 2) + "There is no person 'unknown'; the people are xiaoming, ahua, zhangsan, lilei, weekly.",
        line_of(hurry, 3) + "A script cannot wait for 'soon'; yield a number of seconds, 0 or more.",
        line_of(divide, 3) + "ZeroDivisionError: division by zero",
    ]
    assert shown(world) == ["ping", "in a moment"]


def test_a_function_with_wrong_arguments_is_reported_with_its_line(
    world: World, friends: Scenario, play: Callable[[], list[str]]
) -> None:
    @friends.when("阿华")
    def answer(ahua: PhoneActions) -> None: ...

    mistakes = play()
    world.say("me", "阿华", "ping")
    assert len(mistakes) == 1
    assert mistakes[0].startswith(line_of(answer, 0) + "TypeError: ")


def test_a_refusal_is_reported_as_a_sentence(world: World, friends: Scenario, play: Callable[[], list[str]]) -> None:
    @friends.at(0, "阿华")
    def write(ahua: PhoneActions) -> None:
        ahua.say("hello", to="阿华")

    assert play() == [line_of(write, 2) + "Nothing can be sent there: only friends can be written to, and not oneself."]


@pytest.mark.parametrize(
    "script",
    [
        lambda friends: friends.when("unknown"),
        lambda friends: friends.when("阿华", by="unknown"),
        lambda friends: friends.when("阿华", chat="unknown"),
        lambda friends: friends.at(1, "unknown"),
    ],
)
def test_an_unknown_person_is_reported_before_the_start(
    world: World, friends: Scenario, play: Callable[[], list[str]], script: Callable[[Scenario], Callable[..., object]]
) -> None:
    def answer(*_: object) -> None: ...

    script(friends)(answer)
    with pytest.raises(Impossible, match=f"^{re.escape(line_of(answer, 0))}There is no person 'unknown'"):
        play()


def test_an_interval_of_0_is_an_error(friends: Scenario) -> None:
    with pytest.raises(ValueError, match=r"a pause of at least 0.01 s"):
        friends.every(0, "阿华")


def test_without_a_callback_an_error_is_written_to_stderr(
    world: World, friends: Scenario, capsys: pytest.CaptureFixture[str]
) -> None:
    friends.at(0, "阿华")(lambda ahua: ahua.say("hello"))
    friends.play(world)
    assert capsys.readouterr().err.endswith("not a reaction to a message.\n")


def test_a_coroutine_function_is_refused(friends: Scenario) -> None:
    async def answer(ahua: PhoneActions, message: WorldMessage) -> None: ...

    for decorator in (friends.when(), friends.at(1, "阿华"), friends.every(1, "阿华")):
        with pytest.raises(TypeError, match="write 'def answer', and 'yield 5' to wait"):
            decorator(answer)
