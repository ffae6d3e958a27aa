"""Logins of accounts as the API shows them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from webwx.representations.accounts import AccountView
from webwx.representations.route import ACCOUNT, LARGEST, ApiRoute, NoQuery, RouteQuery

LoginMethod = Literal["qr", "push"]
"""`qr`: show a code. `push`: ask the phone of an earlier login first, and show a code if it does not confirm."""

Form = Literal["png", "svg", "text", "terminal", "json"]


class LoginToBegin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to log in."""

    method: LoginMethod = "push"


class LoginView(msgspec.Struct, frozen=True, kw_only=True):
    """The latest login of an account."""

    state: Literal["none", "waiting", "code", "pushed", "scanned", "confirmed", "expired", "cancelled", "failed"]
    """`code`: scan the code. `pushed`: confirm on the phone. `confirmed` and `failed` end the login."""
    step: int
    """Number of the step; it grows during a login."""
    has_code: bool
    """Whether there is a code to scan, at `login/qr`."""
    error: str | None
    """Why the login has failed."""
    error_code: str = ""
    """Code of the error, listed at `/docs/errors`; empty without an error."""


class CodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A login code."""

    text: str
    """The text inside the QR code. A phone that scans it can log in here: do not store it."""


# -- routes ------------------------------------------------------------------------------------------------------------


class LoginQuery(RouteQuery, frozen=True, kw_only=True):
    """Whether to wait for the next step."""

    after: Annotated[
        int, msgspec.Meta(ge=0, le=LARGEST, description="Wait until the login is past this step, up to 25 seconds")
    ] | None = None  # fmt: skip


class CodeQuery(RouteQuery, frozen=True, kw_only=True):
    """How to show a login code."""

    form: Annotated[Form | None, msgspec.Meta(description="Overrides `Accept`")] = msgspec.field(
        name="format", default=None
    )
    step: Annotated[
        int,
        msgspec.Meta(
            ge=-LARGEST, le=LARGEST, description="Not used: with it, a page has another address for each code"
        ),
    ] | None = None  # fmt: skip


BEGIN_LOGIN: ApiRoute[NoQuery, LoginToBegin, LoginView] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/login", scope="login", summary="Begin a login", body=LoginToBegin,
    example=LoginToBegin(method="qr"),
    is_body_optional=True, reply=LoginView, problems=(404, 422, 503), accepted=True,
)  # fmt: skip

SHOW_LOGIN: ApiRoute[LoginQuery, None, LoginView] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/login", scope="login", summary="Show the login", query=LoginQuery, reply=LoginView,
    problems=(404,),
)  # fmt: skip

SHOW_CODE: ApiRoute[CodeQuery, None, bytes] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/login/qr", scope="login", summary="Show the login code", query=CodeQuery,
    reply=bytes, problems=(404, 406), is_signable=True,
)  # fmt: skip

FOLLOW_LOGIN: ApiRoute[NoQuery, None, bytes] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/login/events", scope="login", summary="Follow the login (SSE)", reply=bytes,
    problems=(404,),
)  # fmt: skip

STOP_LOGIN: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="DELETE", path=f"{ACCOUNT}/login", scope="login", summary="Stop a login", reply=type(None), problems=(404,),
)  # fmt: skip

END_LOGIN: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/logout", scope="login", summary="Log out", reply=type(None),
    problems=(404, 424, 502, 503, 504),
)  # fmt: skip

CHECK_LOGIN: ApiRoute[NoQuery, None, AccountView] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/check", scope="login", summary="Check the login", reply=AccountView,
    problems=(404, 424, 502, 503, 504),
)  # fmt: skip
