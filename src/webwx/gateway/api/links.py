"""Links that work without a key: to the media of a message for a day, or to the code of a login for five minutes."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, SkipValidation
from litestar.response import Stream

from webwx.gateway.access.auth import FailedKeys
from webwx.gateway.access.capability_links import CapabilityLinks, LinkedThing, NewLink, SharedLink
from webwx.gateway.accounts.account import GatewayAccounts
from webwx.gateway.accounts.journal_lookup import required_event
from webwx.gateway.accounts.logins import LoginStatus
from webwx.gateway.api.documented import problems
from webwx.gateway.api.media_answer import MEDIA_ANSWERS, MediaRange, MediaTag, answer_media
from webwx.gateway.api.parameters import AccountNumber, EventNumber, InjectedCaller, InjectedPort, StoredClient
from webwx.gateway.api.serve_route import serve
from webwx.gateway.http.front import client_address
from webwx.gateway.http.unauthenticated import admit
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sends.uploads import plain_name
from webwx.model.login import QrCode
from webwx.model.messages import FileMessage
from webwx.representations.links import CREATE_LOGIN_LINK, CREATE_MEDIA_LINK, LinkToShare
from webwx.representations.times import moment

InjectedLinks = NamedDependency[SkipValidation[CapabilityLinks]]
InjectedFailures = NamedDependency[SkipValidation[FailedKeys]]

_REFRESH = 3
"""Seconds after which a browser reloads the page of a login."""


def _made(request: Request[Any, Any, Any], made: NewLink, path: str) -> Response[LinkToShare]:
    body = LinkToShare(url=f"{str(request.base_url).rstrip('/')}{path}", expires_at=moment(made.link.expires_at))
    return Response(body, status_code=201, headers={"Cache-Control": "no-store"})


@serve(CREATE_MEDIA_LINK)
async def create_media_link(
    request: Request[Any, Any, Any],
    number: AccountNumber,
    event: EventNumber,
    stored: StoredClient,
    caller: InjectedCaller,
    links: InjectedLinks,
) -> Response[LinkToShare]:
    """Make a link that opens the media of one message without a key, for a day or until the key is deleted."""
    message = await required_event(stored, event)
    name = plain_name(message.name) if isinstance(message, FileMessage) else "media"
    made = await links.create("media", caller, number, event)
    return _made(request, made, f"/m/{made.token}/{quote(name)}")


@serve(CREATE_LOGIN_LINK)
async def create_login_link(
    request: Request[Any, Any, Any], number: AccountNumber, caller: InjectedCaller, links: InjectedLinks
) -> Response[LinkToShare]:
    """
    Make a link to a page with the code of the login in progress, for five minutes or until the key is deleted.

    A phone that scans the code logs in here: give the link to the owner of the account only.
    """
    made = await links.create("login_code", caller, number)
    return _made(request, made, f"/q/{made.token}")


shared_links_router = Router(
    "/",
    route_handlers=[
        Router("/", route_handlers=[create_media_link], tags=["messages"]),
        Router("/", route_handlers=[create_login_link], tags=["logins"]),
    ],
)
"""The routes of the API."""


# -- what a link opens -------------------------------------------------------------------------------------------------


async def _opened(
    links: CapabilityLinks,
    opens: LinkedThing,
    token: str,
    request: Request[Any, Any, Any],
    failed_keys: FailedKeys,
    port: GatewayAccounts,
) -> SharedLink:
    """
    Return the link with a token.

    Raises:
        GatewayProblem: There is no such link; guesses are slowed down like wrong keys.
    """
    link = await links.find(opens, token)
    if link is None or port.find_account(str(link.account)) is None:
        failed_keys.add(client_address(request.scope))
        raise GatewayProblem("not-found", "This link is unknown, or has expired.")
    admit(request.scope)
    return link


@get(
    "/m/{token:str}/{name:str}", is_public=True, tags=["messages"], summary="Open a link to media", security=[],
    responses={**problems(404, 416, 424, 502, 503, 504), **MEDIA_ANSWERS},
)  # fmt: skip
async def open_media_link(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    name: FromPath[str],  # noqa: ARG001 - for the reader of the link
    port: InjectedPort,
    links: InjectedLinks,
    failed_keys: InjectedFailures,
    wanted_range: MediaRange = None,
    if_none_match: MediaTag = None,
) -> Stream | Response[bytes]:
    """Download the media of the message that a link opens."""
    link = await _opened(links, "media", token, request, failed_keys, port)
    media = await port.account(link.account).media(link.event)
    return await answer_media(media, f"{link.account}-{link.event}", wanted_range, if_none_match)


@get(
    "/q/{token:str}", is_public=True, tags=["logins"], media_type=MediaType.HTML, security=[],
    summary="Open a link to the login code",
    responses={
        **problems(404, 503),
        200: ResponseSpec(str, generate_examples=False, media_type="text/html", description="The page"),
    },
)  # fmt: skip
async def open_login_link(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    port: InjectedPort,
    links: InjectedLinks,
    failed_keys: InjectedFailures,
) -> Response[str]:
    """Return a page with the code of the login in progress; it reloads itself to show each new code."""
    link = await _opened(links, "login_code", token, request, failed_keys, port)
    body = page_of(port.account(link.account).logins.present)
    return Response(body, media_type=MediaType.HTML, headers={"Cache-Control": "no-store"})


_TEXTS = {
    "code": ("Scan this code with WeChat on your phone.", "请用手机微信扫描此二维码。"),
    "scanned": ("Confirm the login on your phone.", "请在手机上确认登录。"),
    "pushed": ("Confirm the login on your phone.", "请在手机上确认登录。"),
    "confirmed": ("The account is logged in.", "账号已登录。"),
    "none": ("There is no code to scan now.", "现在没有可扫描的二维码。"),
}
"""Text of the page by the state of the login, in English and Chinese."""


def page_of(status: LoginStatus | None) -> str:
    """Return the page for a login."""
    state = "none" if status is None else status.state
    english, chinese = _TEXTS.get(state, _TEXTS["none"])
    picture = QrCode(url=status.code).svg() if status is not None and status.code and state == "code" else ""
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><meta http-equiv='refresh' content='{_REFRESH}'>"
        "<meta name='viewport' content='width=device-width'><meta name='robots' content='noindex'>"
        f"<title>webwx</title><body>{picture}<p>{escape(english)}</p><p lang='zh'>{escape(chinese)}</p></body></html>"
    )


opened_links_router = Router("/", route_handlers=[open_media_link, open_login_link])
"""The routes that links open, outside of `/api/v1`."""
