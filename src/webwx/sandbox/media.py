"""
Media and their keys in the content network: pictures, videos, voices, stickers, files.

A media file keeps its keys permanently, independent of the messages that show it. That makes forwarding a recalled
picture possible: the server reads only the keys.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from webwx.protocol.media import is_video, is_voice, picture_type
from webwx.sandbox.pictures import picture_size, thumbnail_size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random


SOME_VOICE = b"ID3\x04" + bytes(1020)
"""One KiB that starts like a voice message: the default content."""

SOME_VIDEO = b"\0\0\0\x18ftypmp42" + bytes(1012)
"""One KiB that starts like a video."""


class MediaFile(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that were uploaded, with their keys."""

    content: bytes
    name: str = ""
    """Name of a file; other media have none."""
    md5: str
    aes_key: str
    cdn_url: str
    """Opaque text that identifies it in the content network; not an address."""
    thumbnail_height: int
    thumbnail_width: int

    def __repr__(self) -> str:
        return f"MediaFile({len(self.content)} bytes)"

    @property
    def content_type(self) -> str:
        """The media type by its first bytes."""
        start = self.content[:16]
        if is_video(start):
            return "video/mp4"
        return picture_type(start) or ("audio/mp3" if is_voice(start) else "application/octet-stream")

    @property
    def encrypted_name(self) -> str:
        """Name of the file as in `EncryFileName`."""
        return encrypted_name(self.name)


def encrypted_name(name: str) -> str:
    """Percent-encode a file's name as in `EncryFileName`: everything except letters and digits."""
    return re.sub("[-._~]", lambda found: f"%{ord(found[0]):02X}", quote(name, safe=""))


class MediaStore:
    """All media that were ever uploaded."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._by_keys: dict[tuple[str, str], MediaFile] = {}
        self._by_md5: dict[str, MediaFile] = {}

    def add(self, content: bytes, name: str = "") -> MediaFile:
        """Store a media file and return its keys; the same bytes get new keys each time."""
        height, width = thumbnail_size(*picture_size(content))
        media_file = MediaFile(
            content=content,
            name=name,
            md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
            aes_key=self._rng.randbytes(16).hex(),
            cdn_url=f"3057{self._rng.randbytes(40).hex()}",
            thumbnail_height=height,
            thumbnail_width=width,
        )
        self.take(media_file)
        return media_file

    @property
    def all(self) -> tuple[MediaFile, ...]:
        """All media, in the order in which they were added."""
        return tuple(self._by_keys.values())

    def take(self, media_file: MediaFile) -> None:
        """Restore a media file with its keys."""
        self._by_keys[media_file.aes_key, media_file.cdn_url] = media_file
        self._by_md5[media_file.md5] = media_file

    def find(self, attributes: Mapping[str, str]) -> MediaFile | None:
        """
        Find a media file by the attributes of a picture (`<img>`), a video (`<videomsg>`) or a sticker (`<emoji>`).

        They identify it by key and CDN text, each under several names, or by md5.
        """
        for key_name in ("aeskey", "cdnthumbaeskey"):
            for url_name in ("cdnmidimgurl", "cdnthumburl", "cdnvideourl"):
                media_file = self._by_keys.get((attributes.get(key_name, ""), attributes.get(url_name, "")))
                if media_file:
                    return media_file
        return self._by_md5.get(attributes.get("md5", ""))

    def known(self, md5: str, size: int) -> MediaFile | None:
        """Find a file that was uploaded before, by its digest and length."""
        media_file = self._by_md5.get(md5.lower())
        return media_file if media_file and len(media_file.content) == size else None
