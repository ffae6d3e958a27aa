"""
The offline checker: it compares the messages of a server, the content of a journal and the calls of a handler.

It reads the files that each side wrote during the run, in one folder: `said.jsonl` and `answered.jsonl` of the server,
`handler.jsonl` of the bot, around each call of its handler, and `marks.jsonl` of the harness, after each end of the
bot. It reads the journal's tables with SQLite or the driver of PostgreSQL itself, not with the code that wrote them.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Self

S = TypeVar("S", bound=msgspec.Struct)

JOURNAL, SAID, ANSWERED, CALLS, MARKS = (
    "me.journal",
    "said.jsonl",
    "answered.jsonl",
    "handler.jsonl",
    "marks.jsonl",
)
"""The files of a folder."""

STORAGE = "storage"
"""File with the URL of the database that holds the journal in place of `me.journal`."""

SHOWN = 3
"""Number of message ids that a finding names."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A message that the server delivers, in the order of delivery."""

    message_id: str
    chat: str


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that reached the server."""

    message_id: str
    to: str
    """Id of the answered message."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a handler's call."""

    what: Literal["called", "done", "gap"]
    """Time of the record: before the work, after it, or at a gap."""
    pid: int
    number: int
    """Number of the entry in the journal."""
    message_id: str
    attempt: int
    redelivered: bool
    answer: str = ""
    """Id of the answer; `unknown` if the outcome is unknown."""
    seen: int = -1
    """Number of earlier messages of the chat, by the state that the handler saw; -1 without a state."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The entries that the journal had stored as acknowledged when a process had ended."""

    calls: int
    """Number of the handler's lines until then."""
    acked: int
    """All entries up to this number are acknowledged."""
    ahead: frozenset[int]
    """Further acknowledged entries."""

    def has(self, number: int) -> bool:
        """Return whether an entry was acknowledged."""
        return number <= self.acked or number in self.ahead


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The findings as figures. All fields after `answers` must be 0 or empty."""

    said: int
    """Messages that the server delivered."""
    handled: int
    """Messages whose handler ended."""
    calls: int
    came_again: int
    """Calls that were not the first for their message, and were marked as redelivered."""
    answers: int
    """Answers that reached the server."""
    in_doubt: int
    """Answers with an unknown outcome, which were not sent again."""
    problems: tuple[str, ...]
    """One sentence for each violation."""

    @property
    def is_good(self) -> bool:
        """Return whether no message was lost, and none handled twice without a mark."""
        return not self.problems

    def __str__(self) -> str:
        text = f"{self.said:,} messages, {self.handled:,} handled"
        if self.answers or self.in_doubt:
            text += f", {self.answers:,} answered"
            text += f" ({self.in_doubt:,} in doubt and not repeated)" if self.in_doubt else ""
        text += f"; {self.came_again:,} came again and said so"
        return f"{text}; {'; '.join(self.problems) or '0 lost, 0 doubled, 0 out of order'}"


class Notebook:
    """
    A file of lines, each appended by one system call.

    A kill may truncate the last line at the end of a page of the file. Then the next process begins a new line, and the
    truncated line does not count: its work had not been done.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")

    def note(self, line: msgspec.Struct) -> None:
        """Append a line."""
        os.write(self._file, msgspec.json.encode(line) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


class Progress:
    """The progress of a handler while it runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / CALLS
        self._read_to = 0
        self._handled: set[str] = set()
        self._numbers: set[int] = set()

    def handled(self) -> int:
        """Return the number of messages whose handler has ended."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read_to)
                whole = file.read().rpartition(b"\n")[0]  # The last line may be incomplete.
            self._read_to += len(whole) + bool(whole)
            calls = [msgspec.json.decode(line, type=Call) for line in _whole_lines(whole)]
            self._handled.update(call.message_id for call in calls if call.what == "done")
            self._numbers.update(call.number for call in calls if call.what == "done")
        return len(self._handled)

    def is_stored(self, consumer: str = "bot") -> bool:
        """
        Return whether the journal has stored all handled entries as acknowledged.

        A kill may happen between the two. Then the entry is delivered again, and acknowledged afterwards.
        """
        self.handled()
        stored = _stored(self._folder, consumer)
        return all(stored.has(number) for number in self._numbers)


def mark(folder: Path, consumer: str = "bot") -> Mark:
    """Read the acknowledged entries after the process has ended, and add them to the folder's marks."""
    made = _stored(folder, consumer)
    with Notebook(folder / MARKS) as notebook:
        notebook.note(made)
    return made


def _stored(folder: Path, consumer: str) -> Mark:
    calls = _count_lines(folder / CALLS)
    acked, ahead = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    if _has_tables(folder):
        acked, ahead = _rows(
            folder,
            f"SELECT acked FROM consumers WHERE name = '{consumer}'",
            f"SELECT number FROM acked_ahead JOIN consumers USING (consumer) WHERE name = '{consumer}'",
        )
    return Mark(calls=calls, acked=acked[0][0] if acked else 0, ahead=frozenset(number for (number,) in ahead))


def check(folder: Path) -> Verdict:
    """
    Compare all files of a folder.

    The bot must have ended, and its last mark must be stored.
    """
    said, answered = _read(folder / SAID, Said), _read(folder / ANSWERED, Answered)
    calls, marks = _read(folder / CALLS, Call), _read(folder / MARKS, Mark)
    done = [call for call in calls if call.what == "done"]
    begun = [call for call in calls if call.what == "called"]
    first_calls = {call.message_id: call for call in reversed(begun)}
    again = [call for call in begun if call is not first_calls[call.message_id]]
    problems = (
        *_compare_journal(folder, said, done, marks),
        *_found("lost", _missing(said, done)),
        *_found("never sent", sorted({call.message_id for call in begun} - {each.message_id for each in said})),
        *_found("delivered twice without a mark", [call.message_id for call in again if not _says_so(call)]),
        *_found("delivered twice to one process", _twice((call.message_id, call.pid) for call in begun)),
        *_found("delivered again after its acknowledgement", _after_their_end(calls, marks)),
        *_found("out of order", _out_of_order(said, first_calls)),
        *_found("reported as a gap", [str(call.number) for call in calls if call.what == "gap"]),
        *_found("answered twice", _twice((each.to, "") for each in answered)),
        *_found("falsely called sent", _falsely_sent(done, answered)),
    )  # fmt: skip
    answers = {call.message_id: call.answer for call in done if call.answer}
    return Verdict(
        said=len(said),
        handled=len({call.message_id for call in done}),
        calls=len(begun),
        came_again=sum(_says_so(call) for call in again),
        answers=len({each.to for each in answered}),
        in_doubt=sum(answer == "unknown" for answer in answers.values()),
        problems=problems,
    )


def check_states(folder: Path) -> tuple[str, tuple[str, ...]]:
    """
    Compare the states of a bot that counts the messages of each chat; return the figures and the problems.

    Every call for the n-th message of a chat must see the count n, also when the message is redelivered, and at the end
    the state of each chat counts all of its messages.
    """
    said, calls = _read(folder / SAID, Said), _read(folder / CALLS, Call)
    places: dict[str, int] = {}
    totals: Counter[str] = Counter()
    for each in said:
        places[each.message_id] = totals[each.chat]
        totals[each.chat] += 1
    wrong = [call.message_id for call in calls if call.what != "gap" and call.seen != places.get(call.message_id)]
    with closing(_open(folder)) as db:
        rows = [msgspec.json.decode(values) for (values,) in db.execute("SELECT content FROM conversations")]
    counted = {row["last"]: row["count"] for row in rows}
    last = {each.chat: each.message_id for each in said}
    missing = [chat for chat, total in totals.items() if counted.get(last[chat]) != total]
    problems = (
        *_found("handled with the state of another message", wrong),
        *_found("chats whose state does not count each message once", missing),
    )
    return f"{len(counted)} states count {sum(counted.values()):,} messages", problems


# -- the journal -----------------------------------------------------------------------------------------------------


def _open(folder: Path) -> sqlite3.Connection:
    """Open the journal for reading; neither its bytes nor the traces of a kill are changed."""
    try:
        return sqlite3.connect(f"{(folder / JOURNAL).absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise RuntimeError(f"The journal in {folder} cannot be opened: {error}.") from None


def _has_tables(folder: Path) -> bool:
    """Return whether the bot has run long enough to create its journal."""
    if (folder / STORAGE).exists():
        [[(has_tables,)]] = _rows(folder, "SELECT to_regclass('consumers') IS NOT NULL")
        return bool(has_tables)
    if not (folder / JOURNAL).exists():
        return False
    with closing(_open(folder)) as db:
        return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'consumers'").fetchone() is not None


def _rows(folder: Path, *queries: str) -> list[list[tuple[Any, ...]]]:
    """Return the rows of queries, all of one moment."""
    place = folder / STORAGE
    if place.exists():
        with ThreadPoolExecutor() as threads:  # the caller may be in an event loop
            return threads.submit(asyncio.run, _rows_of_database(place.read_text(), *queries)).result()
    with closing(_open(folder)) as db:
        db.execute("BEGIN")
        return [db.execute(query).fetchall() for query in queries]


async def _rows_of_database(url: str, *queries: str) -> list[list[tuple[Any, ...]]]:
    import asyncpg  # only here, because most runs need no database

    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return [[tuple(row) for row in await connection.fetch(query)] for query in queries]
    finally:
        await connection.close()


def _compare_journal(folder: Path, said: list[Said], done: list[Call], marks: list[Mark]) -> Iterable[str]:
    if not (folder / STORAGE).exists():
        [[(state,)]] = _rows(folder, "PRAGMA integrity_check")
        if state != "ok":
            yield f"the journal is damaged: {state}"
    rows, [(dead,)], sends = _rows(
        folder,
        "SELECT number, message_id FROM entries ORDER BY number",
        "SELECT count(*) FROM failures WHERE state = 'dead'",
        "SELECT client_id FROM outbox WHERE state IN ('queued', 'sending') ORDER BY number",
    )
    numbers = {message_id: number for number, message_id in reversed(rows)}
    yield from _found("not stored", [each.message_id for each in said if each.message_id not in numbers])
    wanted = {each.message_id for each in said}
    yield from _found("stored twice", _twice((message_id, "") for _, message_id in rows if message_id in wanted))
    yield from _found("delivered with another number than stored", _misnumbered(done, numbers))
    yield from _found("sends without a final state", [client_id for (client_id,) in sends])
    if dead:
        yield f"{dead:,} given up"
    if marks:
        last = marks[-1]
        yield from _found("done, and not stored as such", [c.message_id for c in done if not last.has(c.number)])


def _misnumbered(calls: list[Call], numbers: dict[str, int]) -> list[str]:
    return [call.message_id for call in calls if numbers.get(call.message_id) != call.number]


# -- the handler -----------------------------------------------------------------------------------------------------


def _says_so(call: Call) -> bool:
    return call.redelivered and call.attempt > 1


def _missing(said: list[Said], done: list[Call]) -> list[str]:
    handled = {call.message_id for call in done}
    return [each.message_id for each in said if each.message_id not in handled]


def _twice(pairs: Iterable[tuple[str, object]]) -> list[str]:
    return [name for (name, _), times in Counter(pairs).items() if times > 1]


def _after_their_end(calls: list[Call], marks: list[Mark]) -> list[str]:
    """Yield calls for entries that an earlier process had stored as acknowledged."""
    found = []
    ends = iter(marks)
    mark, following = Mark(calls=0, acked=0, ahead=frozenset()), next(ends, None)
    for at, call in enumerate(calls):
        while following is not None and at >= following.calls:
            mark, following = following, next(ends, None)
        if call.what == "called" and mark.has(call.number):
            found.append(call.message_id)
    return found


def _out_of_order(said: list[Said], first_calls: dict[str, Call]) -> list[str]:
    """Yield calls that came before an earlier message of the same chat was handled."""
    places = {each.message_id: place for place, each in enumerate(said)}
    chats = {each.message_id: each.chat for each in said}
    last: dict[str, int] = {}
    found = []
    for message_id in reversed(first_calls):  # The list was filled from the end.
        if message_id not in places:
            continue
        chat, place = chats[message_id], places[message_id]
        if place < last.get(chat, -1):
            found.append(message_id)
        last[chat] = max(place, last.get(chat, -1))
    return found


def _falsely_sent(done: list[Call], answered: list[Answered]) -> list[str]:
    known = {each.message_id for each in answered} | {"", "unknown"}
    return [call.answer for call in done if call.answer not in known]


# -- figures ---------------------------------------------------------------------------------------------------------


def _found(what: str, ids: Sequence[str]) -> tuple[str, ...]:
    if not ids:
        return ()
    more = ", …" if len(ids) > SHOWN else ""
    return (f"{len(ids):,} {what} ({', '.join(ids[:SHOWN])}{more})",)


def _count_lines(path: Path) -> int:
    return len(_whole_lines(path.read_bytes().rpartition(b"\n")[0])) if path.exists() else 0


def _whole_lines(content: bytes) -> list[bytes]:
    """Return the complete lines; each is a JSON object without nested objects."""
    return [line for line in content.splitlines() if line.endswith(b"}")]


def _read(path: Path, kind: type[S]) -> list[S]:
    """Read the lines of a file, except a last line that a kill truncated."""
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [msgspec.json.decode(line, type=kind) for line in _whole_lines(whole)]
