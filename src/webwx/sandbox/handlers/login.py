"""
Login: the code or the prompt on the phone, the poll, the ticket exchange, the logout.

The ticket exchange supports two kinds of clients: it answers 200 to a request with `fun=new` or `version=v2`, as the
page sends it, and 301 without a `Location` otherwise, because one client reads its keys only from such a response. All
three profiles log in here: File Transfer Helper is recognised by its header or its host, the desktop by its headers.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import segno

from webwx.protocol.codec import Media
from webwx.protocol.codes import PollCode, Ret
from webwx.protocol.http import Park, Response
from webwx.protocol.login import (
    JSLOGIN,
    LOGIN_POLL,
    LOGOUT,
    PUSHLOGIN,
    QR_PICTURE,
    QR_TEXT,
    TICKET,
    LogoutRequest,
    PollReply,
    PollRequest,
    PushLoginReply,
    PushLoginRequest,
    QrPictureRequest,
    QrReply,
    QrRequest,
    Reply,
    TicketReply,
    TicketRequest,
)
from webwx.sandbox.call import Call, handles
from webwx.sandbox.errors import Refused
from webwx.sandbox.hosts import api_origin, cookie_domains, family_of, is_helper, requested_host
from webwx.sandbox.logins import LoginCode, LoginStage
from webwx.sandbox.pictures import BLACK, WHITE, draw
from webwx.sandbox.sessions import SESSION_COOKIE

if TYPE_CHECKING:
    from webwx.sandbox.sessions import WebSession
    from webwx.sandbox.world import World

_DEVICE_COOKIE = 10 * 365 * 86400

_LOGOUT_SILENCE = 0.1
"""Seconds between a logout's answer and the end of a held poll."""

_REFUSAL = "当前登录环境异常。为了你的帐号安全，暂时不能登录web微信。你可以通过手机客户端或者windows微信登录。"
"""The platform's text for ret 1203."""

_PAGE = b"<html><head><title>webwx sandbox</title></head><body></body></html>"


@handles(JSLOGIN)
def request_code(call: Call, request: QrRequest) -> QrReply:
    """Create a login code."""
    return QrReply(uuid=call.world.new_code(requested_host(request.redirect_uri, request.appid)).uuid)


@handles(PUSHLOGIN)
def push(call: Call, request: PushLoginRequest) -> PushLoginReply:
    """Ask the phone of an earlier login to confirm; the cookies of that login identify the phone."""
    cookies = call.cookie("webwxuvid"), call.cookie("webwx_auth_ticket")
    host = requested_host(call.origin, appid="")
    code = None if is_helper(call.http) else call.world.logins.push(request.uin, *cookies, host)
    if code is None:
        raise Refused(Ret.PARAMETER_ERROR, "scan the code")
    call.world.notify_watchers()
    return PushLoginReply(ret="0", msg="all ok", uuid=code.uuid)


@handles(QR_PICTURE)
def show_code(call: Call, request: QrPictureRequest) -> Media:
    """Return the picture of a login code."""
    code = _live_code(call, request.uuid)
    modules = segno.make(f"{call.origin}/l/{code.uuid}").matrix_iter()
    picture = draw([[BLACK if is_dark else WHITE for is_dark in row] for row in modules])
    return Media(content_type="image/jpeg", content=picture)


@handles(QR_TEXT)
def explain_code(call: Call, request: QrPictureRequest) -> Media:
    """Return a page for a browser that opens the address of a code."""
    _live_code(call, request.uuid)
    return Media(content_type="text/html", content=b"<title>webwx sandbox</title><p>webwx phone scan</p>")


@handles(LOGIN_POLL)
def poll(call: Call, request: PollRequest) -> PollReply | Park:
    """Return the progress of the login on the phone; hold the poll until it changes."""
    code = call.world.logins.code(request.uuid)
    if code is None:
        return PollReply(code=PollCode.EXPIRED)
    if call.world.options.auto_confirm:
        _act_on_phone(call.world, code)
    match code.stage:
        case LoginStage.CONFIRMED:
            return PollReply(code=PollCode.CONFIRMED, redirect_uri=_redirect(call, code))
        case LoginStage.CANCELLED:
            return PollReply(code=PollCode.CANCELLED)
        case LoginStage.SCANNED if request.tip == 1 or not code.is_scan_reported:
            code.is_scan_reported = True
            return PollReply(code=PollCode.SCANNED, user_avatar=_avatar(code))
    return PollReply(code=PollCode.WAITING) if call.is_over else call.park(code.uuid)


@handles(TICKET)
def exchange(call: Call, request: TicketRequest) -> TicketReply:
    """Open the session and return its keys, in the XML and in cookies."""
    world, options, helper = call.world, call.world.options, is_helper(call.http)
    is_by_script = request.version == "v2" or request.fun == "new"
    call.status = 200 if is_by_script and options.exchange_status == "by version" else 301
    call.instead = _for_a_browser(call)
    if call.instead:
        return TicketReply()
    code = world.logins.confirmed(request.field("uuid"), request.field("ticket"))
    if options.exchange_origin and not code.is_redirected:
        code.is_redirected = True
        return TicketReply(redirecturl=_exchange_url(options.exchange_origin, code))
    person = world.logins.redeem(code)
    if not helper and (options.login_refused or (options.require_extspam and not request.extspam)):
        raise Refused(Ret.LOGIN_REFUSED, _REFUSAL)
    session = world.log_in(person, family=family_of(call.origin), is_helper=helper)
    _set_cookies(call, session)
    keys = session.keys
    return TicketReply(skey=keys.first_skey, wxsid=keys.sid, wxuin=person.uin, pass_ticket=keys.pass_ticket)


def _for_a_browser(call: Call) -> Response | None:
    """Answer the exchange in a way that only a browser can use, if an option is set."""
    options = call.world.options
    if options.exchange_location:
        call.status = 301
        return Response(headers=(("Location", options.exchange_location),))
    if options.ticket_page == "html":
        return Response(headers=(("Content-Type", "text/html"),), body=_PAGE)
    return None


def _set_cookies(call: Call, session: WebSession) -> None:
    keys = session.keys
    own, shared = cookie_domains(call.origin)
    for name, value, lifetime, domain in (
        ("wxuin", str(session.person.uin), SESSION_COOKIE, own),
        ("wxsid", keys.sid, SESSION_COOKIE, own),
        ("wxloadtime", str(int(session.started)), SESSION_COOKIE, own),
        ("mm_lang", "zh_CN", SESSION_COOKIE, own),
        ("webwx_data_ticket", keys.data_ticket, SESSION_COOKIE, shared),
        ("webwxuvid", keys.uvid, _DEVICE_COOKIE, own),
        ("webwx_auth_ticket", keys.auth_ticket, _DEVICE_COOKIE, own),
    ):
        call.set_cookie(name, value, lifetime, domain=domain)


@handles(LOGOUT)
def log_out(call: Call, request: LogoutRequest) -> Reply:
    """End the session; a held poll is answered shortly after this answer."""
    call.world.end(call.session, Ret.SESSION_INVALID, silence=_LOGOUT_SILENCE)
    if call.world.options.logout_answer == "redirect":
        _send_to_start_page(call, is_page=request.redirect == 1)
    return Reply()


def _send_to_start_page(call: Call, *, is_page: bool) -> None:
    """Answer a logout: the page gets a redirect that deletes the cookies, other clients an empty answer."""
    if not is_page:
        call.instead = Response()
        return
    call.status = 301
    call.instead = Response(headers=(("Location", f"{call.origin}/"),))
    own, _ = cookie_domains(call.origin)
    for name in ("wxuin", "wxsid"):
        call.set_cookie(name, "", -1, domain=own)


def _live_code(call: Call, uuid: str) -> LoginCode:
    code = call.world.logins.code(uuid)
    if code is None:
        call.status = 404
        raise Refused(Ret.SYSTEM_ERROR)
    return code


def _avatar(code: LoginCode) -> str:
    """Return the avatar of the person who scanned the code: a data URI with the platform's misspelled media type."""
    face = code.person.picture_bytes if code.person else b""
    return f"data:img/jpg;base64,{b64encode(face).decode()}"


def _act_on_phone(world: World, code: LoginCode) -> None:
    """Perform the next action of a phone for a login code: scan it, or confirm it."""
    if code.stage is LoginStage.NEW:
        world.scan(world.next_account().id, code.uuid)
    elif code.stage is LoginStage.SCANNED and code.is_scan_reported:
        if not code.is_pushed:
            code.person = world.next_account()  # the person may have logged in elsewhere meanwhile
        world.confirm(code.uuid)


def _redirect(call: Call, code: LoginCode) -> str:
    return _exchange_url(call.world.options.redirect_origin or api_origin(call.origin, code.host), code)


def _exchange_url(origin: str, code: LoginCode) -> str:
    return f"{origin}{TICKET.path}?ticket={code.ticket}&uuid={code.uuid}&lang=zh_CN&scan={int(code.confirmed)}"
