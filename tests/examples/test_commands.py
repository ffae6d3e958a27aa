"""The example with commands converts words, and explains errors only to the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.examples.conftest import load

if TYPE_CHECKING:
    import pytest

    from webwx.testing import PhoneUser, Sandbox


def test_words_become_arguments(sandbox: Sandbox, friend: PhoneUser) -> None:
    with sandbox.running(load("commands").bot):
        friend.say("/age 30")
        assert friend.hears("Your age is 30.")
        friend.say("／名字　Li Lei")
        assert friend.hears("Your name is Li Lei.")
        friend.say("/age 200")
        assert friend.hears("200 is no age.")


def test_errors_are_explained_to_the_owner_and_not_to_a_friend(
    sandbox: Sandbox, account: PhoneUser, friend: PhoneUser
) -> None:
    with sandbox.running(load("commands").bot):
        account.say("/age ten")
        assert account.hears("age: 'ten' is not a whole number.\n/age <age>")
        account.say("/help")
        assert account.hears(
            "/age <age>: Store your age.\n/name <name…>: Store your name.\n"
            "/help [command…]: List the commands, or describe one."
        )
        friend.say("/age ten")
        friend.say("/help")
        assert friend.hears_nothing()


def test_further_chats_are_named_by_a_variable(
    sandbox: Sandbox, friend: PhoneUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMANDS_ALLOW", friend.nickname)
    with sandbox.running(load("commands").bot):
        friend.say("/age")
        assert friend.hears("age is missing.\n/age <age>")
