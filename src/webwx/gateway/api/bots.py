"""Bots that run inside the gateway: their state, and the requests for their HTTP handlers."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TypeAlias

from litestar import HttpMethod, Request, Response, Router, route
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from webwx.bot.http_handlers import HttpRequest
from webwx.gateway.access.auth import Caller
from webwx.gateway.access.sessions import HEADER
from webwx.gateway.api.parameters import InjectedBots, InjectedCaller
from webwx.gateway.api.serve_route import serve
from webwx.gateway.bots.bots import BotRun, HostedBots, view_of_run
from webwx.gateway.forwarding.bot_exchange import BotExchange
from webwx.gateway.problems import GatewayProblem
from webwx.representations.bots import LIST_BOTS, BotList

InjectedExchange: TypeAlias = NamedDependency[SkipValidation[BotExchange | None]]
"""The bots of all machines; None if this gateway has all accounts."""

_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization", HEADER})
"""Headers that are not passed to a handler."""

_HEADERS = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; sandbox"}
"""Headers of a handler's answer; a page that it returns has no access to the console."""


@serve(LIST_BOTS)
async def list_bots(bots: InjectedBots, bot_exchange: InjectedExchange, caller: InjectedCaller) -> BotList:
    """
    Return the bots that run inside the gateway, once for each account that the key reaches.

    If several machines share the accounts, the bots of all machines are listed.
    """
    found = [view_of_run(run) for run in bots.runs] if bot_exchange is None else await bot_exchange.find()
    reached = {(view.account, view.name): view for view in found if caller.reaches(view.account)}
    return BotList(bots=[view for _, view in sorted(reached.items())])


@route(
    "/bots/{name:str}/{path:path}",
    http_method=[HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE],
    scope="bots", reads_query=True, include_in_schema=False,
)  # fmt: skip
async def call_bot(
    request: Request[Caller, None, State],
    name: FromPath[str],
    path: FromPath[Path],
    bots: InjectedBots,
    caller: InjectedCaller,
) -> Response[bytes]:
    """Call an HTTP handler of a bot; `?account=` chooses the account of a bot that runs on several."""
    query = dict(request.query_params.items())
    run, below = find_run(bots, caller, name, query.get("account")), f"/{path.as_posix().lstrip('/')}"
    methods = run.bot.http_routes.methods_of(below)
    if not methods:
        raise GatewayProblem("not-found", "The bot has no handler for this path.")
    if request.method not in methods:
        raise GatewayProblem("method-not-allowed", f"The path accepts {', '.join(methods)}.")
    if not run.is_serving:
        raise GatewayProblem("unavailable", "The bot is not running now.")
    headers = {name.lower(): value for name, value in request.headers.items() if name.lower() not in _CREDENTIALS}
    answer = await run.bot.answer_http(
        HttpRequest(
            method=request.method, path=below, query=query, headers=headers, body=await request.body(),
            key=headers.get("idempotency-key") or secrets.token_hex(12), caller=caller.id,
        )
    )  # fmt: skip
    return Response(answer.body, status_code=answer.status, media_type=answer.media_type, headers=_HEADERS)


def find_run(bots: HostedBots, caller: Caller, name: str, account: str | None) -> BotRun:
    """
    Return a bot on an account that the caller reaches.

    Args:
        bots: The bots.
        caller: The caller.
        name: Name of the bot.
        account: Number or name of the account; None: the only account on which the bot runs.

    Raises:
        GatewayProblem: There is no such bot, or it runs on several accounts and none is named.
    """
    runs = [
        run
        for run in bots.find_runs(name)
        if caller.reaches(run.account.number) and account in {None, run.account.name, str(run.account.number)}
    ]
    if len(runs) != 1:
        which = (
            "runs on several accounts; add ?account=NAME" if runs else "does not exist, or the key does not reach it"
        )
        raise GatewayProblem("not-found", f"The bot {which}.")
    return runs[0]


calls_router = Router("/", route_handlers=[call_bot])
"""The routes outside of `/api/v1`."""

bots_router = Router("/", route_handlers=[list_bots], tags=["bots"])
