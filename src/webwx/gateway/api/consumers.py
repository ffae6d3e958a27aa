"""Consumers (readers with a stored position) and their dead letters (events that failed in every attempt)."""

from __future__ import annotations

from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import AccountNumber, Before, EventNumber, Limit, OwnedClient, StoredClient
from webwx.gateway.api.representations import view_of_event
from webwx.gateway.consumer_owners import ConsumerOwners
from webwx.gateway.journal_lookup import named_events
from webwx.gateway.problems import GatewayProblem
from webwx.representations.consumers import ConsumerPage, ConsumerView, DeadLetterPage, DeadLetterView
from webwx.representations.times import moment


@get("/accounts/{account:str}/consumers", scope="read", summary="List consumers", responses=problems(404, 424, 503))
async def list_consumers(stored: StoredClient) -> ConsumerPage:
    """Return the consumers of an account, including those of bots, webhooks and the command line."""
    return ConsumerPage(
        consumers=[
            ConsumerView(
                name=each.name, acknowledged=each.acked, waiting=each.waiting, dead_letters=each.dead_letters
            )
            for each in await stored.list_consumers()
        ]
    )  # fmt: skip


@delete(
    "/accounts/{account:str}/consumers/{consumer:str}", scope="manage", summary="Delete a consumer",
    responses=problems(404, 409, 424, 503),
)  # fmt: skip
async def delete_consumer(
    number: AccountNumber,
    consumer: FromPath[str],
    owned: OwnedClient,
    consumer_owners: NamedDependency[SkipValidation[ConsumerOwners]],
) -> None:
    """Delete a consumer with its position and its dead letters. While the consumer is open, the answer is 409."""
    if not await owned.forget_consumer(consumer):
        raise GatewayProblem("not-found", "There is no such consumer.")
    await consumer_owners.forget(number, consumer)


@get(
    "/accounts/{account:str}/consumers/{consumer:str}/dead-letters", scope="read", summary="List dead letters",
    responses=problems(404, 424, 503),
)  # fmt: skip
async def list_dead_letters(
    number: AccountNumber, consumer: FromPath[str], stored: StoredClient, before: Before = None, limit: Limit = 50
) -> DeadLetterPage:
    """Return the events that a consumer has given up, the newest first."""
    letters = await stored.list_dead_letters(consumer=consumer, limit=limit, before=before)
    events = await named_events(number, stored, [letter.event for letter in letters])
    return DeadLetterPage(
        dead_letters=[
            DeadLetterView(
                event=view_of_event(event), attempts=letter.attempts, error=letter.error, time=moment(letter.time)
            )
            for event, letter in zip(events, letters, strict=True)
        ],
        before=letters[-1].event.number if len(letters) == limit else None,
    )  # fmt: skip


@post(
    "/accounts/{account:str}/consumers/{consumer:str}/dead-letters/{event:int}/revive", scope="manage",
    status_code=204, summary="Revive a dead letter", responses=problems(404, 424, 503),
)  # fmt: skip
async def revive_dead_letter(consumer: FromPath[str], event: EventNumber, owned: OwnedClient) -> None:
    """Deliver a dead letter once more."""
    if not await owned.revive(event, consumer=consumer):
        raise GatewayProblem("not-found", "There is no such dead letter.")


consumers_router = Router(
    "/",
    route_handlers=[list_consumers, delete_consumer, list_dead_letters, revive_dead_letter],
    tags=["consumers"],
)
