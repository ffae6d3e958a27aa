"""
Login, split where a person acts: request a code, poll until it is scanned and confirmed, exchange the ticket, open.

The caller shows the code, repeats the poll, and requests a new code when one has expired. Sequence and codes:
docs/protocol/login.md.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import LoginRefused, NotOnThisHost, ProtocolError, UnexpectedLoginPage, UnsafeRedirect
from webwx.flows.call import Flow, call, exchange, judge, masked, read, secrets_of
from webwx.protocol.codec import number
from webwx.protocol.codes import LOGGED_OUT_REASONS, PollCode, Ret
from webwx.protocol.contacts import WEBWXINIT, InitRequest
from webwx.protocol.cookies import read_cookie_header
from webwx.protocol.hosts import Hosts, follow
from webwx.protocol.login import (
    JSLOGIN,
    LOGIN_POLL,
    LOGOUT,
    PUSHLOGIN,
    QR_TEXT,
    TICKET,
    Credentials,
    LogoutRequest,
    PollReply,
    PollRequest,
    PushLoginRequest,
    QrPictureRequest,
    QrRequest,
    TicketReply,
    TicketRequest,
)

if TYPE_CHECKING:
    from webwx.model.login import Login
    from webwx.protocol.contacts import InitReply
    from webwx.protocol.hosts import Desktop
    from webwx.protocol.http import Response

# It goes into addresses and onto the screen, so nothing but what the platform really hands out.
_UUID = re.compile(r"[A-Za-z0-9_\-]{8,64}={0,2}")

_UNSHOWN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)|<[^>]*>?", re.DOTALL | re.IGNORECASE)
"""Parts of a page that a browser does not show."""

_LONGEST_PAGE = 256 * 1024
"""Maximum size in bytes of a page that is searched for an excerpt."""

_MAX_EXCHANGES = 3
"""Maximum number of hosts that one ticket exchange may be redirected through."""


def request_code(login: Login, now: float) -> Flow[str]:
    """
    Request a login code and return its uuid.

    Raises:
        ProtocolError: The server sent no uuid, or an invalid one.

    Wire: jslogin
    """
    profile = login.profile
    redirect_uri = f"{login.hosts.main}{TICKET.path}"
    if profile.mod:
        redirect_uri += f"?mod={profile.mod}"
    request = QrRequest(appid=profile.appid, redirect_uri=redirect_uri, timestamp=int(now * 1000))
    reply = yield from call(JSLOGIN, request, login.hosts)
    if reply.code != 200 or not _UUID.fullmatch(reply.uuid):
        raise ProtocolError("jslogin: the server sent no valid login code.")
    return reply.uuid


def request_push_ticket(earlier: Login) -> Flow[str]:
    """
    Ask the phone of an earlier login to confirm without a code; return the uuid to poll, or an empty text.

    The cookies of that login tell the server which device to ask.

    Raises:
        ProtocolError: The server sent an invalid uuid.

    Wire: webwxpushloginurl
    """
    request = PushLoginRequest(uin=int(earlier.credentials.uin), mod=earlier.profile.mod)
    reply = yield from call(PUSHLOGIN, request, earlier.hosts)
    if reply.ret != "0" or not reply.uuid:
        return ""
    if not _UUID.fullmatch(reply.uuid):
        raise ProtocolError("webwxpushloginurl: the server sent no valid uuid.")
    return reply.uuid


def code_url(login: Login, uuid: str) -> str:
    """Return the address that the QR code of a uuid contains."""
    return QR_TEXT.encode_request(QrPictureRequest(uuid=uuid), login.hosts).url


def poll(login: Login, uuid: str, tip: int, now: float) -> Flow[PollReply]:
    """
    Wait for the phone, up to about 25 s.

    Args:
        login: The blank login.
        uuid: From `request_code`.
        tip: 1 on the first poll of a uuid, then 0: with 1, a scanned code is answered at once every time.
        now: Seconds since 1970.

    Raises:
        ProtocolError: The server failed, or the answer is not valid; the uuid may still be valid.

    Wire: login
    """
    milliseconds = int(now * 1000)
    request = PollRequest(
        uuid=uuid, tip=tip, r=cache_breaker(milliseconds), timestamp=milliseconds, appid=login.profile.mmweb_appid
    )
    reply = yield from call(LOGIN_POLL, request, login.hosts)
    if reply.code in {PollCode.BROKEN, PollCode.SERVER_ERROR}:
        raise ProtocolError(f"login: the server sent no valid answer to the poll (code {reply.code}).")
    return reply


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Result of the ticket exchange."""

    hosts: Hosts
    """Hosts of all later calls."""
    credentials: Credentials
    pass_ticket: str

    def __repr__(self) -> str:
        return "Ticket(***)"


def check_profile(login: Login, desktop: Desktop | None) -> None:
    """
    Check that a login of this profile can succeed.

    Raises:
        NotOnThisHost: The profile is `desktop`, and its values are missing.
    """
    if login.profile.mod and desktop is None:
        raise NotOnThisHost(
            "The desktop profile needs header values that webwx does not include: "
            "give your own with desktop=Desktop(client_version=..., extspam=...), or use host 'filehelper'."
        )


def exchange_ticket(login: Login, redirect_uri: str, device_id: str, desktop: Desktop | None = None) -> Flow[Ticket]:
    """
    Exchange the ticket of a confirmed poll for a session, on the host that the redirect names.

    That host may redirect the exchange to another one, which must also be a host of the platform.

    Args:
        login: The blank login.
        redirect_uri: From the poll.
        device_id: For the new credentials.
        desktop: Additional values of the desktop profile.

    Raises:
        UnsafeRedirect: The redirect names a host that is not the platform's; nothing was sent.
        LoginRefused: This account may not log in here; `message` is the platform's text.
        UnexpectedLoginPage: A web page came back; the error contains its text, without possible keys.
        ProtocolError: The answer lacks a field that a session needs; the text names it.

    Wire: webwxnewloginpage
    """
    for _ in range(_MAX_EXCHANGES):
        hosts = follow(redirect_uri, login.server, login.allowed_hosts)
        response = yield from exchange(TICKET, _ticket_request(login, redirect_uri, desktop), hosts)
        reply = _read_ticket(response)
        if reply.ret or not reply.redirecturl:
            break
        redirect_uri = reply.redirecturl
    else:
        raise UnsafeRedirect("The login was redirected too many times.")
    if reply.ret:
        reason = masked(reply.message, keeps_links=True)
        way_round = "; File Transfer Helper (host filehelper) is open to every account"
        raise LoginRefused(
            f"This login was refused (ret {reply.ret}): {reason.rstrip('。. ') or 'no reason given'}"
            f"{way_round if reply.ret == Ret.LOGIN_REFUSED else ''}.",
            endpoint=TICKET.name, ret=reply.ret, message=reason,
        )  # fmt: skip
    cookies = read_cookie_header("; ".join(text.partition(";")[0] for text in response.header_values("Set-Cookie")))
    sid = reply.wxsid or cookies.get("wxsid", "")
    uin = reply.wxuin or number(cookies.get("wxuin"), 0)
    given = {"wxsid": sid, "wxuin": uin, "skey": reply.skey, "pass_ticket": reply.pass_ticket}
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise ProtocolError(f"webwxnewloginpage: the answer lacks {', '.join(missing)}.")
    return Ticket(
        hosts=hosts,
        credentials=Credentials(uin=uin, sid=sid, skey=reply.skey, device_id=device_id),
        pass_ticket=reply.pass_ticket,
    )


def _ticket_request(login: Login, redirect_uri: str, desktop: Desktop | None) -> TicketRequest:
    query = redirect_uri.partition("?")[2].partition("#")[0]
    mod = login.profile.mod
    if not mod or desktop is None:
        return TicketRequest(redirect_query=query, fun="new", version="v2", mod=mod)
    return TicketRequest(
        redirect_query=query, fun="new", version="v2", mod=mod,
        client_version=desktop.client_version, extspam=desktop.extspam,
    )  # fmt: skip


def _read_ticket(response: Response) -> TicketReply:
    """Decode the XML for any status: the desktop profile receives it as a 301 without Location."""
    try:
        return TICKET.decode_reply(response)
    except ProtocolError:
        if response.header("Location"):
            raise UnsafeRedirect("The login was redirected to another address; nothing was sent there.") from None
        if b"<html" in response.body.lower():
            reason = _excerpt(response.body)
            words = f" It says: {reason}" if reason else ""
            raise UnexpectedLoginPage(
                f"webwxnewloginpage: the server sent a web page instead of the ticket.{words}"
            ) from None
        raise


def _excerpt(page: bytes) -> str:
    """Return the beginning of a page's text, without possible keys."""
    import html

    return masked(html.unescape(_UNSHOWN.sub(" ", page[:_LONGEST_PAGE].decode(errors="replace"))))


def open_session(login: Login, now: float) -> Flow[InitReply]:
    """
    Open the session and return the account, its recent chats, the first sync key and a new skey.

    Raises:
        LoggedOut: The session has ended.
        ProtocolError: The answer does not name the account, or has no sync key.

    Wire: webwxinit
    """
    request = InitRequest(
        r=cache_breaker(int(now * 1000)), lang="zh_CN" if login.profile.mmweb_appid else "",
        pass_ticket=login.pass_ticket, credentials=login.credentials,
    )  # fmt: skip
    reply = yield from call(WEBWXINIT, request, login.hosts)
    if not reply.user.user_name:
        raise ProtocolError("webwxinit: the answer does not name the account.")
    if not reply.sync_key.list:
        raise ProtocolError("webwxinit: the answer has no sync key.")
    return reply


def log_out(login: Login) -> Flow[None]:
    """
    End the session on the server, which answers with a redirect, an empty body, or a return code.

    Raises:
        ApiError: The server refused.
        ProtocolError: The answer does not come from the platform, so the session may still be open.

    Wire: webwxlogout
    """
    credentials = login.credentials
    request = LogoutRequest(skey=credentials.skey, sid=credentials.sid, uin=str(credentials.uin))
    response = yield from exchange(LOGOUT, request, login.hosts)
    is_redirect = HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST
    if is_redirect or not response.body.strip():
        return
    try:
        answered = read(LOGOUT, response).base_response
    except ProtocolError as error:
        raise ProtocolError(
            f"The server did not confirm that the login has ended; end it on the phone as well. ({error})"
        ) from None
    if answered.ret not in LOGGED_OUT_REASONS:  # it had ended already
        judge(LOGOUT.name, answered.ret, answered.err_msg, secrets_of(request))


def cache_breaker(milliseconds: int) -> int:
    """Return the page's `r`: the bitwise complement of the time, as a signed 32-bit number. Servers do not check it."""
    return ((~milliseconds + 2**31) % 2**32) - 2**31
