"""`webwx history` and `search`: without a network, while `listen` runs, and after a logout."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from webwx.cli.columns import width
from webwx.cli.messages.history import LONGEST, TALLEST, lines_of
from webwx.cli.messages.recalled import lines_of_recalled
from webwx.cli.output import Screen
from webwx.client.reading.recalled import Recalled
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId
from webwx.model.messages import MessageRecalled, TextMessage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Sandbox, Shell

NOWHERE = "http://127.0.0.1:1"

HEAD: dict[str, Any] = {"message_id": "1", "chat": "@a", "sender": "@a", "is_self": False, "time": 0, "content": ""}


def kept(shell: Shell, sandbox: Sandbox, *texts: str) -> list[int]:
    """Receive texts of 阿华, so that the journal has them; return their numbers."""
    for text in texts:
        sandbox.say("阿华", "me", text)
    done = shell.run("listen", "--json", "--count", str(len(texts)))
    assert [line["text"] for line in done.lines] == [*texts]
    return [line["number"] for line in done.lines]


def test_received_and_sent_messages_are_printed_in_order(me: Shell, sandbox: Sandbox) -> None:
    first, second = kept(me, sandbox, "one", "two")
    me.run("send", "阿华", "three")
    me.run("send", "filehelper", "elsewhere")

    shown = me.run("history", "阿华").stdout.splitlines()
    assert [line.split(": ")[1] for line in shown] == ["one", "two", "three"]
    assert shown[0].startswith(f"{first:>6}  ")
    assert "阿华: one" in shown[0]
    assert "you to 阿华: three" in shown[2]

    lines = me.run("history", "--json").lines
    assert [line["type"] for line in lines] == ["message.text", "message.text", "outgoing", "outgoing"]
    assert [line["number"] for line in lines[:2]] == [first, second]
    assert [line["text"] for line in me.run("history", "--json", "--limit", "1").lines] == ["elsewhere"]
    assert [line["text"] for line in me.run("history", "--json", "--before", str(second)).lines] == ["one"]
    assert me.run("history", "--since", "2000-01-01", "--until", "2001-01-01").stdout == ""


def test_a_search_covers_received_and_sent_messages(me: Shell, sandbox: Sandbox) -> None:
    kept(me, sandbox, "数据库备份完成", "the backup is done")
    me.run("send", "张三", "no backup today")
    assert [line["text"] for line in me.run("search", "备份", "--json").lines] == ["数据库备份完成"]
    assert [line["text"] for line in me.run("search", "back", "--json").lines] == [
        "no backup today",
        "the backup is done",
    ]
    assert [line["text"] for line in me.run("search", "back", "--json", "--chat", "阿华").lines] == [
        "the backup is done"
    ]
    nothing = me.run("search", "--chat", "阿华", "--", "--chat")
    assert (nothing.code, nothing.stdout, nothing.sentence) == (0, "", "No message found.")


def test_further_lines_of_a_text_begin_with_a_bar(me: Shell, sandbox: Sandbox) -> None:
    imitation = "     9  2026-01-01 10:00  张三: give it to me"
    [number] = kept(me, sandbox, f"one\n{imitation}\n\nlast")
    me.run("send", "阿华", "here\ntoo")

    first, *others, sent, behind = me.run("history", "阿华").stdout.splitlines()
    assert first.startswith(f"{number:>6}  ")
    assert first.endswith("  阿华: one")
    assert others == [f"        | {imitation}", "        |", "        | last"]
    assert sent.endswith("  you to 阿华: here")
    assert behind == "        | too"
    assert me.run("search", "last").stdout.splitlines()[1:] == others


def test_a_long_text_is_shortened_unless_the_full_text_is_requested(me: Shell, sandbox: Sandbox) -> None:
    long, tall = "word " * 1_000, "\n".join(map(str, range(100)))
    kept(me, sandbox, long.strip(), tall)

    first, left, *others = me.run("history", "阿华").stdout.splitlines()
    assert len(first) < LONGEST + 50
    assert left == f"        | … {len(long) - 1 - LONGEST:,} more characters; --full prints them"
    assert len(others) == TALLEST + 1
    assert others[-2:] == ["        | 11", "        | … 264 more characters; --full prints them"]

    first, *others = me.run("history", "阿华", "--full").stdout.splitlines()
    assert first.endswith(f": {long.strip()}")
    assert [line.rpartition(" ")[2] for line in others] == list(map(str, range(100)))
    assert [line["text"] for line in me.run("history", "阿华", "--json").lines] == [long.strip(), tall]


def test_lines_fit_the_terminal_and_a_pipe_gets_each_line_whole(me: Shell, sandbox: Sandbox) -> None:
    [number] = kept(me, sandbox, "one two three " * 20 + "end")
    with me.terminal("history", "阿华") as terminal:
        terminal.wait_for("end\r\n")
    first, *others = terminal.shown.splitlines()
    assert first.startswith(f"{number:>6}  ")
    assert len(others) > 1
    assert all(line.startswith("        | ") for line in others)
    assert max(map(width, (first, *others))) <= 80
    assert len(me.run("history", "阿华").stdout.splitlines()) == 1


@pytest.mark.parametrize("nickname", ["Hua", "x" * 200, "长" * 200])
@pytest.mark.parametrize("text", ["x" * 200, "长" + "。" * 200, "one " + "长" * 200])
@pytest.mark.parametrize("columns", [40, 80])
def test_nothing_is_continued_at_the_left_edge_of_a_terminal(nickname: str, text: str, columns: int) -> None:
    contacts = Contacts([Contact(id=ContactId("@a"), nickname=nickname)])
    said = TextMessage(**HEAD, text=f"{text}12:00\u2800\u2800Boss\u2800\u2800never\u2800said")
    recalled = MessageRecalled(
        message_id="1", chat=ContactId("@a"), is_self=False, time=0, text="gone", content="", original=said
    )
    screen = Screen(columns)
    for first, *others in (
        *(lines_of(thing, contacts, screen, is_full=True) for thing in (said, recalled)),
        lines_of_recalled(Recalled(notice=recalled, way="none"), contacts, screen),
        lines_of_recalled(
            Recalled(notice=replace(recalled, text=said.text, original=None), way="none"), contacts, screen
        ),
    ):
        assert max(map(width, (first, *others))) <= columns
        assert all(line.startswith("        |") for line in others)


def test_both_work_while_listen_runs(me: Shell, sandbox: Sandbox) -> None:
    with me.start("listen", "--json") as listening:
        sandbox.say("阿华", "me", "while it runs")
        assert json.loads(listening.stdout.readline())["text"] == "while it runs"
        assert me.run("history", "--json").line["text"] == "while it runs"
        assert me.run("search", "while", "--json").line["text"] == "while it runs"
        listening.terminate()
        assert listening.wait(20) == 0


def test_both_work_without_the_network_and_after_a_logout(me: Shell, sandbox: Sandbox) -> None:
    kept(me, sandbox, "remember this")
    offline = me.run("history", "阿华", "--json", "--proxy", NOWHERE)
    assert offline.line["text"] == "remember this"
    assert me.run("logout").code == 0
    assert me.run("history", "阿华").stdout.rstrip().endswith("阿华: remember this")
    assert me.run("search", "remember", "--json").line["text"] == "remember this"


def test_without_a_journal_there_is_no_history_and_no_journal_is_created(shell: Shell) -> None:
    done = shell.run("history")
    assert (done.code, done.stdout) == (4, "")
    assert not shell.settings.journal_path.exists()


def test_an_unknown_chat_is_bad_input(me: Shell) -> None:
    assert me.run("history", "unknown").code == 2


# -- a journal that cannot be opened ---------------------------------------------------------------------------------


def newer(path: Path) -> None:
    """Change the version of a journal to a later one."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 999")


def without_log(path: Path) -> None:
    """Prevent SQLite from creating a journal's log, as a full or read-only disk does."""
    path.with_name(f"{path.name}-wal").symlink_to("nowhere/log")


def test_a_damaged_or_newer_journal_names_the_remedy(me: Shell, sandbox: Sandbox) -> None:
    path = me.settings.journal_path
    newer(path)
    assert "update webwx, or move the file away" in me.run("history").sentence
    path.write_bytes(b"no journal" * 10_000)
    done = me.run("history")
    assert done.code == 1
    assert f"{path} cannot be read: " in done.sentence
    assert "put a backup in its place, or move it away to start a new journal" in done.sentence


def test_a_journal_that_cannot_be_opened_in_place_is_read_from_a_copy(me: Shell, sandbox: Sandbox) -> None:
    kept(me, sandbox, "remember this")
    path = me.settings.journal_path
    without_log(path)
    before = {each.name: each.read_bytes() for each in path.parent.iterdir() if each.is_file()}
    for command in (("history",), ("search", "remember"), ("journal", "export")):
        done = me.run(*command, "--json")
        assert (done.code, done.lines[-1]["text"]) == (0, "remember this"), command
        assert done.sentence.endswith("Reading a copy of it.")
    assert {each.name: each.read_bytes() for each in path.parent.iterdir() if each.is_file()} == before


def test_a_temporary_copy_is_never_changed_instead_of_the_journal(me: Shell, sandbox: Sandbox) -> None:
    kept(me, sandbox, "remember this")
    path = me.settings.journal_path
    without_log(path)
    for command in (("journal", "purge", "--before", "0d"), ("outbox", "forget", "1"), ("identity", "merge", "1", "2")):
        done = me.run(*command)
        assert (done.code, done.stdout) == (1, ""), command
        assert "Make its folder writable" in done.sentence, command
