"""Administration: keys, the audit log, and the sessions of the console."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from litestar import Request, Response, Router
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from webwx.gateway.access.auth import CONSOLE, Caller, FailedKeys
from webwx.gateway.access.keys import ApiKey, KeyRing, check_scopes
from webwx.gateway.access.sessions import ConsoleSessions
from webwx.gateway.accounts.account import GatewayAccounts
from webwx.gateway.api.audit_log import InjectedAudited, InjectedRecords
from webwx.gateway.api.parameters import InjectedCaller, InjectedPort
from webwx.gateway.api.serve_route import serve
from webwx.gateway.api.uploads import InjectedUploads
from webwx.gateway.http.front import client_address
from webwx.gateway.problems import GatewayProblem
from webwx.representations.administration import (
    CHANGE_KEY,
    CREATE_KEY,
    DELETE_KEY,
    END_SESSION,
    LIST_KEYS,
    OPEN_SESSION,
    READ_AUDIT,
    ROTATE_KEY,
    SIGN_PATHS,
    AuditPage,
    AuditQuery,
    AuditView,
    CreatedKey,
    EndedSessions,
    KeyChange,
    KeyPage,
    KeyToCreate,
    KeyView,
    OneTimeCode,
    OpenedSession,
    PathsToSign,
    RotationQuery,
    SignedPaths,
)
from webwx.representations.times import moment, optional_moment

InjectedKeys = NamedDependency[SkipValidation[KeyRing]]
InjectedSessions = NamedDependency[SkipValidation[ConsoleSessions]]
InjectedFailures = NamedDependency[SkipValidation[FailedKeys]]


def view_of_key(key: ApiKey) -> KeyView:
    """Return a key as the API shows it."""
    accounts = None if key.accounts is None else list(key.accounts)
    return KeyView(
        id=key.id, name=key.name, scopes=list(key.scopes), accounts=accounts,
        networks=list(key.networks), requests_per_minute=key.requests_per_minute, created_at=moment(key.created_at),
        expires_at=optional_moment(key.expires_at),
    )  # fmt: skip


def _require_unbound(caller: Caller) -> None:
    """Refuse a key that is bound to accounts, because it could create one that reaches all."""
    if caller.accounts is not None:
        raise GatewayProblem("forbidden", "A key that is bound to accounts cannot manage keys.")


def _check_accounts(port: GatewayAccounts, accounts: Collection[int] | msgspec.UnsetType | None) -> None:
    """Refuse a key for accounts that do not exist: a number of a typing error may be that of a later account."""
    for account in accounts or ():
        if port.find_account(str(account)) != account:  # a name may be of digits
            raise GatewayProblem("not-found", f"There is no account {account}.", field="accounts")


@serve(LIST_KEYS)
async def list_keys(caller: InjectedCaller, keys: InjectedKeys) -> KeyPage:
    """Return all keys without their secrets."""
    _require_unbound(caller)
    return KeyPage(keys=[view_of_key(key) for key in await keys.find()])


@serve(CREATE_KEY)
async def create_key(
    data: JSONBody[KeyToCreate],
    caller: InjectedCaller,
    keys: InjectedKeys,
    port: InjectedPort,
    audited: InjectedAudited,
) -> CreatedKey:
    """Create a key. Only this answer shows it."""
    _require_unbound(caller)
    _check_accounts(port, data.accounts)
    made = await keys.create(
        data.name, data.scopes, accounts=None if data.accounts is None else tuple(data.accounts),
        networks=tuple(data.networks), requests_per_minute=data.requests_per_minute,
        expires_at=None if data.expires_at is None else data.expires_at.timestamp(),
    )  # fmt: skip
    audited.target, audited.detail = made.key.id, " ".join(made.key.scopes)
    return CreatedKey(key=made.text, about=view_of_key(made.key))


@serve(CHANGE_KEY)
async def change_key(
    key_id: FromPath[str],
    data: JSONBody[KeyChange],
    caller: InjectedCaller,
    keys: InjectedKeys,
    port: InjectedPort,
    audited: InjectedAudited,
) -> KeyView:
    """Change a key's name, scopes, accounts or networks."""
    _require_unbound(caller)
    _check_accounts(port, data.accounts)

    def change(key: ApiKey) -> ApiKey:
        if data.name is not msgspec.UNSET:
            key = msgspec.structs.replace(key, name=data.name)
        if data.scopes is not msgspec.UNSET:
            key = msgspec.structs.replace(key, scopes=check_scopes(data.scopes))
        if data.accounts is not msgspec.UNSET:
            key = msgspec.structs.replace(key, accounts=None if data.accounts is None else tuple(data.accounts))
        if data.networks is not msgspec.UNSET:
            key = msgspec.structs.replace(key, networks=tuple(data.networks))
        return key

    changed = await keys.change(key_id, change)
    if changed is None:
        raise GatewayProblem("not-found", "There is no key with this id.")
    audited.detail = " ".join(changed.scopes)
    return view_of_key(changed)


@serve(ROTATE_KEY)
async def rotate_key(
    key_id: FromPath[str],
    caller: InjectedCaller,
    keys: InjectedKeys,
    query: RotationQuery,
) -> CreatedKey:
    """Replace a key's secret. Only this answer shows the new key."""
    _require_unbound(caller)
    made = await keys.rotate(key_id, overlap=query.hours * 3600)
    if made is None:
        raise GatewayProblem("not-found", "There is no key with this id.")
    return CreatedKey(key=made.text, about=view_of_key(made.key))


@serve(DELETE_KEY)
async def delete_key(
    key_id: FromPath[str], caller: InjectedCaller, keys: InjectedKeys, uploads: InjectedUploads
) -> None:
    """Delete a key with its uploads; it is refused from now on."""
    _require_unbound(caller)
    if not await keys.delete(key_id):
        raise GatewayProblem("not-found", "There is no key with this id.")
    await uploads.delete_of_others({CONSOLE, *(key.id for key in await keys.find())})


@serve(READ_AUDIT)
async def read_audit(
    caller: InjectedCaller,
    records: InjectedRecords,
    query: AuditQuery,
) -> AuditPage:
    """Return the changes with their times and keys; texts and secrets are not recorded."""
    _require_unbound(caller)
    found = await records.audit(before=query.before, limit=query.limit)
    return AuditPage(
        entries=[
            AuditView(
                number=entry.number, time=moment(entry.time), actor=entry.actor, action=entry.action,
                target=entry.target, detail=entry.detail,
            )
            for entry in found
        ]
    )  # fmt: skip


# -- the console -------------------------------------------------------------------------------------------------------


@serve(OPEN_SESSION)
async def open_session(
    data: JSONBody[OneTimeCode],
    request: Request[None, None, State],
    sessions: InjectedSessions,
    failed_keys: InjectedFailures,
) -> Response[OpenedSession]:
    """Exchange the one-time code of a link for a session. Wrong codes are slowed down like wrong keys."""
    address = client_address(request.scope)
    secret = await sessions.exchange(data.code)
    if secret is None:
        failed_keys.add(address)
        raise GatewayProblem("unauthorized", "This code is unknown, used or expired; 'webwx serve pair' prints one.")
    failed_keys.forget(address)
    return Response(OpenedSession(secret=secret), headers={"Cache-Control": "no-store"})


@serve(SIGN_PATHS)
async def sign_paths(
    caller: InjectedCaller,
    sessions: InjectedSessions,
    query: PathsToSign,
) -> Response[SignedPaths]:
    """Return a signature for each path: with it as the parameter `signature`, the path can be read for five minutes."""
    signatures = [await sessions.sign(caller.proof, each) if caller.id == CONSOLE else None for each in query.paths]
    if None in signatures:
        raise GatewayProblem("forbidden", "Only a session of the console signs addresses.")
    return Response(SignedPaths(signatures=[each or "" for each in signatures]), headers={"Cache-Control": "no-store"})


@serve(END_SESSION)
async def end_session(
    caller: InjectedCaller,
    sessions: InjectedSessions,
    query: EndedSessions,
) -> None:
    """End this session, or all sessions."""
    if query.everywhere:
        await sessions.end_all()
    elif caller.id == CONSOLE:
        await sessions.end(caller.proof)


administration_router = Router(
    "/",
    route_handlers=[
        list_keys, create_key, change_key, rotate_key, delete_key, read_audit, open_session, sign_paths,
        end_session,
    ],
    tags=["administration"],
)  # fmt: skip
