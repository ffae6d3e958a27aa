"""`webwx cluster`: the workers of a database that several machines share."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from webwx.cli.columns import columns
from webwx.cli.exits import BadInput
from webwx.cli.options import example_text, with_common_options
from webwx.cli.session import Session, command

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.storage.leases import Leases, WorkerRow


@with_common_options
@click.group(
    "cluster",
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
    """Show the workers, the accounts of each, and the accounts without a worker."""
    async with _leases(session) as leases:
        workers, accounts = await leases.workers(), await leases.accounts()
    wanted = [each for each in accounts if each.is_wanted]
    free = sum(each.worker is None for each in wanted)
    counts = {
        "accounts": len(accounts), "owned": len(wanted) - free, "free": free,
        "logged_out": len(accounts) - len(wanted), "takeovers": sum(each.epoch - 1 for each in accounts),
    }  # fmt: skip
    if session.output.as_json:
        for each in workers:
            session.output.document({"event": "worker", "state": _state(each), **_fields(each)})
        session.output.document({"event": "accounts", **counts})
        return
    rows = [("WORKER", "STATE", "ACCOUNTS", "CAPACITY", "ADDRESS")]
    rows += [(each.worker, _state(each), f"{each.accounts:,}", f"{each.capacity:,}", each.address) for each in workers]
    session.output.line(
        [
            *(columns(rows) if workers else ["There is no worker."]),
            f"{counts['accounts']:,} accounts: {counts['owned']:,} owned, {counts['free']:,} without a worker, "
            f"{counts['logged_out']:,} logged out.",
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
        "expires_in": round(worker.expires_in, 3),
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
            reason = "several workers have ids that begin" if found else "no worker has an id that begins"
            raise BadInput(f"{reason.capitalize()} with {worker!r}; see 'webwx cluster status'.")
        await leases.drain(found[0])
    session.output.result(f"Worker {found[0]} hands its accounts over.", worker=found[0])


@command("reset", group=cluster, examples=("webwx cluster reset --yes",))
@click.option("--yes", is_flag=True, help="Required, because running workers stop their accounts.")
async def reset(session: Session, yes: bool) -> None:
    """
    Remove all workers and refuse their later writes.

    Needed after a failover to an asynchronous standby, which may lack the last takeovers: stop all workers, reset, and
    start them again. Also frees the accounts of dead workers, to use them without workers.
    """
    if not yes:
        raise BadInput("Running workers stop all their accounts for a moment; pass --yes to reset them.")
    async with _leases(session) as leases:
        count = await leases.reset()
    session.output.result(f"{count:,} accounts have no worker now.", accounts=count)
