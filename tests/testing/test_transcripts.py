"""Transcripts: a chat as text, compared with a file that an option of pytest writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webwx import Bot, TextMessage
from webwx.testing.transcripts import TranscriptDiffers, TranscriptFiles

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.bot.context import Context
    from webwx.testing import Chatroom, PhoneUser, Sandbox


@pytest.fixture
def bot() -> Bot:
    bot = Bot()

    @bot.on(TextMessage)
    async def repeat(ctx: Context, message: TextMessage) -> None:
        await ctx.reply(f"{message.text}\n{message.text}")

    return bot


def test_transcript_has_a_line_for_each_message(bot: Bot, sandbox: Sandbox, friend: PhoneUser) -> None:
    with sandbox.running(bot):
        friend.say("hello")
        friend.hears("hello\nhello")
        friend.file(b"x", "a.txt")
        friend.picture()
    friend.say("wrong")
    friend.recall()
    sandbox.account.picture(to=friend)
    assert friend.transcript() == (
        "阿华: hello\n小明: hello\n  hello\n阿华: [file] a.txt\n阿华: [image]\n阿华: wrong (recalled)\n小明: [image]\n"
    )


def test_chat_that_equals_the_file_passes(
    bot: Bot, sandbox: Sandbox, friend: PhoneUser, chatroom: Chatroom, tmp_path: Path
) -> None:
    with sandbox.running(bot):
        friend.say("hello")
        friend.say("all", to=chatroom)
        writing, comparing = (TranscriptFiles(tmp_path, friend, is_updating=each) for each in (True, False))
        for files in (writing, comparing):
            files("chat.txt")
            files("deep/room.txt", chat=chatroom)
            files("own.txt", phone=sandbox.account, chat=friend)
    assert (tmp_path / "chat.txt").read_bytes().decode() == "阿华: hello\n小明: hello\n  hello\n"
    assert (tmp_path / "own.txt").read_text("utf-8") == (tmp_path / "chat.txt").read_text("utf-8")
    assert "阿华: all" in (tmp_path / "deep" / "room.txt").read_text("utf-8")


def test_difference_is_shown_line_by_line(bot: Bot, sandbox: Sandbox, friend: PhoneUser, tmp_path: Path) -> None:
    (tmp_path / "chat.txt").write_text("阿华: hello\n小明: good day\n", encoding="utf-8")
    with sandbox.running(bot):
        friend.say("hello")
        with pytest.raises(TranscriptDiffers) as caught:
            TranscriptFiles(tmp_path, friend, is_updating=False)("chat.txt")
    lines = str(caught.value).splitlines()
    assert lines[0] == "The chat differs from chat.txt; 'pytest --update-transcripts' accepts it:"
    assert "-小明: good day" in lines
    assert "+小明: hello" in lines
    assert " 阿华: hello" in lines


def test_file_that_does_not_exist_is_not_written_without_the_option(
    bot: Bot, sandbox: Sandbox, friend: PhoneUser, tmp_path: Path
) -> None:
    with sandbox.running(bot):
        friend.say("hello")
        with pytest.raises(
            TranscriptDiffers, match=r"chat\.txt does not exist; 'pytest --update-transcripts' writes it"
        ):
            TranscriptFiles(tmp_path, friend, is_updating=False)("chat.txt")
    assert list(tmp_path.iterdir()) == []
