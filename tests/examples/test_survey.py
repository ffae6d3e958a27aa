"""The survey asks each person each question once, despite failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.examples.conftest import load

if TYPE_CHECKING:
    from types import ModuleType

    from webwx.testing import Chatroom, Clock, Faults, PhoneUser, Sandbox, TranscriptFiles

AGAIN = "I have not heard from you; send 'survey' to begin again."


def test_a_survey_from_its_beginning_to_its_end(
    sandbox: Sandbox, friend: PhoneUser, assert_transcript: TranscriptFiles
) -> None:
    survey = load("survey")
    with sandbox.running(survey.bot) as bot:
        friend.say("survey")
        assert friend.hears("What is your name?")
        assert bot.state_of(friend).step == survey.Survey.name
        friend.say("阿华")
        assert friend.hears("How old are you, 阿华?")
        assert bot.state_of(friend).values == {"name": "阿华", "age": 0}
        friend.say("thirty")
        assert friend.hears("Please send your age as a number.")
        assert bot.state_of(friend).step == survey.Survey.age
        friend.say("30")
        assert friend.hears("Thank you: 阿华, 30.")
        assert bot.state_of(friend).step == ""
        assert_transcript("survey.txt")
        friend.say("hello")
        assert friend.hears_nothing()


def test_a_restart_continues_in_the_middle(sandbox: Sandbox, friend: PhoneUser) -> None:
    with sandbox.running(load("survey").bot):
        friend.say("survey")
        friend.say("阿华")
        assert friend.hears("How old are you, 阿华?")
    friend.say("30")
    with sandbox.running(load("survey").bot):
        assert friend.hears("Thank you: 阿华, 30.")


def fail_once(survey: ModuleType) -> list[dict[str, object]]:
    """
    Make the first attempt at each text fail after its handler has changed the state; return the states of all attempts.
    """
    seen: list[dict[str, object]] = []

    @survey.bot.middleware
    async def fail(ctx, event, proceed):  # type: ignore[no-untyped-def]  # as many would write it
        seen.append(await ctx.state.get_values(dict))
        await proceed()
        if ctx.attempt == 1:
            raise ValueError

    return seen


def test_a_retry_has_the_state_of_the_first_attempt_and_asks_no_question_twice(
    sandbox: Sandbox, friend: PhoneUser, clock: Clock
) -> None:
    survey = load("survey")
    seen = fail_once(survey)
    with sandbox.running(survey.bot):
        for said, answer in (
            ("survey", "What is your name?"), ("阿华", "How old are you, 阿华?"), ("30", "Thank you: 阿华, 30."),
        ):  # fmt: skip
            friend.say(said)
            clock.wind(seconds=5)
            assert friend.hears(answer)
        assert friend.hears_nothing()
    assert seen == [{}, {}, {}, {}, {"name": "阿华", "age": 0}, {"name": "阿华", "age": 0}]


def test_two_people_in_one_chatroom_have_their_own_surveys(
    sandbox: Sandbox, friend: PhoneUser, chatroom: Chatroom
) -> None:
    other = sandbox.person("lilei")
    with sandbox.running(load("survey").bot) as bot:
        for who, said, answer in (
            (friend, "survey", "What is your name?"), (other, "survey", "What is your name?"),
            (other, "李雷", "How old are you, 李雷?"), (friend, "阿华", "How old are you, 阿华?"),
            (friend, "30", "Thank you: 阿华, 30."), (other, "31", "Thank you: 李雷, 31."),
        ):  # fmt: skip
            who.say(said, to=chatroom)
            assert who.hears(answer, chat=chatroom)
            if said == "阿华":
                assert bot.state_of(other, chat=chatroom).values == {"name": "李雷", "age": 0}
        assert bot.state_of(friend).step == "", "the private chat is another conversation"


def test_cancel_ends_a_survey_and_the_next_one_starts_at_the_beginning(sandbox: Sandbox, friend: PhoneUser) -> None:
    with sandbox.running(load("survey").bot) as bot:
        for said, answer in (
            ("survey", "What is your name?"), ("阿华", "How old are you, 阿华?"), ("cancel", "Cancelled."),
            ("survey", "What is your name?"), ("cancel", "Cancelled."),
        ):  # fmt: skip
            friend.say(said)
            assert friend.hears(answer)
        assert bot.state_of(friend).values == {}
        friend.say("cancel")
        assert friend.hears_nothing()


def test_ten_minutes_without_an_answer_end_a_survey(sandbox: Sandbox, friend: PhoneUser, clock: Clock) -> None:
    with sandbox.running(load("survey").bot) as bot:
        friend.say("survey")
        assert friend.hears("What is your name?")
        clock.wind(minutes=9)
        friend.say("阿华")
        assert friend.hears("How old are you, 阿华?")
        clock.wind(minutes=9)
        assert friend.hears_nothing()
        assert bot.state_of(friend).deadline is not None
        clock.wind(minutes=2)
        assert friend.hears(AGAIN)
        assert bot.state_of(friend).step == ""


def test_a_timeout_while_the_bot_is_down_is_handled_once_after_the_restart(
    sandbox: Sandbox, friend: PhoneUser, clock: Clock
) -> None:
    with sandbox.running(load("survey").bot):
        friend.say("survey")
        assert friend.hears("What is your name?")
    clock.wind(hours=1)
    for _ in range(2):
        with sandbox.running(load("survey").bot):
            sandbox.settle()
    assert friend.hears(AGAIN)
    assert friend.hears_nothing()


def test_a_crash_asks_no_question_twice(sandbox: Sandbox, friend: PhoneUser, clock: Clock, faults: Faults) -> None:
    survey = load("survey")
    with sandbox.running(survey.bot) as bot:
        friend.say("survey")
        assert friend.hears("What is your name?")
        faults.on("lost_answer", endpoint="webwxsendmsg", times=1)
        friend.say("阿华")
        assert friend.hears("How old are you, 阿华?")
        bot.kill()
    with sandbox.running(survey.bot):
        clock.wind(minutes=1)
        assert friend.hears_nothing()
