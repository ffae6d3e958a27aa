"""
Pictures and the keys under which they lie in the content network.

A picture keeps its keys for ever, whatever becomes of the messages that show it. That is what makes forwarding a
recalled picture possible: the server reads only the keys (protocol notes, send, 9.2).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from webwx.protocol.content import write_image
from webwx.protocol.media import image_type

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

THUMBNAIL_SIDE = 120
"""The longer side of a thumbnail, in pixels."""

_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
"""Markers of the segments that hold a JPEG's height and width."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that once entered the server."""

    content: bytes
    md5: str
    aes_key: str
    cdn_url: str
    """An opaque text, no address."""
    thumbnail_height: int
    thumbnail_width: int

    def __repr__(self) -> str:
        return f"Picture({len(self.content)} bytes)"

    @property
    def content_type(self) -> str:
        """The media type its first bytes tell."""
        return image_type(self.content) or "application/octet-stream"

    def full_xml(self) -> str:
        """Write the form that can be forwarded."""
        length = str(len(self.content))
        return write_image(
            {
                "aeskey": self.aes_key,
                "encryver": "0",
                "cdnthumbaeskey": self.aes_key,
                "cdnthumburl": self.cdn_url,
                "cdnthumblength": length,
                "cdnthumbheight": str(self.thumbnail_height),
                "cdnthumbwidth": str(self.thumbnail_width),
                "cdnmidheight": "0",
                "cdnmidwidth": "0",
                "cdnhdheight": "0",
                "cdnhdwidth": "0",
                "cdnmidimgurl": self.cdn_url,
                "length": length,
                "md5": self.md5,
            }
        )

    def keyless_xml(self) -> str:
        """Write the form of old servers, which cannot be forwarded."""
        return f'<msg><img length="{len(self.content)}" hdlength="0" /><commenturl></commenturl></msg>'

    def hash_text(self) -> str:
        """Write the short form, which cannot be forwarded either."""
        return f"@{hashlib.sha256(self.cdn_url.encode()).hexdigest()}"


class Gallery:
    """All pictures that ever entered the server."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._by_keys: dict[tuple[str, str], Picture] = {}
        self._by_md5: dict[str, Picture] = {}

    def add(self, content: bytes) -> Picture:
        """Take in a picture and give it keys; the same bytes get new ones each time."""
        height, width = thumbnail_size(*picture_size(content))
        picture = Picture(
            content=content,
            md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
            aes_key=self._dice.randbytes(16).hex(),
            cdn_url=f"3057{self._dice.randbytes(40).hex()}",
            thumbnail_height=height,
            thumbnail_width=width,
        )
        self._by_keys[picture.aes_key, picture.cdn_url] = picture
        self._by_md5[picture.md5] = picture
        return picture

    def find(self, attributes: Mapping[str, str]) -> Picture | None:
        """Find what the attributes of an `<img>` name: by key and CDN text, which come under two names each, or md5."""
        for key_name in ("aeskey", "cdnthumbaeskey"):
            for url_name in ("cdnmidimgurl", "cdnthumburl"):
                picture = self._by_keys.get((attributes.get(key_name, ""), attributes.get(url_name, "")))
                if picture:
                    return picture
        return self._by_md5.get(attributes.get("md5", ""))


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
