"""Administration: keys, the audit log, and the sessions of the console."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter, SkipValidation

from webwx.gateway.accounts import GatewayAccounts
from webwx.gateway.api.audit_log import InjectedAudited, InjectedRecords
from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import InjectedCaller, InjectedPort, Limit
from webwx.gateway.api.uploads import InjectedUploads
from webwx.gateway.auth import CONSOLE, Caller, FailedKeys
from webwx.gateway.front import client_address
from webwx.gateway.keys import ApiKey, KeyRing, check_scopes
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sessions import ConsoleSessions
from webwx.representations.fields import AccountNumbers, Name
from webwx.representations.route import LARGEST, Scope
from webwx.representations.times import moment, optional_moment

InjectedKeys = NamedDependency[SkipValidation[KeyRing]]
InjectedSessions = NamedDependency[SkipValidation[ConsoleSessions]]
InjectedFailures = NamedDependency[SkipValidation[FailedKeys]]


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    accounts: list[int] | None
    """Numbers of the accounts that the key reaches; null: all."""
    networks: list[str]
    """Networks from which the key is accepted; empty: all."""
    requests_per_minute: int | None
    """Maximum number of requests in a minute; null: the limit of the gateway's configuration."""
    created_at: datetime
    expires_at: datetime | None


class CreatedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was created or rotated."""

    key: str
    """The whole key. It is not shown again."""
    about: KeyView

    def __repr__(self) -> str:
        return f"CreatedKey({self.about.id})"


class KeyPage(msgspec.Struct, frozen=True, kw_only=True):
    """The keys, the oldest first."""

    keys: list[KeyView]


class KeyToCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to create."""

    name: Name
    scopes: list[Scope]
    accounts: AccountNumbers | None = None
    networks: list[str] = []
    requests_per_minute: Annotated[int, msgspec.Meta(ge=0)] | None = None
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class KeyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of a key; a missing field is not changed."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    scopes: list[Scope] | msgspec.UnsetType = msgspec.UNSET
    accounts: AccountNumbers | msgspec.UnsetType | None = msgspec.UNSET
    networks: list[str] | msgspec.UnsetType = msgspec.UNSET


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """An action that was carried out."""

    number: int
    time: datetime
    actor: str
    """Id of the key, `console` or `cli`."""
    action: str
    target: str
    detail: str


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of the audit log, the newest first."""

    entries: list[AuditView]


class OneTimeCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code of a link that 'webwx serve' or 'webwx serve pair' has printed."""

    code: str

    def __repr__(self) -> str:
        return "OneTimeCode(***)"


class OpenedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session that was opened."""

    secret: str
    """The secret of the session, for the header `webwx-console` of each request. It is not shown again."""

    def __repr__(self) -> str:
        return "OpenedSession(***)"


class SignedPaths(msgspec.Struct, frozen=True, kw_only=True):
    """Signatures of addresses."""

    signatures: list[str]
    """One for each path, in the same order."""

    def __repr__(self) -> str:
        return f"SignedPaths({len(self.signatures)})"


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
            raise GatewayProblem("not-found", f"There is no account {account}.")


@get("/keys", scope="admin", summary="List keys", responses=problems(503))
async def list_keys(caller: InjectedCaller, keys: InjectedKeys) -> KeyPage:
    """Return all keys without their secrets."""
    _require_unbound(caller)
    return KeyPage(keys=[view_of_key(key) for key in await keys.find()])


@post("/keys", scope="admin", summary="Create a key", responses=problems(404, 422, 503))
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


@patch("/keys/{key_id:str}", scope="admin", summary="Change a key", responses=problems(404, 409, 422, 503))
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


@post("/keys/{key_id:str}/rotate", scope="admin", summary="Rotate a key", responses=problems(404, 409, 503))
async def rotate_key(
    key_id: FromPath[str],
    caller: InjectedCaller,
    keys: InjectedKeys,
    hours: Annotated[float, QueryParameter(ge=0, le=8760, description="Hours that the old secret works")] = 24,
) -> CreatedKey:
    """Replace a key's secret. Only this answer shows the new key."""
    _require_unbound(caller)
    made = await keys.rotate(key_id, overlap=hours * 3600)
    if made is None:
        raise GatewayProblem("not-found", "There is no key with this id.")
    return CreatedKey(key=made.text, about=view_of_key(made.key))


@delete("/keys/{key_id:str}", scope="admin", summary="Delete a key", responses=problems(404, 503))
async def delete_key(
    key_id: FromPath[str], caller: InjectedCaller, keys: InjectedKeys, uploads: InjectedUploads
) -> None:
    """Delete a key with its uploads; it is refused from now on."""
    _require_unbound(caller)
    if not await keys.delete(key_id):
        raise GatewayProblem("not-found", "There is no key with this id.")
    await uploads.delete_of_others({CONSOLE, *(key.id for key in await keys.find())})


@get("/audit", scope="admin", summary="Read the audit log", responses=problems(503))
async def read_audit(
    caller: InjectedCaller,
    records: InjectedRecords,
    before: Annotated[
        int | None, QueryParameter(ge=1, le=LARGEST, description="Only entries with a lower number")
    ] = None,
    limit: Limit = 100,
) -> AuditPage:
    """Return the changes with their times and keys; texts and secrets are not recorded."""
    _require_unbound(caller)
    found = await records.audit(before=before, limit=limit)
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


@post("/console/session", is_public=True, summary="Open a session of the console", security=[], responses=problems(503))
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
    return Response(OpenedSession(secret=secret), status_code=201, headers={"Cache-Control": "no-store"})


@get("/console/signatures", scope="admin", summary="Sign addresses for the console", responses=problems(503))
async def sign_paths(
    caller: InjectedCaller,
    sessions: InjectedSessions,
    path: Annotated[
        list[str],
        QueryParameter(min_items=1, max_items=50, description="Paths of media or login codes; repeat the parameter"),
    ],
) -> Response[SignedPaths]:
    """Return a signature for each path: with it as the parameter `signature`, the path can be read for five minutes."""
    signatures = [await sessions.sign(caller.proof, each) if caller.id == CONSOLE else None for each in path]
    if None in signatures:
        raise GatewayProblem("forbidden", "Only a session of the console signs addresses.")
    return Response(SignedPaths(signatures=[each or "" for each in signatures]), headers={"Cache-Control": "no-store"})


@delete("/console/session", scope="admin", summary="End a session of the console", responses=problems(503))
async def end_session(
    caller: InjectedCaller,
    sessions: InjectedSessions,
    everywhere: Annotated[bool, QueryParameter(name="all", description="End all sessions")] = False,
) -> None:
    """End this session, or all sessions."""
    if everywhere:
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
