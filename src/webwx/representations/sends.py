"""Sends and uploads as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from webwx.errors import ProtocolError
from webwx.model.contacts import ContactId
from webwx.model.messages import Receipt
from webwx.representations.route import ACCOUNT, LARGEST, ApiRoute, Chat, Limit, NoQuery, RouteQuery
from webwx.storage.tables.outbox import Outgoing, State

MediaKind = Literal["image", "video", "file", "sticker"]

SendKind = Literal["text", "image", "video", "file", "sticker", "location"]
"""Kind of content; a location is only forwarded."""


class SendView(msgspec.Struct, frozen=True, kw_only=True):
    """A send: a message of the outbox with its state."""

    id: str
    """Id of the send, the same for all attempts."""
    state: State
    """
    `queued`: nothing was transmitted yet. `sending`: something may have been. `sent`: the platform confirmed it.
    `failed`: the platform refused it. `unknown`: the outcome is not known. `recalled`: it was sent, and recalled.
    """
    message_id: str | None = None
    """The platform's id of the message, once it is sent."""
    chat: str | None = None
    """Id of the receiver in the login of the send."""
    time: datetime | None = None
    """Time at which the platform accepted the message."""


class OutboxEntry(SendView, frozen=True, kw_only=True):
    """A send of the outbox, with its content."""

    number: int
    """Number of the send in its account."""
    kind: SendKind
    text: str
    """The text, or the name of the file."""
    created_at: datetime
    changed_at: datetime
    """Time of the last change of the state."""
    ret: int
    """The platform's error code if the send is `failed`; else 0."""

    def __repr__(self) -> str:
        return f"OutboxEntry({self.kind}, {self.state})"


class SendChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """A send that was stored, or whose state has changed."""

    account: int
    """Number of the account."""
    send: OutboxEntry
    """The send as it is now; its text is empty if the reader's key cannot read sends (scope `read`)."""


class SendEventView(msgspec.Struct, frozen=True, kw_only=True):
    """The change of a send, as webhooks get it."""

    id: str
    """Unique id of this change."""
    type: Literal["send.changed"] = "send.changed"
    time: datetime
    """Time of the change."""
    account: int
    """Number of the account."""
    chat: str | None
    """Id of the chat in the login of the send."""
    data: OutboxEntry
    """The send as it is now."""


class FileToSend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file to send: exactly one of `upload_id`, `data` and `url`."""

    upload_id: str | None = None
    """Id of an upload of this key."""
    data: str | None = None
    """The content in base64; the whole request is limited like every body, so upload larger files."""
    url: str | None = None
    """Public address from which the gateway fetches the file, if its configuration allows this."""
    name: str | None = None
    """File name for the recipient; null: the name of the upload, or the last part of the URL."""
    kind: MediaKind | None = None
    """Kind of message; null: detected from the content."""

    def __repr__(self) -> str:
        return "FileToSend(***)"


class MessageToSend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message to send."""

    to: str | int
    """A remark, a nickname, an id, `filehelper`, or the number of a contact."""
    text: str | None = None
    """The text; it is sent unchanged. Either a text or a file."""
    file: FileToSend | None = None
    """The file. Either a text or a file."""
    mentions: list[str] = []
    """
    Members of the chatroom to mention, by their ids or names: `@name` is put before the text, as the app does. The web
    protocol has no other mark of a mention, so the app may not notify them.
    """
    reply_to: int | None = None
    """Always refused: the web protocol cannot quote a message."""

    def __repr__(self) -> str:
        return "MessageToSend(***)"


class SendList(msgspec.Struct, frozen=True, kw_only=True):
    """Sends of the outbox, the newest first."""

    sends: list[OutboxEntry]
    before: int | None
    """Value of `before` for the next page; null on the last page."""


class UploadView(msgspec.Struct, frozen=True, kw_only=True):
    """An upload that a message can contain."""

    upload_id: str
    name: str
    bytes: int
    """Size of the whole file in bytes."""
    offset: int
    """Number of bytes that have arrived; the next request continues there."""
    is_complete: bool
    media_type: str
    kind: MediaKind
    """Kind of message by default; known once the upload is complete."""
    expires_at: datetime


# -- routes ------------------------------------------------------------------------------------------------------------


class SendsQuery(RouteQuery, frozen=True, kw_only=True):
    """Which sends are listed."""

    send_state: State | None = msgspec.field(name="state", default=None)
    chat: Chat = None
    before: Annotated[int, msgspec.Meta(ge=1, le=LARGEST, description="Only sends with a lower number")] | None = None
    limit: Limit = 50


class OneSend(RouteQuery, frozen=True, kw_only=True):
    """The values of one send."""

    send_id: Annotated[str, msgspec.Meta(description="Id of the send")] = msgspec.field(name="id", default="")
    send_number: Annotated[int, msgspec.Meta(ge=0, le=LARGEST, description="Number of the send in the outbox")] = 0
    key: Annotated[str, msgspec.Meta(description="Idempotency key of the send")] = ""
    message_id: Annotated[str, msgspec.Meta(description="The platform's id of the message")] = ""


SEND_MESSAGE: ApiRoute[NoQuery, MessageToSend, SendView] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/messages", scope="send:filehelper", summary="Send a message", body=MessageToSend,
    example=MessageToSend(to="filehelper", text="Backup finished"), reply=SendView,
    problems=(404, 409, 413, 422, 424, 502, 503, 504, 507), created=True,
)  # fmt: skip

LIST_SENDS: ApiRoute[SendsQuery, None, SendList] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/sends", scope="read", summary="List sends", query=SendsQuery, reply=SendList,
    problems=(404, 422, 424, 503),
)  # fmt: skip

FIND_SEND: ApiRoute[OneSend, None, OutboxEntry] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/sends/find", scope="read", summary="Find a send", query=OneSend, reply=OutboxEntry,
    problems=(404, 424, 503),
)  # fmt: skip

SHOW_SEND: ApiRoute[NoQuery, None, OutboxEntry] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/sends/{{send_id}}", scope="read", summary="Show a send", reply=OutboxEntry,
    problems=(404, 424, 503),
)  # fmt: skip

RETRY_SEND: ApiRoute[NoQuery, None, SendView] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/sends/{{send_id}}/retry", scope="send", summary="Send again", reply=SendView,
    problems=(404, 409, 422, 424, 502, 503, 504), created=True, is_repeatable=True,
)  # fmt: skip

RECALL_SEND: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/sends/{{send_id}}/recall", scope="manage", summary="Recall a send",
    reply=type(None), problems=(404, 409, 422, 424, 502, 503, 504),
)  # fmt: skip

FORGET_SEND: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="DELETE", path=f"{ACCOUNT}/sends/{{send_id}}", scope="send", summary="Forget a send", reply=type(None),
    problems=(404, 424, 503),
)  # fmt: skip


class UploadQuery(RouteQuery, frozen=True, kw_only=True):
    """The name of an upload."""

    name: Annotated[
        str, msgspec.Meta(max_length=255, description="Name for the receiver; default: that of a form's file")
    ] | None = None  # fmt: skip


UPLOAD_FILE: ApiRoute[UploadQuery, bytes, UploadView] = ApiRoute(
    method="POST", path="/uploads", scope="send:filehelper", summary="Upload a file", query=UploadQuery, body=bytes,
    is_body_optional=True, reply=UploadView, problems=(413, 503, 507), created=True,
)  # fmt: skip

CONTINUE_UPLOAD: ApiRoute[NoQuery, bytes, UploadView] = ApiRoute(
    method="PATCH", path="/uploads/{upload_id}", scope="send:filehelper", summary="Continue an upload", body=bytes,
    reply=UploadView, problems=(404, 409, 413, 503, 507),
)  # fmt: skip

SHOW_UPLOAD: ApiRoute[NoQuery, None, UploadView] = ApiRoute(
    method="GET", path="/uploads/{upload_id}", scope="send:filehelper", summary="Show an upload", reply=UploadView,
    problems=(404, 503),
)  # fmt: skip

ASK_OFFSET: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="HEAD", path="/uploads/{upload_id}", scope="send:filehelper", summary="Ask for the offset of an upload",
    reply=type(None), problems=(404, 503),
)  # fmt: skip

DELETE_UPLOAD: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="DELETE", path="/uploads/{upload_id}", scope="send:filehelper", summary="Delete an upload", reply=type(None),
    problems=(404, 503),
)  # fmt: skip


class NotifyQuery(RouteQuery, frozen=True, kw_only=True):
    """Which account sends a text to its File Transfer Helper."""

    account: Annotated[
        str | None, msgspec.Meta(description="Number or name, if the key reaches several accounts")
    ] = None  # fmt: skip


NOTIFY: ApiRoute[NotifyQuery, bytes, SendView] = ApiRoute(
    method="POST", path="/notify", scope="send:filehelper", summary="Send a text to File Transfer Helper",
    query=NotifyQuery, body=bytes, reply=SendView, problems=(404, 409, 415, 422, 424, 502, 503, 504), created=True,
)  # fmt: skip


# -- as values of the library ------------------------------------------------------------------------------------------


def receipt_of(sent: SendView) -> Receipt:
    """
    Return the receipt of a send.

    Raises:
        ProtocolError: The message was not sent.
    """
    if sent.message_id is None or sent.chat is None or sent.time is None:
        raise ProtocolError(f"The gateway has no receipt of the send; its state is {sent.state!r}.")
    return Receipt(message_id=sent.message_id, client_id=sent.id, chat=ContactId(sent.chat), time=sent.time.timestamp())


def outgoing_of(entry: OutboxEntry) -> Outgoing:
    """Return a send of the outbox; its key stays in the gateway."""
    return Outgoing(
        number=entry.number, client_id=entry.id, chat=ContactId(entry.chat or ""), kind=entry.kind, text=entry.text,
        state=entry.state, receipt=receipt_of(entry) if entry.message_id is not None else None,
        ret=entry.ret, created_at=entry.created_at.timestamp(), changed_at=entry.changed_at.timestamp(),
    )  # fmt: skip
