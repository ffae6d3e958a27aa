"""Dead letters of consumers: events that a reader has given up."""

from __future__ import annotations

from datetime import datetime

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath

from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import AccountNumber, InjectedPort, Limit
from webwx.gateway.api.representations import EventView, moment, view_of_event
from webwx.gateway.port import AccountEvent
from webwx.gateway.problems import GatewayProblem


class DeadLetterView(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a consumer has given up."""

    event: EventView
    attempts: int
    error: str
    """Type of the last error and where it was raised."""
    time: datetime


class DeadLetterPage(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters, the newest first."""

    dead_letters: list[DeadLetterView]


@get(
    "/accounts/{account:str}/consumers/{consumer:str}/dead-letters", scope="read", summary="List dead letters",
    responses=problems(404, 424, 503),
)  # fmt: skip
async def list_dead_letters(
    number: AccountNumber, consumer: FromPath[str], port: InjectedPort, limit: Limit = 50
) -> DeadLetterPage:
    """Return the events that a consumer has given up, the newest first."""
    return DeadLetterPage(
        dead_letters=[
            DeadLetterView(
                event=view_of_event(AccountEvent(account=number, event=letter.event)), attempts=letter.attempts,
                error=letter.error, time=moment(letter.time),
            )
            for letter in await port.account(number).list_dead_letters(consumer, limit=limit)
        ]
    )  # fmt: skip


@post(
    "/accounts/{account:str}/consumers/{consumer:str}/dead-letters/{event:int}/revive", scope="manage",
    status_code=204, summary="Revive a dead letter", responses=problems(404, 424, 503),
)  # fmt: skip
async def revive_dead_letter(
    number: AccountNumber, consumer: FromPath[str], event: FromPath[int], port: InjectedPort
) -> None:
    """Deliver a dead letter once more."""
    if not await port.account(number).revive(consumer, event):
        raise GatewayProblem("not-found", "There is no such dead letter.")


consumers_router = Router("/", route_handlers=[list_dead_letters, revive_dead_letter], tags=["consumers"])
