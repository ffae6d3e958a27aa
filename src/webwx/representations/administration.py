"""Keys, the audit log, and the sessions of the console, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from webwx.representations.fields import AccountNumbers, Name
from webwx.representations.route import LARGEST, ApiRoute, Limit, NoQuery, RouteQuery, Scope


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


# -- routes ------------------------------------------------------------------------------------------------------------


class RotationQuery(RouteQuery, frozen=True, kw_only=True):
    """How long the old secret of a rotated key works."""

    hours: Annotated[float, msgspec.Meta(ge=0, le=8760, description="Hours that the old secret works")] = 24


class AuditQuery(RouteQuery, frozen=True, kw_only=True):
    """Which entries of the audit log are listed."""

    before: Annotated[int, msgspec.Meta(ge=1, le=LARGEST, description="Only entries with a lower number")] | None = None
    limit: Limit = 100


class PathsToSign(RouteQuery, frozen=True, kw_only=True):
    """The paths to sign."""

    paths: Annotated[
        list[str],
        msgspec.Meta(
            min_length=1, max_length=50, description="Paths of media or login codes; repeat the parameter"
        ),
    ] = msgspec.field(name="path")  # fmt: skip


class EndedSessions(RouteQuery, frozen=True, kw_only=True):
    """Which sessions end."""

    everywhere: Annotated[bool, msgspec.Meta(description="End all sessions")] = msgspec.field(name="all", default=False)


LIST_KEYS: ApiRoute[NoQuery, None, KeyPage] = ApiRoute(
    method="GET", path="/keys", scope="admin", summary="List keys", reply=KeyPage, problems=(503,),
)  # fmt: skip

CREATE_KEY: ApiRoute[NoQuery, KeyToCreate, CreatedKey] = ApiRoute(
    method="POST", path="/keys", scope="admin", summary="Create a key", body=KeyToCreate,
    example=KeyToCreate(name="backup script", scopes=["send:filehelper"]), reply=CreatedKey,
    problems=(404, 422, 503), created=True,
)  # fmt: skip

CHANGE_KEY: ApiRoute[NoQuery, KeyChange, KeyView] = ApiRoute(
    method="PATCH", path="/keys/{key_id}", scope="admin", summary="Change a key", body=KeyChange,
    example=KeyChange(name="backup script"), reply=KeyView, problems=(404, 409, 422, 503),
)  # fmt: skip

ROTATE_KEY: ApiRoute[RotationQuery, None, CreatedKey] = ApiRoute(
    method="POST", path="/keys/{key_id}/rotate", scope="admin", summary="Rotate a key", query=RotationQuery,
    reply=CreatedKey, problems=(404, 409, 503), created=True,
)  # fmt: skip

DELETE_KEY: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="DELETE", path="/keys/{key_id}", scope="admin", summary="Delete a key", reply=type(None),
    problems=(404, 503),
)  # fmt: skip

READ_AUDIT: ApiRoute[AuditQuery, None, AuditPage] = ApiRoute(
    method="GET", path="/audit", scope="admin", summary="Read the audit log", query=AuditQuery, reply=AuditPage,
    problems=(503,),
)  # fmt: skip

OPEN_SESSION: ApiRoute[NoQuery, OneTimeCode, OpenedSession] = ApiRoute(
    method="POST", path="/console/session", scope=None, summary="Open a session of the console", body=OneTimeCode,
    reply=OpenedSession, problems=(503,), created=True,
)  # fmt: skip

SIGN_PATHS: ApiRoute[PathsToSign, None, SignedPaths] = ApiRoute(
    method="GET", path="/console/signatures", scope="admin", summary="Sign addresses for the console",
    query=PathsToSign, reply=SignedPaths, problems=(503,),
)  # fmt: skip

END_SESSION: ApiRoute[EndedSessions, None, None] = ApiRoute(
    method="DELETE", path="/console/session", scope="admin", summary="End a session of the console",
    query=EndedSessions, reply=type(None), problems=(503,),
)  # fmt: skip
