import io
import random

import pytest
from PIL import Image

from webwx.sandbox.pictures import avatar, draw, picture_size, thumbnail_size


def drawn(kind, size=(300, 200)):
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_the_size_is_read_from_jpeg_png_and_gif(kind):
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


def test_an_avatar_is_a_jpeg_in_the_colour_of_its_owner():
    shown = Image.open(io.BytesIO(avatar("ahua")))
    assert (shown.format, shown.size, picture_size(avatar("ahua"))) == ("JPEG", (64, 64), (64, 64))
    assert avatar("ahua") == avatar("ahua") != avatar("lilei")


def test_avatars_differ_by_more_than_their_colour():
    assert len({avatar(str(number)) for number in range(2000)}) == 2000
    assert len(Image.open(io.BytesIO(avatar("ahua"))).getcolors()) == 2


@pytest.mark.parametrize("seed", range(20))
def test_each_cell_of_a_drawn_picture_has_the_given_colour(seed):
    rng = random.Random(seed)
    some = [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), tuple(rng.randbytes(3))]
    cells = [[rng.choice(some) for _ in range(5)] for _ in range(3)]
    shown = Image.open(io.BytesIO(draw(cells)))
    assert shown.size == (40, 24)
    for y, row in enumerate(cells):
        for x, colour in enumerate(row):
            for corner in ((8 * x, 8 * y), (8 * x + 7, 8 * y + 7)):
                assert max(abs(a - b) for a, b in zip(shown.getpixel(corner), colour, strict=True)) <= 2
