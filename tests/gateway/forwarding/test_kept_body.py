"""Bodies of forwarded requests that are kept: whole, or without their long texts."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from webwx.gateway.forwarding.kept_body import LONGEST_TEXT, MOST_KEPT, MOST_READ, KeptBody


def kept(body: bytes, *sizes: int) -> bytes | None:
    """Return what is kept of a body that arrives in pieces of some sizes, the last of which repeats."""
    keeping, at, sizes = KeptBody(), 0, sizes or (len(body),)
    for number in range(len(body)):
        if at >= len(body):
            break
        size = sizes[min(number, len(sizes) - 1)]
        keeping.add(body[at : at + size])
        at += size
    return keeping.content()


def test_a_short_body_stays_as_it_is() -> None:
    for body in (b"", b"no JSON", b'{"text": "' + b"x" * 5_000 + b'"}'):
        assert kept(body, 3) == body


@pytest.mark.parametrize("text", ["x" * 3_000_000, "\\" * 800_000, '"' * 800_000, "\\\"'中" * 300_000])
def test_a_long_body_keeps_everything_but_its_long_texts(text: str) -> None:
    message: dict[str, Any] = {
        "id": 7,
        "params": {"a": 'short "\\', text: 1, "data": text, "k": "key", "中": [text, 1.5]},
    }
    short = {"id": 7, "params": {"a": 'short "\\', "": 1, "data": "", "k": "key", "中": ["", 1.5]}}
    body = json.dumps(message, ensure_ascii=False).encode()
    for sizes in ((len(body),), (70_001,), (MOST_KEPT - 1, 65_537)):
        found = kept(body, *sizes)
        assert found is not None
        assert json.loads(found) == short


def test_texts_are_whole_wherever_the_body_is_cut() -> None:
    rng = Random(7)
    texts = ["".join(rng.choices('ab"\\中\n', k=rng.randrange(30))) for _ in range(60)]
    begin = json.dumps({"data": "x" * MOST_KEPT, "texts": texts}).encode()
    for size in range(1, 12):
        found = kept(begin, MOST_KEPT + 20, size)
        assert found is not None
        assert json.loads(found) == {"data": "", "texts": texts}


def test_what_stays_too_long_is_not_kept() -> None:
    short = b'"' + b"x" * (LONGEST_TEXT // 2) + b'",'
    keeping = KeptBody()
    for _ in range(2 * MOST_KEPT // len(short) + 1):
        keeping.add(short)
    assert (keeping.content(), keeping.is_kept) == (None, False)
    endless, piece = KeptBody(), b"x" * 65_536
    endless.add(b'"')
    for _ in range(MOST_READ // len(piece)):
        endless.add(piece)
    assert endless.content() is None
