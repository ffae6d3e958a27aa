"""Selection of the events that a replay sends to a webhook again, from the journals of its accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.errors import NotLoggedIn
from webwx.gateway.accounts.journal_lookup import find_event
from webwx.gateway.problems import GatewayProblem
from webwx.representations.webhooks import MOST_REPLAYED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from webwx.gateway.accounts.account import GatewayAccount, GatewayAccounts
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.webhooks.webhooks import StoredWebhook

_PAGE = 500
"""Number of events that are read from a journal at a time."""


async def events_by_id(port: GatewayAccounts, webhook: StoredWebhook, ids: Collection[str]) -> list[AccountEvent]:
    """
    Return events by their ids, such as `1-7`, whether or not the webhook wants their type.

    Raises:
        GatewayProblem: The accounts of the webhook have no event with one of the ids.
    """
    found = []
    for event_id in dict.fromkeys(ids):
        account, _, number = event_id.partition("-")
        account_event = None
        if _is_number(account) and _is_number(number) and webhook.serves(int(account)):
            account_event = await find_event(int(account), port.account(int(account)).client, int(number))
        if account_event is None:
            raise GatewayProblem("not-found", "The accounts of the webhook have no event with one of these ids.")
        found.append(account_event)
    return found


async def events_between(
    port: GatewayAccounts, webhook: StoredWebhook, since: float, until: float
) -> list[AccountEvent]:  # fmt: skip
    """
    Return the events of a period that the webhook wants; those of each account are in the order of arrival.

    Raises:
        GatewayProblem: There are too many.
    """
    found = []
    for number in await port.list_numbers():
        if not webhook.serves(number):
            continue
        async for account_event in _events_between(port.account(number), since, until):
            if webhook.wants(account_event):
                found.append(account_event)
            if len(found) > MOST_REPLAYED:
                raise GatewayProblem(
                    "conflict", f"The period has over {MOST_REPLAYED} events; choose a shorter one.", field="from"
                )
    return found


async def _events_between(account: GatewayAccount, since: float, until: float) -> AsyncIterator[AccountEvent]:
    after = 0
    while True:
        try:
            page = await account.events.list_events(after, since=since, until=until, limit=_PAGE)
        except NotLoggedIn:  # there was never a login, so there is no event
            return
        for account_event in page:
            yield account_event
        if len(page) < _PAGE:
            return
        after = page[-1].event.number


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
