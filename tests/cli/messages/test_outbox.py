"""`webwx outbox`, and sends that have a key."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from tests.key_cases import CASES

from webwx.cli.messages.consumers import RECEIVE
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path

from tests.cli.conftest import Sandbox, Shell


def add(shell: Shell, state: Any, text: str, *, kind: str = "text", key: str = "") -> int:
    """Store a send as a process that died during it does, and return its number."""

    async def add() -> int:
        journal = SqliteJournal(shell.settings.journal_path)
        outbox = journal.account((await journal.accounts())[0]).outbox
        row = await outbox.add(client_id=text, chat="filehelper", kind=kind, text=text, key=key, time=1.0)  # type: ignore[arg-type]  # an id
        if state != "queued":
            assert await outbox.sending(row.number, 2.0, row.chat)
            await outbox.settle(row.number, state, time=3.0)
        await journal.close()
        return row.number

    return asyncio.run(add())


def texts(sandbox: Sandbox) -> list[str]:
    """Return the texts of the chat; without a message there is no chat, and no text."""
    chats = [chat for chat in sandbox.control("inbox?who=me")["chats"] if chat["id"] == "filehelper"]
    return [message["text"] for chat in chats for message in chat["messages"]]


def test_sends_are_listed_with_their_state(me: Shell) -> None:
    me.run("send", "filehelper", "hello", "--key", "morning")
    add(me, "unknown", "perhaps")
    shown = me.run("outbox").stdout.splitlines()
    assert re.fullmatch(r"2  \S+ \S+  unknown  文件传输助手           perhaps", shown[0])
    assert re.fullmatch(r"1  \S+ \S+  sent     文件传输助手  morning  hello", shown[1])
    line = me.run("outbox", "--state", "unknown", "--json").line
    assert (line["type"], line["text"], line["state"], line["receipt"]) == ("outgoing", "perhaps", "unknown", None)
    assert [each["text"] for each in me.run("outbox", "--json", "--limit", "1").lines] == ["perhaps"]


def test_unknown_send_of_a_bot_is_listed_with_its_event(me: Shell) -> None:
    assert me.run("receive").code == 0
    add(me, "unknown", "perhaps", key=f"{RECEIVE}/7/answer/1")
    add(me, "unknown", "by hand", key="other/7/answer/1")
    add(me, "sent", "surely", key=f"{RECEIVE}/8/answer/1")
    shown = me.run("outbox").stdout.splitlines()
    assert ["for event 7" in line for line in shown] == [False, False, True]


def test_a_key_sends_once_in_several_processes(me: Shell, sandbox: Sandbox) -> None:
    before = texts(sandbox)
    first = me.run("send", "filehelper", "once", "--key", "daily", "--json")
    again = me.run("send", "filehelper", "once", "--key", "daily", "--json")
    assert (again.code, again.stdout) == (0, first.stdout)
    assert texts(sandbox) == [*before, "once"]
    assert "not sent again" in me.run("send", "filehelper", "once", "--key", "daily").stdout


def test_a_key_of_another_message_is_bad_input(me: Shell, tmp_path: Path) -> None:
    first = me.run("send", "Boss", "hello", "--key", "daily", "--json")
    for case in CASES.values():
        file = tmp_path / case.text
        file.write_text(case.text)
        content = (case.text,) if case.kind == "text" else ("--file", str(file))
        if case.event:  # the same in the process of each command, and tested in one (tests/gateway/test_key_reuse.py)
            continue
        again = me.run("send", case.to, *content, "--key", "daily", "--json")
        if case.is_same:
            assert again.line == first.line
        else:
            assert (again.code, again.stdout) == (2, "")
            assert "Use a new key" in again.error["message"]
    assert len(me.run("outbox", "--json").lines) == 1


def test_a_key_with_an_unknown_outcome_ends_with_7_and_sends_nothing(me: Shell, sandbox: Sandbox) -> None:
    number = add(me, "unknown", "perhaps", key="daily")
    before = texts(sandbox)
    done = me.run("send", "filehelper", "perhaps", "--key", "daily")
    assert (done.code, done.stdout) == (7, "")
    assert f"Send {number} of the outbox" in done.sentence
    assert texts(sandbox) == before
    assert me.run("outbox", "forget", str(number), "--json").line == {"forgotten": True, "number": number}
    assert me.run("send", "filehelper", "perhaps", "--key", "daily").code == 0
    assert texts(sandbox) == [*before, "perhaps"]


def test_a_retry_of_a_queued_send_keeps_its_client_id(me: Shell, sandbox: Sandbox) -> None:
    number = add(me, "queued", "17000000000000001")
    done = me.run("outbox", "retry", str(number), "--json")
    assert (done.code, done.line["client_id"]) == (0, "17000000000000001")
    assert texts(sandbox)[-1] == "17000000000000001"
    assert me.run("outbox", "retry", str(number), "--json").stdout == done.stdout
    assert me.run("outbox", "--json").line["state"] == "sent"
    assert texts(sandbox).count("17000000000000001") == 1


def test_a_retry_of_a_completed_send_is_refused_with_the_reason(me: Shell, sandbox: Sandbox) -> None:
    receipt = me.run("send", "filehelper", "only once", "--json").stdout
    number = str(me.run("outbox", "--json").line["number"])
    assert me.run("outbox", "retry", number).stdout == f"Send {number} was sent, and is not sent again.\n"
    assert me.run("outbox", "retry", number, "--json").stdout == receipt
    assert texts(sandbox).count("only once") == 1
    me.run("recall", number)
    assert me.run("outbox", "retry", number).stdout == f"Send {number} was recalled, and is not sent again.\n"
    assert "only once" not in texts(sandbox)


def test_an_impossible_retry_is_an_error_with_the_next_step(me: Shell) -> None:
    file = add(me, "queued", "report.pdf", kind="file", key="report")
    done = me.run("outbox", "retry", str(file))
    assert done.code == 2
    assert "same key" in done.sentence
    assert me.run("outbox", "retry", str(add(me, "unknown", "perhaps"))).code == 7
    assert me.run("outbox", "retry", "999").code == 2
    assert me.run("outbox", "forget", "999").code == 2


def test_an_empty_outbox_is_not_an_error(me: Shell) -> None:
    done = me.run("outbox")
    assert (done.code, done.stdout) == (0, "")
