"""
Login: the code, the poll, the exchange, the logout.

What each client insists on is in the protocol notes (login, 2, 4 and 5); the oddest: without `version=v2` the exchange
answers 301 without a Location, because one client reads its keys from nothing else.
"""

from __future__ import annotations

import io

import segno

from webwx.protocol.codec import Media
from webwx.protocol.codes import PollCode, Ret
from webwx.protocol.http import Park
from webwx.protocol.login import (
    JSLOGIN,
    LOGIN_POLL,
    LOGOUT,
    QR_PICTURE,
    QR_TEXT,
    TICKET,
    LogoutRequest,
    PollReply,
    PollRequest,
    QrPictureRequest,
    QrReply,
    QrRequest,
    Reply,
    TicketReply,
    TicketRequest,
)
from webwx.sandbox.logins import LoginCode, Stage
from webwx.sandbox.refusals import Refused
from webwx.sandbox.visit import Visit, answers
from webwx.sandbox.world import World

_SESSION_COOKIE = 12 * 3600
_DEVICE_COOKIE = 10 * 365 * 86400

_LOGOUT_SILENCE = 0.1
"""Seconds between a logout's answer and the end of a held poll."""

_AVATAR = (
    "data:img/jpg;base64,"
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////"
    "////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
)
"""One pixel, with the media type misspelled as in every capture."""


@answers(JSLOGIN)
def request_code(visit: Visit, request: QrRequest) -> QrReply:
    """Make a code."""
    del request
    return QrReply(uuid=visit.world.logins.new_code().uuid)


@answers(QR_PICTURE)
def show_code(visit: Visit, request: QrPictureRequest) -> Media:
    """Draw a code."""
    code = _live_code(visit, request.uuid)
    picture = io.BytesIO()
    segno.make(f"{visit.origin}/l/{code.uuid}").save(picture, kind="png", scale=8)
    return Media(content_type="image/png", content=picture.getvalue())


@answers(QR_TEXT)
def explain_code(visit: Visit, request: QrPictureRequest) -> Media:
    """Tell whoever opened a code's address what to do with it."""
    _live_code(visit, request.uuid)
    return Media(content_type="text/html", content=b"<title>webwx sandbox</title><p>webwx phone scan</p>")


@answers(LOGIN_POLL)
def poll(visit: Visit, request: PollRequest) -> PollReply | Park:
    """Say what the phone has done, holding the poll while it has done nothing new."""
    code = visit.world.logins.code(request.uuid)
    if code is None:
        return PollReply(code=PollCode.EXPIRED)
    if visit.world.switches.auto_confirm:
        _press(visit.world, code)
    match code.stage:
        case Stage.CONFIRMED:
            return PollReply(code=PollCode.CONFIRMED, redirect_uri=_redirect(visit, code))
        case Stage.CANCELLED:
            return PollReply(code=PollCode.CANCELLED)
        case Stage.SCANNED if request.tip == 1 or not code.is_scan_told:
            code.is_scan_told = True
            return PollReply(code=PollCode.SCANNED, user_avatar=_AVATAR)
    return PollReply(code=PollCode.WAITING) if visit.is_over else visit.park()


@answers(TICKET)
def exchange(visit: Visit, request: TicketRequest) -> TicketReply:
    """Open the session and hand out its keys, in the XML and in cookies."""
    visit.status = 200 if request.version == "v2" else 301
    session = visit.world.exchange(request.field("uuid"), request.field("ticket"))
    keys, uin = session.keys, session.person.uin
    for name, value, lifetime in (
        ("wxuin", str(uin), _SESSION_COOKIE),
        ("wxsid", keys.sid, _SESSION_COOKIE),
        ("wxloadtime", str(int(session.started)), _SESSION_COOKIE),
        ("mm_lang", "zh_CN", _SESSION_COOKIE),
        ("webwx_data_ticket", keys.data_ticket, _SESSION_COOKIE),
        ("webwxuvid", keys.uvid, _DEVICE_COOKIE),
        ("webwx_auth_ticket", keys.auth_ticket, _DEVICE_COOKIE),
    ):
        visit.set_cookie(name, value, lifetime)
    return TicketReply(skey=keys.first_skey, wxsid=keys.sid, wxuin=uin, pass_ticket=keys.pass_ticket)


@answers(LOGOUT)
def log_out(visit: Visit, request: LogoutRequest) -> Reply:
    """End the session; a held poll learns of it a moment after this answer."""
    del request
    visit.world.end(visit.session, Ret.SESSION_INVALID, silence=_LOGOUT_SILENCE)
    return Reply()


def _live_code(visit: Visit, uuid: str) -> LoginCode:
    code = visit.world.logins.code(uuid)
    if code is None:
        visit.status = 404
        raise Refused(Ret.SYSTEM_ERROR)
    return code


def _press(world: World, code: LoginCode) -> None:
    """Do what a phone would do next."""
    if code.stage is Stage.NEW:
        world.scan(world.next_account().id, code.uuid)
    elif code.stage is Stage.SCANNED and code.is_scan_told:
        code.person = world.next_account()  # whoever scanned may have logged in elsewhere meanwhile
        world.confirm(code.uuid)


def _redirect(visit: Visit, code: LoginCode) -> str:
    origin = visit.world.switches.redirect_origin or visit.origin
    return f"{origin}{TICKET.path}?ticket={code.ticket}&uuid={code.uuid}&lang=zh_CN&scan={int(code.confirmed)}"
