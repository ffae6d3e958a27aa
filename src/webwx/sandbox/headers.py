"""The headers of the platform's answers, other than content type and cookies."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from webwx.protocol.contacts import GETHEADIMG, GETICON
from webwx.protocol.hosts import Host
from webwx.protocol.login import JSLOGIN
from webwx.protocol.media import UPLOAD
from webwx.protocol.sync import SYNCCHECK
from webwx.sandbox.call import dashed_date
from webwx.sandbox.hosts import page_permission

if TYPE_CHECKING:
    from webwx.protocol.endpoint import Endpoint
    from webwx.protocol.http import Headers
    from webwx.sandbox.call import Call

_TLS_ONLY = ("Strict-Transport-Security", "max-age=34995000 ; includeSubDomains")
"""Header of the API and the file host over TLS; over plain http it must not be sent."""

_AVATARS = frozenset({GETICON, GETHEADIMG})


def headers_of(endpoint: Endpoint[Any, Any], call: Call) -> Headers:
    """Return the headers of an endpoint's answer."""
    headers: Headers = ()
    now = call.world.now
    if endpoint is JSLOGIN:
        headers = ("Content-Type", "text/html; charset=gbk"), ("Cache-Control", "no-cache, must-revalidate")
    elif endpoint is SYNCCHECK and not page_permission(call.http):
        headers = (("Access-Control-Allow-Origin", "*"),)
    elif endpoint is UPLOAD:
        headers = (("Date", dashed_date(now)),)
    elif call.digest:
        headers = ("Last-Modified", formatdate(call.modified, usegmt=True)), ("ETag", f'"{call.digest}"')
        if endpoint in _AVATARS:
            headers = (*headers, ("Cache-control", "max-age=604800"))
    if endpoint.host in {Host.MAIN, Host.FILE} and call.http.url.startswith("https:"):
        headers = (*headers, _TLS_ONLY)
    return headers
