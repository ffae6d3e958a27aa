from __future__ import annotations

import io
import random
import struct
import zlib

import pytest
from PIL import Image

from webwx.sandbox.pictures import MAX_PIXELS, as_jpeg, avatar, draw, picture_size, thumbnail, thumbnail_size


def pixels_of(picture: bytes) -> dict[tuple[int, int], bytes]:
    """Return the colour of each pixel, in three bytes, by its place."""
    shown = Image.open(io.BytesIO(picture)).convert("RGB")
    colours = shown.tobytes()
    width, height = shown.size
    return {(x, y): colours[3 * (y * width + x) :][:3] for y in range(height) for x in range(width)}


def drawn(kind: str, size: tuple[int, int] = (300, 200)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_the_size_is_read_from_jpeg_png_and_gif(kind: str) -> None:
    assert picture_size(drawn(kind)) == (200, 300)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x04ab", b"\x89PNG\r\n\x1a\n", b"\xff\xd8ab" * 9]
)
def test_an_unknown_size_is_zero(content: bytes) -> None:
    assert picture_size(content) == (0, 0)


@pytest.mark.parametrize(
    ("size", "thumbnail"),
    [((200, 300), (80, 120)), ((300, 100), (120, 40)), ((60, 120), (60, 120)), ((1, 9999), (1, 120)), ((0, 0), (0, 0))],
)
def test_thumbnails_keep_the_proportions(size: tuple[int, int], thumbnail: tuple[int, int]) -> None:
    assert thumbnail_size(*size) == thumbnail


def test_an_avatar_is_a_jpeg_in_the_colour_of_its_owner() -> None:
    shown = Image.open(io.BytesIO(avatar("ahua")))
    assert (shown.format, shown.size, picture_size(avatar("ahua"))) == ("JPEG", (64, 64), (64, 64))
    assert avatar("ahua") == avatar("ahua") != avatar("lilei")


def test_avatars_differ_by_more_than_their_colour() -> None:
    assert len({avatar(str(number)) for number in range(2000)}) == 2000
    assert len(set(pixels_of(avatar("ahua")).values())) == 2


@pytest.mark.parametrize("seed", range(20))
def test_each_cell_of_a_drawn_picture_has_the_given_colour(seed: int) -> None:
    rng = random.Random(seed)
    red, green, blue = rng.randbytes(3)
    some = [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (red, green, blue)]
    cells = [[rng.choice(some) for _ in range(5)] for _ in range(3)]
    shown = pixels_of(draw(cells))
    assert max(shown) == (39, 23)
    for y, row in enumerate(cells):
        for x, colour in enumerate(row):
            for corner in ((8 * x, 8 * y), (8 * x + 7, 8 * y + 7)):
                assert max(abs(a - b) for a, b in zip(shown[corner], colour, strict=True)) <= 2


def test_a_picture_whose_exif_has_a_value_of_a_wrong_type_is_not_converted() -> None:
    tags = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0), struct.pack("<HHI4s", 0x011A, 2, 4, b"abc\0")
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(tags) + bytes(4)
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(out, "PNG", exif=exif)
    assert thumbnail(out.getvalue()) == as_jpeg(out.getvalue()) == out.getvalue()


def one_bit_png(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + (width + 7) // 8) * height))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
    )


@pytest.mark.parametrize("height", [MAX_PIXELS // 5_000 + 1, 20_000, 50_000])
def test_a_small_file_with_too_many_pixels_is_not_converted(height: int) -> None:
    picture = one_bit_png(5_000, height)
    assert as_jpeg(picture) == thumbnail(picture) == picture
    small = one_bit_png(50, 50)
    assert as_jpeg(small).startswith(b"\xff\xd8\xff")
