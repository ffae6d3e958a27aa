"""
The files that a browser loads: the page, its scripts and styles, and the media in messages.

Text never becomes markup in the page, and media never become a page: a browser shows only the four kinds of pictures
inline, and nothing loaded from here may run a script.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from webwx.protocol.http import Request, Response
from webwx.protocol.media import picture_type
from webwx.sandbox.control import is_loopback
from webwx.sandbox.phone.wire_page import wire_page
from webwx.web import SHARED_FILES

if TYPE_CHECKING:
    from webwx.protocol.http import Headers
    from webwx.sandbox.people import WorldMessage
    from webwx.sandbox.world import World

PREFIX = "/phone"

_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
"""Media types of the page's files, by the end of their names."""

_ALWAYS: Headers = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)

_PAGE_POLICY = (
    "default-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'"
)
"""
Content security policy of the page; `blob:` is a chosen voice or video, whose length the page reads before sending.
"""

_MEDIA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"

_STATIC = files(__package__) / "static"

FILES = {file.name: file for file in _STATIC.iterdir() if file.name.rpartition(".")[2] in _TYPES} | SHARED_FILES
"""All files that make up the page, by name."""

_UNKNOWN = "application/octet-stream"

_SHOWN_INLINE = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
"""Types of pictures that are shown; others are downloads."""


def is_for(request: Request) -> bool:
    """Return whether a request is for the page."""
    return request.path == PREFIX or request.path.startswith(PREFIX + "/")


def answer(world: World, request: Request) -> Response:
    """Answer a request for the page."""
    if not is_loopback(request.url):
        return _text(403, "The phone answers on loopback addresses only.")
    if request.method not in {"GET", "HEAD"}:
        return _text(405, "The page is only looked at; the control API is what changes things.")
    if request.path.endswith("/"):  # addresses in the page are relative to one without a slash
        return Response(
            status=302, headers=(*_ALWAYS, ("Location", f"../{request.path.rstrip('/').rpartition('/')[2]}"))
        )
    match request.path.removeprefix(PREFIX).strip("/").split("/"):
        case [""]:
            return _file("index.html")
        case ["wire"]:
            chinese = request.header("Accept-Language").lower().startswith("zh")
            return _page(_TYPES["html"], wire_page(chinese=chinese))
        case ["static", name] if name in FILES:
            return _file(name)
        case ["media", message_id]:
            message = world.delivery.find(message_id)
            return _medium(message, request) if message else _text(404, "There is no such message.")
        case ["face", person_id] if person_id in world.people:
            return _content("", world.people[person_id].picture_bytes)
    return _text(404, "There is no such page.")


def _file(name: str) -> Response:
    return _page(_TYPES[name.rpartition(".")[2]], FILES[name].read_bytes())


def _page(content_type: str, body: bytes) -> Response:
    headers = (
        *_ALWAYS,
        ("Content-Type", content_type),
        ("Content-Security-Policy", _PAGE_POLICY),
        ("X-Frame-Options", "DENY"),
    )
    return Response(headers=headers, body=body)


def _medium(message: WorldMessage, request: Request) -> Response:
    media_file = message.media_file
    if media_file is None or message.is_recalled:
        return _text(404, "There is nothing to see in that message.")
    name = media_file.name or f"{message.kind}-{message.id}"
    return _piece(_content(name, media_file.content, _played(media_file.content_type)), request.header("Range"))


def _content(name: str, content: bytes, content_type: str = _UNKNOWN) -> Response:
    """Return media of the world: a picture for display, anything else as a download."""
    inline = _inline_type(content[:16])
    headers = (
        *_ALWAYS,
        ("Content-Type", inline or content_type),
        ("Content-Disposition", "inline" if inline else f"attachment; filename*=UTF-8''{quote(name, safe='')}"),
        ("Content-Security-Policy", _MEDIA_POLICY),
        ("Accept-Ranges", "bytes"),
    )
    return Response(headers=headers, body=content)


def _piece(whole: Response, wanted: str) -> Response:
    """Return the requested range of a video, or the whole."""
    asked = re.fullmatch(r"bytes=(\d{1,18})-(\d{0,18})", wanted)
    size = len(whole.body)
    if asked is None:
        return whole
    start, end = int(asked[1]), min(int(asked[2] or size), size - 1)
    if start > end:
        return msgspec.structs.replace(whole, status=416, headers=(*whole.headers, _range(f"*/{size}")), body=b"")
    headers = (*whole.headers, _range(f"{start}-{end}/{size}"))
    return msgspec.structs.replace(whole, status=206, headers=headers, body=whole.body[start : end + 1])


def _range(which: str) -> tuple[str, str]:
    return "Content-Range", f"bytes {which}"


def _inline_type(start: bytes) -> str:
    kind = picture_type(start)
    return kind if kind in _SHOWN_INLINE else ""


def _played(content_type: str) -> str:
    """Return the type of a playable media file, and a neutral type for any other."""
    if content_type == "audio/mp3":
        return "audio/mpeg"
    return content_type if content_type.startswith(("audio/", "video/")) else _UNKNOWN


def _text(status: int, sentence: str) -> Response:
    headers = (*_ALWAYS, ("Content-Type", "text/plain; charset=utf-8"), ("Content-Security-Policy", _MEDIA_POLICY))
    return Response(status=status, headers=headers, body=sentence.encode())
