"""Receivers: addresses to which other programs send notifications."""

from __future__ import annotations

import msgspec
from litestar import Response, Router
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from webwx.errors import NotLoggedIn
from webwx.gateway.access.auth import Caller
from webwx.gateway.accounts.account import GatewayAccounts
from webwx.gateway.accounts.journal_lookup import user_of
from webwx.gateway.api.audit_log import InjectedAudited
from webwx.gateway.api.parameters import InjectedCaller, InjectedPort
from webwx.gateway.api.sends import require_recipient
from webwx.gateway.api.serve_route import serve
from webwx.gateway.notify.message import OutgoingMessage
from webwx.gateway.notify.refusal import Refusal
from webwx.gateway.notify.registry import RECEIVERS
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.receivers.notification_queue import NotificationQueue
from webwx.gateway.receivers.receivers import NewReceiver, Receivers, StoredReceiver, address_of, hook_of
from webwx.model.contacts import FILEHELPER
from webwx.representations.fields import given_fields
from webwx.representations.receivers import (
    CHANGE_RECEIVER,
    CREATE_RECEIVER,
    DELETE_RECEIVER,
    LIST_RECEIVER_KINDS,
    LIST_RECEIVERS,
    ROTATE_RECEIVER,
    SHOW_RECEIVER,
    TEST_RECEIVER,
    CreatedReceiver,
    ReceiverChange,
    ReceiverKinds,
    ReceiverList,
    ReceiverToCreate,
    ReceiverView,
    TestedReceiver,
)
from webwx.representations.route import API
from webwx.representations.times import moment

InjectedReceivers = NamedDependency[SkipValidation[Receivers]]
InjectedQueue = NamedDependency[SkipValidation[NotificationQueue]]

TEST_TEXT = "🔔 Test: this receiver works."
"""Text of the test button."""


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


@serve(LIST_RECEIVER_KINDS)
async def list_receiver_kinds() -> ReceiverKinds:
    """Return the kinds of clients whose requests a receiver can understand."""
    return ReceiverKinds(kinds=list(RECEIVERS))


@serve(LIST_RECEIVERS)
async def list_receivers(receivers: InjectedReceivers, queue: InjectedQueue, caller: InjectedCaller) -> ReceiverList:
    """Return the receivers of the accounts that the key reaches."""
    found = [each for each in await receivers.find() if caller.reaches(each.account)]
    return ReceiverList(receivers=[view_of_receiver(each, queue.waiting(each.id)) for each in found])


@serve(CREATE_RECEIVER)
async def create_receiver(
    data: JSONBody[ReceiverToCreate],
    receivers: InjectedReceivers,
    port: InjectedPort,
    audited: InjectedAudited,
    caller: InjectedCaller,
) -> Response[CreatedReceiver]:
    """
    Create a receiver, and return it with its token and addresses; only this answer shows the token.

    A recipient other than File Transfer Helper needs the scope `send` as well.
    """
    _require_account(port, caller, data.account)
    require_recipient(caller, data.to)
    fields = given_fields(data)
    token = fields.pop("token")
    user = await _user_of(port, data.account, data.to)
    made = await receivers.create(StoredReceiver(id="", digest="", created_at=0, user=user, **fields), token)
    audited.target, audited.detail = made.receiver.id, made.receiver.kind
    return Response(_view_of_created(made), headers={"Location": API + SHOW_RECEIVER.at(made.receiver.id)})


async def _user_of(port: GatewayAccounts, account: int, to: str | int) -> int:
    """
    Return the WeChat user whose person or chatroom a recipient is; 0 for File Transfer Helper, or before a login.

    Raises:
        NotLoggedIn: The recipient is a number, and the account was never logged in, so it has no people.
    """
    if to == FILEHELPER:
        return 0
    try:
        return await user_of(port.account(account).client)
    except NotLoggedIn:
        if isinstance(to, int):
            raise
        return 0


@serve(SHOW_RECEIVER)
async def show_receiver(
    receiver_id: FromPath[str], receivers: InjectedReceivers, queue: InjectedQueue, caller: InjectedCaller
) -> ReceiverView:
    """Return one receiver."""
    receiver = await _reached(receivers, caller, receiver_id)
    return view_of_receiver(receiver, queue.waiting(receiver.id))


@serve(CHANGE_RECEIVER)
async def change_receiver(
    receiver_id: FromPath[str],
    data: JSONBody[ReceiverChange],
    receivers: InjectedReceivers,
    queue: InjectedQueue,
    port: InjectedPort,
    caller: InjectedCaller,
) -> ReceiverView:
    """Change some fields of a receiver."""
    receiver = await _writable(receivers, caller, receiver_id)
    changes = given_fields(data)
    if changes.get("to", receiver.to) != receiver.to:
        changes["user"] = await _user_of(port, receiver.account, changes["to"])
    require_recipient(caller, changes.get("to", FILEHELPER))
    changed = await receivers.change(receiver_id, lambda each: msgspec.structs.replace(each, **changes))
    if changed is None:
        raise GatewayProblem("not-found", "The receiver was deleted.")
    return view_of_receiver(changed, queue.waiting(changed.id))


@serve(ROTATE_RECEIVER)
async def rotate_receiver(
    receiver_id: FromPath[str], receivers: InjectedReceivers, caller: InjectedCaller
) -> CreatedReceiver:
    """Replace the token of a receiver; the old token becomes invalid at once."""
    await _writable(receivers, caller, receiver_id)
    made = await receivers.rotate(receiver_id)
    if made is None:
        raise GatewayProblem("not-found", "The receiver was deleted.")
    return _view_of_created(made)


@serve(TEST_RECEIVER)
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


@serve(DELETE_RECEIVER)
async def delete_receiver(receiver_id: FromPath[str], receivers: InjectedReceivers, caller: InjectedCaller) -> None:
    """Delete a receiver; its token becomes invalid at once, and its waiting messages are dropped."""
    await _reached(receivers, caller, receiver_id)
    await receivers.delete(receiver_id)


def _require_account(port: GatewayAccounts, caller: Caller, account: int) -> None:
    if port.find_account(str(account)) is None or not caller.reaches(account):
        raise GatewayProblem("not-found", "There is no such account, or the key does not reach it.", field="account")


receivers_router = Router(
    "/",
    route_handlers=[
        list_receiver_kinds, list_receivers, create_receiver, show_receiver, change_receiver, rotate_receiver,
        test_receiver, delete_receiver,
    ],
    tags=["receivers"],
)  # fmt: skip
