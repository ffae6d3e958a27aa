"""Lists of a gateway's journal that are longer than a page."""

from __future__ import annotations

import msgspec
from tests.client.remote.test_calls import Scripted

from webwx.client.remote.pages import PAGE
from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.views import view_of_event
from webwx.model.contacts import ContactId
from webwx.model.messages import MessageRecalled
from webwx.representations.consumers import DeadLetterPage, DeadLetterView
from webwx.representations.events import EventView
from webwx.representations.messages import RecalledEntry, RecalledPage
from webwx.representations.times import moment


def recall(number: int) -> EventView:
    """Return the recall with a number, as a gateway sends it."""
    event = MessageRecalled(
        message_id=str(number), chat=ContactId("@a"), is_self=False, time=1, text="recalled", content="", original=None,
        number=number,
    )  # fmt: skip
    return view_of_event(AccountEvent(account=1, event=event))


async def test_recalls_are_read_in_as_many_pages_as_necessary() -> None:
    numbers = range(PAGE + 1, 0, -1)
    entries = [RecalledEntry(event=recall(number), way="none") for number in numbers]
    server = Scripted(
        (200, msgspec.json.encode(RecalledPage(recalled=entries[:PAGE], before=2))),
        (200, msgspec.json.encode(RecalledPage(recalled=entries[PAGE:], before=None))),
    )
    async with server.serving() as client:
        found = await client.list_recalled("filehelper", limit=PAGE + 500)
    assert [each.notice.number for each in found] == [*numbers]
    assert [head.partition(" HTTP")[0].partition("?")[2] for head in server.heads] == [
        f"chat=filehelper&limit={PAGE}", "chat=filehelper&before=2&limit=500",
    ]  # fmt: skip


async def test_dead_letters_are_read_in_as_many_pages_as_necessary() -> None:
    numbers = range(PAGE + 1, 0, -1)
    letters = [DeadLetterView(event=recall(each), attempts=1, error="", time=moment(1.7e9)) for each in numbers]
    server = Scripted(
        (200, msgspec.json.encode(DeadLetterPage(dead_letters=letters[:PAGE], before=2))),
        (200, msgspec.json.encode(DeadLetterPage(dead_letters=letters[PAGE:], before=None))),
    )
    async with server.serving() as client:
        found = await client.list_dead_letters(consumer="bot", limit=PAGE + 500, before=9_000)
    assert [each.event.number for each in found] == [*numbers]
    assert [head.partition(" HTTP")[0].partition("?")[2] for head in server.heads] == [
        f"before=9000&limit={PAGE}", "before=2&limit=500",
    ]  # fmt: skip
