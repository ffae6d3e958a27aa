"""Receivers: addresses to which other programs send notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from webwx.gateway.accounts import GatewayAccounts
from webwx.gateway.api.audit_log import InjectedAudited
from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import InjectedCaller, InjectedPort
from webwx.gateway.api.sends import require_recipient
from webwx.gateway.auth import Caller
from webwx.gateway.notification_queue import NotificationQueue
from webwx.gateway.notify.message import OutgoingMessage
from webwx.gateway.notify.refusal import Refusal
from webwx.gateway.notify.registry import RECEIVERS
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.receivers import NewReceiver, Receivers, StoredReceiver, address_of, hook_of
from webwx.model.contacts import FILEHELPER
from webwx.representations.fields import Name, given_fields
from webwx.representations.times import moment

InjectedReceivers = NamedDependency[SkipValidation[Receivers]]
InjectedQueue = NamedDependency[SkipValidation[NotificationQueue]]

TEST_TEXT = "🔔 Test: this receiver works."
"""Text of the test button."""

_Text = Annotated[str, msgspec.Meta(max_length=200)]


class ReceiverView(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver, without its token and secret."""

    id: str
    name: str
    kind: str
    """Kind of the clients whose requests the receiver understands."""
    path: str
    """Path of this gateway to which the clients of this kind send, with `{token}` in place of the token."""
    account: int
    """Number of the account that sends the messages."""
    to: str | int
    """Recipient."""
    created_at: datetime
    has_secret: bool
    """Whether requests need a valid signature."""
    signature_header: str
    timestamp_header: str
    template: str
    allows_get: bool
    zone: str
    messages_per_minute: int
    """Number of messages that are sent one by one in a minute; further ones are combined into a digest."""
    rule: str
    """Sentence that states when messages are combined."""
    holds: bool
    """Whether messages are held while the account is logged out."""
    waiting: int
    """Number of messages that wait for a digest, or for the account."""


class ReceiverList(msgspec.Struct, frozen=True, kw_only=True):
    """The receivers of the accounts that the key reaches, the oldest first."""

    receivers: list[ReceiverView]


class CreatedReceiver(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver with its token, which only this answer shows."""

    receiver: ReceiverView
    token: str
    path: str
    """Path of this gateway to which the clients of this kind send, with the token."""
    hook: str
    """Path `/hooks/<kind>/<token>`, which works for every kind."""

    def __repr__(self) -> str:
        return f"CreatedReceiver({self.receiver.id})"


class ReceiverToCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receiver to create."""

    name: Name
    kind: _Text
    account: int
    to: str | int = FILEHELPER
    token: _Text = ""
    """A token of your choice, at least 20 characters; empty: a random one."""
    secret: _Text = ""
    signature_header: _Text = ""
    timestamp_header: _Text = ""
    template: str = ""
    allows_get: bool = False
    zone: _Text = ""
    messages_per_minute: int = 10
    holds: bool = True

    def __repr__(self) -> str:
        return "ReceiverToCreate(***)"


class ReceiverChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of a receiver; a missing field is not changed."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    to: str | int | msgspec.UnsetType = msgspec.UNSET
    secret: _Text | msgspec.UnsetType = msgspec.UNSET
    signature_header: _Text | msgspec.UnsetType = msgspec.UNSET
    timestamp_header: _Text | msgspec.UnsetType = msgspec.UNSET
    template: str | msgspec.UnsetType = msgspec.UNSET
    allows_get: bool | msgspec.UnsetType = msgspec.UNSET
    zone: _Text | msgspec.UnsetType = msgspec.UNSET
    messages_per_minute: int | msgspec.UnsetType = msgspec.UNSET
    holds: bool | msgspec.UnsetType = msgspec.UNSET

    def __repr__(self) -> str:
        return "ReceiverChange(***)"


class TestedReceiver(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a test message."""

    waiting: int
    """Number of messages that wait; 0: the test message is in the outbox."""


class ReceiverKinds(msgspec.Struct, frozen=True, kw_only=True):
    """The kinds of receivers."""

    kinds: list[str]


def view_of_receiver(receiver: StoredReceiver, waiting: int) -> ReceiverView:
    """Return a receiver as the API shows it."""
    return ReceiverView(
        id=receiver.id, name=receiver.name, kind=receiver.kind, path=address_of(receiver.kind, "{token}"),
        account=receiver.account, to=receiver.to, created_at=moment(receiver.created_at),
        has_secret=bool(receiver.secret), signature_header=receiver.signature_header,
        timestamp_header=receiver.timestamp_header, template=receiver.template, allows_get=receiver.allows_get,
        zone=receiver.zone,
        messages_per_minute=receiver.messages_per_minute, rule=str(receiver.rule), holds=receiver.holds,
        waiting=waiting,
    )  # fmt: skip


def _view_of_created(made: NewReceiver, waiting: int = 0) -> CreatedReceiver:
    return CreatedReceiver(
        receiver=view_of_receiver(made.receiver, waiting), token=made.token,
        path=address_of(made.receiver.kind, made.token), hook=hook_of(made.receiver.kind, made.token),
    )  # fmt: skip


async def _writable(receivers: Receivers, caller: Caller, receiver_id: str) -> StoredReceiver:
    """
    Return a receiver whose account the caller reaches, and to whose recipient the caller may send.

    Raises:
        GatewayProblem: There is no such receiver, or the caller may not do what it does.
    """
    receiver = await _reached(receivers, caller, receiver_id)
    require_recipient(caller, receiver.to)
    return receiver


async def _reached(receivers: Receivers, caller: Caller, receiver_id: str) -> StoredReceiver:
    """
    Return a receiver whose account the caller reaches.

    Raises:
        GatewayProblem: There is no such receiver, or the caller does not reach its account.
    """
    receiver = await receivers.get(receiver_id)
    if receiver is None or not caller.reaches(receiver.account):
        raise GatewayProblem("not-found", "There is no such receiver, or the key does not reach its account.")
    return receiver


@get("/receiver-kinds", scope="receivers", summary="List kinds of receivers", responses=problems())
async def list_receiver_kinds() -> ReceiverKinds:
    """Return the kinds of clients whose requests a receiver can understand."""
    return ReceiverKinds(kinds=list(RECEIVERS))


@get("/receivers", scope="receivers", summary="List receivers", responses=problems(503))
async def list_receivers(receivers: InjectedReceivers, queue: InjectedQueue, caller: InjectedCaller) -> ReceiverList:
    """Return the receivers of the accounts that the key reaches."""
    found = [each for each in await receivers.find() if caller.reaches(each.account)]
    return ReceiverList(receivers=[view_of_receiver(each, queue.waiting(each.id)) for each in found])


@post("/receivers", scope="receivers", summary="Create a receiver", responses=problems(404, 422, 503))
async def create_receiver(
    data: JSONBody[ReceiverToCreate],
    receivers: InjectedReceivers,
    port: InjectedPort,
    audited: InjectedAudited,
    caller: InjectedCaller,
) -> CreatedReceiver:
    """
    Create a receiver, and return it with its token and addresses; only this answer shows the token.

    A recipient other than File Transfer Helper needs the scope `send` as well.
    """
    _require_account(port, caller, data.account)
    require_recipient(caller, data.to)
    fields = given_fields(data)
    token = fields.pop("token")
    made = await receivers.create(StoredReceiver(id="", digest="", created_at=0, **fields), token)
    audited.target, audited.detail = made.receiver.id, made.receiver.kind
    return _view_of_created(made)


@get("/receivers/{receiver_id:str}", scope="receivers", summary="Show a receiver", responses=problems(404, 503))
async def show_receiver(
    receiver_id: FromPath[str], receivers: InjectedReceivers, queue: InjectedQueue, caller: InjectedCaller
) -> ReceiverView:
    """Return one receiver."""
    receiver = await _reached(receivers, caller, receiver_id)
    return view_of_receiver(receiver, queue.waiting(receiver.id))


@patch(
    "/receivers/{receiver_id:str}",
    scope="receivers",
    summary="Change a receiver",
    responses=problems(404, 409, 422, 503),
)
async def change_receiver(
    receiver_id: FromPath[str],
    data: JSONBody[ReceiverChange],
    receivers: InjectedReceivers,
    queue: InjectedQueue,
    caller: InjectedCaller,
) -> ReceiverView:
    """Change some fields of a receiver."""
    await _writable(receivers, caller, receiver_id)
    changes = given_fields(data)
    require_recipient(caller, changes.get("to", FILEHELPER))
    changed = await receivers.change(receiver_id, lambda each: msgspec.structs.replace(each, **changes))
    if changed is None:
        raise GatewayProblem("not-found", "The receiver was deleted.")
    return view_of_receiver(changed, queue.waiting(changed.id))


@post(
    "/receivers/{receiver_id:str}/rotate",
    scope="receivers",
    summary="Replace a token",
    responses=problems(404, 409, 503),
)
async def rotate_receiver(
    receiver_id: FromPath[str], receivers: InjectedReceivers, caller: InjectedCaller
) -> CreatedReceiver:
    """Replace the token of a receiver; the old token becomes invalid at once."""
    await _writable(receivers, caller, receiver_id)
    made = await receivers.rotate(receiver_id)
    if made is None:
        raise GatewayProblem("not-found", "The receiver was deleted.")
    return _view_of_created(made)


@post(
    "/receivers/{receiver_id:str}/test",
    scope="receivers",
    status_code=200,
    summary="Send a test message",
    responses=problems(404, 409, 422, 424, 503),
)
async def test_receiver(
    receiver_id: FromPath[str], receivers: InjectedReceivers, queue: InjectedQueue, caller: InjectedCaller
) -> TestedReceiver:
    """Send a test message in the same way as the receiver's messages."""
    receiver = await _writable(receivers, caller, receiver_id)
    try:
        await queue.put(receiver, OutgoingMessage(TEST_TEXT), "")
    except Refusal as refusal:
        raise GatewayProblem("unavailable", refusal.detail, retry_after=refusal.retry_after) from None
    return TestedReceiver(waiting=queue.waiting(receiver.id))


@delete("/receivers/{receiver_id:str}", scope="receivers", summary="Delete a receiver", responses=problems(404, 503))
async def delete_receiver(receiver_id: FromPath[str], receivers: InjectedReceivers, caller: InjectedCaller) -> None:
    """Delete a receiver; its token becomes invalid at once, and its waiting messages are dropped."""
    await _reached(receivers, caller, receiver_id)
    await receivers.delete(receiver_id)


def _require_account(port: GatewayAccounts, caller: Caller, account: int) -> None:
    if port.find_account(str(account)) is None or not caller.reaches(account):
        raise GatewayProblem("not-found", "There is no such account, or the key does not reach it.")


receivers_router = Router(
    "/",
    route_handlers=[
        list_receiver_kinds, list_receivers, create_receiver, show_receiver, change_receiver, rotate_receiver,
        test_receiver, delete_receiver,
    ],
    tags=["receivers"],
)  # fmt: skip
