"""Rules that save the files of chats to a folder of this machine, and the outcomes for the latest files."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec
from litestar import Router
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from webwx.gateway.access.auth import Caller
from webwx.gateway.accounts.account import GatewayAccounts
from webwx.gateway.accounts.consumers import require_room
from webwx.gateway.api.audit_log import InjectedAudited
from webwx.gateway.api.parameters import InjectedCaller, InjectedPort
from webwx.gateway.api.serve_route import serve
from webwx.gateway.incoming_files.incoming_files import IncomingFile, IncomingFiles
from webwx.gateway.incoming_files.rules import IncomingFileRule, IncomingFileRules
from webwx.gateway.problems import GatewayProblem
from webwx.representations.fields import given_fields
from webwx.representations.incoming_files import (
    CHANGE_INCOMING_FILE_RULE,
    CREATE_INCOMING_FILE_RULE,
    DELETE_INCOMING_FILE_RULE,
    LIST_INCOMING_FILE_RULES,
    LIST_INCOMING_FILES,
    IncomingFileList,
    IncomingFileRuleChange,
    IncomingFileRuleList,
    IncomingFileRuleToCreate,
    IncomingFileRuleView,
    IncomingFileView,
)
from webwx.representations.times import moment

InjectedRules = NamedDependency[SkipValidation[IncomingFileRules]]
InjectedIncomingFiles = NamedDependency[SkipValidation[IncomingFiles]]


def _view_of_file(file: IncomingFile) -> IncomingFileView:
    return IncomingFileView(
        account=file.account, number=file.number, outcome=file.outcome, time=moment(file.time), name=file.name,
        size=file.size, chat_name=file.chat_name, error=file.error, error_code=file.error_code,
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
            raise GatewayProblem("not-found", f"There is no account {account}.", field="accounts")


@serve(LIST_INCOMING_FILE_RULES)
async def list_incoming_file_rules(
    rules: InjectedRules, incoming_files: InjectedIncomingFiles, caller: InjectedCaller
) -> IncomingFileRuleList:
    """Return the rules that save incoming files."""
    _require_all_accounts(caller)
    return IncomingFileRuleList(
        root=incoming_files.root or None,
        rules=[await _view_of_rule(each, incoming_files) for each in await rules.find()],
    )  # fmt: skip


@serve(CREATE_INCOMING_FILE_RULE)
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


@serve(CHANGE_INCOMING_FILE_RULE)
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


@serve(DELETE_INCOMING_FILE_RULE)
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


@serve(LIST_INCOMING_FILES)
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
