"""The size of a picture, its JPEG as web clients download it, and drawn pictures of cells with one colour each."""

from __future__ import annotations

import hashlib
import struct
import zlib
from functools import lru_cache
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING

from webwx.protocol.media import image_type

if TYPE_CHECKING:
    from collections.abc import Sequence

THUMBNAIL_SIDE = 120
"""The longer side of a thumbnail, in pixels."""

_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
"""Markers of the segments that hold a JPEG's height and width."""


def picture_size(content: bytes) -> tuple[int, int]:
    """Read height and width out of a JPEG, PNG or GIF; zeros for anything else."""
    if content[:6] in {b"GIF87a", b"GIF89a"} and len(content) >= 10:
        return int.from_bytes(content[8:10], "little"), int.from_bytes(content[6:8], "little")
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


# -- as JPEG ---------------------------------------------------------------------------------------------------------


_BROKEN = (
    ArithmeticError, EOFError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
"""Exceptions that Pillow raises for incomplete and broken pictures."""

MAX_PIXELS = 25_000_000
"""Maximum number of pixels of a picture that is converted: a file of a few kilobytes may unpack to gigabytes."""


@lru_cache(maxsize=8)  # a photograph has several megabytes
def as_jpeg(content: bytes) -> bytes:
    """Return a picture as JPEG; unchanged if it is one, a GIF, or cannot be converted."""
    return content if image_type(content) in {"image/jpeg", "image/gif"} else _converted(content, 0)


@lru_cache(maxsize=64)
def thumbnail(content: bytes) -> bytes:
    """Return the thumbnail of a picture: a small JPEG; the picture itself if it is smaller or cannot be converted."""
    small = _converted(content, THUMBNAIL_SIDE)
    return small if len(small) < len(content) else content


def _converted(content: bytes, side: int) -> bytes:
    """Convert a picture to JPEG, on white, with its longer side limited to `side` pixels unless that is 0."""
    try:
        from PIL import Image, ImageOps
    except ImportError:  # without the extra `pictures`
        return content
    out = BytesIO()
    try:
        with Image.open(BytesIO(content), formats=("BMP", "GIF", "JPEG", "PNG")) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return content
            if side:
                picture.thumbnail((side, side))
            layered = ImageOps.exif_transpose(picture).convert("RGBA")
            paper = Image.new("RGBA", layered.size, "white")
            Image.alpha_composite(paper, layered).convert("RGB").save(out, "JPEG", quality=90)
    except _BROKEN:
        return content
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return content
    return out.getvalue()


# -- drawn ones ------------------------------------------------------------------------------------------------------

CELL = 8
"""Pixels on each side of a cell."""

Colour = tuple[int, int, int]
"""Red, green and blue, up to 255."""

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
_GREY: Colour = (128, 128, 128)
"""Colour that the format assumes before the first cell."""

_DIFFERENCES = ("00", "010", "011", "100", "101", "110", "1110", "11110", "111110", "1111110", "11111110", "111111110")
"""Code of a difference, by its number of bits, from the JPEG specification."""

_NOTHING_ELSE = "0"
"""Code of the end of a block, the only one in the AC table."""


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content


_TABLES = (
    _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    + _segment(0xDB, b"\0" + b"\1" * 64)  # nothing is rounded
    + _segment(0xC4, b"\0" + bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)) + bytes(range(12)))
    + _segment(0xC4, b"\x10" + bytes((1, *bytes(15))) + b"\0")
)

_SCAN = _segment(0xDA, bytes((3, 1, 0, 2, 0, 3, 0, 0, 63, 0)))


def draw(cells: Sequence[Sequence[Colour]]) -> bytes:
    """
    Draw cells as a JPEG.

    A cell is a block of the format. It has one colour, so its mean describes it completely and no transform is needed.
    """
    size = (len(cells) * CELL).to_bytes(2) + (len(cells[0]) * CELL).to_bytes(2)
    frame = _segment(0xC0, b"\x08" + size + bytes((3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0)))
    colours = [_GREY, *(colour for row in cells for colour in row)]
    coded = "".join(_change(before, colour) for before, colour in pairwise(colours))
    coded += "1" * (-len(coded) % 8)
    content = int(coded, 2).to_bytes(len(coded) // 8).replace(b"\xff", b"\xff\0")
    return b"\xff\xd8" + _TABLES + frame + _SCAN + content + b"\xff\xd9"


@lru_cache(maxsize=1024)
def _change(before: Colour, colour: Colour) -> str:
    """Encode a cell as the difference from the cell before it, in brightness and two colour components."""
    codes = []
    for level, earlier in zip(_levels(colour), _levels(before), strict=True):
        change = level - earlier
        bits = abs(change).bit_length()
        digits = f"{change if change > 0 else change + (1 << bits) - 1:0{bits}b}" if bits else ""
        codes.append(_DIFFERENCES[bits] + digits + _NOTHING_ELSE)
    return "".join(codes)


def _levels(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = colour
    return (
        round(CELL * (0.299 * red + 0.587 * green + 0.114 * blue - 128)),
        round(CELL * (0.5 * blue - 0.1687 * red - 0.3313 * green)),
        round(CELL * (0.5 * red - 0.4187 * green - 0.0813 * blue)),
    )


STILL = draw([[_GREY]])
"""A grey tile, used for every map and as the thumbnail of every video."""

_AVATAR_CELLS = 8
"""Number of cells on each side of an avatar."""

_PAPER: Colour = (244, 244, 244)


def avatar(seed: str) -> bytes:
    """Draw a JPEG of 64 x 64 pixels from a seed: a pattern in one colour whose right half mirrors the left."""
    digest = hashlib.sha256(seed.encode()).digest()
    colour, pattern = (digest[0], digest[1], digest[2]), digest[3:]
    halves = (
        [colour if pattern[row] >> cell & 1 else _PAPER for cell in range(_AVATAR_CELLS // 2)]
        for row in range(_AVATAR_CELLS)
    )
    return draw([[*half, *reversed(half)] for half in halves])
