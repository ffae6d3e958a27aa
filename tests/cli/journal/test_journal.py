"""`webwx journal`: counting, exporting, copying and purging."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest
from tests.cli.messages.test_history import kept
from tests.storage.damage import damage

from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Sandbox, Shell


def test_entries_are_counted(me: Shell, sandbox: Sandbox) -> None:
    kept(me, sandbox, "one")
    me.run("send", "阿华", "two")
    line = me.run("journal", "stats", "--json").line
    assert line["path"] == str(me.settings.journal_path)
    assert line["entries"] >= 1
    assert (line["quarantined"], line["conflicts"], line["sends"]) == (0, 0, {"sent": 1})
    assert "1 sends: 1 sent" in me.run("journal", "stats").stdout


def test_an_export_is_complete(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    kept(me, sandbox, "one", "\x9fcontrol")
    me.run("send", "阿华", "three")
    texts = [line.get("text") for line in me.run("journal", "export").lines]
    assert [text for text in texts if text] == ["one", "\x9fcontrol", "three"]
    file = tmp_path / "all.jsonl"
    done = me.run("journal", "export", "-o", str(file), "--json")
    assert done.line == {"path": str(file), "lines": len(texts)}
    assert [json.loads(line).get("text") for line in file.read_text().splitlines()] == texts
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = me.run("journal", "export", "-o", str(file))
    assert (again.code, len(file.read_text().splitlines())) == (2, len(texts))


def test_a_damaged_batch_costs_its_own_messages_only(me: Shell, sandbox: Sandbox) -> None:
    first, second, third = (kept(me, sandbox, text)[0] for text in ("one", "two", "three"))
    sound = me.run("journal", "check")
    assert (sound.code, sound.stdout.partition(" ")[2]) == (0, "batches can be read\n")
    damage(me.settings.journal_path, second)

    for command in (("history", "--json"), ("journal", "export")):
        shown = {line.get("number"): line["type"] for line in me.run(*command).lines}
        assert (shown[first], shown[second], shown[third]) == ("message.text", "message.quarantined", "message.text")
    assert [line["text"] for line in me.run("search", "three", "--json").lines] == ["three"]

    found = me.run("journal", "check", "--json")
    assert (found.code, found.lines[0]["unreadable"], found.lines[0]["damaged"][0]["number"]) == (1, 1, second)
    assert f"1 events from {second} on" in me.run("journal", "check").stdout
    assert "DAMAGED: 1 events cannot be read" in me.run("doctor").stdout


def test_a_backup_is_a_journal(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    kept(me, sandbox, "one")
    copy = tmp_path / "copy"
    assert me.run("journal", "backup", str(copy), "--json").line == {"path": str(copy)}
    assert me.run("journal", "backup", str(copy)).code == 1
    assert me.run("journal", "purge", "--all", "--yes").code == 0
    copy.rename(me.settings.journal_path)
    assert me.run("history", "--json").line["text"] == "one"


def test_a_journal_that_cannot_be_opened_in_place_is_counted_and_copied(
    me: Shell, sandbox: Sandbox, tmp_path: Path
) -> None:
    kept(me, sandbox, "one")
    path = me.settings.journal_path
    counted = me.run("journal", "stats", "--json").line
    log = path.with_name(f"{path.name}-wal")
    log.symlink_to("nowhere/log")  # SQLite cannot create the log, as on a full or read-only disk.
    done = me.run("journal", "stats", "--json")
    assert done.line | {"size": 0} == counted | {"size": 0}
    assert done.sentence.endswith("Reading a copy of it.")
    copy = tmp_path / "copy"
    assert me.run("journal", "backup", str(copy)).code == 0
    log.unlink()
    copy.rename(path)
    assert me.run("history", "--json").line["text"] == "one"


def test_a_purge_deletes_by_age_or_by_chat(me: Shell, sandbox: Sandbox) -> None:
    kept(me, sandbox, "geheim")
    sandbox.say("张三", "me", "stays")
    me.run("listen", "--count", "1")
    assert me.run("journal", "purge", "--before", "1d", "--json").line == {"purged": 0}
    assert me.run("journal", "purge", "--chat", "阿华", "--json").line == {"purged": 1}
    said = [line.get("text") for line in me.run("history", "--json").lines]
    assert "geheim" not in said
    assert said[-1] == "stays"


def give_up(shell: Shell, number: int, consumer: str = "bot") -> None:
    """Make a bot fail at an event until it gives it up."""

    async def work() -> None:
        journal = SqliteJournal(shell.settings.journal_path)
        (uin,) = await journal.accounts()
        reader = await journal.account(uin).consumer(consumer, since="beginning")
        for entry in await reader.take():
            if entry.number == number:
                await reader.failed(number, "ValueError at bot.py:3")
                await reader.give_up(number, "ValueError at bot.py:3")
            else:
                reader.ack(entry.number)
        await journal.close()

    asyncio.run(work())


def test_a_dead_letter_is_listed_and_retried(me: Shell, sandbox: Sandbox) -> None:
    (number,) = kept(me, sandbox, "poison \x1b[31m")
    assert me.run("journal", "dead", "--consumer", "bot").stderr == "Consumer 'bot' has no dead letters.\n"
    give_up(me, number)
    line = me.run("journal", "dead", "--consumer", "bot", "--json").line
    assert (line["number"], line["consumer"], line["attempts"]) == (number, "bot", 1)
    assert (line["error"], line["event"]["text"]) == ("ValueError at bot.py:3", "poison \x1b[31m")
    shown = me.run("journal", "dead", "--consumer", "bot").stdout
    assert "阿华: poison" in shown
    assert "after 1 attempt: ValueError at bot.py:3]" in shown
    assert "\x1b" not in shown
    assert "1 were given up by a handler" in me.run("journal", "stats").stdout
    assert me.run("journal", "dead", "--consumer", "archive").stdout == ""

    assert me.run("journal", "revive", str(number), "--consumer", "archive").code == 2
    assert me.run("journal", "revive", str(number), "--json").line == {"revived": True, "number": number}
    again = me.run("journal", "revive", str(number))
    assert (again.code, "'webwx journal dead' lists them" in again.stderr) == (2, True)
    assert me.run("journal", "dead", "--consumer", "bot").stdout == ""


def test_without_a_name_the_consumers_with_dead_letters_are_listed(me: Shell, sandbox: Sandbox) -> None:
    (number,) = kept(me, sandbox, "poison")
    assert me.run("journal", "dead").stderr == "No consumer has dead letters.\n"
    give_up(me, number, "my \x1b bot")
    assert me.run("journal", "dead").stdout == (
        "my \\x1b bot  1 dead letter; webwx journal dead --consumer 'my \\x1b bot' lists them\n"
    )
    line = me.run("journal", "dead", "--json").line
    assert (line["name"], line["dead_letters"]) == ("my \x1b bot", 1)


def test_a_consumer_is_listed_and_deleted(me: Shell, sandbox: Sandbox) -> None:
    (number,) = kept(me, sandbox, "poison")
    give_up(me, number, "old \x1b[31m bot")
    listed = {line["name"]: line for line in me.run("journal", "consumers", "--json").lines}
    assert listed["old \x1b[31m bot"]["dead_letters"] == 1
    assert listed["old \x1b[31m bot"]["waiting"] == 0
    shown = me.run("journal", "consumers").stdout
    assert "0 waiting, 1 given up" in shown
    assert "\x1b" not in shown
    assert me.run("journal", "forget", "old \x1b[31m bot").code == 2
    done = me.run("journal", "forget", "old \x1b[31m bot", "--yes", "--json")
    assert done.line == {"deleted": True, "consumer": "old \x1b[31m bot"}
    again = me.run("journal", "forget", "old \x1b[31m bot", "--yes")
    assert (again.code, "'webwx journal consumers' lists them" in again.stderr) == (2, True)
    assert "dead" not in me.run("journal", "dead", "--consumer", "old \x1b[31m bot").stdout


def test_a_journal_is_deleted_when_no_process_uses_it(me: Shell, sandbox: Sandbox) -> None:
    kept(me, sandbox, "geheim")
    with me.start("listen", "--json") as listening:
        sandbox.say("阿华", "me", "while it runs")
        listening.stdout.readline()
        busy = me.run("journal", "purge", "--all", "--yes")
        listening.terminate()
    assert (busy.code, me.settings.journal_path.exists()) == (3, True)

    refused = me.run("journal", "purge", "--all")
    assert (refused.code, me.settings.journal_path.exists()) == (2, True)
    assert "--yes" in refused.sentence

    assert me.run("journal", "purge", "--all", "--yes", "--json").line == {"deleted": True}
    left = [path.name for path in me.settings.journal_path.parent.iterdir() if ".journal" in path.name]
    assert left == []
    sandbox.say("阿华", "me", "and on it goes")
    assert me.run("listen", "--json", "--count", "1").line["text"] == "and on it goes"


def test_a_purge_can_make_the_file_smaller(me: Shell, sandbox: Sandbox) -> None:
    kept(me, sandbox, *("x" * 1_500 for _ in range(50)))
    before = me.settings.journal_path.stat().st_size
    done = me.run("journal", "purge", "--before", "2100-01-01", "--compact", "--json")
    assert (done.lines[0]["purged"] >= 50, done.lines[1]["freed"] > 0) == (True, True)
    assert before - done.lines[1]["freed"] == me.settings.journal_path.stat().st_size
    assert me.run("journal", "purge", "--compact").stdout == "The file is 0.0 MB smaller.\n"

    with contextlib.closing(sqlite3.connect(me.settings.journal_path)) as other:
        other.execute("SELECT count(*) FROM entries").fetchall()
        assert me.run("journal", "purge", "--compact").code == 0
        other.execute("PRAGMA auto_vacuum = NONE")  # as in a file of an earlier version
        other.execute("VACUUM")
        refused = me.run("journal", "purge", "--compact")
    assert (refused.code, "end it first" in refused.sentence) == (3, True)


@pytest.mark.parametrize(
    "options", [[], ["--all", "--chat", "阿华"], ["--all", "--before", "1d"], ["--all", "--compact"]]
)
def test_a_purge_needs_a_condition(me: Shell, options: list[str]) -> None:
    assert me.run("journal", "purge", "--yes", *options).code == 2


@pytest.mark.parametrize(
    "verb",
    [["stats"], ["check"], ["export"], ["backup", "copy"], ["purge", "--all", "--yes"], ["dead"], ["revive", "1"]],
)
def test_without_a_journal_no_journal_is_created(shell: Shell, verb: list[str]) -> None:
    done = shell.run("journal", *verb)
    assert done.code == 1
    assert "webwx login" in done.sentence
    assert not shell.settings.journal_path.exists()


def test_the_retention_days_are_configured(me: Shell, sandbox: Sandbox) -> None:
    kept(me, sandbox, "one")
    with sqlite3.connect(me.settings.journal_path) as db:
        db.execute("UPDATE batches SET time = time - 86400 * 40")
    db.close()
    kept(me, sandbox, "two")
    assert [line["text"] for line in me.run("history", "--json").lines] == ["one", "two"]
    # An idle writer deletes old entries; `listen` is idle most of the time.
    with me.start("listen", "--json", WEBWX_RETENTION_DAYS="30") as listening:
        seen = [[line.get("text") for line in me.run("history", "--json").lines]]
        while "one" in seen[-1] and len(seen) < 30:
            seen.append([line.get("text") for line in me.run("history", "--json").lines])
        listening.terminate()
    assert seen[-1] == [None, "two"]  # `receive` had not read it, so it gets a gap.
