import io

import pytest
from PIL import Image

from webwx.sandbox.pictures import avatar, picture_size, thumbnail_size


def drawn(kind, size=(300, 200)):
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind)
    return out.getvalue()


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


def test_an_avatar_is_a_png_of_its_owners_own_colour():
    assert picture_size(avatar("ahua")) == (32, 32)
    assert avatar("ahua") == avatar("ahua") != avatar("lilei")


def test_avatars_differ_by_more_than_their_colour():
    assert len({avatar(str(number)) for number in range(2000)}) == 2000
    assert len(Image.open(io.BytesIO(avatar("ahua"))).getcolors()) == 2
