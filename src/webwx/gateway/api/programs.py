"""Programs that use accounts through adapters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, Router
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from webwx.gateway.access.auth import Caller
from webwx.gateway.accounts.account import GatewayAccounts
from webwx.gateway.accounts.journal_lookup import user_of
from webwx.gateway.adapters.confirmation import Confirmation
from webwx.gateway.adapters.confirmations import CONSOLE, Confirmations
from webwx.gateway.adapters.listeners import AdapterListeners
from webwx.gateway.adapters.mount import AdapterMount
from webwx.gateway.adapters.peers import ProgramActivity, ProgramPeers
from webwx.gateway.adapters.permissions import ChatPermissions, names_people, with_lists
from webwx.gateway.adapters.program import StoredProgram
from webwx.gateway.adapters.programs import NewProgram, Programs
from webwx.gateway.adapters.registry import PREFIX
from webwx.gateway.api.audit_log import InjectedAudited
from webwx.gateway.api.parameters import InjectedCaller, InjectedPort
from webwx.gateway.api.serve_route import serve
from webwx.gateway.problems import GatewayProblem
from webwx.model.contacts import FILEHELPER
from webwx.representations.programs import (
    CHANGE_PROGRAM,
    CREATE_PROGRAM,
    DECIDE_CONFIRMATION,
    DELETE_PROGRAM,
    LIST_ADAPTERS,
    LIST_CONFIRMATIONS,
    LIST_PROGRAMS,
    ROTATE_PROGRAM,
    SHOW_PROGRAM,
    AdapterList,
    AdapterView,
    ConfirmationList,
    ConfirmationView,
    CreatedProgram,
    OwnerDecision,
    PeerView,
    ProgramChange,
    ProgramList,
    ProgramToCreate,
    ProgramView,
)
from webwx.representations.route import API
from webwx.representations.times import moment, optional_moment

InjectedPrograms = NamedDependency[SkipValidation[Programs]]
InjectedPeers = NamedDependency[SkipValidation[ProgramPeers]]
InjectedListeners = NamedDependency[SkipValidation[AdapterListeners]]
InjectedConfirmations = NamedDependency[SkipValidation[Confirmations]]
InjectedMount = NamedDependency[SkipValidation[AdapterMount]]


def _view_of_program(programs: Programs, program: StoredProgram, activity: ProgramActivity) -> ProgramView:
    return ProgramView(
        id=program.id, name=program.name, adapter=program.adapter, account=program.account,
        see=program.permissions.see, write=program.permissions.write,
        options=programs.shown_options(program),
        enabled=program.enabled, created_at=moment(program.created_at),
        peers=[PeerView(address=each.address, agent=each.agent, since=moment(each.since)) for each in activity.peers],
        last_request_at=optional_moment(activity.last_request_at), last_error=activity.last_error,
        last_error_code=activity.last_error_code, last_error_at=optional_moment(activity.last_error_at),
    )  # fmt: skip


def _view_of_new(programs: Programs, made: NewProgram, peers: ProgramPeers) -> CreatedProgram:
    view = _view_of_program(programs, made.program, peers.of(made.program.id))
    return CreatedProgram(program=view, token=made.token)


async def _reached(programs: Programs, caller: Caller, program_id: str) -> StoredProgram:
    """
    Return a program whose account the caller reaches.

    Raises:
        GatewayProblem: There is no such program, or the caller does not reach its account.
    """
    program = await programs.get(program_id)
    if program is None or not caller.reaches(program.account):
        raise GatewayProblem("not-found", "There is no such program, or the key does not reach its account.")
    return program


def _require_rights(caller: Caller, program: StoredProgram) -> None:
    """
    Check that a caller may itself do what a program may do.

    Raises:
        GatewayProblem: The key lacks a scope.
    """
    if set(program.permissions.see) - {FILEHELPER} and not caller.allows("read"):
        raise GatewayProblem(
            "forbidden", "Other chats than 'filehelper' in 'see' need a key with the scope 'read'.", field="see"
        )
    if set(program.permissions.write) - {FILEHELPER} and not caller.allows("send"):
        raise GatewayProblem(
            "forbidden", "Other chats than 'filehelper' in 'write' need a key with the scope 'send'.", field="write"
        )
    for scope in ("manage", "login"):
        if program.options.get(scope) and not caller.allows(scope):
            raise GatewayProblem(
                "forbidden", f"The option '{scope}' needs a key with the scope '{scope}'.", field=f"options.{scope}"
            )
    if program.options.get("allow_private") and not caller.allows("admin"):
        raise GatewayProblem(
            "forbidden", "The option 'allow_private' needs a key with the scope 'admin'.", field="options.allow_private"
        )


@serve(LIST_ADAPTERS)
async def list_adapters(programs: InjectedPrograms, adapter_listeners: InjectedListeners) -> AdapterList:
    """Return the protocols that other programs may speak with this gateway."""
    return AdapterList(
        adapters=[
            AdapterView(
                name=name, title=entry.title, summary=entry.summary, path=f"{PREFIX}{name}",
                url=adapter_listeners.urls.get(name, ""), configurations=dict(entry.configurations),
            )
            for name, entry in programs.entries.items()
        ]
    )  # fmt: skip


@serve(LIST_PROGRAMS)
async def list_programs(programs: InjectedPrograms, peers: InjectedPeers, caller: InjectedCaller) -> ProgramList:
    """Return the programs of the accounts that the key reaches."""
    found = [each for each in await programs.find() if caller.reaches(each.account)]
    return ProgramList(programs=[_view_of_program(programs, each, peers.of(each.id)) for each in found])


@serve(CREATE_PROGRAM)
async def create_program(
    data: JSONBody[ProgramToCreate],
    programs: InjectedPrograms,
    peers: InjectedPeers,
    mount: InjectedMount,
    port: InjectedPort,
    audited: InjectedAudited,
    caller: InjectedCaller,
) -> Response[CreatedProgram]:
    """
    Create a program, and return it with its token; only this answer shows the token.

    The program reaches File Transfer Helper only, unless the lists have other chats.
    """
    _require_account(port, caller, data.account)
    program = StoredProgram(
        id="", name=data.name, adapter=data.adapter, account=data.account, digest="", created_at=0,
        enabled=data.enabled, permissions=ChatPermissions(see=data.see, write=data.write), options=data.options,
    )  # fmt: skip
    _require_rights(caller, program)
    user = await _user_of(port, data.account, data)
    permissions = with_lists(ChatPermissions(), user, see=data.see, write=data.write)
    made = await programs.create(msgspec.structs.replace(program, permissions=permissions))
    audited.target, audited.detail = made.program.id, made.program.adapter
    await mount.refresh()
    return Response(
        _view_of_new(programs, made, peers), headers={"Location": API + SHOW_PROGRAM.at(made.program.id)}
    )  # fmt: skip


@serve(SHOW_PROGRAM)
async def show_program(
    program_id: FromPath[str], programs: InjectedPrograms, peers: InjectedPeers, caller: InjectedCaller
) -> ProgramView:
    """Return one program."""
    program = await _reached(programs, caller, program_id)
    return _view_of_program(programs, program, peers.of(program.id))


@serve(CHANGE_PROGRAM)
async def change_program(
    program_id: FromPath[str],
    data: JSONBody[ProgramChange],
    programs: InjectedPrograms,
    peers: InjectedPeers,
    mount: InjectedMount,
    port: InjectedPort,
    caller: InjectedCaller,
) -> ProgramView:
    """Change some fields of a program. Its open requests and connections end, and it connects again."""
    user = await _user_of(port, (await _reached(programs, caller, program_id)).account, data)

    def change(program: StoredProgram) -> StoredProgram:
        changed = _changed(program, data, programs.secrets_of(program), user)
        for each in (program, changed):
            _require_rights(caller, each)
        return changed

    after = await programs.change(program_id, change)
    if after is None:
        raise GatewayProblem("not-found", "The program was deleted.")
    await mount.refresh()
    return _view_of_program(programs, after, peers.of(after.id))


async def _user_of(port: GatewayAccounts, account: int, data: ProgramToCreate | ProgramChange) -> int:
    """
    Return the WeChat user whose people new lists name; 0 if they name none.

    Raises:
        NotLoggedIn: The account was never logged in, so it has no people.
    """
    lists = [each for each in (data.see, data.write) if each is not msgspec.UNSET]
    return await user_of(port.account(account).client) if any(map(names_people, lists)) else 0


def _changed(program: StoredProgram, data: ProgramChange, secrets: tuple[str, ...], user: int) -> StoredProgram:
    permissions = program.permissions
    permissions = with_lists(
        permissions, user,
        see=permissions.see if data.see is msgspec.UNSET else data.see,
        write=permissions.write if data.write is msgspec.UNSET else data.write,
    )  # fmt: skip
    options: Mapping[str, Any] = program.options
    if data.options is not msgspec.UNSET:
        options = {**{name: value for name, value in program.options.items() if name in secrets}, **data.options}
    given = {name: value for name in ("name", "enabled") if (value := getattr(data, name)) is not msgspec.UNSET}
    return msgspec.structs.replace(program, permissions=permissions, options=options, **given)


@serve(ROTATE_PROGRAM)
async def rotate_program(
    program_id: FromPath[str],
    programs: InjectedPrograms,
    peers: InjectedPeers,
    mount: InjectedMount,
    caller: InjectedCaller,
) -> CreatedProgram:
    """Replace the token of a program; the old token becomes invalid at once, and what it has opened ends."""
    program = await _reached(programs, caller, program_id)
    _require_rights(caller, program)
    made = await programs.rotate(program_id)
    if made is None:
        raise GatewayProblem("not-found", "The program was deleted.")
    await mount.refresh()
    return _view_of_new(programs, made, peers)


def _view_of_confirmation(confirmation: Confirmation) -> ConfirmationView:
    is_asked, failure = confirmation.state != "preparing", confirmation.failure
    return ConfirmationView(
        code=confirmation.code, state=confirmation.state, to=confirmation.to, name=confirmation.name,
        is_group=confirmation.is_group, kind=confirmation.kind, text=confirmation.text, file=confirmation.file,
        size=confirmation.size, created_at=moment(confirmation.created_at),
        expires_at=moment(confirmation.expires_at) if is_asked else None, error=failure.text, error_code=failure.code,
    )  # fmt: skip


def _require_send(caller: Caller) -> None:
    """
    Check that a caller may send to people itself: it decides about such sends, and sees their texts.

    Raises:
        GatewayProblem: The key lacks a scope.
    """
    if not caller.allows("send"):
        raise GatewayProblem("forbidden", "The sends that wait for the owner need a key with the scope 'send'.")


@serve(LIST_CONFIRMATIONS)
async def list_confirmations(
    program_id: FromPath[str], programs: InjectedPrograms, confirmations: InjectedConfirmations, caller: InjectedCaller
) -> ConfirmationList:
    """Return the sends of a program that need the consent of the owner, answered or not."""
    program = await _reached(programs, caller, program_id)
    _require_send(caller)
    found = await confirmations.stored.list(program.id)
    return ConfirmationList(confirmations=[_view_of_confirmation(each) for each in found])


@serve(DECIDE_CONFIRMATION)
async def decide_confirmation(
    program_id: FromPath[str],
    code: FromPath[str],
    data: JSONBody[OwnerDecision],
    programs: InjectedPrograms,
    confirmations: InjectedConfirmations,
    audited: InjectedAudited,
    caller: InjectedCaller,
) -> ConfirmationView:
    """Accept or refuse a send in the place of the owner's message from the phone; the gateway makes an accepted one."""
    program = await _reached(programs, caller, program_id)
    _require_send(caller)
    found = await confirmations.stored.of_code(program.account, code)
    if found is None or found.program != program.id:
        raise GatewayProblem("not-found", "No send of this program has this code.")
    if found.state != "waiting":
        raise GatewayProblem("conflict", "This send was answered before, or its time is over; nothing has changed.")
    audited.target, audited.detail = program.id, f"{'accepted' if data.accept else 'refused'}, to {found.to}"
    decided = await confirmations.decide(found, is_yes=data.accept)
    if decided.decided_by != CONSOLE:
        raise GatewayProblem("conflict", "This send was answered on the phone meanwhile.")
    return _view_of_confirmation(decided)


@serve(DELETE_PROGRAM)
async def delete_program(
    program_id: FromPath[str], programs: InjectedPrograms, mount: InjectedMount, caller: InjectedCaller
) -> None:
    """Delete a program; its token becomes invalid at once, and its waiting events are dropped."""
    await _reached(programs, caller, program_id)
    await programs.delete(program_id)
    await mount.forget(program_id)


def _require_account(port: GatewayAccounts, caller: Caller, account: int) -> None:
    if port.find_account(str(account)) is None or not caller.reaches(account):
        raise GatewayProblem("not-found", "There is no such account, or the key does not reach it.", field="account")


programs_router = Router(
    "/",
    route_handlers=[
        list_adapters, list_programs, create_program, show_program, change_program, rotate_program, delete_program,
        list_confirmations, decide_confirmation,
    ],
    tags=["programs"],
)  # fmt: skip
