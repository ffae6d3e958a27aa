"""The middleware of the example counts the messages of each chat once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.examples.conftest import load

if TYPE_CHECKING:
    from webwx.testing import PhoneUser, Sandbox


def test_messages_of_each_chat_are_counted(sandbox: Sandbox, friend: PhoneUser) -> None:
    other = sandbox.person("李雷")
    with sandbox.running(load("middleware").bot):
        friend.say("hello")
        friend.picture()
        friend.say("count")
        assert friend.hears("Message number 3.")
        other.say("count")
        assert other.hears("Message number 1.")
        friend.say("count")
        assert friend.hears("Message number 4.")
