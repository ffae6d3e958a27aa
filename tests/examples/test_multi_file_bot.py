"""The bot of several files runs by `webwx run`, and each of its routers gets its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.examples.conftest import Start

    from webwx.testing import PhoneUser


def test_both_routers_answer(friend: PhoneUser, start: Start) -> None:
    with start("multi_file_bot/bot") as process:
        friend.say("/start")
        assert friend.hears(f"Hello, {friend.nickname}!")
        friend.say("again")
        assert friend.hears("again")
        friend.picture()
        assert friend.hears(kind="image")
        assert process.end() == 0
