"""Sends: texts and uploaded files, their states, and what to do about them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter, SkipValidation
from litestar.status_codes import HTTP_201_CREATED, HTTP_202_ACCEPTED

from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import (
    AccountNumber,
    IdempotencyKey,
    InjectedCaller,
    InjectedPort,
    Limit,
    Prefer,
)
from webwx.gateway.api.representations import OutboxEntry, SendView, view_of_outgoing, view_of_sent
from webwx.gateway.auth import Caller
from webwx.gateway.port import Content, MediaContent, MediaKind, Sent, TextContent
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.uploads import UploadStore, plain_name
from webwx.model.contacts import FILEHELPER

LONGEST_WAIT = 25.0
"""Seconds for which a request waits for the outcome of its send, unless it prefers fewer."""

_WAIT = re.compile(r"wait=(\d{1,3})")

SENT_OR_QUEUED = {
    202: ResponseSpec(SendView, generate_examples=False, description="Stored, and sent in the background")
}


class FileToSend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An uploaded file to send."""

    upload_id: str
    name: str | None = None
    """Name for the receiver; null: the name of the upload."""
    kind: MediaKind | None = None
    """How to send it; null: by its content."""


class MessageToSend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message to send."""

    to: str | int
    """A remark, a nickname, an id, `filehelper`, or the number of a contact."""
    text: str | None = None
    """The text; it is sent unchanged. Either a text or a file."""
    file: FileToSend | None = None
    """The file. Either a text or a file."""

    def __repr__(self) -> str:
        return "MessageToSend(***)"


class SendList(msgspec.Struct, frozen=True, kw_only=True):
    """Sends of the outbox, the newest first."""

    sends: list[OutboxEntry]


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
    """Return 201 for a message that was sent, and 202 for one that waits or is on its way."""
    is_sent = sent.state in {"sent", "recalled"}
    return Response(view_of_sent(sent), status_code=HTTP_201_CREATED if is_sent else HTTP_202_ACCEPTED)


@post(
    "/accounts/{account:str}/messages",
    scope="send:filehelper",
    summary="Send a message",
    responses={**problems(404, 409, 422, 424, 502, 503, 504), **SENT_OR_QUEUED},
)
async def send_message(
    number: AccountNumber,
    data: JSONBody[MessageToSend],
    port: InjectedPort,
    caller: InjectedCaller,
    uploads: NamedDependency[SkipValidation[UploadStore]],
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response[SendView]:
    """
    Send a message, and answer when its outcome is known.

    201: it was sent. 202: it is stored and sent in the background; `Location` shows its state. 409: it may have been
    sent; check the chat before you send it again. 422, 424: it was not sent.
    """
    require_recipient(caller, data.to)
    account, wait = port.account(number), wait_of(prefer)
    content, key = await _content_of(data, caller, uploads), idempotency_key or ""
    if wait:
        sent = await account.send(data.to, content, key=key, wait=wait)
    elif isinstance(content, TextContent):
        sent = await account.enqueue(data.to, content.text, key=key)
    else:
        sent = await account.enqueue_file(data.to, content, key=key)
    made = answer_send(sent)
    made.set_header("Location", f"/api/v1/accounts/{number}/sends/{sent.client_id}")
    return made


async def _content_of(data: MessageToSend, caller: Caller, uploads: UploadStore) -> Content:
    """
    Return what to send.

    Raises:
        GatewayProblem: There is neither a text nor a file, or both; or the upload is not there.
    """
    if (data.text is None) == (data.file is None):
        raise GatewayProblem("bad-request", "A message has either a text or a file.")
    if data.text is not None:
        return TextContent(text=data.text)
    assert data.file is not None  # noqa: S101 - for the type checker
    upload = await uploads.find(data.file.upload_id, caller.id)
    if upload is None:
        raise GatewayProblem("not-found", "There is no such upload of this key, or it has expired.")
    return MediaContent(
        kind=data.file.kind or upload.kind, path=uploads.path(upload.id), name=plain_name(data.file.name or upload.name)
    )


@get("/accounts/{account:str}/sends", scope="read", summary="List sends", responses=problems(404, 422, 424, 503))
async def list_sends(
    number: AccountNumber,
    port: InjectedPort,
    send_state: Annotated[
        Literal["queued", "sending", "sent", "failed", "unknown", "recalled"] | None, QueryParameter(name="state")
    ] = None,
    limit: Limit = 50,
) -> SendList:
    """Return the sends of the outbox, the newest first."""
    rows = await port.account(number).list_sends((send_state,) if send_state else (), limit=limit)
    return SendList(sends=[view_of_outgoing(row) for row in rows])


@get(
    "/accounts/{account:str}/sends/{send_id:str}",
    scope="read",
    summary="Show a send",
    responses=problems(404, 424, 503),
)
async def show_send(number: AccountNumber, send_id: FromPath[str], port: InjectedPort) -> OutboxEntry:
    """Return one send with its state."""
    row = await port.account(number).find_send(send_id)
    if row is None:
        raise GatewayProblem("not-found", "The outbox has no send with this id.")
    return view_of_outgoing(row)


@post(
    "/accounts/{account:str}/sends/{send_id:str}/retry",
    scope="send",
    summary="Send again",
    responses=problems(404, 409, 422, 424, 502, 503, 504),
)
async def retry_send(number: AccountNumber, send_id: FromPath[str], port: InjectedPort) -> SendView:
    """Send a queued or refused text again, under the same id. A send with an unknown outcome is answered with 409."""
    return view_of_sent(await port.account(number).retry_send(send_id))


@post(
    "/accounts/{account:str}/sends/{send_id:str}/recall",
    scope="manage",
    status_code=204,
    summary="Recall a send",
    responses=problems(404, 409, 422, 424, 502, 503, 504),
)
async def recall_send(number: AccountNumber, send_id: FromPath[str], port: InjectedPort) -> None:
    """Recall a message that was sent less than two minutes ago."""
    await port.account(number).recall_send(send_id)


@delete(
    "/accounts/{account:str}/sends/{send_id:str}",
    scope="send",
    summary="Forget a send",
    responses=problems(404, 424, 503),
)
async def forget_send(number: AccountNumber, send_id: FromPath[str], port: InjectedPort) -> None:
    """Delete a send from the outbox, which frees its key. One in progress is not deleted."""
    if not await port.account(number).forget_send(send_id):
        raise GatewayProblem("not-found", "The outbox has no send with this id, or it is in progress.")


sends_router = Router(
    "/", route_handlers=[send_message, list_sends, show_send, retry_send, recall_send, forget_send], tags=["sends"]
)
