"""Receivers: addresses to which other programs send notifications, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec

from webwx.model.contacts import FILEHELPER
from webwx.representations.fields import Name
from webwx.representations.route import ApiRoute, NoQuery

_Text = Annotated[str, msgspec.Meta(max_length=200)]

RECEIVER_KINDS = (
    "alertmanager", "apprise", "bark", "cloudevents", "dingtalk", "discord", "feishu", "github", "gotify", "grafana",
    "json", "ntfy", "pushplus", "serverchan", "slack", "wecom",
)  # fmt: skip
"""Kinds of the clients whose requests a receiver may understand."""

ReceiverKind: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=200, extra_json_schema={"enum": [*RECEIVER_KINDS]})
]  # fmt: skip


class ReceiverView(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver, without its token and secret."""

    id: str
    name: str
    kind: ReceiverKind
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
    kind: ReceiverKind
    account: int
    to: str | int = FILEHELPER
    """Recipient, of the WeChat user who is logged in now, or logs in first; for another user, File Transfer Helper."""
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


LIST_RECEIVER_KINDS: ApiRoute[NoQuery, None, ReceiverKinds] = ApiRoute(
    method="GET", path="/receiver-kinds", scope="receivers", summary="List kinds of receivers", reply=ReceiverKinds,
)  # fmt: skip

LIST_RECEIVERS: ApiRoute[NoQuery, None, ReceiverList] = ApiRoute(
    method="GET", path="/receivers", scope="receivers", summary="List receivers", reply=ReceiverList, problems=(503,),
)  # fmt: skip

CREATE_RECEIVER: ApiRoute[NoQuery, ReceiverToCreate, CreatedReceiver] = ApiRoute(
    method="POST", path="/receivers", scope="receivers", summary="Create a receiver", body=ReceiverToCreate,
    example=ReceiverToCreate(name="alerts", kind="ntfy", account=1), reply=CreatedReceiver,
    problems=(404, 422, 424, 503), created=True,
)  # fmt: skip

SHOW_RECEIVER: ApiRoute[NoQuery, None, ReceiverView] = ApiRoute(
    method="GET", path="/receivers/{receiver_id}", scope="receivers", summary="Show a receiver", reply=ReceiverView,
    problems=(404, 503),
)  # fmt: skip

CHANGE_RECEIVER: ApiRoute[NoQuery, ReceiverChange, ReceiverView] = ApiRoute(
    method="PATCH", path="/receivers/{receiver_id}", scope="receivers", summary="Change a receiver",
    body=ReceiverChange, example=ReceiverChange(name="alerts"), reply=ReceiverView, problems=(404, 409, 422, 424, 503),
)  # fmt: skip

ROTATE_RECEIVER: ApiRoute[NoQuery, None, CreatedReceiver] = ApiRoute(
    method="POST", path="/receivers/{receiver_id}/rotate", scope="receivers", summary="Replace a token",
    reply=CreatedReceiver, problems=(404, 409, 503), created=True,
)  # fmt: skip

TEST_RECEIVER: ApiRoute[NoQuery, None, TestedReceiver] = ApiRoute(
    method="POST", path="/receivers/{receiver_id}/test", scope="receivers", summary="Send a test message",
    reply=TestedReceiver, problems=(404, 409, 422, 424, 503),
)  # fmt: skip

DELETE_RECEIVER: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="DELETE", path="/receivers/{receiver_id}", scope="receivers", summary="Delete a receiver", reply=type(None),
    problems=(404, 503),
)  # fmt: skip
