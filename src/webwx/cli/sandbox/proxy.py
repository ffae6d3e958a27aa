"""`webwx proxy`: a fault proxy between a client and a sandbox."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.language import _
from webwx.cli.sandbox.faults import turn_on, with_fault_options
from webwx.cli.session import Session, command
from webwx.sandbox.proxy import FaultProxy

if TYPE_CHECKING:
    from webwx.sandbox.proxy import Log


@command(
    "proxy",
    endless=True,
    examples=(
        "webwx proxy --to http://127.0.0.1:8790 --fault latency",
        "webwx proxy --to http://127.0.0.1:8790 --seed 7 --fault lost_answer@0.05 --fault reset_midway@0.05",
    ),
)
@click.option("--to", required=True, metavar="URL", help="Address of the sandbox behind the proxy, on this machine.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port on 127.0.0.1; any free port by default."
)
@click.option(
    "--control-port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Port for 'webwx phone fault'; any free port by default.",
)
@with_fault_options
async def proxy(
    session: Session,
    to: str,
    port: int,
    control_port: int,
    rules: tuple[str, ...],
    script: Path | None,
    seed: int | None,
) -> None:
    """
    Inject faults between a client and a sandbox.

    Point the client at the address it prints. The proxy then applies its faults to the traffic; 'webwx phone faults'
    lists them. Press Ctrl-C to end it and to print a report.
    """
    try:
        fault_proxy = FaultProxy(to, port=port, control_port=control_port, seed=seed)
    except ValueError as error:
        raise BadInput(str(error)) from None
    turn_on(fault_proxy.faults, rules, script)
    try:
        async with fault_proxy:
            session.output.result(
                _welcome(fault_proxy),
                url=fault_proxy.url, control=fault_proxy.control, to=to, seed=fault_proxy.faults.seed,
            )  # fmt: skip
            try:
                await asyncio.Event().wait()
            finally:
                report = fault_proxy.report()
                fields = msgspec.structs.asdict(report)
                del fields["log"]  # may be long; the control port gives it
                session.output.result(_summary(report), **fields)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise CommandFailed(_("The port is in use; choose another one, or omit --port to use any free port.")) from None


def _welcome(fault_proxy: FaultProxy) -> list[str]:
    return [
        _("A fault proxy is running at {url}, in front of {to}.").format(url=fault_proxy.url, to=fault_proxy.to),
        _("Its seed is {seed}.").format(seed=fault_proxy.faults.seed),
        "",
        _("Type next, in other terminals:"),
        "",
        _("  export WEBWX_SERVER={url}                       # for the client").format(url=fault_proxy.url),
        _("  webwx phone --server {control} fault latency    # to change what it does").format(
            control=fault_proxy.control
        ),
        "",
        _("Ctrl-C ends it, and it says what it has done."),
    ]


def _summary(report: Log) -> str:
    happened = ", ".join(f"{name} {times}" for name, times in sorted(report.counts.items())) or "nothing"
    return _("{requests} requests came; what went wrong with them: {happened} (seed {seed}).").format(
        requests=report.requests, happened=happened, seed=report.seed
    )
