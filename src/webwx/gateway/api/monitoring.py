"""Routes for monitoring: liveness, readiness and metrics."""

from __future__ import annotations

import contextlib
from typing import Annotated, Literal

from litestar import MediaType, Response, Router, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter, SkipValidation

from webwx.bot.metrics import CONTENT_TYPE, Metrics
from webwx.errors import StorageError, WxError
from webwx.gateway.accounts.account import GatewayAccounts
from webwx.gateway.api.audit_log import InjectedRecords
from webwx.gateway.api.cluster import InjectedCluster
from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import InjectedBots, InjectedCaller, InjectedPort
from webwx.gateway.api.receivers import InjectedQueue, InjectedReceivers
from webwx.gateway.http.request_times import RequestTimes
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.process.loop_lag_meter import LoopLagMeter
from webwx.gateway.receivers.notification_queue import NotificationQueue
from webwx.gateway.receivers.receivers import StoredReceiver
from webwx.gateway.receivers.reception import Reception
from webwx.storage.tables.consumers import ConsumerPosition

InjectedReception = NamedDependency[SkipValidation[Reception]]
InjectedLoopLag = NamedDependency[SkipValidation[LoopLagMeter]]
InjectedTimes = NamedDependency[SkipValidation[RequestTimes]]

_MAX_SHOWN = 5
"""Maximum number of accounts that are named as not online."""


@get(
    "/healthz", is_public=True, media_type=MediaType.TEXT, summary="Check that the gateway answers",
    responses=problems(),
)  # fmt: skip
async def show_health() -> str:
    """Return `ok`."""
    return "ok"


@get(
    "/readyz", is_public=True, media_type=MediaType.TEXT, summary="Check that the gateway can work",
    responses={
        **problems(),
        503: ResponseSpec(str, generate_examples=False, media_type="text/plain", description="Not ready"),
    },
)  # fmt: skip
async def show_readiness(
    port: InjectedPort,
    records: InjectedRecords,
    bots: InjectedBots,
    cluster: InjectedCluster,
    require: Annotated[
        Literal["online", "bots", "workers"] | None,
        QueryParameter(
            description="`online`: every account is online, and there is one. `bots`: every bot runs. `workers`: a "
            "process that is alive runs accounts, or there are none to run"
        ),
    ] = None,
) -> Response[str]:
    """Return in one line whether the database can be read and, on request, whether accounts and bots run."""
    try:
        await records.audit(limit=1)
        if require == "workers" and cluster is not None and not await cluster.has_running_accounts():
            return Response("No worker runs the accounts.", status_code=503)
    except StorageError:
        return Response("The database cannot be read.", status_code=503)
    if require == "online":
        accounts = await port.list_accounts()
        if not accounts:
            return Response("The gateway has no account.", status_code=503)
        if wrong := [each for each in accounts if each.state != "online"]:  # their names are for the owner only
            shown = ", ".join(f"{each.number} ({each.state})" for each in wrong[:_MAX_SHOWN])
            more = f", and {len(wrong) - _MAX_SHOWN:,} more" if len(wrong) > _MAX_SHOWN else ""
            return Response(f"Accounts that are not online: {shown}{more}.", status_code=503)
    if require == "bots" and any(run.state != "running" for run in bots.runs):
        return Response("A bot is not running.", status_code=503)
    return Response("ok")


@get(
    "/metrics", scope="read", media_type=MediaType.TEXT, summary="Read the metrics",
    responses={
        **problems(),
        200: ResponseSpec(str, generate_examples=False, media_type="text/plain", description="Prometheus's format"),
    },
)  # fmt: skip
async def show_metrics(
    port: InjectedPort, caller: InjectedCaller, bots: InjectedBots, times: InjectedTimes, loop_lag: InjectedLoopLag,
    cluster: InjectedCluster, receivers: InjectedReceivers, queue: InjectedQueue, reception: InjectedReception,
) -> Response[bytes]:  # fmt: skip
    """
    Return the metrics of the accounts that the key reaches, of all requests, and of the process.

    Those of an account include its bots, consumers and receivers.
    """
    metrics = Metrics()
    for status in await port.list_accounts():
        if caller.reaches(status.number):
            metrics.add_account(port.account(status.number).client, status.number)
    for run in bots.runs:
        if caller.reaches(run.account.number):
            metrics.add_bot(run.bot, run.account.number)
    await _add_consumers(metrics, port, [number for number in await port.list_owned() if caller.reaches(number)])
    with contextlib.suppress(StorageError):  # `/readyz` shows it
        found = [each for each in await receivers.find() if caller.reaches(each.account)]
        _add_receivers(metrics, found, queue, reception)
    times.add_to(metrics)
    metrics.add_gauge("webwx_loop_lag_seconds", "Longest lag of the event loop in a minute.", loop_lag.longest)
    metrics.add_gauge("webwx_failed_bots", "Bots that are not running because of an error.", bots.failed)
    if cluster is not None:
        metrics.add_gauge("webwx_lease_age_seconds", "Seconds since the last renewal of the lease.", cluster.lease_age)
        with contextlib.suppress(StorageError):  # the age of the lease shows it
            lag = await cluster.consumer_lag()
            metrics.add_gauge("webwx_consumer_lag_events", "Events that the slowest open consumer has left.", lag)
    return Response(await metrics.text(), headers={"Content-Type": CONTENT_TYPE})


async def _add_consumers(metrics: Metrics, port: GatewayAccounts, accounts: list[int]) -> None:
    """Add the consumers of some accounts; no program has to have them open, so a stopped bot is among them."""
    positions: list[tuple[tuple[str, str], ConsumerPosition]] = []
    for number in accounts:
        with contextlib.suppress(WxError, GatewayProblem):  # it was never logged in, or its journal cannot be read
            found = await port.account(number).client.list_consumers()
            positions += [((str(number), each.name), each) for each in found]
    labels = ("account", "consumer")
    metrics.add_gauges(
        "webwx_consumer_waiting_events", "Events that a consumer has not acknowledged.", labels,
        [(values, each.waiting) for values, each in positions],
    )  # fmt: skip
    metrics.add_gauges(
        "webwx_consumer_dead_letters", "Events that a consumer has given up.", labels,
        [(values, each.dead_letters) for values, each in positions],
    )  # fmt: skip


def _add_receivers(
    metrics: Metrics, receivers: list[StoredReceiver], queue: NotificationQueue, reception: Reception
) -> None:  # fmt: skip
    labels = ("account", "receiver")
    metrics.add_gauges(
        "webwx_receiver_waiting", "Notifications that are held until they can be sent.", labels,
        [((str(each.account), each.id), queue.waiting(each.id)) for each in receivers],
    )  # fmt: skip
    outcomes: tuple[Literal["accepted", "refused"], ...] = ("accepted", "refused")
    metrics.add_counters(
        "webwx_receiver_notifications", "Notifications to a receiver since the start.", (*labels, "result"),
        [
            ((str(each.account), each.id, outcome), reception.counts[each.id, outcome])
            for each in receivers
            for outcome in outcomes
        ],
    )  # fmt: skip


monitoring_router = Router("/", route_handlers=[show_health, show_readiness, show_metrics], tags=["monitoring"])
