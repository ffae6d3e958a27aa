"""Programs that use accounts through adapters, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from webwx.model.contacts import FILEHELPER
from webwx.representations.fields import Name
from webwx.representations.route import ApiRoute, NoQuery

Chats: TypeAlias = Annotated[tuple[str | int, ...], msgspec.Meta(max_length=1000)]
"""Chats of a list: `filehelper`, the numbers of people and chatrooms, or `*` for all chats."""


ConfirmationState = Literal["preparing", "waiting", "accepted", "made", "failed", "refused", "expired"]
"""
State of a send that needs the consent of the owner. `preparing`: the owner was not asked yet. `waiting`: the owner was
asked. `accepted`: it will be made. `made`: it is in the outbox, which has its outcome. `failed`: it could not be made.
`refused`: the owner does not want it. `expired`: there was no answer in time.
"""


class AdapterView(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter: a protocol that other programs speak."""

    name: str
    title: str
    summary: str
    path: str
    """Begin of the paths of this gateway that the adapter has; its protocol's own path follows."""
    url: str
    """
    Address of the listener that the adapter has of its own at the node that answers, for programs of its machine; the
    protocol's own path follows. Empty: there is none.
    """
    configurations: dict[str, str]
    """
    Configurations for well-known programs, by their names, with `{url}` for the address of the gateway, or of the
    adapter's own listener, and `{token}` for the token.
    """


class AdapterList(msgspec.Struct, frozen=True, kw_only=True):
    """The adapters of this gateway."""

    adapters: list[AdapterView]


class PeerView(msgspec.Struct, frozen=True, kw_only=True):
    """An open request or connection of a program."""

    address: str
    agent: str
    """How the client calls itself; empty if it does not."""
    since: datetime


class ProgramView(msgspec.Struct, frozen=True, kw_only=True):
    """A program, without its token."""

    id: str
    name: str
    adapter: str
    """Name of the adapter."""
    account: int
    """Number of the account that it uses."""
    see: tuple[str | int, ...]
    """Chats whose messages it reads."""
    write: tuple[str | int, ...]
    """Chats to which it sends."""
    options: dict[str, Any]
    """Options of the adapter, without secret ones."""
    enabled: bool
    created_at: datetime
    peers: list[PeerView]
    """Its open requests and connections at the node that answers."""
    last_request_at: datetime | None
    """Time of its last request at the node that answers; null: none since the start."""
    last_error: str
    """Its last error at the node that answers; empty: none since the start."""
    last_error_code: str = ""
    """Code of the last error, listed at `/docs/errors`; empty without an error."""
    last_error_at: datetime | None

    def __repr__(self) -> str:
        return f"ProgramView({self.id})"


class ProgramList(msgspec.Struct, frozen=True, kw_only=True):
    """The programs of the accounts that the key reaches, the oldest first."""

    programs: list[ProgramView]


class CreatedProgram(msgspec.Struct, frozen=True, kw_only=True):
    """A program with its token, which only this answer shows."""

    program: ProgramView
    token: str

    def __repr__(self) -> str:
        return f"CreatedProgram({self.program.id})"


class ProgramToCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program to create."""

    name: Name
    adapter: Annotated[str, msgspec.Meta(max_length=100)]
    account: int
    see: Chats = (FILEHELPER,)
    """Chats whose messages it reads; others than File Transfer Helper need a key with the scope `read`."""
    write: Chats = (FILEHELPER,)
    """Chats to which it sends; others than File Transfer Helper need a key with the scope `send`."""
    options: dict[str, Any] = {}
    """Options of the adapter."""
    enabled: bool = True

    def __repr__(self) -> str:
        return "ProgramToCreate(***)"


class ProgramChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of a program; a missing field is not changed."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    see: Chats | msgspec.UnsetType = msgspec.UNSET
    write: Chats | msgspec.UnsetType = msgspec.UNSET
    options: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """All options of the adapter; one that is left out gets its default, but a secret one stays as it is."""
    enabled: bool | msgspec.UnsetType = msgspec.UNSET

    def __repr__(self) -> str:
        return "ProgramChange(***)"


class ConfirmationView(msgspec.Struct, frozen=True, kw_only=True):
    """A send of a program that needs the consent of the owner."""

    code: str
    """What the owner writes on the phone, behind `y` or `n`."""
    state: ConfirmationState
    to: str | int
    """The recipient: the number of a person or chatroom."""
    name: str
    """Name of the recipient."""
    is_group: bool
    """Whether the recipient is a chatroom."""
    kind: Literal["text", "forward", "image", "video", "file", "sticker"]
    """What is sent; `forward`: a message that is forwarded."""
    text: str
    """The text, the caption of a file, or what a forwarded message says; empty once the question is answered."""
    file: str
    """Name of a file; empty: it is no file."""
    size: int
    """Number of bytes of a file."""
    created_at: datetime
    expires_at: datetime | None
    """Time until which the owner can answer; null: the owner was not asked yet."""
    error: str = ""
    """Why an accepted send was not made; empty if it has not failed."""
    error_code: str = ""
    """Code of the error, listed at `/docs/errors`; empty without an error."""

    def __repr__(self) -> str:
        return f"ConfirmationView({self.state})"


class ConfirmationList(msgspec.Struct, frozen=True, kw_only=True):
    """The sends of a program that need consent, of about the last day, the oldest first."""

    confirmations: list[ConfirmationView]


class OwnerDecision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer of the owner."""

    accept: bool
    """Whether the send is made; otherwise it is refused."""


LIST_ADAPTERS: ApiRoute[NoQuery, None, AdapterList] = ApiRoute(
    method="GET", path="/adapters", scope="adapters", summary="List adapters", reply=AdapterList,
)  # fmt: skip

LIST_PROGRAMS: ApiRoute[NoQuery, None, ProgramList] = ApiRoute(
    method="GET", path="/programs", scope="adapters", summary="List programs", reply=ProgramList, problems=(503,),
)  # fmt: skip

CREATE_PROGRAM: ApiRoute[NoQuery, ProgramToCreate, CreatedProgram] = ApiRoute(
    method="POST", path="/programs", scope="adapters", summary="Create a program", body=ProgramToCreate,
    example=ProgramToCreate(name="assistant", adapter="mcp", account=1), reply=CreatedProgram,
    problems=(404, 422, 424, 503), created=True,
)  # fmt: skip

SHOW_PROGRAM: ApiRoute[NoQuery, None, ProgramView] = ApiRoute(
    method="GET", path="/programs/{program_id}", scope="adapters", summary="Show a program", reply=ProgramView,
    problems=(404, 503),
)  # fmt: skip

CHANGE_PROGRAM: ApiRoute[NoQuery, ProgramChange, ProgramView] = ApiRoute(
    method="PATCH", path="/programs/{program_id}", scope="adapters", summary="Change a program", body=ProgramChange,
    example=ProgramChange(see=(FILEHELPER, 12)), reply=ProgramView, problems=(404, 409, 422, 424, 503),
)  # fmt: skip

ROTATE_PROGRAM: ApiRoute[NoQuery, None, CreatedProgram] = ApiRoute(
    method="POST", path="/programs/{program_id}/rotate", scope="adapters", summary="Replace the token of a program",
    reply=CreatedProgram, problems=(404, 409, 422, 503), created=True,
)  # fmt: skip

DELETE_PROGRAM: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="DELETE", path="/programs/{program_id}", scope="adapters", summary="Delete a program", reply=type(None),
    problems=(404, 503),
)  # fmt: skip

LIST_CONFIRMATIONS: ApiRoute[NoQuery, None, ConfirmationList] = ApiRoute(
    method="GET", path="/programs/{program_id}/confirmations", scope="adapters",
    summary="List the sends that wait for the owner, with a key that may also send", reply=ConfirmationList,
    problems=(403, 404, 503),
)  # fmt: skip

DECIDE_CONFIRMATION: ApiRoute[NoQuery, OwnerDecision, ConfirmationView] = ApiRoute(
    method="POST", path="/programs/{program_id}/confirmations/{code}", scope="adapters",
    summary="Accept or refuse a send, with a key that may also send", body=OwnerDecision,
    example=OwnerDecision(accept=True), reply=ConfirmationView, problems=(403, 404, 409, 503),
)  # fmt: skip
