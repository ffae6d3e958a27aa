"""The answer with the media of a message, whole or in part; a browser downloads it and never shows it as a page."""

from __future__ import annotations

import asyncio
import mimetypes
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, TypeAlias

from litestar import Response
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter
from litestar.response import Stream

from webwx.gateway.accounts.account import DownloadedMedia
from webwx.gateway.problems import GatewayProblem
from webwx.protocol.media import picture_type
from webwx.storage.file_opening import open_file

ANY_TYPE = "application/octet-stream"

MediaRange: TypeAlias = Annotated[str | None, HeaderParameter(name="Range")]

MediaTag: TypeAlias = Annotated[str | None, HeaderParameter(name="If-None-Match")]

MEDIA_ANSWERS = {
    200: ResponseSpec(bytes, generate_examples=False, media_type=ANY_TYPE, description="The file"),
    206: ResponseSpec(bytes, generate_examples=False, media_type=ANY_TYPE, description="A part"),
    304: ResponseSpec(None, generate_examples=False, description="Not changed"),
}
"""The answers of `answer_media`, as OpenAPI shows them."""

_PIECE = 256 * 1024
"""Bytes of a file that are read at a time."""

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


async def answer_media(
    media: DownloadedMedia, name: str, wanted_range: str | None, if_none_match: str | None
) -> Stream | Response[bytes]:
    """
    Return the answer with a file, or with a part of it.

    Args:
        media: The file.
        name: Unique name of the message, for the tag of the file.
        wanted_range: The header `Range`.
        if_none_match: The header `If-None-Match`.

    Raises:
        GatewayProblem: The range is outside of the file.
    """
    path = media.path
    size, start = await asyncio.to_thread(_size_and_start, path)
    tag = f'"{name}-{size}"'
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "private, max-age=86400"}
    if if_none_match is not None and tag in if_none_match:
        return Response(b"", status_code=304, headers=headers)
    headers["Content-Disposition"] = _disposition(path.name)
    first, last = range_of(wanted_range, size) or (0, size - 1)
    is_part = (first, last) != (0, size - 1)
    if is_part:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    headers["Content-Length"] = str(last - first + 1)
    media_type = picture_type(start) or mimetypes.guess_type(path.name)[0] or ANY_TYPE
    if media_type.startswith("text/") or "xml" in media_type or "script" in media_type:
        media_type = ANY_TYPE  # content from other people is never served as a page
    return Stream(
        _pieces(media, first, last), media_type=media_type, headers=headers, status_code=206 if is_part else 200
    )


def _size_and_start(path: Path) -> tuple[int, bytes]:
    with path.open("rb") as file:
        return path.stat().st_size, file.read(32)


def range_of(header: str | None, size: int) -> tuple[int, int] | None:
    """
    Return the first and the last byte that a request wants; None for the whole file.

    Several ranges and other units are answered with the whole file, as RFC 9110 allows.

    Raises:
        GatewayProblem: The range is outside of the file.
    """
    found = _RANGE.fullmatch((header or "").strip())
    if found is None or not (found[1] or found[2]):
        return None
    if found[1]:
        first, last = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
    else:
        first, last = max(0, size - int(found[2])), size - 1
    if first > last:
        raise GatewayProblem("range-not-satisfiable", f"The file has {size} bytes.")
    return first, last


def _disposition(name: str) -> str:
    """Return the header `Content-Disposition` of a download; a browser never shows the file as a page."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name) or "file"
    encoded = "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "._-") else f"%{byte:02X}"
        for byte in name.encode("utf-8", "replace")
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


async def _pieces(media: DownloadedMedia, first: int, last: int) -> AsyncIterator[bytes]:
    file = await open_file(media.path, "rb")
    try:
        await asyncio.to_thread(file.seek, first)
        rest = last - first + 1
        while rest > 0 and (piece := await asyncio.to_thread(file.read, min(_PIECE, rest))):
            rest -= len(piece)
            yield piece
    finally:
        file.close()
