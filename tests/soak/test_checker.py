"""The offline checker: a valid run passes, and each violation is found."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.soak.checker import (
    ANSWERED,
    CALLS,
    JOURNAL,
    MARKS,
    SAID,
    Answered,
    Call,
    Mark,
    Notebook,
    Progress,
    Said,
    Verdict,
    check,
    check_states,
    mark,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


TABLES = """
CREATE TABLE entries (number INTEGER PRIMARY KEY, message_id TEXT);
CREATE TABLE failures (state TEXT);
CREATE TABLE consumers (consumer INTEGER PRIMARY KEY, name TEXT, acked INTEGER);
CREATE TABLE acked_ahead (consumer INTEGER, number INTEGER);
CREATE TABLE outbox (number INTEGER PRIMARY KEY, client_id TEXT, state TEXT);
"""


class Story:
    """Three messages that were sent, stored, handled and acknowledged; a test changes one record."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = [Said(message_id=id_, chat=chat) for id_, chat in (("a", "x"), ("b", "x"), ("c", "y"))]
        self.stored = [(1, "a"), (2, "b"), (3, "c")]
        self.calls = [self.call(what, number) for number in (1, 2, 3) for what in ("called", "done")]
        self.answered: list[Answered] = []
        self.marks = [Mark(calls=6, acked=3, ahead=frozenset())]
        self.dead = 0
        self.sends = [(1, "one", "sent"), (2, "two", "unknown"), (3, "three", "failed"), (4, "four", "recalled")]

    @staticmethod
    def call(what: Any, number: int, **fields: Any) -> Call:
        message_id = " abc"[number] if number < 4 else "z"
        given: dict[str, Any] = {
            "pid": 1,
            "number": number,
            "message_id": message_id,
            "attempt": 1,
            "redelivered": False,
        } | fields
        return Call(what=what, **given)

    def check(self) -> Verdict:
        files: dict[str, Iterable[msgspec.Struct]] = {
            SAID: self.said,
            ANSWERED: self.answered,
            CALLS: self.calls,
            MARKS: self.marks,
        }
        for name, lines in files.items():
            self._write(name, lines)
        with closing(sqlite3.connect(self.folder / JOURNAL)) as db:
            db.executescript(TABLES)
            db.executemany("INSERT INTO entries VALUES (?, ?)", self.stored)
            db.executemany("INSERT INTO failures VALUES (?)", [("dead",)] * self.dead)
            db.executemany("INSERT INTO outbox VALUES (?, ?, ?)", self.sends)
            db.execute("INSERT INTO consumers VALUES (1, 'bot', 2)")
            db.execute("INSERT INTO acked_ahead VALUES (1, 3)")
            db.commit()
        return check(self.folder)

    def _write(self, name: str, lines: Iterable[msgspec.Struct]) -> None:
        with Notebook(self.folder / name) as notebook:
            for line in lines:
                notebook.note(line)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_a_valid_run_passes(story: Story) -> None:
    verdict = story.check()
    assert verdict.is_good
    assert str(verdict) == "3 messages, 3 handled; 0 came again and said so; 0 lost, 0 doubled, 0 out of order"


def test_a_redelivered_message_is_counted_and_not_a_problem(story: Story) -> None:
    story.calls[2:3] = [story.call("called", 2), story.call("called", 2, pid=2, attempt=2, redelivered=True)]
    story.marks = [Mark(calls=3, acked=1, ahead=frozenset()), Mark(calls=7, acked=3, ahead=frozenset())]
    verdict = story.check()
    assert (verdict.problems, verdict.came_again, verdict.calls) == ((), 1, 4)


def test_answers_are_counted(story: Story) -> None:
    story.calls[1] = story.call("done", 1, answer="17")
    story.calls[3] = story.call("done", 2, answer="unknown")
    story.answered = [Answered(message_id="17", to="a")]
    assert "1 answered (1 in doubt and not repeated)" in str(story.check())


def lose(story: Story) -> None:
    del story.calls[4:]


def forget_to_store(story: Story) -> None:
    story.stored = story.stored[:2]


def store_twice(story: Story) -> None:
    story.stored.append((4, "a"))


def renumber(story: Story) -> None:
    story.stored = [(1, "b"), (2, "a"), (3, "c")]


def repeat_without_a_word(story: Story) -> None:
    story.calls.append(story.call("called", 1, pid=2))


def repeat_in_one_process(story: Story) -> None:
    story.calls.insert(1, story.call("called", 1, attempt=2, redelivered=True))


def repeat_what_is_done(story: Story) -> None:
    story.marks.insert(0, Mark(calls=2, acked=1, ahead=frozenset()))
    story.calls.insert(2, story.call("called", 1, pid=2, attempt=2, redelivered=True))


def repeat_what_is_done_ahead(story: Story) -> None:
    story.marks.insert(0, Mark(calls=2, acked=0, ahead=frozenset([1])))
    story.calls.insert(2, story.call("called", 1, pid=2, attempt=2, redelivered=True))


def swap(story: Story) -> None:
    story.calls = [*story.calls[2:4], *story.calls[:2], *story.calls[4:]]


def invent(story: Story) -> None:
    story.calls.append(story.call("called", 4))


def report_a_gap(story: Story) -> None:
    story.calls.append(story.call("gap", 4))


def give_up(story: Story) -> None:
    story.dead = 1


def leave_a_send_open(story: Story) -> None:
    story.sends.append((5, "five", "sending"))


def forget_that_it_is_done(story: Story) -> None:
    story.marks = [Mark(calls=6, acked=2, ahead=frozenset())]


def answer_twice(story: Story) -> None:
    story.answered = [Answered(message_id="17", to="a"), Answered(message_id="18", to="a")]


def lie_about_an_answer(story: Story) -> None:
    story.calls[1] = story.call("done", 1, answer="17")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lose, "1 lost (c)"),
        (forget_to_store, "1 not stored (c)"),
        (store_twice, "1 stored twice (a)"),
        (renumber, "2 delivered with another number than stored (a, b)"),
        (repeat_without_a_word, "1 delivered twice without a mark (a)"),
        (repeat_in_one_process, "1 delivered twice to one process (a)"),
        (repeat_what_is_done, "1 delivered again after its acknowledgement (a)"),
        (repeat_what_is_done_ahead, "1 delivered again after its acknowledgement (a)"),
        (swap, "1 out of order (a)"),
        (invent, "1 never sent (z)"),
        (report_a_gap, "1 reported as a gap (4)"),
        (give_up, "1 given up"),
        (leave_a_send_open, "1 sends without a final state (five)"),
        (forget_that_it_is_done, "1 done, and not stored as such (c)"),
        (answer_twice, "1 answered twice (a)"),
        (lie_about_an_answer, "1 falsely called sent (17)"),
    ],
)
def test_each_violation_is_found(story: Story, change: Any, problem: str) -> None:
    change(story)
    verdict = story.check()
    assert not verdict.is_good
    assert problem in verdict.problems
    assert problem in str(verdict)


def test_a_damaged_journal_is_found(story: Story) -> None:
    story.stored += [(number, f"{number}" * 50) for number in range(10, 500)]
    story.check()
    path = story.folder / JOURNAL
    content = bytearray(path.read_bytes())
    content[-2_000:] = bytes(2_000)
    path.write_bytes(content)
    assert any("damaged" in problem for problem in check(story.folder).problems)


def test_chats_have_no_order_among_each_other(story: Story) -> None:
    story.calls = [*story.calls[4:], *story.calls[:4]]
    assert story.check().is_good


def test_a_mark_equals_the_content_of_the_journal(story: Story) -> None:
    story.check()
    assert mark(story.folder) == Mark(calls=6, acked=2, ahead=frozenset([3]))


def test_a_bot_that_was_killed_before_it_created_its_journal_has_handled_nothing(tmp_path: Path) -> None:
    assert mark(tmp_path) == Mark(calls=0, acked=0, ahead=frozenset())
    (tmp_path / JOURNAL).touch()
    assert mark(tmp_path) == Mark(calls=0, acked=0, ahead=frozenset())


def test_a_handled_message_is_settled_once_the_journal_has_its_acknowledgement(story: Story) -> None:
    """A bot that was killed between the two has handled everything, but not stored the last acknowledgement."""
    story.check()
    progress = Progress(story.folder)
    assert progress.is_stored()
    with Notebook(story.folder / CALLS) as notebook:
        notebook.note(story.call("done", 4))
    assert not progress.is_stored()
    with closing(sqlite3.connect(story.folder / JOURNAL)) as db:
        db.execute("UPDATE consumers SET acked = 4")
        db.commit()
    assert progress.is_stored()


def test_progress_counts_whole_lines(story: Story) -> None:
    progress = Progress(story.folder)
    assert progress.handled() == 0
    story.check()
    path = story.folder / CALLS
    path.write_bytes(path.read_bytes() + b'{"what":"do')
    assert progress.handled() == 3
    path.write_bytes(path.read_bytes().removesuffix(b'{"what":"do'))
    with Notebook(path) as notebook:
        notebook.note(story.call("done", 4))
    assert progress.handled() == 4


def test_a_truncated_line_does_not_count_and_affects_no_other(story: Story) -> None:
    story.check()
    path = story.folder / CALLS
    path.write_bytes(path.read_bytes() + b'{"what":"ca')
    with Notebook(path) as notebook:
        notebook.note(story.call("called", 1, pid=2, attempt=2, redelivered=True))
    assert mark(story.folder).calls == 7
    assert check(story.folder).calls == 4


class TestStates:
    @staticmethod
    def states(story: Story, *rows: tuple[str, int]) -> tuple[str, tuple[str, ...]]:
        story.calls = [
            msgspec.structs.replace(call, seen=seen) for call, seen in zip(story.calls, (0, 0, 1, 1, 0, 0), strict=True)
        ]
        story.check()
        with closing(sqlite3.connect(story.folder / JOURNAL)) as db:
            db.execute("CREATE TABLE conversations (content BLOB)")
            db.executemany(
                "INSERT INTO conversations VALUES (?)",
                [(msgspec.json.encode({"last": last, "count": count}),) for last, count in rows],
            )
            db.commit()
        return check_states(story.folder)

    def test_each_chat_counts_each_of_its_messages(self, story: Story) -> None:
        assert self.states(story, ("b", 2), ("c", 1)) == ("2 states count 3 messages", ())

    @pytest.mark.parametrize("rows", [[("b", 1), ("c", 1)], [("b", 3), ("c", 1)], [("a", 2), ("c", 1)], [("b", 2)]])
    def test_a_chat_with_a_wrong_count_is_found(self, story: Story, rows: list[tuple[str, int]]) -> None:
        _, problems = self.states(story, *rows)
        assert [problem[:7] for problem in problems] == ["1 chats"]

    def test_a_call_with_the_state_of_another_message_is_found(self, story: Story) -> None:
        self.states(story, ("b", 2), ("c", 1))
        with Notebook(story.folder / CALLS) as notebook:
            notebook.note(story.call("called", 2, pid=2, attempt=2, redelivered=True, seen=2))
        _, problems = check_states(story.folder)
        assert problems == ("1 handled with the state of another message (b)",)
