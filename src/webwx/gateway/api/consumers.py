"""Consumers (readers with a stored position) and their dead letters (events that failed in every attempt)."""

from __future__ import annotations

from litestar import Router
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from webwx.client.reading.dead_letters import DeadLetter
from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.accounts.journal_lookup import named_events
from webwx.gateway.api.consumer_owners import ConsumerOwners
from webwx.gateway.api.parameters import AccountNumber, EventNumber, OwnedClient, StoredClient
from webwx.gateway.api.serve_route import serve
from webwx.gateway.problems import GatewayProblem, read_failure
from webwx.gateway.views import view_of_event
from webwx.representations.consumers import (
    DELETE_CONSUMER,
    LIST_CONSUMERS,
    LIST_DEAD_LETTERS,
    REVIVE_DEAD_LETTER,
    ConsumerPage,
    ConsumerView,
    DeadLetterPage,
    DeadLettersQuery,
    DeadLetterView,
)
from webwx.representations.times import moment


@serve(LIST_CONSUMERS)
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


@serve(DELETE_CONSUMER)
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


def _view_of_letter(event: AccountEvent, letter: DeadLetter) -> DeadLetterView:
    failure = read_failure(letter.error)
    return DeadLetterView(
        event=view_of_event(event), attempts=letter.attempts, error=failure.text, error_code=failure.code,
        time=moment(letter.time),
    )  # fmt: skip


@serve(LIST_DEAD_LETTERS)
async def list_dead_letters(
    number: AccountNumber, consumer: FromPath[str], stored: StoredClient, query: DeadLettersQuery
) -> DeadLetterPage:
    """Return the events that a consumer has given up, the newest first."""
    letters = await stored.list_dead_letters(consumer=consumer, limit=query.limit, before=query.before)
    events = await named_events(number, stored, [letter.event for letter in letters])
    return DeadLetterPage(
        dead_letters=[_view_of_letter(*each) for each in zip(events, letters, strict=True)],
        before=letters[-1].event.number if len(letters) == query.limit else None,
    )  # fmt: skip


@serve(REVIVE_DEAD_LETTER)
async def revive_dead_letter(consumer: FromPath[str], event: EventNumber, owned: OwnedClient) -> None:
    """Deliver a dead letter once more."""
    if not await owned.revive(event, consumer=consumer):
        raise GatewayProblem("not-found", "There is no such dead letter.")


consumers_router = Router(
    "/",
    route_handlers=[list_consumers, delete_consumer, list_dead_letters, revive_dead_letter],
    tags=["consumers"],
)
