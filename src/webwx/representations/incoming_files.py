"""Rules that save the files of chats, and the outcomes for the latest files, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from webwx.model.archive import MediaKind
from webwx.representations.fields import AccountNumbers, Name, Patterns
from webwx.representations.route import ApiRoute, NoQuery

FileOutcome = Literal["saved", "too_large", "retrying", "failed"]
"""`failed`: given up; the event is a dead letter of the rule's consumer."""

_Folder = Annotated[str, msgspec.Meta(max_length=400)]

_Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]

_Kinds = Annotated[list[MediaKind], msgspec.Meta(min_length=1, max_length=5)]


class IncomingFileRuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that saves incoming files."""

    id: str
    name: str
    folder: str
    """Path below the root."""
    pattern: str
    """Pattern of the names of files; each file keeps its extension."""
    accounts: tuple[int, ...] | None
    """Numbers of the accounts whose files are saved; null: all, later ones included."""
    chats: tuple[str, ...]
    """Names or ids of the chats whose files are saved; empty: all."""
    kinds: tuple[MediaKind, ...]
    is_self: bool | None
    """True: only files that the account has sent from another device. False: only those of others. Null: both."""
    max_bytes: int
    """Maximum size of a file in bytes; a larger file is not saved."""
    state: Literal["active", "failing", "disabled", "no_root"]
    """`failing`: a file waits for another attempt. `no_root`: the configuration names no folder."""
    consumer: str
    """Name of the consumer that has the dead letters of the rule."""
    created_at: datetime


class IncomingFileRuleList(msgspec.Struct, frozen=True, kw_only=True):
    """The rules, the oldest first."""

    root: str | None
    """The folder of this machine that contains the folders of all rules; null: none is configured."""
    rules: list[IncomingFileRuleView]


class IncomingFileRuleToCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule to create."""

    name: Name
    folder: _Folder = ""
    """Path below the root, such as `phone/scans`; empty: the root itself."""
    pattern: _Pattern = "{name}"
    """
    Pattern of the names of files, without the extension: text with `{name}`, `{date}`, `{time}`, `{chat}`, `{sender}`,
    `{account}`, `{kind}` and `{number}`.
    """
    accounts: AccountNumbers | None = None
    chats: Patterns = []
    kinds: _Kinds = msgspec.field(default_factory=lambda: ["file", "image", "video"])
    is_self: bool | None = None
    max_bytes: int = 100 * 1024 * 1024

    def __repr__(self) -> str:
        return "IncomingFileRuleToCreate(***)"


class IncomingFileRuleChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of a rule; a missing field is not changed."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    folder: _Folder | msgspec.UnsetType = msgspec.UNSET
    pattern: _Pattern | msgspec.UnsetType = msgspec.UNSET
    accounts: AccountNumbers | msgspec.UnsetType | None = msgspec.UNSET
    chats: Patterns | msgspec.UnsetType = msgspec.UNSET
    kinds: _Kinds | msgspec.UnsetType = msgspec.UNSET
    is_self: bool | msgspec.UnsetType | None = msgspec.UNSET
    max_bytes: int | msgspec.UnsetType = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    """False: save nothing and keep the position. True: continue from the position."""

    def __repr__(self) -> str:
        return "IncomingFileRuleChange(***)"


class IncomingFileView(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome for a file."""

    account: int
    number: int
    """Number of the event."""
    outcome: FileOutcome
    """`too_large`: not saved because of its size. `failed`: given up; the event is a dead letter of the consumer."""
    time: datetime
    name: str
    """Name of the file in the rule's folder; empty if the file was not saved."""
    size: int
    """Size in bytes; 0 if it is unknown."""
    chat_name: str
    error: str
    """Why the file was not saved."""
    error_code: str = ""
    """Code of the error, listed at `/docs/errors`; empty without an error, or if an earlier version stored it."""


class IncomingFileList(msgspec.Struct, frozen=True, kw_only=True):
    """The outcomes for the latest hundred files of a rule, the newest first."""

    files: list[IncomingFileView]


LIST_INCOMING_FILE_RULES: ApiRoute[NoQuery, None, IncomingFileRuleList] = ApiRoute(
    method="GET", path="/incoming-file-rules", scope="admin", summary="List rules of incoming files",
    reply=IncomingFileRuleList, problems=(503,),
)  # fmt: skip

CREATE_INCOMING_FILE_RULE: ApiRoute[NoQuery, IncomingFileRuleToCreate, IncomingFileRuleView] = ApiRoute(
    method="POST", path="/incoming-file-rules", scope="admin", summary="Create a rule of incoming files",
    body=IncomingFileRuleToCreate, example=IncomingFileRuleToCreate(name="reports", chats=["Boss"]),
    reply=IncomingFileRuleView, problems=(404, 409, 422, 503), created=True,
)  # fmt: skip

CHANGE_INCOMING_FILE_RULE: ApiRoute[NoQuery, IncomingFileRuleChange, IncomingFileRuleView] = ApiRoute(
    method="PATCH", path="/incoming-file-rules/{rule_id}", scope="admin", summary="Change a rule of incoming files",
    body=IncomingFileRuleChange, example=IncomingFileRuleChange(enabled=False), reply=IncomingFileRuleView,
    problems=(404, 409, 422, 503),
)  # fmt: skip

DELETE_INCOMING_FILE_RULE: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="DELETE", path="/incoming-file-rules/{rule_id}", scope="admin", summary="Delete a rule of incoming files",
    reply=type(None), problems=(404, 503),
)  # fmt: skip

LIST_INCOMING_FILES: ApiRoute[NoQuery, None, IncomingFileList] = ApiRoute(
    method="GET", path="/incoming-file-rules/{rule_id}/files", scope="admin", summary="List the latest incoming files",
    reply=IncomingFileList, problems=(404, 503),
)  # fmt: skip
