"""
The wire: values and pure functions, for both ends.

No socket, clock, dice or disk in here. `ENDPOINTS` is the whole web API this project speaks, in one tuple.
"""

from __future__ import annotations

from typing import Any

from webwx.protocol.contacts import BATCHGETCONTACT, GETCONTACT, WEBWXINIT
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.login import JSLOGIN, LOGIN_POLL, LOGOUT, QR_PICTURE, QR_TEXT, TICKET
from webwx.protocol.media import GETMSGIMG, UPLOAD
from webwx.protocol.messages import IMAGE, RECALL, STATUSNOTIFY, TEXT
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC

ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    JSLOGIN, QR_PICTURE, QR_TEXT, LOGIN_POLL, TICKET, LOGOUT,
    WEBWXINIT, GETCONTACT, BATCHGETCONTACT,
    SYNCCHECK, WEBWXSYNC,
    TEXT, IMAGE, RECALL, STATUSNOTIFY,
    UPLOAD, GETMSGIMG,
)  # fmt: skip
"""Every call, by topic."""
