from __future__ import annotations

import hashlib
import io
import random

import pytest
from PIL import Image

from webwx.sandbox.media import MediaStore


@pytest.fixture
def media() -> MediaStore:
    return MediaStore(random.Random(1))


@pytest.fixture
def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(out, "PNG")
    return out.getvalue()


def test_two_media_of_equal_bytes_have_different_keys(media: MediaStore, picture: bytes) -> None:
    first, second = media.add(picture), media.add(picture)
    assert first.md5 == second.md5 == hashlib.md5(picture).hexdigest()
    assert first.aes_key != second.aes_key
    assert first.cdn_url != second.cdn_url
    assert len(bytes.fromhex(first.aes_key)) == 16


def test_a_pictures_thumbnail_is_measured(media: MediaStore, picture: bytes) -> None:
    media_file = media.add(picture)
    assert (media_file.thumbnail_height, media_file.thumbnail_width) == (80, 120)
    assert (media.add(b"mp3").thumbnail_height, media.add(b"mp3").content_type) == (0, "application/octet-stream")
    assert media_file.content_type == "image/png"


def test_a_medium_is_found_by_any_name_of_its_keys_or_by_md5(media: MediaStore, picture: bytes) -> None:
    media_file = media.add(picture)
    key, url = media_file.aes_key, media_file.cdn_url
    for attributes in (
        {"aeskey": key, "cdnmidimgurl": url},
        {"aeskey": key, "cdnthumburl": url},
        {"aeskey": key, "cdnvideourl": url},
        {"cdnthumbaeskey": key, "cdnthumburl": url},
        {"cdnthumbaeskey": key, "cdnmidimgurl": url},
        {"aeskey": "00", "cdnmidimgurl": "30", "md5": media_file.md5},
    ):
        assert media.find(attributes) is media_file
    assert media.find({"aeskey": key}) is None


def test_a_file_name_is_encoded_except_letters_and_digits(media: MediaStore) -> None:
    assert media.add(b"x", "报 告-a_~1.pdf").encrypted_name == "%E6%8A%A5%20%E5%91%8A%2Da%5F%7E1%2Epdf"


def test_a_medium_does_not_show_its_bytes_or_keys(media: MediaStore) -> None:
    assert repr(media.add(b"abc", "secret.txt")) == "MediaFile(3 bytes)"
