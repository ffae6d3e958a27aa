"""Messages of the journal: history, search, recalls, media, and actions on a message."""

from __future__ import annotations

from collections.abc import Collection

from litestar import Response, Router
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from webwx.client.client import AsyncClient
from webwx.client.reading.message_page import MessagePage
from webwx.errors import InvalidRequest
from webwx.gateway.accounts.journal_lookup import named_events, required_event
from webwx.gateway.api.contacts import which_of
from webwx.gateway.api.documented import PICTURE
from webwx.gateway.api.media_answer import ANY_TYPE, MEDIA_ANSWERS, MediaRange, MediaTag, answer_media
from webwx.gateway.api.parameters import (
    AccountNumber,
    EventNumber,
    IdempotencyKey,
    InjectedCaller,
    InjectedPort,
    OwnedClient,
    StoredClient,
)
from webwx.gateway.api.serve_route import serve
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.views import view_of_event, view_of_outgoing, view_of_sent
from webwx.model.messages import Event, Message, MessageRecalled
from webwx.protocol.media import image_type
from webwx.representations.events import EventView
from webwx.representations.messages import (
    DOWNLOAD_MEDIA,
    FIND_MESSAGE,
    FORWARD_MESSAGE,
    LIST_RECALLED,
    READ_MESSAGES,
    RECALL_MESSAGE,
    SHOW_MESSAGE,
    SHOW_ORIGIN,
    SHOW_THUMBNAIL,
    Forwarding,
    HistoryEntry,
    HistoryPage,
    MessageOrigin,
    MessagesQuery,
    RecalledEntry,
    RecalledPage,
    RecalledQuery,
)
from webwx.representations.sends import SendView
from webwx.storage.tables.outbox import Outgoing


async def _views(account: int, client: AsyncClient, events: Collection[Event]) -> list[EventView]:
    """Return events of an account with the names to show."""
    return [view_of_event(each) for each in await named_events(account, client, events)]


async def _entries(account: int, client: AsyncClient, page: MessagePage) -> list[HistoryEntry]:
    events = [each.entry for each in page.entries if isinstance(each.entry, Event)]
    views = iter(await _views(account, client, events))
    return [
        HistoryEntry(send=view_of_outgoing(entry), before=before)
        if isinstance(entry, Outgoing)
        else HistoryEntry(event=next(views), before=before)
        for entry, before in page.entries
    ]


@serve(READ_MESSAGES)
async def read_messages(number: AccountNumber, stored: StoredClient, query: MessagesQuery) -> HistoryPage:
    """
    Return messages, recalls and sends of the journal, the newest first, or those that contain some words.

    The pages together have each entry once. A send that came back as a message is returned as that message only.
    """
    page = await stored.history_page(
        None if query.chat is None else which_of(query.chat), words=query.q or "", limit=query.limit,
        before=query.before or "", since=query.since, until=query.until,
    )  # fmt: skip
    return HistoryPage(entries=await _entries(number, stored, page), before=page.before)


@serve(LIST_RECALLED)
async def list_recalled(number: AccountNumber, stored: StoredClient, query: RecalledQuery) -> RecalledPage:
    """Return the recalls, the newest first, each with its message if the journal has it."""
    chat = None if query.chat is None else which_of(query.chat)
    found = await stored.list_recalled(chat, limit=query.limit, before=query.before)
    views = await _views(number, stored, [each.notice for each in found])
    return RecalledPage(
        recalled=[RecalledEntry(event=view, way=each.way) for view, each in zip(views, found, strict=True)],
        before=found[-1].notice.number if len(found) == query.limit else None,
    )


@serve(SHOW_MESSAGE)
async def show_message(number: AccountNumber, event: EventNumber, stored: StoredClient) -> EventView:
    """Return one event by its number."""
    return (await _views(number, stored, [await required_event(stored, event)]))[0]


@serve(FIND_MESSAGE)
async def find_message(number: AccountNumber, message_id: FromPath[str], stored: StoredClient) -> EventView:
    """Return a message by the platform's id, as in the answer to a send; the newest if several have the same id."""
    found = await stored.find_message(message_id)
    if found is None:
        raise GatewayProblem("not-found", "The journal has no message with this id.")
    return (await _views(number, stored, [found]))[0]


@serve(SHOW_ORIGIN)
async def show_origin(event: EventNumber, stored: StoredClient) -> MessageOrigin:
    """Return whether a message of this account, or a recalled one, was sent by the gateway or written elsewhere."""
    message = await required_event(stored, event)
    if not isinstance(message, Message | MessageRecalled):
        raise InvalidRequest("This event is not a message.")
    return MessageOrigin(sent_here=await stored.was_sent_here(message))


@serve(FORWARD_MESSAGE)
async def forward_message(
    number: AccountNumber,
    event: EventNumber,
    data: JSONBody[Forwarding],
    port: InjectedPort,
    caller: InjectedCaller,
    idempotency_key: IdempotencyKey = None,
) -> SendView:
    """Forward a message, recalled or not; the key needs the scope `read` as well."""
    if not caller.allows("read"):
        raise GatewayProblem("forbidden", "Forwarding a message needs a key with the scope 'read' as well.")
    return view_of_sent(await port.account(number).sends.forward(event, data.to, key=idempotency_key or ""))


@serve(RECALL_MESSAGE)
async def recall_message(event: EventNumber, owned: OwnedClient) -> None:
    """Recall a message of this account, by the number of its event."""
    message = await required_event(owned, event)
    if not isinstance(message, Message):
        raise InvalidRequest("Only a message can be recalled.")
    await owned.recall(message)


# -- media -------------------------------------------------------------------------------------------------------------


@serve(DOWNLOAD_MEDIA, responses=MEDIA_ANSWERS)
async def download_media(
    number: AccountNumber,
    event: EventNumber,
    port: InjectedPort,
    wanted_range: MediaRange = None,
    if_none_match: MediaTag = None,
) -> Stream | Response[bytes]:
    """Download the media of a message; `Range` continues a broken download. The gateway caches the file."""
    media = await port.account(number).media(event)
    return await answer_media(media, f"{number}-{event}", wanted_range, if_none_match)


@serve(SHOW_THUMBNAIL, responses=PICTURE)
async def show_thumbnail(event: EventNumber, owned: OwnedClient) -> Response[bytes]:
    """Return the thumbnail of a picture, a video, a link or a location."""
    message = await required_event(owned, event)
    if not isinstance(message, Message):
        raise GatewayProblem("not-found", "This event has no thumbnail.")
    picture = await owned.download_thumbnail(message)
    media_type = image_type(picture[:32]) or ANY_TYPE
    return Response(picture, media_type=media_type, headers={"Cache-Control": "private, max-age=86400"})


messages_router = Router(
    "/",
    route_handlers=[
        read_messages, list_recalled, show_message, find_message, show_origin, forward_message, recall_message,
        download_media, show_thumbnail,
    ],
    tags=["messages"],
)  # fmt: skip
