"""Sends of texts and files: creation, state, retry, recall and deletion."""

from __future__ import annotations

import re

from litestar import Response, Router
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, SkipValidation
from litestar.status_codes import HTTP_201_CREATED, HTTP_202_ACCEPTED

from webwx.gateway.access.auth import Caller
from webwx.gateway.accounts.account import GatewayAccount
from webwx.gateway.accounts.account_sends import MediaContent, Sent, TextContent
from webwx.gateway.accounts.journal_lookup import required_send
from webwx.gateway.api.contacts import which_of
from webwx.gateway.api.parameters import (
    AccountNumber,
    IdempotencyKey,
    InjectedCaller,
    InjectedPort,
    OwnedClient,
    Prefer,
    StoredClient,
)
from webwx.gateway.api.serve_route import serve
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sends.file_sources import FileSources
from webwx.gateway.sends.uploads import plain_name
from webwx.gateway.views import view_of_outgoing, view_of_sent
from webwx.model.contacts import FILEHELPER
from webwx.model.mentions import mention_members
from webwx.representations.route import API
from webwx.representations.sends import (
    FIND_SEND,
    FORGET_SEND,
    LIST_SENDS,
    RECALL_SEND,
    RETRY_SEND,
    SEND_MESSAGE,
    SHOW_SEND,
    FileToSend,
    MessageToSend,
    OneSend,
    OutboxEntry,
    SendList,
    SendsQuery,
    SendView,
)
from webwx.storage.tables.outbox import State

LONGEST_WAIT = 25.0
"""Seconds for which a request waits for the outcome of its send, unless its header `Prefer` sets another time."""

_WAIT = re.compile(r"wait=(\d{1,3})")

SENT_OR_QUEUED = {
    202: ResponseSpec(SendView, generate_examples=False, description="Stored, and sent in the background")
}


def wait_of(prefer: str | None) -> float:
    """Return the seconds to wait for an outcome, as the header `Prefer` (RFC 7240) says."""
    words = {word.strip().lower() for word in (prefer or "").replace(";", ",").split(",")}
    if "respond-async" in words:
        return 0.0
    seconds = next((float(found[1]) for word in words if (found := _WAIT.fullmatch(word))), LONGEST_WAIT)
    return min(seconds, LONGEST_WAIT)


def require_recipient(caller: Caller, to: str | int) -> None:
    """
    Check that the caller may send to a recipient.

    Raises:
        GatewayProblem: The key is for File Transfer Helper only.
    """
    if to != FILEHELPER and not caller.allows("send"):
        raise GatewayProblem("forbidden", "This key may send to 'filehelper' only.")


def answer_send(sent: Sent) -> Response[SendView]:
    """Return 201 for a message that was sent, and 202 for one that is queued or being sent."""
    is_sent = sent.state in {"sent", "recalled"}
    return Response(view_of_sent(sent), status_code=HTTP_201_CREATED if is_sent else HTTP_202_ACCEPTED)


@serve(SEND_MESSAGE, responses=SENT_OR_QUEUED)
async def send_message(
    number: AccountNumber,
    data: JSONBody[MessageToSend],
    port: InjectedPort,
    caller: InjectedCaller,
    files: NamedDependency[SkipValidation[FileSources]],
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response[SendView]:
    """
    Send a message, and answer when its outcome is known.

    201: it was sent. 202: it is stored and sent in the background; `Location` shows its state. 409: it may have been
    sent; check the chat before you send it again. 422, 424: it was not sent.
    """
    require_recipient(caller, data.to)
    if data.reply_to is not None:
        raise GatewayProblem(
            "not-on-the-wire", "The web protocol cannot quote a message; send the text without a quote."
        )
    account, wait, key = port.account(number), wait_of(prefer), idempotency_key or ""
    if (data.text is None) == (data.file is None):
        raise GatewayProblem("bad-request", "A message has either a text or a file.")
    if data.file is not None:
        if data.mentions:
            raise GatewayProblem("bad-request", "Only a text can mention members.")
        sent = await _send_file(account, data.to, data.file, files, caller, key, wait)
    else:
        text = await _with_mentions(account, data.to, data.text or "", data.mentions)
        if wait:
            sent = await account.sends.send(data.to, TextContent(text=text), key=key, wait=wait)
        else:
            sent = await account.sends.enqueue(data.to, text, key=key)
    made = answer_send(sent)
    made.set_header("Location", API + SHOW_SEND.at(number, sent.client_id))
    return made


async def _send_file(
    account: GatewayAccount, to: str | int, file: FileToSend, files: FileSources, caller: Caller, key: str, wait: float
) -> Sent:
    """
    Send a file.

    Raises:
        GatewayProblem: There is not exactly one source of the file, or the file does not exist.
    """
    match file:
        case FileToSend(upload_id=str(upload_id), data=None, url=None):
            source = files.uploaded(upload_id, caller.id)
        case FileToSend(upload_id=None, data=str(data), url=None):
            source = files.inline(data, caller.id)
        case FileToSend(upload_id=None, data=None, url=str(url)):
            source = files.fetched(url, caller.id)
        case _:
            raise GatewayProblem("bad-request", "A file has exactly one of 'upload_id', 'data' and 'url'.")
    async with source as upload:
        content = MediaContent(
            kind=file.kind or upload.kind, path=files.uploads.path(upload.id), name=plain_name(file.name or upload.name)
        )
        if wait:
            return await account.sends.send(to, content, key=key, wait=wait)
        return await account.sends.enqueue_file(to, content, key=key)


async def _with_mentions(account: GatewayAccount, to: str | int, text: str, mentions: list[str]) -> str:
    """
    Return a text that mentions members of a chatroom.

    Raises:
        InvalidRequest: The receiver is not a chatroom.
        UnknownContact: There is no such member, or there are several.
    """
    if not mentions:
        return text
    async with account.saved() as client:
        return mention_members(await client.find_contact(to), mentions) + text


@serve(LIST_SENDS)
async def list_sends(stored: StoredClient, query: SendsQuery) -> SendList:
    """Return the sends of the outbox, the newest first."""
    states: tuple[State, ...] = (query.send_state,) if query.send_state else ()
    chat = None if query.chat is None else which_of(query.chat)
    rows = await stored.list_sends(*states, chat=chat, limit=query.limit, before=query.before)
    return SendList(
        sends=[view_of_outgoing(row) for row in rows], before=rows[-1].number if len(rows) >= query.limit else None
    )


@serve(FIND_SEND)
async def find_send(stored: StoredClient, query: OneSend) -> OutboxEntry:
    """Return the newest send that has all of the given values."""
    row = await stored.find_send(
        client_id=query.send_id, number=query.send_number, key=query.key, message_id=query.message_id
    )
    if row is None:
        raise GatewayProblem("not-found", "The outbox has no such send.")
    return view_of_outgoing(row)


@serve(SHOW_SEND)
async def show_send(send_id: FromPath[str], stored: StoredClient) -> OutboxEntry:
    """Return one send with its state."""
    return view_of_outgoing(await required_send(stored, send_id))


@serve(RETRY_SEND, responses=SENT_OR_QUEUED)
async def retry_send(
    number: AccountNumber, send_id: FromPath[str], port: InjectedPort, prefer: Prefer = None
) -> Response[SendView]:
    """
    Send a queued or refused text again, or a queued file that the gateway keeps, under the same id.

    A send with an unknown outcome is answered with 409, and a file that is not kept with 422: send it again, with its
    key.
    """
    return answer_send(await port.account(number).sends.retry(send_id, wait=wait_of(prefer)))


@serve(RECALL_SEND)
async def recall_send(send_id: FromPath[str], owned: OwnedClient) -> None:
    """Recall a message that was sent less than two minutes ago."""
    await owned.recall(await required_send(owned, send_id))


@serve(FORGET_SEND)
async def forget_send(send_id: FromPath[str], owned: OwnedClient) -> None:
    """Delete a send from the outbox, which frees its key. A send in progress is not deleted."""
    row = await owned.find_send(client_id=send_id)
    if row is None or not await owned.forget_send(row.number):
        raise GatewayProblem("not-found", "The outbox has no send with this id, or it is in progress.")


sends_router = Router(
    "/",
    route_handlers=[send_message, list_sends, find_send, show_send, retry_send, recall_send, forget_send],
    tags=["sends"],
)
