"""`webwx journal`: the stored messages and sends, in a file or a database."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
import msgspec

from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.help_pages import CliGroup
from webwx.cli.journal.journal_copy import copy, import_journal
from webwx.cli.language import _, ngettext
from webwx.cli.messages.history import DATED, people_in
from webwx.cli.messages.shown_events import describe
from webwx.cli.names import complete_chats, whom
from webwx.cli.options import example_text, limit_option, with_common_options
from webwx.cli.output import printable, printable_json
from webwx.cli.progress import shown_progress, shown_rows
from webwx.cli.session import Session, command
from webwx.cli.times import EXAMPLES, Moment, clock_time
from webwx.cli.words import word
from webwx.model.serialization import to_builtins
from webwx.protocol.codec import clean_text
from webwx.storage.database_url import describe_database
from webwx.storage.open import check_up, open_journal_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINES_A_STEP = 1_000
"""Number of exported lines after which the progress is shown."""

_ALL_SENDS = 2**62

_MB = 1_000_000


@with_common_options
@click.group(
    "journal",
    cls=CliGroup,
    epilog=example_text(
        "webwx journal stats",
        "webwx journal check",
        "webwx journal export -o all.jsonl",
        "webwx journal purge --before 30d",
        "webwx journal dead",
    ),
)
def journal() -> None:
    """
    Count, check, export, copy, back up and delete stored messages.

    The journal is a file beside the saved login, readable only by you, or part of a PostgreSQL database ('storage' in
    the configuration). It remains after a logout. Messages are deleted after 90 days; 'retention_days' changes that.
    """


@command("stats", group=journal, examples=("webwx journal stats --json",))
async def stats(session: Session) -> None:
    """Show the size and the contents of the journal."""
    from webwx.storage.tables.outbox import SendQuery

    await _require_journal(session)
    settings = session.settings
    async with session.journal_to_read() as opened:
        parts = [opened.account(uin) for uin in await opened.accounts()]
        counted = [await part.stats() for part in parts]
        sends = Counter([send.state for part in parts for send in await part.outbox.find(SendQuery(limit=_ALL_SENDS))])
    total = {
        name: sum(getattr(each, name) for each in counted)
        for name in ("entries", "batches", "quarantined", "conflicts", "dead_letters", "kept", "kept_size")
    }
    size = counted[0].size if counted else 0
    place = settings.storage and describe_database(settings.storage)
    session.output.result(
        [
            _("{entries:,} events in {batches:,} batches, {size:,.1f} MB in {place}").format(
                entries=total["entries"],
                batches=total["batches"],
                size=size / _MB,
                place=place or settings.journal_path,
            ),
            _(
                "{quarantined:,} could not be read, {conflicts:,} came with another one's id, {dead_letters:,} were "
                "given up by a handler"
            ).format_map(total),
            _("{kept:,} messages with their media, {kept_size:,.1f} MB").format(
                kept=total["kept"], kept_size=total["kept_size"] / _MB
            ),
            _("{count:,} sends: {states}").format(
                count=sends.total(),
                states=", ".join(f"{count:,} {word(state)}" for state, count in sends.items()) or _("none"),
            ),
        ],
        path=None if place else str(settings.journal_path), database=place, size=size, **total, sends=dict(sends),
    )  # fmt: skip


@command("check", group=journal, examples=("webwx journal check", "webwx journal check --json"))
async def check(session: Session) -> None:
    """
    Check that everything in the journal can be read.

    Lists the events whose stored bytes are damaged, for example by a failing disk. Such an event is delivered as
    unreadable; all others are not affected. The exit code is 1 if there is damage.
    """
    await _require_journal(session)
    settings = session.settings
    is_sound = bool(settings.storage) or check_up(settings.journal_path).is_sound
    async with session.journal_to_read() as opened:
        checks = [await opened.account(uin).check_bodies() for uin in await opened.accounts()]
    damaged = [batch for check in checks for batch in check.damaged]
    count = sum(batch.entries for batch in damaged)
    lines = [
        _("{entries:,} events from {number} on, stored {time}, cannot be read").format(
            entries=batch.entries, number=batch.number, time=clock_time(batch.time, DATED)
        )
        for batch in damaged
    ]
    if not is_sound:
        lines.append(_("SQLite finds damage in the file"))
    if not lines:
        lines.append(_("{count:,} batches can be read").format(count=sum(check.batches for check in checks)))
    session.output.result(
        lines, batches=sum(check.batches for check in checks), unreadable=count, damaged=damaged, file_is_sound=is_sound
    )
    if not is_sound:
        raise CommandFailed(_("The file is damaged; save what is in it with 'webwx journal export'."))
    if damaged:
        raise CommandFailed(_("{count:,} events cannot be read; a backup may still have them.").format(count=count))


@command(
    "purge",
    group=journal,
    examples=(
        "webwx journal purge --before 30d",
        "webwx journal purge --chat 阿华 --before 2026-01-01",
        "webwx journal purge --before 30d --compact",
        "webwx journal purge --media",
        "webwx journal purge --all --yes",
    ),
)
@click.option("--before", type=Moment(), help=f"Delete messages before TIME: {EXAMPLES}.")
@click.option("--chat", metavar="CHAT", shell_complete=complete_chats, help="Delete messages of this chat.")
@click.option("--media", is_flag=True, help="Delete archived media, but no messages.")
@click.option("--all", "is_all", is_flag=True, help="Delete the whole journal with its consumers.")
@click.option("--compact", is_flag=True, help="Make the file smaller afterwards.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
async def purge(
    session: Session, before: float | None, chat: str | None, media: bool, is_all: bool, compact: bool, yes: bool
) -> None:
    """
    Delete stored messages and sends permanently.

    Deletes nothing on the phone or on the platform. A consumer that has not read the deleted messages gets an
    event about the gap. Deleting messages also deletes their archived media; --media deletes only the media.

    A running bot goes on meanwhile, and uses the free space of the file again. --compact, also without another option,
    gives it back to the disk; for a file of an earlier version, the first time, no other process may use it.
    """
    if media and (is_all or chat):
        raise click.UsageError(_("Pass --media alone or with --before TIME"))
    has_condition = bool(before or chat)
    if (not media and (is_all and (has_condition or compact))) or not (media or is_all or has_condition or compact):
        raise click.UsageError(_("Pass --before TIME, --chat CHAT, --media, --compact or --all"))
    if compact:
        session.require_file(
            _("PostgreSQL uses free space again, and 'VACUUM FULL' by its administrator gives it back")
        )
    await _require_journal(session)
    if is_all:
        _confirm(_("Delete the whole journal permanently?"), yes=yes)
        async with session.storage() as storage:
            await storage.delete_journal(session.settings.login_name)
        session.output.result(_("The journal is deleted."), deleted=True)
        return
    if media:
        async with session.reading(in_place=True) as client:
            count = await client.purge_kept(before=before or 0)
        session.output.result(
            _("The archived media of {count:,} messages are deleted permanently.").format(count=count), purged=count
        )
    elif has_condition:
        async with session.reading(in_place=True) as client:
            count = await client.purge_history(whom(chat) if chat else None, before=before or 0)
        session.output.result(_("{count:,} deleted permanently.").format(count=count), purged=count)
    if compact:
        freed = await open_journal_file(session.settings.journal_path, retention_days=0).compact()
        session.output.result(_("The file is {freed:,.1f} MB smaller.").format(freed=freed / 1000000), freed=freed)


@command("export", group=journal, examples=("webwx journal export -o all.jsonl", "webwx journal export | jq -r .text"))
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="New file to write, readable only by you.  [default: stdout]",
)  # fmt: skip
async def export(session: Session, path: Path | None) -> None:
    """
    Export the journal as JSON, one event per line, oldest first.

    Prints events as 'webwx listen --json' does, then sends as 'webwx outbox --json' does, except sends that came back
    as events.
    """
    await _require_journal(session)
    count = 0
    is_counted = path is not None or session.output.screen.width is None  # else the lines themselves are seen
    async with session.reading() as client:
        with _written(path) as file, shown_rows() as show:
            async for thing in client.export_history():
                count += 1
                if file is None:
                    session.output.document(thing)
                else:
                    file.write(f"{printable_json(thing)}\n")
                if is_counted and count % _LINES_A_STEP == 0:
                    show(_("lines"), count)
    if path is not None:
        session.output.result(
            _("{count:,} lines are in {path}.").format(count=count, path=path), path=str(path), lines=count
        )


@command("backup", group=journal, examples=("webwx journal backup journal-$(date +%F).db",))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
async def backup(session: Session, file: Path) -> None:
    """
    Copy the journal into the new file FILE.

    'webwx listen' may keep running. To restore a copy, put it in place of the journal. Archived media lie in a folder
    beside the journal and are not copied.
    """
    session.require_file(_("back up the database with 'pg_dump', or continuously"))
    await _require_journal(session)
    async with session.file_to_read() as opened:
        with shown_progress(file.name) as report:
            await opened.backup(file, report)
    session.output.result(_("The journal is copied to {file}.").format(file=file), path=str(file))


journal.add_command(import_journal)
journal.add_command(copy)


_consumer = click.option(
    "--consumer", metavar="NAME", default="bot", show_default=True, help="Name of the bot's consumer."
)


@command("dead", group=journal, examples=("webwx journal dead", "webwx journal dead --consumer bot --json"))
@click.option("--consumer", metavar="NAME", help="Name of the bot's consumer.  [default: list the consumers]")
@limit_option
async def dead(session: Session, consumer: str | None, limit: int) -> None:
    """
    List the dead letters of a bot, newest first.

    A dead letter is an event whose handler failed in every attempt. Without --consumer, lists the consumers that have
    dead letters, with their numbers. With it, each line shows the event's number, its content, and the error and where
    it was raised. The bot may be running.
    """
    await _require_journal(session)
    if consumer is None:
        await _list_failing(session)
        return
    async with session.reading() as client:
        letters = await client.list_dead_letters(consumer=clean_text(consumer), limit=limit)
        people = await client.find_people({each for letter in letters for each in people_in(letter.event)})
        for letter in letters:
            what = describe(letter.event, people, DATED)
            times = ngettext("{count} attempt", "{count} attempts", letter.attempts).format(count=letter.attempts)
            why = _("given up {time} after {times}: {error}").format(
                time=clock_time(letter.time, DATED), times=times, error=letter.error
            )
            number = letter.event.number
            session.output.line(f"{number:>6}  {what}  [{why}]", {"number": number, **to_builtins(letter)})
    if not letters:
        session.output.remark(_("Consumer {consumer!r} has no dead letters.").format(consumer=consumer))


async def _list_failing(session: Session) -> None:
    """Print the consumers that have dead letters."""
    async with session.reading() as client:
        failing = [each for each in await client.list_consumers() if each.dead_letters]
    for each in failing:
        count = ngettext("{count:,} dead letter", "{count:,} dead letters", each.dead_letters).format(
            count=each.dead_letters
        )
        shown = f"webwx journal dead --consumer {shlex.quote(printable(each.name))}"
        session.output.line(
            _("{name}  {count}; {shown} lists them").format(name=printable(each.name), count=count, shown=shown),
            msgspec.structs.asdict(each),
        )
    if not failing:
        session.output.remark(_("No consumer has dead letters."))


@command("revive", group=journal, examples=("webwx journal revive 1207",))
@click.argument("number", type=click.IntRange(min=1))
@_consumer
async def revive(session: Session, number: int, consumer: str) -> None:
    """
    Handle a dead letter again.

    A running bot gets the event within seconds, a stopped bot at its next start. The bot makes one attempt.
    """
    await _require_journal(session)
    async with session.reading(in_place=True) as client:
        if not await client.revive(number, consumer=clean_text(consumer)):
            raise BadInput(
                _("Consumer {consumer!r} has no dead letter {number}; 'webwx journal dead' lists them.").format(
                    consumer=consumer, number=number
                )
            )
    session.output.result(_("Event {number} will be handled again.").format(number=number), revived=True, number=number)


@command("consumers", group=journal, examples=("webwx journal consumers --json",))
async def consumers(session: Session) -> None:
    """
    List the readers of the journal, with their positions.

    Each bot, each webhook of the gateway, 'listen' and 'receive' have a consumer of their own.
    """
    await _require_journal(session)
    async with session.reading() as client:
        for each in await client.list_consumers():
            letters = (
                _(", {dead_letters:,} given up").format(dead_letters=each.dead_letters) if each.dead_letters else ""
            )
            line = _("{name}  up to {acked:,}, {waiting:,} waiting{letters}").format(
                name=printable(each.name), acked=each.acked, waiting=each.waiting, letters=letters
            )
            session.output.line(line, msgspec.structs.asdict(each))


@command("forget", group=journal, examples=("webwx journal forget old-bot", "webwx journal forget old-bot --yes"))
@click.argument("consumer")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
async def forget(session: Session, consumer: str, yes: bool) -> None:
    """
    Delete a consumer that is not used any more.

    Its position, its dead letters and the state of its conversations are deleted; messages stay. A bot that runs under
    this name later begins with new messages.
    """
    await _require_journal(session)
    _confirm(_("Delete the position and the dead letters of {consumer!r}?").format(consumer=consumer), yes=yes)
    async with session.reading(in_place=True) as client:
        if not await client.forget_consumer(clean_text(consumer)):
            raise BadInput(
                _("There is no consumer {consumer!r}; 'webwx journal consumers' lists them.").format(consumer=consumer)
            )
    session.output.result(
        _("Deleted the consumer {consumer!r}.").format(consumer=consumer), deleted=True, consumer=consumer
    )


async def _require_journal(session: Session) -> None:
    """Raise if there is no journal, so that a command that only reads does not create one."""
    await session.choose_account()
    async with session.storage() as storage:
        has_journal = await storage.has_journal(session.settings.login_name)
    if not has_journal:
        raise CommandFailed(_("There is no journal yet; run 'webwx login' first."))


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise BadInput(_("stdin is not a terminal; pass --yes to delete."))
    if not click.confirm(question, err=True):
        raise CommandFailed(_("Nothing was deleted."))


@contextmanager
def _written(path: Path | None) -> Iterator[TextIO | None]:
    """Open a new file that only its owner can read; delete it if it cannot be written completely."""
    if path is None:
        yield None
        return
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadInput(_("{path!r} already exists; pass a new file.").format(path=str(path))) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
