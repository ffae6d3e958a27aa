"""`webwx cluster`: the workers of a database that several machines share."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from webwx.cli.columns import columns
from webwx.cli.exits import BadInput
from webwx.cli.help_pages import CliGroup
from webwx.cli.language import _, ngettext
from webwx.cli.options import example_text, with_common_options
from webwx.cli.session import Session, command
from webwx.cli.times import clock_time
from webwx.cli.words import word

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from typing import Any, TypeAlias

    from webwx.storage.leases import Leases, WorkerRow

    Work: TypeAlias = Callable[..., Coroutine[Any, Any, None]]


@with_common_options
@click.group(
    "cluster",
    cls=CliGroup,
    epilog=example_text(
        "webwx cluster status",
        "webwx cluster drain 3f9a1c2e",
    ),
)
def cluster() -> None:
    """
    Show and control the workers of a shared database.

    A worker is a running 'webwx worker'. The database is the one of --storage or WEBWX_STORAGE.
    """


@asynccontextmanager
async def _leases(session: Session) -> AsyncIterator[Leases]:
    from webwx.storage.open import open_leases

    leases = open_leases(session.require_database())
    try:
        yield leases
    finally:
        await leases.close()


@command("status", group=cluster, examples=("webwx cluster status --json",))
async def status(session: Session) -> None:
    """
    Show the workers, the accounts of each, and the accounts without a worker.

    LAG is the longest time that the event loop of the worker took to answer between the last two heartbeats, and BEHIND
    is the number of events that the slowest running bot, webhook or other open consumer of its accounts has left.
    """
    async with _leases(session) as leases:
        workers, accounts, behind = await leases.workers(), await leases.accounts(), await leases.consumer_lags()
    wanted = [each for each in accounts if each.is_wanted]
    free = sum(each.worker is None for each in wanted)
    counts = {
        "accounts": len(accounts), "owned": len(wanted) - free, "free": free,
        "logged_out": len(accounts) - len(wanted), "takeovers": sum(each.epoch - 1 for each in accounts),
    }  # fmt: skip
    if session.output.as_json:
        for each in workers:
            session.output.document(
                {"type": "worker", "state": _state(each), **_fields(each), "consumer_lag": behind.get(each.worker, 0)}
            )
        session.output.document({"type": "accounts", **counts})
        return
    rows = [
        (
            _("WORKER"), _("STATE"), _("ACCOUNTS"), _("CAPACITY"), _("LAG"), _("BEHIND"), _("FAILED BOTS"),
            _("ADDRESS"),
        )
    ]  # fmt: skip
    rows += [
        (
            each.worker, word(_state(each)), f"{each.accounts:,}", f"{each.capacity:,}", f"{each.loop_lag:.1f} s",
            f"{behind.get(each.worker, 0):,}", f"{each.failed_bots:,}", each.address,
        )
        for each in workers
    ]  # fmt: skip
    session.output.line(
        [
            *(columns(rows) if workers else [_("There is no worker.")]),
            ngettext(
                "{accounts:,} account: {owned:,} owned, {free:,} without a worker, {logged_out:,} logged out.",
                "{accounts:,} accounts: {owned:,} owned, {free:,} without a worker, {logged_out:,} logged out.",
                counts["accounts"],
            ).format(**counts),
        ],
        None,
    )


def _state(worker: WorkerRow) -> str:
    if worker.expires_in <= 0:
        return "dead"
    return "draining" if worker.is_draining else "alive"


def _fields(worker: WorkerRow) -> dict[str, object]:
    return {
        "worker": worker.worker, "address": worker.address, "accounts": worker.accounts, "capacity": worker.capacity,
        "expires_in": round(worker.expires_in, 3), "lease_age": round(worker.lease_age, 3),
        "loop_lag": round(worker.loop_lag, 3), "failed_bots": worker.failed_bots,
    }  # fmt: skip


@command("drain", group=cluster, examples=("webwx cluster drain 3f9a1c2e",))
@click.argument("worker")
async def drain(session: Session, worker: str) -> None:
    """
    Make WORKER hand over all its accounts and exit.

    WORKER is an id shown by 'webwx cluster status', or the beginning of one. Does not wait: the worker notices at its
    next heartbeat, and its running handlers have ten seconds to finish.
    """
    async with _leases(session) as leases:
        found = [each.worker for each in await leases.workers() if each.worker.startswith(worker)]
        if len(found) != 1:
            message = (
                _("Several workers have ids that begin with {worker!r}; see 'webwx cluster status'.")
                if found
                else _("No worker has an id that begins with {worker!r}; see 'webwx cluster status'.")
            )
            raise BadInput(message.format(worker=worker))
        await leases.drain(found[0])
    session.output.result(_("Worker {worker} hands its accounts over.").format(worker=found[0]), worker=found[0])


@command("reset", group=cluster, examples=("webwx cluster reset --yes", "webwx cluster reset --restored --yes"))
@click.option("--yes", is_flag=True, help="Required, because running workers stop their accounts.")
@click.option("--restored", is_flag=True, help="The database was restored to an earlier moment.")
async def reset(session: Session, yes: bool, restored: bool) -> None:
    """
    Remove all workers and refuse their later writes.

    Needed after a failover to an asynchronous standby, which may lack the last takeovers: stop all workers, reset, and
    start them again. Also frees the accounts of dead workers, to use them without workers.

    With --restored, for a database that was restored to an earlier moment, numbers also skip those that were assigned
    since, unfinished sends become 'unknown' and are listed, and events before the reset are held: no handler and no
    webhook gets them until 'webwx cluster release', because they may have been answered already.
    """
    if not yes:
        raise BadInput(_("Running workers stop all their accounts for a moment; pass --yes to reset them."))
    if restored:
        await _reset_restored(session)
        return
    async with _leases(session) as leases:
        count = await leases.reset()
    session.output.result(_("{count:,} accounts have no worker now.").format(count=count), accounts=count)


async def _reset_restored(session: Session) -> None:
    from webwx.gateway.accounts.numbers import AccountNumbers
    from webwx.gateway.adapters.mcp.command_agents import find_agents
    from webwx.gateway.adapters.programs import Programs
    from webwx.gateway.adapters.stored_confirmations import StoredConfirmations
    from webwx.storage.open import open_records, open_restored

    url = session.require_database()
    async with open_restored(url) as storage:
        done = await storage.reset()
        held = await storage.held()
    records = open_records(url)
    try:
        await AccountNumbers(records, time.time).skip_assigned()
        programs = {each.id for each in await Programs(records, time.time).find()}
        for program in programs | {each.id for each in await find_agents(records)}:
            await StoredConfirmations(records, time.time).end_open(program)
    finally:
        await records.close()
    for send in done.sends:
        when = clock_time(send.created_at, "%Y-%m-%d %H:%M")
        line = _("{account}  {number:>6}  {when}  {kind}, may or may not have been sent").format(
            account=send.account or "?", number=send.number, when=when, kind=word(send.kind)
        )
        session.output.line(f"{line}  [{send.key}]" if send.key else line, send)
    events, timers = sum(each.events for each in held), sum(each.timers for each in held)
    session.output.result(
        [
            _("{accounts:,} accounts have no worker now; {sends:,} sends are 'unknown'; {held} are "
"held.").format(accounts=done.accounts, sends=len(done.sends), held=_counted(events, timers)),
            _("Start the workers again, and decide about what is held: see 'webwx cluster held'."),
        ],
        accounts=done.accounts, sends=len(done.sends), events=events, timers=timers,
    )  # fmt: skip


@command("held", group=cluster, examples=("webwx cluster held",))
async def held(session: Session) -> None:
    """
    Count the events and timers that are held since a restore.

    Shows them for each account and consumer, such as a bot or a webhook.
    """
    from webwx.storage.open import open_restored

    async with open_restored(session.require_database()) as storage:
        found = await storage.held()
    if session.output.as_json:
        for each in found:
            session.output.document(each)
        return
    rows = [(_("ACCOUNT"), _("CONSUMER"), _("EVENTS"), _("TIMERS"))]
    rows += [(each.account or "?", each.consumer, f"{each.events:,}", f"{each.timers:,}") for each in found]
    session.output.line(columns(rows) if found else [_("Nothing is held.")], None)


def _with_filters(work: Work) -> Work:
    """Add the filters of held events to a command."""
    chosen = click.option("--consumer", metavar="NAME", default="", help="Only those of one consumer, such as a bot.")
    return click.argument("name", metavar="[ACCOUNT]", default="")(chosen(work))


@command("release", group=cluster, examples=("webwx cluster release", "webwx cluster release work --consumer bot"))
@_with_filters
async def release(session: Session, name: str, consumer: str) -> None:
    """
    Deliver the events that are held since a restore.

    Handlers and webhooks of ACCOUNT, or of all accounts, get them like revived dead letters, and timers that are held
    are called. Running processes notice within a minute. Without --consumer, holding ends for the accounts: events that
    arrive later are delivered, however old they are.
    """
    from webwx.storage.open import open_restored

    async with open_restored(session.require_database()) as storage:
        done = await storage.release(name, consumer)
    session.output.result(
        _("{what} are delivered.").format(what=_counted(done.events, done.timers)),
        events=done.events,
        timers=done.timers,
    )


@command("drop", group=cluster, examples=("webwx cluster drop --yes", "webwx cluster drop work --yes"))
@_with_filters
@click.option("--yes", is_flag=True, help="Required, because nothing handles these events any more.")
async def drop(session: Session, name: str, consumer: str, yes: bool) -> None:
    """
    Forget the events that are held since a restore.

    No handler and no webhook of ACCOUNT, or of all accounts, gets them; their messages stay in the history, and timers
    that are held are cancelled. Events before the reset that arrive later are still held.
    """
    from webwx.storage.open import open_restored

    if not yes:
        raise BadInput(_("Held events that are dropped are never handled; pass --yes to drop them."))
    async with open_restored(session.require_database()) as storage:
        done = await storage.drop(name, consumer)
    session.output.result(
        _("{what} are dropped.").format(what=_counted(done.events, done.timers)), events=done.events, timers=done.timers
    )


def _counted(events: int, timers: int) -> str:
    return _("{events:,} events and {timers:,} timers").format(events=events, timers=timers)
