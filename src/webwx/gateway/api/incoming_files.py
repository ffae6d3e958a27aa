"""Rules that save the files of chats to a folder of this machine, and the outcomes for the latest files."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from webwx.gateway.account_consumers import require_room
from webwx.gateway.accounts import GatewayAccounts
from webwx.gateway.api.audit_log import InjectedAudited
from webwx.gateway.api.documented import problems
from webwx.gateway.api.fields import AccountNumbers, Name, Patterns, given_fields
from webwx.gateway.api.parameters import InjectedCaller, InjectedPort
from webwx.gateway.auth import Caller
from webwx.gateway.incoming_file_rules import IncomingFileRule, IncomingFileRules
from webwx.gateway.incoming_files import FileOutcome, IncomingFile, IncomingFiles
from webwx.gateway.problems import GatewayProblem
from webwx.model.archive import MediaKind
from webwx.representations.times import moment

InjectedRules = NamedDependency[SkipValidation[IncomingFileRules]]
InjectedIncomingFiles = NamedDependency[SkipValidation[IncomingFiles]]

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


class IncomingFileList(msgspec.Struct, frozen=True, kw_only=True):
    """The outcomes for the latest hundred files of a rule, the newest first."""

    files: list[IncomingFileView]


def _view_of_file(file: IncomingFile) -> IncomingFileView:
    return IncomingFileView(
        account=file.account, number=file.number, outcome=file.outcome, time=moment(file.time), name=file.name,
        size=file.size, chat_name=file.chat_name, error=file.error,
    )  # fmt: skip


async def _view_of_rule(rule: IncomingFileRule, files: IncomingFiles) -> IncomingFileRuleView:
    state: Literal["active", "failing", "disabled", "no_root"] = "active"
    if not rule.enabled:
        state = "disabled"
    elif not files.root:
        state = "no_root"
    elif any(each.outcome == "retrying" for each in await files.outcomes.find(rule.id)):
        state = "failing"
    return IncomingFileRuleView(
        id=rule.id, name=rule.name, folder=rule.folder, pattern=rule.pattern, accounts=rule.accounts,
        chats=rule.chats, kinds=rule.kinds, is_self=rule.is_self, max_bytes=rule.max_bytes, state=state,
        consumer=rule.consumer, created_at=moment(rule.created_at),
    )  # fmt: skip


def _require_all_accounts(caller: Caller) -> None:
    """Refuse a key that is bound to accounts, because rules write to the disk that all accounts share."""
    if caller.accounts is not None:
        raise GatewayProblem("forbidden", "A key that is bound to accounts cannot manage rules of incoming files.")


def _check_rule_accounts(port: GatewayAccounts, accounts: Collection[int] | None) -> None:
    for account in accounts or ():
        if port.find_account(str(account)) is None:
            raise GatewayProblem("not-found", f"There is no account {account}.")


@get("/incoming-file-rules", scope="admin", summary="List rules of incoming files", responses=problems(503))
async def list_incoming_file_rules(
    rules: InjectedRules, incoming_files: InjectedIncomingFiles, caller: InjectedCaller
) -> IncomingFileRuleList:
    """Return the rules that save incoming files."""
    _require_all_accounts(caller)
    return IncomingFileRuleList(
        root=incoming_files.root or None,
        rules=[await _view_of_rule(each, incoming_files) for each in await rules.find()],
    )  # fmt: skip


@post(
    "/incoming-file-rules", scope="admin", summary="Create a rule of incoming files",
    responses=problems(404, 409, 422, 503),
)  # fmt: skip
async def create_incoming_file_rule(
    data: JSONBody[IncomingFileRuleToCreate],
    rules: InjectedRules,
    incoming_files: InjectedIncomingFiles,
    port: InjectedPort,
    audited: InjectedAudited,
    caller: InjectedCaller,
) -> IncomingFileRuleView:
    """Create a rule, which saves the files that arrive from now on; the configuration has to name a root."""
    _require_all_accounts(caller)
    if not incoming_files.root:
        raise GatewayProblem("conflict", "Set 'root' of [incoming_files] in gateway.toml, and restart the gateway.")
    _check_rule_accounts(port, data.accounts)
    given = IncomingFileRule(id="", created_at=0, **given_fields(data))
    await require_room(port, given.serves)
    rule = await rules.create(given)
    audited.target = rule.id
    await incoming_files.apply(rule.id)
    return await _view_of_rule(rule, incoming_files)


@patch(
    "/incoming-file-rules/{rule_id:str}", scope="admin", summary="Change a rule of incoming files",
    responses=problems(404, 409, 422, 503),
)  # fmt: skip
async def change_incoming_file_rule(
    rule_id: FromPath[str],
    data: JSONBody[IncomingFileRuleChange],
    rules: InjectedRules,
    incoming_files: InjectedIncomingFiles,
    port: InjectedPort,
    caller: InjectedCaller,
) -> IncomingFileRuleView:
    """Change some fields of a rule. It keeps its position, and waiting files are tried again at once."""
    _require_all_accounts(caller)
    changes = given_fields(data)
    _check_rule_accounts(port, changes.get("accounts"))
    if (before := await rules.get(rule_id)) is not None:
        after = msgspec.structs.replace(before, **changes)
        await require_room(
            port, lambda number: after.enabled and after.serves(number),
            served=lambda number: before.enabled and before.serves(number),
        )  # fmt: skip
    changed = await rules.change(rule_id, lambda each: msgspec.structs.replace(each, **changes))
    if changed is None:
        raise GatewayProblem("not-found", "There is no such rule.")
    await incoming_files.apply(rule_id)
    return await _view_of_rule(changed, incoming_files)


@delete(
    "/incoming-file-rules/{rule_id:str}", scope="admin", summary="Delete a rule of incoming files",
    responses=problems(404, 503),
)  # fmt: skip
async def delete_incoming_file_rule(
    rule_id: FromPath[str],
    rules: InjectedRules,
    incoming_files: InjectedIncomingFiles,
    caller: InjectedCaller,
) -> None:
    """Delete a rule; the files that it has saved stay."""
    _require_all_accounts(caller)
    if not await rules.delete(rule_id):
        raise GatewayProblem("not-found", "There is no such rule.")
    await incoming_files.apply(rule_id)


@get(
    "/incoming-file-rules/{rule_id:str}/files", scope="admin", summary="List the latest incoming files",
    responses=problems(404, 503),
)  # fmt: skip
async def list_incoming_files(
    rule_id: FromPath[str], rules: InjectedRules, incoming_files: InjectedIncomingFiles, caller: InjectedCaller
) -> IncomingFileList:
    """Return the outcomes for the latest files of a rule, the newest first."""
    _require_all_accounts(caller)
    if await rules.get(rule_id) is None:
        raise GatewayProblem("not-found", "There is no such rule.")
    return IncomingFileList(files=[_view_of_file(each) for each in await incoming_files.outcomes.find(rule_id)])


incoming_files_router = Router(
    "/",
    route_handlers=[
        list_incoming_file_rules, create_incoming_file_rule, change_incoming_file_rule, delete_incoming_file_rule,
        list_incoming_files,
    ],
    tags=["incoming files"],
)  # fmt: skip
