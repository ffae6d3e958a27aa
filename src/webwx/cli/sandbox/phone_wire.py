"""`webwx phone wire`: the traffic between clients and the sandbox, with secrets masked."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from webwx.cli.language import _
from webwx.cli.sandbox.control import POLL_INTERVAL, ask_phones
from webwx.cli.sandbox.faults import complete_calls
from webwx.cli.session import Session, command, ended_by_reader

if TYPE_CHECKING:
    from collections.abc import Mapping


@command(
    "wire",
    examples=(
        "webwx phone wire",
        "webwx phone wire --follow --endpoint webwxsendmsg",
        "webwx phone wire 12",
        "webwx phone wire --json | jq 'select(.ret > 0)'",
    ),
)
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option(
    "--endpoint", default="", metavar="CALL", shell_complete=complete_calls, help="Only this call.  [default: all]"
)
@click.option("--follow", is_flag=True, help="Keep running and show new exchanges.")
async def wire(session: Session, number: int | None, endpoint: str, follow: bool) -> None:
    """
    Show the sandbox's traffic, or one complete exchange by NUMBER.

    Masks secrets. The sandbox keeps the last 500 exchanges. With --follow, an exchange that is still open, such as a
    long poll, is shown again when it is answered.
    """
    server = session.settings.server
    if number is not None:
        shown = await ask_phones(server, f"wire/exchange?number={number}")
        session.output.result(_describe_all(shown), **shown)
        return
    session.is_endless = follow
    last = 0
    with ended_by_reader():
        while True:
            answer = await ask_phones(server, f"wire?after={last}&endpoint={quote(endpoint)}")
            last = answer["last"]
            for exchange in answer["exchanges"]:
                session.output.result(_describe(exchange), **exchange)
            if not follow:
                return
            await asyncio.sleep(POLL_INTERVAL)


def _describe(exchange: Mapping[str, Any]) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(exchange["time"]))
    call = exchange["endpoint"] or f"{exchange['method']} {exchange['address']}"
    parts = [f"{exchange['number']:>4}  {at}  {call:<21}", exchange["host"], _describe_end(exchange)]
    parts += [f"[{fault}]" for fault in exchange["faults"]]
    return "  ".join(parts)


def _describe_end(exchange: Mapping[str, Any]) -> str:
    if exchange["is_open"]:
        return _("open")
    if exchange["status"] is None:
        return _("no answer  {seconds:.2f} s").format(seconds=exchange["seconds"])
    ret = "" if exchange["ret"] is None else f" ret {exchange['ret']}"
    return _("{status}{ret}  {seconds:.2f} s  {sent} > {received} bytes").format(
        status=exchange["status"], ret=ret, seconds=exchange["seconds"], sent=exchange["sent"],
        received=exchange["received"],
    )  # fmt: skip


def _describe_all(exchange: Mapping[str, Any]) -> list[str]:
    lines = [_describe(exchange), "", f"{exchange['method']} {exchange['address']}"]
    for side in ("request", "answer"):
        lines += [f"{name}: {value}" for name, value in exchange[f"{side}_headers"]]
        body = exchange[f"{side}_body"]
        lines += ["", *([*body.replace("\r\n", "\n").split("\n"), ""] if body else [""])]
    while not lines[-1]:
        del lines[-1]
    return lines
