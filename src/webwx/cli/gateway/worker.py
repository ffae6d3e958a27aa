"""
`webwx worker`: run accounts of a database that several machines share.

Each worker runs its share of the accounts; when it ends or dies, the others take its accounts. It answers requests that
the gateways of the database forward to it, and no others.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import click
import msgspec

from webwx.cli.exits import BadInput
from webwx.cli.gateway.node import NodeOptions, gateway_of, node_options, open_node, until_drained
from webwx.cli.gateway.serve import load_bots, open_listener, read_config, require_extra
from webwx.cli.language import _, ngettext
from webwx.cli.logs import configure_logging, log_format_option
from webwx.cli.option_values import OptionValues
from webwx.cli.permanent_objects import exempt_from_collections
from webwx.cli.session import Session, command

if TYPE_CHECKING:
    from webwx.gateway.config import GatewayConfig
    from webwx.model.login import Account


@command(
    "worker",
    endless=True,
    examples=(
        "webwx worker --storage postgresql://db.example/webwx",
        "webwx worker bot.py --capacity 200",
        "webwx worker --listen 10.0.0.5:8792 --address worker-1.internal",
    ),
)
@click.option(
    "--listen", default="127.0.0.1:0", show_default=True, metavar="ADDRESS:PORT",
    help="Where it listens for requests that the gateways of the database forward; 0: any free port.",
)  # fmt: skip
@node_options
@log_format_option
@click.argument("targets", metavar="[FILE[:NAME]]...", type=click.Path(), nargs=-1)
async def worker(session: Session, targets: tuple[str, ...], listen: str, **node: Any) -> None:
    """
    Run accounts of a database that several machines share.

    Workers divide the accounts of the database among each other. Each keeps its accounts synced, and runs the bots of
    the files on them: a bot runs on the account that it names, or on every account. If a worker dies, the others take
    its accounts after the time of the lease. SIGTERM, Ctrl-C and 'webwx cluster drain' hand the accounts over: running
    handlers have ten seconds to finish, and the worker exits.

    'webwx serve' does the same and answers clients too. A worker answers only requests that such a process forwards.
    """
    require_extra()
    from webwx.gateway.bots.bots import HostedBots
    from webwx.gateway.serve import serve as serve_gateway

    url, options, settings = session.require_database(), NodeOptions(**node), session.settings
    options.times.check()
    path, config = read_config(session, None)
    config = _listening(config, listen)
    bots = HostedBots(load_bots(session, config, path, targets))
    values = click.get_current_context().ensure_object(OptionValues)
    configure_logging(is_debugging=False, is_verbose=values.verbose, log_format=values.log_format)
    listener = open_listener(config)

    def report(account: Account, count: int) -> None:
        session.output.result(
            ngettext(
                "{nickname} ({host}) runs here with {count} bot.",
                "{nickname} ({host}) runs here with {count} bots.",
                count,
            ).format(nickname=account.nickname, host=account.host, count=count),
            event="account", nickname=account.nickname, id=account.id, host=account.host, bots=count,
        )  # fmt: skip

    async with AsyncExitStack() as opened:
        opened.callback(listener.socket.close)
        opening = open_node(
            settings, url, options, address=options.address_of(listener.url), bots=bots,
            limits=lambda: config.limits, on_open=report,
        )  # fmt: skip
        parts = await opened.enter_async_context(opening)
        gateway = gateway_of(parts, settings, config, bots=bots, answers_clients=False)
        session.output.result(
            _("Worker {worker} takes up to {capacity:,} accounts of {place}.").format(
                worker=parts.ownership.worker, capacity=options.capacity, place=parts.storage.place
            ),
            event="worker", worker=parts.ownership.worker, capacity=options.capacity,
            database=parts.storage.place,
        )  # fmt: skip
        await until_drained(serve_gateway(gateway, listener, exempt_from_collections), parts.ownership)


def _listening(config: GatewayConfig, listen: str) -> GatewayConfig:
    """
    Return a configuration with another listener.

    Raises:
        BadInput: The text is not an address with a port.
    """
    host, _sign, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise BadInput(_("--listen takes an address and a port, such as 10.0.0.5:8792."))
    table = msgspec.structs.replace(config.listen, host=host.strip("[]"), port=int(port))
    return msgspec.structs.replace(config, listen=table)
