"""The demo's pictures are real pictures."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image

from webwx.cli.sandbox import pictures


@pytest.mark.parametrize(
    ("make", "form", "size"), [(pictures.jpeg, "JPEG", (32, 24)), (pictures.png, "PNG", (280, 280))]
)
def test_a_picture_can_be_decoded(make: Callable[[], bytes], form: str, size: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(make())) as picture:
        picture.load()
        assert (picture.format, picture.size) == (form, size)
        assert len(set(picture.convert("L").tobytes())) > 20


@pytest.mark.parametrize("make", [pictures.jpeg, pictures.png])
def test_a_picture_is_large_and_always_the_same(make: Callable[[], bytes]) -> None:
    assert len(make()) >= 200_000
    assert make() == make()
