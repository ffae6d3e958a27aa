"""
The wire: values and pure functions, for both ends.

No socket, clock, dice or disk in here. `ENDPOINTS` is the whole web API this project speaks, in one tuple.
"""

from __future__ import annotations

from typing import Any

from webwx.protocol.chatrooms import CREATECHATROOM, UPDATECHATROOM
from webwx.protocol.contacts import (
    BATCHGETCONTACT,
    GETCONTACT,
    GETHEADIMG,
    GETICON,
    OPLOG,
    SEARCHCONTACT,
    VERIFYUSER,
    WEBWXINIT,
)
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.login import JSLOGIN, LOGIN_POLL, LOGOUT, PUSHLOGIN, QR_PICTURE, QR_TEXT, TICKET
from webwx.protocol.media import (
    CHECKUPLOAD,
    GETMEDIA,
    GETMSGIMG,
    GETPUBLICLINKIMG,
    GETVIDEO,
    GETVOICE,
    PARALLELUPLOAD,
    PREVIEW,
    UPLOAD,
)
from webwx.protocol.messages import APP, CHECKURL, IMAGE, RECALL, STATUSNOTIFY, STICKER, TEXT, VIDEO
from webwx.protocol.reports import SENDFEEDBACK, STATREPORT
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC

ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    JSLOGIN, QR_PICTURE, QR_TEXT, LOGIN_POLL, PUSHLOGIN, TICKET, LOGOUT,
    WEBWXINIT, GETCONTACT, BATCHGETCONTACT, GETICON, GETHEADIMG, OPLOG, VERIFYUSER, SEARCHCONTACT,
    SYNCCHECK, WEBWXSYNC,
    TEXT, IMAGE, VIDEO, STICKER, APP, RECALL, STATUSNOTIFY, CHECKURL,
    CHECKUPLOAD, UPLOAD, PARALLELUPLOAD, GETMSGIMG, GETVOICE, GETVIDEO, GETMEDIA, GETPUBLICLINKIMG, PREVIEW,
    CREATECHATROOM, UPDATECHATROOM,
    SENDFEEDBACK, STATREPORT,
)  # fmt: skip
"""Every call, by topic."""

_AT = {
    path: tuple(endpoint for endpoint in ENDPOINTS if endpoint.path == path)
    for path in {endpoint.path for endpoint in ENDPOINTS if "{" not in endpoint.path}
}
_ELSEWHERE = tuple(endpoint for endpoint in ENDPOINTS if "{" in endpoint.path)


def find_endpoint(method: str, path: str) -> Endpoint[Any, Any] | None:
    """Find the call that a request is, by its method and decoded path; None when the protocol knows none such."""
    return next((each for each in _AT.get(path, _ELSEWHERE) if each.matches(method, path)), None)
