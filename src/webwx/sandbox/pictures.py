"""What a server reads out of a picture: its size, from which it makes the thumbnail's."""

from __future__ import annotations

import hashlib
import zlib

STILL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000"
    "000c49444154789c636868680000030401814bd3d2100000000049454e44ae426082"
)
"""A grey point as PNG: the map of any place and the still of any video, neither of which is drawn here."""

THUMBNAIL_SIDE = 120
"""The longer side of a thumbnail, in pixels."""

_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
"""Markers of the segments that hold a JPEG's height and width."""


def picture_size(content: bytes) -> tuple[int, int]:
    """Read height and width out of a JPEG or PNG; zeros for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        return int.from_bytes(content[20:24]), int.from_bytes(content[16:20])
    if content.startswith(b"\xff\xd8"):
        return _jpeg_size(content)
    return 0, 0


def _jpeg_size(content: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        if content[at + 1] in _JPEG_FRAMES:
            return int.from_bytes(content[at + 5 : at + 7]), int.from_bytes(content[at + 7 : at + 9])
        at += 2 + int.from_bytes(content[at + 2 : at + 4])
    return 0, 0


def thumbnail_size(height: int, width: int) -> tuple[int, int]:
    """Shrink a size until its longer side fits a thumbnail."""
    longer = max(height, width)
    if longer <= THUMBNAIL_SIDE:
        return height, width
    return max(1, height * THUMBNAIL_SIDE // longer), max(1, width * THUMBNAIL_SIDE // longer)


_AVATAR_CELLS = 8
"""On each side of an avatar."""

_AVATAR_CELL = 4
"""Pixels on each side of a cell."""

_PAPER = b"\xf4\xf4\xf4"


def avatar(seed: str) -> bytes:
    """Draw a PNG of 32 x 32 pixels: a pattern and its colour, which the seed decides; the right half is the left's."""
    digest = hashlib.sha256(seed.encode()).digest()
    colour, pattern = digest[:3], digest[3:]
    rows = bytearray()
    for row in range(_AVATAR_CELLS):
        half = [colour if pattern[row] >> cell & 1 else _PAPER for cell in range(_AVATAR_CELLS // 2)]
        pixels = b"".join(cell * _AVATAR_CELL for cell in (*half, *reversed(half)))
        rows += (b"\0" + pixels) * _AVATAR_CELL
    header = (_AVATAR_CELLS * _AVATAR_CELL).to_bytes(4) * 2 + bytes((8, 2, 0, 0, 0))
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4)
