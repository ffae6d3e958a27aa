"""`webwx journal`: the file that keeps what was said and sent."""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.history import DATED, people_in
from webwx.cli.messages import clock_time, describe
from webwx.cli.names import complete_chats, whom
from webwx.cli.options import example_text, with_common_options
from webwx.cli.output import printable_json
from webwx.cli.session import Session, command
from webwx.cli.times import EXAMPLES, Moment
from webwx.model.serialization import to_builtins
from webwx.protocol.codec import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALL_SENDS = 2**62


@with_common_options
@click.group(
    "journal",
    epilog=example_text(
        "webwx journal stats",
        "webwx journal export -o all.jsonl",
        "webwx journal purge --before 30d",
        "webwx journal dead",
    ),
)
def journal() -> None:
    """
    Count, export, back up and delete what was said and sent.

    It lies beside the saved login, readable by you alone, and outlives a logout. What came more than 90 days ago is
    deleted; 'retention_days' in the configuration says otherwise.
    """


@command("stats", group=journal, examples=("webwx journal stats --json",))
async def stats(session: Session) -> None:
    """Count what there is."""
    from webwx.storage.base import SendQuery

    _require_journal(session)
    async with session.journal_to_read() as opened:
        parts = [opened.account(uin) for uin in await opened.accounts()]
        counted = [await part.stats() for part in parts]
        sends = Counter([send.state for part in parts for send in await part.outbox.find(SendQuery(limit=_ALL_SENDS))])
    total = {
        name: sum(getattr(each, name) for each in counted)
        for name in ("entries", "batches", "quarantined", "conflicts", "dead_letters", "kept", "kept_size")
    }
    size = counted[0].size if counted else 0
    session.output.result(
        [
            f"{total['entries']:,} events in {total['batches']:,} batches, {size / 1_000_000:,.1f} MB in "
            f"{session.settings.journal_path}",
            f"{total['quarantined']:,} could not be read, {total['conflicts']:,} came with another one's id, "
            f"{total['dead_letters']:,} were given up by a handler",
            f"{total['kept']:,} messages with their media, {total['kept_size'] / 1_000_000:,.1f} MB",
            f"{sends.total():,} sends: {', '.join(f'{count:,} {state}' for state, count in sends.items()) or 'none'}",
        ],
        path=str(session.settings.journal_path), size=size, **total, sends=dict(sends),
    )  # fmt: skip


@command(
    "purge",
    group=journal,
    examples=(
        "webwx journal purge --before 30d",
        "webwx journal purge --chat 阿华 --before 2026-01-01",
        "webwx journal purge --media",
        "webwx journal purge --all --yes",
    ),
)
@click.option("--before", type=Moment(), help=f"Delete what is older: {EXAMPLES}.")
@click.option("--chat", metavar="CHAT", shell_complete=complete_chats, help="Delete what was said in this chat only.")
@click.option("--media", is_flag=True, help="Delete the media that were kept as they arrived, and no message.")
@click.option("--all", "is_all", is_flag=True, help="Delete the whole journal, and where its readers were.")
@click.option("--yes", is_flag=True, help="Do not ask.")
async def purge(session: Session, before: float | None, chat: str | None, media: bool, is_all: bool, yes: bool) -> None:
    """
    Delete what was said and sent, for good.

    Nothing is deleted on the phone or at the platform. A reader that had not come so far is told that something is
    missing. Media that were kept as they arrived go with their messages; --media deletes them alone.
    """
    if media and (is_all or chat):
        raise click.UsageError("Give --media alone, or with --before TIME")
    if not media and is_all == bool(before or chat):
        raise click.UsageError("Give --before TIME, --chat CHAT or both; or --media; or --all")
    _require_journal(session)
    if is_all:
        _confirm("Delete the whole journal, for good?", yes=yes)
        async with session.journal() as opened:
            await opened.delete()
        session.output.result("The journal is deleted.", deleted=True)
        return
    if media:
        async with session.reading(in_place=True) as client:
            count = await client.purge_kept(before=before or 0)
        session.output.result(f"What {count:,} messages showed is deleted, for good.", purged=count)
        return
    async with session.reading(in_place=True) as client:
        count = await client.purge_history(whom(chat) if chat else None, before=before or 0)
    session.output.result(f"{count:,} deleted, for good.", purged=count)


@command("export", group=journal, examples=("webwx journal export -o all.jsonl", "webwx journal export | jq -r .text"))
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write to this new file, readable by you alone.  [default: stdout]",
)  # fmt: skip
async def export(session: Session, path: Path | None) -> None:
    """
    Write everything as JSON, one event on each line, the oldest first.

    The events come as 'webwx listen --json' has them, then the sends as 'webwx outbox --json' has those, but for such
    as came back as events.
    """
    _require_journal(session)
    count = 0
    async with session.reading() as client:
        with _written(path) as file:
            async for thing in client.export_history():
                count += 1
                if file is None:
                    session.output.document(thing)
                else:
                    file.write(f"{printable_json(thing)}\n")
    if path is not None:
        session.output.result(f"{count:,} lines are in {path}.", path=str(path), lines=count)


@command("backup", group=journal, examples=("webwx journal backup journal-$(date +%F).db",))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
async def backup(session: Session, file: Path) -> None:
    """
    Copy the journal as it is now into the new FILE.

    'webwx listen' may go on meanwhile. Put in place of the journal, a copy is one. Media that were kept as they arrived
    lie in a folder beside the journal, which is not copied.
    """
    _require_journal(session)
    async with session.journal_to_read() as opened:
        await opened.backup(file)
    session.output.result(f"The journal is copied to {file}.", path=str(file))


_consumer = click.option(
    "--consumer", metavar="NAME", default="bot", show_default=True, help="Whose handler has given it up."
)


@command("dead", group=journal, examples=("webwx journal dead", "webwx journal dead --consumer archive --json"))
@_consumer
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", default=50, show_default=True, help="The newest N at most."
)
async def dead(session: Session, consumer: str, limit: int) -> None:
    """
    List what a bot's handler has failed at for good, the newest first.

    Each line has the event's number, what it is, and why it was given up: the kind of the error and where it was
    raised. The bot may be running meanwhile.
    """
    _require_journal(session)
    async with session.reading() as client:
        letters = await client.list_dead_letters(consumer=clean_text(consumer), limit=limit)
        people = await client.find_people({each for letter in letters for each in people_in(letter.event)})
        for letter in letters:
            what = describe(letter.event, people, DATED)
            times = f"{letter.attempts} attempt{'' if letter.attempts == 1 else 's'}"
            why = f"given up {clock_time(letter.time, DATED)} after {times}: {letter.error}"
            number = letter.event.number
            session.output.line(f"{number:>6}  {what}  [{why}]", {"number": number, **to_builtins(letter)})
    if not letters:
        session.output.remark(f"The handler of {consumer!r} has given nothing up.")


@command("revive", group=journal, examples=("webwx journal revive 1207",))
@click.argument("number", type=click.IntRange(min=1))
@_consumer
async def revive(session: Session, number: int, consumer: str) -> None:
    """
    Have an event handled once more that was given up.

    A bot that is running gets it within seconds; one that is not, when it starts. It has one attempt.
    """
    _require_journal(session)
    async with session.reading(in_place=True) as client:
        if not await client.revive(number, consumer=clean_text(consumer)):
            raise BadInput(
                f"The handler of {consumer!r} has given up no event {number}; 'webwx journal dead' lists them."
            )
    session.output.result(f"Event {number} is handled once more.", revived=True, number=number)


def _require_journal(session: Session) -> None:
    """Make sure that there is a journal: whoever only looks must not make one."""
    if not session.settings.journal_path.exists():
        raise CommandFailed("There is no journal yet; it begins with 'webwx login'.")


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise BadInput("Nobody is there to be asked; give --yes if that is what you want.")
    if not click.confirm(question, err=True):
        raise CommandFailed("Nothing was deleted.")


@contextmanager
def _written(path: Path | None) -> Iterator[TextIO | None]:
    """Open a new file for its owner alone; it is gone again when not all of it could be written."""
    if path is None:
        yield None
        return
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadInput(f"{str(path)!r} is there already; name a new file.") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
