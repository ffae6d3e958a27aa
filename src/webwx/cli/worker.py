"""
`webwx worker`: run accounts of a database that several machines share.

Each worker runs its share of the accounts; when it ends or dies, the others take its accounts.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import click

from webwx.cli.exits import BadInput
from webwx.cli.logs import configure_logging, log_format_option
from webwx.cli.option_values import Given
from webwx.cli.run import find_bots, split_target
from webwx.cli.session import Session, command

if TYPE_CHECKING:
    from webwx.bot.bot import Bot
    from webwx.model.login import Account

CAPACITY = 5_000
"""Number of accounts that a worker takes at most, by default."""


@command(
    "worker",
    endless=True,
    examples=(
        "webwx worker --storage postgresql://db.example/webwx",
        "webwx worker bot.py --capacity 200",
    ),
)
@click.option(
    "--capacity", type=click.IntRange(1), default=CAPACITY, show_default=True,
    help="Number of accounts that this worker takes at most; workers share the accounts in this proportion.",
)  # fmt: skip
@click.option(
    "--address", metavar="TEXT", help="Name of this worker in 'webwx cluster status'; default: the host name."
)
@click.option(
    "--lease", type=float, default=15.0, show_default=True, metavar="SECONDS",
    help="Time after which the accounts of a dead worker are taken; the same for all workers.",
)  # fmt: skip
@click.option(
    "--heartbeat", type=float, default=5.0, show_default=True, metavar="SECONDS",
    help="Time between two renewals of the lease; at most a third of it.",
)  # fmt: skip
@log_format_option
@click.argument("targets", metavar="[FILE[:NAME]]...", type=click.Path(), nargs=-1)
async def worker(
    session: Session, targets: tuple[str, ...], capacity: int, address: str | None, lease: float, heartbeat: float
) -> None:
    """
    Run accounts of a database that several machines share.

    Workers divide the accounts of the database among each other. Each keeps its accounts synced, and runs the bots of
    the files on them: a bot runs on the account that it names, or on every account. If a worker dies, the others take
    its accounts after the time of the lease. SIGTERM, Ctrl-C and 'webwx cluster drain' hand the accounts over: running
    handlers have ten seconds to finish, and the worker exits.
    """
    from webwx.cluster.leased import LeasedOwnership
    from webwx.cluster.saved_accounts import SavedAccounts
    from webwx.cluster.worker import ClusterWorker
    from webwx.storage.leases import LeaseTimes
    from webwx.storage.open import open_leases, open_shared_storage

    settings, given = session.settings, click.get_current_context().ensure_object(Given)
    times = LeaseTimes(lease=lease, heartbeat=heartbeat)
    leases = open_leases(session.require_database(), times)
    bots = find_bots(session, [split_target(target) for target in targets]) if targets else []
    _check(bots)
    configure_logging(is_debugging=False, is_verbose=given.verbose, log_format=given.log_format)
    ownership = LeasedOwnership(leases, times)
    storage = open_shared_storage(
        session.require_database(), ownership.member, passphrase=settings.passphrase,
        retention_days=settings.retention_days,
    )  # fmt: skip

    def report(account: Account, count: int) -> None:
        session.output.result(
            f"{account.nickname} ({account.host}) runs here with {count} bot{'' if count == 1 else 's'}.",
            event="account", nickname=account.nickname, id=account.id, host=account.host, bots=count,
        )  # fmt: skip

    accounts = SavedAccounts(
        storage, bots, on_ready=report, proxy=settings.proxy, allowed_hosts=settings.allowed_hosts,
        desktop=settings.desktop, keep=settings.keep, rate_limit=settings.effective_rate_limit, clock=ownership.clock,
    )  # fmt: skip
    session.output.result(
        f"Worker {ownership.worker} takes up to {capacity:,} accounts of {storage.place}.",
        event="worker", worker=ownership.worker, capacity=capacity, database=storage.place,
    )  # fmt: skip
    try:
        await ClusterWorker(ownership, accounts).run(address or socket.gethostname(), capacity=capacity)
    finally:
        await storage.close()
        await leases.close()


def _check(bots: list[Bot]) -> None:
    """
    Raise an error unless the bots can run on the accounts of a worker.

    Raises:
        BadInput: A bot cannot run on them.
    """
    from webwx.bot.bot import check

    for bot in bots:
        if bot.own_client_settings:
            raise BadInput(
                f"The bot {bot.name!r} sets {bot.own_client_settings[0]}=, which a worker decides for its accounts; "
                "remove it."
            )
    if bots:
        try:
            check(*bots)
        except (TypeError, ValueError) as error:
            raise BadInput(str(error)) from None
