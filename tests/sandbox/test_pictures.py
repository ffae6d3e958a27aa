import hashlib
import io
import random

import pytest
from PIL import Image

from webwx.protocol.content import read_image
from webwx.sandbox.pictures import Gallery, picture_size, thumbnail_size


def drawn(kind, size=(300, 200)):
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind)
    return out.getvalue()


@pytest.fixture
def gallery():
    return Gallery(random.Random(1))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_size_is_read_from_jpeg_and_png(kind):
    assert picture_size(drawn(kind)) == (200, 300)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x04ab", b"\x89PNG\r\n\x1a\n", b"\xff\xd8ab" * 9]
)
def test_an_unknown_size_is_zero(content):
    assert picture_size(content) == (0, 0)


@pytest.mark.parametrize(
    ("size", "thumbnail"),
    [((200, 300), (80, 120)), ((300, 100), (120, 40)), ((60, 120), (60, 120)), ((1, 9999), (1, 120)), ((0, 0), (0, 0))],
)
def test_thumbnails_keep_the_proportions(size, thumbnail):
    assert thumbnail_size(*size) == thumbnail


def test_a_picture_has_keys_of_its_own_even_for_equal_bytes(gallery):
    content = drawn("PNG")
    first, second = gallery.add(content), gallery.add(content)
    assert first.md5 == second.md5 == hashlib.md5(content).hexdigest()
    assert first.aes_key != second.aes_key
    assert first.cdn_url != second.cdn_url
    assert len(bytes.fromhex(first.aes_key)) == 16


def test_the_full_xml_has_the_platforms_attributes_in_order(gallery):
    assert list(read_image(gallery.add(drawn("JPEG")).full_xml())) == [
        "aeskey", "encryver", "cdnthumbaeskey", "cdnthumburl", "cdnthumblength", "cdnthumbheight", "cdnthumbwidth",
        "cdnmidheight", "cdnmidwidth", "cdnhdheight", "cdnhdwidth", "cdnmidimgurl", "length", "md5",
    ]  # fmt: skip


def test_a_picture_is_found_by_either_name_of_its_keys_or_by_md5(gallery):
    picture = gallery.add(drawn("PNG"))
    key, url = picture.aes_key, picture.cdn_url
    for attributes in (
        {"aeskey": key, "cdnmidimgurl": url},
        {"aeskey": key, "cdnthumburl": url},
        {"cdnthumbaeskey": key, "cdnthumburl": url},
        {"cdnthumbaeskey": key, "cdnmidimgurl": url},
        {"aeskey": "00", "cdnmidimgurl": "30", "md5": picture.md5},
    ):
        assert gallery.find(attributes) is picture
    assert gallery.find({"aeskey": key}) is None


def test_a_picture_does_not_show_its_bytes_or_keys():
    assert repr(Gallery(random.Random(1)).add(b"abc")) == "Picture(3 bytes)"
