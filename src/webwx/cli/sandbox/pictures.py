"""
Two pictures for the demo, large enough to make the transfer visible, and equal in every run.

The PNG is written with zlib in stored mode, so it is as large as its pixels. A JPEG needs an encoder, so a tiny JPEG
is stored here and enlarged by comment segments, which viewers skip.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode

_SIDE = 280
"""Width and height in pixels; each pixel takes three bytes."""

_GRADIENT_JPEG = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI////////////////////////////////////////////"
    "////////wAALCAAYACABAREA/8QAFgABAQEAAAAAAAAAAAAAAAAAAwUE/8QAFRABAQAAAAAAAAAAAAAAAAAAAAL/2gAIAQEAAD8AywaDwaEyDQeD"
    "QmQaDwaH/9k="
)
"""32 x 24 pixels from black to white."""

_COMMENT = struct.pack(">HH", 0xFFFE, 0xFFFF) + b"webwx demo picture.  ".ljust(0xFFFF - 2, b".")
"""Maximum length of a comment segment: the length counts itself, not its marker."""


def jpeg() -> bytes:
    """Return a JPEG of 262 kB."""
    start = _GRADIENT_JPEG[:2]
    return start + 4 * _COMMENT + _GRADIENT_JPEG[2:]


def png() -> bytes:
    """Return a PNG of 235 kB: red grows to the right, green downwards."""
    shades = [at * 255 // _SIDE for at in range(_SIDE)]
    rows = b"".join(b"\0" + b"".join(bytes((red, green, 128)) for red in shades) for green in shades)
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    pieces = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows, level=0)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(pieces)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
