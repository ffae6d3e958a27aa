"""Checks on the content of an upload as it arrives in pieces: the digest, and the file of a form."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")

FORM = "multipart/form-data"

_MOST_PARTS = 100
"""Maximum number of parts of a multipart body."""


def digest_of(header: str | None) -> bytes | None:
    """
    Return the digest of a header `Content-Digest` (RFC 9530); None for an empty header.

    Raises:
        GatewayProblem: The digest is not SHA-256.
    """
    if header is None:
        return None
    found = _DIGEST.search(header)
    if found is None:
        raise GatewayProblem("bad-request", "Write 'Content-Digest' as sha-256=:BASE64:.")
    return base64.b64decode(found[1])


async def checked(stream: AsyncIterator[bytes], sha256: bytes | None) -> AsyncIterator[bytes]:
    """
    Yield the pieces of a body, and check its digest at the end.

    Args:
        stream: The pieces.
        sha256: The digest that they must have; None: no check.

    Raises:
        GatewayProblem: The pieces have another digest.
    """
    digest = hashlib.sha256()
    async for piece in stream:
        if sha256 is not None:
            digest.update(piece)
        yield piece
    if sha256 is not None and digest.digest() != sha256:
        raise GatewayProblem("bad-request", "The content does not have the digest of 'Content-Digest'.")


def boundary_of(content_type: str) -> str | None:
    """Return the boundary of a form by its media type; None for any other body."""
    media_type, options = parse_options_header(content_type)
    return str(options.get("boundary", "")) if media_type.lower() == FORM else None


class FormFile:
    """
    The first file of a body of `multipart/form-data`.

    Args:
        stream: Pieces of the body.
        boundary: The boundary between its parts.
    """

    def __init__(self, stream: AsyncIterator[bytes], boundary: str) -> None:
        self._events = _events(stream, boundary)

    def __repr__(self) -> str:
        return "FormFile()"

    async def begin(self) -> str:
        """
        Read the body up to the file, and return the name of the file.

        Raises:
            GatewayProblem: The body is not a valid form, or has no file.
        """
        async for event in self._events:
            if isinstance(event, MultipartSegment) and event.filename is not None:
                return str(event.filename)
        raise GatewayProblem("bad-request", "The form has no file.")

    async def pieces(self) -> AsyncIterator[bytes]:
        """
        Yield the content of the file, and read the body to its end.

        Raises:
            GatewayProblem: The body is not a valid form.
        """
        is_in_file = True
        async for event in self._events:
            if event is None:
                is_in_file = False
            elif is_in_file and not isinstance(event, MultipartSegment):
                yield bytes(event)


async def _events(
    stream: AsyncIterator[bytes], boundary: str
) -> AsyncIterator[MultipartSegment | bytearray | bytes | None]:
    try:
        with PushMultipartParser(boundary, max_segment_count=_MOST_PARTS) as parser:
            async for piece in stream:
                for event in parser.parse(piece) if piece else ():
                    yield event
    except (MultipartError, ValueError):
        raise GatewayProblem("bad-request", "The body is not valid multipart/form-data.") from None
