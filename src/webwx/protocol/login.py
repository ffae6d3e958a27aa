"""
Login: uuid, QR, poll, ticket exchange, logout.

The answers of the first stages look like scripts. Several clients match them with literal patterns, so they are written
in the platform's exact form and read by a tolerant grammar. Sequence and codes: docs/protocol/login.md.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from webwx.errors import ProtocolError
from webwx.protocol.codec import (
    COMPACT_JSON,
    FORM,
    MEDIA,
    NO_NUMBER,
    Media,
    Wire,
    number,
    read_pairs,
    read_script,
    tag_text,
)
from webwx.protocol.endpoint import Endpoint, In, InPath, InQuery, InRawQuery, Stated, Where
from webwx.protocol.hosts import Host
from webwx.protocol.http import Body, TimeLimit


class Credentials(Wire, frozen=True, kw_only=True):
    """`BaseRequest`: identifies the session."""

    uin: int | str = 0
    """The account's number; `webwxstatusnotify` with Code 1 sends it as a string."""
    sid: str = ""
    skey: str = ""
    device_id: str = msgspec.field(name="DeviceID", default="")
    """`e` and 15 digits."""

    def __repr__(self) -> str:
        return "Credentials(***)"


class BaseResponse(Wire, frozen=True, kw_only=True):
    """Result of a JSON call."""

    ret: int
    err_msg: str = ""


class Reply(Wire, frozen=True, kw_only=True):
    """Fields that every JSON reply begins with."""

    base_response: Stated[BaseResponse] = BaseResponse(ret=0)  # an answer without it may come from a proxy


# -- uuid ------------------------------------------------------------------------------------------------------------


class QrRequest(Wire, frozen=True, kw_only=True):
    """Request a login code."""

    appid: InQuery[str] = ""
    redirect_uri: InQuery[str] = ""
    fun: InQuery[str] = "new"
    lang: InQuery[str] = "zh_CN"
    timestamp: Annotated[int, In(Where.QUERY, "_")] = 0


class QrReply(Wire, frozen=True, kw_only=True):
    """A uuid for a QR code, valid for about five minutes."""

    code: int = 200
    uuid: str = ""

    def __repr__(self) -> str:
        return f"QrReply({self.code})"


class _QrShape:
    def dump(self, value: QrReply, *, is_reply: bool) -> tuple[str, Body]:
        del is_reply
        return "text/javascript", (
            f'window.QRLogin.code = {value.code}; window.QRLogin.uuid = "{value.uuid}";'.encode()
        )

    def load(self, body: bytes, kind: type[QrReply], content_type: str) -> QrReply:
        del content_type
        values = read_script(body)
        return kind(code=number(values.get("QRLogin.code"), 0), uuid=values.get("QRLogin.uuid", ""))


JSLOGIN = Endpoint(
    name="jslogin", method="GET", host=Host.LOGIN, path="/jslogin", also=("POST",),
    request=QrRequest, reply=QrReply, reply_shape=_QrShape(), purpose="request a login code",
)  # fmt: skip


class QrPictureRequest(Wire, frozen=True, kw_only=True):
    """Request the QR code as a picture, or the page that its text names."""

    uuid: InPath[str]

    def __repr__(self) -> str:
        return "QrPictureRequest(***)"


QR_PICTURE = Endpoint(
    name="qrcode", method="GET", host=Host.QR, path="/qrcode/{uuid}",
    request=QrPictureRequest, reply=Media, reply_shape=MEDIA, purpose="the QR code as a picture",
)  # fmt: skip

QR_TEXT = Endpoint(
    name="l", method="GET", host=Host.QR, path="/l/{uuid}",
    request=QrPictureRequest, reply=Media, reply_shape=MEDIA, purpose="the address inside the QR code, for a phone",
)  # fmt: skip


# -- poll ------------------------------------------------------------------------------------------------------------


class PollRequest(Wire, frozen=True, kw_only=True):
    """Wait for the phone."""

    loginicon: InQuery[str] = "true"
    uuid: InQuery[str]
    tip: InQuery[int] = 1
    """1 on the first poll of a uuid, 0 afterwards."""
    r: InQuery[int] = 0
    timestamp: Annotated[int, In(Where.QUERY, "_")] = 0
    appid: InQuery[str] = ""
    """File Transfer Helper only."""

    def __repr__(self) -> str:
        return f"PollRequest(tip={self.tip})"


class PollReply(Wire, frozen=True, kw_only=True):
    """State of the login code."""

    code: int
    user_avatar: str = ""
    """A data URI, with code 201."""
    redirect_uri: str = ""
    """Address for the exchange of the ticket, with code 200."""

    def __repr__(self) -> str:
        return f"PollReply({self.code})"


class _PollShape:
    def dump(self, value: PollReply, *, is_reply: bool) -> tuple[str, Body]:
        del is_reply
        text = f"window.code={value.code};"
        if value.user_avatar:
            text += f"window.userAvatar = '{value.user_avatar}';"
        if value.redirect_uri:
            text += f'\nwindow.redirect_uri="{value.redirect_uri}";'
        return "text/javascript", text.encode()

    def load(self, body: bytes, kind: type[PollReply], content_type: str) -> PollReply:
        del content_type
        values = read_script(body)
        return kind(
            code=number(values.get("code"), 0),
            user_avatar=values.get("userAvatar", ""),
            redirect_uri=values.get("redirect_uri", ""),
        )


LOGIN_POLL = Endpoint(
    name="login", method="GET", host=Host.LOGIN, path="/cgi-bin/mmwebwx-bin/login", time_limit=TimeLimit.POLL,
    request=PollRequest, reply=PollReply, reply_shape=_PollShape(),
    purpose="wait until the code is scanned and confirmed",
)  # fmt: skip


# -- ticket exchange -------------------------------------------------------------------------------------------------


class TicketRequest(Wire, frozen=True, kw_only=True):
    """Exchange the ticket of the poll's redirect for a session."""

    redirect_query: InRawQuery[str]
    """Query of the redirect, unchanged: ticket, uuid, lang, scan."""
    fun: InQuery[str] = ""
    version: InQuery[str] = ""
    """`v2` requests status 200; without `v2` the answer is a 301 without Location."""
    mod: InQuery[str] = ""
    """`desktop` in the desktop profile."""
    client_version: Annotated[str, In(Where.HEADER, "client-version")] = ""
    """Desktop profile only, from the user's configuration."""
    extspam: Annotated[str, In(Where.HEADER, "extspam")] = ""
    """Desktop profile only, from the user's configuration."""

    def __repr__(self) -> str:
        return "TicketRequest(***)"

    def field(self, name: str) -> str:
        """Return a value of the redirect's query."""
        return read_pairs(self.redirect_query).get(name, "")


class TicketReply(Wire, frozen=True, kw_only=True):
    """The session's keys, or the refusal."""

    ret: int = 0
    message: str = ""
    skey: str = ""
    wxsid: str = ""
    wxuin: int = 0
    pass_ticket: str = ""
    """As in the XML: already percent-encoded, and encoded once more wherever it is sent."""
    isgrayscale: int = 1
    redirecturl: str = ""
    """Address of another host that must do the exchange."""

    def __repr__(self) -> str:
        return f"TicketReply(ret={self.ret})"


_XML_TYPE = "text/plain;charset=utf-8"


class _TicketShape:
    """XML on one line, decoded tag by tag, because its values are not always well-formed."""

    def dump(self, value: TicketReply, *, is_reply: bool) -> tuple[str, Body]:
        from html import escape

        del is_reply
        if value.ret:
            message = escape(value.message, quote=False)
            return _XML_TYPE, f"<error><ret>{value.ret}</ret><message>{message}</message></error>".encode()
        if value.redirecturl:
            elsewhere = escape(value.redirecturl, quote=False)
            return _XML_TYPE, (
                f"<error><ret>0</ret><message></message><redirecturl>{elsewhere}</redirecturl></error>"
            ).encode()
        return _XML_TYPE, (
            f"<error><ret>0</ret><message></message><skey>{value.skey}</skey><wxsid>{value.wxsid}</wxsid>"
            f"<wxuin>{value.wxuin}</wxuin><pass_ticket>{value.pass_ticket}</pass_ticket>"
            f"<isgrayscale>{value.isgrayscale}</isgrayscale></error>"
        ).encode()

    def load(self, body: bytes, kind: type[TicketReply], content_type: str) -> TicketReply:
        from html import unescape

        del content_type
        text = body.decode("utf-8", "replace")
        ret = number((tag_text(text, "ret") or "").strip(), NO_NUMBER)
        if ret == NO_NUMBER:
            raise ProtocolError("no ticket in the answer")
        return kind(
            ret=ret,
            message=unescape(tag_text(text, "message") or ""),
            skey=tag_text(text, "skey") or "",
            wxsid=tag_text(text, "wxsid") or "",
            wxuin=number(tag_text(text, "wxuin"), 0),
            pass_ticket=tag_text(text, "pass_ticket") or "",
            isgrayscale=number(tag_text(text, "isgrayscale"), 0),
            redirecturl=unescape(tag_text(text, "redirecturl") or ""),
        )


TICKET = Endpoint(
    name="webwxnewloginpage", method="GET", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxnewloginpage",
    request=TicketRequest, reply=TicketReply, reply_shape=_TicketShape(), repeatable=False,
    purpose="exchange the ticket for a session",
)  # fmt: skip


# -- push login ------------------------------------------------------------------------------------------------------


class PushLoginRequest(Wire, frozen=True, kw_only=True):
    """Ask the phone to confirm a login without a QR code; the cookies of an earlier session identify the phone."""

    uin: InQuery[int] = 0
    mod: InQuery[str] = ""
    """`desktop` in the desktop profile."""

    def __repr__(self) -> str:
        return "PushLoginRequest(***)"


class PushLoginReply(Wire, frozen=True, kw_only=True, rename=None):
    """The uuid to poll, or a refusal."""

    ret: Stated[str] = ""
    """The string `0` when the phone was asked."""
    msg: str = ""
    uuid: str = ""

    def __repr__(self) -> str:
        return f"PushLoginReply({self.ret})"


PUSHLOGIN = Endpoint(
    name="webwxpushloginurl", method="GET", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxpushloginurl",
    request=PushLoginRequest, reply=PushLoginReply, reply_shape=COMPACT_JSON,
    purpose="ask the phone to confirm, without a QR code",
)  # fmt: skip


# -- logout -------------------------------------------------------------------------------------------------


class LogoutRequest(Wire, frozen=True, kw_only=True, rename=None):
    """End the session."""

    redirect: InQuery[int] = 1
    type: InQuery[int] = 0
    skey: InQuery[str] = ""
    sid: str = ""
    uin: str = ""

    def __repr__(self) -> str:
        return "LogoutRequest(***)"


LOGOUT = Endpoint(
    name="webwxlogout", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxlogout", also=("GET",),
    request=LogoutRequest, reply=Reply, body=FORM, purpose="end the session",
)  # fmt: skip
