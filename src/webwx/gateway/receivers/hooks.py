"""
An ASGI application that answers requests to receivers, in front of the API.

The framework cannot route these requests: several vendors use paths such as `/send` and `/<anything>`, and only
the token, which may be in the body, identifies the receiver. So this application asks `Reception` first, and passes on
every request that is for no receiver.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from litestar.enums import ScopeType
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from webwx.gateway.http.front import client_address
from webwx.gateway.http.unauthenticated import admit
from webwx.gateway.notify.notification import AttachedFile
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.registry import candidates, kinds_of_host
from webwx.gateway.notify.request import MAX_FIELDS, decode_header
from webwx.gateway.receivers.reception import HookHead
from webwx.representations.route import API

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar.types import ASGIApp, Receive, Scope, Send
    from litestar.types.asgi_types import HTTPScope

    from webwx.gateway.notify.request import HookAnswer
    from webwx.gateway.receivers.reception import Reception

_OWN_PATHS = (f"{API}/", "/console/", "/docs", "/healthz", "/m/", "/metrics", "/openapi.json", "/q/", "/readyz")
"""Prefixes of paths that never belong to a receiver."""

ROUTE = "receiver"
"""Template of the route of all requests to receivers, whose paths have tokens."""

_MOST_PARTS = 100
"""Maximum number of parts of a multipart body."""


class Hooks:
    """
    Answers requests to receivers, and passes on all others.

    Args:
        app: The application that gets the others.
        reception: Answers requests to receivers.
    """

    def __init__(self, app: ASGIApp, reception: Reception) -> None:
        self._app = app
        self._reception = reception

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or pass it on."""
        if scope["type"] == ScopeType.WEBSOCKET or scope["path"].startswith(_OWN_PATHS):
            await self._app(scope, receive, send)
            return
        head = read_head(scope)
        found = await self._reception.answer(head, StreamedBody(receive, head.headers), partial(admit, scope))
        if found is None:
            await self._app(scope, receive, send)
        else:
            scope["path_template"] = ROUTE
            await _send(send, found)


def is_vendor_request(host: str, method: str, path: str) -> bool:
    """Return whether a host name is that of a vendor, and a receiver of this vendor has the path."""
    kinds = kinds_of_host(host)
    return bool(kinds) and bool(candidates(method, path, kinds))


def read_head(scope: HTTPScope) -> HookHead:
    """Return a request without its body."""
    headers = {name.decode("latin-1").lower(): decode_header(value) for name, value in scope["headers"]}
    try:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        query = []
    return HookHead(
        method=scope["method"], host=headers.get("host", ""), path=scope["path"], query=tuple(query), headers=headers,
        address=client_address(scope),
    )  # fmt: skip


class StreamedBody:
    """
    The body of a request, read once.

    Args:
        receive: Returns the next part of the body.
        headers: Headers by lower-case name.
    """

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        self._receive = receive
        self._headers = headers

    async def read(self, limit: int) -> tuple[bytes, tuple[tuple[str, str], ...], tuple[tuple[str, AttachedFile], ...]]:
        """Return the raw body, or the fields and files of a multipart one."""
        length = self._headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > limit:
            raise Refusal(RefusalReason.TOO_LARGE)
        body = await self._read_all(limit)
        kind, options = parse_options_header(self._headers.get("content-type", ""))
        if kind.lower() != "multipart/form-data":
            return body, (), ()
        return b"", *read_multipart(body, options.get("boundary", ""))

    async def _read_all(self, limit: int) -> bytes:
        pieces, size = [], 0
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                raise Refusal(RefusalReason.INVALID_BODY, "The connection was closed.")
            size += len(message["body"])
            if size > limit:
                raise Refusal(RefusalReason.TOO_LARGE)
            pieces.append(message["body"])
            if not message.get("more_body"):
                return b"".join(pieces)


def read_multipart(
    body: bytes, boundary: str
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, AttachedFile], ...]]:
    """
    Return the fields and the files of a multipart body.

    Raises:
        Refusal: The body is not valid multipart, or a field is not UTF-8.
    """
    fields, files = [], []
    try:
        with PushMultipartParser(boundary, max_segment_count=_MOST_PARTS) as parser:
            segment: MultipartSegment | None = None
            pieces: list[bytes] = []
            for event in [*parser.parse(body), *parser.parse(b"")]:
                match event:
                    case MultipartSegment():
                        segment, pieces = event, []
                    case None if segment is not None:
                        content = b"".join(pieces)
                        if segment.filename is None:
                            fields.append((segment.name, content.decode()))
                        else:
                            media_type = segment.content_type or "application/octet-stream"
                            file = AttachedFile(name=segment.filename, content=content, media_type=media_type)
                            files.append((segment.name, file))
                    case bytes() | bytearray():
                        pieces.append(bytes(event))
    except (MultipartError, UnicodeDecodeError, ValueError):
        raise Refusal(RefusalReason.INVALID_BODY, "The body is not valid multipart data.") from None
    return tuple(fields), tuple(files)


async def _send(send: Send, answer: HookAnswer) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in answer.headers.items()]
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
